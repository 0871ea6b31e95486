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

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, Tag, model_validator

from domain import limits
from domain.bucketing import ALGORITHMS, AlgorithmName
from domain.operators import OPERATORS, Coercion
from domain.values import SCALE, FlagKey, Model, Text, VariantName

Attribute = Annotated[str, Field(min_length=1, max_length=256)]
Salt = Annotated[str, Field(max_length=512)]
Prefix = Annotated[str, Field(max_length=512, exclude_if=lambda prefix: not prefix)]
Value = StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=limits.VALUE_LENGTH)]
TextOperator = Literal[
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "in_cidr",
    "modulo",
    "is_a",
    "same_json",
    "text_lt",
    "text_le",
    "text_gt",
    "text_ge",
]
NumberOperator = Literal["eq", "lt", "le", "gt", "ge"]
DateOperator = Literal["before", "after"]
VersionOperator = Literal[
    "semver_eq", "semver_lt", "semver_le", "semver_gt", "semver_ge", "semver_tilde", "semver_caret"
]
Operator = Literal["equals", "in", "exists"] | TextOperator | NumberOperator | DateOperator | VersionOperator
ProblemCode = Literal["PARSE_ERROR", "GENERAL"]
Steps = Annotated[StrictInt, Field(gt=0, le=2**31)]
TARGETING_KEY = "targetingKey"

