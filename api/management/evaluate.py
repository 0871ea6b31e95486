"""All flags of an environment for one context, as its evaluators answer now, or answered once."""

from fastapi import APIRouter
from pydantic import BaseModel, JsonValue

from api.http import StrictRoute
from api.management.moments import PastReader
from domain.conditions import Context
from domain.evaluation import Evaluation, evaluate
from domain.values import FlagKey, Model, Slug

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/evaluate",
    tags=["explain"],
    route_class=StrictRoute,
)


class Question(Model):
    """`flags` are those that are asked for; empty is all of them."""

    context: dict[str, JsonValue] = {}  # noqa: RUF012 - pydantic copies it
    flags: tuple[FlagKey, ...] = ()


class Answered(BaseModel):
    flag: str
    value: JsonValue
    variant: str | None
    reason: str
    errorCode: str | None  # noqa: N815 - OpenFeature's own spelling, here and below
    errorDetails: str | None  # noqa: N815
    metadata: dict[str, str | int]


class Answers(BaseModel):
    """By the flags' keys, in their order; a flag that is asked for and not there has an error."""

    position: int
    flags: list[Answered]


@router.post("")
def evaluate_flags(project: Slug, environment: Slug, body: Question, read: PastReader) -> Answers:
    """Evaluates many flags for one context by what the log says, now or then. Nothing is counted."""
    past = read.past(project)
    ruleset = past.ruleset(environment)
    keys = sorted(body.flags or ruleset.flags)
    answers = [(key, evaluate(ruleset, key, body.context)) for key in keys]
    flags = [answered(key, each, body.context, past.position) for key, each in answers]
    return Answers(position=past.position, flags=flags)


def answered(key: str, result: Evaluation, context: Context, position: int) -> Answered:
    return Answered(
        flag=key,
        value=result.value,
        variant=result.variant,
        reason=result.reason,
        errorCode=result.error_code,
        errorDetails=result.error_details,
        metadata=result.metadata(context, position),
    )
