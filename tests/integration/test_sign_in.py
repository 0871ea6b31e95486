"""Signing in with a password: tokens, their renewal and their end, and what stops whoever guesses."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import jwt
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from fastapi.testclient import TestClient

from api.management.app import create_app
from api.management.person_tokens import PersonTokens
from commands.attempts import FAILURES, WINDOW_SECONDS, Attempts, TooManyFailures
from commands.event_store import StoreUnavailable
from commands.passwords import HASHES_AT_ONCE, Busy, Passwords
from commands.private_tables import PrivateTables
from commands.secret_keys import derive
from commands.sessions import Sessions
from domain.person import Person
from tests.integration.management import ADMIN, Management, parts_at, refused
from tests.integration.signing_in import AS_ADMIN, EMAIL, ID, PASSWORD, Ana, grant

NOWHERE = "postgresql://postgres@127.0.0.1:1/none"


@pytest.fixture
def ana(api: Management) -> Ana:
    """The hash is a cheap one: there are many guesses here."""
    api.parts.people.passwords._hasher = PasswordHasher.from_parameters(CHEAPEST)
    ana = Ana(api.client)
    ana.add(grants=[grant("editor")])
    return ana


@pytest.fixture
def tables(api: Management) -> PrivateTables:
    return api.parts.people.tables


def from_address(api: Management, address: str) -> Ana:
    """Somebody else's client of the same process."""
    return Ana(TestClient(api.client.app, client=(address, 4711)))


def test_a_password_gives_a_token_that_anybody_can_verify_with_the_public_key(ana: Ana) -> None:
    answer = ana.sign_in(email="ANA@example.org ")
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 600)
    published = ana.client.get("/.well-known/jwks.json").json()
    (key,) = jwt.PyJWKSet.from_dict(published).keys
    header = jwt.get_unverified_header(told["access_token"])
    assert (header["alg"], header["kid"]) == ("EdDSA", key.key_id)
    claims = jwt.decode(
        told["access_token"],
        key,
        algorithms=["EdDSA"],
        issuer="togglemaster",
        audience="togglemaster-management",
        options={"require": ["iss", "aud", "sub", "iat", "exp", "jti"]},
    )
    assert claims["sub"] == ID
    assert claims["exp"] - claims["iat"] == 600
    assert ana.me(told["access_token"]).json() == {"name": EMAIL, "person": ID, "grants": [grant("editor")]}


