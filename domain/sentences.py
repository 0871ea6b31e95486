"""Differences in plain words, for people who never saw the rule language."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from domain.differences import Difference, What
from domain.targeting import Rule
from domain.values import same
from domain.wording import Wording


def sentence(difference: Difference, wording: Wording) -> str:
    """For a person; what is somebody's own word stands between asterisks."""
    return SENTENCES[difference.what](wording, difference)


def sentences(found: Iterable[Difference], wording: Wording) -> tuple[str, ...]:
    return tuple(sentence(each, wording) for each in found)


def happening(event: str, wording: Wording) -> tuple[str, ...]:
    """For the name of an event of a key, a webhook, a change or a plan; of others their differences tell."""
    key = f"happened.{event}"
    return (wording.say(key),) if wording.says(key) else ()


Sentence = Callable[[Wording, Difference], str]


def _flag(wording: Wording, made: Difference) -> str:
    return wording.say(
        "flag.new",
        type=wording.say(f"type.{made.after['type'].value}"),
        flag=made.name,
        variants=wording.named(made.after["variants"], "and"),
    )


def _segment(wording: Wording, made: Difference) -> str:
    return wording.say("segment.new", segment=made.name, condition=wording.condition(made.after.condition))


def _detail(wording: Wording, made: Difference) -> str:
    if not made.after:
        return wording.say(f"{made.name}.gone")
    after = wording.listed(made.after, "and") if isinstance(made.after, tuple) else made.after
    shown = wording.say(f"kind.{after}") if made.name == "kind" else after
    return wording.say(f"{made.name}.set", after=shown)


def _variant(wording: Wording, made: Difference) -> str:
    if made.after is None:
        return wording.say("variant.removed", variant=made.name)
    value = _json(made.after)
    if made.before is None:
        return wording.say("variant.new", variant=made.name, value=value)
    return wording.say("variant.changed", variant=made.name, value=value, before=_json(made.before))


def _json(wrapped: Mapping[str, object]) -> str:
    return json.dumps(wrapped["value"], ensure_ascii=False)


def _rule(wording: Wording, made: Difference) -> str:
    before, after, where = made.before, made.after, made.environment
    if after is None:
        return wording.say("rule.removed", rule=_called(before), environment=where)
    if before is None:
        return wording.say(
            "rule.new",
            rule=_called(after),
            condition=wording.condition(after.when),
            serve=wording.serve(after.serve),
            environment=where,
        )
    changes = wording.joined(_changes_of_rule(wording, before, after), "and")
    return wording.say("rule.changed", rule=_called(before), changes=changes, environment=where)


def _changes_of_rule(wording: Wording, before: Rule, after: Rule) -> Iterable[str]:
    if before.name != after.name:
        yield wording.say("rule.called", name=_called(after))
    if not same(before.when, after.when):
        conditions = {"after": wording.condition(after.when), "before": wording.condition(before.when)}
        yield wording.say("rule.asks", **conditions)
    if not same(before.serve, after.serve):
        yield wording.say("rule.serves", after=wording.serve(after.serve), before=wording.serve(before.serve))


def _called(rule: Rule) -> str:
    return rule.name or rule.id


def _rule_order(wording: Wording, made: Difference) -> str:
    rules = wording.named(made.after, "and")
    return wording.say("rule_order", rules=rules, environment=made.environment)


def _members(wording: Wording, made: Difference) -> str:
    new, gone = (
        [each for each in one if each not in set(other)]
        for one, other in ((made.after, made.before), (made.before, made.after))
    )
    parts = [
        wording.say(f"{made.what}.{how}", names=wording.listed(names, "and"))
        for how, names in (("new", new), ("gone", gone))
        if names
    ]
    return "; ".join(parts) or wording.say(f"{made.what}.order")


def _environment(wording: Wording, made: Difference) -> str:
    key = "environment.new" if made.before is None else "environment.renamed"
    return wording.say(key, name=made.after, environment=made.environment)


def _switched(on: str, off: str) -> Sentence:
    return lambda wording, made: wording.say(on if made.after else off, environment=made.environment)


def _changed(words: Callable[[Wording, Any], str]) -> Sentence:
    """Of what is something else than it was."""
    return lambda wording, made: wording.say(
        made.what,
        after=words(wording, made.after),
        before=words(wording, made.before),
        environment=made.environment,
    )


SENTENCES: Mapping[What, Sentence] = {
    "flag": _flag,
    "segment": _segment,
    "project": lambda wording, made: wording.say("project.new", project=made.name),
    "archived": _switched("archived", "restored"),
    "detail": _detail,
    "variant": _variant,
    "switch": _switched("switch.on", "switch.off"),
    "off_variant": _changed(Wording.variant),
    "default": _changed(Wording.serve),
    "prerequisites": _changed(Wording.prerequisites),
    "targets": _changed(Wording.targets),
    "rule": _rule,
    "rule_order": _rule_order,
    "include": _members,
    "exclude": _members,
    "condition": _changed(Wording.condition),
    "environment": _environment,
    "approvals": lambda wording, made: wording.say(
        "approvals", number=made.after or 0, environment=made.environment
    ),
    "recording": lambda wording, made: wording.say("recording", environment=made.environment),
}
