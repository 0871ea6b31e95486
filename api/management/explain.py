"""The route that tells how an answer comes about."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel, JsonValue

from api.http import StrictRoute
from api.management.evaluate import Answered, answered
from api.management.history import HistoryEntry, told_entry
from api.management.languages import WordingOf
from api.management.moments import PastReader
from domain.differences import What
from domain.envelope import Recorded, flag_stream
from domain.evaluation import Evaluation, FlagDocument
from domain.explain import RuleStep, Step, explain
from domain.project import require_environment
from domain.ruleset import Document
from domain.splitting import shares_of
from domain.targeting import ServeSplit
from domain.values import FlagKey, Model, Slug
from domain.wording import Wording
from projections.audit_trail import entry_of
from projections.closure import Closure
from projections.origins import blame

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/explain",
    tags=["explain"],
    route_class=StrictRoute,
)
DECIDING: dict[str | None, What] = {"rule": "rule", "target": "targets", "default": "default", None: "switch"}
"""By why it was answered so, what of the flag is behind it; nothing is told of a flag that is off."""


class Question(Model):
    flag: FlagKey
    context: dict[str, JsonValue] = {}  # noqa: RUF012 - pydantic copies it


class BucketShare(BaseModel):
    """The buckets that get this variant, from `start` to under `end`, of `steps`; who shares one is told by
    the attribute `by`."""

    by: str
    start: int
    end: int
    steps: int


class Answer(Answered):
    """What the evaluation API answers, and how it comes about: rules and conditions in the order of asking.

    `prerequisites` are the conditions that other flags asked on this one's behalf. `share` is there where a
    split decided. `entry` is the event that made what decided it what it is: the rule, the default, the
    targets, the prerequisites or the switch; null for an error.
    """

    position: int
    rules: tuple[RuleStep, ...]
    prerequisites: tuple[Step, ...]
    share: BucketShare | None
    entry: HistoryEntry | None


@router.post("")
def explain_evaluation(
    project: Slug, environment: Slug, body: Question, read: PastReader, wording: WordingOf
) -> Answer:
    """Evaluates one flag for a context, now or as it was then, step by step. Nothing is counted."""
    require_environment(read.project(project), environment)
    position = read.parts.store.head() if read.at is None else read.at
    closure = Closure(read.parts.store, project, environment, body.flag, until=position)
    found = explain(closure.documents, body.flag, body.context, closure.origins)
    history = read.parts.store.load(flag_stream(project, body.flag), until=position)
    return Answer(
        **dict(answered(body.flag, found.result, body.context, position)),
        position=position,
        rules=found.rules,
        prerequisites=found.prerequisites,
        share=_share(closure.documents, body, found.result),
        entry=_entry(history, environment, found.result, wording),
    )


def _share(documents: Sequence[Document], body: Question, result: Evaluation) -> BucketShare | None:
    bucket = result.bucket(body.context)
    flag = next(
        (each for each in documents if isinstance(each, FlagDocument) and each.key == body.flag), None
    )
    if bucket is None or flag is None:
        return None
    serves = {rule.id: rule.serve for rule in flag.targeting.rules}
    serve = serves.get(result.rule_id or "", flag.targeting.default)
    if not isinstance(serve, ServeSplit):
        return None
    shares = shares_of(flag.variants, serve.split)
    share = next(each for each in shares if each.start <= bucket < each.end)
    return BucketShare(by=serve.split.by, start=share.start, end=share.end, steps=serve.split.steps)


def _entry(
    history: Sequence[Recorded], environment: str, result: Evaluation, wording: Wording
) -> HistoryEntry | None:
    if result.reason == "ERROR":
        return None
    what = DECIDING.get(result.why, "prerequisites")
    name = result.rule_id or ""
    return next(
        (
            told_entry(entry_of(part.recorded), part.differences, wording)
            for part in blame(history, environment)
            if (part.what, part.name) == (what, name)
        ),
        None,
    )
