"""The rule language: who gets which variant of a flag in one environment.

A whole example, as it is written in JSON:

    {"enabled": true, "off_variant": "off", "default": {"variant": "off"},
     "prerequisites": [{"flag": "new-api", "variants": ["on"]}],
     "targets": [{"variant": "on", "values": ["user-1", "user-2"]}],
     "rules": [{"id": "brazil", "name": "Brazil, a quarter of each company",
                "when": {"all": [{"attribute": "country", "operator": "in", "values": ["BR"]},
                                 {"not": {"segment": "staff"}}]},
                "serve": {"split": {"by": "company", "weights": {"on": 25000, "off": 75000}}}}]}
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, Tag, model_validator

from domain.values import SCALE, FlagKey, Model, Text, VariantName

Attribute = Annotated[str, Field(min_length=1, max_length=256)]
Salt = Annotated[str, Field(min_length=1, max_length=128)]
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Operator = Literal[
    "equals", "in", "contains", "starts_with", "ends_with", "exists", "eq", "lt", "le", "gt", "ge"
]
TARGETING_KEY = "targetingKey"

_TEXT_OPERATORS = {"contains", "starts_with", "ends_with"}
_NUMBER_OPERATORS = {"eq", "lt", "le", "gt", "ge"}


class All(Model):
    """Every one of them holds; an empty list holds."""

    all: tuple["Condition", ...]


class Any_(Model):  # noqa: N801 - `Any` is typing's; the name is never stored
    """At least one of them holds; an empty list does not."""

    any: tuple["Condition", ...]


class Not(Model):
    negated: "Condition" = Field(alias="not")


class Clause(Model):
    """One attribute against a list of values; it holds if any value does.

    An attribute that is an array holds if any of its elements does. A missing attribute never holds,
    negated or not, but for `exists`, which asks just that.
    """

    attribute: Attribute
    operator: Operator
    values: tuple[Scalar, ...] = ()
    negate: bool = False

    @model_validator(mode="after")
    def _values_suit_the_operator(self) -> "Clause":
        if self.operator == "exists":
            if self.values:
                raise ValueError("operator 'exists' takes no values")
        elif not self.values:
            raise ValueError(f"operator '{self.operator}' needs at least one value in 'values'")
        if self.operator in _TEXT_OPERATORS and not all(isinstance(v, str) for v in self.values):
            raise ValueError(f"operator '{self.operator}' compares text: every value is a string")
        if self.operator in _NUMBER_OPERATORS and not all(_is_number(v) for v in self.values):
            raise ValueError(f"operator '{self.operator}' compares numbers: every value is a number")
        return self


class InSegment(Model):
    segment: FlagKey


class FlagIs(Model):
    """Another flag of the project serves one of these variants to this context."""

    flag: FlagKey
    variants: Annotated[tuple[VariantName, ...], Field(min_length=1)]


class Gate(Model):
    """`below` of 100,000 buckets; without a salt of its own, by the gate salt of its flag or segment."""

    by: Attribute = TARGETING_KEY
    below: Annotated[StrictInt, Field(ge=0, le=SCALE)]
    salt: Salt | None = None


class InBucket(Model):
    bucket: Gate


class Constant(Model):
    constant: bool


def _kind(names: Mapping[str, str]) -> Callable[[Any], str | None]:
    """Tells which model of a union is meant by the one name that only that model has."""

    def kind(value: Any) -> str | None:
        if isinstance(value, Mapping):
            found = [names[name] for name in names if name in value]
            return found[0] if len(found) == 1 else None
        return next((tag for tag in names.values() if tag == type(value).__name__), None)

    return kind


_CONDITION_KINDS = {
    "all": "All",
    "any": "Any_",
    "not": "Not",
    "attribute": "Clause",
    "segment": "InSegment",
    "flag": "FlagIs",
    "bucket": "InBucket",
    "constant": "Constant",
}

Condition = Annotated[
    Annotated[All, Tag("All")]
    | Annotated[Any_, Tag("Any_")]
    | Annotated[Not, Tag("Not")]
    | Annotated[Clause, Tag("Clause")]
    | Annotated[InSegment, Tag("InSegment")]
    | Annotated[FlagIs, Tag("FlagIs")]
    | Annotated[InBucket, Tag("InBucket")]
    | Annotated[Constant, Tag("Constant")],
    Discriminator(
        _kind(_CONDITION_KINDS),
        custom_error_type="condition",
        custom_error_message="A condition has exactly one of " + ", ".join(_CONDITION_KINDS),
    ),
]


class ServeVariant(Model):
    variant: VariantName


class Split(Model):
    """Shares of 100,000, laid end to end in the order of the flag's variants.

    The order is the flag's, not the weights', so that raising one share never depends on how a client
    happens to order the keys of a JSON object.
    """

    by: Attribute = TARGETING_KEY
    weights: Annotated[dict[VariantName, Annotated[StrictInt, Field(ge=0, le=SCALE)]], Field(min_length=1)]
    salt: Salt | None = None

    @model_validator(mode="after")
    def _weights_are_everybody(self) -> "Split":
        if (total := sum(self.weights.values())) != SCALE:
            raise ValueError(f"weights sum to {SCALE} (100 %), these sum to {total}")
        return self


class ServeSplit(Model):
    split: Split


class ServeCodeDefault(Model):
    """No value: the caller's own default in code."""

    code_default: Literal[True]


