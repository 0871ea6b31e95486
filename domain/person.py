"""People: who they are, what they were granted, and since when whoever signed in as them still is."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, assert_never

from pydantic import StringConstraints

from domain.errors import AlreadyExists, NotAllowed, NotFound
from domain.person_events import (
    GrantsChanged,
    PasswordChanged,
    PersonAdded,
    PersonDisabled,
    PersonEnabled,
    PersonEvent,
    PersonRenamed,
)
from domain.roles import EVERY, Grant, Permission, Principal

ID_LENGTH = 32  # hex digits: 128 bits, so that no two addresses meet

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$"),
]
"""ASCII only: 'K' of the Kelvin sign becomes 'k' in lower case, and one address would pass for another."""


@dataclass(frozen=True, slots=True)
class Person:
    """`epoch` counts what ended everything signed in before: being disabled, another password.

    `credential` names the hash of the password, and is empty where there is none.
    """

    id: str
    email: str
    name: str
    grants: tuple[Grant, ...] = ()
    disabled: bool = False
    credential: str = ""
    epoch: int = 0

    def principal(self) -> Principal:
        return Principal(self.email, self.grants)


def person_id(email: str) -> str:
    """Where the person with this address is found; the case of its letters does not matter."""
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()[:ID_LENGTH]


def evolve(person: Person | None, event: PersonEvent) -> Person:
    if isinstance(event, PersonAdded):
        return Person(**dict(event))
    assert person is not None
    match event:
        case PersonRenamed(name=name):
            return replace(person, name=name)
        case GrantsChanged(grants=grants):
            return replace(person, grants=grants)
        case PersonDisabled():
            return replace(person, disabled=True, epoch=person.epoch + 1)
        case PersonEnabled():
            return replace(person, disabled=False)
        case PasswordChanged(credential=credential):
            return replace(person, credential=credential, epoch=person.epoch + 1)
        case _:
            assert_never(event)


def add(
    person: Person | None, *, email: str, name: str, grants: Iterable[Grant], by: Principal
) -> tuple[PersonEvent, ...]:
    if person is not None:
        raise AlreadyExists(f"there is a person with the address '{email}' already, with id '{person.id}'")
    _require_everywhere(by, "adds people")
    added = PersonAdded(id=person_id(email), email=email, name=name)
    return added, *change_grants(evolve(None, added), grants=grants, by=by)


def change(
    person: Person | None,
    *,
    name: str | None,
    grants: Iterable[Grant] | None,
    disabled: bool | None,
    by: Principal,
) -> tuple[PersonEvent, ...]:
    """What is None stays as it is. Raises NotAllowed for what is more than `by` may."""
    found = existing(person)
    if name is not None or disabled is not None:
        _require_everywhere(by, "renames, disables and enables people")
    events: list[PersonEvent] = []
    if name is not None and name != found.name:
        events.append(PersonRenamed(name=name))
    if grants is not None:
        events += change_grants(found, grants=grants, by=by)
    if disabled is not None and disabled != found.disabled:
        events.append(PersonDisabled() if disabled else PersonEnabled())
    return tuple(events)


def change_grants(person: Person, *, grants: Iterable[Grant], by: Principal) -> tuple[PersonEvent, ...]:
    """Replaces what `by` administers of the person's grants; the others stay."""
    asked = set(grants)
    for grant in asked:
        if not administers(by, grant):
            raise NotAllowed(
                f"'{by.name}' may not grant a role in {_where(grant)}, being no admin there; leave it out,"
                " and what the person has there stays"
            )
    others = {grant for grant in person.grants if not administers(by, grant)}
    wanted = in_order(others | asked)
    return () if wanted == in_order(person.grants) else (GrantsChanged(grants=wanted),)


def change_password(person: Person | None, *, credential: str) -> tuple[PersonEvent, ...]:
    existing(person)
    return (PasswordChanged(credential=credential),)


def existing(person: Person | None) -> Person:
    if person is None:
        raise NotFound("there is no such person")
    return person


def administers(who: Principal, grant: Grant) -> bool:
    """Nobody gives, takes or sees what is not theirs to give."""
    return who.may(Permission.ADMINISTER, grant.project, grant.environment)


def in_order(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    return tuple(sorted(set(grants), key=lambda grant: (grant.project, grant.environment, grant.role)))


def _require_everywhere(by: Principal, what: str) -> None:
    if not by.may(Permission.ADMINISTER, EVERY):
        raise NotAllowed(f"only an admin of the whole installation {what}, and '{by.name}' is none")


def _where(grant: Grant) -> str:
    project = "every project" if grant.project == EVERY else f"project '{grant.project}'"
    return f"environment '{grant.environment}' of {project}" if grant.environment else project
