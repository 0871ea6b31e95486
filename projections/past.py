"""A project as it was at one position of the log. The past does not change, so what was folded is kept."""

import logging
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, TypeVar, cast

from commands.log_reading import Row, recorded, said_of
from domain.aggregates import Folded, fold_all
from domain.collector import collector_held_back
from domain.envelope import Recorded, Stream, project_stream
from domain.errors import NotFound
from domain.project import Project, require_environment
from domain.ruleset import DocumentName, Ruleset
from projections.catalogue import Filter, facts_of, is_gone, place_of
from projections.documents import documents_of
from projections.fold_snapshots import EVERY, NONE, FoldSnapshots, Snapshot, folded_from
from projections.snapshotting import Log as Snapshotted
from projections.snapshotting import lacking

KEPT = 8  # moments; one of 10,000 flags takes some 50 MB

log = logging.getLogger(__name__)


class Log(Snapshotted, Protocol):
    """What is needed of the event store."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...


@dataclass(frozen=True)
class Past:
    """What there was, archived things included; by key."""

    position: int
    project: Project
    flags: Mapping[str, Folded]
    segments: Mapping[str, Folded]
    _rulesets: dict[str, Ruleset] = field(default_factory=dict)

    def ruleset(self, environment: str) -> Ruleset:
        """What evaluators served there. Raises NotFound for an environment that was not there yet."""
        require_environment(self.project, environment)
        if environment not in self._rulesets:
            flags = Compiled(self.flags, environment, lambda one: one.flags)
            segments = Compiled(self.segments, environment, lambda one: one.segments)
            self._rulesets[environment] = Ruleset(flags, segments)
        return self._rulesets[environment]

    def with_drafts(self, drafts: Iterable[Folded]) -> "Past":
        """As it would be with these flags and segments in place of its own."""
        flags, segments = dict[str, Folded](), dict[str, Folded]()
        for each in drafts:
            if each.stream.kind in {"flag", "segment"}:
                (flags if each.stream.kind == "flag" else segments)[each.stream.key] = each
        return Past(self.position, self.project, _over(flags, self.flags), _over(segments, self.segments))


def _over(drafts: dict[str, Folded], own: Mapping[str, Folded]) -> Mapping[str, Folded]:
    return ChainMap(drafts, cast("dict[str, Folded]", own))  # which is only read


T = TypeVar("T")


class Compiled(Mapping[str, T]):
    """What is not archived of one kind, by key, each compiled when it is first asked for."""

    def __init__(
        self, folded: Mapping[str, Folded], environment: str, of: Callable[[Ruleset], Mapping[str, T]]
    ) -> None:
        self._folded, self._environment, self._of = folded, environment, of
        self._compiled: dict[str, Mapping[str, T]] = {}

    def __getitem__(self, key: str) -> T:
        if key not in self._compiled:
            self._compiled[key] = self._of(Ruleset().updated(self._documents(self._folded[key])))
        return self._compiled[key][key]

    def _documents(self, folded: Folded) -> Iterator[tuple[DocumentName, str | None]]:
        for place, text in documents_of(folded, [self._environment]).items():
            kind, _, key = place.field.partition("/")
            yield (kind, key), text

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._folded if not is_gone(self._folded[key].state))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Things(Mapping[str, Folded]):
    """Those of one kind, by key, each folded when it is first asked for, which raises what the log raises."""

    def __init__(self, keys: Iterable[str], fold: Callable[[str], Folded]) -> None:
        self._folded: dict[str, Folded | None] = dict.fromkeys(sorted(keys))
        self._fold = fold

    def __getitem__(self, key: str) -> Folded:
        found = self._folded[key]
        if found is None:
            found = self._folded[key] = self._fold(key)
        return found

    def values(self) -> ValuesView[Folded]:
        with collector_held_back():
            for key in self:
                self.__getitem__(key)
        return super().values()

    def __contains__(self, key: object) -> bool:
        return key in self._folded

    def __iter__(self) -> Iterator[str]:
        return iter(self._folded)

    def __len__(self) -> int:
        return len(self._folded)


@dataclass(frozen=True)
class _Then:
    """A snapshot, and by stream what happened after it."""

    log: Log
    snapshot: Snapshot
    rows: Mapping[str, list[Row]]

    def things(self, kind: str) -> Things:
        found = [Stream.parse(each) for each in self.snapshot.lines.keys() | self.rows.keys()]
        streams = {stream.key: stream for stream in found if stream.kind == kind}
        return Things(streams, lambda key: cast("Folded", self.folded(streams[key])))

    def folded(self, stream: Stream) -> Folded | None:
        return fold_all(map(recorded, self.rows.get(str(stream), ())), self._before(stream))

    def _before(self, stream: Stream) -> Folded | None:
        line = self.snapshot.lines.get(str(stream))
        if line is None:
            return None
        try:
            return folded_from(str(stream), line)
        except ValueError as problem:
            until = self.snapshot.position
            log.warning("%s: its snapshot at %s is not used: %s", stream, until, said_of(problem))
            return fold_all(self.log.load(stream, until=until))


class Pasts:
    """Thread-safe; raises what the log raises."""

    def __init__(self, log: Log, snapshots: FoldSnapshots | None = None) -> None:
        """Without snapshots, every past is folded from the whole log."""
        self._log, self._snapshots = log, snapshots
        self._every = snapshots.every if snapshots else EVERY
        self._kept = lru_cache(KEPT)(self._folded)

    def of(self, project: str, position: int) -> Past:
        """Raises NotFound for a project that was not there yet."""
        return self._kept(project, position)

    def close(self) -> None:
        if self._snapshots:
            self._snapshots.close()

    def _folded(self, project: str, position: int) -> Past:
        then = self._then(project, position)
        found = then.folded(project_stream(project))
        if found is None:
            raise NotFound(f"there was no project '{project}' at position {position}")
        return Past(position, cast("Project", found.state), then.things("flag"), then.things("segment"))

    def _then(self, project: str, position: int) -> _Then:
        snapshot = self._snapshots.newest(project, position) if self._snapshots else NONE
        for nobody_made in lacking(self._log, project, snapshot, position, self._every):
            snapshot = nobody_made
        rows: dict[str, list[Row]] = {}
        for page in self._log.of_project(project, after=snapshot.position, until=position):
            for row in page:
                rows.setdefault(row.stream, []).append(row)
        return _Then(self._log, snapshot, rows)


def page_of(
    found: Mapping[str, Folded], only: Filter, *, after: str, limit: int, order: str
) -> tuple[list[Folded], str | None]:
    """As `Catalogue.page` answers it, of what is given."""
    down, by_key = order.startswith("-"), order.removeprefix("-") == "key"

    def place(folded: Folded) -> str | int:
        return place_of(folded, order) if by_key else int(place_of(folded, order))

    wanted = sorted((each for each in found.values() if _passes(each, only)), key=place, reverse=down)
    if after:
        start: str | int = after if by_key else int(after)
        wanted = [each for each in wanted if (place(each) < start if down else place(each) > start)]  # type: ignore[operator]
    page = wanted[:limit]
    return page, place_of(page[-1], order) if len(wanted) > limit else None


def _passes(folded: Folded, only: Filter) -> bool:
    facts = facts_of(folded.state)
    return (
        is_gone(folded.state) == only.archived
        and (only.of_kinds is None or facts["of_kind"] in only.of_kinds)
        and only.owner in {"", facts["owner"]}
        and (not only.tag or only.tag in facts["tags"])
        and only.search.lower() in facts["words"]
    )
