"""The route that tells how an answer comes about."""

from fastapi import APIRouter
from pydantic import JsonValue

from api.http import StrictRoute
from api.management.evaluate import Answered, answered
from api.management.moments import PastReader
from domain.explain import RuleStep, Step, explain
from domain.project import require_environment
from domain.values import FlagKey, Model, Slug
from projections.closure import Closure

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/explain",
    tags=["explain"],
    route_class=StrictRoute,
)


class Question(Model):
    flag: FlagKey
    context: dict[str, JsonValue] = {}  # noqa: RUF012 - pydantic copies it


class Answer(Answered):
    """What the evaluation API answers, and how it comes about: rules and conditions in the order of asking.

    `prerequisites` are the conditions that other flags asked on this one's behalf.
    """

    position: int
    rules: tuple[RuleStep, ...]
    prerequisites: tuple[Step, ...]


@router.post("")
def explain_evaluation(project: Slug, environment: Slug, body: Question, read: PastReader) -> Answer:
    """Evaluates one flag for a context, now or as it was then, step by step. Nothing is counted."""
    require_environment(read.project(project), environment)
    position = read.parts.store.head() if read.at is None else read.at
    closure = Closure(read.parts.store, project, environment, body.flag, until=position)
    found = explain(closure.documents, body.flag, body.context, closure.origins)
    return Answer(
        **dict(answered(body.flag, found.result, body.context, position)),
        position=position,
        rules=found.rules,
        prerequisites=found.prerequisites,
    )
