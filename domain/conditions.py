"""Conditions compiled to predicates: everything that can be known beforehand is worked out once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, assert_never

from pydantic import Field

from domain.bucketing import ALGORITHMS, AlgorithmName
from domain.operators import OPERATORS, Test
from domain.targeting import (
    All,
    Any_,
    AnyElement,
    Clause,
    Condition,
    Constant,
    FlagIs,
    Gate,
    InBucket,
    InSegment,
    Not,
    ProblemCode,
    Unanswerable,
)

Context = Mapping[str, Any]
"""What is known of the subject: JSON values by attribute, `targetingKey` among them."""


class Malformed(Exception):
    """A flag that cannot be answered as it is written. Evaluation turns it into an error of this code."""

    code: ProblemCode = "PARSE_ERROR"

    @classmethod
    def by(cls, problem: Unanswerable) -> "Malformed":
        made = cls(problem.unanswerable)
        made.code = problem.code
        return made


class Scope(Protocol):
    """Where a predicate finds the other flags and segments of its environment."""

    def in_segment(self, key: str, context: Context) -> bool: ...

    def variant_of(self, key: str, context: Context) -> str | None: ...

    def variant_if_on(self, key: str, context: Context) -> str | None: ...


Predicate = Callable[[Context, Scope], bool]
Bucketer = Callable[[Context], int | None]
Decider = Callable[[Context, Scope], "Bucketing | None"]
Watch = Callable[[Condition, Predicate], Predicate]
"""Puts something around each predicate as it is compiled, to see what it is asked and what it answers."""


def unwatched(condition: Condition, predicate: Predicate) -> Predicate:
    return predicate


def compile_condition(condition: Condition, gate_salt: str, watch: Watch = unwatched) -> Predicate:
    return watch(condition, _predicate(condition, gate_salt, watch))


def _predicate(  # noqa: C901, PLR0911 - one line a kind
    condition: Condition, gate_salt: str, watch: Watch
) -> Predicate:
    match condition:
        case All(all=children):
            return _all([compile_condition(child, gate_salt, watch) for child in children])
        case Any_(any=children):
            return _any([compile_condition(child, gate_salt, watch) for child in children])
        case Not(negated=child):
            return _not(compile_condition(child, gate_salt, watch))
        case Clause():
            return _clause(condition)
        case InSegment(segment=key):
            return lambda context, scope: scope.in_segment(key, context)
        case FlagIs(flag=key, variants=variants):
            wanted = frozenset(variants)
            return lambda context, scope: scope.variant_of(key, context) in wanted
        case InBucket(bucket=gate):
            return _in_bucket(gate, gate_salt)
        case AnyElement(any_element=attribute, where=where, whole=whole):
            return _any_element(attribute, compile_condition(where, gate_salt, watch), whole)
        case Constant(constant=constant):
            return lambda context, scope: constant
        case Unanswerable():
            return _unanswerable(condition)
        case _:
            assert_never(condition)


def compile_decider(condition: Condition, gate_salt: str) -> Decider | None:
    """For a condition that holds: what found the bucket that decided it, if one did; None where none can."""
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
            found = gate_bucketing(gate, gate_salt)
            return lambda context, scope: None if found.bucket(context) is None else found
        case _:
            return None


def _decider_of_all(children: list[Decider | None]) -> Decider | None:
    deciders = [child for child in children if child]
    if not deciders:
        return None

    def decide(context: Context, scope: Scope) -> Bucketing | None:
        return next((found for each in deciders if (found := each(context, scope)) is not None), None)

    return decide


def _decider_of_any(branches: list[tuple[Predicate, Decider | None]]) -> Decider | None:
    """The first branch that holds is the one that counts, whether or not it asks for a bucket."""
    if not any(decider for _, decider in branches):
        return None

    def decide(context: Context, scope: Scope) -> Bucketing | None:
        held = next((decider for holds, decider in branches if holds(context, scope)), None)
        return held(context, scope) if held else None

    return decide


def attribute_getter(attribute: str) -> Callable[[Context], Any]:
    """`plan`, `organization.plan` or `/organization/plan`; a key with that very name comes first.

    In an array a step is an index from 0, or `length`: how many elements there are. Null and absent are the
    same: None.
    """
    steps = _steps(attribute)
    if len(steps) == 1:
        name = steps[0]
        return lambda context: context.get(name)

    def get(context: Context) -> Any:
        value: Any = context.get(attribute)
        return value if value is not None else _walk(context, steps)

    return get


def plain_name(attribute: str) -> str | None:
    """The key to look up where the attribute is just that; None for a path."""
    steps = _steps(attribute)
    return steps[0] if len(steps) == 1 else None


def _steps(attribute: str) -> list[str]:
    if attribute.startswith("/"):  # a JSON pointer, RFC 6901
        return [step.replace("~1", "/").replace("~0", "~") for step in attribute[1:].split("/")]
    return attribute.split(".")


def _walk(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, list):
            value = _in_list(value, step)
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def _in_list(elements: list[Any], step: str) -> Any:
    if step == "length":
        return len(elements)
    return elements[int(step)] if step.isdecimal() and int(step) < len(elements) else None


def bucketer(attribute: str, salt: str, algorithm: AlgorithmName, steps: int, prefix: str = "") -> Bucketer:
    """0 to steps - 1; what the algorithm says, None but for one, where the attribute cannot be hashed."""
    get = attribute_getter(attribute)
    hashed, _, missing, read = ALGORITHMS[algorithm]

    def bucket_of(context: Context) -> int | None:
        value = read(get(context))
        if value is None:
            return missing
        return hashed(salt, prefix + value if prefix else value, steps)

    return bucket_of


@dataclass(frozen=True, slots=True)
class Bucketing:
    """How a context finds its bucket. Equal where salt, attribute and algorithm are: the answer is too."""

    by: str
    salt: str
    algorithm: AlgorithmName
    steps: int
    bucket: Annotated[Bucketer, Field(exclude=True)] = field(compare=False, repr=False)
    prefix: Annotated[str, Field(exclude_if=lambda prefix: not prefix)] = ""


def bucketing(by: str, salt: str, algorithm: AlgorithmName, steps: int, prefix: str = "") -> Bucketing:
    return Bucketing(by, salt, algorithm, steps, bucketer(by, salt, algorithm, steps, prefix), prefix)


def gate_bucketing(gate: Gate, gate_salt: str) -> Bucketing:
    salt = gate_salt if gate.salt is None else gate.salt
    return bucketing(gate.by, salt, gate.algorithm, gate.steps, gate.prefix)


def gate_bucketer(gate: Gate, gate_salt: str) -> Bucketer:
    return gate_bucketing(gate, gate_salt).bucket


def _all(children: list[Predicate]) -> Predicate:
    if len(children) == 1:
        return children[0]

    def holds(context: Context, scope: Scope) -> bool:
        for child in children:  # noqa: SIM110 - all() makes a generator for every call, at four times the cost
            if not child(context, scope):
                return False
        return True

    return holds


def _any(children: list[Predicate]) -> Predicate:
    if len(children) == 1:
        return children[0]

    def holds(context: Context, scope: Scope) -> bool:
        for child in children:  # noqa: SIM110 - as above
            if child(context, scope):
                return True
        return False

    return holds


def _not(child: Predicate) -> Predicate:
    return lambda context, scope: not child(context, scope)


def _clause(clause: Clause) -> Predicate:
    get, negate = attribute_getter(clause.attribute), clause.negate
    if clause.operator == "exists":
        return lambda context, scope: (get(context) is not None) != negate
    if (quick := _texts_in(clause)) is not None:
        return quick
    return _general_clause(clause, OPERATORS[clause.operator](clause))


def _general_clause(clause: Clause, test: Test) -> Predicate:
    get, negate = attribute_getter(clause.attribute), clause.negate
    if_missing, each_element = clause.on_missing == "match", not clause.whole

    def holds(context: Context, scope: Scope) -> bool:
        value = get(context)
        if value is None:
            return if_missing
        if isinstance(value, list) and each_element:
            return any(test(each) for each in value) != negate
        return test(value) != negate

    return holds


def _texts_in(clause: Clause) -> Predicate | None:
    """The commonest clause, an attribute in a list of texts, as one look-up; None for any other clause."""
    name = plain_name(clause.attribute)
    plain = clause.coerce == "strict" and not clause.case_insensitive
    if name is None or clause.operator not in {"equals", "in"} or not plain:
        return None
    general = _general_clause(clause, OPERATORS[clause.operator](clause))
    texts, negate = frozenset(value for value in clause.values if isinstance(value, str)), clause.negate

    def holds(context: Context, scope: Scope) -> bool:
        value = context.get(name)
        if value.__class__ is str:
            return (value in texts) != negate
        return general(context, scope)

    return holds


def _in_bucket(gate: Gate, gate_salt: str) -> Predicate:
    bucket_of, at_least, below = gate_bucketer(gate, gate_salt), gate.at_least, gate.below

    def holds(context: Context, scope: Scope) -> bool:
        found = bucket_of(context)
        return found is not None and at_least <= found < below

    return holds


def _any_element(attribute: str, where: Predicate, whole: bool) -> Predicate:
    get, context_of = attribute_getter(attribute), _as_value if whole else _as_context

    def holds(context: Context, scope: Scope) -> bool:
        elements = get(context)
        return isinstance(elements, list) and any(where(context_of(each), scope) for each in elements)

    return holds


def _as_context(element: Any) -> Context:
    return element if isinstance(element, Mapping) else _as_value(element)


def _as_value(element: Any) -> Context:
    return {"value": element}


def _unanswerable(problem: Unanswerable) -> Predicate:
    def holds(context: Context, scope: Scope) -> bool:
        raise Malformed.by(problem)

    return holds
