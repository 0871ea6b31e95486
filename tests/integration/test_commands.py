"""Commands on the real log."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from commands.event_store import EventStore
from commands.models import (
    ArchiveFlag,
    ArchiveSegment,
    CreateEnvironment,
    IssueKey,
    RestoreFlag,
    RevokeKey,
    TurnFlagOff,
    TurnFlagOn,
)
from domain.access import ApiKey
from domain.aggregates import Folded
from domain.errors import InUse, Invalid, NotFound, VersionConflict
from domain.events import DefaultServeChanged, FlagTurnedOn, RuleAdded
from domain.flag import Flag
from tests.integration.shop import BRAZIL, STAMP, Shop, rule


@pytest.fixture
def shop(store: EventStore) -> Shop:
    return Shop(store)


def test_a_flag_is_made_with_salts_of_its_own_and_stored(shop: Shop) -> None:
    made = shop.flag("checkout")
    assert isinstance(made.state, Flag)
    assert (made.state.gate_salt, made.state.split_salt) == ("salt-1", "salt-2")
    assert (made.version, made.created, made.position) == (1, STAMP, shop.store.head())


def test_turning_on_twice_is_one_event(shop: Shop) -> None:
    shop.flag("checkout")
    on = TurnFlagOn(project="shop", flag="checkout", environment="production")
    first, second = shop.give(on), shop.give(on)
    assert first == second
    off = shop.give(TurnFlagOff(project="shop", flag="checkout", environment="production"))
    assert (off.version, off.position) == (3, shop.store.head())


def test_a_changed_targeting_is_one_event_for_each_thing(shop: Shop) -> None:
    made = shop.flag("checkout")
    shop.target("checkout", default={"variant": "off"}, rules=[rule(BRAZIL)])
    events = [each.event for each in shop.store.load(made.stream, after=1)]
    assert [type(event) for event in events] == [FlagTurnedOn, DefaultServeChanged, RuleAdded]


def test_a_rule_sent_again_without_an_id_is_the_same_rule(shop: Shop) -> None:
    shop.flag("checkout")
    first = shop.target("checkout", rules=[rule(BRAZIL), rule({"constant": False})])
    assert shop.target("checkout", rules=[rule(BRAZIL), rule({"constant": False})]) == first
    both = shop.target("checkout", rules=[rule({"constant": False}), rule(BRAZIL), rule(BRAZIL)])
    assert isinstance(both.state, Flag)
    ids = [each.id for each in both.state.targeting("production").rules]
    assert ids[:2] == ["salt-4", "salt-3"]
    assert len(set(ids)) == 3


def test_what_is_referred_to_has_to_exist(shop: Shop) -> None:
    shop.flag("checkout")
    with pytest.raises(Invalid, match="no segment 'beta'"):
        shop.target("checkout", rules=[rule({"segment": "beta"})])
    with pytest.raises(Invalid, match="no flag 'api'"):
        shop.target("checkout", prerequisites=[{"flag": "api", "variants": ["on"]}])
    shop.flag("api")
    with pytest.raises(Invalid, match="'api' has no variant 'maybe'; it has on, off"):
        shop.target("checkout", prerequisites=[{"flag": "api", "variants": ["maybe"]}])
    with pytest.raises(NotFound, match="no environment 'qa'"):
        shop.target("checkout", environment="qa")
    with pytest.raises(NotFound, match="no flag 'nothing'"):
        shop.target("nothing")
    with pytest.raises(NotFound, match="no project 'other'"):
        shop.give(TurnFlagOn(project="other", flag="checkout", environment="production"))


def test_nobody_asks_in_a_circle(shop: Shop) -> None:
    for key in ("a", "b", "c"):
        shop.flag(key)
    shop.target("a", prerequisites=[{"flag": "b", "variants": ["on"]}])
    shop.target("b", rules=[rule({"flag": "c", "variants": ["on"]})])
    with pytest.raises(Invalid, match="'c' would ask for itself"):
        shop.target("c", prerequisites=[{"flag": "a", "variants": ["on"]}])
    shop.target("c", environment="staging", prerequisites=[{"flag": "a", "variants": ["on"]}])
    with pytest.raises(Invalid, match="'a' would ask for itself"):
        shop.target("a", prerequisites=[{"flag": "a", "variants": ["on"]}])
    shop.segment("one", {"constant": True})
    shop.segment("two", {"any": [{"segment": "one"}, {"segment": "one"}]})
    with pytest.raises(Invalid, match="'one' would ask for itself"):
        shop.segment("one", {"segment": "two"})
    with pytest.raises(Invalid, match="'one' would ask for itself"):
        shop.segment("one", {"segment": "one"})


def test_a_segment_asks_only_for_segments(shop: Shop) -> None:
    shop.flag("api")
    with pytest.raises(Invalid, match="cannot ask for a flag"):
        shop.segment("beta", {"flag": "api", "variants": ["on"]})
    with pytest.raises(Invalid, match="no segment 'other'"):
        shop.segment("beta", {"segment": "other"})


def test_what_is_asked_for_does_not_go_away(shop: Shop) -> None:
    shop.flag("api")
    shop.flag("checkout")
    shop.segment("staff", {"constant": True})
    shop.segment("beta", {"segment": "staff"})
    using = shop.target(
        "checkout", rules=[rule({"segment": "beta"})], prerequisites=[{"flag": "api", "variants": ["on"]}]
    )
    beta, staff = (
        ArchiveSegment(project="shop", segment="beta"),
        ArchiveSegment(project="shop", segment="staff"),
    )
    api = ArchiveFlag(project="shop", flag="api")
    with pytest.raises(InUse, match="flag 'checkout' in production"):
        shop.give(beta)
    with pytest.raises(InUse, match="segment 'beta'"):
        shop.give(staff)
    with pytest.raises(InUse, match="flag 'checkout' in production"):
        shop.give(api)
    shop.give(ArchiveFlag(project="shop", flag="checkout"))
    for command in (beta, staff, api):
        shop.give(command)
    shop.flag("other")
    with pytest.raises(Invalid, match="no segment 'beta'"):
        shop.target("other", rules=[rule({"segment": "beta"})])
    restored = shop.give(RestoreFlag(project="shop", flag="checkout"))
    assert restored.state == using.state


def test_an_expected_version_is_kept_to(shop: Shop) -> None:
    shop.flag("checkout")
    on = TurnFlagOn(project="shop", flag="checkout", environment="production")
    with pytest.raises(VersionConflict, match="at version 1 now, not 7"):
        shop.give(on, expected=7)
    assert shop.give(on, expected=1).version == 2


def test_of_many_who_expect_one_version_exactly_one_wins(shop: Shop) -> None:
    shop.flag("checkout")

    def turn(number: int) -> bool:
        key = f"env{number}"
        shop.give(CreateEnvironment(project="shop", environment=key, name=key))
        try:
            shop.give(TurnFlagOn(project="shop", flag="checkout", environment=key), expected=1)
        except VersionConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(turn, range(20))) == 1


def test_of_50_commands_at_once_on_one_project_all_get_through(shop: Shop) -> None:
    def create(number: int) -> Folded:
        return shop.give(CreateEnvironment(project="shop", environment=f"env{number}", name="E"))

    with ThreadPoolExecutor(16) as pool:
        versions = {each.version for each in pool.map(create, range(50))}
    assert versions == set(range(5, 55))


def test_a_key_belongs_to_its_environment(shop: Shop) -> None:
    issue = IssueKey(project="shop", environment="production", id="k1", name="web", kind="client", digest="d")
    issued = shop.give(issue)
    assert issued.state == ApiKey("shop", "production", "k1", "web", "client", "d")
    with pytest.raises(NotFound):
        shop.give(RevokeKey(project="shop", environment="staging", id="k1"))
    revoked = shop.give(RevokeKey(project="shop", environment="production", id="k1"))
    assert isinstance(revoked.state, ApiKey)
    assert revoked.state.revoked
