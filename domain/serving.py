"""What a rule or the default serves, compiled."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple, assert_never, cast

from domain.conditions import Context, Malformed, Scope, bucketing, plain_name
from domain.evaluation import Evaluation, FlagDocument, Outcome, Reason
from domain.splitting import TextSplit, serve_text, shares_of, text_split
from domain.targeting import Serve, ServeCodeDefault, ServeSplit, ServeVariant, Split, Unanswerable

Server = Callable[[Context, Scope], Evaluation | None]
"""None where it has nothing for this context, which then falls through to what comes after."""


class CompiledServe(NamedTuple):
    """`outcome` is what it has for every context; None where that differs, or may be nothing."""

    serve: Server
    outcome: Outcome | None = None


def fixed(flag: FlagDocument, variant: str | None, reason: Reason, **why: Any) -> Evaluation:
    value = None if variant is None else flag.variants[variant]
    return Evaluation(value, variant, reason, flag.version, **why)


def compile_serve(flag: FlagDocument, serve: Serve, reason: Reason, **why: Any) -> CompiledServe:
    match serve:
        case ServeVariant(variant=variant):
            return _serve_all(fixed(flag, variant, reason, **why))
        case ServeCodeDefault():
            return _serve_all(fixed(flag, None, reason, **why))
        case Unanswerable():
            return CompiledServe(_serve_nothing(serve))
        case ServeSplit(split=split):
            return compile_split(flag, split, None, **why)
        case _:
            assert_never(serve)


def _serve_all(answer: Evaluation) -> CompiledServe:
    return CompiledServe(lambda context, scope: answer, answer)


def _serve_nothing(problem: Unanswerable) -> Server:
    def serve(context: Context, scope: Scope) -> Evaluation | None:
        raise Malformed.by(problem)

    return serve


def compile_split(
    flag: FlagDocument, split: Split, otherwise: Evaluation | None, **why: Any
) -> CompiledServe:
    """`otherwise` is for who is in no share."""
    salt = flag.split_salt if split.salt is None else split.salt
    by = bucketing(split.by, salt, split.algorithm, split.steps, split.prefix)
    shares = shares_of(flag.variants, split)
    ends = [share.end for share in shares]
    answers = [
        otherwise if each.variant is None else fixed(flag, each.variant, "SPLIT", decided_by=by, **why)
        for each in shares
    ]

    def serve(context: Context, scope: Scope) -> Evaluation | None:
        bucket = by.bucket(context)
        return None if bucket is None else answers[bisect_right(ends, bucket)]

    name = plain_name(split.by)
    if split.algorithm != "native" or name is None:
        return CompiledServe(serve)
    texts = text_split(name, salt, split.prefix, ends, answers)
    whole = None if None in answers else cast("TextSplit[Evaluation]", texts)
    return CompiledServe(serve_text(texts, serve), whole)
