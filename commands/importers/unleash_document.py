"""What a client of Unleash is sent: features and segments, whole or as events to apply in order."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from commands.importers.imported import Refusal, Unsayable
from commands.importers.saying import listing, mapping


def _encodable(text: str) -> str:
    text.encode()  # raises ValueError for half a surrogate pair, which no JSON can be made of
    return text


Words = Annotated[str, AfterValidator(_encodable)]


class Shape(BaseModel):
    """Null is as absent; numbers where Unleash has texts are read as texts; unknown names are left alone."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True, alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: each for name, each in value.items() if each is not None}


class Constraint(Shape):
    context_name: Words
    operator: Words
    values: tuple[Words, ...] = ()
    value: Words | None = None
    inverted: bool = False
    case_insensitive: bool = False


class Override(Shape):
    context_name: Words
    values: tuple[Words, ...] = ()


class Payload(Shape):
    type: Words
    value: Words


class Variant(Shape):
    name: Words
    weight: Annotated[int, Field(ge=0)]
    stickiness: Words | None = None
    payload: Payload | None = None
    overrides: tuple[Override, ...] = ()


class Strategy(Shape):
    name: Words
    id: Words = ""
    title: Words = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()
    segments: tuple[int, ...] = ()
    variants: tuple[Variant, ...] = ()
    disabled: bool = False

    def parameter(self, name: str) -> str | None:
        """None where it is absent. Raises Unsayable for what is neither a text nor a number."""
        value = self.parameters.get(name)
        if isinstance(value, bool | list | dict):
            raise Unsayable(f"strategy '{self.name}': its parameter '{name}' is not a text")
        return None if value is None else str(value)


class Dependency(Shape):
    feature: Words
    enabled: bool = True
    variants: tuple[Words, ...] = ()


class Feature(Shape):
    name: Words
    enabled: bool
    description: Words = ""
    tags: tuple[Any, ...] = ()
    strategies: tuple[Strategy, ...] = ()
    variants: tuple[Variant, ...] = ()
    dependencies: tuple[Dependency, ...] = ()


class Segment(Shape):
    id: int
    name: Words = ""
    description: Words = ""
    constraints: tuple[Constraint, ...] = ()


@dataclass
class State:
    """What a client knows once it has read everything: documents by name and by id, as they came."""

    features: dict[str, Any] = field(default_factory=dict)
    segments: dict[int, Any] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def state_of(document: Any) -> State:
    """Raises Unsayable for what is neither a client's features nor its events."""
    document = mapping(document, "a document of Unleash")
    state = State()
    if "features" in document:
        _hydrate(state, document)
    elif "events" in document:
        for number, event in enumerate(listing(document["events"], "'events'"), start=1):
            _apply(state, number, event)
    elif "toggles" in document:
        raise Unsayable("this is an answer of Unleash's frontend API, which has no rules: ask the client API")
    else:
        raise Unsayable("a document of Unleash's client API has 'features' or 'events'")
    return state


def _apply(state: State, number: int, event: Any) -> None:
    event = mapping(event, f"event {number}")
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in EVENTS:
        state.notes.append(f"event {number}: its type {kind!r} is not known, and it is left out")
        return
    EVENTS[kind](state, event)


def _hydrate(state: State, everything: Mapping[str, Any]) -> None:
    state.features.clear()
    state.segments.clear()
    for feature in listing(everything.get("features"), "'features'"):
        _put_feature(state, feature)
    for segment in listing(everything.get("segments") or [], "'segments'"):
        _put_segment(state, segment)


def _put_feature(state: State, feature: Any) -> None:
    """The last of a name counts, as it does for Unleash's clients."""
    name = feature.get("name") if isinstance(feature, dict) else None
    if isinstance(name, str):
        state.features[name] = feature
    else:
        state.refused.append(Refusal("flag without a name", "a feature is an object with a 'name'"))


def _put_segment(state: State, segment: Any) -> None:
    number = segment.get("id") if isinstance(segment, dict) else None
    if isinstance(number, int):
        state.segments[number] = segment
    else:
        state.refused.append(Refusal("segment without an id", "a segment is an object with a number as 'id'"))


def _remove(documents: dict[Any, Any], name: Any) -> None:
    if isinstance(name, str | int):
        documents.pop(name, None)


EVENTS: Mapping[str, Callable[[State, Mapping[str, Any]], None]] = {
    "hydration": _hydrate,
    "feature-updated": lambda state, event: _put_feature(state, event.get("feature")),
    "feature-removed": lambda state, event: _remove(state.features, event.get("featureName")),
    "segment-updated": lambda state, event: _put_segment(state, event.get("segment")),
    "segment-removed": lambda state, event: _remove(state.segments, event.get("segmentId")),
}


AnyShape = TypeVar("AnyShape", bound=Shape)


def shaped(shape: type[AnyShape], document: Any) -> AnyShape:
    """Raises Unsayable with where the first thing wrong is, and what."""
    try:
        return shape.model_validate(document)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise Unsayable(f"'{_path(first['loc'])}': {first['msg']}") from problem


def _path(steps: Iterable[int | str]) -> str:
    return ".".join(str(step) for step in steps)
