"""A rule of the original system, and the rule of ours that means the same.

    {"type": "PERCENTAGE", "value": 12.5}            buckets below 12.5, of 100
    {"type": "USER_LIST", "values": ["u1", "u2"]}    these, and nobody else

Ours has the id "original", and its name holds the JSON that was given, so that 12.5, 150 and 50.0 are shown
as they came. The values of a list are in the condition alone, as a name is short.
"""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from math import ceil
from typing import Any, NamedTuple

from pydantic import ValidationError

from domain.targeting import (
    TARGETING_KEY,
    All,
    Clause,
    Condition,
    Constant,
    Range,
    Rule,
    Serve,
    ServeSplit,
    ServeVariant,
    Split,
)
from domain.values import same

RULE_ID = "original"
BUCKETS = 100  # of algorithm sha1
TYPE, VALUE, VALUES = "type", "value", "values"
PERCENTAGE, USER_LIST = "PERCENTAGE", "USER_LIST"
ALWAYS, NEVER = Constant(constant=True), Constant(constant=False)

Rules = dict[str, Any]
"""The JSON object that the original calls `rules`."""


class Problem(StrEnum):
    NO_OBJECT = "no object"
    UNKNOWN_TYPE = "unknown type"
    NO_NUMBER = "no number"
    NO_TEXTS = "no texts"
    TOO_LARGE = "too large"


class BadRules(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class Variants(NamedTuple):
    """The names that a boolean flag has for true and false."""

    on: str
    off: str


class Given(NamedTuple):
    rules: Rules
    enabled: bool


def rule_of(rules: object, *, flag: str, variants: Variants, enabled: bool) -> Rule:
    """Raises BadRules for what the original would have stored, and then served as false."""
    if not isinstance(rules, dict):
        raise BadRules(Problem.NO_OBJECT)
    said = SAYING.get(_type_of(rules))
    if said is None:
        raise BadRules(Problem.UNKNOWN_TYPE)
    try:
        when, serve = said(rules, flag, variants)
        return Rule(id=RULE_ID, name=_name(rules), when=when if enabled else _disabled(when), serve=serve)
    except ValidationError as problem:
        raise BadRules(Problem.TOO_LARGE) from problem


def given_of(rule: Rule, *, flag: str, variants: Variants) -> Given | None:
    """None for a rule that has come to mean something else than its name says."""
    enabled, when = _switched(rule.when)
    try:
        rules = _unnamed(rule.name, when)
        meant = rule_of(rules, flag=flag, variants=variants, enabled=enabled)
    except (ValueError, BadRules):
        return None
    return Given(rules, enabled) if same(rule, meant) else None


def _type_of(rules: Mapping[str, Any]) -> str:
    kind = rules.get(TYPE)
    return kind if isinstance(kind, str) else ""


def _percentage(rules: Rules, flag: str, variants: Variants) -> tuple[Condition, Serve]:
    value = rules.get(VALUE)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRules(Problem.NO_NUMBER)
    below = ceil(min(BUCKETS, max(0, value)))
    shares = ((variants.on, 0, below), (variants.off, below, BUCKETS))
    ranges = tuple(Range(variant=name, start=start, end=end) for name, start, end in shares if start < end)
    return ALWAYS, ServeSplit(split=Split(ranges=ranges, salt=flag, algorithm="sha1"))


def _user_list(rules: Rules, _: str, variants: Variants) -> tuple[Condition, Serve]:
    """Off for whoever is not listed; those who are fall through to the default, which is on."""
    values = rules.get(VALUES)
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise BadRules(Problem.NO_TEXTS)
    off = ServeVariant(variant=variants.off)
    if not values:
        return ALWAYS, off
    unlisted = Clause(
        attribute=TARGETING_KEY, operator="in", values=tuple(values), negate=True, on_missing="match"
    )
    return unlisted, off


SAYING: Mapping[str, Callable[[Rules, str, Variants], tuple[Condition, Serve]]] = {
    PERCENTAGE: _percentage,
    USER_LIST: _user_list,
}


def _name(rules: Rules) -> str:
    kept = {name: each for name, each in rules.items() if not _is_in_condition(name, rules)}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _unnamed(name: str, when: Condition) -> Any:
    """Raises ValueError for what is no JSON."""
    rules = json.loads(name)
    if isinstance(rules, dict) and _is_in_condition(VALUES, rules):
        rules[VALUES] = list(when.values) if isinstance(when, Clause) else []
    return rules


def _is_in_condition(name: str, rules: Rules) -> bool:
    return name == VALUES and _type_of(rules) == USER_LIST


def _disabled(when: Condition) -> Condition:
    return All(all=(NEVER, when))


def _switched(when: Condition) -> tuple[bool, Condition]:
    """Whether the rule is enabled, and its condition if it is."""
    match when:
        case All(all=(Constant(constant=False), inner)):
            return False, inner
        case _:
            return True, when
