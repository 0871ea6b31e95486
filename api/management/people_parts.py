"""What the routes about people are made of, and how somebody signs in."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import cast

from api.management.access import Authenticator
from api.management.issuer import Issuer
from api.management.person_tokens import LIFETIME_SECONDS, PersonTokens
from commands.attempts import Attempts
from commands.event_store import EventStore
from commands.passwords import Busy, Passwords
from commands.private_tables import PrivateTables
from commands.sessions import Session, Sessions
from domain.aggregates import fold_all
from domain.envelope import person_stream
from domain.person import Person, person_id
from domain.person_events import PasswordChanged
from domain.roles import Principal

IPV6_PREFIX = 64  # what one subscriber has; counted as one address


@dataclass(frozen=True, slots=True)
class Tokens:
    """What somebody who signed in gets."""

    access_token: str
    refresh_token: str
    expires_in: int = LIFETIME_SECONDS


@dataclass(frozen=True, slots=True)
class People:
    """`sealing_key` keeps fingerprints of requests with passwords from being a way to guess them. `issuer` is
    absent where nobody signs in elsewhere."""

    store: EventStore
    tables: PrivateTables
    passwords: Passwords
    sessions: Sessions
    attempts: Attempts
    tokens: PersonTokens
    sealing_key: bytes
    issuer: Issuer | None

    def authenticators(self) -> tuple[Authenticator, ...]:
        return (self, *self.background())

    def background(self) -> tuple[Issuer, ...]:
        return (self.issuer,) if self.issuer else ()

    def enabled(self, person: str) -> Person | None:
        return enabled_person(self.store, person)

    def with_password(self, email: str, password: str, address: str) -> Person | None:
        """None when the address or the password is wrong; it takes as long for either.

        Raises TooManyFailures, Busy, and StoreUnavailable where they cannot be counted.
        """
        attempt = self.attempts.begin(f"email {email}", f"address {_counted_as(address)}")
        found = self.enabled(person_id(email))
        try:
            matches = self.passwords.matches(found.credential if found else "", password)
        except Busy:
            self.attempts.forgive(attempt)
            raise
        if not matches:
            return None
        self.attempts.forgive(attempt)
        return found

    def sign_in(self, person: Person) -> Tokens:
        return self._tokens(person, self.sessions.begin(person.id, person.epoch))

    def refresh(self, refresh_token: str) -> Tokens | None:
        """None for a token that is not in force, and for whoever is not any more who signed in."""
        session = self.sessions.rotate(refresh_token)
        if session is None:
            return None
        person = self.enabled(session.person)
        if person is None or person.epoch != session.epoch:
            self.sessions.end(session.refresh_token)
            return None
        return self._tokens(person, session)

    def forget_passwords(self, person: Person) -> None:
        """Hashes that no longer count."""
        self.passwords.forget_others(person.id, person.credential, self._credentials(person.id))

    def principal(self, credential: str) -> Principal | None:
        """Whose access token this is."""
        signed_in = self.tokens.read(credential)
        person = self.enabled(signed_in.person) if signed_in else None
        if signed_in is None or person is None or person.epoch != signed_in.epoch:
            return None
        return person.principal()

    def _tokens(self, person: Person, session: Session) -> Tokens:
        return Tokens(self.tokens.issue(person), session.refresh_token)

    def _credentials(self, person: str) -> Sequence[str]:
        events = (recorded.event for recorded in self.store.load(person_stream(person)))
        return [event.credential for event in events if isinstance(event, PasswordChanged)]


def enabled_person(store: EventStore, person: str) -> Person | None:
    """As the log has them now, so that a role is gone when it was taken away."""
    folded = fold_all(store.load(person_stream(person)))
    found = cast("Person", folded.state) if folded else None
    return None if found is None or found.disabled else found


def _counted_as(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Network((int(found), IPV6_PREFIX), strict=False))
    return str(found)
