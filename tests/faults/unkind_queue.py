"""Carries messages from one queue to another in any order, and some of them twice, as SQS may."""

import random
import threading
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from projections.aws import Queue

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HELD = 40  # messages that are shuffled together
AT_ONCE = 10  # SQS's limit
AGAIN_SECONDS = 0.2


class UnkindQueue:
    """`carry` is for a thread of its own. A message leaves the one queue only when the other has it."""

    def __init__(self, source: Queue, target: Queue, twice: float, chance: random.Random) -> None:
        self.carried = self.doubled = 0
        self._source, self._target, self._twice, self._chance = source, target, twice, chance
        self._held: list[MessageTypeDef] = []

    def carry(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                came = self._receive()
                if len(self._held) >= HELD or (self._held and not came):
                    self._pass_on()
            except (BotoCoreError, ClientError):
                self._held = []  # the queue gives them again
                stopping.wait(AGAIN_SECONDS)

    @property
    def holds(self) -> int:
        return len(self._held)

    def _receive(self) -> int:
        answer = self._source.sqs.receive_message(
            QueueUrl=self._source.url, MaxNumberOfMessages=AT_ONCE, WaitTimeSeconds=1
        )
        came = answer.get("Messages", [])
        self._held += came
        return len(came)

    def _pass_on(self) -> None:
        doubled = [each for each in self._held if self._chance.random() < self._twice]
        bodies = [each["Body"] for each in (*self._held, *doubled)]
        self._chance.shuffle(bodies)
        for body in bodies:
            self._target.sqs.send_message(QueueUrl=self._target.url, MessageBody=body)
        for each in self._held:
            receipt = each["ReceiptHandle"]
            self._source.sqs.delete_message(QueueUrl=self._source.url, ReceiptHandle=receipt)
        self.carried, self.doubled = self.carried + len(self._held), self.doubled + len(doubled)
        self._held = []
