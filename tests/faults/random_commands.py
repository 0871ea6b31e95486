"""Commands of every sort that changes an answer, one after the other, from a seeded generator."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from commands.event_store import EventStore
from commands.handlers import Commands
from commands.models import (
    ArchiveFlag,
    ChangeFlag,
    ChangeTargeting,
    Command,
    CreateFlag,
    FlagDefinition,
    FlagDetails,
    IssueKey,
    PutSegment,
    PutVariant,
    RestoreFlag,
    RevokeKey,
    TurnFlagOff,
    TurnFlagOn,
)
from commands.secret_keys import new_key
from domain.access import digest
from domain.envelope import Stamp
from domain.errors import Refused
from domain.segment import SegmentDefinition
from domain.targeting import Targeting
from domain.values import SCALE, FlagType

PROJECT, ENVIRONMENTS = "default", ("production", "staging")
VARIANTS = ("red", "green", "blue")
COUNTRIES, COMPANIES = ("BR", "PT", "DE"), ("acme", "initech")
FLAGS_AT_FIRST, FLAGS_AT_MOST, SEGMENTS, KEYS_AT_MOST = 12, 30, 4, 6
CONTEXTS: tuple[dict[str, Any], ...] = (
    {"targetingKey": "user-1", "country": "BR", "company": "acme"},
    {"targetingKey": "user-2", "country": "PT", "company": "initech", "age": 17},
    {"targetingKey": "user-3", "country": "DE", "company": "acme", "age": 64},
    {"targetingKey": "user-4"},
    {"country": "BR", "age": 30},
)


class Key(NamedTuple):
    id: str
    environment: str
    text: str


@dataclass
class RandomCommands:
    """`flags` and `keys` may be read by others meanwhile; some of them are archived and revoked by then."""

    store: EventStore
    chance: random.Random
    per_second: float
    flags: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    given: int = 0
    _in_force: list[Key] = field(default_factory=list)

    def begin(self) -> None:
        for environment in ENVIRONMENTS:
            self._issue("server", environment)
        self._in_force.clear()  # those two are never revoked
        for number in range(SEGMENTS):
            self._put_segment(f"segment-{number}")
        for _ in range(FLAGS_AT_FIRST):
            self._create()
            self._target(self.flags[-1])

    def go_on(self, stopping: threading.Event) -> None:
        due = time.monotonic()
        while not stopping.wait(max(0.0, due - time.monotonic())):
            due += self.chance.uniform(0, 2 / self.per_second)
            self.act()

    def act(self) -> None:
        (act,) = self.chance.choices(list(ACTS), list(ACTS.values()))
        act(self)

    def _give(self, command: Command) -> None:
        try:
            Commands(self.store).execute(command, Stamp("ana", datetime.now(UTC)))
        except Refused:  # archived, or in use by another: it would be so for anybody
            return
        self.given += 1

    def _create(self) -> None:
        if len(self.flags) >= FLAGS_AT_MOST:
            return
        flag = f"flag-{len(self.flags)}"
        definition = FlagDefinition(
            key=flag,
            type=FlagType.STRING,
            variants={name: name for name in VARIANTS},
            client_visible=self.chance.random() < 0.5,
        )
        self._give(CreateFlag(project=PROJECT, definition=definition))
        self.flags.append(flag)

    def _target(self, flag: str | None = None) -> None:
        flag = flag or self._any_flag()
        earlier = self.flags[: self.flags.index(flag)]  # so that nobody asks in a circle
        wish: dict[str, Any] = {
            "enabled": self.chance.random() < 0.8,
            "off_variant": self.chance.choice([None, *VARIANTS]),
            "default": self._serve(),
            "rules": [self._rule(earlier) for _ in range(self.chance.randint(0, 3))],
        }
        if earlier and self.chance.random() < 0.2:
            wish["prerequisites"] = [self._other(earlier)]
        if self.chance.random() < 0.2:
            wish["targets"] = [{"variant": "blue", "values": [f"user-{self.chance.randint(1, 4)}"]}]
        self._give(
            ChangeTargeting(
                project=PROJECT,
                flag=flag,
                environment=self._environment(),
                targeting=Targeting.model_validate(wish),
            )
        )

    def _rule(self, earlier: list[str]) -> dict[str, Any]:
        kinds: list[Callable[[], dict[str, Any]]] = [
            self._clause,
            lambda: {"segment": self._segment()},
            lambda: {"bucket": {"below": self.chance.randrange(SCALE)}},
            lambda: {"all": [self._clause(), {"not": {"segment": self._segment()}}]},
        ]
        if earlier:
            kinds.append(lambda: self._other(earlier))
        return {"when": self.chance.choice(kinds)(), "serve": self._serve()}

    def _clause(self) -> dict[str, Any]:
        return self.chance.choice(
            [
                {"attribute": "country", "operator": "in", "values": [self.chance.choice(COUNTRIES)]},
                {"attribute": "company", "operator": "equals", "values": [self.chance.choice(COMPANIES)]},
                {"attribute": "age", "operator": "ge", "values": [self.chance.randint(10, 70)]},
            ]
        )

    def _serve(self) -> dict[str, Any]:
        share = self.chance.randint(0, SCALE)
        split: dict[str, Any] = {"weights": {"red": share, "green": SCALE - share}}
        if self.chance.random() < 0.3:
            split["by"] = "company"
        variant = {"variant": self.chance.choice(VARIANTS)}
        return self.chance.choice(
            [variant, variant, {"split": split}, {"split": split}, {"code_default": True}]
        )

    def _other(self, earlier: list[str]) -> dict[str, Any]:
        return {"flag": self.chance.choice(earlier), "variants": self.chance.sample(VARIANTS, 2)}

    def _turn(self) -> None:
        flag, environment = self._any_flag(), self._environment()
        if self.chance.random() < 0.5:
            self._give(TurnFlagOn(project=PROJECT, flag=flag, environment=environment))
        else:
            self._give(TurnFlagOff(project=PROJECT, flag=flag, environment=environment))

    def _put_segment(self, segment: str | None = None) -> None:
        wish = {"condition": self._clause(), "include": [f"user-{self.chance.randint(1, 4)}"]}
        definition = SegmentDefinition.model_validate(wish)
        self._give(PutSegment(project=PROJECT, segment=segment or self._segment(), definition=definition))

    def _archive(self) -> None:
        self._give(ArchiveFlag(project=PROJECT, flag=self._any_flag()))

    def _restore(self) -> None:
        self._give(RestoreFlag(project=PROJECT, flag=self._any_flag()))

    def _put_variant(self) -> None:
        name, value = self.chance.choice(VARIANTS), f"shade-{self.chance.randint(1, 9)}"
        self._give(PutVariant(project=PROJECT, flag=self._any_flag(), name=name, value=value))

    def _show_or_hide(self) -> None:
        details = FlagDetails(client_visible=self.chance.random() < 0.5)
        self._give(ChangeFlag(project=PROJECT, flag=self._any_flag(), details=details))

    def _issue_any(self) -> None:
        if len(self._in_force) < KEYS_AT_MOST:
            self._issue(self.chance.choice(["server", "client"]), self._environment())

    def _issue(self, kind: Any, environment: str) -> None:
        key_id, text = new_key(kind)
        key = Key(key_id, environment, text)
        self._give(
            IssueKey(
                project=PROJECT,
                environment=environment,
                id=key.id,
                name="one of many",
                kind=kind,
                digest=digest(key.text),
            )
        )
        self.keys.append(key)
        self._in_force.append(key)

    def _revoke(self) -> None:
        if self._in_force:
            key = self._in_force.pop(self.chance.randrange(len(self._in_force)))
            self._give(RevokeKey(project=PROJECT, environment=key.environment, id=key.id))

    def _any_flag(self) -> str:
        return self.chance.choice(self.flags)

    def _segment(self) -> str:
        return f"segment-{self.chance.randrange(SEGMENTS)}"

    def _environment(self) -> str:
        return self.chance.choice(ENVIRONMENTS)


ACTS: dict[Callable[[RandomCommands], None], int] = {
    RandomCommands._target: 45,
    RandomCommands._turn: 15,
    RandomCommands._put_segment: 10,
    RandomCommands._put_variant: 6,
    RandomCommands._show_or_hide: 4,
    RandomCommands._create: 4,
    RandomCommands._archive: 2,
    RandomCommands._restore: 5,
    RandomCommands._issue_any: 4,
    RandomCommands._revoke: 4,
}
