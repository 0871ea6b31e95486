"""Which environment a request may be answered from."""

from collections.abc import Mapping
from math import inf

from api.evaluation.bulk import Plan, may_see
from api.evaluation.rate_limit import Meter
from api.evaluation.refusal import Refusal
from domain.access import digest, is_well_formed
from domain.evaluation import CompiledFlag
from domain.recording import AS_INSTALLED
from domain.ruleset import Ruleset
from projections.documents import KeyDocument, scope_of
from projections.snapshot import Snapshot
from workers.original_messages import ENVIRONMENT, PROJECT

RETRY_AFTER = {"Retry-After": "1"}
AUTHENTICATE = {"WWW-Authenticate": "Bearer"}
ANYBODY = KeyDocument(id="", kind="server", project=PROJECT, environment=ENVIRONMENT)


class Caller:
    """A key, and the ruleset of its environment, both from one snapshot."""

    __slots__ = (
        *("digest", "digits", "flags", "key", "meter", "noted_at"),
        *("position", "recording", "ruleset", "scope", "until"),
    )

    def __init__(self, snapshot: Snapshot, key: KeyDocument, sha: str, meter: Meter) -> None:
        self.key = key
        self.digest = sha
        self.scope = scope_of(key.project, key.environment)
        self.until = inf if key.expires_at is None else key.expires_at
        self.ruleset = snapshot.environments.get(self.scope, Ruleset())
        self.flags = self.ruleset.flags
        self.recording = snapshot.recordings.get(self.scope, AS_INSTALLED)
        self.position = snapshot.position
        self.digits = b"%d" % snapshot.position
        self.meter = meter
        self.noted_at = 0.0

    def flag(self, name: str) -> CompiledFlag | None:
        """None for one that does not exist for this key."""
        found = self.flags.get(name)
        return found if found is not None and may_see(self.key, found) else None


class Callers:
    """Who has asked since the snapshot came, and what was prepared for them. For one thread."""

    def __init__(self, requests_per_second: float = 0) -> None:
        self._requests_per_second = requests_per_second
        self._snapshot: Snapshot | None = None
        self._callers: dict[str, Caller] = {}
        self._meters: dict[str, Meter] = {}
        self._plans: dict[tuple[str, str], Plan] = {}
        self._anybody: tuple[Snapshot, Caller] | None = None

    def anybody(self, snapshot: Snapshot) -> Caller:
        """Who asks without a key and without a limit, of the original system's flags."""
        if self._anybody is None or self._anybody[0] is not snapshot:
            self._anybody = snapshot, Caller(snapshot, ANYBODY, "", Meter(0))
        return self._anybody[1]

    def find(self, snapshot: Snapshot, presented: str, now: float) -> Caller:
        """Raises Refusal for a key that is not in force at that time, in seconds since 1970."""
        if snapshot is not self._snapshot:
            self._snapshot, self._callers = snapshot, {}
        found = self._callers.get(presented)
        if found is None:
            found = self._callers[presented] = self._caller(snapshot, presented)
        if found.until <= now:
            raise _not_in_force()
        return found

    def plan(self, who: Caller) -> Plan:
        """Kept as long as the environment is what it was, which outlasts changes to others."""
        found = self._plans.get((who.scope, who.key.kind))
        if found is None or found.ruleset is not who.ruleset:
            found = self._plans[who.scope, who.key.kind] = Plan(who.ruleset, who.key)
        return found

    def _caller(self, snapshot: Snapshot, presented: str) -> Caller:
        """What cannot be a key is refused without a look-up."""
        if not snapshot.generation:
            details = "this evaluator has not read the flags yet; try again shortly"
            raise Refusal(503, "GENERAL", details, RETRY_AFTER)
        if not presented:
            details = "send an evaluation key as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
            raise Refusal(401, "GENERAL", details, AUTHENTICATE)
        if not is_well_formed(presented) or (key := snapshot.keys.get(sha := digest(presented))) is None:
            raise _not_in_force()
        meter = self._meters.setdefault(key.id, Meter(self._requests_per_second))
        return Caller(snapshot, key, sha, meter)


def presented_key(headers: Mapping[str, str]) -> str:
    """From `X-API-Key` or `Authorization: Bearer`; empty where there is neither."""
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ").strip()


def _not_in_force() -> Refusal:
    return Refusal(401, "GENERAL", "this is not an evaluation key that is in force", AUTHENTICATE)
