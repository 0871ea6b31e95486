"""Taking one change back: what it made different is made as it was, where nobody has touched it since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_jsonable_python

from domain.differences import Difference, State, What, differences
from domain.flag import Flag
from domain.project import Project
from domain.rule_order import moved
from domain.segment import Segment
from domain.targeting import Rule

FIELDS: Mapping[What, str] = {
    "switch": "enabled",
    "off_variant": "off_variant",
    "default": "default",
    "prerequisites": "prerequisites",
    "targets": "targets",
}
TABLES: Mapping[What, str] = {
    "environment": "environments",
    "approvals": "approvals",
    "recording": "recordings",
}


@dataclass(frozen=True, slots=True)
class Undone:
    """`state` is what there is to be; `conflicts` are what somebody touched later, left as it is now."""

    state: State
    conflicts: tuple[Difference, ...] = ()


class CannotBeUndone(Exception):
    """There is no way back from this; the sentence says why."""


def undone(before: State | None, after: State, now: State) -> Undone:
    """What one event made of `before` is taken back from `now`. All are states of the same thing.

    Raises CannotBeUndone.
    """
    if before is None:
        return Undone(_gone(now))
    conflicts = []
    for each in differences(before, after):
        order = _order(before, now, each)
        found = _value(now, each, order)
        if _same(found, _value(after, each, order)):
            now = _put_back(before, now, each)
        elif not _same(found, _value(before, each, order)):
            conflicts.append(each)
    return Undone(now, tuple(conflicts))


def _gone(now: State) -> State:
    if isinstance(now, Project):
        raise CannotBeUndone("a project cannot be taken away again")
    return replace(now, archived=True)


def _same(one: object, other: object) -> bool:
    """As JSON, in which true is not 1."""
    return repr(to_jsonable_python(one)) == repr(to_jsonable_python(other))


def _order(before: State, now: State, difference: Difference) -> frozenset[str]:
    """The rules whose order the difference is about: those that were there before and still are."""
    if difference.what != "rule_order" or not (isinstance(before, Flag) and isinstance(now, Flag)):
        return frozenset()
    rules = [flag.targeting(difference.environment).rules for flag in (before, now)]
    ids = [{rule.id for rule in each} for each in rules]
    return frozenset(ids[0] & ids[1])


def _value(state: State, difference: Difference, order: frozenset[str]) -> Any:
    """What the difference is about, as it is in that state."""
    what, environment, name = difference.what, difference.environment, difference.name
    match state:
        case Flag() if environment:
            return _targeting_value(state, difference, order)
        case Flag() if what == "variant":
            return {"value": state.variants[name]} if name in state.variants else None
        case Segment() if what != "archived":
            return getattr(state.definition, name or what)
        case Project() if what != "detail":
            return getattr(state, TABLES[what]).get(environment)
        case _:
            return getattr(state, name or what)


def _targeting_value(flag: Flag, difference: Difference, order: frozenset[str]) -> Any:
    targeting = flag.targeting(difference.environment)
    match difference.what:
        case "rule":
            return next((rule for rule in targeting.rules if rule.id == difference.name), None)
        case "rule_order":
            return [rule.id for rule in targeting.rules if rule.id in order]
        case what:
            return getattr(targeting, FIELDS[what])


def _put_back(before: State, now: State, difference: Difference) -> State:
    """Now, but for the difference."""
    match before, now:
        case Flag(), Flag() if difference.environment:
            return _targeting_put_back(before, now, difference)
        case Flag(), Flag() if difference.what == "variant":
            return replace(now, variants=_variants(before, now, difference.name))
        case Segment(), Segment() if difference.what == "archived":
            raise CannotBeUndone(f"segment '{now.key}' was archived, and archived segments do not come back")
        case Segment(), Segment():
            field = difference.name or difference.what
            wish = {field: getattr(before.definition, field)}
            return replace(now, definition=now.definition.model_copy(update=wish))
        case Project(), Project() if difference.what != "detail":
            return _project_put_back(now, difference)
        case _:
            field = difference.name or difference.what
            return replace(now, **{field: getattr(before, field)})


def _variants(before: Flag, now: Flag, name: str) -> dict[str, Any]:
    if name in before.variants:
        return {**now.variants, name: before.variants[name]}
    return {each: value for each, value in now.variants.items() if each != name}


def _project_put_back(now: Project, difference: Difference) -> Project:
    key, table = difference.environment, TABLES[difference.what]
    if difference.before is None and difference.what == "environment":
        raise CannotBeUndone(f"environment '{key}' cannot be taken away again")
    if difference.before is None and difference.what == "recording":
        raise CannotBeUndone(f"nothing was said of what '{key}' records before; say what it is to be instead")
    others = {each: value for each, value in getattr(now, table).items() if each != key}
    back = {} if difference.before is None else {key: difference.before}
    fields: dict[str, Any] = {table: {**others, **back}}
    return replace(now, **fields)


def _targeting_put_back(before: Flag, now: Flag, difference: Difference) -> Flag:
    environment = difference.environment
    targeting, old = now.targeting(environment), before.targeting(environment)
    wish: dict[str, Any]
    if difference.what == "rule":
        wish = {"rules": _rules(old.rules, targeting.rules, difference)}
    elif difference.what == "rule_order":
        wish = {"rules": _reordered(old.rules, targeting.rules)}
    else:
        wish = {FIELDS[difference.what]: difference.before}
    return replace(now, environments={**now.environments, environment: targeting.model_copy(update=wish)})


def _rules(before: Sequence[Rule], now: Sequence[Rule], difference: Difference) -> tuple[Rule, ...]:
    """With the rule as it was: where it is now, or behind the rule that it was behind, or without it."""
    rule: Rule | None = difference.before
    if rule is None:
        return tuple(each for each in now if each.id != difference.name)
    here = {each.id for each in now}
    if rule.id in here:
        return tuple(rule if each.id == rule.id else each for each in now)
    ids = [each.id for each in before]
    ahead = [each for each in ids[: ids.index(rule.id)] if each in here]
    return moved(now, rule, ahead[-1] if ahead else None)


def _reordered(before: Sequence[Rule], now: Sequence[Rule]) -> tuple[Rule, ...]:
    """Rules that are in both in the order that they had; new ones keep their places."""
    places = {rule.id: place for place, rule in enumerate(before)}
    both = iter(sorted((rule for rule in now if rule.id in places), key=lambda rule: places[rule.id]))
    return tuple(next(both) if rule.id in places else rule for rule in now)
