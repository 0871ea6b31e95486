"""What JsonLogic compares: constants, or one attribute of the context, and how each comparison is said."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from commands.importers.imported import Unsayable
from commands.importers.saying import (
    all_of,
    any_of,
    by_letters,
    clause,
    constant,
    exists,
    is_list,
    is_number,
    negated,
    pointer,
)
from domain.targeting import Condition

FLAG_KEY = "$flagd.flagKey"


class Fixed(NamedTuple):
    value: Any


class Attribute(NamedTuple):
    """`default` is what it counts as where the context does not have it."""

    name: str
    default: Any = None


Operand = Fixed | Attribute
Compare = Callable[[Any, Any], bool]
Say = Callable[[str, Any], Condition]
"""How an attribute against a constant is said."""


def operand(expression: Any, flag_key: str) -> Operand:
    if not isinstance(expression, dict) or len(expression) != 1:
        return Fixed(expression)
    (name, arguments), *_ = expression.items()
    if name == "var":
        return _variable(arguments, flag_key)
    if name == "cat" and not _asks_for_anything(arguments):
        return Fixed("".join(text_of(each) for each in as_list(arguments)))
    raise Unsayable(f"'{name}' where a constant or an attribute would do")


def _asks_for_anything(arguments: Any) -> bool:
    return any(isinstance(each, dict | list) for each in as_list(arguments))


def as_list(arguments: Any) -> list[Any]:
    return arguments if isinstance(arguments, list) else [arguments]


def _variable(arguments: Any, flag_key: str) -> Operand:
    path, default, *_ = [*as_list(arguments), None, None]
    if path == FLAG_KEY:
        return Fixed(flag_key)
    if isinstance(path, bool) or not isinstance(path, str | int) or path == "":
        raise Unsayable("'var' without the name of an attribute")
    if str(path).split(".")[0] == "$flagd":
        raise Unsayable(f"'{path}': rules have no clock and nothing of flagd but its flag key")
    if isinstance(default, dict | list):
        raise Unsayable(f"'var' of '{path}' with a computed default")
    return Attribute(pointer(str(path).split(".")), default)


def text_of(value: Any) -> str:
    """As JavaScript joins values to a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def number_of(value: Any) -> float | None:
    """As JavaScript makes numbers of other values; None for NaN."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool | int | float):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def truthy(value: Any) -> bool:
    return isinstance(value, dict) or bool(value)


def strictly_equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict | list) or isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other)


def loosely_equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    first, second = number_of(one), number_of(other)
    return first is not None and first == second


def _say_strictly_equal(attribute: str, value: Any) -> Condition:
    if value is None:
        return negated(exists(attribute))
    if isinstance(value, dict | list):
        return constant(False)
    return clause(attribute, "equals", value)


def _say_loosely_equal(attribute: str, value: Any) -> Condition:
    """A text also equals the number written in it, and true and false are 1 and 0."""
    if isinstance(value, dict | list) or value is None:
        return _say_strictly_equal(attribute, value)
    number = number_of(value)
    alike = [each for each in (True, False) if number is not None and number == each]
    if isinstance(value, str):
        numbers = [] if number is None else [int(number) if float(number).is_integer() else number]
        return clause(attribute, "equals", value, *numbers, *alike)
    if isinstance(value, bool):
        return clause(attribute, "equals", value, int(value), str(int(value)), *([] if value else [""]))
    number_is = clause(attribute, "eq", value, coerce="lenient")
    empty = [""] if number == 0 else []
    return any_of(number_is, clause(attribute, "equals", *alike, *empty)) if alike else number_is


def _ordering(name: str, holds: Callable[[Any, Any], Any]) -> Say:
    """True, false and the empty text are compared as 1 and 0."""

    def say(attribute: str, value: Any) -> Condition:
        if isinstance(value, str) and number_of(value) is None:
            return by_letters(attribute, value, name)
        if not is_number(value):
            raise Unsayable(f"the order of '{attribute}' and {value!r}")
        alike = [each for each in (True, False, "") if holds(number_of(each), value)]
        size = clause(attribute, name, value, coerce="lenient")
        return any_of(size, clause(attribute, "in", *alike)) if alike else size

    return say


class Comparison(NamedTuple):
    """`turned` is its name with the sides exchanged."""

    fixed: Compare
    say: Say
    turned: str


def _by_size(compare: Callable[[Any, Any], Any]) -> Compare:
    def test(one: Any, other: Any) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            return bool(compare(one, other))
        first, second = number_of(one), number_of(other)
        return first is not None and second is not None and bool(compare(first, second))

    return test


COMPARISONS: Mapping[str, Comparison] = {
    "==": Comparison(loosely_equal, _say_loosely_equal, "=="),
    "===": Comparison(strictly_equal, _say_strictly_equal, "==="),
    "<": Comparison(_by_size(operator.lt), _ordering("lt", operator.lt), ">"),
    "<=": Comparison(_by_size(operator.le), _ordering("le", operator.le), ">="),
    ">": Comparison(_by_size(operator.gt), _ordering("gt", operator.gt), "<"),
    ">=": Comparison(_by_size(operator.ge), _ordering("ge", operator.ge), "<="),
}


def compare(name: str, left: Operand, right: Operand) -> Condition:
    comparison = COMPARISONS[name]
    if isinstance(left, Attribute) and isinstance(right, Attribute):
        raise Unsayable(f"'{name}' of two attributes, '{left.name}' and '{right.name}'")
    if isinstance(left, Attribute):
        assert isinstance(right, Fixed)
        said = comparison.say(left.name, right.value)
        return where_missing(left, said, comparison.fixed(left.default, right.value))
    if isinstance(right, Attribute):
        return compare(comparison.turned, right, left)
    return constant(comparison.fixed(left.value, right.value))


def where_missing(attribute: Attribute, said: Condition, answer: bool) -> Condition:
    """The condition, but with this answer where the context does not have the attribute."""
    if attribute.default is None and not answer:
        return said
    if answer:
        return any_of(negated(exists(attribute.name)), said)
    return all_of(exists(attribute.name), said)


def contained(needle: Operand, hay: Operand) -> Condition:
    if isinstance(needle, Attribute) and isinstance(hay, Attribute):
        raise Unsayable(f"'in' of two attributes, '{needle.name}' and '{hay.name}'")
    if isinstance(hay, Attribute):
        assert isinstance(needle, Fixed)
        return where_missing(hay, _holds_part(hay.name, needle.value), _within(needle.value, hay.default))
    if isinstance(needle, Attribute):
        return where_missing(needle, _one_of(needle.name, hay.value), _within(needle.default, hay.value))
    return constant(_within(needle.value, hay.value))


def _within(needle: Any, hay: Any) -> bool:
    if isinstance(hay, list):
        return any(strictly_equal(needle, each) for each in hay)
    return isinstance(hay, str) and text_of(needle) in hay


def _one_of(attribute: str, hay: Any) -> Condition:
    if isinstance(hay, str):
        raise Unsayable(f"'in' of the attribute '{attribute}' as a part of a fixed text")
    plain = [each for each in hay if isinstance(each, str | int | float)] if isinstance(hay, list) else []
    return clause(attribute, "in", *plain) if plain else constant(False)


def _holds_part(attribute: str, needle: Any) -> Condition:
    """A text has it as a part; a list, as an element."""
    if needle is None or isinstance(needle, dict | list):
        raise Unsayable(f"'in' of {needle!r} in '{attribute}'")
    element = clause(attribute, "equals", needle)
    part = all_of(negated(is_list(attribute)), clause(attribute, "contains", text_of(needle)))
    return any_of(element if isinstance(needle, str) else all_of(is_list(attribute), element), part)
