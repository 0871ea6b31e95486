"""Semantic versions as rules compare them (semver.org, 2.0.0)."""

import re
from typing import Any, Literal, NamedTuple

from domain.json_text import number_text

NUMBER = r"(0|[1-9]\d*)"
IDENTIFIER = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
SUFFIX = rf"(?:-({IDENTIFIER}(?:\.{IDENTIFIER})*))?"
BUILD = r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"

PATTERNS = {
    "strict": re.compile(rf"{NUMBER}\.{NUMBER}\.{NUMBER}{SUFFIX}{BUILD}"),
    "partial": re.compile(rf"{NUMBER}(?:\.{NUMBER}(?:\.{NUMBER})?)?{SUFFIX}{BUILD}"),
    "lenient": re.compile(rf"[vV]?{NUMBER}(?:\.{NUMBER}(?:\.{NUMBER})?)?{SUFFIX}{BUILD}"),
}
LENGTH = 256  # nobody's version is longer, and digits beyond that only cost time

PADDED_TO = 5

Identifier = tuple[int, int, str]
"""Numbers before words, numbers by size, words by letters."""


class Version(NamedTuple):
    """Compares as semver.org says: a release is above its own pre-releases. Build metadata is left out."""

    major: int
    minor: int
    patch: int
    release: bool = True
    identifiers: tuple[Identifier, ...] = ()


def version(value: Any, coerce: Literal["strict", "partial", "lenient"] = "strict") -> Version | None:
    """None for what is no version; `partial` may leave out minor and patch.

    `lenient` may also begin with v, or be a number: 1.2 is 1.2.0.
    """
    if coerce == "lenient" and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > LENGTH:
        return None
    found = PATTERNS[coerce].fullmatch(value)
    if not found:
        return None
    major, minor, patch, suffix = found.groups()
    identifiers = tuple(_identifier(each) for each in suffix.split(".")) if suffix else ()
    return Version(int(major), int(minor or 0), int(patch or 0), not suffix, identifiers)


def padded(value: Any) -> str | None:
    """Versions of any number of parts, to be compared as texts: parts that are numbers padded to five digits.

    What follows a plus does not count, nor a `v` in front. Three parts come after the same three with more.
    """
    text = number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > LENGTH:
        return None
    parts = re.split("[-.]", (text or "0").removeprefix("v").partition("+")[0])
    parts += ["~"] if len(parts) == 3 else []
    return "-".join(part.rjust(PADDED_TO) if part.isascii() and part.isdigit() else part for part in parts)


def _identifier(text: str) -> Identifier:
    return (0, int(text), "") if text.isdigit() else (1, 0, text)


def tilde_range(wanted: Version) -> tuple[Version, Version]:
    """From this version to under the next minor one: ~1.2.3 is 1.2.x, from 1.2.3 on."""
    return wanted, Version(wanted.major, wanted.minor + 1, 0, False)


def caret_range(wanted: Version) -> tuple[Version, Version]:
    """To under the next change of the first number that is not zero: ^1.2.3 is 1.x, ^0.2.3 is 0.2.x."""
    major, minor, patch = wanted[:3]
    if major:
        return wanted, Version(major + 1, 0, 0, False)
    if minor:
        return wanted, Version(0, minor + 1, 0, False)
    return wanted, Version(0, 0, patch + 1, False)
