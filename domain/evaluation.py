"""Who gets which variant, and why: a flag's targeting compiled once, then asked many times.

The order of the steps is the product's promise (docs/evaluation.md): off, prerequisites, individual targets,
rules from first to last, default.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, assert_never, cast

import mmh3
from pydantic import JsonValue

from domain.bucketing import bucketing_value
from domain.conditions import (
    Bucketing,
    Context,
    Malformed,
    Predicate,
    Scope,
    Watch,
    attribute_getter,
    bucketing,
    compile_condition,
    compile_decider,
    plain_name,
    unwatched,
)
from domain.references import attributes_asked, served_variants
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
    Unanswerable,
)
from domain.values import SCALE, FlagType, Model

Reason = Literal["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "ERROR"]
ErrorCode = Literal["FLAG_NOT_FOUND", "PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]


class _Answer(NamedTuple):
    value: JsonValue
    variant: str | None
    reason: Reason
    flag_version: int = 0
    rule_id: str | None = None
    why: str | None = None
    decided_by: Bucketing | None = None
    error_code: ErrorCode | None = None
    error_details: str | None = None


class Evaluation(_Answer):
    """`variant` None without an error means: the caller's code default.

    Made once for each variant of each rule and shared by all who get it. So the bucket is not in it; where a
    bucket decided, `decided_by` finds it again for the context.
    """

    made: Any = None
    """For whoever serves the answer to keep what was made of it, so that it is made once; no part of it."""

    def bucket(self, context: Context) -> int | None:
        """For the context that this is the answer to; from 0 to 99,999, or as many as the algorithm has."""
        return self.decided_by.bucket(context) if self.decided_by else None

    def metadata(self, context: Context, position: int | None = None) -> dict[str, str | int]:
        """What OpenFeature calls flag metadata: primitives only; `position` is the log's."""
        found = {
            "flagVersion": self.flag_version,
            "position": position,
            "ruleId": self.rule_id,
            "why": self.why,
            "bucket": self.bucket(context),
        }
        return {name: value for name, value in found.items() if value not in {None, ""}}


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


@dataclass(frozen=True, slots=True)
class CompiledFlag:
    """`always` is the answer of a flag that asks nothing of the context.

    `asks` are the attributes that it does ask about, by name; None where it depends on anything else.
    """

    decide: "Step"
    key: str
    type: FlagType
    client_visible: bool
    version: int
    enabled: bool
    always: Evaluation | None = None
    asks: frozenset[str] | None = None


class Flags(Scope, Protocol):
    @property
    def flags(self) -> Mapping[str, CompiledFlag]: ...


Step = Callable[[Context, Scope], Evaluation]
Server = Callable[[Context, Scope], Evaluation | None]
"""None where it has nothing for this context, which then falls through to what comes after."""


def evaluate(ruleset: Flags, key: str, context: Context) -> Evaluation:
    """Total: whatever the flag and the context hold, there is an answer and no exception."""
    flag = ruleset.flags.get(key)
    if flag is None:
        return _error("FLAG_NOT_FOUND", f"there is no flag '{key}' in this environment")
    try:
        decide = flag.decide  # read before it is called: CPython 3.11 has no fast path for both at once
        return decide(context, ruleset)
    except Malformed as problem:
        return _error(problem.code, f"flag '{key}': {problem}", flag.version)
    except Exception as problem:  # evaluation is total; the caller gets its own default
        return _error("GENERAL", f"flag '{key}': {problem!r}", flag.version)


def _error(code: ErrorCode, details: str, version: int = 0) -> Evaluation:
    return Evaluation(None, None, "ERROR", version, error_code=code, error_details=details)


def compile_flag(document: FlagDocument, watch: Watch = unwatched) -> CompiledFlag:
    """Raises Malformed when the targeting names a variant that the flag does not have."""
    if unknown := served_variants(document.targeting) - set(document.variants):
        raise Malformed(f"there is no variant '{min(unknown)}'")
    always = _constant(document)
    return CompiledFlag(
        _compile_targeting(document, watch) if always is None else lambda context, scope: always,
        document.key,
        document.type,
        document.client_visible,
        document.version,
        document.targeting.enabled,
        always,
        _asks(document.targeting),
    )


def _asks(targeting: Targeting) -> frozenset[str] | None:
    asked = attributes_asked(targeting)
    return asked if asked is not None and all(plain_name(each) == each for each in asked) else None


