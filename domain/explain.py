"""How an answer came about, step by step: the same engine, watched while it works.

Every predicate is compiled with something around it that writes down what it was asked and what it answered,
so an explanation cannot differ from the answer it explains.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from domain.compilation import broken_flag, compile_flag
from domain.conditions import Context, Malformed, Predicate, Scope, Watch, attribute_getter, gate_bucketer
from domain.evaluation import CompiledFlag, Evaluation, FlagDocument, evaluate
from domain.ruleset import Document, Ruleset, compile_segment
from domain.targeting import AnyElement, Clause, Condition, InBucket
from domain.values import Model


class Step(Model):
    """One condition that was asked: what it says, what it saw, whether it held, and the conditions in it.

    `saw` is the attribute's value, or for a percentage the bucket; null where there was none. Conditions that
    were not asked, since others had decided already, are not here.
    """

    condition: Condition
    held: bool
    saw: Any = None
    steps: tuple["Step", ...] = ()


class RuleStep(Model):
    """A rule that was asked. `position` is of the event that made it what it is, where that is known."""

    id: str
    name: str
    held: bool
    position: int | None
    step: Step


class Explanation(Model):
    """Both in the order of asking; `prerequisites` are the conditions that other flags asked for us."""

    result: Evaluation
    rules: tuple[RuleStep, ...]
    prerequisites: tuple[Step, ...]


class Trace:
    """Steps that are finished and not yet part of another; a step takes up those that finished inside it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def watch(self, gate_salt: str) -> Watch:
        """For the conditions of one flag or segment."""

        def around(condition: Condition, predicate: Predicate) -> Predicate:
            return self._watched(condition, predicate, _sight(condition, gate_salt))

        return around

    def _watched(
        self, condition: Condition, predicate: Predicate, see: Callable[[Context], Any]
    ) -> Predicate:
        def watched(context: Context, scope: Scope) -> bool:
            before, self.steps = self.steps, []
            try:
                held = predicate(context, scope)
            except Malformed:
                self.steps = before + self.steps
                raise
            step = Step(condition=condition, held=held, saw=see(context), steps=tuple(self.steps))
            self.steps = [*before, step]
            return held

        return watched


def explain(
    documents: Iterable[Document], key: str, context: Context, origins: Mapping[str, int] | None = None
) -> Explanation:
    """`documents` are the flag and whatever it asks for; `origins` has the position behind each rule's id."""
    trace = Trace()
    ruleset, flag = _watched_ruleset(documents, key, trace)
    result = evaluate(ruleset, key, context)
    names = {id(rule.when): rule for rule in flag.targeting.rules} if flag else {}
    positions = origins or {}
    rules = tuple(
        RuleStep(id=rule.id, name=rule.name, held=step.held, position=positions.get(rule.id), step=step)
        for step in trace.steps
        if (rule := names.get(id(step.condition)))
    )
    others = tuple(step for step in trace.steps if id(step.condition) not in names)
    return Explanation(result=result, rules=rules, prerequisites=others)


def _watched_ruleset(
    documents: Iterable[Document], key: str, trace: Trace
) -> tuple[Ruleset, FlagDocument | None]:
    flags: dict[str, CompiledFlag] = {}
    segments: dict[str, Predicate] = {}
    asked: FlagDocument | None = None
    for document in documents:
        if isinstance(document, FlagDocument):
            flags[document.key] = _compiled(document, trace)
            asked = document if document.key == key else asked
        else:
            segments[document.key] = compile_segment(document, trace.watch(document.salt))
    return Ruleset(flags, segments), asked


def _compiled(document: FlagDocument, trace: Trace) -> CompiledFlag:
    try:
        return compile_flag(document, trace.watch(document.gate_salt))
    except Malformed as problem:
        return broken_flag(document.key, str(problem))


def _sight(condition: Condition, gate_salt: str) -> Callable[[Context], Any]:
    match condition:
        case Clause(attribute=attribute) | AnyElement(any_element=attribute):
            return attribute_getter(attribute)
        case InBucket(bucket=gate):
            return gate_bucketer(gate, gate_salt)
        case _:
            return lambda context: None
