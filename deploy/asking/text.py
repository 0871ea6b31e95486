"""What others wrote, as text for a terminal; and numbers and moments in words."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

from deploy.told import Told
from domain.wording import ENGLISH

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what moves, colours or turns text round instead of being seen."""

JOINERS = {"\u200c", "\u200d"}  # many scripts, and emoji, are written with them


def plain(text: object) -> str:
    """On one line, with escapes for what cannot be seen."""
    return "".join(map(_shown, str(text)))


def _shown(character: str) -> str:
    if character in JOINERS or unicodedata.category(character) not in HIDDEN:
        return character
    return character.encode("unicode_escape").decode()


def when(at: str, *, utc: bool) -> str:
    """To the second, in the zone of this machine or in UTC; both can be given back as `--at`."""
    moment = datetime.fromisoformat(at)
    if utc:
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return moment.astimezone().isoformat(" ", "seconds")


def moment(given: str, option: str, *, utc: bool, positions: bool = True) -> str:
    """As the API takes it. A time without its zone is one of this machine, or of UTC. Raises Told."""
    if not given or (positions and given.isdecimal()):
        return given
    try:
        found = datetime.fromisoformat(given)
    except ValueError as problem:
        meant = "a position of the log, or a time" if positions else "a time"
        raise Told(f"{option} is {meant} like 2026-11-23T09:30:00Z, not '{plain(given)}'") from problem
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC) if utc else found.astimezone()
    return found.isoformat()


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def shares(found: Mapping[str, int]) -> str:
    """By variant; "" is the code's default."""
    total = sum(found.values())
    code_default = ENGLISH.say("code_default")
    return ", ".join(
        f"{name or code_default} {ENGLISH.percent(n, total)}" for name, n in sorted(found.items())
    )
