"""Differences in plain words, for people who never saw the rule language."""

import json
from collections.abc import Callable, Iterable, Mapping

from domain.differences import Difference, What
from domain.targeting import Rule
from domain.values import same
from domain.wording import (
    condition_words,
    listed,
    named,
    prerequisites_words,
    serve_words,
    targets_words,
    variant_words,
)


def sentence(difference: Difference) -> str:
    """For a person; what is somebody's own word stands between asterisks."""
    where = f" in {difference.environment}" if difference.environment else ""
    return SENTENCES[difference.what](difference) + where


def sentences(found: Iterable[Difference]) -> tuple[str, ...]:
    return tuple(sentence(each) for each in found)


def _was(text: str) -> str:
    return f" (before: {text})"


def _rule(difference: Difference) -> str:
    before, after = difference.before, difference.after
    if after is None:
        return f"rule {_called(before)} was removed"
    if before is None:
        asks, serves = condition_words(after.when), serve_words(after.serve)
        return f"new rule {_called(after)}: if {asks}, serve {serves}"
    parts = []
    if before.name != after.name:
        parts.append(f"is now called {_called(after)}")
    if not same(before.when, after.when):
        parts.append(f"now asks: {condition_words(after.when)}{_was(condition_words(before.when))}")
    if not same(before.serve, after.serve):
        parts.append(f"now serves {serve_words(after.serve)}{_was(serve_words(before.serve))}")
    return f"rule {_called(before)} {' and '.join(parts)}"


def _called(rule: Rule) -> str:
    return f"*{rule.name or rule.id}*"


def _variant(difference: Difference) -> str:
    before, after, name = difference.before, difference.after, difference.name
    if after is None:
        return f"variant *{name}* was removed"
    value = json.dumps(after["value"], ensure_ascii=False)
    if before is None:
        return f"new variant *{name}* with the value {value}"
    return f"variant *{name}* is now {value}{_was(json.dumps(before['value'], ensure_ascii=False))}"


def _detail(difference: Difference) -> str:
    name, after = difference.name, difference.after
    if name == "client_visible":
        return f"{'now' if after else 'no longer'} visible to client keys"
    shown = listed(after, "and") if isinstance(after, tuple) else after
    return f"{name} is now “{shown}”" if shown else f"{name} was taken away"


def _members(word: str) -> Callable[[Difference], str]:
    def told(difference: Difference) -> str:
        before, after = difference.before, difference.after
        new = [each for each in after if each not in set(before)]
        gone = [each for each in before if each not in set(after)]
        parts = [f"{listed(new, 'and')} now {word}"] if new else []
        parts += [f"{listed(gone, 'and')} no longer {word}"] if gone else []
        return "; ".join(parts) or f"the order of those {word} changed"

    return told


def _flag(difference: Difference) -> str:
    after = difference.after
    return f"{after['type'].value} flag *{difference.name}* was made, with {named(after['variants'], 'and')}"


def _environment(difference: Difference) -> str:
    after = f"“{difference.after}”"
    return f"a new environment, {after}," if difference.before is None else f"is now called {after}"


SENTENCES: Mapping[What, Callable[[Difference], str]] = {
    "flag": _flag,
    "segment": lambda each: f"segment *{each.name}* was made: {condition_words(each.after.condition)}",
    "project": lambda each: f"project *{each.name}* was made",
    "archived": lambda each: "was archived" if each.after else "was restored",
    "detail": _detail,
    "variant": _variant,
    "switch": lambda each: "was turned on" if each.after else "was turned off",
    "off_variant": lambda each: (
        f"serves {variant_words(each.after)} when off{_was(variant_words(each.before))}"
    ),
    "default": lambda each: (
        f"everybody else now gets {serve_words(each.after)}{_was(serve_words(each.before))}"
    ),
    "prerequisites": lambda each: (
        f"now needs {prerequisites_words(each.after)}{_was(prerequisites_words(each.before))}"
    ),
    "targets": lambda each: f"now gives {targets_words(each.after)}{_was(targets_words(each.before))}",
    "rule": _rule,
    "rule_order": lambda each: f"rules are now asked in the order {named(each.after, 'and')}",
    "include": _members("always in it"),
    "exclude": _members("never in it"),
    "condition": lambda each: (
        f"now holds whom: {condition_words(each.after)}{_was(condition_words(each.before))}"
    ),
    "environment": _environment,
    "approvals": lambda each: f"changes now need {each.after or 0} approvals",
    "recording": lambda each: "what is recorded is another",
}
