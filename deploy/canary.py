"""A flag that is flipped now and then, and timed until the evaluation API serves it: `togglemaster canary`.

Everything goes over HTTP, as users' requests do, so that it measures what they see.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any

from deploy.processes.common import NotConfigured
from deploy.samples import Unanswered, call
from deploy.settings import Settings
from deploy.told import Told

PROJECT = FLAG = "togglemaster-canary"
ENVIRONMENT = "production"
OTHER = {"on": "off", "off": "on"}
DEFINITION = {"key": FLAG, "type": "boolean", "variants": {"on": True, "off": False}}
PROJECT_URL = f"/api/v1/projects/{PROJECT}"
FLAG_URL = f"{PROJECT_URL}/flags/{FLAG}"
TARGETING_URL = f"{FLAG_URL}/environments/{ENVIRONMENT}"
KEYS_URL = f"{PROJECT_URL}/environments/{ENVIRONMENT}/keys"
QUESTION = {"context": {"targetingKey": "canary"}}
POLL_SECONDS = 0.01  # the resolution of what is measured
KEY_LASTS = timedelta(days=1)  # so that one that is left behind when it is killed does not stay


class Failed(Told):
    """`stage` is what failed: management, evaluation, or late for what is served too late or never."""

    def __init__(self, stage: str, text: str) -> None:
        super().__init__(text)
        self.stage = stage


@dataclass(frozen=True, slots=True)
class Served:
    value: object
    position: int


class Canary:
    """For one thread. One is enough for an installation: two would take each other's flips for faults."""

    def __init__(self, settings: Settings) -> None:
        """Raises NotConfigured without a key for management."""
        self._management, self._evaluation = settings.canary_management_url, settings.canary_evaluation_url
        self._key, self._evaluation_key = (
            settings.canary_key or settings.admin_key,
            settings.canary_evaluation_key,
        )
        self._limit = settings.canary_limit_seconds
        self._issued: tuple[str, float] | None = None  # the key's id, and when it is to be replaced
        self._prepared = False
        if not self._key:
            raise NotConfigured(
                "the canary needs a key for commands: set TOGGLEMASTER_CANARY_KEY to an administrator's"
                " access token, or TOGGLEMASTER_ADMIN_KEY"
            )

    def flip(self) -> float:
        """Seconds from the answer to the command until an answer shows it. Raises Failed."""
        self._prepare()
        variant = OTHER.get(self._give(TARGETING_URL)["default"].get("variant"), "on")
        targeting = {"enabled": True, "off_variant": "off", "default": {"variant": variant}}
        position = int(self._give(TARGETING_URL, targeting, "PUT")["position"])
        began = monotonic()
        while (served := self._ask()) != Served(variant == "on", max(served.position, position)):
            if monotonic() - began > self._limit:
                raise self._late(served, position)
            sleep(POLL_SECONDS)
        return monotonic() - began

    def close(self) -> None:
        """Revokes the key that it made itself; where that cannot be done the key expires."""
        if self._issued:
            try:
                self._give(f"{KEYS_URL}/{self._issued[0]}", method="DELETE")
            except Failed:
                return
            self._issued = None

    def _prepare(self) -> None:
        """The project, the flag and the key, where they are missing."""
        if not self._prepared:
            self._make(PROJECT_URL, "/api/v1/projects", {"key": PROJECT, "name": "Canary"})
            self._make(FLAG_URL, f"{PROJECT_URL}/flags", DEFINITION)
            self._prepared = True
        if not self._evaluation_key or (self._issued and monotonic() > self._issued[1]):
            self._issue()

    def _make(self, url: str, collection: str, definition: Any) -> None:
        if self._call(url)[0] == 404:
            self._give(collection, definition)

    def _issue(self) -> None:
        """One that evaluators know already."""
        until = datetime.now(UTC) + KEY_LASTS
        body = {"name": "canary", "kind": "server", "expires_at": until.isoformat()}
        made = self._give(KEYS_URL, body)
        self.close()
        self._issued = made["id"], monotonic() + KEY_LASTS.total_seconds() / 2
        self._evaluation_key = made["key"]
        give_up = monotonic() + self._limit
        while self._evaluate()[0] == 401 and monotonic() < give_up:
            sleep(POLL_SECONDS)

    def _ask(self) -> Served:
        status, answer = self._evaluate()
        if status not in {200, 404}:
            raise Failed("evaluation", f"the evaluation API answered {status} to the canary: {answer}")
        return Served(answer.get("value"), int(answer.get("metadata", {}).get("position", 0)))

    def _evaluate(self) -> tuple[int, Any]:
        try:
            return call(f"{self._evaluation}/ofrep/v1/evaluate/flags/{FLAG}", self._evaluation_key, QUESTION)
        except Unanswered as problem:
            raise Failed("evaluation", f"the evaluation API does not answer: {problem}") from problem

    def _give(self, url: str, body: Any = None, method: str = "") -> Any:
        status, answer = self._call(url, body, method)
        if status >= 300:
            raise Failed("management", f"the management API answered {status} to the canary: {answer}")
        return answer

    def _call(self, url: str, body: Any = None, method: str = "") -> tuple[int, Any]:
        try:
            return call(f"{self._management}{url}", self._key, body, method)
        except Unanswered as problem:
            raise Failed("management", f"the management API does not answer: {problem}") from problem

    def _late(self, served: Served, position: int) -> Failed:
        what = f"the change at position {position} was not served within {self._limit:g} s"
        if served.position < position:
            where = f"the evaluation API is at position {served.position}"
            return Failed("late", f"{what}: {where}. See whether a projector runs, and evaluators hear Redis")
        return Failed(
            "late",
            f"{what}: the evaluation API is past it, at {served.position}, and serves {served.value!r}. Run"
            " one canary for an installation, and leave its flag to it",
        )
