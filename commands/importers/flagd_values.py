"""The operations of flagd's JsonLogic that give something: each read into leaves."""

from collections.abc import Callable, Sequence
from typing import Any

from commands.importers.flagd_operands import TIMESTAMP, Attribute, Fixed, operand
from commands.importers.flagd_outcomes import (
    Gives,
    Leaf,
    always,
    reachable,
    under,
    wrong,
)
from commands.importers.flagd_reader import Reader, side
from commands.importers.flagd_texts import in_any_case
from commands.importers.flagd_versions import sem_ver
from commands.importers.imported import Unsayable
from commands.importers.saying import clause, exists, is_number, is_text, negated
from domain.targeting import Condition

Read = Callable[[Reader, Sequence[Any]], list[Leaf]]


def choose(reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
    if len(arguments) < 2:
        return reader.leaves(arguments[0]) if arguments else always(None)
    asked, then, *rest = arguments
    return reachable([*under(reader.condition(asked), reader.leaves(then)), *choose(reader, rest)])


def until(settling: bool) -> Read:
    """`and` and `or` give the first value that settles it, or else the last."""

    def read(reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
        if len(arguments) < 2:
            return reader.leaves(arguments[0]) if arguments else always(None)
        holds = reader.condition(arguments[0])
        settled = under(holds if settling else negated(holds), reader.leaves(arguments[0]))
        return reachable([*settled, *read(reader, arguments[1:])])

    return read


def variable(reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
    """The value of an attribute as the name of a variant."""
    found = operand({"var": list(arguments)}, reader.flag_key)
    if isinstance(found, Fixed):
        return always(found.value)
    if not reader.names or found.needed:
        raise Unsayable(f"the attribute '{found.name}' where a value is computed")
    absent = Leaf(negated(exists(found.name)), Gives(found.default))
    named = [Leaf(_is_name(found.name, name), Gives(name)) for name in reader.variants]
    return [absent, *named, *_no_variant(found.name)]


def _is_name(attribute: str, variant: str) -> Condition:
    return clause(attribute, "equals", variant, coerce="lenient")


def _no_variant(attribute: str) -> list[Leaf]:
    return wrong(f"the attribute '{attribute}' is no variant of this flag", "GENERAL")


def variable_in_case(case: str, reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
    """The value of an attribute, in lower or upper case, as the name of a variant."""
    found = operand({case: list(arguments)}, reader.flag_key)
    if isinstance(found, Fixed):
        return always(found.value)
    none = Leaf(negated(is_text(found.name)), Gives(found.default))
    named = [Leaf(in_any_case(found.name, case, name, "whole"), Gives(name)) for name in reader.variants]
    return [none, *reachable([*named, *_no_variant(found.name)])]


def part_of_text(name: str, reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
    """Null, not false, where one side is no text."""
    if len(arguments) != 2:
        return always(None)
    whole, part = (side(reader, each) for each in arguments)
    if isinstance(part, Attribute):
        raise Unsayable(f"'{name}' with the attribute '{part.name}' as the part")
    if not isinstance(part.value, str):
        return always(None)
    if isinstance(whole, Fixed):
        test = {"starts_with": str.startswith, "ends_with": str.endswith}[name]
        return always(test(whole.value, part.value) if isinstance(whole.value, str) else None)
    if whole.default is not None:
        raise Unsayable(f"'{name}' of '{whole.name}' with a default")
    holds = _part_of(whole, name, part.value)
    return [Leaf(holds, Gives(True)), Leaf(is_text(whole.name), Gives(False)), *always(None)]


def _part_of(whole: Attribute, name: str, part: str) -> Condition:
    if whole.case:
        return in_any_case(whole.name, whole.case, part, name)
    return clause(whole.name, name, part)


def compare_versions(reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
    return sem_ver(reader.flag_key, arguments)


def rollout(reader: Reader, arguments: Sequence[Any]) -> list[Leaf]:
    """From one outcome to another in the course of time; on the way, while buckets decide, it is an error."""
    timed = list(arguments) if arguments and is_number(arguments[0]) else list(arguments[1:])
    if len(timed) < 3 or not all(is_number(each) for each in timed[:2]) or timed[0] >= timed[1]:
        return always(None)
    start, end, *outcomes = timed
    before, after = outcomes[:2] if len(outcomes) > 1 else (None, outcomes[0])
    time = {"var": TIMESTAMP}
    return reachable(
        [
            *under(reader.condition({"<=": [time, start]}), reader.leaves(before)),
            *under(reader.condition({">=": [time, end]}), reader.leaves(after)),
            *wrong("a 'rollout' that is under way has no fixed shares"),
        ]
    )
