"""JsonLogic as flagd extends it, read into leaves: under which condition a targeting gives what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from commands.importers.flagd_conditions import (
    Ask,
    all_true,
    any_true,
    compare_sides,
    is_in,
    missing,
    opposite,
    true_text,
    true_variable,
    truth_of_first,
)
from commands.importers.flagd_fractions import fractional
from commands.importers.flagd_hashing import HASHINGS, Hashing
from commands.importers.flagd_operands import COMPARISONS, as_list
from commands.importers.flagd_outcomes import Leaf, always, truth, wrong, yes_or_no
from commands.importers.flagd_reader import operation
from commands.importers.flagd_values import (
    Read,
    choose,
    compare_versions,
    part_of_text,
    rollout,
    until,
    variable,
    variable_in_case,
)
from commands.importers.imported import Unsayable
from domain.targeting import Condition, Unanswerable

T = TypeVar("T")


@dataclass(frozen=True)
class Logic:
    """Where an expression stands: its flag, and the shared evaluators, those that led here left out."""

    flag_key: str
    variants: tuple[str, ...]
    evaluators: Mapping[str, Any]
    hashing: Hashing = HASHINGS[2]
    names: bool = True

    def condition(self, expression: Any) -> Condition:
        """Whether what comes out counts as true."""
        name, arguments = operation(expression)
        if name == "$ref":
            return self._referred(arguments, Logic.condition, lambda why: Unanswerable(unanswerable=why))
        if (unknown := _unknown(arguments)) is not None:
            return Unanswerable(unanswerable=unknown)
        if name in CONDITIONS:
            return CONDITIONS[name](self, as_list(arguments))
        return truth(self.values(expression))

    def leaves(self, expression: Any) -> list[Leaf]:
        name, arguments = operation(expression)
        if not isinstance(expression, dict) or len(expression) != 1:
            return always(_value(expression))
        if name == "$ref":
            return self._referred(arguments, Logic.leaves, wrong)
        if name in UNSAYABLE:
            raise Unsayable(f"the operation '{name}'")
        if (unknown := _unknown(arguments)) is not None:
            return wrong(unknown)
        if name in VALUES:
            return VALUES[name](self, as_list(arguments))
        if name in CONDITIONS:
            return yes_or_no(CONDITIONS[name](self, as_list(arguments)))
        return wrong(_nooperation(name))

    def values(self, expression: Any) -> list[Leaf]:
        return replace(self, names=False).leaves(expression)

    def _referred(self, name: Any, read: Callable[["Logic", Any], T], missing: Callable[[str], T]) -> T:
        if not isinstance(name, str) or name not in self.evaluators:
            return missing(f"there is no evaluator '{name}' for this '$ref'")
        others = {key: each for key, each in self.evaluators.items() if key != name}
        return read(replace(self, evaluators=others), self.evaluators[name])


def _unknown(arguments: Any) -> str | None:
    """Why, where one of them is an operation that flagd does not know either."""
    names = (operation(each)[0] for each in as_list(arguments))
    return next((_nooperation(name) for name in names if name and name not in KNOWN), None)


def _nooperation(name: str) -> str:
    return f"flagd knows no operation '{name}'"


def _value(expression: Any) -> Any:
    if isinstance(expression, dict | list):
        raise Unsayable("a list or an object where a value is needed")
    return expression


CONDITIONS: Mapping[str, Ask] = {
    **{name: partial(compare_sides, name) for name in COMPARISONS},
    "!=": opposite(partial(compare_sides, "==")),
    "!==": opposite(partial(compare_sides, "===")),
    "in": is_in,
    "!": opposite(truth_of_first),
    "!!": truth_of_first,
    "and": all_true,
    "or": any_true,
    "var": true_variable,
    "missing": missing,
    "lower": partial(true_text, "lower"),
    "upper": partial(true_text, "upper"),
}

VALUES: Mapping[str, Read] = {
    "starts_with": partial(part_of_text, "starts_with"),
    "ends_with": partial(part_of_text, "ends_with"),
    "sem_ver": compare_versions,
    "if": choose,
    "?:": choose,
    "and": until(False),
    "or": until(True),
    "var": variable,
    "lower": partial(variable_in_case, "lower"),
    "upper": partial(variable_in_case, "upper"),
    "fractional": fractional,
    "rollout": rollout,
}

UNSAYABLE = {
    *("+", "-", "*", "/", "%", "min", "max", "cat", "substr", "merge", "log", "missing", "missing_some"),
    *("map", "filter", "reduce", "all", "some", "none"),
}
"""What flagd knows and rules cannot say: arithmetic, texts put together, and going through lists."""

KNOWN = {*CONDITIONS, *VALUES, *UNSAYABLE, "$ref"}
