"""A first flag and the keys of a platform on a laptop, made through its own API."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from commands.original.views import SAMPLE_TAG
from deploy.told import Told

REQUEST_SECONDS = 5
POLL_SECONDS = 0.05
PROJECT, ENVIRONMENT, FLAG = "default", "development", "welcome-banner"

DEFINITION = {
    "key": FLAG,
    "type": "boolean",
    "variants": {"on": True, "off": False},
    "description": "A sample: on for everybody in Brazil, and for half of everybody else",
    "tags": [SAMPLE_TAG],
    "client_visible": True,
}
TARGETING = {
    "enabled": True,
    "off_variant": "off",
    "default": {"split": {"weights": {"on": 50_000, "off": 50_000}}},
    "rules": [
        {
            "id": "brazil",
            "name": "everybody in Brazil",
            "when": {"attribute": "country", "operator": "in", "values": ["BR"]},
            "serve": {"variant": "on"},
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Samples:
    """`evaluation_key` is a server key of project default, environment development."""

    management_url: str
    evaluation_url: str
    admin_key: str
    evaluation_key: str

    def curl(self) -> str:
        return (
            f"curl -s {self.evaluation_url}/ofrep/v1/evaluate/flags/{FLAG} \\\n"
            f"  -H 'Authorization: Bearer {self.evaluation_key}' -H 'Content-Type: application/json' \\\n"
            """  -d '{"context": {"targetingKey": "user-1", "country": "BR"}}'"""
        )


class Unanswered(Told):
    """A process did not answer, or not as it should."""


def call(url: str, key: str, body: Any = None, method: str = "") -> tuple[int, Any]:
    """Status and JSON of the answer. Raises Unanswered where there is none."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = Request(url, data, headers, method=method or ("GET" if data is None else "POST"))  # noqa: S310 - our own http:// address
    try:
        with urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 - as above
            return answer.status, json.load(answer)
    except HTTPError as refusal:
        return refusal.code, json.load(refusal)
    except (URLError, OSError, ValueError) as problem:
        raise Unanswered(f"{url}: {problem}") from problem


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Raises Unanswered, saying what was waited for, when it does not hold in time."""
    give_up, last = time.monotonic() + seconds, ""
    while time.monotonic() < give_up:
        try:
            if holds():
                return
        except Unanswered as problem:
            last = f" ({problem})"
        time.sleep(POLL_SECONDS)
    raise Unanswered(f"{what} did not happen within {seconds:.0f} seconds{last}")


def is_ready(url: str) -> bool:
    return call(f"{url}/health/ready", "")[0] == 200


def console_link(management: str, admin_key: str) -> str:
    """An address that signs a browser in to the console, once and soon."""
    status, answer = call(f"{management}/console/link", admin_key, {})
    done((status, answer), 200)
    return f"{management}{answer['path']}"


def make_samples(management: str, evaluation: str, admin_key: str, kept: Path, seconds: float) -> Samples:
    """Makes the sample flag and key, or finds those of an earlier run; `kept` remembers the key."""
    key = kept.read_text().strip() if kept.exists() else ""
    if not key or not _works(evaluation, key):
        _make_flag(management, admin_key)
        key = _make_key(management, admin_key)
        write_private(kept, key)
        wait_until(lambda: _works(evaluation, key), seconds, "the new key reaching the evaluation API")
    return Samples(management, evaluation, admin_key, key)


def _works(evaluation: str, key: str) -> bool:
    """Asks with what is no question: that tells about the key, and is not counted as an evaluation."""
    return call(f"{evaluation}/ofrep/v1/evaluate/flags/{FLAG}", key, [])[0] not in {401, 503}


def _make_flag(management: str, admin_key: str) -> None:
    flags = f"{management}/api/v1/projects/{PROJECT}/flags"
    if done(call(flags, admin_key, DEFINITION), 201, 409) == 201:
        done(call(f"{flags}/{FLAG}/environments/{ENVIRONMENT}", admin_key, TARGETING, "PUT"), 200)


def _make_key(management: str, admin_key: str) -> str:
    url = f"{management}/api/v1/projects/{PROJECT}/environments/{ENVIRONMENT}/keys"
    status, answer = call(url, admin_key, {"name": "made by togglemaster dev", "kind": "server"})
    done((status, answer), 201)
    return str(answer["key"])


def done(answer: tuple[int, Any], *wanted: int) -> int:
    """The status, which has to be one of those wanted. Raises Unanswered."""
    if answer[0] not in wanted:
        raise Unanswered(f"the management API answered {answer[0]}: {answer[1]}")
    return answer[0]


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for this user's eyes only."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
