"""A request with an idempotency key is carried out once, whatever happens to its answer."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from commands.event_store import Append, Conflict, EventStore, Once, Outcome, StoreUnavailable
from commands.handlers import Commands
from commands.models import CreateFlag, FlagDefinition, TurnFlagOff, TurnFlagOn
from domain.aggregates import Folded
from domain.envelope import Recorded, Stamp, flag_stream
from domain.errors import AlreadyExists, KeyReused
from domain.events import FlagTurnedOn
from domain.values import FlagType
from tests.integration.shop import STAMP, Shop

ONCE = Once("ana", "k1", b"what was asked")
ON = TurnFlagOn(project="shop", flag="a", environment="production")
OFF = TurnFlagOff(project="shop", flag="a", environment="production")


@pytest.fixture
def shop(store: EventStore) -> Shop:
    shop = Shop(store)
    shop.flag("a")
    return shop


def test_the_same_request_is_answered_as_the_first_time(shop: Shop) -> None:
    first = shop.commands.execute(ON, STAMP, once=ONCE)
    shop.give(OFF)
    assert shop.commands.execute(ON, STAMP, once=ONCE) == first
    assert shop.commands.execute(ON, STAMP, once=Once("bob", "k1", b"his own")).version == 4


def test_another_request_with_the_same_key_is_refused(shop: Shop) -> None:
    shop.commands.execute(ON, STAMP, once=ONCE)
    with pytest.raises(KeyReused, match="another request"):
        shop.commands.execute(OFF, STAMP, once=Once("ana", "k1", b"something else"))
    assert len(shop.store.load(flag_stream("shop", "a"))) == 2


def test_a_request_that_changed_nothing_is_remembered_too(shop: Shop) -> None:
    first = shop.commands.execute(OFF, STAMP, once=ONCE)
    shop.give(ON)
    assert shop.commands.execute(OFF, STAMP, once=ONCE) == first
    assert shop.store.outcome(ONCE) is not None


def test_an_expected_version_is_not_asked_again_of_what_was_done(shop: Shop) -> None:
    first = shop.commands.execute(ON, STAMP, expected_version=1, once=ONCE)
    assert shop.commands.execute(ON, STAMP, expected_version=1, once=ONCE) == first


def test_many_commands_are_remembered_together(shop: Shop) -> None:
    shop.flag("b")
    both = [ON, TurnFlagOn(project="shop", flag="b", environment="production")]
    first = shop.commands.execute_all(both, STAMP, once=ONCE)
    assert [folded.stream.key for folded in first] == ["a", "b"]
    assert shop.commands.execute_all(both, STAMP, once=ONCE) == first


def test_of_32_at_once_one_is_carried_out_and_all_get_its_answer(shop: Shop) -> None:
    def send(_: int) -> Folded:
        return shop.commands.execute(ON, STAMP, once=ONCE)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(32)))
    assert len({(answer.version, answer.position) for answer in answers}) == 1
    assert len(shop.store.load(flag_stream("shop", "a"))) == 2


class LosesTheAnswer:
    """A log whose answer to an append is lost after it was written."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, appends: Sequence[Append], stamp: Stamp, **more: Any) -> list[Recorded]:
        self._store.append(appends, stamp, **more)
        raise StoreUnavailable("the connection ended before the answer to COMMIT")


def test_a_lost_answer_to_commit_is_no_conflict_when_it_is_sent_again(shop: Shop) -> None:
    log: Any = LosesTheAnswer(shop.store)
    with pytest.raises(StoreUnavailable):
        Commands(log).execute(ON, STAMP, expected_version=1, once=ONCE)
    again = shop.commands.execute(ON, STAMP, expected_version=1, once=ONCE)
    assert [each.event for each in shop.store.load(again.stream, after=1)] == [
        FlagTurnedOn(environment="production")
    ]


class LooksTooEarly:
    """A log in which the same request, sent twice, is carried out just after it was looked up."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._looked = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def outcome(self, once: Once) -> Outcome | None:
        looked, self._looked = self._looked, True
        return self._store.outcome(once) if looked else None


@pytest.mark.parametrize("expected", [None, 0])
def test_a_request_is_not_refused_because_of_itself(shop: Shop, expected: int | None) -> None:
    definition = FlagDefinition(key="new", type=FlagType.BOOLEAN, variants={"on": True})
    create = CreateFlag(project="shop", definition=definition)
    first = shop.commands.execute(create, STAMP, once=ONCE)
    log: Any = LooksTooEarly(shop.store)
    again = Commands(log).execute(create, STAMP, expected_version=expected, once=ONCE)
    assert again == first
    with pytest.raises(AlreadyExists):
        Commands(log).execute(create, STAMP, once=Once("ana", "another", b""))


def test_what_is_refused_is_not_remembered(shop: Shop) -> None:
    flag = flag_stream("shop", "a")
    with pytest.raises(Conflict):
        shop.store.append([Append(flag, 0, [FlagTurnedOn(environment="qa")])], STAMP, once=ONCE)
    assert shop.store.outcome(ONCE) is None
    assert len(shop.store.load(flag)) == 1


def test_old_requests_are_forgotten(shop: Shop) -> None:
    shop.commands.execute(ON, STAMP, once=ONCE)
    assert shop.store.forget_requests(older_than_seconds=3600) == 0
    assert shop.store.forget_requests(older_than_seconds=0) == 1
    assert shop.store.outcome(ONCE) is None
