"""What somebody calls a moment: a position of the log, or a time."""

from datetime import UTC, datetime

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from domain.errors import Invalid

TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
LONGEST_POSITION = 18  # digits; more would not be one


def moment_of(moment: str, head: int) -> int | datetime:
    """Raises Invalid for what is neither, or is not over yet."""
    if not moment.isdecimal():
        return _time(moment)
    if len(moment) > LONGEST_POSITION or int(moment) > head:
        raise Invalid(f"'at' is {moment}, but the log ends at {head}")
    return int(moment)


def _time(text: str) -> datetime:
    try:
        time = TIME.validate_python(text)
    except ValidationError as problem:
        raise Invalid(
            "'at' is a position of the log or a time like 2026-11-23T09:30:00Z (in an address '+' is %2B),"
            f" not '{text}'"
        ) from problem
    if time > (now := datetime.now(UTC)):
        raise Invalid(f"'at' is {text}, which is not over yet: it is {now:%Y-%m-%dT%H:%M:%SZ}")
    return time
