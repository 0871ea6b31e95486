"""What differs between two states of a flag, a segment or a project, thing by thing."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from domain.events import RuleAdded, RuleChanged, RuleMoved, RuleRemoved
from domain.flag import Flag
from domain.project import Project
from domain.rule_order import changes_of_rules
from domain.segment import Segment
from domain.targeting import Rule, Targeting
from domain.values import same

What = Literal[
    "flag",
    "segment",
    "project",
    "archived",
    "detail",
    "variant",
    "switch",
    "off_variant",
    "default",
    "prerequisites",
    "targets",
    "rule",
    "rule_order",
    "include",
    "exclude",
    "condition",
    "environment",
    "approvals",
    "recording",
]
DETAILS = ("description", "tags", "owner", "kind", "client_visible")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `environment` is empty where it is about all of them, or about none.

    `name` is the variant's, the detail's or the rule's id. `before` and `after` are what it is, and None
    where it is not there; of `rule_order` they are the ids of the rules in their order.
    """

    what: What
    environment: str = ""
    name: str = ""
    before: Any = None
    after: Any = None


State = Flag | Segment | Project


def differences(before: State | None, after: State) -> tuple[Difference, ...]:
    """Both of the same thing; `before` None is before it was there."""
    return tuple(_differences(before, after))


def _differences(before: State | None, after: State) -> Iterator[Difference]:
    match before, after:
        case (None, Flag() as flag):
            yield Difference("flag", name=flag.key, after={"type": flag.type, "variants": flag.variants})
        case (None, Segment() as segment):
            yield Difference("segment", name=segment.key, after=segment.definition)
        case (None, Project() as project):
            yield Difference("project", name=project.key, after=project.name)
        case (Flag() as flag, Flag() as then):
            yield from _of_flags(flag, then)
        case (Segment() as segment, Segment() as then):
            yield from _of_segments(segment, then)
        case (Project() as project, Project() as then):
            yield from _of_projects(project, then)


def _of_flags(before: Flag, after: Flag) -> Iterator[Difference]:
    yield from _of_fields(before, after, {"archived": "archived"})
    yield from (
        Difference("detail", "", name, getattr(before, name), getattr(after, name))
        for name in DETAILS
        if getattr(before, name) != getattr(after, name)
    )
    yield from _of_variants(before.variants, after.variants)
    for environment in sorted({*before.environments, *after.environments}):
        yield from targeting_differences(
            before.targeting(environment), after.targeting(environment), environment
        )


def _of_variants(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in [*before, *(each for each in after if each not in before)]:
        if name not in before or name not in after or _json(before[name]) != _json(after[name]):
            yield Difference("variant", "", name, _kept(before, name), _kept(after, name))


def _kept(variants: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A variant's value may be null, so it is wrapped."""
    return {"value": variants[name]} if name in variants else None


def targeting_differences(before: Targeting, after: Targeting, environment: str) -> Iterator[Difference]:
    if before.enabled != after.enabled:
        yield Difference("switch", environment, "", before.enabled, after.enabled)
    if before.off_variant != after.off_variant:
        yield Difference("off_variant", environment, "", before.off_variant, after.off_variant)
    if not same(before.default, after.default):
        yield Difference("default", environment, "", before.default, after.default)
    if before.prerequisites != after.prerequisites:
        yield Difference("prerequisites", environment, "", before.prerequisites, after.prerequisites)
    if before.targets != after.targets:
        yield Difference("targets", environment, "", before.targets, after.targets)
    yield from _of_rules(before.rules, after.rules, environment)


def _of_rules(before: tuple[Rule, ...], after: tuple[Rule, ...], environment: str) -> Iterator[Difference]:
    had = {rule.id: rule for rule in before}
    moved = False
    for event in changes_of_rules(environment, before, after):
        match event:
            case RuleAdded(rule=rule) | RuleChanged(rule=rule):
                yield Difference("rule", environment, rule.id, had.get(rule.id), rule)
            case RuleRemoved(rule_id=rule_id):
                yield Difference("rule", environment, rule_id, had[rule_id], None)
            case RuleMoved():
                moved = True
    if moved:
        orders = [tuple(rule.name or rule.id for rule in rules) for rules in (before, after)]
        yield Difference("rule_order", environment, "", *orders)


def _of_segments(before: Segment, after: Segment) -> Iterator[Difference]:
    yield from _of_fields(before, after, {"archived": "archived"})
    one, other = before.definition, after.definition
    for name in ("name", "description"):
        if getattr(one, name) != getattr(other, name):
            yield Difference("detail", "", name, getattr(one, name), getattr(other, name))
    yield from _of_fields(one, other, {"include": "include", "exclude": "exclude"})
    if not same(one.condition, other.condition):
        yield Difference("condition", "", "", one.condition, other.condition)


def _of_projects(before: Project, after: Project) -> Iterator[Difference]:
    if before.name != after.name:
        yield Difference("detail", "", "name", before.name, after.name)
    tables: dict[What, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        "environment": (before.environments, after.environments),
        "approvals": (before.approvals, after.approvals),
        "recording": (before.recordings, after.recordings),
    }
    for what, (one, other) in tables.items():
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                yield Difference(what, key, "", one.get(key), other.get(key))


def _of_fields(before: object, after: object, fields: Mapping[str, What]) -> Iterator[Difference]:
    for name, what in fields.items():
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            yield Difference(what, "", "", one, other)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