def test_the_key_and_its_name_follow_from_the_secret_alone() -> None:
    """The thumbprint is of the example in RFC 8037, appendix A.3."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert PersonTokens(seed).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    person = Person(ID, EMAIL, "Ana", epoch=3)
    one, other = PersonTokens(derive("s", "x")), PersonTokens(derive("s", "x"))
    read = other.read(one.issue(person))
    assert read is not None
    assert (read.person, read.epoch) == (ID, 3)
    assert PersonTokens(derive("t", "x")).read(one.issue(person)) is None


def test_an_administrators_key_is_told_who_it_is(api: Management) -> None:
    told = api.client.get("/api/v1/auth/me", headers=AS_ADMIN).json()
    assert told == {"name": "administrator", "person": None, "grants": [grant("admin", "*")]}


def test_a_wrong_password_an_unknown_address_and_a_disabled_person_are_answered_alike(ana: Ana) -> None:
    ana.add("bo@example.org")
    ana.change(Ana(ana.client).add("cy@example.org").json()["id"], disabled=True)
    answers = [
        ana.sign_in("wrong"),
        ana.sign_in(email="nobody@example.org"),
        ana.sign_in(email="cy@example.org"),
    ]
    for answer in answers:
        refused(answer, 401, "the address or the password is wrong")
    assert len({tuple(sorted(set(answer.json()) - {"request_id"})) for answer in answers}) == 1


class CountingHasher(PasswordHasher):
    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - its name there
        self.verified += 1
        return super().verify(hash, password)


def test_an_unknown_credential_costs_what_a_known_one_does(tables: PrivateTables, api: Management) -> None:
    hasher = CountingHasher.from_parameters(CHEAPEST)
    assert isinstance(hasher, CountingHasher)
    passwords = Passwords(tables, hasher)
    known = passwords.keep("ana", PASSWORD)
    for credential, password, right in ((known, PASSWORD, True), (known, "no", False), ("", "no", False)):
        before = hasher.verified
        assert passwords.matches(credential, password) is right
        assert hasher.verified == before + 1


def test_a_hash_made_with_other_parameters_is_made_anew(tables: PrivateTables, api: Management) -> None:
    cheap = Passwords(tables, PasswordHasher.from_parameters(CHEAPEST))
    credential = cheap.keep("ana", PASSWORD)

    def stored() -> str:
        with tables.connection() as connection:
            row = connection.execute("SELECT hash FROM togglemaster_passwords").fetchone()
        assert row is not None
        return str(row["hash"])

    now = Passwords(tables)
    old = stored()
    assert not now.matches(credential, "wrong")
    assert stored() == old
    assert now.matches(credential, PASSWORD)
    assert "m=65536,t=3,p=4" in stored()
    assert now.matches(credential, PASSWORD)


def test_a_password_is_the_same_however_its_letters_are_composed(
    tables: PrivateTables, api: Management
) -> None:
    passwords = Passwords(tables, PasswordHasher.from_parameters(CHEAPEST))
    credential = passwords.keep("ana", "caf\u00e9 caf\u00e9 caf\u00e9")
    assert passwords.matches(credential, "cafe\u0301 cafe\u0301 cafe\u0301")


def test_no_more_passwords_are_checked_at_once_than_there_is_memory_for(
    ana: Ana, api: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.passwords.WAIT_SECONDS", 0.01)
    passwords = api.parts.people.passwords
    for _ in range(HASHES_AT_ONCE):
        passwords._places.acquire()
    with pytest.raises(Busy):
        passwords.matches("", "x")
    for _ in range(FAILURES + 1):
        answer = ana.sign_in()
        refused(answer, 503, "too many passwords")
        assert answer.headers["retry-after"] == "1"
    for _ in range(HASHES_AT_ONCE):
        passwords._places.release()
    assert ana.sign_in().status_code == 200


def test_whoever_guesses_one_address_is_stopped_wherever_they_come_from(ana: Ana, api: Management) -> None:
    for number in range(FAILURES):
        refused(from_address(api, f"192.0.2.{number}").sign_in("wrong"), 401)
    answer = ana.sign_in()
    refused(answer, 429, "try again in")
    assert 0 < int(answer.headers["retry-after"]) <= WINDOW_SECONDS
    with api.parts.people.tables.connection() as connection:
        connection.execute("UPDATE togglemaster_failed_sign_ins SET at = at - interval '15 minutes'")
    assert ana.sign_in().status_code == 200


@pytest.mark.parametrize("addresses", [["192.0.2.9"], ["2001:db8::1", "2001:db8:0:0:ffff::2"]])
def test_whoever_guesses_many_addresses_is_stopped_too(
    ana: Ana, api: Management, addresses: list[str]
) -> None:
    for number in range(FAILURES):
        guesser = from_address(api, addresses[number % len(addresses)])
        refused(guesser.sign_in("wrong", f"p{number}@example.org"), 401)
    refused(from_address(api, addresses[0]).sign_in(), 429)
    assert ana.sign_in().status_code == 200


def test_signing_in_rightly_costs_nothing_and_forgives_nothing(ana: Ana) -> None:
    for _ in range(FAILURES - 1):
        ana.sign_in("wrong")
    for _ in range(3):
        assert ana.sign_in().status_code == 200
    refused(ana.sign_in("wrong"), 401)
    refused(ana.sign_in(), 429)


def test_guesses_at_once_are_counted_as_one_after_the_other(tables: PrivateTables, api: Management) -> None:
    attempts = Attempts(tables)

    def guess(_: int) -> str:
        try:
            return str(type(attempts.begin("email a", "address b")).__name__)
        except TooManyFailures as problem:
            return type(problem).__name__

    with ThreadPoolExecutor(5) as pool:
        assert Counter(pool.map(guess, range(40))) == {"UUID": FAILURES, "TooManyFailures": 30}


def test_the_old_password_cannot_be_guessed_with_a_stolen_token(ana: Ana) -> None:
    token, _ = ana.tokens()
    body = {"password": "another one entirely", "old_password": "wrong"}
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/api/v1/people/{ID}/password"
    answers = [ana.client.post(path, json=body, headers=headers).status_code for _ in range(FAILURES + 1)]
    assert answers == [403] * FAILURES + [429]


def test_a_refresh_token_gives_the_next_one(ana: Ana) -> None:
    _, first = ana.tokens()
    second = ana.refresh(first).json()
    assert second["refresh_token"] != first
    assert ana.me(second["access_token"]).status_code == 200
    assert ana.refresh(second["refresh_token"]).status_code == 200


def test_a_refresh_token_used_twice_ends_its_whole_family_and_no_other(ana: Ana) -> None:
    _, first = ana.tokens()
    _, elsewhere = ana.tokens()
    second = ana.refresh(first).json()["refresh_token"]
    third = ana.refresh(second).json()["refresh_token"]
    refused(ana.refresh(first), 401, "sign in again")
    refused(ana.refresh(third), 401)
    assert ana.refresh(elsewhere).status_code == 200


def test_of_uses_at_once_exactly_one_wins(ana: Ana, api: Management) -> None:
    for _ in range(5):
        _, token = ana.tokens()
        with ThreadPoolExecutor(5) as pool:
            found = list(pool.map(api.parts.people.refresh, [token] * 5))
        (won,) = [each for each in found if each]
        assert api.parts.people.refresh(won.refresh_token) is None


def test_nobody_ends_a_family_with_a_token_that_was_never_given(ana: Ana) -> None:
    _, token = ana.tokens()
    made_up = [
        token[:-1] + ("A" if token[-1] != "A" else "E"),
        token[:40] + ("x" if token[40] != "x" else "y") + token[41:],
        "",
        " " + token,
        token + "=",
        token[:-1] + "é",
        "tm_refresh_" + "A" * 107,
        "x" * 1000,
    ]
    for each in made_up:
        assert ana.refresh(each).status_code in {401, 422}
        ana.client.post("/api/v1/auth/logout", json={"refresh_token": each})
    assert ana.refresh(token).status_code == 200


def test_signing_out_ends_the_family(ana: Ana) -> None:
    _, token = ana.tokens()
    assert ana.client.post("/api/v1/auth/logout", json={"refresh_token": token}).status_code == 204
    refused(ana.refresh(token), 401)


@pytest.mark.parametrize(
    "change",
    [
        "expires = clock_timestamp()",
        "began = began - interval '90 days', expires = expires - interval '30 days'",
    ],
)
def test_a_family_ends_unused_and_in_the_end(ana: Ana, tables: PrivateTables, change: str) -> None:
    _, token = ana.tokens()
    with tables.connection() as connection:
        connection.execute(f"UPDATE togglemaster_sessions SET {change}".encode())  # noqa: S608 - from this module
    refused(ana.refresh(token), 401)


def test_using_it_prolongs_a_family_but_not_for_ever(tables: PrivateTables, api: Management) -> None:
    sessions = Sessions(tables, b"key")
    session = sessions.begin("ana", 0)
    for days_ago, left in ((10, 30), (80, 10)):
        with tables.connection() as connection:
            connection.execute(
                "UPDATE togglemaster_sessions SET began = clock_timestamp() - make_interval(days => %s)",
                (days_ago,),
            )
        following = sessions.rotate(session.refresh_token)
        assert following is not None
        session = following
        with tables.connection() as connection:
            query = "SELECT round(extract(epoch FROM expires - clock_timestamp()) / 86400) AS days"
            row = connection.execute((query + " FROM togglemaster_sessions").encode()).fetchone()
        assert row is not None
        assert row["days"] == left


def test_whoever_is_disabled_is_signed_out_at_once_and_stays_so(ana: Ana) -> None:
    access, refresh = ana.tokens()
    ana.change(disabled=True)
    refused(ana.me(access), 401)
    ana.change(disabled=False)
    refused(ana.me(access), 401)
    refused(ana.refresh(refresh), 401)
    assert ana.sign_in().status_code == 200


def test_only_digests_of_refresh_tokens_are_kept(ana: Ana, tables: PrivateTables) -> None:
    _, token = ana.tokens()
    with tables.connection() as connection:
        (row,) = connection.execute("SELECT t::text AS text FROM togglemaster_sessions t").fetchall()
    assert token not in row["text"]
    assert token.removeprefix("tm_refresh_").encode().hex() not in row["text"]


def test_without_postgresql_nobody_signs_in() -> None:
    found = parts_at(NOWHERE, postgres_seconds=1.2)
    token = found.people.tokens.issue(Person(ID, EMAIL, "Ana"))
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        ana = Ana(client)
        for answer in (ana.sign_in(), ana.refresh(_refresh_token()), ana.me(token)):
            refused(answer, 503, "cannot be reached")
            assert answer.headers["retry-after"] == "1"
        assert client.get("/.well-known/jwks.json").status_code == 200
    for part in (found.store, found.people.tables):
        part.close()


def test_without_its_tables_it_says_what_to_do(postgres_url: str) -> None:
    tables = PrivateTables(postgres_url)
    with pytest.raises(StoreUnavailable, match="togglemaster setup"):
        Passwords(tables).matches("", "x")
    tables.create_tables()
    tables.create_tables()
    assert not Passwords(tables).matches("", "x")
    tables.close()


def _refresh_token() -> str:
    sessions = Sessions(PrivateTables(NOWHERE), derive(ADMIN, "refresh tokens"))
    return sessions._new_token(b"f" * 16)


def test_a_token_is_void_after_ten_minutes(ana: Ana, monkeypatch: pytest.MonkeyPatch) -> None:
    access, _ = ana.tokens()
    assert ana.me(access).status_code == 200
    later = time.time() + 601
    monkeypatch.setattr("api.management.person_tokens.time.time", lambda: later)
    refused(ana.me(access), 401)
