"""Answers as bytes, made once for each answer that a flag can give."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from domain.conditions import Context
from domain.evaluation import Evaluation
from projections.documents import KeyDocument
from workers.evaluations import Tally

CODE_DEFAULT = "code_default"  # stands for a variant's name where the answer was the caller's own default
NO_ANSWER = "error"

OK = 200
STATUS_OF_ERROR = {"FLAG_NOT_FOUND": 404, "GENERAL": 500}  # every other error code is 400


@dataclass(frozen=True, slots=True)
class Made:
    """`whole` is the flag's object in an answer about many, where nothing is in it that others do not share.

    `opening` is the object of an answer about one flag, up to the position that `closed` goes on with; for an
    error it is whole.
    """

    status: int
    opening: bytes
    whole: bytes
    tally: Tally
    bucket: Callable[[Context], int | None] | None

    def closed(self, position: bytes, context: Context, end: bytes) -> bytes:
        """`end` closes the metadata and the object."""
        if self.bucket is None:
            return self.opening + position + end if self.status == OK else self.opening
        if (bucket := self.bucket(context)) is None:
            return self.opening + position + end
        return b'%b%b,"bucket":%d%b' % (self.opening, position, bucket, end)


def made(answer: Evaluation, flag: str, key: KeyDocument) -> Made:
    """Kept with the answer, which belongs to one flag of one environment."""
    found: Made | None = answer.made
    if found is None:
        found = answer.made = _make(answer, flag, key)
    return found


def _make(answer: Evaluation, flag: str, key: KeyDocument) -> Made:
    body = body_of(answer, flag)
    whole = orjson.dumps(body)
    tally = Tally((key.project, key.environment, flag, answer.reason, variant_name(answer)))
    if answer.error_code:
        return Made(STATUS_OF_ERROR.get(answer.error_code, 400), whole, whole, tally, None)
    bucket = answer.decided_by.bucket if answer.decided_by else None
    return Made(OK, whole[: -len(b"}}")] + b',"position":', whole, tally, bucket)


def body_of(answer: Evaluation, flag: str) -> dict[str, Any]:
    """The protocol's object for one flag; the metadata stands last, for `closed` to add to."""
    if answer.error_code:
        return {"key": flag, "errorCode": answer.error_code, "errorDetails": answer.error_details}
    body: dict[str, Any] = {"key": flag}
    if answer.variant is not None:
        body["value"] = answer.value
    body |= {"variant": variant_name(answer), "reason": answer.reason}
    metadata = {"flagVersion": answer.flag_version, "ruleId": answer.rule_id, "why": answer.why}
    return body | {"metadata": {name: value for name, value in metadata.items() if value not in {None, ""}}}


def variant_name(answer: Evaluation) -> str:
    if answer.error_code:
        return NO_ANSWER
    return CODE_DEFAULT if answer.variant is None else answer.variant
