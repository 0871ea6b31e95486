"""What the state of the installation is asked of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from commands.event_store import EventStore
from projections.aws import Queue
from projections.dropped_table import DroppedTable
from projections.postgres_views import PostgresView
from projections.ruleset_store import RulesetStore

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Health:
    """`queue` is called when it is needed, as its client takes a moment to make. `patient_log` opens the log
    with the patience that reading all of it needs; who calls it closes it. `verifying` is held by one."""

    log: EventStore
    patient_log: Callable[[], EventStore]
    rulesets: RulesetStore
    views: tuple[PostgresView, ...]
    queue: Callable[[], Queue]
    dynamodb: "DynamoDBClient"
    tables: tuple[str, ...]
    dropped: DroppedTable
    verifying: Lock = field(default_factory=Lock)
