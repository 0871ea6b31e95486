"""JsonLogic as flagd extends it, read into leaves: under which condition a targeting gives what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from commands.importers.flagd_operands import (
    COMPARISONS,
    Attribute,
    Fixed,
    as_list,
    compare,
    contained,
    operand,
    text_of,
    truthy,
    where_missing,
)
from commands.importers.flagd_outcomes import (
    Bucketing,
    Entry,
    Fraction,
    Gives,
    Leaf,
    always,
    fraction,
    is_truthy,
    reachable,
    truth,
    under,
    wrong,
    yes_or_no,
)
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
from domain.targeting import TARGETING_KEY, Condition, Unanswerable
from domain.versions import version

T = TypeVar("T")
LOWEST_VERSION = "0.0.0-0"


@dataclass(frozen=True)
class Logic:
    """Where an expression stands: its flag, and the shared evaluators, those that led here left out."""

    flag_key: str
    variants: tuple[str, ...]
    evaluators: Mapping[str, Any]

    def condition(self, expression: Any) -> Condition:
        """Whether what comes out counts as true."""
        name, arguments = _operation(expression)
        if name == "$ref":
            return self._referred(arguments, Logic.condition, lambda why: Unanswerable(unanswerable=why))
        if name in CONDITIONS:
            return CONDITIONS[name](self, as_list(arguments))
        return truth(self.leaves(expression), "a condition")

    def leaves(self, expression: Any) -> list[Leaf]:
        name, arguments = _operation(expression)
        if not isinstance(expression, dict) or len(expression) != 1:
            return always(_value(expression))
        if name == "$ref":
            return self._referred(arguments, Logic.leaves, wrong)
        if name in UNSAYABLE:
            raise Unsayable(f"the operation '{name}'")
        if name in VALUES:
            return VALUES[name](self, as_list(arguments))
        if name in CONDITIONS:
            return yes_or_no(CONDITIONS[name](self, as_list(arguments)))
        return wrong(f"flagd knows no operation '{name}'")

    def _referred(self, name: Any, read: Callable[["Logic", Any], T], missing: Callable[[str], T]) -> T:
        if not isinstance(name, str) or name not in self.evaluators:
            return missing(f"there is no evaluator '{name}' for this '$ref'")
        others = {key: each for key, each in self.evaluators.items() if key != name}
        return read(replace(self, evaluators=others), self.evaluators[name])


def _operation(expression: Any) -> tuple[str, Any]:
    """No name where it is a plain value."""
    if not isinstance(expression, dict) or len(expression) != 1:
        return "", None
    return next(iter(expression.items()))


def _value(expression: Any) -> Any:
    if isinstance(expression, dict | list):
        raise Unsayable("a list or an object where a value is needed")
    return expression


def _two(arguments: Sequence[Any]) -> tuple[Any, Any]:
    first, second, *_ = [*arguments, None, None]
    return first, second


# Conditions


def _compare(name: str, logic: Logic, arguments: Sequence[Any]) -> Condition:
    sides = [_side(logic, each) for each in [*arguments[:3], None, None][: max(2, len(arguments[:3]))]]
    if len(sides) == 3 and name not in {"==", "==="}:
        return all_of(compare(name, *sides[:2]), compare(name, *sides[1:]))
    return compare(name, *sides[:2])


def _side(logic: Logic, expression: Any) -> Fixed | Attribute:
    return operand(expression, logic.flag_key)


def _compare_with_logic(name: str, logic: Logic, arguments: Sequence[Any]) -> Condition:
    """A comparison of a condition with a boolean, such as whether a `starts_with` is true."""
    left, right = _two(arguments)
    for one, other in ((left, right), (right, left)):
        inner, _ = _operation(one)
        if inner != "var" and (inner in NULLABLE or inner in CONDITIONS or inner == "$ref"):
            return _is_boolean(logic, name, one, other)
    return _compare(name, logic, arguments)


def _is_boolean(logic: Logic, name: str, expression: Any, wanted: Any) -> Condition:
    if not isinstance(wanted, bool):
        raise Unsayable(f"'{name}' of a condition with {wanted!r}")
    given = logic.leaves(expression)
    matching = [Leaf(each.when, Gives(each.outcome == Gives(wanted))) for each in given]
    return truth(matching, f"'{name}'")


def _not(inner: Callable[[Logic, Sequence[Any]], Condition]) -> Callable[[Logic, Sequence[Any]], Condition]:
    return lambda logic, arguments: negated(inner(logic, arguments))


def _truth_of_first(logic: Logic, arguments: Sequence[Any]) -> Condition:
    return logic.condition(arguments[0]) if arguments else NEVER


def _all(logic: Logic, arguments: Sequence[Any]) -> Condition:
    return all_of(*(logic.condition(each) for each in arguments)) if arguments else NEVER


def _any(logic: Logic, arguments: Sequence[Any]) -> Condition:
    return any_of(*(logic.condition(each) for each in arguments))


def _in(logic: Logic, arguments: Sequence[Any]) -> Condition:
    needle, hay = _two(arguments)
    return contained(_side(logic, needle), _side(logic, hay))


def _true_variable(logic: Logic, arguments: Sequence[Any]) -> Condition:
    found = operand({"var": list(arguments)}, logic.flag_key)
    if isinstance(found, Fixed):
        return constant(truthy(found.value))
    filled = any_of(
        is_list(found.name), all_of(exists(found.name), negated(clause(found.name, "in", "", 0, False)))
    )
    return where_missing(found, filled, truthy(found.default))


def _missing(logic: Logic, arguments: Sequence[Any]) -> Condition:
    """Holds if any of these attributes is absent or empty."""
    keys = arguments[0] if arguments and isinstance(arguments[0], list) else arguments
    found = [operand({"var": key}, logic.flag_key) for key in keys]
    return any_of(
        *(any_of(negated(exists(each.name)), clause(each.name, "equals", "")) for each in _attributes(found))
    )


def _attributes(operands: Sequence[Fixed | Attribute]) -> list[Attribute]:
    return [each for each in operands if isinstance(each, Attribute)]


# Values


def _if(logic: Logic, arguments: Sequence[Any]) -> list[Leaf]:
    if len(arguments) < 2:
        return logic.leaves(arguments[0]) if arguments else always(None)
    asked, then, *rest = arguments
    otherwise = _if(logic, rest)
    if _operation(asked)[0] == "fractional":
        return _if_bucket(logic, asked, logic.leaves(then), otherwise)
    return reachable([*under(logic.condition(asked), logic.leaves(then)), *otherwise])


def _if_bucket(logic: Logic, asked: Any, then: list[Leaf], otherwise: list[Leaf]) -> list[Leaf]:
    return reachable(
        leaf for each in logic.leaves(asked) for leaf in under(each.when, _by_share(each, then, otherwise))
    )


def _by_share(leaf: Leaf, then: list[Leaf], otherwise: list[Leaf]) -> list[Leaf]:
    """Each share of a bucketing replaced by what follows from it; without a bucket, the next leaf counts."""
    whole = leaf.outcome
    if not isinstance(whole, Fraction):
        return then if is_truthy(whole, "a condition") else otherwise
    entries: list[Entry] = [
        (then if is_truthy(value, "a share") else otherwise, always(weight)) for value, weight in whole.shares
    ]
    return [
        Leaf(all_of(each.when, whole.has_bucket), each.outcome) if each.outcome == Gives(None) else each
        for each in fraction(whole.bucketing, entries)
    ]


def _until(stops: Callable[[Any], bool]) -> Callable[[Logic, Sequence[Any]], list[Leaf]]:
    """`and` and `or` give the first value that settles it, or else the last."""

    def read(logic: Logic, arguments: Sequence[Any]) -> list[Leaf]:
        if len(arguments) < 2:
            return logic.leaves(arguments[0]) if arguments else always(None)
        rest = read(logic, arguments[1:])
        return reachable(
            found
            for leaf in logic.leaves(arguments[0])
            for found in ([leaf] if stops(is_truthy(leaf.outcome, "a condition")) else under(leaf.when, rest))
        )

    return read


def _variable(logic: Logic, arguments: Sequence[Any]) -> list[Leaf]:
    """The value of an attribute as the name of a variant."""
    found = operand({"var": list(arguments)}, logic.flag_key)
    if isinstance(found, Fixed):
        return always(found.value)
    absent = Leaf(negated(exists(found.name)), Gives(found.default))
    named = [Leaf(clause(found.name, "equals", *_spellings(name)), Gives(name)) for name in logic.variants]
    return [absent, *named, *wrong(f"the attribute '{found.name}' is no variant of this flag")]


def _spellings(variant: str) -> list[Any]:
    return [variant, *(value for value in (True, False) if text_of(value) == variant)]


def _text(name: str, logic: Logic, arguments: Sequence[Any]) -> list[Leaf]:
    """Null, not false, where one side is no text."""
    if len(arguments) != 2:
        return always(None)
    whole, part = (_side(logic, each) for each in arguments)
    if isinstance(part, Attribute):
        raise Unsayable(f"'{name}' with the attribute '{part.name}' as the part")
    if not isinstance(part.value, str):
        return always(None)
    if isinstance(whole, Fixed):
        test = {"starts_with": str.startswith, "ends_with": str.endswith}[name]
        return always(test(whole.value, part.value) if isinstance(whole.value, str) else None)
    if whole.default is not None:
        raise Unsayable(f"'{name}' of '{whole.name}' with a default")
    holds = clause(whole.name, name, part.value)
    return [Leaf(holds, Gives(True)), Leaf(is_text(whole.name), Gives(False)), *always(None)]


VERSION_OPERATORS = {"=": "eq", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _sem_ver(logic: Logic, arguments: Sequence[Any]) -> list[Leaf]:
    """Null where one side is no version; ^ asks for the same major, ~ for the same major and minor."""
    if len(arguments) != 3 or not isinstance(arguments[1], str):
        return always(None)
    left, asked, right = _side(logic, arguments[0]), arguments[1], _side(logic, arguments[2])
    if isinstance(left, Fixed):
        left, asked, right = right, TURNED.get(asked, asked), left
    if isinstance(right, Attribute) or isinstance(left, Fixed):
        raise Unsayable("'sem_ver' compares one attribute with a fixed version")
    if left.default is not None:
        raise Unsayable(f"'sem_ver' of '{left.name}' with a default")
    wanted = text_of(right.value)
    if version(wanted, "lenient") is None or asked not in {*VERSION_OPERATORS, "!=", "^", "~"}:
        return always(None)
    holds, valid = _version_holds(left.name, asked, wanted), _version(left.name, "ge", LOWEST_VERSION)
    return [Leaf(all_of(valid, holds), Gives(True)), Leaf(valid, Gives(False)), *always(None)]


def _version_holds(attribute: str, asked: str, wanted: str) -> Condition:
    parsed = version(wanted, "lenient")
    assert parsed is not None
    if asked == "!=":
        return negated(_version(attribute, "eq", wanted))
    if asked == "^":
        low, high = (parsed.major, 0), (parsed.major + 1, 0)
    elif asked == "~":
        low, high = (parsed.major, parsed.minor), (parsed.major, parsed.minor + 1)
    else:
        return _version(attribute, VERSION_OPERATORS[asked], wanted)
    return all_of(
        _version(attribute, "ge", "{}.{}.0-0".format(*low)),
        _version(attribute, "lt", "{}.{}.0-0".format(*high)),
    )


def _version(attribute: str, name: str, wanted: str) -> Condition:
    return clause(attribute, f"semver_{name}", wanted, coerce="lenient")


def _fractional(logic: Logic, arguments: Sequence[Any]) -> list[Leaf]:
    if not arguments:
        return always(None)
    if isinstance(arguments[0], list):
        return _shares(logic, Bucketing(TARGETING_KEY, logic.flag_key, joined=False), arguments)
    bucketing = _bucketing(logic, arguments[0])
    return always(None) if bucketing is None else _shares(logic, bucketing, arguments[1:])


def _bucketing(logic: Logic, expression: Any) -> Bucketing | None:
    """None where there is nothing to hash: null, or a number, which only flagd's third hash takes."""
    name, arguments = _operation(expression)
    if name == "cat":
        return _joined([_side(logic, each) for each in as_list(arguments)])
    found = _side(logic, expression)
    if isinstance(found, Attribute):
        if found.default is not None:
            raise Unsayable(f"'fractional' by '{found.name}' with a default")
        return Bucketing(found.name, "", joined=False)
    return Bucketing(None, found.value) if isinstance(found.value, str) else None


