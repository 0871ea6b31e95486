"""Routes that tell which event is behind what a flag is, and behind a change of its answers."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, JsonValue
from pydantic_core import to_jsonable_python

from api.http import StrictRoute
from api.management.evaluate import Answered, answered
from api.management.history import HistoryEntry, entry_shape
from api.management.moments import PastReader, position_of
from domain.differences import What
from domain.envelope import flag_stream
from domain.evaluation import Evaluation
from domain.project import require_environment
from domain.values import FlagKey, Model, Slug
from projections.audit_trail import entry_of
from projections.influences import Influences
from projections.origins import Part, Turn, blame, turns

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
def show_blame(project: Slug, key: FlagKey, environment: Slug, read: PastReader) -> Blame:
    """Which event made each part of the targeting, and each variant, what it is, now or then."""
    require_environment(read.project(project), environment)
    folded = read.one(flag_stream(project, key), f"flag '{key}' in project '{project}'")
    history = read.parts.store.load(flag_stream(project, key), until=read.at)
    parts = [_part(each) for each in blame(history, environment)]
    return Blame(position=folded.position if read.at is None else read.at, parts=parts)


def _part(part: Part) -> PartShape:
    return PartShape(
        what=part.what,
        name=part.name,
        value=to_jsonable_python(part.value),
        entry=entry_shape(entry_of(part.recorded), part.differences),
    )


class Search(Model):
    """`start` and `end` are positions of the log or times; all of the past where they are empty."""

    contexts: Annotated[tuple[dict[str, JsonValue], ...], Field(min_length=1, max_length=CONTEXTS)]
    start: Annotated[str, Field(max_length=100, alias="from")] = ""
    end: Annotated[str, Field(max_length=100, alias="to")] = ""


class Change(BaseModel):
    """An event after which some answers are others: how many, the first of them before and after, and who got
    what, by variant ("" for the code's default and for errors)."""

    entry: HistoryEntry
    changed: int
    before: Answered
    after: Answered
    shares_before: dict[str, int]
    shares_after: dict[str, int]


class Bisection(BaseModel):
    """The newest first."""

    start: int
    end: int
    changes: list[Change]


@router.post("/bisect")
def bisect(project: Slug, key: FlagKey, environment: Slug, body: Search, read: PastReader) -> Bisection:
    """Every event between two moments after which the flag answered some of the contexts otherwise.

    Its own events, and those of the segments and prerequisites that it depended on then.
    """
    require_environment(read.project(project), environment)
    read.one(flag_stream(project, key), f"flag '{key}' in project '{project}'")
    start = position_of(read.parts, project, body.start) if body.start else 0
    end = position_of(read.parts, project, body.end) if body.end else read.parts.store.head()
    influences = Influences(read.parts.store, project, key, environment, end)
    found = [_change(each, key, body.contexts) for each in turns(influences, body.contexts, after=start)]
    return Bisection(start=start, end=end, changes=found[::-1])


def _change(turn: Turn, key: str, contexts: Sequence[dict[str, JsonValue]]) -> Change:
    others = [place for place, same in enumerate(turn.unchanged()) if not same]
    first, position = others[0], turn.influence.recorded.position
    return Change(
        entry=entry_shape(entry_of(turn.influence.recorded), turn.influence.differences),
        changed=len(others),
        before=answered(key, turn.before[first], contexts[first], position - 1),
        after=answered(key, turn.after[first], contexts[first], position),
        shares_before=_shares(turn.before),
        shares_after=_shares(turn.after),
    )


def _shares(answers: Sequence[Evaluation]) -> dict[str, int]:
    return dict(Counter(each.variant or "" for each in answers))
