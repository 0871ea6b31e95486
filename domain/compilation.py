"""A flag's targeting compiled once, to be asked many times.

The order of the steps is the product's promise (docs/evaluation.md): off, prerequisites, individual targets,
rules from first to last, default.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

from domain.bucketing import bucketing_value
from domain.conditions import (
    Context,
    Decider,
    Malformed,
    Predicate,
    Scope,
    Watch,
    attribute_getter,
    compile_condition,
    compile_decider,
    plain_name,
    unwatched,
)
from domain.evaluation import CompiledFlag, Evaluation, FlagDocument, Outcome, Step, error_answer
from domain.references import attributes_asked, served_variants
from domain.serving import Server, compile_serve, compile_split, fixed
from domain.splitting import TextSplit, serve_text
from domain.targeting import (
    TARGETING_KEY,
    Prerequisite,
    Rule,
    ServeCodeDefault,
    ServeSplit,
    ServeVariant,
    Split,
    Target,
)
from domain.values import FlagType

Ask = Callable[[Context, Scope], Outcome]


class CompiledRule(NamedTuple):
    holds: Predicate
    serve: Server
    outcome: Outcome | None


class CompiledDefault(NamedTuple):
    serve: Step
    outcome: Outcome | None


class CompiledTargeting(NamedTuple):
    """As a CompiledFlag has it."""

    decide: Step
    outcome: Ask
    asks: frozenset[str] | None


def compile_flag(document: FlagDocument, watch: Watch = unwatched) -> CompiledFlag:
    """Raises Malformed when the targeting names a variant that the flag does not have."""
    if unknown := served_variants(document.targeting) - set(document.variants):
        raise Malformed(f"there is no variant '{min(unknown)}'")
    return CompiledFlag(
        *_compile_targeting(document, watch),
        document.key,
        document.type,
        document.client_visible,
        document.version,
        document.targeting.enabled,
    )


def broken_flag(key: str, problem: str) -> CompiledFlag:
    """Stands for a flag that cannot be compiled and was never seen in a good state."""

    def decide(context: Context, scope: Scope) -> Evaluation:
        raise Malformed(problem)

    return CompiledFlag(decide, decide, None, key, FlagType.OBJECT, False, 0, True)


def _compile_targeting(flag: FlagDocument, watch: Watch) -> CompiledTargeting:
    always = _constant(flag)
    if always is not None:
        return _same_for_all(always)
    targeting = flag.targeting
    prerequisites = [_compile_prerequisite(flag, each) for each in targeting.prerequisites]
    target = _compile_targets(flag, targeting.targets)
    rules = [_compile_rule(flag, rule, watch) for rule in targeting.rules]
    default = _compile_default(flag)

    decide = _rules_only(rules, default.serve)
    if prerequisites or target:
        decide = _step_by_step(prerequisites, target, decide)
    elif outcome := _outcome(rules, default):
        return CompiledTargeting(decide, outcome, _plain(attributes_asked(targeting, splits=False)))
    return CompiledTargeting(decide, decide, _plain(attributes_asked(targeting)))


def _same_for_all(answer: Evaluation) -> CompiledTargeting:
    def decide(context: Context, scope: Scope) -> Evaluation:
        return answer

    return CompiledTargeting(decide, decide, frozenset())


def _plain(asked: frozenset[str] | None) -> frozenset[str] | None:
    """None where one is a path."""
    return asked if asked is not None and all(plain_name(each) == each for each in asked) else None


def _constant(flag: FlagDocument) -> Evaluation | None:
    """The one answer of a flag that is off, or serves everybody the same."""
    targeting = flag.targeting
    if not targeting.enabled:
        return fixed(flag, targeting.off_variant, "DISABLED")
    if targeting.rules or targeting.targets or targeting.prerequisites:
        return None
    match targeting.default:
        case ServeVariant(variant=variant):
            return fixed(flag, variant, "STATIC", why="default")
        case ServeCodeDefault():
            return fixed(flag, None, "STATIC", why="default")
        case _:
            return None


def _rules_only(rules: list[CompiledRule], default: Step) -> Step:
    if len(rules) == 1:
        return _one_rule(rules[0], default)
    if not rules:
        return default

    def decide(context: Context, scope: Scope) -> Evaluation:
        for holds, serve, _ in rules:
            if holds(context, scope) and (served := serve(context, scope)) is not None:
                return served
        return default(context, scope)

    return decide


def _one_rule(rule: CompiledRule, default: Step) -> Step:
    """The commonest flag, without a loop."""
    holds, serve, _ = rule

    def decide(context: Context, scope: Scope) -> Evaluation:
        if holds(context, scope) and (served := serve(context, scope)) is not None:
            return served
        return default(context, scope)

    return decide


def _step_by_step(
    prerequisites: list[tuple[Predicate, Evaluation]], target: Server | None, after_targets: Step
) -> Step:
    def decide(context: Context, scope: Scope) -> Evaluation:
        for met, otherwise in prerequisites:
            if not met(context, scope):
                return otherwise
        if target and (answer := target(context, scope)):
            return answer
        return after_targets(context, scope)

    return decide


def _outcome(rules: list[CompiledRule], default: CompiledDefault) -> Ask | None:
    """None where a rule or the default has more than one."""
    steps = [(holds, outcome) for holds, _, outcome in rules if outcome is not None]
    last = default.outcome
    if last is None or len(steps) < len(rules):
        return None

    def ask(context: Context, scope: Scope) -> Outcome:
        for holds, outcome in steps:
            if holds(context, scope):
                return outcome
        return last

    return ask


def _compile_prerequisite(flag: FlagDocument, prerequisite: Prerequisite) -> tuple[Predicate, Evaluation]:
    wanted, key = frozenset(prerequisite.variants), prerequisite.flag
    otherwise = fixed(flag, flag.targeting.off_variant, "DEFAULT", why=f"prerequisite:{key}")
    return lambda context, scope: scope.variant_if_on(key, context) in wanted, otherwise


def _compile_targets(flag: FlagDocument, targets: tuple[Target, ...]) -> Server | None:
    """One look-up for each attribute; where a subject stands in two targets, the first counts."""
    tables: dict[str, dict[str, tuple[int, Evaluation]]] = {}
    for place, target in enumerate(targets):
        answer = fixed(flag, target.variant, "TARGETING_MATCH", why="target")
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


def _compile_rule(flag: FlagDocument, rule: Rule, watch: Watch) -> CompiledRule:
    holds = compile_condition(rule.when, flag.gate_salt, watch)
    serve, outcome = compile_serve(flag, rule.serve, "TARGETING_MATCH", rule_id=rule.id, why="rule")
    decider = compile_decider(rule.when, flag.gate_salt)
    if decider is None:
        return CompiledRule(holds, serve, outcome)
    return CompiledRule(holds, _serve_decided(serve, decider), None)


def _serve_decided(serve: Server, decider: Decider) -> Server:
    """Says which bucket decided, where the rule's condition asked for one."""
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

    return serve_decided


