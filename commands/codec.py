"""How an event and its stamp are written to the log and read back: under its own name, as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast, get_args

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from domain.change_events import ChangeEvent, PlanEvent
from domain.envelope import Stamp
from domain.events import Event, FlagEvent, KeyEvent, ProjectEvent, SegmentEvent, TargetingEvent, WebhookEvent
from domain.person_events import PersonEvent
from domain.token_events import TokenEvent


def _classes(union: Any) -> set[type[BaseModel]]:
    return {each for part in get_args(union) for each in (_classes(part) or {part})}


EVENTS: Mapping[str, type[BaseModel]] = {
    cls.__name__: cls
    for union in (
        ProjectEvent,
        FlagEvent,
        TargetingEvent,
        SegmentEvent,
        KeyEvent,
        WebhookEvent,
        ChangeEvent,
        PlanEvent,
        TokenEvent,
        PersonEvent,
    )
    for cls in _classes(union)
}


def encode(event: Event, stamp: Stamp) -> tuple[str, bytes]:
    """The event's stored name and its JSON."""
    stored = {"by": stamp.by, "at": stamp.at, "reason": stamp.reason, "data": event}
    if stamp.request:
        stored["request"] = stamp.request
    return type(event).__name__, to_json(stored)


def decode(name: str, data: bytes) -> tuple[Event, Stamp]:
    """Raises KeyError for a name that was never an event, ValidationError for data that does not fit it."""
    shape, stored = EVENTS[name], from_json(data)
    event = cast("Event", shape.model_validate(stored["data"]))
    at = datetime.fromisoformat(stored["at"])
    return event, Stamp(stored["by"], at, stored["reason"], stored.get("request", ""))
