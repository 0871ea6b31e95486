"""Everything one environment's answers depend on, compiled, immutable, and replaced as a whole."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final

from domain.bucketing import bucketing_value
from domain.collector import collector_held_back
from domain.compilation import broken_flag, compile_flag
from domain.conditions import Context, Malformed, Predicate, Scope, Watch, compile_condition, unwatched
from domain.evaluation import CompiledFlag, FlagDocument
from domain.segment import SegmentDefinition
from domain.targeting import TARGETING_KEY
from domain.values import Model

FLAG: Final = "flag"
SEGMENT: Final = "segment"


class SegmentDocument(Model):
    """A segment as evaluators read it."""

    key: str
    salt: str
    version: int
    definition: SegmentDefinition


Document = FlagDocument | SegmentDocument
DocumentName = tuple[str, str]
"""`flag` or `segment`, and the key."""

Pause = Callable[[], None]
"""Called again and again during long work, by whoever does it, so that others may do theirs."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """`broken` tells for each flag or segment that does not compile what is wrong with it.

    A broken one goes on with its last good version; if there never was one it answers PARSE_ERROR.
    """

    flags: Mapping[str, CompiledFlag] = field(default_factory=dict)
    segments: Mapping[str, Predicate] = field(default_factory=dict)
    broken: Mapping[DocumentName, str] = field(default_factory=dict)

    def updated(
        self,
        documents: Iterable[tuple[DocumentName, str | bytes | None]],
        last_good: "Ruleset | None" = None,
        pause: Pause | None = None,
    ) -> "Ruleset":
        """With these documents in place of the old ones; None takes one away. Only these are compiled.

        What is broken, and never was in this ruleset, goes on as `last_good` has it. `pause` is called before
        each document; who gives one answers others meanwhile, and looks after the garbage collector too.
        """
        with collector_held_back() if pause is None else nullcontext():
            return self._updated(documents, last_good or self, pause or _no_pause)

    def _updated(
        self,
        documents: Iterable[tuple[DocumentName, str | bytes | None]],
        good: "Ruleset",
        pause: Pause,
    ) -> "Ruleset":
        flags, segments, broken = dict(self.flags), dict(self.segments), dict(self.broken)
        for (kind, key), document in documents:
            pause()
            compiled: dict[str, CompiledFlag] | dict[str, Predicate] = flags if kind == FLAG else segments
            broken.pop((kind, key), None)
            if document is None:
                compiled.pop(key, None)
                continue
            try:
                _compile_into(flags, segments, kind, key, document)
            except Exception as fault:  # whatever it is, it is wrong with this document alone
                problem = broken[kind, key] = str(fault) or repr(fault)
                if kind == FLAG:
                    flags.setdefault(key, good.flags.get(key) or broken_flag(key, problem))
                else:
                    segments.setdefault(key, good.segments.get(key) or _broken_segment(key, problem))
        return Ruleset(flags, segments, broken)

    def in_segment(self, key: str, context: Context) -> bool:
        return _Path(self, ()).in_segment(key, context)

    def variant_of(self, key: str, context: Context) -> str | None:
        return _Path(self, ()).variant_of(key, context)

    def variant_if_on(self, key: str, context: Context) -> str | None:
        return _Path(self, ()).variant_if_on(key, context)


def _no_pause() -> None:
    pass


def _compile_into(
    flags: dict[str, CompiledFlag],
    segments: dict[str, Predicate],
    kind: str,
    key: str,
    document: str | bytes,
) -> None:
    if kind == FLAG:
        flags[key] = compile_flag(FlagDocument.model_validate_json(document))
    else:
        segments[key] = compile_segment(SegmentDocument.model_validate_json(document))


def compile_segment(document: SegmentDocument, watch: Watch = unwatched) -> Predicate:
    include, exclude = frozenset(document.definition.include), frozenset(document.definition.exclude)
    condition = compile_condition(document.definition.condition, document.salt, watch)

    def holds(context: Context, scope: Scope) -> bool:
        subject = bucketing_value(context.get(TARGETING_KEY))
        if subject in exclude or subject in include:
            return subject not in exclude
        return condition(context, scope)

    return holds


def _broken_segment(key: str, problem: str) -> Predicate:
    """Stands for a segment that cannot be compiled and was never seen in a good state."""

    def holds(context: Context, scope: Scope) -> bool:
        raise Malformed(f"segment '{key}': {problem}")

    return holds


@dataclass(frozen=True, slots=True)
class _Path:
    """The flags and segments being asked right now, so that a circle is noticed instead of followed."""

    ruleset: Ruleset
    names: tuple[str, ...]

    def in_segment(self, key: str, context: Context) -> bool:
        segment = self.ruleset.segments.get(key)
        return segment is not None and segment(context, self._entering(f"segment {key}"))

    def variant_of(self, key: str, context: Context) -> str | None:
        """None where the flag does not exist or leaves the answer to the code default."""
        flag = self.ruleset.flags.get(key)
        return None if flag is None else flag.decide(context, self._entering(f"flag {key}")).variant

    def variant_if_on(self, key: str, context: Context) -> str | None:
        """As `variant_of`, and None too where the flag is turned off."""
        flag = self.ruleset.flags.get(key)
        return None if flag is None or not flag.enabled else self.variant_of(key, context)

    def _entering(self, name: str) -> "_Path":
        if name in self.names:
            raise Malformed("a circle: " + " asks ".join((*self.names, name)))
        return _Path(self.ruleset, (*self.names, name))
