"""Constraints of Unleash as conditions. Values of its contexts are texts, and are read from texts."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from commands.importers.imported import Unsayable
from commands.importers.saying import NEVER, clause, constant, exists, literal_name
from commands.importers.unleash_document import Constraint
from domain import limits
from domain.dates import instant
from domain.targeting import TARGETING_KEY, Condition
from domain.versions import version

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,2})?", re.ASCII)
EXACT_INTEGERS = 2**53  # beyond it Unleash's floating-point numbers have gaps
CURRENT_TIME = "currentTime"
WHOLE = "; for some of Unleash's clients that ends the strategy, as here, for others the whole feature"
DIFFERS = "; it is inverted, and for some of Unleash's clients that makes it hold"
TIME_NOTE = (
    f"it compares '{CURRENT_TIME}', for which Unleash takes the present where a context has none; give it in "
    "the context, in RFC 3339, or the constraint does not hold"
)

Notes = list[str]
Values = Sequence[str | int | float]


def attribute(context_name: str) -> str:
    """Where a field of Unleash's context is in ours; its user is our subject. Raises Unsayable."""
    name = TARGETING_KEY if context_name == "userId" else literal_name(context_name)
    exists(name)  # raises Unsayable for a name that no attribute can have
    return name


def condition_of(constraint: Constraint, notes: Notes) -> Condition:
    """What is no value to its operator never holds, inverted or not; a note says so."""
    by, said = attribute(constraint.context_name), SAID.get(constraint.operator)
    if said is None:
        notes.append(f"operator '{constraint.operator}' is unknown, and its constraint never holds{WHOLE}")
        return NEVER
    if _asks_the_time(constraint):
        notes.append(TIME_NOTE)
    negate = said.negate != constraint.inverted
    values = said.values(constraint)
    if not values:
        return constant(negate) if said.operator == "in" else _never(constraint, notes)
    matches_missing = negate and not _asks_the_time(constraint)
    return clause(
        by,
        said.operator,
        *values,
        negate=negate,
        case_insensitive=said.folds and constraint.case_insensitive,
        coerce=said.coerce,
        on_missing="match" if matches_missing else "no_match",
    )


def _never(constraint: Constraint, notes: Notes) -> Condition:
    notes.append(
        f"{constraint.operator} of '{constraint.context_name}' has no value that it can compare with, and "
        f"never holds{DIFFERS if constraint.inverted else WHOLE}"
    )
    return NEVER


def _asks_the_time(constraint: Constraint) -> bool:
    return constraint.operator.startswith("DATE_") and constraint.context_name == CURRENT_TIME


def _listed(constraint: Constraint) -> Values:
    return constraint.values


def _networks(constraint: Constraint) -> Values:
    return networks_among(constraint.values)


def networks_among(texts: Sequence[str]) -> list[str]:
    """Unleash skips what is none."""
    return [text for text in texts if _is_network(text)]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _number(constraint: Constraint) -> Values:
    text = (constraint.value or "").strip()
    if not NUMBER.fullmatch(text):
        return ()
    number = float(text)
    return (int(number) if number.is_integer() and abs(number) < EXACT_INTEGERS else number,)


def _date(constraint: Constraint) -> Values:
    return () if instant(constraint.value) is None else (str(constraint.value),)


def _version(constraint: Constraint) -> Values:
    return () if version(constraint.value) is None else (str(constraint.value),)


def _pattern(constraint: Constraint) -> Values:
    """One that is too long for us is not invalid for Unleash; the clause refuses it."""
    value = constraint.value
    if value is None or (len(value) <= limits.PATTERN_LENGTH and not _is_pattern(value)):
        return ()
    return (value,)


def _is_pattern(text: str) -> bool:
    try:
        clause("any", "matches", text)
    except Unsayable:
        return False
    return True


class Said(NamedTuple):
    """How an operator of Unleash is said; no `values` are valid where the function finds none."""

    operator: str
    values: Callable[[Constraint], Values]
    negate: bool = False
    folds: bool = False
    coerce: Literal["strict", "lenient"] = "lenient"


SAID: Mapping[str, Said] = {
    "IN": Said("in", _listed),
    "NOT_IN": Said("in", _listed, negate=True),
    "STR_STARTS_WITH": Said("starts_with", _listed, folds=True),
    "STR_ENDS_WITH": Said("ends_with", _listed, folds=True),
    "STR_CONTAINS": Said("contains", _listed, folds=True),
    "REGEX": Said("matches", _pattern, folds=True),
    "IN_CIDR": Said("in_cidr", _networks),
    "NUM_EQ": Said("eq", _number),
    "NUM_GT": Said("gt", _number),
    "NUM_GTE": Said("ge", _number),
    "NUM_LT": Said("lt", _number),
    "NUM_LTE": Said("le", _number),
    "DATE_AFTER": Said("after", _date, coerce="strict"),
    "DATE_BEFORE": Said("before", _date, coerce="strict"),
    "SEMVER_EQ": Said("semver_eq", _version, coerce="strict"),
    "SEMVER_GT": Said("semver_gt", _version, coerce="strict"),
    "SEMVER_GTE": Said("semver_ge", _version, coerce="strict"),
    "SEMVER_LT": Said("semver_lt", _version, coerce="strict"),
    "SEMVER_LTE": Said("semver_le", _version, coerce="strict"),
}
