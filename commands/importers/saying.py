"""Parts that importers make rules of: conditions, simplified as they are made, and checked flags."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from commands.importers.imported import Imported, ImportedFlag, Refusal, Unsayable
from domain.references import leaves, served_variants
from domain.targeting import (
    All,
    Any_,
    AnyElement,
    Clause,
    Condition,
    Constant,
    Not,
    Unanswerable,
)
from domain.values import FlagKey, FlagType, VariantName, fits, same

ALWAYS, NEVER = Constant(constant=True), Constant(constant=False)
LAST_BEFORE_SURROGATES = 0xD7FF  # some order by UTF-16, which differs from here on
FLIPPED = {"match": "no_match", "no_match": "match"}
FLAG_TYPES = (FlagType.BOOLEAN, FlagType.STRING, FlagType.INTEGER, FlagType.FLOAT, FlagType.OBJECT)
_FLAG_KEY: TypeAdapter[str] = TypeAdapter(FlagKey)
_VARIANT_NAME: TypeAdapter[str] = TypeAdapter(VariantName)


def constant(value: bool) -> Condition:
    return ALWAYS if value else NEVER


def clause(attribute: str, operator: str, *values: Any, **options: Any) -> Clause:
    """Raises Unsayable where the clause cannot be, such as for a pattern that RE2 does not know."""
    try:
        return Clause.model_validate(
            {"attribute": attribute, "operator": operator, "values": values, **options}
        )
    except ValidationError as problem:
        raise Unsayable(f"attribute '{attribute}': {words(problem)}") from problem


def exists(attribute: str) -> Condition:
    return clause(attribute, "exists")


def is_list(attribute: str) -> Condition:
    """Holds for an array of at least one element."""
    return AnyElement(any_element=attribute, where=ALWAYS)


def is_text(attribute: str) -> Condition:
    """Holds for strings: each contains the empty one."""
    return clause(attribute, "contains", "")


def all_of(*parts: Condition) -> Condition:
    kept: list[Condition] = []
    for part in _flat(parts, All):
        if part == NEVER and not any(_raises(each) for each in kept):
            return NEVER
        if part != ALWAYS and not any(same(part, each) for each in kept):
            kept.append(part)
    return ALWAYS if not kept else kept[0] if len(kept) == 1 else All(all=tuple(kept))


def any_of(*parts: Condition) -> Condition:
    kept: list[Condition] = []
    for part in _flat(parts, Any_):
        if part == ALWAYS and not any(_raises(each) for each in kept):
            return ALWAYS
        if part != NEVER and not any(same(part, each) for each in kept):
            kept.append(part)
    return NEVER if not kept else kept[0] if len(kept) == 1 else Any_(any=tuple(kept))


def negated(condition: Condition) -> Condition:
    match condition:
        case Constant(constant=value):
            return constant(not value)
        case Not(negated=child):
            return child
        case Clause():
            return condition.model_copy(
                update={"negate": not condition.negate, "on_missing": FLIPPED[condition.on_missing]}
            )
        case _:
            return Not(negated=condition)


def _flat(parts: Iterable[Condition], kind: type[All] | type[Any_]) -> Iterable[Condition]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.all if isinstance(part, All) else part.any
        else:
            yield part


def _raises(condition: Condition) -> bool:
    return any(isinstance(leaf, Unanswerable) for leaf in leaves(condition))


def literal_name(name: str) -> str:
    """The attribute of exactly this name, whatever dots or slashes are in it."""
    if not name:
        raise Unsayable("an attribute without a name")
    return pointer([name]) if "." in name or name.startswith("/") else name


def pointer(steps: list[str]) -> str:
    """A path that no key with dots in its name can be taken for."""
    if len(steps) == 1 and steps[0] and "." not in steps[0] and not steps[0].startswith("/"):
        return steps[0]
    return "/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)


def by_letters(attribute: str, wanted: str, operator: str, **options: Any) -> Condition:
    """Texts before or after one in the order of their characters: lt, le, gt or ge."""
    if any(ord(letter) > LAST_BEFORE_SURROGATES for letter in wanted):
        raise Unsayable(f"'{attribute}' in the order of letters against {wanted!r}")
    return clause(attribute, f"text_{operator}", wanted, **options)


def flag_type(values: Iterable[JsonValue]) -> FlagType:
    """The narrowest type that all of them fit, object where they differ in kind."""
    found = list(values)
    return next(each for each in FLAG_TYPES if all(fits(each, value) for value in found))


def checked(flag: ImportedFlag) -> ImportedFlag:
    """Raises Unsayable for a flag that could not be stored or compiled."""
    named(_FLAG_KEY, flag.key, "flag key")
    check_names(flag.variants)
    for name, value in flag.variants.items():
        if _not_finite(value):
            raise Unsayable(f"variant '{name}' has a number that is not finite or beyond 64 bits")
    if unknown := served_variants(flag.targeting) - set(flag.variants):
        raise Unsayable(f"there is no variant '{min(unknown)}'")
    return flag


def check_names(variants: Iterable[str]) -> None:
    for name in variants:
        named(_VARIANT_NAME, name, "variant name")


def named(kind: TypeAdapter[str], name: str, what: str) -> None:
    try:
        kind.validate_python(name)
    except ValidationError as problem:
        raise Unsayable(f"{what} {name!r}: {words(problem)}") from problem


def _not_finite(value: JsonValue) -> bool:
    if isinstance(value, dict | list):
        return any(_not_finite(each) for each in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return not fits(FlagType.FLOAT, value)
    return False


def words(problem: ValidationError) -> str:
    return "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in problem.errors())


def collect(
    imported: Imported, flags: Mapping[str, Any], read_one: Callable[[str, Any], ImportedFlag]
) -> Imported:
    """Reads each flag by itself, so that what one cannot say takes none of the others away."""
    for key, document in flags.items():
        try:
            imported.flags.append(checked(read_one(key, document)))
        except Unsayable as why:
            imported.refused.append(Refusal(f"flag {key}", str(why)))
        except ValidationError as problem:
            imported.refused.append(Refusal(f"flag {key}", words(problem)))
        except RecursionError:
            imported.refused.append(Refusal(f"flag {key}", "its rules are nested too deeply"))
    return imported


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise Unsayable(f"{what} is not an object")


def listing(value: Any, what: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise Unsayable(f"{what} is not a list")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
