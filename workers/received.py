"""What a message from SQS says; workers/messages.py has the format."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import ValidationError

from domain.values import Model, Slug
from projections.dropped_table import Dropped, Second
from projections.original_table import OriginalEvent
from projections.records_table import Record
from projections.usage_table import CountRow, FlagAsked, Minute, Natural, Outcome, Producer
from workers.messages import TRACE_ATTRIBUTE
from workers.original_messages import OriginalMessage

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_sqs.type_defs import MessageTypeDef

FIRST_ID = "first-id"  # attribute of a message that was sent again: the id it had before


class Evaluations(Model):
    """The body of a message."""

    v: Literal[1]
    kind: Literal["evaluations"]
    producer: Producer
    counts: tuple[tuple[Slug, Slug, FlagAsked, Minute, Natural, dict[Outcome, Natural]], ...]
    records: tuple[Record, ...]
    dropped: tuple[Natural, Natural, Natural, Second, Second] | None = None

    def count_rows(self) -> list[CountRow]:
        return [CountRow(self.producer, *row) for row in self.counts]

    def drops(self) -> list[Dropped]:
        """One, or none."""
        return [Dropped(self.producer, *self.dropped)] if self.dropped else []


FIELDS = {*Evaluations.model_fields, *OriginalMessage.model_fields}


class Received(NamedTuple):
    id: str
    receipt: str
    counts: Sequence[CountRow]
    records: Sequence[Record]
    originals: Sequence[OriginalEvent] = ()
    dropped: Sequence[Dropped] = ()
    trace: str = ""


def parse(message: "MessageTypeDef") -> Received:
    """Ours, or one of the original system. Raises ValidationError."""
    id_, receipt, body = message["MessageId"], message["ReceiptHandle"], message["Body"]
    try:
        ours = Evaluations.model_validate_json(body, strict=True)
    except ValidationError:
        if '"user_id"' not in body:
            raise
        original = OriginalMessage.model_validate_json(body, strict=True)
        event_id = first_id(message)
        counts, records = original.count_rows(event_id), original.records(event_id)
        return Received(id_, receipt, counts, records, [original.event(event_id)])
    trace = _attribute(message, TRACE_ATTRIBUTE)
    return Received(id_, receipt, ours.count_rows(), ours.records, dropped=ours.drops(), trace=trace)


def first_id(message: "MessageTypeDef") -> str:
    """A message that was sent again from the dead-letter queue has another id than it had."""
    return _attribute(message, FIRST_ID) or message["MessageId"]


def _attribute(message: "MessageTypeDef", name: str) -> str:
    found = message.get("MessageAttributes", {}).get(name)
    return found["StringValue"] if found else ""


def newest(rows: Iterable[CountRow]) -> list[CountRow]:
    """The row with the highest `seq` for each producer, flag and minute."""
    best: dict[tuple[str, str, str, str, int], CountRow] = {}
    for row in rows:
        key = (row.producer, row.project, row.environment, row.flag, row.minute)
        if key not in best or best[key].seq < row.seq:
            best[key] = row
    return list(best.values())


def last_told(dropped: Iterable[Dropped]) -> list[Dropped]:
    """What each producer told with its highest `seq`."""
    return list({each.producer: each for each in sorted(dropped, key=lambda told: told.seq)}.values())


def told(problem: ValidationError) -> str:
    """What is wrong with a message, without the input, which holds subjects."""
    what = problem.errors(include_input=False)[0]
    field = f"{what['loc'][0]}: " if what["loc"] and what["loc"][0] in FIELDS else ""
    return f"{field}{what['msg']}"