_TEXT_VALUES = {*get_args(TextOperator), *get_args(VersionOperator)}
_NUMBER_VALUES = {*get_args(NumberOperator)}


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

    An attribute that is an array holds if any of its elements does. A missing attribute answers `on_missing`,
    negated or not, but for `exists`, which asks just that. `coerce` says what counts as a number, a version
    or a text: `strict` only what is one, `lenient` also what can be read as one; `partial` is strict but for
    versions that leave out minor or patch, `padded` but for versions of any number of parts. With `whole` an
    array is one value and not many.
    """

    attribute: Attribute
    operator: Operator
    values: Annotated[tuple[Value, ...], Field(max_length=limits.VALUES)] = ()
    negate: bool = False
    case_insensitive: bool = False
    coerce: Coercion = "strict"
    on_missing: Literal["no_match", "match"] = "no_match"
    whole: bool = Field(default=False, exclude_if=lambda whole: not whole)

    @model_validator(mode="after")
    def _values_suit_the_operator(self) -> "Clause":
        if self.operator == "exists":
            if self.values:
                raise ValueError("operator 'exists' takes no values")
        elif not self.values:
            raise ValueError(f"operator '{self.operator}' needs at least one value in 'values'")
        if self.operator in _TEXT_VALUES and not all(isinstance(v, str) for v in self.values):
            raise ValueError(f"operator '{self.operator}' compares text: every value is a string")
        if self.operator in _NUMBER_VALUES and not all(_is_number(v) for v in self.values):
            raise ValueError(f"operator '{self.operator}' compares numbers: every value is a number")
        if self.operator == "matches" and any(len(str(v)) > limits.PATTERN_LENGTH for v in self.values):
            raise ValueError(f"a pattern has at most {limits.PATTERN_LENGTH} characters")
        OPERATORS[self.operator](
            self
        )  # raises ValueError for a pattern, version, date or network that is none
        return self


class InSegment(Model):
    segment: FlagKey


class FlagIs(Model):
    """Another flag of the project serves one of these variants to this context."""

    flag: FlagKey
    variants: Annotated[tuple[VariantName, ...], Field(min_length=1)]


class AnyElement(Model):
    """At least one element of an array attribute meets a condition.

    An element that is an object is the condition's context; any other, and with `whole` every one, is the
    attribute `value` of one.
    """

    any_element: Attribute
    where: "Condition"
    whole: bool = Field(default=False, exclude_if=lambda whole: not whole)


class Unanswerable(Model):
    """Asking this is an error of this code; for what an imported flag has wrong in just one place."""

    unanswerable: Text
    code: ProblemCode = Field(default="PARSE_ERROR", exclude_if=lambda code: code == "PARSE_ERROR")


class Gate(Model):
    """Buckets from `at_least` to under `below`, of as many as the algorithm has (native: 100,000), or `of`.

    Without a salt of its own, by the gate salt of its flag or segment. `prefix` stands before the value that
    is hashed.
    """

    by: Attribute = TARGETING_KEY
    prefix: Prefix = ""
    at_least: Annotated[StrictInt, Field(ge=0)] = 0
    below: Annotated[StrictInt, Field(ge=0)]
    of: Steps | None = Field(default=None, exclude_if=lambda of: of is None)
    salt: Salt | None = None
    algorithm: AlgorithmName = "native"

    @model_validator(mode="after")
    def _is_within_the_steps(self) -> "Gate":
        _refuse_bad_steps(self.algorithm, self.of)
        if self.below > self.steps:
            raise ValueError(f"'below' is at most {self.steps} with algorithm '{self.algorithm}'")
        return self

    @property
    def steps(self) -> int:
        """How many buckets there are."""
        steps = ALGORITHMS[self.algorithm].steps or self.of
        assert steps is not None
        return steps


def _refuse_bad_steps(algorithm: AlgorithmName, of: int | None) -> None:
    if (ALGORITHMS[algorithm].steps is None) == (of is None):
        raise ValueError("'of' says how many buckets there are where the algorithm does not, and only there")


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


CONDITION_KINDS = {
    "all": "All",
    "any": "Any_",
    "not": "Not",
    "attribute": "Clause",
    "segment": "InSegment",
    "flag": "FlagIs",
    "bucket": "InBucket",
    "constant": "Constant",
    "any_element": "AnyElement",
    "unanswerable": "Unanswerable",
}

Condition = Annotated[
    Annotated[All, Tag("All")]
    | Annotated[Any_, Tag("Any_")]
    | Annotated[Not, Tag("Not")]
    | Annotated[Clause, Tag("Clause")]
    | Annotated[InSegment, Tag("InSegment")]
    | Annotated[FlagIs, Tag("FlagIs")]
    | Annotated[InBucket, Tag("InBucket")]
    | Annotated[Constant, Tag("Constant")]
    | Annotated[AnyElement, Tag("AnyElement")]
    | Annotated[Unanswerable, Tag("Unanswerable")],
    Discriminator(
        _kind(CONDITION_KINDS),
        custom_error_type="condition",
        custom_error_message="A condition has exactly one of " + ", ".join(CONDITION_KINDS),
    ),
]


class ServeVariant(Model):
    variant: VariantName


class Range(Model):
    """The buckets from `start` to under `end` get this variant."""

    variant: VariantName
    start: Annotated[StrictInt, Field(ge=0)]
    end: Annotated[StrictInt, Field(ge=0)]


class Split(Model):
    """Who gets which variant by bucket, said as `weights` or as `ranges`.

    Weights are shares of 100,000, laid end to end in the order of the flag's variants: the flag's order and
    not the weights', so that raising one share never depends on how a client happens to order the keys of a
    JSON object. `coverage`, of 100,000 too, fills each share only that far from its start; raising it takes
    nobody out, and whoever is outside is as if the split were not there. Ranges say the buckets themselves,
    of the algorithm's steps or, where it has none of its own, of `of`. `prefix` is as in a gate.
    """

    by: Attribute = TARGETING_KEY
    prefix: Prefix = ""
    weights: dict[VariantName, Annotated[StrictInt, Field(ge=0, le=SCALE)]] = Field(default_factory=dict)
    coverage: Annotated[StrictInt, Field(ge=0, le=SCALE)] = SCALE
    ranges: tuple[Range, ...] = ()
    of: Steps | None = None
    salt: Salt | None = None
    algorithm: AlgorithmName = "native"

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Split":
        if bool(self.weights) == bool(self.ranges):
            raise ValueError("a split has either 'weights' or 'ranges'")
        if self.ranges:
            _refuse_bad_ranges(self)
        elif (total := sum(self.weights.values())) != SCALE:
            raise ValueError(f"weights sum to {SCALE} (100 %), these sum to {total}")
        elif ALGORITHMS[self.algorithm].steps != SCALE:
            raise ValueError(f"algorithm '{self.algorithm}' needs 'ranges'")
        return self

    @property
    def steps(self) -> int:
        """How many buckets there are."""
        steps = ALGORITHMS[self.algorithm].steps or self.of
        assert steps is not None
        return steps

    @property
    def variants(self) -> set[str]:
        return set(self.weights) | {each.variant for each in self.ranges}


def _refuse_bad_ranges(split: Split) -> None:
    _refuse_bad_steps(split.algorithm, split.of)
    if split.coverage != SCALE:
        raise ValueError("'coverage' goes with 'weights'; ranges say it themselves")
    ends = sorted((each.start, each.end) for each in split.ranges)
    if any(start > end or end > split.steps for start, end in ends):
        raise ValueError(f"a range lies between 0 and {split.steps}, and its start is not above its end")
    if any(one[1] > other[0] for one, other in pairwise(each for each in ends if each[0] < each[1])):
        raise ValueError("ranges do not overlap")


class ServeSplit(Model):
    split: Split


class ServeCodeDefault(Model):
    """No value: the caller's own default in code."""

    code_default: Literal[True]


