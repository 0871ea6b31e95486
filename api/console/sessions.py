"""Who is signed in to the console. In memory only: no credential is written down, and a restart ends all."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from domain.roles import Principal

IDLE_SECONDS = 30 * 60  # a meeting; whoever left the desk for longer signs in again
ABSOLUTE_SECONDS = 12 * 3_600  # a working day
SESSIONS_AT_MOST = 10_000  # some 10 MB; beyond that whoever was away longest signs in again
LINK_SECONDS = 120  # from a terminal into a browser
LINKS_AT_MOST = 100
SECRET_BYTES = 32

Clock = Callable[[], float]


@dataclass(slots=True)
class Credential:
    """What the management API is asked with. A key has no end that is known here, and no `refresh`."""

    value: str
    refresh: str = ""
    renew_at: float = float("inf")


@dataclass(eq=False, slots=True)
class Session:
    """`over` is set when it ends, for whatever is still open."""

    credential: Credential
    who: Principal
    began: float
    used: float
    over: asyncio.Event = field(default_factory=asyncio.Event)
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def ends_at(self) -> float:
        return min(self.used + IDLE_SECONDS, self.began + ABSOLUTE_SECONDS)


class Sessions:
    """By the secret that is in the browser's cookie. For the event loop's thread."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self.clock = clock
        self._found: dict[str, Session] = {}

    def begin(self, credential: Credential, who: Principal) -> str:
        """What to put into the cookie."""
        if len(self._found) >= SESSIONS_AT_MOST:
            self.end(min(self._found.values(), key=lambda each: each.used))
        now, secret = self.clock(), secrets.token_urlsafe(SECRET_BYTES)
        self._found[secret] = Session(credential, who, began=now, used=now)
        return secret

    def find(self, secret: str) -> Session | None:
        session = self._found.get(secret)
        if session is not None and session.ends_at() <= self.clock():
            self.end(session)
            return None
        return session

    def touch(self, session: Session) -> None:
        """Somebody did something; a page that is merely open is not use."""
        session.used = self.clock()

    def end(self, session: Session) -> None:
        """Everywhere at once, in pages that are open too."""
        session.over.set()
        self._found = {secret: each for secret, each in self._found.items() if each is not session}

    def sweep(self) -> None:
        """Ends those whose time has come, though nobody asks for them."""
        for secret in list(self._found):
            self.find(secret)


class Links:
    """Secrets that sign somebody in once, and soon."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._found: dict[str, tuple[Credential, Principal, float]] = {}

    def make(self, credential: Credential, who: Principal) -> str:
        while len(self._found) >= LINKS_AT_MOST:
            self._found.pop(next(iter(self._found)))
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._found[secret] = credential, who, self._clock() + LINK_SECONDS
        return secret

    def take(self, secret: str) -> tuple[Credential, Principal] | None:
        """None for one that was taken before, or too late."""
        credential, who, ends_at = self._found.pop(secret, (Credential(""), None, 0.0))
        return (credential, who) if who is not None and self._clock() < ends_at else None
