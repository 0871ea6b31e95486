"""A project to try things on: commands on the real log, said briefly."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import ChangeTargeting, Command, CreateFlag, CreateProject, FlagDefinition, PutSegment
from domain.aggregates import Folded
from domain.envelope import Stamp
from domain.segment import SegmentDefinition
from domain.targeting import Targeting
from domain.values import FlagType

STAMP = Stamp("ana", datetime(2026, 11, 22, tzinfo=UTC))
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}


class Shop:
    """Project `shop`; salts are numbered in the order in which they are made."""

    def __init__(self, store: EventStore) -> None:
        numbers = count(1)
        self.store = store
        self.commands = Commands(store, salt=lambda: f"salt-{next(numbers)}")
        self.give(CreateProject(project="shop", name="Shop"))

    def give(self, command: Command, expected: int | None = None) -> Folded:
        return self.commands.execute(command, STAMP, expected_version=expected)

    def flag(self, key: str, **more: Any) -> Folded:
        definition = FlagDefinition(
            key=key, type=FlagType.BOOLEAN, variants={"on": True, "off": False}, **more
        )
        return self.give(CreateFlag(project="shop", definition=definition))

    def target(self, key: str, environment: str = "production", **targeting: Any) -> Folded:
        wish = {"enabled": True, "off_variant": "off", "default": {"variant": "on"}, **targeting}
        return self.give(
            ChangeTargeting(
                project="shop", flag=key, environment=environment, targeting=Targeting.model_validate(wish)
            )
        )

    def segment(self, key: str, condition: Any) -> Folded:
        definition = SegmentDefinition.model_validate({"condition": condition})
        return self.give(PutSegment(project="shop", segment=key, definition=definition))


def rule(when: Any, rule_id: str = "") -> dict[str, Any]:
    return {"id": rule_id, "when": when, "serve": {"variant": "on"}}
