"""Who gets which variant, and why: what a flag answers, and asking it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import JsonValue

from domain.conditions import Bucketing, Context, Malformed, Scope
from domain.splitting import TextSplit
from domain.targeting import Targeting
from domain.values import FlagType, Model

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
    """`outcome` is the same for all contexts with the same `asks`: attributes, by name.

    That is an answer, or a split that is left to ask, which decides about texts alone; of anything else, ask
    `decide`. `asks` is None where the outcome depends on more than attributes.
    """

    decide: "Step"
    outcome: "Callable[[Context, Scope], Outcome]"
    asks: frozenset[str] | None
    key: str
    type: FlagType
    client_visible: bool
    version: int
    enabled: bool


class Flags(Scope, Protocol):
    @property
    def flags(self) -> Mapping[str, CompiledFlag]: ...


Step = Callable[[Context, Scope], Evaluation]
Outcome = Evaluation | TextSplit[Evaluation]


def evaluate(ruleset: Flags, key: str, context: Context) -> Evaluation:
    """Total: whatever the flag and the context hold, there is an answer and no exception."""
    flag = ruleset.flags.get(key)
    if flag is None:
        return error_answer("FLAG_NOT_FOUND", f"there is no flag '{key}' in this environment")
    try:
        decide = flag.decide  # read before it is called: CPython 3.11 has no fast path for both at once
        return decide(context, ruleset)
    except Malformed as problem:
        return error_answer(problem.code, f"flag '{key}': {problem}", flag.version)
    except Exception as problem:  # evaluation is total; the caller gets its own default
        return error_answer("GENERAL", f"flag '{key}': {problem!r}", flag.version)


def error_answer(code: ErrorCode, details: str, version: int = 0) -> Evaluation:
    return Evaluation(None, None, "ERROR", version, error_code=code, error_details=details)
