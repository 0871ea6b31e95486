"""The ruleset made anew from the log beside the live one, checked, and swapped in; and the way back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count, groupby
from time import sleep

from redis import RedisError

from commands.event_store import EventStore
from commands.log_reading import Row, each, stream_named
from domain.collector import collector_held_back
from domain.envelope import Stream
from projections.documents import Documents
from projections.folds import WITHOUT_DOCUMENTS, environments_of, settle_whole
from projections.frozen import Frozen
from projections.lease import BEAT_SECONDS, Beating, Lease
from projections.projector import Projector, RulesetView
from projections.ruleset_store import Apart, RulesetStore
from projections.settling import fold_good, settle
from projections.verification import (
    Drift,
    Status,
    compare,
    compare_some,
    expected_documents,
    status_of,
    touched_documents,
    verify,
)

__all__ = ["Drift", "Status", "expected_documents", "status_of", "verify"]  # beside what is made here

WRITTEN_AT_ONCE = 2_000  # documents that wait in memory
TRIES_TO_KEEP = 10  # to swap with both generations at one position; one is enough unless commands never pause
WORTH_KEEPING = 10_000  # positions that a live model may be behind and still be brought up to be kept

Progress = Callable[[str, int, int], None]
"""Called with `filling` or `checking`, the number of events done, and of all."""


class NotRebuilt(Exception):
    """The live ruleset is as it was; the text says why."""


class AnotherRebuild(NotRebuilt):
    """Another one is at work, or has made its generation the live one."""


class Poisoned(NotRebuilt):
    """The log has events that cannot be projected; `frozen` names them by stream."""

    def __init__(self, frozen: Mapping[str, Frozen]) -> None:
        self.frozen = frozen
        listed = "; ".join(f"{stream} at {problem}" for stream, problem in frozen.items())
        super().__init__(f"events cannot be projected: {listed}")


class Unverified(NotRebuilt):
    """What was made is not what the log says."""

    def __init__(self, drifts: Sequence[Drift]) -> None:
        self.drifts = drifts
        super().__init__(
            f"{len(drifts)} documents of the new ruleset are not what the log says, first"
            f" {drifts[0].place.field} in {drifts[0].place.scope}, which {drifts[0].difference}"
        )


def rebuild(
    log: EventStore,
    store: RulesetStore,
    progress: Progress = lambda stage, done, total: None,
    *,
    tolerant: bool = False,
) -> str:
    """The new generation, which is live now.

    Until then the live one serves and is kept up to date. Raises NotRebuilt; a tolerant rebuild puts up with
    events that cannot be projected, where a model with some frozen is better than none.
    """
    lease = store.rebuild_lease()
    _take(lease)
    with Beating(lease), collector_held_back():
        making = _Making(log, store, lease, progress, tolerant)
        try:
            making.fill()
            making.swap_in()
        except BaseException:
            making.give_up()
            raise
        making.clean()
    return making.generation


def go_back(store: RulesetStore) -> str:
    """Makes the generation that was kept the live one; the one that was live is kept instead."""
    live, previous = store.live(), store.previous()
    if live is None or previous is None:
        raise NotRebuilt(
            "there is no generation to go back to: one is kept by each rebuild, until the next or until it"
            " falls out of step"
        )
    try:
        swapped = store.make_live(previous, instead_of=live, keep=True)
    except Apart as problem:
        raise NotRebuilt(f"{problem}, so there is no going back") from problem
    if not swapped:
        raise AnotherRebuild("a rebuild finished just now; look at `togglemaster projections status` first")
    return previous


def can_thaw(log: EventStore, store: RulesetStore) -> bool:
    """Whether anything that is frozen in the live model could be projected by this version."""
    if (generation := store.live()) is None:
        return False
    until = store.position(generation)
    return any(_frozen(log, stream_named(stream), until) is None for stream in store.frozen(generation))


def _frozen(log: EventStore, stream: Stream, until: int) -> Frozen | None:
    return settle_whole(log.load_each(stream, until=until), ["any environment"]).frozen


def _take(lease: Lease) -> None:
    """A rebuild that was killed shows no beat, which takes a moment to tell."""
    first = ""
    while not lease.hold():
        first = first or lease.seen
        if lease.seen != first:
            raise AnotherRebuild(f"another rebuild is at work, {first.split()[0]}; this one changed nothing")
        sleep(BEAT_SECONDS)


class _Making:
    def __init__(
        self, log: EventStore, store: RulesetStore, lease: Lease, progress: Progress, tolerant: bool
    ) -> None:
        self._log, self._store, self._progress, self._tolerant = log, store, progress, tolerant
        self._holder, self.generation = lease.holder, f"g{lease.number}"
        self._before = store.live()
        self.clean()

    def fill(self) -> None:
        """All of the log as it is now, and compares what then is in Redis with the log."""
        until = self._log.head()
        frozen = self._write_all(until)
        self._refuse(frozen)
        self._store.write(self.generation, {}, after=0, to=until, announce=False, frozen=frozen)
        counted = partial(self._progress, "checking")
        drifts = compare(self._log, self._store, self.generation, until, counted)
        if drifts:
            raise Unverified(drifts)
        self._checked = until

    def swap_in(self) -> None:
        """Catches up, checks what that has changed, and swaps if the two are then at the same position.

        They have to be, as both are written together from then on. Checking everything again after each
        catching up would never end while commands come in; what events have changed is little, and is
        compared with a fold of its own of the whole streams that they belong to.
        """
        own = Projector(self._log, RulesetView(self._store, self.generation))
        for attempt in count():
            keep = self._bring_together(own)
            if attempt >= TRIES_TO_KEEP:  # commands come faster than two can be brought together
                own.catch_up()
                keep = False
            self._check_since()
            self._refuse(self._store.frozen(self.generation))
            try:
                swapped = self._store.make_live(
                    self.generation, instead_of=self._before, rebuild=self._holder, keep=keep
                )
            except Apart:
                continue
            if not swapped:
                raise AnotherRebuild("another ruleset was made live, or Redis lost its data, meanwhile")
            return

    def clean(self) -> None:
        """What is not live, kept or ours was left by a rebuild that ended early, or has had its day."""
        kept = {self.generation, self._store.live(), self._store.previous()}
        for generation in self._store.generations() - kept:
            self._store.delete(generation, self._holder)

    def give_up(self) -> None:
        """What cannot be deleted now is by the next rebuild."""
        with suppress(RedisError):
            if self._store.live() != self.generation:
                self._store.delete(self.generation, self._holder)

    def _write_all(self, until: int) -> dict[str, Frozen]:
        total, _ = self._log.count(until=until, without=WITHOUT_DOCUMENTS)
        environments = self._environments(until)
        frozen: dict[str, Frozen] = {}
        waiting: Documents = {}
        for name, rows in groupby(self._rows(until, total), key=lambda row: row.stream):
            stream = stream_named(name)
            whole = partial(self._log.load_each, stream, until=until)
            settled = settle(map(each, rows), environments.get(stream.project, ()), whole)
            waiting |= settled.documents
            if settled.frozen:
                frozen[name] = settled.frozen
            if len(waiting) >= WRITTEN_AT_ONCE:
                self._write(waiting)
                waiting = {}
        self._write(waiting)
        return frozen

    def _rows(self, until: int, total: int) -> Iterator[Row]:
        done = 0
        for page in self._log.by_stream(until=until, without=WITHOUT_DOCUMENTS):
            yield from page
            done += len(page)
            self._progress("filling", done, total)

    def _environments(self, until: int) -> dict[str, Sequence[str]]:
        log = self._log.load_kind_each("project", until=until)
        return {
            stream.project: environments_of(fold_good(records, None)[0])
            for stream, records in groupby(log, key=lambda each: each.stream)
        }

    def _write(self, documents: Documents) -> None:
        if not self._store.fill(self.generation, documents, self._holder):
            raise AnotherRebuild("another rebuild has taken over, or Redis lost its data, meanwhile")

    def _refuse(self, frozen: Mapping[str, Frozen]) -> None:
        if frozen and not self._tolerant:
            raise Poisoned(frozen)

    def _bring_together(self, own: Projector) -> bool:
        """Whether the old generation can be kept; then it is at the same position, or was a moment ago."""
        live = self._store.position(self._before) if self._before else 0
        head, reached = self._log.head(), self._store.position(self.generation)  # read later: never behind it
        if self._before is None or live > head or live < reached - WORTH_KEEPING:
            own.catch_up()
            return False
        if live < reached:
            Projector(self._log, RulesetView(self._store)).catch_up(reached)
        else:
            own.catch_up(live)
        return True

    def _check_since(self) -> None:
        reached = self._store.position(self.generation)
        changed = touched_documents(self._log, after=self._checked, until=reached)
        if drifts := list(compare_some(self._store, self.generation, changed)):
            raise Unverified(drifts)
        self._checked = reached
