"""What JsonLogic compares: constants, or one attribute of the context, and how each comparison is said."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from commands.importers.flagd_coercion import COMPARED, in_case, number_of, strictly_equal, text_of
from commands.importers.flagd_texts import in_any_case
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
    is_text,
    negated,
    pointer,
)
from domain.targeting import Condition, Unanswerable

FLAG_KEY, TIMESTAMP = "$flagd.flagKey", "$flagd.timestamp"
OPERANDS = {"", "var", "lower", "upper", "cat"}  # a plain value has no name
NO_TIME = Unanswerable(unanswerable=f"the context has no '{TIMESTAMP}', the time in seconds since 1970")


class Fixed(NamedTuple):
    value: Any


class Attribute(NamedTuple):
    """`default` is what it counts as where the context does not have it; `needed`: that is an error.

    `case` is `lower` or `upper` where its text is taken in that case, and what is no text for null.
    """

    name: str
    default: Any = None
    case: str = ""
    needed: bool = False


Operand = Fixed | Attribute
Say = Callable[[str, Any], Condition]
"""How an attribute against a constant is said."""


def operand(expression: Any, flag_key: str) -> Operand:
    if not isinstance(expression, dict) or len(expression) != 1:
        return Fixed(expression)
    (name, arguments), *_ = expression.items()
    if name == "var":
        return _variable(arguments, flag_key)
    if name in {"lower", "upper"}:
        return _in_case(name, as_list(arguments), flag_key)
    if name == "cat" and not _asks_for_anything(arguments):
        return Fixed("".join(text_of(each) for each in as_list(arguments)))
    raise Unsayable(f"'{name}' where a constant or an attribute would do")


def _in_case(case: str, arguments: list[Any], flag_key: str) -> Operand:
    if len(arguments) != 1:
        return Fixed(None)
    found = operand(arguments[0], flag_key)
    if isinstance(found, Fixed):
        return Fixed(in_case(case, found.value))
    return found._replace(case=case, default=in_case(case, found.default))


def _asks_for_anything(arguments: Any) -> bool:
    return any(isinstance(each, dict | list) for each in as_list(arguments))


def as_list(arguments: Any) -> list[Any]:
    return arguments if isinstance(arguments, list) else [arguments]


def _variable(arguments: Any, flag_key: str) -> Operand:
    path, default, *_ = [*as_list(arguments), None, None]
    if path == FLAG_KEY:
        return Fixed(flag_key)
    if path == TIMESTAMP:
        return Attribute(pointer(TIMESTAMP.split(".")), needed=True)
    if isinstance(path, bool) or not isinstance(path, str | int) or path == "":
        raise Unsayable("'var' without the name of an attribute")
    if str(path).split(".")[0] == "$flagd":
        raise Unsayable(f"'{path}': of flagd itself, rules know the flag key and the time only")
    if isinstance(default, dict | list):
        raise Unsayable(f"'var' of '{path}' with a computed default")
    return Attribute(pointer(str(path).split(".")), default)


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

    say: Say
    turned: str


COMPARISONS: Mapping[str, Comparison] = {
    "==": Comparison(_say_loosely_equal, "=="),
    "===": Comparison(_say_strictly_equal, "==="),
    "<": Comparison(_ordering("lt", operator.lt), ">"),
    "<=": Comparison(_ordering("le", operator.le), ">="),
    ">": Comparison(_ordering("gt", operator.gt), "<"),
    ">=": Comparison(_ordering("ge", operator.ge), "<="),
}


def compare(name: str, left: Operand, right: Operand) -> Condition:
    if isinstance(left, Attribute) and isinstance(right, Attribute):
        raise Unsayable(f"'{name}' of two attributes, '{left.name}' and '{right.name}'")
    if isinstance(left, Attribute):
        assert isinstance(right, Fixed)
        said = _said(name, left, right.value)
        return where_missing(left, said, COMPARED[name](left.default, right.value))
    if isinstance(right, Attribute):
        return compare(COMPARISONS[name].turned, right, left)
    return constant(COMPARED[name](left.value, right.value))


def _said(name: str, attribute: Attribute, value: Any) -> Condition:
    if not attribute.case:
        return COMPARISONS[name].say(attribute.name, value)
    if value is None and name in {"==", "==="}:
        return negated(is_text(attribute.name))
    if not isinstance(value, str) or name not in {"==", "==="}:
        raise Unsayable(f"'{name}' of '{attribute.name}' in {attribute.case} case and {value!r}")
    return in_any_case(attribute.name, attribute.case, value, "whole")


def where_missing(attribute: Attribute, said: Condition, answer: bool) -> Condition:
    """The condition, but with this answer where the context does not have the attribute."""
    if attribute.needed:
        return any_of(all_of(negated(exists(attribute.name)), NO_TIME), said)
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
        return where_missing(hay, _holds_part(hay, needle.value), _within(needle.value, hay.default))
    if isinstance(needle, Attribute):
        return where_missing(needle, _one_of(needle, hay.value), _within(needle.default, hay.value))
    return constant(_within(needle.value, hay.value))


def _within(needle: Any, hay: Any) -> bool:
    if isinstance(hay, list):
        return any(strictly_equal(needle, each) for each in hay)
    return isinstance(hay, str) and text_of(needle) in hay


def _one_of(attribute: Attribute, hay: Any) -> Condition:
    if isinstance(hay, str):
        raise Unsayable(f"'in' of the attribute '{attribute.name}' as a part of a fixed text")
    plain = [each for each in hay if isinstance(each, str | int | float)] if isinstance(hay, list) else []
    if attribute.case:
        texts = [each for each in plain if isinstance(each, str)]
        return any_of(*(in_any_case(attribute.name, attribute.case, each, "whole") for each in texts))
    return clause(attribute.name, "in", *plain) if plain else constant(False)


def _holds_part(attribute: Attribute, needle: Any) -> Condition:
    """A text has it as a part; a list, as an element."""
    name = attribute.name
    if needle is None or isinstance(needle, dict | list):
        raise Unsayable(f"'in' of {needle!r} in '{name}'")
    if attribute.case:
        return in_any_case(name, attribute.case, text_of(needle), "part")
    element = clause(name, "equals", needle)
    part = all_of(negated(is_list(name)), clause(name, "contains", text_of(needle)))
    return any_of(element if isinstance(needle, str) else all_of(is_list(name), element), part)
