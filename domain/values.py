"""The words everything else is said in: keys, flag types and the values that fit them."""

import json
import math
import unicodedata
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

INTEGER_LIMIT = 2**63  # what JSON readers in other languages and PostgreSQL's bigint can hold
FLAG_KEY_LENGTH = 200
SCALE = 100_000  # weights and thresholds are thousandths of a percent: 100,000 is everybody

ABSENT: Any = Field(default=None, exclude_if=lambda value: value is None)
"""For a field that is left out where it says nothing: what was stored before there was one fits it."""


class Model(BaseModel):
    """Immutable, and strict about names it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class FlagType(StrEnum):
    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    OBJECT = "object"


def _url_safe_name(key: str) -> str:
    if not key.strip() or key != key.strip() or key in {".", ".."}:
        raise ValueError("a key is not blank, does not begin or end with a space, and is not '.' or '..'")
    if "/" in key or any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in key):
        raise ValueError("a key has no '/' and no control characters")
    return key


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""The key of a project or an environment: lower case, digits, '.', '_' and '-'; 64 characters at most."""

FlagKey = Annotated[str, StringConstraints(max_length=FLAG_KEY_LENGTH), AfterValidator(_url_safe_name)]
"""The key of a flag or a segment: any letters of any language, but nothing that breaks a path."""

VariantName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_url_safe_name)]
Text = Annotated[str, StringConstraints(max_length=2_000)]


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < INTEGER_LIMIT


def _is_float(value: object) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


_FITS: Mapping[FlagType, Callable[[object], bool]] = {
    FlagType.BOOLEAN: lambda value: isinstance(value, bool),
    FlagType.STRING: lambda value: isinstance(value, str),
    FlagType.INTEGER: _is_integer,
    FlagType.FLOAT: _is_float,
    FlagType.OBJECT: lambda value: True,
}


def same(one: BaseModel, other: BaseModel) -> bool:
    """Whether two models say the same as JSON, where true is not 1; Python's own == takes them for equal."""
    return one == other and _canonical(one) == _canonical(other)


def _canonical(model: BaseModel) -> str:
    return json.dumps(model.model_dump(mode="json"), sort_keys=True)


def fits(flag_type: FlagType, value: JsonValue) -> bool:
    """Whether a variant of this type may have this value; an integer fits a float flag."""
    return _FITS[flag_type](value)


def as_type(flag_type: FlagType, value: JsonValue) -> JsonValue:
    """The value as a flag of this type serves it: a float flag never serves an integer."""
    if flag_type is FlagType.FLOAT and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
