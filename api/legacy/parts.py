"""What the facade is made of, and what each of its handlers is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.legacy.answers import Answer
from api.legacy.evaluators import Evaluators
from api.management.access import AdministratorKey
from commands.event_store import EventStore
from commands.handlers import Commands
from workers.key_use import KeyUse


@dataclass(frozen=True, slots=True)
class Original:
    """`administrator` is who has the master key."""

    store: EventStore
    commands: Commands
    administrator: AdministratorKey
    key_use: KeyUse
    evaluators: Evaluators

    def start(self) -> None:
        self.key_use.start()

    def stop(self) -> None:
        self.key_use.stop()
        self.evaluators.close()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `name` is what the path ends with, `query` as it was sent; `by` is who asks, as the log
    keeps it, once that is known."""

    original: Original
    method: str
    name: str
    query: bytes
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    by: str = ""


Handler = Callable[[Asked], Answer]
