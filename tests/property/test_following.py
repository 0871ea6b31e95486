"""Whatever happens to Redis, an evaluator serves the model of one position, and never an earlier one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis import Redis

from projections.copy_keeper import CopyKeeper
from projections.documents import ENVIRONMENTS, KEYS, Documents, Place
from projections.follower import Follower
from projections.last_known_good import LastKnownGood
from projections.ruleset_store import LIVE, RulesetStore

SCOPES = ("shop/production", "shop/staging")
State = dict[Place, str]
PLACES = [Place(scope, f"flag/f{number}") for scope in SCOPES for number in range(4)]
PLACES += [Place(KEYS, f"d{number}") for number in range(3)]
CHANGES = st.dictionaries(st.sampled_from(PLACES), st.sampled_from(["{", '{"id": 1}', None]), max_size=4)
FIRST: State = {Place(ENVIRONMENTS, scope): "{}" for scope in SCOPES}


class Following(RuleBasedStateMachine):
    """`history` is the log: everything there is to serve, by position. Redis has some of it, or none."""

    redis: Redis

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        self.directory = TemporaryDirectory()
        self.history: list[State] = [{}, FIRST]
        self.store = RulesetStore(self.redis)
        self.generation = "g0"
        self.served = 0
        self.interruption: Callable[[], None] | None = None
        self.follower = self.new_follower()

    def new_follower(self) -> Follower:
        copies = CopyKeeper(LastKnownGood(Path(self.directory.name), "ours"))
        follower = Follower(self.redis, copies)
        pages = follower._store.documents

        def documents(generation: str) -> Iterator[tuple[Place, bytes]]:
            for number, each in enumerate(pages(generation)):
                if number == 3 and self.interruption:
                    happens, self.interruption = self.interruption, None
                    happens()
                yield each

        follower._store.documents = documents  # type: ignore[method-assign]
        self.copies = copies
        return follower

    @rule(changes=CHANGES)
    def command(self, changes: Documents) -> None:
        """Into the log; where Redis has a model at its head, there too."""
        after, state = len(self.history) - 1, dict(self.history[-1])
        for place, document in changes.items():
            state.pop(place, None)
            if document is not None:
                state[place] = document
        self.history.append(state)
        if self.store.live() == self.generation and self.store.position(self.generation) == after:
            self.store.write(self.generation, changes, after=after, to=after + 1)

    @rule(generation=st.sampled_from(["g0", "g1", "g2"]), back=st.integers(0, 3), announced=st.booleans())
    def refill(self, generation: str, back: int, announced: bool) -> None:
        """Emptied, or its tail lost, or rebuilt; then it is at the log's head, or has yet to get there."""
        self.redis.flushall()
        self.generation, at = generation, max(1, len(self.history) - 1 - back)
        self.store.write(generation, {**self.history[at]}, after=0, to=at, announce=announced)
        self.redis.set(LIVE, generation)

    @rule()
    def project(self) -> None:
        """What Redis does not have yet, in one batch."""
        if self.store.live() != self.generation:
            return
        after, to = self.store.position(self.generation), len(self.history) - 1
        before, now = self.history[after], self.history[to]
        changes: Documents = {place: now.get(place) for place in before.keys() | now.keys()}
        if after < to:
            self.store.write(self.generation, changes, after=after, to=to)

    @rule()
    def swap(self) -> None:
        """To a generation at the same position, and the old one is deleted."""
        if self.store.live() != self.generation:
            return
        position, old = self.store.position(self.generation), self.generation
        self.generation = f"g{int(old[1:]) + 1}"
        self.store.write(self.generation, {**self.history[position]}, after=0, to=position, announce=False)
        self.redis.set(LIVE, self.generation)
        self.redis.delete(*self.redis.keys("{togglemaster}:" + old + ":*"))

    @rule()
    def empty(self) -> None:
        self.redis.flushall()

    @rule()
    def lose_the_changes(self) -> None:
        self.redis.delete("{togglemaster}:" + self.generation + ":changes")

    @rule()
    def follow(self) -> None:
        self.follower.sync()

    def fall_behind(self) -> None:
        """More was written than the stream of changes keeps."""
        self.command({PLACES[0]: "{", PLACES[1]: None})
        self.lose_the_changes()
        self.command({PLACES[2]: "{"})

    @rule(
        what=st.sampled_from(
            ["fall_behind", "project", "swap", "empty", "refill", "command", "lose_the_changes"]
        )
    )
    def follow_while(self, what: str) -> None:
        """It happens while everything is read, if everything is read."""
        happenings: dict[str, Callable[[], None]] = {
            "fall_behind": self.fall_behind,
            "project": self.project,
            "swap": self.swap,
            "empty": self.empty,
            "refill": lambda: self.refill(self.generation, 0, False),
            "command": lambda: self.command({PLACES[0]: "{"}),
            "lose_the_changes": self.lose_the_changes,
        }
        self.interruption = happenings[what]
        self.follower.sync()
        self.interruption = None

    @rule()
    def restart(self) -> None:
        self.copies.write()
        self.follower = self.new_follower()
        self.follower.load_copy()

    @rule()
    def come_to_rest(self) -> None:
        """With Redis at the log's head, so is the evaluator."""
        self.refill(self.generation, 0, True)
        self.follower.sync()
        assert self.follower.snapshot.position == len(self.history) - 1

    @invariant()
    def serves_one_position(self) -> None:
        snapshot = self.follower.snapshot
        held = {
            Place(scope, field): document
            for scope, fields in snapshot.documents.items()
            for field, document in fields.items()
        }
        assert held == self.history[snapshot.position]
        flags = {
            Place(scope, f"flag/{key}")
            for scope, ruleset in snapshot.environments.items()
            for key in ruleset.flags
        }
        assert flags == {place for place in held if place.field.startswith("flag/")}
        assert snapshot.position >= self.served
        self.served = snapshot.position

    def teardown(self) -> None:
        self.directory.cleanup()


def test_an_evaluator_serves_one_position_and_never_an_earlier_one(redis: Redis) -> None:
    class Here(Following):
        pass

    Here.redis = redis
    run_state_machine_as_test(
        Here, settings=settings(max_examples=150, stateful_step_count=25, deadline=None)
    )
