"""The operations of flagd's JsonLogic that ask something: each said as a condition."""

from collections.abc import Callable, Sequence
from typing import Any

from commands.importers.flagd_coercion import COMPARED, truthy
from commands.importers.flagd_operands import (
    COMPARISONS,
    OPERANDS,
    Attribute,
    Fixed,
    compare,
    contained,
    operand,
    where_missing,
)
from commands.importers.flagd_outcomes import Gives, Leaf, PlainLeaf, Wrong, plain, truth
from commands.importers.flagd_reader import Reader, operation, side
from commands.importers.imported import Unsayable
from commands.importers.saying import (
    NEVER,
    all_of,
    any_of,
    clause,
    constant,
    exists,
    is_list,
    is_text,
    negated,
)
from domain.targeting import Condition

Ask = Callable[[Reader, Sequence[Any]], Condition]


def _two(arguments: Sequence[Any]) -> tuple[Any, Any]:
    first, second, *_ = [*arguments, None, None]
    return first, second


def compare_sides(name: str, reader: Reader, arguments: Sequence[Any]) -> Condition:
    """Two sides, or for an order three: one between the others."""
    if len(arguments) > 2 and name not in {"==", "==="}:
        first, second, third = arguments[:3]
        return all_of(_compare(name, reader, first, second), _compare(name, reader, second, third))
    return _compare(name, reader, *_two(arguments))


def _compare(name: str, reader: Reader, left: Any, right: Any) -> Condition:
    """What is computed on one side is told apart by what comes out."""
    for one, other, asked in ((left, right, name), (right, left, COMPARISONS[name].turned)):
        if operation(one)[0] not in OPERANDS:
            return _computed(asked, reader, one, side(reader, other))
    return compare(name, side(reader, left), side(reader, right))


def _computed(name: str, reader: Reader, expression: Any, other: Fixed | Attribute) -> Condition:
    if isinstance(other, Attribute):
        raise Unsayable(f"'{name}' of '{operation(expression)[0]}' and the attribute '{other.name}'")
    return truth([_answer(name, each, other.value) for each in plain(reader.values(expression))])


def _answer(name: str, leaf: PlainLeaf, other: Any) -> Leaf:
    if isinstance(leaf.outcome, Wrong):
        return Leaf(*leaf)
    return Leaf(leaf.when, Gives(COMPARED[name](leaf.outcome.value, other)))


def opposite(inner: Ask) -> Ask:
    return lambda reader, arguments: negated(inner(reader, arguments))


def truth_of_first(reader: Reader, arguments: Sequence[Any]) -> Condition:
    return reader.condition(arguments[0]) if arguments else NEVER


def all_true(reader: Reader, arguments: Sequence[Any]) -> Condition:
    return all_of(*(reader.condition(each) for each in arguments)) if arguments else NEVER


def any_true(reader: Reader, arguments: Sequence[Any]) -> Condition:
    return any_of(*(reader.condition(each) for each in arguments))


def is_in(reader: Reader, arguments: Sequence[Any]) -> Condition:
    needle, hay = _two(arguments)
    return contained(side(reader, needle), side(reader, hay))


def true_variable(reader: Reader, arguments: Sequence[Any]) -> Condition:
    return _true(operand({"var": list(arguments)}, reader.flag_key))


def true_text(case: str, reader: Reader, arguments: Sequence[Any]) -> Condition:
    return _true(operand({case: list(arguments)}, reader.flag_key))


def _true(found: Fixed | Attribute) -> Condition:
    if isinstance(found, Fixed):
        return constant(truthy(found.value))
    if found.case:
        return where_missing(found, _filled_text(found.name), truthy(found.default))
    filled = any_of(
        is_list(found.name), all_of(exists(found.name), negated(clause(found.name, "in", "", 0, False)))
    )
    return where_missing(found, filled, truthy(found.default))


def _filled_text(attribute: str) -> Condition:
    return all_of(is_text(attribute), negated(clause(attribute, "equals", "")))


def missing(reader: Reader, arguments: Sequence[Any]) -> Condition:
    """Holds if any of these attributes is absent or empty."""
    keys = arguments[0] if arguments and isinstance(arguments[0], list) else arguments
    found = [operand({"var": key}, reader.flag_key) for key in keys]
    return any_of(
        *(any_of(negated(exists(each.name)), clause(each.name, "equals", "")) for each in _attributes(found))
    )


def _attributes(operands: Sequence[Fixed | Attribute]) -> list[Attribute]:
    return [each for each in operands if isinstance(each, Attribute)]
