"""Which split serves a flag, and since when: read from its events alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.envelope import Recorded, Stamp, flag_stream
from domain.events import (
    DefaultServeChanged,
    Event,
    FlagCreated,
    FlagTurnedOn,
    RuleAdded,
    RuleRemoved,
    TargetsChanged,
)
from domain.flag import first_targeting
from domain.targeting import Rule, ServeSplit, Split, Target
from domain.values import FlagType
from domain.wording import ENGLISH, Why
from projections.split_history import Served, shares_of, split_served

START = datetime(2026, 11, 4, tzinfo=UTC)
HALVES = Split(weights={"on": 50_000, "off": 50_000})
MOST = Split(weights={"on": 90_000, "off": 10_000})
CREATED = FlagCreated(
    project="shop",
    key="f",
    type=FlagType.BOOLEAN,
    variants={"on": True, "off": False},
    targeting=first_targeting(FlagType.BOOLEAN, {"on": True, "off": False}),
    gate_salt="g",
    split_salt="s",
)


def default(split: Split, environment: str = "production") -> Event:
    return DefaultServeChanged(environment=environment, serve=ServeSplit(split=split))


def rule(split: Split) -> Event:
    serve: Any = {"split": split.model_dump()}
    made = Rule.model_validate({"id": "r", "when": {"constant": True}, "serve": serve})
    return RuleAdded(environment="production", rule=made, after=None)


def told(*events: Event) -> Served | Why:
    """Of events an hour apart, the flag's creation first."""
    log = [
        Recorded(n + 1, flag_stream("shop", "f"), n + 1, Stamp("ana", START + timedelta(hours=n)), event)
        for n, event in enumerate((CREATED, *events))
    ]
    return split_served(log, "production")


def hours(number: int) -> datetime:
    return START + timedelta(hours=number)


def test_a_split_is_in_force_since_it_became_what_it_is() -> None:
    target = TargetsChanged(environment="production", targets=(Target(variant="on", values=("u",)),))
    assert told(default(HALVES), FlagTurnedOn(environment="production"), target) == Served(HALVES, hours(1))
    assert told(default(HALVES), default(MOST), default(HALVES)) == Served(HALVES, hours(3))
    assert told(default(HALVES), default(MOST, "staging")) == Served(HALVES, hours(1))


def test_a_split_in_a_rule_is_one_too() -> None:
    assert told(rule(MOST)) == Served(MOST, hours(1))


def test_while_there_was_another_the_one_that_is_left_was_not_alone() -> None:
    gone = RuleRemoved(environment="production", rule_id="r")
    assert told(default(HALVES), rule(MOST), gone) == Served(HALVES, hours(3))


@pytest.mark.parametrize(("events", "words"), [((), "no split"), ((default(HALVES), rule(MOST)), "2 splits")])
def test_without_exactly_one_it_says_why(events: tuple[Event, ...], words: str) -> None:
    found = told(*events)
    assert isinstance(found, Why)
    assert words in ENGLISH.why(found)


def test_shares_of_ranges_are_as_wide_as_they_are() -> None:
    ranges: Any = [
        {"variant": "on", "start": 0, "end": 100},
        {"variant": "off", "start": 200, "end": 500},
        {"variant": "on", "start": 500, "end": 700},
    ]
    assert shares_of(Split(ranges=ranges)) == {"on": 300, "off": 300}
    assert shares_of(HALVES) == {"on": 50_000, "off": 50_000}
