"""Flagsmith's segments as conditions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from commands.importers.flagsmith_operators import OPERATORS
from commands.importers.flagsmith_paths import (
    IDENTITY_KEY,
    Answer,
    Key,
    Known,
    Trait,
    property_of,
    value_at,
)
from commands.importers.flagsmith_percentages import at_most, by_identity, has_identity, percentage_holds
from commands.importers.flagsmith_values import Scalar, as_number, cast, holds, in_values
from commands.importers.imported import Unsayable
from commands.importers.saying import (
    NEVER,
    all_of,
    any_of,
    clause,
    constant,
    exists,
    listing,
    mapping,
    negated,
)
from domain.targeting import TARGETING_KEY, Condition, FlagIs, Unanswerable

CONTROL = "control"
NO_KEY = Unanswerable(unanswerable="REGEX of the identity's key, without identity.key")


@dataclass(frozen=True)
class Outcome:
    """What a flag may answer, by the name of our variant; `label` is Flagsmith's name of the variant."""

    name: str
    enabled: bool
    value: Any
    label: str | None


@dataclass(frozen=True)
class Surroundings:
    """What conditions may ask of: what is known of the document, and all that each flag may answer."""

    document: Mapping[str, Any]
    prefix: str
    outcomes: Mapping[str, list[Outcome]] = field(default_factory=dict)


def segment_condition(segment: Mapping[str, Any], around: Surroundings) -> Condition:
    rules = rules_of(segment)
    said = [_rule(mapping(each, "a rule"), key_of(segment), around) for each in rules]
    return all_of(*said) if said else NEVER


def rules_of(segment: Mapping[str, Any]) -> list[Any]:
    return listing(segment.get("rules") or [], "'rules' of a segment")


def key_of(segment: Mapping[str, Any]) -> str:
    return str(segment.get("key", segment.get("id", "")))


def conditions_of(rules: list[Any]) -> Iterator[Mapping[str, Any]]:
    """In the order in which Flagsmith asks them."""
    for rule in (mapping(each, "a rule") for each in rules):
        yield from (mapping(each, "a condition") for each in rule.get("conditions") or [])
        yield from conditions_of(rule.get("rules") or [])


def property_text(condition: Mapping[str, Any]) -> str:
    found = condition.get("property", condition.get("property_")) or ""
    if not isinstance(found, str):
        raise Unsayable(f"a condition on {found!r}")
    return found


def _rule(rule: Mapping[str, Any], segment_key: str, around: Surroundings) -> Condition:
    kind = rule.get("type")
    if kind not in RULE_TYPES:
        raise Unsayable(f"a rule of the type {kind!r}")
    combine = RULE_TYPES[kind]
    conditions = [
        _condition(mapping(each, "a condition"), segment_key, around) for each in rule.get("conditions") or []
    ]
    rules = [_rule(mapping(each, "a rule"), segment_key, around) for each in rule.get("rules") or []]
    return all_of(*(combine(*parts) for parts in (conditions, rules) if parts))


def _none_of(*parts: Condition) -> Condition:
    return negated(any_of(*parts))


RULE_TYPES: Mapping[Any, Callable[..., Condition]] = {"ALL": all_of, "ANY": any_of, "NONE": _none_of}


def _condition(condition: Mapping[str, Any], segment_key: str, around: Surroundings) -> Condition:
    name, text, value = condition.get("operator"), property_text(condition), condition.get("value")
    if name == "PERCENTAGE_SPLIT":
        return _percentage(text, value, segment_key, around)
    if name not in OPERATORS:
        raise Unsayable(f"the operator {name}")
    match property_of(text, around.document):
        case Trait(attribute):
            return OPERATORS[name](attribute, value)
        case Known(known):
            return constant(holds(name, known, value))
        case Answer() as answer:
            return _answer(answer, around, lambda known: holds(name, known, value))
        case Key():
            given = all_of(exists(IDENTITY_KEY), OPERATORS[name](IDENTITY_KEY, value))
            return any_of(
                given, all_of(negated(exists(IDENTITY_KEY)), _of_made_key(name, value, around.prefix))
            )


def _percentage(text: str, value: Any, segment_key: str, around: Surroundings) -> Condition:
    """Inclusive: in up to and with the percentage."""
    if (percentage := as_number(float, value)) is None:
        return NEVER
    found = property_of(text, around.document) if text else Key()
    match found:
        case Key():
            return by_identity(around.prefix, lambda by, prefix: at_most(percentage, by, segment_key, prefix))
        case Trait(attribute):
            booleans = [each for each in (True, False) if percentage_holds(segment_key, each, percentage)]
            are = clause(attribute, "in", *booleans) if booleans else NEVER
            return any_of(at_most(percentage, attribute, segment_key), are)
        case Known(known):
            return constant(known is not None and percentage_holds(segment_key, known, percentage))
        case Answer() as answer:
            return _answer(
                answer,
                around,
                lambda known: known is not None and percentage_holds(segment_key, known, percentage),
            )


