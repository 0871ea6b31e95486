"""The read model in Redis: documents by scope, and the position they stand at, written together.

Every key carries the hash tag `{togglemaster}`, so all of it is in one slot and one script call writes a
batch for any number of environments at once:

    {togglemaster}:live                         the generation that evaluators read
    {togglemaster}:previous                     the one kept for going back, written with the live one
    {togglemaster}:epoch                        the number of the newest projector; older ones may not write
    {togglemaster}:confirmed                    when the live one was last known to be at the head of the log
    {togglemaster}:projector, :rebuild          leases (hashes: holder, beat, number)
    {togglemaster}:generations                  a counter
    {togglemaster}:<generation>:state           hash: position
    {togglemaster}:<generation>:frozen          hash: stream -> the first event not in it, and why
    {togglemaster}:<generation>:changes         stream: what each batch changed; ids are positions
    {togglemaster}:<generation>:documents:<scope>   hash: field -> JSON

A batch is what the log makes of the model from one position to another, so the compare-and-set on the
position alone keeps any number of projectors with the same code and the same log right. The epoch keeps out
what that does not: a projector that was stopped and replaced, and comes back with a batch of a log that has
since been restored to something else, or made by older code. It cannot keep out old code that takes the lease
anew; and after Redis has lost its tail two may have the same epoch, and there is only the compare-and-set.
An old idea of which generation is live is refused by comparing the pointers, in the same call.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from redis import Redis

from projections.documents import ENVIRONMENTS, KEYS, Documents, Place, by_scope
from projections.frozen import Frozen
from projections.lease import Lease
from projections.scripts import script

TAG = "{togglemaster}"
LIVE = f"{TAG}:live"
PREVIOUS = f"{TAG}:previous"
EPOCH = f"{TAG}:epoch"
CONFIRMED = f"{TAG}:confirmed"
PROJECTOR = f"{TAG}:projector"
REBUILD = f"{TAG}:rebuild"
GENERATIONS = f"{TAG}:generations"
CHANNEL = f"{TAG}:hint"
CHANGES_KEPT = 256  # an evaluator further behind than this reads everything anew
PAGE = 1_000  # documents in one reply when everything is read
FILLED_AT_ONCE = 200  # documents in one call of a rebuild; well under a millisecond of Redis' time
PROJECTOR_LAPSE_SECONDS = 0.8  # four beats; with one more look a dead projector is replaced within a second
REBUILD_LAPSE_SECONDS = 3.0  # a rebuild that is taken for dead by mistake is lost work


Pointers = tuple[str | None, str | None]
"""The live generation, and the one that is kept for going back."""


class Moved(Exception):
    """The model is not at the position it was to be written from."""


@dataclass(frozen=True, slots=True)
class Change:
    """One batch: it takes the model from position `after` to `position`."""

    after: int
    position: int
    documents: Documents


@dataclass(frozen=True, slots=True)
class Look:
    """The live generation, and of the one that was asked about its position and what was written since."""

    live: str | None
    position: int
    entries: Sequence[Any]

    def changes(self) -> list[Change]:
        """Raises ValueError, LookupError or TypeError for what is no change."""
        return [_decode(fields[b"change"]) for _, fields in self.entries]


class Fenced(Moved):
    """A newer projector has taken over."""


class Apart(Exception):
    """Two generations that are to be kept in step are not."""


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds the lease of the projector, and of a rebuild; empty for nobody."""

    projector: str
    rebuild: str
    epoch: int


