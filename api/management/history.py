"""Routes of the history: who changed what, when and why."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from api.http import StrictRoute
from api.management.context import PAGE_LIMIT, NoNul, Parts, Reader, wait_for
from domain.values import FlagKey, Slug
from projections.audit_trail import Entry, Wanted

router = APIRouter(prefix="/projects/{project}", tags=["history"], route_class=StrictRoute)

Kind = Literal["project", "flag", "segment", "key", "webhook", "change", "plan"]


class HistoryEntry(BaseModel):
    """One event. `version` counts the changes of the one thing; `data` is what the event says."""

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
def project_history(project: Slug, which: Narrowing, read: Reader, kind: Kind | None = None) -> History:
    """Everything that happened in the project, its flags, segments and keys included."""
    read.project(project)
    return history_of(read.parts, project, which, kind=kind or "")


@router.get("/flags/{key}/history")
def flag_history(project: Slug, key: FlagKey, which: Narrowing, read: Reader) -> History:
    read.project(project)
    return history_of(read.parts, project, which, kind="flag", key=key)


@router.get("/segments/{key}/history")
def segment_history(project: Slug, key: FlagKey, which: Narrowing, read: Reader) -> History:
    read.project(project)
    return history_of(read.parts, project, which, kind="segment", key=key)


def history_of(parts: Parts, project: str, which: Narrowed, *, kind: str, key: str = "") -> History:
    position = wait_for(parts, parts.audit, which.min_position)
    wanted = Wanted(
        project, kind, key, **which.model_dump(include={"environment", "actor", "start", "end", "before"})
    )
    entries = parts.audit.page(wanted, which.limit)
    older = entries[-1].position if len(entries) == which.limit else None
    return History(entries=[_told(entry) for entry in entries], next=older, position=position)


def _told(entry: Entry) -> HistoryEntry:
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
