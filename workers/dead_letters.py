"""Messages that were given back too often, sent to the queue once more."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from projections.aws import Queue, at_once
from workers.consumer import RECEIVE_MESSAGES, WAIT_SECONDS
from workers.received import FIRST_ID, first_id

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HELD_SECONDS = 30  # ten messages are moved in well under one


def redrive(dead: Queue, queue: Queue, limit: int | None, moved: Callable[[int], None]) -> int:
    """How many messages were moved; `moved` is told after each ten. Raises botocore's errors.

    A message is deleted when the queue has taken it, so one may be doubled, which changes nothing, and none
    is lost. One that comes back meanwhile is left for the next time.
    """
    count = 0
    for messages in _waiting(dead, limit):
        at_once(lambda message: _move(message, dead, queue), messages)
        count += len(messages)
        moved(count)
    return count


def _waiting(dead: Queue, limit: int | None) -> Iterator[list["MessageTypeDef"]]:
    """Up to the first that was had before, or the last."""
    seen: set[str] = set()
    while limit is None or len(seen) < limit:
        most = RECEIVE_MESSAGES if limit is None else min(RECEIVE_MESSAGES, limit - len(seen))
        answer = dead.sqs.receive_message(
            QueueUrl=dead.url,
            MaxNumberOfMessages=most,
            MessageAttributeNames=[FIRST_ID],
            VisibilityTimeout=HELD_SECONDS,
            WaitTimeSeconds=min(WAIT_SECONDS, 1),  # long enough for SQS to ask all its servers
        )
        messages = [each for each in answer.get("Messages", []) if first_id(each) not in seen]
        if not messages:
            return
        seen.update(first_id(each) for each in messages)
        yield messages


def _move(message: "MessageTypeDef", dead: Queue, queue: Queue) -> None:
    """The id goes with it: for a message of the original system it is that of the event."""
    queue.sqs.send_message(
        QueueUrl=queue.url,
        MessageBody=message["Body"],
        MessageAttributes={FIRST_ID: {"DataType": "String", "StringValue": first_id(message)}},
    )
    dead.sqs.delete_message(QueueUrl=dead.url, ReceiptHandle=message["ReceiptHandle"])
