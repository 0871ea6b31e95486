"""Which environment a request may be answered from."""

from dataclasses import dataclass

from fastapi import Request

from domain.access import digest, is_well_formed
from domain.ruleset import Ruleset
from projections.documents import KeyDocument, scope_of
from projections.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Caller:
    """A key that is in force, and the ruleset of its environment, both from one snapshot."""

    key: KeyDocument
    ruleset: Ruleset
    position: int

    def may_see(self, flag: str) -> bool:
        found = self.ruleset.flags.get(flag)
        return self.key.kind != "client" or (found is not None and found.client_visible)

    def visible_flags(self) -> list[str]:
        return [key for key in self.ruleset.flags if self.may_see(key)]


def presented_key(request: Request) -> str:
    """From `X-API-Key` or `Authorization: Bearer`; empty where there is neither."""
    headers = request.headers
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ").strip()


def caller(snapshot: Snapshot, presented: str, now: float) -> Caller | None:
    """None for a key that is not in force at that time, in seconds since 1970. A key that cannot be one is
    refused without a look-up."""
    if not is_well_formed(presented):
        return None
    key = snapshot.keys.get(digest(presented))
    if key is None or (key.expires_at is not None and key.expires_at <= now):
        return None
    ruleset = snapshot.environments.get(scope_of(key.project, key.environment), Ruleset())
    return Caller(key, ruleset, snapshot.position)
