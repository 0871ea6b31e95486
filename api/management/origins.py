"""Routes that tell which event is behind what a flag is, and behind a change of its answers."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from api.http import StrictRoute
from api.management.history import HistoryEntry, told_entry
from api.management.languages import WordingOf
from api.management.moments import PastReader
from domain.differences import What
from domain.envelope import flag_stream
from domain.project import require_environment
from domain.values import FlagKey, Slug
from domain.wording import Wording
from projections.audit_trail import entry_of
from projections.origins import Part, blame

router = APIRouter(
    prefix="/projects/{project}/flags/{key}/environments/{environment}",
    tags=["history"],
    route_class=StrictRoute,
)
CONTEXTS = 1_000  # each is evaluated after every event of the window


class PartShape(BaseModel):
    """One thing of the flag as it is in the environment, and the event that made it so."""

    what: What
    name: str
    value: Any
    entry: HistoryEntry


class Blame(BaseModel):
    position: int
    parts: list[PartShape]


@router.get("/blame")
def show_blame(project: Slug, key: FlagKey, environment: Slug, read: PastReader, wording: WordingOf) -> Blame:
    """Which event made each part of the targeting, and each variant, what it is, now or then."""
    require_environment(read.project(project), environment)
    folded = read.one(flag_stream(project, key), f"flag '{key}' in project '{project}'")
    history = read.parts.store.load(flag_stream(project, key), until=read.at)
    parts = [_part(each, wording) for each in blame(history, environment)]
    return Blame(position=folded.position if read.at is None else read.at, parts=parts)


def _part(part: Part, wording: Wording) -> PartShape:
    return PartShape(
        what=part.what,
        name=part.name,
        value=to_jsonable_python(part.value),
        entry=told_entry(entry_of(part.recorded), part.differences, wording),
    )