def _joined(parts: Sequence[Fixed | Attribute]) -> Bucketing:
    *before, last = parts or [Fixed("")]
    if any(isinstance(each, Attribute) for each in before):
        raise Unsayable("'fractional' by a text with an attribute that is not its end")
    salt = "".join(text_of(each.value) for each in before if isinstance(each, Fixed))
    if isinstance(last, Fixed):
        return Bucketing(None, salt + text_of(last.value))
    if last.default is not None:
        raise Unsayable(f"'fractional' by '{last.name}' with a default")
    return Bucketing(last.name, salt)


def _shares(logic: Logic, bucketing: Bucketing, shares: Sequence[Any]) -> list[Leaf]:
    entries: list[Entry] = []
    for share in shares:
        if not isinstance(share, list) or len(share) not in {1, 2}:
            return always(None)
        entries.append((logic.leaves(share[0]), logic.leaves(share[1]) if len(share) == 2 else always(1)))
    return fraction(bucketing, entries)


Read = Callable[[Logic, Sequence[Any]], list[Leaf]]
Ask = Callable[[Logic, Sequence[Any]], Condition]

CONDITIONS: Mapping[str, Ask] = {
    **{name: partial(_compare, name) for name in COMPARISONS},
    "==": partial(_compare_with_logic, "=="),
    "===": partial(_compare_with_logic, "==="),
    "!=": _not(partial(_compare_with_logic, "==")),
    "!==": _not(partial(_compare_with_logic, "===")),
    "in": _in,
    "!": _not(_truth_of_first),
    "!!": _truth_of_first,
    "and": _all,
    "or": _any,
    "var": _true_variable,
    "missing": _missing,
}

NULLABLE: Mapping[str, Read] = {
    "starts_with": partial(_text, "starts_with"),
    "ends_with": partial(_text, "ends_with"),
    "sem_ver": _sem_ver,
}

VALUES: Mapping[str, Read] = {
    **NULLABLE,
    "if": _if,
    "?:": _if,
    "and": _until(lambda value: not value),
    "or": _until(bool),
    "var": _variable,
    "fractional": _fractional,
}

UNSAYABLE = {
    *("+", "-", "*", "/", "%", "min", "max", "cat", "substr", "merge", "log", "missing", "missing_some"),
    *("map", "filter", "reduce", "all", "some", "none"),
}
"""What flagd knows and rules cannot say: arithmetic, texts put together, and going through lists."""