SERVE_KINDS = {
    "variant": "ServeVariant",
    "split": "ServeSplit",
    "code_default": "ServeCodeDefault",
    "unanswerable": "Unanswerable",
}

Serve = Annotated[
    Annotated[ServeVariant, Tag("ServeVariant")]
    | Annotated[ServeSplit, Tag("ServeSplit")]
    | Annotated[ServeCodeDefault, Tag("ServeCodeDefault")]
    | Annotated[Unanswerable, Tag("Unanswerable")],
    Discriminator(
        _kind(SERVE_KINDS),
        custom_error_type="serve",
        custom_error_message="What to serve has exactly one of " + ", ".join(SERVE_KINDS),
    ),
]


class Prerequisite(Model):
    """Another flag must be on and serve one of these variants, or the off variant is served."""

    flag: FlagKey
    variants: Annotated[tuple[VariantName, ...], Field(min_length=1)]


class Target(Model):
    """These subjects get this variant, before any rule is asked."""

    variant: VariantName
    attribute: Attribute = TARGETING_KEY
    values: Annotated[tuple[StrictStr, ...], Field(max_length=limits.SUBJECTS)]


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
    prerequisites: Annotated[tuple[Prerequisite, ...], Field(max_length=limits.PREREQUISITES)] = ()
    targets: Annotated[tuple[Target, ...], Field(max_length=limits.TARGETS)] = ()
    rules: Annotated[tuple[Rule, ...], Field(max_length=limits.RULES)] = ()

    @model_validator(mode="after")
    def _rule_ids_are_unique(self) -> "Targeting":
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id and rule.id in seen:
                raise ValueError(f"two rules have the id '{rule.id}'")
            seen.add(rule.id)
        refuse_excess(rule.when for rule in self.rules)
        return self


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def refuse_excess(conditions: Iterable[Condition]) -> None:
    """Raises ValueError for more conditions, or deeper ones, than the table of limits allows."""
    count, waiting = 0, [(condition, 1) for condition in conditions]
    while waiting:
        condition, depth = waiting.pop()
        count += 1
        if depth > limits.DEPTH:
            raise ValueError(f"groups are nested deeper than {limits.DEPTH}")
        if count > limits.CONDITIONS:
            raise ValueError(f"there are more than {limits.CONDITIONS} conditions; put some into a segment")
        waiting.extend((child, depth + 1) for child in children_of(condition))


def children_of(condition: Condition) -> tuple[Condition, ...]:
    match condition:
        case All(all=children) | Any_(any=children):
            return children
        case Not(negated=child) | AnyElement(where=child):
            return (child,)
        case _:
            return ()
