"""Routes of the history: who changed what, when and why."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel
from pydantic_core import to_jsonable_python

from api.http import StrictRoute
from api.management.context import PAGE_LIMIT, NoNul, Parts, Read, Reader, wait_for
from api.management.languages import WordingOf
from domain.aggregates import EVOLVE
from domain.differences import Difference, What, differences
from domain.envelope import Stamp, Stream, flag_stream, segment_stream
from domain.errors import NotFound
from domain.sentences import happening, sentences
from domain.values import FlagKey, Slug
from domain.wording import Wording
from projections.audit_trail import Entry, Wanted, entry_of
from projections.influences import Influences

router = APIRouter(prefix="/projects/{project}", tags=["history"], route_class=StrictRoute)

TOLD = ("project", "flag", "segment")
"""Of what there are differences."""

Kind = Literal["project", "flag", "segment", "key", "webhook", "change", "plan"]


class DifferenceShape(BaseModel):
    """One thing that differs: what it was and what it is; null where it was not, or is not, there.

    `environment` is empty where it is about all of them; `name` is the variant's, the detail's or the rule's.
    """

    what: What
    environment: str
    name: str
    before: Any
    after: Any


class HistoryEntry(BaseModel):
    """One event. `version` counts the changes of the one thing; `data` is what the event says.

    `sentences` say in plain words what it made different, as `differences` do for machines, which keys,
    webhooks, changes and plans have none of; both are empty in the history of a whole project, unless they
    were asked for.
    """

    position: int
    kind: str
    key: str
    version: int
    event: str
    by: str
    at: datetime
    reason: str
    request_id: str
    data: dict[str, Any]
    sentences: list[str] = []
    differences: list[DifferenceShape] = []


class History(BaseModel):
    """The newest first. `next` is what to give as `before` for older ones; null at the beginning."""

    entries: list[HistoryEntry]
    next: int | None
    position: int


class Narrowed(BaseModel):
    environment: str
    actor: str
    start: datetime | None
    end: datetime | None
    before: int | None
    limit: int
    min_position: int

    def takes(self, stamp: Stamp) -> bool:
        """By author and time."""
        return (
            self.actor in {"", stamp.by}
            and (self.start is None or stamp.at >= self.start)
            and (self.end is None or stamp.at < self.end)
        )


def narrowed(
    environment: Annotated[
        str, NoNul, Query(description="only what concerns this environment, or all of them")
    ] = "",
    by: Annotated[str, NoNul, Query(description="only this person's or key's changes")] = "",
    start: Annotated[AwareDatetime | None, Query(alias="from", description="RFC 3339, inclusive")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="RFC 3339, exclusive")] = None,
    before: Annotated[int | None, Query(ge=0, lt=10**18, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
    min_position: Annotated[int, Query(ge=0, lt=10**18, description="wait until it has seen this")] = 0,
) -> Narrowed:
    return Narrowed(
        environment=environment,
        actor=by,
        start=start,
        end=end,
        before=before,
        limit=limit,
        min_position=min_position,
    )


Narrowing = Annotated[Narrowed, Depends(narrowed)]


@router.get("/history")
def project_history(
    project: Slug,
    which: Narrowing,
    read: Reader,
    wording: WordingOf,
    kind: Kind | None = None,
    sentences: Annotated[
        bool, Query(description="say what each made different; reads the history of everything on the page")
    ] = False,
) -> History:
    """Everything that happened in the project, its flags, segments and keys included."""
    read.project(project)
    return history_of(read.parts, project, which, kind=kind or "", wording=wording if sentences else None)


@router.get("/flags/{key}/history")
def flag_history(
    project: Slug,
    key: FlagKey,
    which: Narrowing,
    read: Reader,
    wording: WordingOf,
    closure: Annotated[
        bool,
        Query(description="all that could have changed its answers: segments and prerequisites too"),
    ] = False,
) -> History:
    """What happened to the flag, or with `closure` to its answers."""
    _there(read, flag_stream(project, key))
    if closure:
        return closure_of(read.parts, project, key, which, wording)
    return history_of(read.parts, project, which, kind="flag", key=key, wording=wording)


@router.get("/segments/{key}/history")
def segment_history(
    project: Slug, key: FlagKey, which: Narrowing, read: Reader, wording: WordingOf
) -> History:
    _there(read, segment_stream(project, key))
    return history_of(read.parts, project, which, kind="segment", key=key, wording=wording)


def _there(read: Read, stream: Stream) -> None:
    read.project(stream.project)
    if not read.parts.store.load(stream):
        raise NotFound(f"there is no {stream.kind} '{stream.key}' in project '{stream.project}'")


def history_of(
    parts: Parts, project: str, which: Narrowed, *, kind: str, key: str = "", wording: Wording | None = None
) -> History:
    """With what each made different where there is a language to say it in."""
    position = wait_for(parts, parts.audit, which.min_position)
    wanted = Wanted(
        project, kind, key, **which.model_dump(include={"environment", "actor", "start", "end", "before"})
    )
    entries = parts.audit.page(wanted, which.limit)
    older = entries[-1].position if len(entries) == which.limit else None
    if wording is None:
        shapes = [entry_shape(entry) for entry in entries]
    else:
        made = dict(_differences(parts, entries))
        shapes = [told_entry(entry, made.get(entry.position, ()), wording) for entry in entries]
    return History(entries=shapes, next=older, position=position)


def closure_of(parts: Parts, project: str, key: str, which: Narrowed, wording: Wording) -> History:
    """Straight from the log, so never behind it."""
    head = parts.store.head()
    until = head if which.before is None else which.before - 1
    found = Influences(parts.store, project, key, which.environment, until).of_all_time()
    wanted = [each for each in reversed(found) if which.takes(each.recorded.stamp)]
    page = [told_entry(entry_of(each.recorded), each.differences, wording) for each in wanted[: which.limit]]
    return History(entries=page, next=page[-1].position if len(wanted) > which.limit else None, position=head)


def _differences(parts: Parts, entries: Sequence[Entry]) -> Iterator[tuple[int, tuple[Difference, ...]]]:
    """With their positions."""
    last = {entry.stream: entry.position for entry in reversed(entries) if entry.stream.kind in TOLD}
    wanted = {entry.position for entry in entries}
    for stream, until in last.items():
        state: Any = None
        for recorded in parts.store.load(stream, until=until):
            before, state = state, EVOLVE[stream.kind](state, recorded.event)
            if recorded.position in wanted:
                yield recorded.position, differences(before, state)


def entry_shape(entry: Entry) -> HistoryEntry:
    return HistoryEntry(
        position=entry.position,
        kind=entry.stream.kind,
        key=entry.stream.key,
        version=entry.version,
        event=entry.event,
        by=entry.stamp.by,
        at=entry.stamp.at,
        reason=entry.stamp.reason,
        request_id=entry.stamp.request,
        data=entry.data,
    )


def told_entry(entry: Entry, made: Sequence[Difference], wording: Wording) -> HistoryEntry:
    told = {
        "sentences": list(sentences(made, wording) or happening(entry.event, wording)),
        "differences": [difference_shape(each) for each in made],
    }
    return entry_shape(entry).model_copy(update=told)


def difference_shape(difference: Difference) -> DifferenceShape:
    before, after = (to_jsonable_python(each) for each in (difference.before, difference.after))
    return DifferenceShape(
        what=difference.what,
        environment=difference.environment,
        name=difference.name,
        before=before,
        after=after,
    )
