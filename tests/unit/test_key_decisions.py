"""How long keys and tokens are in force, and what their texts are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as every
from hypothesis import strategies as st

from commands.secret_keys import derive, new_key
from domain import token
from domain.access import ApiKey, assemble, is_well_formed, selector_of
from domain.errors import Invalid, NotFound, WrongStatus
from domain.events import KeyExpiryChanged, KeyIssued, KeyRevoked
from domain.lifetimes import LONGEST, as_long, end_once_replaced, in_force, refuse_wrong_end
from domain.roles import Grant, Role
from domain.token import AccessToken
from domain.token_events import TokenExpiryChanged, TokenIssued, TokenRevoked
from tests.unit.decisions import given

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = KeyIssued(project="shop", environment="production", id="k", name="web", kind="server", digest="d")
UNTIL_ONE = KEY.model_copy(update={"expires_at": NOW + HOUR})
REPLACED = KeyExpiryChanged(expires_at=NOW + HOUR, replaced_by="k2")
GRANTS = (Grant(role=Role.EDITOR, project="shop"),)
TOKEN = TokenIssued(id="t", name="CI", grants=GRANTS, digest="d")
TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants them naive
ENDS = st.none() | TIMES


def key(*events: object) -> ApiKey:
    state = given("key", *events).state
    assert isinstance(state, ApiKey)
    return state


@every(ENDS, TIMES)
def test_a_key_is_in_force_until_its_end_and_not_at_it(end: datetime | None, now: datetime) -> None:
    issued = key(KEY.model_copy(update={"expires_at": end}))
    assert in_force(issued, now) == (end is None or now < end)
    assert not in_force(key(KEY, KeyRevoked()), now)


def test_an_end_is_neither_past_nor_absurd() -> None:
    for wrong in (NOW, NOW - HOUR, NOW + LONGEST + HOUR):
        with pytest.raises(Invalid, match="expires_at"):
            refuse_wrong_end(wrong, NOW)
    for right in (None, NOW + HOUR, NOW + LONGEST):
        refuse_wrong_end(right, NOW)


@every(ENDS.filter(lambda end: end is None or end > NOW), st.timedeltas(timedelta(0), timedelta(days=30)))
def test_what_is_replaced_never_lives_longer_for_it(end: datetime | None, overlap: timedelta) -> None:
    found = end_once_replaced(key(KEY.model_copy(update={"expires_at": end})), NOW, overlap)
    assert NOW <= found <= NOW + overlap
    assert end is None or found <= end


def test_what_is_over_is_not_replaced() -> None:
    with pytest.raises(NotFound):
        end_once_replaced(None, NOW, HOUR)
    for events, why in (
        ((KEY, KeyRevoked()), "revoked"),
        ((UNTIL_ONE, REPLACED), "replaced by 'k2'"),
        ((KEY.model_copy(update={"expires_at": NOW}),), "expired"),
    ):
        with pytest.raises(WrongStatus, match=why):
            end_once_replaced(key(*events), NOW, HOUR)


def test_a_successor_lives_as_long_as_the_first_did() -> None:
    assert as_long(key(KEY), NOW, NOW) is None
    assert as_long(key(UNTIL_ONE), NOW - HOUR, NOW) == NOW + 2 * HOUR
    absurd = key(KEY.model_copy(update={"expires_at": NOW + 2 * LONGEST}))
    assert as_long(absurd, NOW, NOW) == NOW + LONGEST


def test_what_happened_to_a_key() -> None:
    state = key(KEY, REPLACED, KeyRevoked())
    assert (state.expires_at, state.replaced_by, state.revoked) == (NOW + HOUR, "k2", True)
    again = key(KEY, REPLACED, KeyExpiryChanged(expires_at=NOW))
    assert (again.expires_at, again.replaced_by) == (NOW, "k2")


def test_what_happened_to_a_token() -> None:
    given("token", TOKEN).when(token.revoke).then(TokenRevoked())
    given("token", TOKEN, TokenRevoked()).when(token.revoke).stays_quiet()
    given("token").when(token.revoke).refuses(NotFound, "token")
    replaced = TokenExpiryChanged(expires_at=NOW, replaced_by="t2")
    state = given("token", TOKEN, replaced, TokenRevoked()).state
    assert state == AccessToken("t", "CI", GRANTS, "d", True, NOW, None, "t2")


@every(st.binary(min_size=32, max_size=32), st.sampled_from(["server", "client", "token"]))
def test_a_derived_key_is_always_the_same_and_a_key(seed: bytes, kind: object) -> None:
    selector, text = new_key(kind, seed)  # type: ignore[arg-type]
    assert (selector, text) == new_key(kind, seed)  # type: ignore[arg-type]
    assert selector_of(text) == selector
    assert new_key(kind, derive("another", seed.hex()))[1] != text  # type: ignore[arg-type]


@every(st.text(alphabet="tm_serveradmin0123456789AZaz/é\x00 ", max_size=80))
def test_a_text_without_the_checksum_is_no_key(text: str) -> None:
    assert not is_well_formed(text)
    assert selector_of(f"tm_token_{text}") is None


@pytest.mark.parametrize("selector", ["a/b/c/d/e/", "\x00AAAAAAAAA", "%_AAAAAAAA", "ééééééééé0"])
def test_a_right_checksum_does_not_make_a_selector_of_what_is_none(selector: str) -> None:
    assert selector_of(assemble("token", selector, "b" * 32)) is None
