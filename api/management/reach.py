"""The route that tells which part of a flag's targeting serves how many, by what was recorded."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.http import StrictRoute
from api.management.analytics import Within
from api.management.context import Reader
from api.management.recorded import RECORDS, RECORDS_AT_MOST, RecordsOf, samples
from api.management.what_if_shapes import RuleNamed, Sampled, UndecidedShape, sampled, undecided_shape
from domain.errors import NotFound
from domain.evaluation import FlagDocument
from domain.project import require_environment
from domain.ruleset import FLAG, SEGMENT, Ruleset
from domain.values import FlagKey, Slug
from projections.closure import Closure
from projections.recorded_contexts import Undecided
from projections.what_if import Outcome, Reached, reached

router = APIRouter(
    prefix="/projects/{project}/flags/{key}/environments/{environment}/reach",
    tags=["history"],
    route_class=StrictRoute,
)


class Part(BaseModel):
    """What serves a variant, and to how many. `variant` is null for the code's default and for errors."""

    why: str | None
    reason: str
    rule: RuleNamed | None
    variant: str | None
    evaluations: int
    subjects: int


class Reach(Sampled):
    """`parts` are the largest first. `never` are the rules that served nobody of the sample, which is not
    certain while some are undecided."""

    parts: list[Part]
    never: list[RuleNamed]
    undecided: UndecidedShape


@router.get("")
def show_reach(
    project: Slug,
    key: FlagKey,
    environment: Slug,
    read: Reader,
    within: Within,
    limit: Annotated[int, Query(ge=1, le=RECORDS_AT_MOST)] = RECORDS,
) -> Reach:
    """How the newest recorded contexts are answered by the targeting as it is now, part by part."""
    require_environment(read.project(project), environment)
    documents = Closure(read.parts.store, project, environment, key).documents
    if not documents or not isinstance(flag := documents[0], FlagDocument):
        raise NotFound(f"there is no flag '{key}' in project '{project}'")
    ruleset = Ruleset().updated(
        ((FLAG if isinstance(each, FlagDocument) else SEGMENT, each.key), each.model_dump_json())
        for each in documents
    )
    sample = list(samples(read, RecordsOf(project, environment, key), within, limit))[-1]
    found = reached(key, sample.asked, ruleset)
    rules = {rule.id: RuleNamed(id=rule.id, name=rule.name) for rule in flag.targeting.rules}
    served = {each.rule for each in found}
    return Reach(
        **sampled(sample),
        parts=sorted(_parts(found, rules), key=lambda part: -part.evaluations),
        never=[rule for rule_id, rule in rules.items() if rule_id not in served],
        undecided=undecided_shape(Undecided(sample.asked)),
    )


def _parts(found: dict[Outcome, Reached], rules: dict[str, RuleNamed]) -> Iterator[Part]:
    for one, reach in found.items():
        yield Part(
            why=one.why,
            reason=one.reason,
            rule=rules.get(one.rule or ""),
            variant=one.variant,
            evaluations=reach.evaluations,
            subjects=len(reach.subjects),
        )