def _of_made_key(name: Any, value: Any, prefix: str) -> Condition:
    """The key that Flagsmith makes of the environment's and the identifier, where the context has none."""
    if not prefix:
        return constant(name == "IS_NOT_SET")
    return MADE_KEY[name](value, prefix)


def _identifier_in(values: list[str], prefix: str) -> Condition:
    rests = [each.removeprefix(prefix) for each in values if each.startswith(prefix)]
    return clause(TARGETING_KEY, "in", *rests) if rests else NEVER


def _compared_text(value: Any) -> str | None:
    """None for numbers and versions: the key that is made is neither, by its underscore."""
    found = cast(value)
    return None if found.version is not None else found.text


def _key_is(value: Any, prefix: str) -> Condition:
    return NEVER if (text := _compared_text(value)) is None else _identifier_in([text], prefix)


def _key_is_not(value: Any, prefix: str) -> Condition:
    return NEVER if _compared_text(value) is None else _is_there_and_not(_key_is(value, prefix))


def _key_contains(value: Any, prefix: str) -> Condition:
    """Within the prefix, within the identifier, or across the two."""
    if (text := _compared_text(value)) is None:
        return NEVER
    across = [text[cut:] for cut in range(1, len(text)) if prefix.endswith(text[:cut])]
    starts = clause(TARGETING_KEY, "starts_with", *across, coerce="lenient") if across else NEVER
    within = all_of(constant(text in prefix), exists(TARGETING_KEY))
    return any_of(within, clause(TARGETING_KEY, "contains", text, coerce="lenient"), starts)


def _is_there_and_not(condition: Condition) -> Condition:
    return all_of(exists(TARGETING_KEY), negated(condition))


def _key_in_order(operator: str, name: str) -> Callable[[Any, str], Condition]:
    """By the prefix where it differs, by the identifier against the rest where it does not."""

    def say(value: Any, prefix: str) -> Condition:
        if (text := _compared_text(value)) is None:
            return NEVER
        if text.startswith(prefix):
            return clause(TARGETING_KEY, f"text_{operator}", text.removeprefix(prefix))
        return all_of(constant(holds(name, prefix, value)), exists(TARGETING_KEY))

    return say


MADE_KEY: Mapping[Any, Callable[[Any, str], Condition]] = {
    "EQUAL": _key_is,
    "NOT_EQUAL": _key_is_not,
    "IN": lambda value, prefix: _identifier_in(in_values(value), prefix),
    "CONTAINS": _key_contains,
    "NOT_CONTAINS": lambda value, prefix: _is_there_and_not(_key_contains(str(value), prefix)),
    "IS_SET": lambda value, prefix: exists(TARGETING_KEY),
    "IS_NOT_SET": lambda value, prefix: negated(exists(TARGETING_KEY)),
    "GREATER_THAN": _key_in_order("gt", "GREATER_THAN"),
    "GREATER_THAN_INCLUSIVE": _key_in_order("ge", "GREATER_THAN_INCLUSIVE"),
    "LESS_THAN": _key_in_order("lt", "LESS_THAN"),
    "LESS_THAN_INCLUSIVE": _key_in_order("le", "LESS_THAN_INCLUSIVE"),
    "REGEX": lambda value, prefix: all_of(exists(TARGETING_KEY), NO_KEY),
    "MODULO": lambda value, prefix: NEVER,
}


def _answer(answer: Answer, around: Surroundings, asked: Callable[[Scalar | None], bool]) -> Condition:
    """Who gets one of the other flag's variants for which what is asked holds."""
    found = around.outcomes.get(answer.flag, [])
    if not found:
        return constant(asked(None))
    with_key = _served(answer, found, asked, CONTROL)
    without = _served(answer, found, asked, None)
    if with_key == without:
        return with_key
    return any_of(all_of(has_identity(), with_key), all_of(negated(has_identity()), without))


def _served(
    answer: Answer, found: list[Outcome], asked: Callable[[Scalar | None], bool], control: str | None
) -> Condition:
    held = [each.name for each in found if asked(_part(answer, each, control))]
    if len(held) in {0, len(found)}:
        return constant(bool(held))
    return FlagIs(flag=answer.flag, variants=tuple(held))


def _part(answer: Answer, outcome: Outcome, control: str | None) -> Scalar | None:
    if answer.steps[0] in {"reason", "metadata"}:
        raise Unsayable(f"the {answer.steps[0]} of the flag '{answer.flag}'")
    result = {
        "name": answer.flag,
        "enabled": outcome.enabled,
        "value": outcome.value,
        "variant": control if outcome.label == CONTROL else outcome.label,
    }
    return value_at(result, answer.steps)