class RulesetStore:
    """Raises redis.RedisError for anything Redis cannot do."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._write = redis.register_script(script("write_batch.lua"))
        self._swap = redis.register_script(script("swap_generation.lua"))
        self._delete = redis.register_script(script("delete_generation.lua"))
        self._fill = redis.register_script(script("fill_generation.lua"))

    def live(self) -> str | None:
        """The generation in use; None while there is none."""
        return self.pointers()[0]

    def previous(self) -> str | None:
        """The generation that is kept in step with the live one, to go back to."""
        return self.pointers()[1]

    def projector_lease(self) -> Lease:
        """Its number is the epoch to write with."""
        return Lease(self.redis, PROJECTOR, EPOCH, PROJECTOR_LAPSE_SECONDS)

    def rebuild_lease(self) -> Lease:
        """Its number names the generation to fill."""
        return Lease(self.redis, REBUILD, GENERATIONS, REBUILD_LAPSE_SECONDS)

    def holders(self) -> Holders:
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(PROJECTOR, "holder")
            pipeline.hget(REBUILD, "holder")
            pipeline.get(EPOCH)
            projector, rebuild, epoch = pipeline.execute()
        return Holders((projector or b"").decode(), (rebuild or b"").decode(), int(epoch or 0))

    def new_generation(self) -> str:
        return f"g{self.redis.incr(GENERATIONS)}"

    def make_live(
        self, generation: str, *, instead_of: str | None, rebuild: str = "", keep: bool = False
    ) -> bool:
        """False, and nothing changed, when another generation is live, or `rebuild` lost its lease, by now.

        With `keep` the old generation is kept for going back. The two are written together from then on, so
        this raises Apart unless they are at the same position.
        """
        keys = [LIVE, PREVIOUS, REBUILD, state_key(generation), state_key(instead_of or ""), CONFIRMED]
        arguments = [instead_of or "", generation, rebuild, "1" if keep else "0", CHANNEL]
        answer = cast("bytes", self._swap(keys=keys, args=arguments))
        if answer == b"apart":
            raise Apart(f"generations {instead_of} and {generation} are not at the same position")
        return answer == b"swapped"

    def position(self, generation: str) -> int:
        found = self.redis.hget(state_key(generation), "position")
        return int(cast("bytes", found) or 0)

    def frozen(self, generation: str) -> dict[str, Frozen]:
        """By stream."""
        found = cast("dict[bytes, bytes]", self.redis.hgetall(_frozen(generation)))
        return {stream.decode(): Frozen.from_json(text) for stream, text in found.items()}

    def write(
        self,
        generation: str,
        documents: Documents,
        *,
        after: int,
        to: int,
        announce: bool = True,
        frozen: Mapping[str, Frozen | None] | None = None,
        epoch: int = 0,
        pointers: Pointers | None = None,
    ) -> None:
        """To the generation kept beside this one too. `epoch` 0 is not fenced; `pointers` are as they were
        when it was decided what to write, or else as they are now.

        Raises Moved, having written nothing, when the model is not at `after`, or its pointers are others by
        then; Fenced for an old epoch.
        """
        live, previous = pointers or self.pointers()
        kept = previous if previous and generation == live else None
        scopes, told = by_scope(documents), frozen or {}
        keys = [LIVE, PREVIOUS, EPOCH, _changes(generation)]
        for each in filter(None, (generation, kept)):
            keys += [state_key(each), _frozen(each), *(_documents(each, scope) for scope in scopes)]
        arguments: list[Any] = [generation, live or "", previous or "", epoch or "", after, to]
        arguments += [_encode(after, to, documents) if announce else "", CHANGES_KEPT, CHANNEL]
        arguments += [len(scopes), len(told)]
        for stream, problem in told.items():
            arguments += (stream, problem.to_json() if problem else "")
        for index, fields in enumerate(scopes.values(), start=1):
            for field, document in fields:
                arguments += (index, field, document or "")
        what, found = cast("tuple[bytes, int]", self._write(keys=keys, args=arguments))
        if what == b"fenced":
            raise Fenced(f"a projector with epoch {found} has taken over from epoch {epoch}")
        if what == b"moved":
            raise Moved(f"the model is at {found}, not {after}, or its generations are others by now")

    def fill(self, generation: str, documents: Documents, rebuild: str) -> bool:
        """Whether it was all written; not when `rebuild` does not hold the lease of rebuilds any more."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for scope, fields in by_scope(documents).items():
                pairs = iter([(field, document) for field, document in fields if document is not None])
                while some := list(islice(pairs, FILLED_AT_ONCE)):
                    arguments = [rebuild, *(each for pair in some for each in pair)]
                    self._fill(keys=[REBUILD, _documents(generation, scope)], args=arguments, client=pipeline)
            return all(pipeline.execute())

    def fetch(self, generation: str, places: Sequence[Place]) -> list[bytes | None]:
        """The documents there, in the same order."""
        fields: dict[str, list[int]] = {}
        for index, place in enumerate(places):
            fields.setdefault(place.scope, []).append(index)
        found: list[bytes | None] = [None] * len(places)
        with self.redis.pipeline(transaction=False) as pipeline:
            for scope, indexes in fields.items():
                pipeline.hmget(_documents(generation, scope), [places[index].field for index in indexes])
            for indexes, documents in zip(fields.values(), pipeline.execute(), strict=True):
                for index, document in zip(indexes, documents, strict=True):
                    found[index] = document
        return found

    def sizes(self, generation: str) -> dict[str, int]:
        """How many documents there are in each scope that evaluators read."""
        scopes = [ENVIRONMENTS, KEYS, *(field for field, _ in self._scope(generation, ENVIRONMENTS))]
        with self.redis.pipeline(transaction=False) as pipeline:
            for scope in scopes:
                pipeline.hlen(_documents(generation, scope))
            return dict(zip(scopes, pipeline.execute(), strict=True))

    def fields(self, generation: str, scope: str) -> Iterator[str]:
        return (field for field, _ in self._scope(generation, scope))

    def look(self, generation: str, *, after: int) -> Look:
        """All that an evaluator at `after` has to know, in one round trip; each part is as old as the one
        before it, or newer."""
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.get(LIVE)
            pipeline.hget(state_key(generation), "position")
            pipeline.xrange(_changes(generation), min=f"({after}-0")
            live, position, entries = pipeline.execute()
        return Look(live.decode() if live else None, int(position or 0), entries)

    def changes(self, generation: str, *, after: int) -> list[Change]:
        """What was written since, oldest first; may begin later than `after` where too much was."""
        return self.look(generation, after=after).changes()

    def documents(self, generation: str) -> Iterator[tuple[Place, bytes]]:
        """Everything there is, a page at a time; what is written meanwhile may or may not be in it."""
        environments = dict(self._scope(generation, ENVIRONMENTS))
        for scope in (ENVIRONMENTS, KEYS, *environments):
            for field, document in self._scope(generation, scope):
                yield Place(scope, field), document

    def generations(self) -> set[str]:
        """Every one that has left anything in Redis."""
        names = (name.decode().split(":") for name in self._keys(f"{TAG}:g*:*"))
        return {parts[1] for parts in names if parts[1][1:].isdecimal()}

    def delete(self, generation: str, rebuild: str) -> None:
        """Nothing happens when `rebuild` does not hold the lease of rebuilds any more."""
        names = iter(set(self._keys(f"{TAG}:{generation}:*")))
        while some := list(islice(names, PAGE)):
            self._delete(keys=[REBUILD, *some], args=[rebuild])

    def _keys(self, pattern: str) -> Iterator[bytes]:
        return cast("Iterator[bytes]", self.redis.scan_iter(match=pattern, count=PAGE))

    def pointers(self) -> Pointers:
        live, previous = cast("list[bytes | None]", self.redis.mget(LIVE, PREVIOUS))
        return live.decode() if live else None, previous.decode() if previous else None

    def _scope(self, generation: str, scope: str) -> Iterator[tuple[str, bytes]]:
        pairs = self.redis.hscan_iter(_documents(generation, scope), count=PAGE)
        return (
            (field.decode(), document) for field, document in cast("Iterable[tuple[bytes, bytes]]", pairs)
        )


def state_key(generation: str) -> str:
    return f"{TAG}:{generation}:state"


def _frozen(generation: str) -> str:
    return f"{TAG}:{generation}:frozen"


def _changes(generation: str) -> str:
    return f"{TAG}:{generation}:changes"


def _documents(generation: str, scope: str) -> str:
    return f"{TAG}:{generation}:documents:{scope}"


def _encode(after: int, to: int, documents: Mapping[Place, str | None]) -> str:
    changed = [[place.scope, place.field, document] for place, document in documents.items()]
    return json.dumps({"after": after, "position": to, "documents": changed})


def _decode(change: bytes) -> Change:
    data = json.loads(change)
    documents = {Place(scope, field): document for scope, field, document in data["documents"]}
    return Change(data["after"], data["position"], documents)