def _compile_default(flag: FlagDocument) -> CompiledDefault:
    targeting = flag.targeting
    if isinstance(targeting.default, ServeSplit):
        return _compile_default_split(flag, targeting.default.split)
    bare = not (targeting.rules or targeting.targets or targeting.prerequisites)
    serve, outcome = compile_serve(flag, targeting.default, "STATIC" if bare else "DEFAULT", why="default")
    return CompiledDefault(cast("Step", serve), outcome)  # it has something for every context


def _compile_default_split(flag: FlagDocument, split: Split) -> CompiledDefault:
    """Nothing comes after the default: who is in no share gets the code default."""
    subject, nobody = attribute_getter(split.by), _not_bucketable(flag, split.by)
    outside = fixed(flag, None, "DEFAULT", why="default")
    serve, outcome = compile_split(flag, split, outside, why="default")

    def decide(context: Context, scope: Scope) -> Evaluation:
        if served := serve(context, scope):
            return served
        return nobody if bucketing_value(subject(context)) is None else outside

    if isinstance(outcome, TextSplit):
        return CompiledDefault(serve_text(outcome, decide), outcome)
    return CompiledDefault(decide, None)


def _not_bucketable(flag: FlagDocument, by: str) -> Evaluation:
    details = f"flag '{flag.key}' is split by '{by}', which the context does not have as text or whole number"
    return error_answer(
        "TARGETING_KEY_MISSING" if by == TARGETING_KEY else "INVALID_CONTEXT", details, flag.version
    )
