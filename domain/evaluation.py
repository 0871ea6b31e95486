"""Who gets which variant, and why: a flag's targeting compiled once, then asked many times.

The order of the steps is the product's promise (docs/evaluation.md): off, prerequisites, individual targets,
rules from first to last, default.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, Literal, NamedTuple, Protocol, assert_never

from pydantic import JsonValue

from domain.bucketing import bucketing_value
from domain.conditions import (
    Context,
    Predicate,
    Scope,
    attribute_getter,
    bucketer,
    compile_condition,
    compile_decider,
)
from domain.targeting import (
    TARGETING_KEY,
    Prerequisite,
    Rule,
    Serve,
    ServeCodeDefault,
    ServeSplit,
    ServeVariant,
    Split,
    Target,
    Targeting,
    served_variants,
)
from domain.values import FlagType, Model

Reason = Literal["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "ERROR"]
ErrorCode = Literal["FLAG_NOT_FOUND", "PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]


class Malformed(Exception):
    """A flag that cannot be answered as it is written."""


class Evaluation(NamedTuple):
    """`variant` None without an error means: the caller's code default. `bucket` is 0 to 99,999."""

    value: JsonValue
    variant: str | None
    reason: Reason
    flag_version: int = 0
    rule_id: str | None = None
    why: str | None = None
    bucket: int | None = None
    error_code: ErrorCode | None = None
    error_details: str | None = None


class FlagDocument(Model):
    """A flag as one environment's evaluators read it."""

    key: str
    type: FlagType
    variants: dict[str, JsonValue]
    gate_salt: str
    split_salt: str
    client_visible: bool
    version: int
    targeting: Targeting


class CompiledFlag(NamedTuple):
    key: str
    type: FlagType
    client_visible: bool
    version: int
    decide: "Step"


class Flags(Scope, Protocol):
    @property
    def flags(self) -> Mapping[str, CompiledFlag]: ...


Step = Callable[[Context, Scope], Evaluation]
Server = Callable[[Context], Evaluation | None]


def evaluate(ruleset: Flags, key: str, context: Context) -> Evaluation:
    """Total: whatever the flag and the context hold, there is an answer and no exception."""
    flag = ruleset.flags.get(key)
    if flag is None:
        return _error("FLAG_NOT_FOUND", f"there is no flag '{key}' in this environment")
    try:
        return flag.decide(context, ruleset)
    except Malformed as problem:
        return _error("PARSE_ERROR", f"flag '{key}': {problem}", flag.version)
    except Exception as problem:  # evaluation is total; the caller gets its own default
        return _error("GENERAL", f"flag '{key}': {problem!r}", flag.version)


def _error(code: ErrorCode, details: str, version: int = 0) -> Evaluation:
    return Evaluation(None, None, "ERROR", version, error_code=code, error_details=details)


def compile_flag(document: FlagDocument) -> CompiledFlag:
    """Raises Malformed when the targeting names a variant that the flag does not have."""
    if unknown := served_variants(document.targeting) - set(document.variants):
        raise Malformed(f"there is no variant '{min(unknown)}'")
    decide = _compile_targeting(document)
    return CompiledFlag(document.key, document.type, document.client_visible, document.version, decide)


def broken_flag(key: str, problem: str) -> CompiledFlag:
    """Stands for a flag that cannot be compiled and was never seen in a good state."""

    def decide(context: Context, scope: Scope) -> Evaluation:
        raise Malformed(problem)

    return CompiledFlag(key, FlagType.OBJECT, False, 0, decide)


def _compile_targeting(flag: FlagDocument) -> Step:
    targeting = flag.targeting
    off = _fixed(flag, targeting.off_variant, "DISABLED")
    if not targeting.enabled:
        return lambda context, scope: off
    prerequisites = [_compile_prerequisite(flag, each) for each in targeting.prerequisites]
    target = _compile_targets(flag, targeting.targets)
    rules = [_compile_rule(flag, rule) for rule in targeting.rules]
    default = _compile_default(flag)

    def decide(context: Context, scope: Scope) -> Evaluation:
        for met, otherwise in prerequisites:
            if not met(context, scope):
                return otherwise
        if target and (answer := target(context)):
            return answer
        for holds, serve in rules:
            if holds(context, scope) and (served := serve(context, scope)):
                return served
        return default(context, scope)

    return decide


