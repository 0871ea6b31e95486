"""Flags that ask for each other in a circle: Flagsmith leaves out the segments that close one.

It finds a circle only as it comes to it, so what it does is known beforehand where the first condition of
each segment on the way is the one that asks; anything else is refused.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from commands.importers.flagsmith_documents import Document
from commands.importers.flagsmith_paths import Answer, property_of
from commands.importers.flagsmith_segments import conditions_of, property_text, rules_of
from commands.importers.imported import Unsayable

Asked = Mapping[str, set[str]]


def flags_read(segment: Mapping[str, Any], document: Mapping[str, Any]) -> list[str | None]:
    """By each condition in their order: the flag that it asks for."""
    found = []
    for condition in conditions_of(rules_of(segment)):
        asked = property_of(text, document) if (text := property_text(condition)) else None
        found.append(asked.flag if isinstance(asked, Answer) else None)
    return found


class Circles:
    """By places of segments; one that cannot be read asks for nothing here, and is refused elsewhere."""

    def __init__(self, document: Document) -> None:
        self._reads = [_read(segment, document.known) for segment in document.segments]
        self._overridden: dict[str, set[int]] = {}
        for override in document.overrides:
            self._overridden.setdefault(override.feature.name, set()).add(override.segment)
        first = [set(reads[:1]) - {None} for reads in self._reads]
        self._every = [set(reads) - {None} for reads in self._reads]
        self._closed = self._in_circles(first)
        self._perhaps = self._in_circles(self._every)

    def asks(self, place: int) -> bool:
        return any(self._reads[place])

    def closes(self, place: int) -> bool:
        """Raises Unsayable where it depends on who asks."""
        reads = self._reads[place]
        if reads and reads[0] in self._closed:
            return True
        for flag in filter(None, reads):
            if flag in self._perhaps or self._reached(flag, self._every, self._perhaps):
                raise Unsayable(f"a circle of flags that ask for each other, from '{flag}' on")
        return False

    def _in_circles(self, asked: list[set[Any]]) -> set[str]:
        return {flag for flag in self._overridden if self._reached(flag, asked, {flag})}

    def _reached(self, start: str, asked: list[set[Any]], wanted: set[str]) -> bool:
        """Whether asking for a flag comes to one of these, not counting itself at the start."""
        seen: set[str] = set()
        waiting = self._next(start, asked)
        while waiting:
            flag = waiting.pop()
            if flag in wanted:
                return True
            if flag not in seen:
                seen.add(flag)
                waiting |= self._next(flag, asked)
        return False

    def _next(self, flag: str, asked: list[set[Any]]) -> set[str]:
        return {each for place in self._overridden.get(flag, ()) for each in asked[place]}


def _read(segment: Mapping[str, Any], document: Mapping[str, Any]) -> list[str | None]:
    try:
        return flags_read(segment, document)
    except Unsayable:
        return []


def without(refused: Iterable[str], asked: Asked) -> set[str]:
    """The flags that ask for what is refused, or for what then is."""
    gone = set(refused)
    while more := {key for key, flags in asked.items() if key not in gone and flags & gone}:
        gone |= more
    return gone - set(refused)
