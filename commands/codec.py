"""How an event and its stamp are written to the log and read back: under its own name, as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel

from domain.envelope import Stamp
from domain.events import Event, FlagEvent, KeyEvent, ProjectEvent, SegmentEvent, TargetingEvent

E = TypeVar("E", bound=BaseModel)


class Stored(BaseModel, Generic[E]):
    by: str
    at: datetime
    reason: str = ""
    data: E


def _classes(union: Any) -> set[type[BaseModel]]:
    return {each for part in get_args(union) for each in (_classes(part) or {part})}


EVENTS: Mapping[str, type[BaseModel]] = {
    cls.__name__: cls
    for union in (ProjectEvent, FlagEvent, TargetingEvent, SegmentEvent, KeyEvent)
    for cls in _classes(union)
}
_SHAPES: Mapping[str, type[Stored[Any]]] = {name: Stored[cls] for name, cls in EVENTS.items()}  # type: ignore[valid-type]


def encode(event: Event, stamp: Stamp) -> tuple[str, bytes]:
    """The event's stored name and its JSON."""
    name = type(event).__name__
    stored = _SHAPES[name].model_construct(by=stamp.by, at=stamp.at, reason=stamp.reason, data=event)
    return name, stored.model_dump_json().encode()


def decode(name: str, data: bytes) -> tuple[Event, Stamp]:
    """Raises KeyError for a name that was never an event, ValidationError for data that does not fit it."""
    stored = _SHAPES[name].model_validate_json(data)
    return stored.data, Stamp(stored.by, stored.at, stored.reason)
