"""Texts in which upper and lower case are alike, as far as ASCII goes, said as patterns."""

import re

from commands.importers.flagd_coercion import in_case
from commands.importers.saying import NEVER, clause
from domain.targeting import Condition

PLACES = {"whole": r"\A(?:{})\z", "starts_with": r"\A(?:{})", "ends_with": r"(?:{})\z", "part": "(?:{})"}


def in_any_case(attribute: str, case: str, wanted: str, place: str) -> Condition:
    """Whether the attribute in this case is, or at this place has, the text; it cannot have other letters."""
    if in_case(case, wanted) != wanted:
        return NEVER
    return clause(attribute, "matches", PLACES[place].format("".join(_either(letter) for letter in wanted)))


def _either(letter: str) -> str:
    if letter.isascii() and letter.isalpha():
        return f"[{letter.lower()}{letter.upper()}]"
    return re.escape(letter)