def _fixed(flag: FlagDocument, variant: str | None, reason: Reason, **why: Any) -> Evaluation:
    value = None if variant is None else flag.variants[variant]
    return Evaluation(value, variant, reason, flag.version, **why)


def _compile_prerequisite(flag: FlagDocument, prerequisite: Prerequisite) -> tuple[Predicate, Evaluation]:
    wanted, key = frozenset(prerequisite.variants), prerequisite.flag
    otherwise = _fixed(flag, flag.targeting.off_variant, "DEFAULT", why=f"prerequisite:{key}")
    return lambda context, scope: scope.variant_of(key, context) in wanted, otherwise


def _compile_targets(flag: FlagDocument, targets: tuple[Target, ...]) -> Server | None:
    """One look-up for each attribute; where a subject stands in two targets, the first counts."""
    tables: dict[str, dict[str, Evaluation]] = {}
    for target in targets:
        answer = _fixed(flag, target.variant, "TARGETING_MATCH", why="target")
        for value in target.values:
            tables.setdefault(target.attribute, {}).setdefault(value, answer)
    if not tables:
        return None
    lookups = [(attribute_getter(attribute), table) for attribute, table in tables.items()]

    def serve(context: Context) -> Evaluation | None:
        for get, table in lookups:
            value = bucketing_value(get(context))
            if value is not None and (answer := table.get(value)):
                return answer
        return None

    return serve


def _compile_rule(
    flag: FlagDocument, rule: Rule
) -> tuple[Predicate, Callable[[Context, Scope], Evaluation | None]]:
    holds = compile_condition(rule.when, flag.gate_salt)
    serve = _compile_serve(flag, rule.serve, "TARGETING_MATCH", rule_id=rule.id, why="rule")
    decider = compile_decider(rule.when, flag.gate_salt)
    if decider is None:
        return holds, lambda context, scope: serve(context)

    def serve_decided(context: Context, scope: Scope) -> Evaluation | None:
        answer = serve(context)
        bucket = decider(context, scope)
        if answer is None or bucket is None or answer.reason == "SPLIT":
            return answer
        return answer._replace(reason="SPLIT", bucket=bucket)

    return holds, serve_decided


def _compile_default(flag: FlagDocument) -> Step:
    targeting = flag.targeting
    bare = not (targeting.rules or targeting.targets or targeting.prerequisites)
    serve = _compile_serve(flag, targeting.default, "STATIC" if bare else "DEFAULT", why="default")
    nobody = _not_bucketable(flag, targeting.default)
    return lambda context, scope: serve(context) or nobody


def _not_bucketable(flag: FlagDocument, default: Serve) -> Evaluation:
    """The answer where the split of the default cannot place the context: there is nothing after it."""
    by = default.split.by if isinstance(default, ServeSplit) else TARGETING_KEY
    details = f"flag '{flag.key}' is split by '{by}', which the context does not have as text or whole number"
    return _error(
        "TARGETING_KEY_MISSING" if by == TARGETING_KEY else "INVALID_CONTEXT", details, flag.version
    )


def _compile_serve(flag: FlagDocument, serve: Serve, reason: Reason, **why: Any) -> Server:
    match serve:
        case ServeVariant(variant=variant):
            answer = _fixed(flag, variant, reason, **why)
            return lambda context: answer
        case ServeCodeDefault():
            code_default = _fixed(flag, None, reason, **why)
            return lambda context: code_default
        case ServeSplit(split=split):
            return _compile_split(flag, split, **why)
        case _:
            assert_never(serve)


def _compile_split(flag: FlagDocument, split: Split, **why: Any) -> Server:
    """Half-open ranges end to end, in the order of the flag's variants."""
    bucket_of = bucketer(split.by, split.salt or flag.split_salt)
    shares = [(name, split.weights[name]) for name in flag.variants if split.weights.get(name)]
    ends = list(accumulate(weight for _, weight in shares))
    answers = [_fixed(flag, name, "SPLIT", **why) for name, _ in shares]

    def serve(context: Context) -> Evaluation | None:
        bucket = bucket_of(context)
        if bucket is None:
            return None
        return answers[bisect_right(ends, bucket)]._replace(bucket=bucket)

    return serve
