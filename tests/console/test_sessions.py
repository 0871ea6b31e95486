"""How long somebody is signed in, by a clock of the test's own."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from fastapi.testclient import TestClient

from api.console.client import Api, Door, Refused, SignedOut
from api.console.sessions import (
    ABSOLUTE_SECONDS,
    IDLE_SECONDS,
    LINK_SECONDS,
    LINKS_AT_MOST,
    Credential,
    Links,
    Session,
    Sessions,
)
from commands.event_store import EventStore
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from domain.roles import Principal
from tests.integration.conftest import application
from tests.integration.management import close, parts_at
from tests.integration.signing_in import EMAIL, PASSWORD, Ana

ANA = Principal(EMAIL, ())
KEY = Credential("a key")
ME = "/api/v1/auth/me"
T = TypeVar("T")


def run(what: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own, as this one has Playwright's event loop while browsers are open."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, what).result()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock)


def test_whoever_does_nothing_is_signed_out(sessions: Sessions, clock: Clock) -> None:
    secret = sessions.begin(KEY, ANA)
    clock.now += IDLE_SECONDS - 1
    session = sessions.find(secret)
    assert session is not None
    sessions.touch(session)
    clock.now += IDLE_SECONDS - 1
    assert sessions.find(secret) is session
    clock.now += 1
    assert sessions.find(secret) is None
    assert session.over.is_set()


def test_nobody_is_signed_in_for_ever(sessions: Sessions, clock: Clock) -> None:
    secret = sessions.begin(KEY, ANA)
    session = sessions.find(secret)
    for _ in range(ABSOLUTE_SECONDS // IDLE_SECONDS * 2 - 1):
        clock.now += IDLE_SECONDS / 2
        assert session is not None
        sessions.touch(session)
        assert sessions.find(secret) is session
    clock.now += IDLE_SECONDS / 2
    assert sessions.find(secret) is None


def test_a_session_ends_for_what_is_open_though_nobody_asks(sessions: Sessions, clock: Clock) -> None:
    found = sessions.find(sessions.begin(KEY, ANA))
    assert found is not None
    clock.now += IDLE_SECONDS
    sessions.sweep()
    assert found.over.is_set()


def test_every_session_has_a_secret_of_its_own_and_ends_by_itself(sessions: Sessions) -> None:
    first, second = sessions.begin(KEY, ANA), sessions.begin(KEY, ANA)
    assert first != second
    found = sessions.find(first)
    assert found is not None
    sessions.end(found)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None
    assert sessions.find("") is None


def test_a_link_is_good_once_and_soon(clock: Clock) -> None:
    links = Links(clock)
    used, late, in_time = (links.make(KEY, ANA) for _ in range(3))
    assert links.take(used) == (KEY, ANA)
    assert links.take(used) is None
    clock.now += LINK_SECONDS - 1
    assert links.take(in_time) == (KEY, ANA)
    clock.now += 1
    assert links.take(late) is None
    assert links.take("") is None


def test_links_that_nobody_uses_do_not_pile_up(clock: Clock) -> None:
    links = Links(clock)
    made = [links.make(KEY, ANA) for _ in range(LINKS_AT_MOST + 1)]
    assert links.take(made[0]) is None
    assert links.take(made[-1]) is not None


@pytest.fixture
def ana(store: EventStore) -> Iterator[Ana]:
    """On an application of the management API, without a console: what is tried here asks it itself."""
    set_up_postgres(Settings(postgres_url=store.url))
    app, found = application(), parts_at(store.url)
    app.state.parts = found
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Ana(client)
    close(found)


async def _signed_in(sessions: Sessions, door: Door) -> Session:
    found = await door.with_password(EMAIL, PASSWORD, "127.0.0.1")
    session = sessions.find(sessions.begin(found.credential, found.who))
    assert session is not None
    return session


def test_what_is_about_to_end_is_renewed_once_however_many_ask(
    ana: Ana, sessions: Sessions, clock: Clock
) -> None:
    """A refresh token that were used twice would end everything."""
    ana.add()

    async def day() -> None:
        app = application()
        session = await _signed_in(sessions, Door(app, sessions))
        api = Api(app, sessions, session, "en")
        for _ in range(3):
            before = session.credential
            clock.now += 541
            answers = await asyncio.gather(*(api.get(ME) for _ in range(8)))
            assert [each["name"] for each in answers] == [EMAIL] * 8
            assert session.credential != before
        assert not session.over.is_set()

    run(day())


def test_a_session_ends_with_what_it_asks_with(ana: Ana, sessions: Sessions, clock: Clock) -> None:
    ana.add()

    async def day() -> None:
        app = application()
        session = await _signed_in(sessions, Door(app, sessions))
        api = Api(app, sessions, session, "en")
        await asyncio.to_thread(ana.change, disabled=True)
        with pytest.raises(SignedOut):
            await api.get(ME)
        assert session.over.is_set()
        with pytest.raises(SignedOut):
            await api.get(ME)

    run(day())


def test_signing_out_ends_the_refresh_token_too(ana: Ana, sessions: Sessions) -> None:
    ana.add()

    async def day() -> Credential:
        door = Door(application(), sessions)
        session = await _signed_in(sessions, door)
        await door.sign_out(session.credential)
        return session.credential

    assert ana.refresh(run(day()).refresh).status_code == 401


def test_a_refusal_is_told_in_the_apis_words(ana: Ana, sessions: Sessions) -> None:
    async def ask() -> None:
        app = application()
        door = Door(app, sessions)
        with pytest.raises(Refused, match="the address or the password is wrong") as refused:
            await door.with_password(EMAIL, PASSWORD, "127.0.0.1")
        assert refused.value.status == 401

    assert ana.client.get("/health/live").status_code == 200
    run(ask())
