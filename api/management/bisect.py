"""The route that finds the events after which contexts were answered otherwise."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, JsonValue, model_validator

from api.http import StrictRoute
from api.management.access import require
from api.management.analytics import window
from api.management.context import Read
from api.management.evaluate import Answered, answered
from api.management.history import HistoryEntry, told_entry
from api.management.languages import WordingOf
from api.management.moments import PastReader, position_of
from api.management.recorded import RecordedIn, RecordsOf, samples
from api.management.what_if_shapes import UndecidedShape, undecided_shape
from domain.envelope import flag_stream
from domain.evaluation import Evaluation
from domain.project import require_environment
from domain.roles import Permission
from domain.values import FlagKey, Model, Slug
from domain.wording import Wording
from projections.audit_trail import entry_of
from projections.influences import Influences
from projections.origins import Turn, turns
from projections.recorded_contexts import Asked, Sample, Undecided

router = APIRouter(
    prefix="/projects/{project}/flags/{key}/environments/{environment}/bisect",
    tags=["history"],
    route_class=StrictRoute,
)
CONTEXTS = 1_000  # each is evaluated after every event of the window


class Search(Model):
    """Of `contexts` that are given, or of those that were recorded. `start` and `end` are positions of the
    log or times; all of the past where they are empty."""

    contexts: Annotated[tuple[dict[str, JsonValue], ...], Field(max_length=CONTEXTS)] = ()
    recorded: RecordedIn | None = None
    start: Annotated[str, Field(max_length=100, alias="from")] = ""
    end: Annotated[str, Field(max_length=100, alias="to")] = ""

    @model_validator(mode="after")
    def _asks_somebody(self) -> "Search":
        if bool(self.contexts) == (self.recorded is not None):
            raise ValueError("say whose answers: either 'contexts' or those 'recorded' in a window")
        return self


class Change(BaseModel):
    """An event after which some answers are others: how many, the first of them before and after with the
    context of its question, and who got what, by variant ("" for the code's default and for errors)."""

    entry: HistoryEntry
    changed: int
    example: dict[str, JsonValue]
    before: Answered
    after: Answered
    shares_before: dict[str, int]
    shares_after: dict[str, int]


class Bisection(BaseModel):
    """The newest first. `evaluations` is how many were looked at, and `complete` whether these are all that
    were recorded in the window; those `undecided` are in no share."""

    start: int
    end: int
    evaluations: int
    complete: bool
    undecided: UndecidedShape
    changes: list[Change]


@router.post("")
def bisect(
    project: Slug, key: FlagKey, environment: Slug, body: Search, read: PastReader, wording: WordingOf
) -> Bisection:
    """Every event between two moments after which the flag answered some of the contexts otherwise.

    Its own events, and those of the segments and prerequisites that it depended on then. To look at recorded
    contexts one has to be allowed to read records.
    """
    require_environment(read.project(project), environment)
    read.one(flag_stream(project, key), f"flag '{key}' in project '{project}'")
    start = position_of(read.parts, project, body.start) if body.start else 0
    end = position_of(read.parts, project, body.end) if body.end else read.parts.store.head()
    sample = _sample(read, RecordsOf(project, environment, key), body)
    influences = Influences(read.parts.store, project, key, environment, end)
    found = [
        _change(each, key, sample.asked, wording) for each in turns(influences, sample.asked, after=start)
    ]
    return Bisection(
        start=start,
        end=end,
        evaluations=sample.evaluations,
        complete=sample.complete,
        undecided=undecided_shape(Undecided(sample.asked)),
        changes=found[::-1],
    )


def _sample(read: Read, which: RecordsOf, body: Search) -> Sample:
    if body.recorded is None:
        return Sample([Asked(each) for each in body.contexts], len(body.contexts))
    require(read.who, Permission.READ_RECORDS, which.project, which.environment)
    within = window(body.recorded.start, body.recorded.end)
    return list(samples(read, which, within, body.recorded.limit))[-1]


def _change(turn: Turn, key: str, asked: Sequence[Asked], wording: Wording) -> Change:
    changed = turn.changed()
    known = [(asked[place].evaluations, before, after) for place, before, after in turn.known()]
    (first, before, after), position = changed[0], turn.influence.recorded.position
    context = asked[first].context
    return Change(
        entry=told_entry(entry_of(turn.influence.recorded), turn.influence.differences, wording),
        changed=sum(asked[place].evaluations for place, _, _ in changed),
        example=dict(context),
        before=answered(key, before, context, position - 1),
        after=answered(key, after, context, position),
        shares_before=_shares((number, before) for number, before, _ in known),
        shares_after=_shares((number, after) for number, _, after in known),
    )


def _shares(answers: Iterator[tuple[int, Evaluation]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for number, answer in answers:
        found[answer.variant or ""] += number
    return dict(found)
