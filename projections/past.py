"""A project as it was at one position of the log. The past does not change, so what was folded is kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Protocol, cast

from domain.aggregates import Folded, fold_all
from domain.envelope import Recorded, Stream, project_stream
from domain.errors import NotFound
from domain.project import Project, require_environment
from domain.ruleset import Ruleset
from projections.catalogue import Filter, facts_of, is_gone, place_of
from projections.documents import documents_of

KEPT = 8  # moments; one of 10,000 flags takes some 50 MB


class Log(Protocol):
    """What is needed of the event store."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...

    def load_kind(self, kind: str, project: str, *, until: int | None = None) -> list[Recorded]: ...


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
            self._rulesets[environment] = Ruleset().updated(self._documents(environment))
        return self._rulesets[environment]

    def _documents(self, environment: str) -> Iterator[tuple[tuple[str, str], str | None]]:
        for each in (*self.flags.values(), *self.segments.values()):
            for place, text in documents_of(each, [environment]).items():
                if text is not None:
                    kind, _, key = place.field.partition("/")
                    yield (kind, key), text


class Pasts:
    """Thread-safe; raises what the log raises."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept = lru_cache(KEPT)(self._folded)

    def of(self, project: str, position: int) -> Past:
        """Raises NotFound for a project that was not there yet."""
        return self._kept(project, position)

    def _folded(self, project: str, position: int) -> Past:
        found = fold_all(self._log.load(project_stream(project), until=position))
        if found is None:
            raise NotFound(f"there was no project '{project}' at position {position}")
        flags, segments = (self._all(kind, project, position) for kind in ("flag", "segment"))
        return Past(position, cast("Project", found.state), flags, segments)

    def _all(self, kind: str, project: str, position: int) -> dict[str, Folded]:
        log = self._log.load_kind(kind, project, until=position)
        streams = groupby(log, key=lambda recorded: recorded.stream)
        return {stream.key: folded for stream, events in streams if (folded := fold_all(events))}


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
