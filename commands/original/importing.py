"""From what stands in the original's tables to the commands that make the same here.

What is here already is left as it is, so that an import can be repeated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError

from commands.importers.imported import Refusal
from commands.models import Command, IssueKey
from commands.original.rules import BadRules, Problem, rule_of
from commands.original.views import ENVIRONMENT, PROJECT, View
from commands.original.writing import ON_OFF, make_flag, put_rule
from domain.access import original_id
from domain.targeting import Rule

RULE_PROBLEMS: Mapping[Problem, str] = {
    Problem.NO_OBJECT: "its rule is no JSON object",
    Problem.UNKNOWN_TYPE: "its rule is neither PERCENTAGE nor USER_LIST, and so served false to everybody",
    Problem.NO_NUMBER: "its rule has no number as value, and so served false to everybody",
    Problem.NO_TEXTS: "its rule has no list of texts as values",
    Problem.TOO_LARGE: "its rule is larger than a rule may be here",
}
DIGEST_DIGITS = frozenset("0123456789abcdef")
DIGEST_LENGTH = 64


class FlagRow(NamedTuple):
    name: str
    description: str
    is_enabled: bool


class RuleRow(NamedTuple):
    flag_name: str
    is_enabled: bool
    rules: Any


class KeyRow(NamedTuple):
    """`key_hash` is SHA-256 of the key in hex, as a digest is here."""

    name: str
    key_hash: str
    is_active: bool


class Tables(NamedTuple):
    flags: list[FlagRow]
    rules: list[RuleRow]
    keys: list[KeyRow]


@dataclass(frozen=True, slots=True)
class Here:
    """What there is in our log: the views of flags by name, and the ids of keys."""

    flags: Mapping[str, View] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()


@dataclass(slots=True)
class Import:
    """`made` are sentences about what the commands make; `inactive` counts keys that are left out."""

    commands: list[Command] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    flags: int = 0
    rules: int = 0
    keys: int = 0
    there: int = 0
    inactive: int = 0


def planned(tables: Tables, here: Here) -> Import:
    plan = Import()
    flags, rules = {row.name: row for row in tables.flags}, {row.flag_name: row for row in tables.rules}
    for name in sorted(flags.keys() | rules.keys()):
        try:
            _plan_flag(plan, here.flags.get(name, View()), flags.get(name), rules.get(name))
        except BadRules as problem:
            plan.refused.append(Refusal(f"flag {name}", RULE_PROBLEMS[problem.problem]))
        except ValidationError as problem:
            plan.refused.append(Refusal(f"flag {name}", problem.errors()[0]["msg"]))
    _plan_keys(plan, here, tables.keys)
    return plan


def _plan_flag(plan: Import, view: View, flag: FlagRow | None, rule: RuleRow | None) -> None:
    name = flag.name if flag else rule.flag_name if rule else ""
    if view.state is not None:
        plan.there += 1
        if not _is_same(view, flag, rule):
            plan.notes.append(f"flag {name} is here already, and is not the same; it is left as it is")
        return
    meant = _rule(rule) if rule else None
    if flag:
        made = make_flag(name, None, description=flag.description, enabled=flag.is_enabled, rule=meant)
        plan.made.append(f"flag {name}, {'on' if flag.is_enabled else 'off'}{_with(rule)}")
    else:
        made = put_rule(name, None, meant)
        plan.made.append(f"the rule of {name}, which has no flag, in a flag that is archived")
    plan.commands += made
    plan.flags += flag is not None
    plan.rules += rule is not None


def _with(rule: RuleRow | None) -> str:
    return f", with the rule {rule.rules}{'' if rule.is_enabled else ' (disabled)'}" if rule else ""


def _rule(row: RuleRow) -> Rule:
    return rule_of(row.rules, flag=row.flag_name, variants=ON_OFF, enabled=row.is_enabled)


def _is_same(view: View, flag: FlagRow | None, rule: RuleRow | None) -> bool:
    flag_here = view.flag and (view.flag.description, view.flag.is_enabled)
    rule_here = view.rule and (view.rule.rules, view.rule.is_enabled)
    return (flag_here, rule_here) == (flag and flag[1:], rule and (rule.rules, rule.is_enabled))


def _plan_keys(plan: Import, here: Here, rows: Iterable[KeyRow]) -> None:
    for row in rows:
        if not row.is_active:
            plan.inactive += 1
        elif not _is_digest(row.key_hash):
            plan.refused.append(Refusal(f"key {row.name}", "its hash is not SHA-256 in hex"))
        elif original_id(row.key_hash) in here.keys:
            plan.there += 1
        else:
            plan.commands.append(_issue(row))
            plan.made.append(f"key {row.name}")
            plan.keys += 1


def _issue(row: KeyRow) -> Command:
    return IssueKey(
        project=PROJECT,
        environment=ENVIRONMENT,
        id=original_id(row.key_hash),
        name=row.name or "unnamed",
        kind="original",
        digest=row.key_hash,
    )


def _is_digest(text: str) -> bool:
    return len(text) == DIGEST_LENGTH and set(text) <= DIGEST_DIGITS
