"""Conditions compiled to predicates: everything that can be known beforehand is worked out once."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, assert_never

from domain.bucketing import bucket, bucketing_value
from domain.operators import OPERATORS
from domain.targeting import All, Any_, Clause, Condition, Constant, FlagIs, Gate, InBucket, InSegment, Not

Context = Mapping[str, Any]
"""What is known of the subject: JSON values by attribute, `targetingKey` among them."""


class Scope(Protocol):
    """Where a predicate finds the other flags and segments of its environment."""

    def in_segment(self, key: str, context: Context) -> bool: ...

    def variant_of(self, key: str, context: Context) -> str | None: ...


Predicate = Callable[[Context, Scope], bool]
Bucketer = Callable[[Context], int | None]
Decider = Callable[[Context, Scope], int | None]


def compile_condition(condition: Condition, gate_salt: str) -> Predicate:  # noqa: C901, PLR0911 - one line a kind
    match condition:
        case All(all=children):
            return _all([compile_condition(child, gate_salt) for child in children])
        case Any_(any=children):
            return _any([compile_condition(child, gate_salt) for child in children])
        case Not(negated=child):
            return _not(compile_condition(child, gate_salt))
        case Clause():
            return _clause(condition)
        case InSegment(segment=key):
            return lambda context, scope: scope.in_segment(key, context)
        case FlagIs(flag=key, variants=variants):
            wanted = frozenset(variants)
            return lambda context, scope: scope.variant_of(key, context) in wanted
        case InBucket(bucket=gate):
            return _in_bucket(gate, gate_salt)
        case Constant(constant=constant):
            return lambda context, scope: constant
        case _:
            assert_never(condition)


def compile_decider(condition: Condition, gate_salt: str) -> Decider | None:
    """For a condition that holds: the bucket that decided it, if one did; None where none ever can."""
    match condition:
        case All(all=children):
            return _decider_of_all([compile_decider(child, gate_salt) for child in children])
        case Any_(any=children):
            return _decider_of_any(
                [
                    (compile_condition(child, gate_salt), compile_decider(child, gate_salt))
                    for child in children
                ]
            )
        case Not(negated=child):
            return compile_decider(child, gate_salt)
        case InBucket(bucket=gate):
            bucket_of = bucketer(gate.by, gate.salt or gate_salt)
            return lambda context, scope: bucket_of(context)
        case _:
            return None


def _decider_of_all(children: list[Decider | None]) -> Decider | None:
    deciders = [child for child in children if child]
    if not deciders:
        return None

    def decide(context: Context, scope: Scope) -> int | None:
        return next((found for each in deciders if (found := each(context, scope)) is not None), None)

    return decide


def _decider_of_any(branches: list[tuple[Predicate, Decider | None]]) -> Decider | None:
    """The first branch that holds is the one that counts, whether or not it asks for a bucket."""
    if not any(decider for _, decider in branches):
        return None

    def decide(context: Context, scope: Scope) -> int | None:
        held = next((decider for holds, decider in branches if holds(context, scope)), None)
        return held(context, scope) if held else None

    return decide


def attribute_getter(attribute: str) -> Callable[[Context], Any]:
    """`plan`, `organization.plan` or `/organization/plan`; a key with that very name comes first.

    Null and absent are the same: None.
    """
    steps = _steps(attribute)
    if len(steps) == 1:
        name = steps[0]
        return lambda context: context.get(name)

    def get(context: Context) -> Any:
        value: Any = context.get(attribute)
        return value if value is not None else _walk(context, steps)

    return get


def _steps(attribute: str) -> list[str]:
    if attribute.startswith("/"):  # a JSON pointer, RFC 6901
        return [step.replace("~1", "/").replace("~0", "~") for step in attribute[1:].split("/")]
    return attribute.split(".")


def _walk(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def bucketer(attribute: str, salt: str) -> Bucketer:
    """None where the attribute is missing or cannot be hashed."""
    get = attribute_getter(attribute)

    def bucket_of(context: Context) -> int | None:
        value = bucketing_value(get(context))
        return None if value is None else bucket(salt, value)

    return bucket_of


def _all(children: list[Predicate]) -> Predicate:
    if len(children) == 1:
        return children[0]

    def holds(context: Context, scope: Scope) -> bool:
        return all(child(context, scope) for child in children)

    return holds


def _any(children: list[Predicate]) -> Predicate:
    def holds(context: Context, scope: Scope) -> bool:
        return any(child(context, scope) for child in children)

    return holds


def _not(child: Predicate) -> Predicate:
    return lambda context, scope: not child(context, scope)


def _clause(clause: Clause) -> Predicate:
    get, negate = attribute_getter(clause.attribute), clause.negate
    test = OPERATORS[clause.operator](clause.values)
    if clause.operator == "exists":
        return lambda context, scope: (get(context) is not None) != negate

    def holds(context: Context, scope: Scope) -> bool:
        value = get(context)
        if value is None:
            return False
        if isinstance(value, list):
            return any(test(each) for each in value) != negate
        return test(value) != negate

    return holds


def _in_bucket(gate: Gate, gate_salt: str) -> Predicate:
    bucket_of, below = bucketer(gate.by, gate.salt or gate_salt), gate.below

    def holds(context: Context, scope: Scope) -> bool:
        found = bucket_of(context)
        return found is not None and found < below

    return holds
