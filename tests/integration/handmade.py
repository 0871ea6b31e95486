"""A model in Redis written by hand, without a log."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from redis import Redis

from projections.confirmation import Confirmation
from projections.copy_keeper import CopyKeeper
from projections.documents import ENVIRONMENTS, KEYS, Documents, Place
from projections.last_known_good import LastKnownGood
from projections.ruleset_store import RulesetStore
from projections.snapshot import Snapshot
from tests import waiting

SCOPE = "shop/production"
ENVIRONMENT = Place(ENVIRONMENTS, SCOPE)


eventually = partial(waiting.eventually, seconds=15)


def key_document(number: int) -> str:
    return f'{{"id": "k{number}", "kind": "server", "project": "shop", "environment": "production"}}'


@dataclass
class Model:
    """A model written by hand: at each position one key, whose id is the position."""

    redis: Redis
    generation: str = "g1"
    position: int = 0
    store: RulesetStore = field(init=False)
    confirmation: Confirmation = field(init=False)

    def __post_init__(self) -> None:
        self.store, self.confirmation = RulesetStore(self.redis), Confirmation(self.redis)

    def fill(self, position: int, generation: str = "g1") -> None:
        self.generation, self.position = generation, 0
        self.write({ENVIRONMENT: "{}"}, position)
        self.redis.set("{togglemaster}:live", generation)

    def write(self, documents: Documents, position: int = 0) -> None:
        to = position or self.position + 1
        stamped = {**documents, Place(KEYS, "digest"): key_document(to)}
        self.store.write(self.generation, stamped, after=self.position, to=to)
        self.position = to

    def confirm(self, position: int = 0, epoch: int = 0) -> bool:
        """That it is at the head of a log, as a projector does."""
        return self.confirmation.confirm(self.generation, position or self.position, epoch)


def of_one_position(snapshot: Snapshot) -> bool:
    return snapshot.keys["digest"].id == f"k{snapshot.position}"


def copies(directory: Path) -> CopyKeeper:
    return CopyKeeper(LastKnownGood(directory, "ours"), between_at_least=0.01)