_SERVE_KINDS = {"variant": "ServeVariant", "split": "ServeSplit", "code_default": "ServeCodeDefault"}

Serve = Annotated[
    Annotated[ServeVariant, Tag("ServeVariant")]
    | Annotated[ServeSplit, Tag("ServeSplit")]
    | Annotated[ServeCodeDefault, Tag("ServeCodeDefault")],
    Discriminator(
        _kind(_SERVE_KINDS),
        custom_error_type="serve",
        custom_error_message="What to serve has exactly one of " + ", ".join(_SERVE_KINDS),
    ),
]


class Prerequisite(Model):
    """Another flag must serve one of these variants, or the off variant is served."""

    flag: FlagKey
    variants: Annotated[tuple[VariantName, ...], Field(min_length=1)]


class Target(Model):
    """These subjects get this variant, before any rule is asked."""

    variant: VariantName
    attribute: Attribute = TARGETING_KEY
    values: tuple[StrictStr, ...]


class Rule(Model):
    """An empty id in what a client sends means: give it one."""

    id: Annotated[str, Field(max_length=64)] = ""
    name: Text = ""
    when: Condition
    serve: Serve


class Targeting(Model):
    """What one environment does with a flag; `off_variant` null means the caller's code default."""

    enabled: bool
    off_variant: VariantName | None = None
    default: Serve
    prerequisites: tuple[Prerequisite, ...] = ()
    targets: tuple[Target, ...] = ()
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _rule_ids_are_unique(self) -> "Targeting":
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id and rule.id in seen:
                raise ValueError(f"two rules have the id '{rule.id}'")
            seen.add(rule.id)
        return self


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def leaves(condition: Condition) -> Iterator[Clause | InSegment | FlagIs | InBucket | Constant]:
    """Every leaf of the tree, in reading order."""
    match condition:
        case All(all=children) | Any_(any=children):
            for child in children:
                yield from leaves(child)
        case Not(negated=child):
            yield from leaves(child)
        case _:
            yield condition


def serves(targeting: Targeting) -> Iterator[Serve]:
    yield targeting.default
    yield from (rule.serve for rule in targeting.rules)


def served_variants(targeting: Targeting) -> set[str]:
    """The names of this flag's variants that the targeting mentions anywhere."""
    names = {target.variant for target in targeting.targets}
    if targeting.off_variant is not None:
        names.add(targeting.off_variant)
    for serve in serves(targeting):
        match serve:
            case ServeVariant(variant=variant):
                names.add(variant)
            case ServeSplit(split=split):
                names.update(split.weights)
            case ServeCodeDefault():
                pass
    return names


def segments_asked(conditions: Iterable[Condition]) -> set[str]:
    return {leaf.segment for when in conditions for leaf in leaves(when) if isinstance(leaf, InSegment)}


def segments_asked_by(targeting: Targeting) -> set[str]:
    return segments_asked(rule.when for rule in targeting.rules)


def flags_asked(targeting: Targeting) -> Mapping[str, set[str]]:
    """Key of each other flag whose answer this targeting asks for -> the variants it asks about."""
    asked: dict[str, set[str]] = {}
    for prerequisite in targeting.prerequisites:
        asked.setdefault(prerequisite.flag, set()).update(prerequisite.variants)
    for rule in targeting.rules:
        for leaf in leaves(rule.when):
            if isinstance(leaf, FlagIs):
                asked.setdefault(leaf.flag, set()).update(leaf.variants)
    return asked