def _constant(flag: FlagDocument) -> Evaluation | None:
    """The one answer of a flag that is off, or serves everybody the same."""
    targeting = flag.targeting
    if not targeting.enabled:
        return _fixed(flag, targeting.off_variant, "DISABLED")
    if targeting.rules or targeting.targets or targeting.prerequisites:
        return None
    match targeting.default:
        case ServeVariant(variant=variant):
            return _fixed(flag, variant, "STATIC", why="default")
        case ServeCodeDefault():
            return _fixed(flag, None, "STATIC", why="default")
        case _:
            return None


def broken_flag(key: str, problem: str) -> CompiledFlag:
    """Stands for a flag that cannot be compiled and was never seen in a good state."""

    def decide(context: Context, scope: Scope) -> Evaluation:
        raise Malformed(problem)

    return CompiledFlag(decide, key, FlagType.OBJECT, False, 0, True)


def _compile_targeting(flag: FlagDocument, watch: Watch) -> Step:
    """Of a flag that is on and has more than one answer."""
    targeting = flag.targeting
    prerequisites = [_compile_prerequisite(flag, each) for each in targeting.prerequisites]
    target = _compile_targets(flag, targeting.targets)
    rules = [_compile_rule(flag, rule, watch) for rule in targeting.rules]
    default = _compile_default(flag)

    if prerequisites or target:
        return _step_by_step(prerequisites, target, rules, default)
    return _rules_only(rules, default)


def _rules_only(rules: list[tuple[Predicate, Server]], default: Step) -> Step:
    if len(rules) == 1:
        return _one_rule(*rules[0], default)

    def decide(context: Context, scope: Scope) -> Evaluation:
        for holds, serve in rules:
            if holds(context, scope) and (served := serve(context, scope)) is not None:
                return served
        return default(context, scope)

    return decide


def _one_rule(holds: Predicate, serve: Server, default: Step) -> Step:
    """The commonest flag, without a loop."""

    def decide(context: Context, scope: Scope) -> Evaluation:
        if holds(context, scope) and (served := serve(context, scope)) is not None:
            return served
        return default(context, scope)

    return decide


def _step_by_step(
    prerequisites: list[tuple[Predicate, Evaluation]],
    target: Server | None,
    rules: list[tuple[Predicate, Server]],
    default: Step,
) -> Step:
    after_targets = _rules_only(rules, default)

    def decide(context: Context, scope: Scope) -> Evaluation:
        for met, otherwise in prerequisites:
            if not met(context, scope):
                return otherwise
        if target and (answer := target(context, scope)):
            return answer
        return after_targets(context, scope)

    return decide


def _fixed(flag: FlagDocument, variant: str | None, reason: Reason, **why: Any) -> Evaluation:
    value = None if variant is None else flag.variants[variant]
    return Evaluation(value, variant, reason, flag.version, **why)


def _compile_prerequisite(flag: FlagDocument, prerequisite: Prerequisite) -> tuple[Predicate, Evaluation]:
    wanted, key = frozenset(prerequisite.variants), prerequisite.flag
    otherwise = _fixed(flag, flag.targeting.off_variant, "DEFAULT", why=f"prerequisite:{key}")
    return lambda context, scope: scope.variant_if_on(key, context) in wanted, otherwise


def _compile_targets(flag: FlagDocument, targets: tuple[Target, ...]) -> Server | None:
    """One look-up for each attribute; where a subject stands in two targets, the first counts."""
    tables: dict[str, dict[str, tuple[int, Evaluation]]] = {}
    for place, target in enumerate(targets):
        answer = _fixed(flag, target.variant, "TARGETING_MATCH", why="target")
        for value in target.values:
            tables.setdefault(target.attribute, {}).setdefault(value, (place, answer))
    if not tables:
        return None
    lookups = [(attribute_getter(attribute), table) for attribute, table in tables.items()]

    def serve(context: Context, scope: Scope) -> Evaluation | None:
        found = [
            table[value]
            for get, table in lookups
            if (value := bucketing_value(get(context))) is not None and value in table
        ]
        return min(found)[1] if found else None

    return serve


def _compile_rule(flag: FlagDocument, rule: Rule, watch: Watch) -> tuple[Predicate, Server]:
    holds = compile_condition(rule.when, flag.gate_salt, watch)
    serve = _compile_serve(flag, rule.serve, "TARGETING_MATCH", rule_id=rule.id, why="rule")
    decider = compile_decider(rule.when, flag.gate_salt)
    if decider is None:
        return holds, serve
    made: dict[tuple[str | None, int], Evaluation] = {}  # by variant and what decided, of which there are few

    def serve_decided(context: Context, scope: Scope) -> Evaluation | None:
        answer = serve(context, scope)
        decided_by = decider(context, scope)
        if answer is None or decided_by is None or answer.reason == "SPLIT":
            return answer
        key = answer.variant, id(decided_by)
        if (found := made.get(key)) is None:
            found = made[key] = answer._replace(reason="SPLIT", decided_by=decided_by)
        return found

    return holds, serve_decided


