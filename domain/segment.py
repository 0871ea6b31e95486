"""A segment: a condition with a name, used by the rules of many flags."""

from dataclasses import dataclass, replace
from typing import Annotated, assert_never

from pydantic import Field, model_validator

from domain import limits
from domain.errors import AlreadyExists, NotFound
from domain.events import SegmentArchived, SegmentChanged, SegmentCreated, SegmentEvent
from domain.targeting import Condition, refuse_excess
from domain.values import Model, Text, same


class SegmentDefinition(Model):
    """Who belongs: `exclude` wins over `include`, and both over the condition; both hold targeting keys."""

    name: Text = ""
    description: Text = ""
    include: Annotated[tuple[str, ...], Field(max_length=limits.SUBJECTS)] = ()
    exclude: Annotated[tuple[str, ...], Field(max_length=limits.SUBJECTS)] = ()
    condition: Condition

    @model_validator(mode="after")
    def _is_not_excessive(self) -> "SegmentDefinition":
        refuse_excess([self.condition])
        return self


@dataclass(frozen=True, slots=True)
class Segment:
    project: str
    key: str
    salt: str
    definition: SegmentDefinition
    archived: bool = False


def evolve(segment: Segment | None, event: SegmentEvent) -> Segment:
    if isinstance(event, SegmentCreated):
        return Segment(event.project, event.key, event.salt, _definition(event))
    assert segment is not None
    match event:
        case SegmentChanged():
            return replace(segment, definition=_definition(event))
        case SegmentArchived():
            return replace(segment, archived=True)
        case _:
            assert_never(event)


def put(
    segment: Segment | None, *, project: str, key: str, salt: str, definition: SegmentDefinition
) -> tuple[SegmentEvent, ...]:
    fields = dict(definition)
    if segment is None:
        return (SegmentCreated(project=project, key=key, salt=salt, **fields),)
    if segment.archived:
        raise AlreadyExists(f"segment '{key}' was archived and its key cannot be taken again")
    return () if same(segment.definition, definition) else (SegmentChanged(**fields),)


def archive(segment: Segment | None) -> tuple[SegmentEvent, ...]:
    return () if existing(segment).archived else (SegmentArchived(),)


def existing(segment: Segment | None, key: str = "") -> Segment:
    if segment is None:
        raise NotFound(f"there is no segment '{key}'" if key else "there is no such segment")
    return segment


def _definition(event: SegmentCreated | SegmentChanged) -> SegmentDefinition:
    return SegmentDefinition.model_construct(
        **{name: getattr(event, name) for name in SegmentDefinition.model_fields}
    )
