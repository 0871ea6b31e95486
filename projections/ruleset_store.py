"""The read model in Redis: documents by scope, and the position they stand at, written together.

Every key carries the hash tag `{togglemaster}`, so all of it is in one slot and one script call writes a
batch for any number of environments at once:

    {togglemaster}:live                         the generation that evaluators read
    {togglemaster}:generations                  a counter
    {togglemaster}:<generation>:state           hash: position
    {togglemaster}:<generation>:changes         stream: what each batch changed; ids are positions
    {togglemaster}:<generation>:documents:<scope>   hash: field -> JSON
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast

from redis import Redis

from projections.documents import ENVIRONMENTS, KEYS, Documents, Place, by_scope

TAG = "{togglemaster}"
LIVE = f"{TAG}:live"
CHANNEL = f"{TAG}:hint"
CHANGES_KEPT = 256  # an evaluator further behind than this reads everything anew
PAGE = 1_000  # documents in one reply when everything is read


class Moved(Exception):
    """The model is not at the position it was to be written from."""


@dataclass(frozen=True, slots=True)
class Change:
    """One batch: it takes the model from position `after` to `position`."""

    after: int
    position: int
    documents: Documents


class RulesetStore:
    """Raises redis.RedisError for anything Redis cannot do."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._write = redis.register_script(_script("write_batch.lua"))
        self._swap = redis.register_script(_script("swap_generation.lua"))

    def live(self) -> str | None:
        """The generation in use; None while there is none."""
        found = self._redis.get(LIVE)
        return cast("bytes", found).decode() if found else None

    def new_generation(self) -> str:
        return f"g{self._redis.incr(f'{TAG}:generations')}"

    def make_live(self, generation: str, *, instead_of: str | None) -> bool:
        """False when another generation became the live one in the meantime."""
        return bool(self._swap(keys=[LIVE], args=[instead_of or "", generation, CHANNEL]))

    def position(self, generation: str) -> int:
        found = self._redis.hget(_state(generation), "position")
        return int(cast("bytes", found) or 0)

    def write(
        self, generation: str, documents: Documents, *, after: int, to: int, announce: bool = True
    ) -> None:
        """Raises Moved, having written nothing, when the model is not at `after`."""
        scopes = by_scope(documents)
        keys = [_state(generation), _changes(generation), *(_documents(generation, s) for s in scopes)]
        change = _encode(after, to, documents) if announce else ""
        arguments: list[Any] = [after, to, change, CHANGES_KEPT, CHANNEL]
        for index, fields in enumerate(scopes.values(), start=1):
            for field, document in fields:
                arguments += (index, field, document or "")
        written, position = self._write(keys=keys, args=arguments)
        if not written:
            raise Moved(f"the model is at {position}, not {after}")

    def changes(self, generation: str, *, after: int) -> list[Change]:
        """What was written since, oldest first; may begin later than `after` where too much was."""
        entries = self._redis.xrange(_changes(generation), min=f"({after}-0")
        return [_decode(fields[b"change"]) for _, fields in cast("list[tuple[bytes, Any]]", entries)]

    def documents(self, generation: str) -> Iterator[tuple[Place, bytes]]:
        """Everything there is, a page at a time; what is written meanwhile may or may not be in it."""
        environments = dict(self._scope(generation, ENVIRONMENTS))
        for scope in (ENVIRONMENTS, KEYS, *environments):
            for field, document in self._scope(generation, scope):
                yield Place(scope, field), document

    def delete(self, generation: str) -> None:
        """Takes away a generation that is no longer live, without stopping Redis for it."""
        scopes = [field for field, _ in self._scope(generation, ENVIRONMENTS)]
        documents = [_documents(generation, scope) for scope in (*scopes, KEYS, ENVIRONMENTS)]
        self._redis.unlink(*documents, _changes(generation), _state(generation))

    def _scope(self, generation: str, scope: str) -> Iterator[tuple[str, bytes]]:
        pairs = self._redis.hscan_iter(_documents(generation, scope), count=PAGE)
        return (
            (field.decode(), document) for field, document in cast("Iterable[tuple[bytes, bytes]]", pairs)
        )


def _state(generation: str) -> str:
    return f"{TAG}:{generation}:state"


def _changes(generation: str) -> str:
    return f"{TAG}:{generation}:changes"


def _documents(generation: str, scope: str) -> str:
    return f"{TAG}:{generation}:documents:{scope}"


def _script(name: str) -> str:
    return resources.files("projections").joinpath(name).read_text(encoding="utf-8")


def _encode(after: int, to: int, documents: Mapping[Place, str | None]) -> str:
    changed = [[place.scope, place.field, document] for place, document in documents.items()]
    return json.dumps({"after": after, "position": to, "documents": changed})


def _decode(change: bytes) -> Change:
    data = json.loads(change)
    documents = {Place(scope, field): document for scope, field, document in data["documents"]}
    return Change(data["after"], data["position"], documents)