def _compile_default(flag: FlagDocument) -> Step:
    targeting = flag.targeting
    bare = not (targeting.rules or targeting.targets or targeting.prerequisites)
    serve = _compile_serve(flag, targeting.default, "STATIC" if bare else "DEFAULT", why="default")
    if not isinstance(targeting.default, ServeSplit):
        return cast("Step", serve)  # it has something for every context
    by = targeting.default.split.by
    subject, nobody = attribute_getter(by), _not_bucketable(flag, by)
    outside = _fixed(flag, None, "DEFAULT", why="default")

    def decide(context: Context, scope: Scope) -> Evaluation:
        """Nothing comes after the default: who is in no share gets the code default."""
        if served := serve(context, scope):
            return served
        return nobody if bucketing_value(subject(context)) is None else outside

    return decide


def _not_bucketable(flag: FlagDocument, by: str) -> Evaluation:
    details = f"flag '{flag.key}' is split by '{by}', which the context does not have as text or whole number"
    return _error(
        "TARGETING_KEY_MISSING" if by == TARGETING_KEY else "INVALID_CONTEXT", details, flag.version
    )


def _compile_serve(flag: FlagDocument, serve: Serve, reason: Reason, **why: Any) -> Server:
    match serve:
        case ServeVariant(variant=variant):
            answer = _fixed(flag, variant, reason, **why)
            return lambda context, scope: answer
        case ServeCodeDefault():
            code_default = _fixed(flag, None, reason, **why)
            return lambda context, scope: code_default
        case Unanswerable():
            return _serve_nothing(serve)
        case ServeSplit(split=split):
            return _compile_split(flag, split, **why)
        case _:
            assert_never(serve)


def _serve_nothing(problem: Unanswerable) -> Server:
    def serve(context: Context, scope: Scope) -> Evaluation | None:
        raise Malformed.by(problem)

    return serve


class Share(NamedTuple):
    """Buckets from `start` to under `end`, and the variant they get; None for nobody's."""

    start: int
    end: int
    variant: str | None


def shares_of(flag: FlagDocument, split: Split) -> list[Share]:
    """Every bucket from 0 on, in order and without gaps; what nobody has is a share without a variant."""
    taken = sorted(_ranges(flag, split))
    shares: list[Share] = []
    end = 0
    for share in taken:
        if share.start > end:
            shares.append(Share(end, share.start, None))
        shares.append(share)
        end = share.end
    return [*shares, Share(end, split.steps, None)] if end < split.steps else shares


def _ranges(flag: FlagDocument, split: Split) -> Iterator[Share]:
    for each in split.ranges:
        if each.start < each.end:
            yield Share(each.start, each.end, each.variant)
    start = 0
    for name in (each for each in flag.variants if split.weights.get(each)):
        weight = split.weights[name]
        if covered := weight * split.coverage // SCALE:
            yield Share(start, start + covered, name)
        start += weight


def _compile_split(flag: FlagDocument, split: Split, **why: Any) -> Server:
    salt = flag.split_salt if split.salt is None else split.salt
    by = bucketing(split.by, salt, split.algorithm, split.steps, split.prefix)
    shares = shares_of(flag, split)
    ends = [share.end for share in shares]
    answers = [
        None if each.variant is None else _fixed(flag, each.variant, "SPLIT", decided_by=by, **why)
        for each in shares
    ]

    def serve(context: Context, scope: Scope) -> Evaluation | None:
        bucket = by.bucket(context)
        return None if bucket is None else answers[bisect_right(ends, bucket)]

    name = plain_name(split.by)
    if split.algorithm == "native" and name is not None:
        return _native_split(name, f"{salt}:{split.prefix}", ends, answers, serve)
    return serve


def _native_split(
    name: str, prefix: str, ends: list[int], answers: list[Evaluation | None], serve: Server
) -> Server:
    """The commonest split, of a text by our own hash, with nothing between the attribute and the answer.

    `prefix` is what is hashed before the text. The ends are put in the hash's scale, rounded up:
    `(hash * SCALE) >> 32 < end` is `hash < edge`.
    """
    hashed = mmh3.hash
    edges = [-(-(end << 32) // SCALE) for end in ends]

    def serve_text(context: Context, scope: Scope) -> Evaluation | None:
        subject = context.get(name)
        if subject.__class__ is str:
            return answers[bisect_right(edges, hashed(prefix + subject, 0, False))]
        return serve(context, scope)

    return serve_text
