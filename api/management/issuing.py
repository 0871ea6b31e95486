"""What keys and tokens are issued and replaced with."""

import hmac
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from api.management.context import Write
from commands.secret_keys import derive, new_key
from commands.token_models import Overlap
from domain.access import TextKind, digest
from domain.errors import WrongStatus
from domain.values import Model

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
USUAL_OVERLAP_SECONDS = 24 * 3_600  # whoever deploys once a day has the new key everywhere by then


def _text(value: Any) -> Any:
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("a time is a text like '2027-01-31T12:00:00Z', with its offset (RFC 3339)")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as problem:
        raise ValueError("this time is beyond the calendar") from problem


Moment = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_in_utc)]


class Rotation(Model):
    """`overlap_seconds` is how long both are in force; 0 ends the old one now. Without `expires_at` the new
    one is in force for as long as the old one was when it was issued."""

    overlap_seconds: Overlap = USUAL_OVERLAP_SECONDS
    expires_at: Moment | None = None


USUAL_ROTATION = Rotation()


def new_text(write: Write, kind: TextKind) -> tuple[str, str]:
    """Id and text; the same two when the request is sent again with its Idempotency-Key."""
    once = write.once
    if once is None:
        return new_key(kind)
    return new_key(kind, derive(write.parts.secret, "issue", once.by, once.key, once.fingerprint.hex()))


def shown(text: str, kept_digest: str) -> str:
    """The text, once it is sure that it is what was issued: it may have been by a request sent before."""
    if not hmac.compare_digest(digest(text), kept_digest):
        raise WrongStatus(
            "this request was carried out before, and the installation's secret has changed since, so what it"
            " issued cannot be shown again; revoke that, and issue another with a new Idempotency-Key"
        )
    return text
