"""Messages of the original system, `{"user_id", "flag_name", "result", "timestamp"}`, one evaluation each.

They have no id: the message's own stands for it, so that a message that is delivered twice is counted once.
They are counted in the project and environment that the original's flags are in.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from domain.values import FLAG_KEY_LENGTH
from projections.original_table import OriginalEvent
from projections.records_table import AT_LIMIT, SUBJECT_LENGTH, Record
from projections.usage_table import ENVIRONMENT_FLAG, EPOCH, OVERFLOW_FLAG, CountRow, outcome_of

PROJECT, ENVIRONMENT = "default", "production"
REASON = "UNKNOWN"  # OpenFeature's name for a reason that is not known
ONLY_SEQ = 1


def milliseconds(timestamp: str) -> int:
    """Since 1970, of an RFC 3339 time with 0 to 9 digits after the second. Without a zone it is UTC."""
    moment = datetime.fromisoformat(timestamp)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int((moment - EPOCH).total_seconds() * 1_000)


def _within_range(timestamp: str) -> str:
    if not 0 <= milliseconds(timestamp) < AT_LIMIT:
        raise ValueError("a timestamp is after 1970 and before 2286")
    return timestamp


class OriginalMessage(BaseModel):
    """What else is in it is left alone, as the original did."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    flag_name: Annotated[str, StringConstraints(min_length=1)]
    result: bool
    timestamp: Annotated[str, AfterValidator(_within_range)]

    @property
    def variant(self) -> str:
        return "true" if self.result else "false"

    @property
    def at(self) -> int:
        return milliseconds(self.timestamp)

    def event(self, message_id: str) -> OriginalEvent:
        return OriginalEvent(message_id, self.user_id, self.flag_name, self.result, self.timestamp)

    def count_rows(self, message_id: str) -> list[CountRow]:
        """That of the flag and that of the whole environment."""
        producer, minute = f"original-{message_id}", self.at // 60_000
        flag = self.flag_name if len(self.flag_name) <= FLAG_KEY_LENGTH else OVERFLOW_FLAG
        counted = {flag: outcome_of(REASON, self.variant), ENVIRONMENT_FLAG: outcome_of(REASON, "")}
        return [
            CountRow(producer, PROJECT, ENVIRONMENT, flag, minute, ONLY_SEQ, {outcome: 1})
            for flag, outcome in counted.items()
        ]

    def records(self, message_id: str) -> list[Record]:
        """One, or none of a flag whose name is longer than any has."""
        if len(self.flag_name) > FLAG_KEY_LENGTH:
            return []
        subject = self.user_id if len(self.user_id) <= SUBJECT_LENGTH else None
        return [
            Record(
                event_id=message_id,
                project=PROJECT,
                environment=ENVIRONMENT,
                flag=self.flag_name,
                variant=self.variant,
                reason=REASON,
                subject=subject,
                position=0,
                at=self.at,
            )
        ]
