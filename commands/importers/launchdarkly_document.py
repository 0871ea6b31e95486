"""LaunchDarkly's JSON read with care: what has to be of which kind, and where one is in it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from commands.importers.imported import Unsayable
from commands.importers.saying import ALWAYS, NEVER, listing, mapping
from domain.targeting import All, Any_, Condition, Serve, ServeCodeDefault, ServeVariant, Unanswerable

T = TypeVar("T", bool, int, str)
KINDS: Mapping[type[Any], str] = {bool: "a boolean", int: "a whole number", str: "a text"}
USER = "user"


@dataclass(frozen=True, slots=True)
class Place:
    """`what` is being read; `segments` are those that exist; `notes` are for the whole import."""

    what: str
    segments: Collection[str]
    notes: list[tuple[str, str]]

    def note(self, sentence: str) -> None:
        self.notes.append((self.what, sentence))

    def error(self, problem: str) -> Unanswerable:
        self.note(f"{problem}: an error for whom it is reached, as in LaunchDarkly")
        return Unanswerable(unanswerable=problem)


@dataclass(frozen=True, slots=True)
class FlagPlace:
    """`is_asked`: it is a prerequisite of another flag."""

    place: Place
    key: str
    document: Mapping[str, Any]
    variations: list[Any]
    is_asked: bool

    @property
    def salt(self) -> str:
        return salt_of(self.key, self.document)

    def has(self, variation: int) -> bool:
        return 0 <= variation < len(self.variations)

    def serve(self, variation: int) -> Serve:
        if self.has(variation):
            return ServeVariant(variant=str(variation))
        return self.error(f"variation {variation} does not exist")

    def error(self, problem: str) -> Serve:
        """To a flag that asks for this one it is but another variation than the one it wants."""
        if self.is_asked:
            self.place.note(f"{problem}: here the caller's default, not an error, as other flags ask for it")
            return ServeCodeDefault(code_default=True)
        return self.place.error(problem)


def optional(document: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise Unsayable(f"'{name}' is not {KINDS[kind]}")


def required(document: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = optional(document, name, kind)
    if value is None:
        raise Unsayable(f"'{name}' is missing")
    return value


def values(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    return [] if value is None else listing(value, f"'{name}'")


def texts(document: Mapping[str, Any], name: str) -> list[str]:
    found = values(document, name)
    if not all(isinstance(each, str) for each in found):
        raise Unsayable(f"'{name}' has something else than texts")
    return found


def objects(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [mapping(each, f"a part of '{name}'") for each in values(document, name)]


def context_kind(document: Mapping[str, Any], name: str = "contextKind") -> str:
    return optional(document, name, str) or USER


def salt_of(key: str, document: Mapping[str, Any]) -> str:
    """What a flag or a segment puts before the value in its hash; the key as the document itself has it."""
    own_key = optional(document, "key", str) or key
    return f"{own_key}.{optional(document, 'salt', str) or ''}"


def every(parts: list[Condition]) -> Condition:
    if not parts:
        return ALWAYS
    return parts[0] if len(parts) == 1 else All(all=tuple(parts))


def some(parts: list[Condition]) -> Condition:
    if not parts:
        return NEVER
    return parts[0] if len(parts) == 1 else Any_(any=tuple(parts))
