"""Routes of people: who there is, and what each may."""

import hashlib
import hmac
from dataclasses import replace
from typing import Annotated, cast

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response, status
from pydantic import AfterValidator, StringConstraints

from api.http import StrictRoute
from api.management.access import PrincipalOf, permitted
from api.management.context import Administrator, Lister, Parts, PartsOf, Write, write
from api.management.history import History, Narrowing, history_of
from api.management.shapes import Envelope, Page, envelope
from api.management.sign_in import RETRY_AFTER, with_password
from commands.models import Command
from commands.passwords import BYTES_AT_MOST, LENGTH_AT_LEAST, Busy
from commands.people_models import AddPerson, ChangePassword, ChangePerson, PersonGrants, PersonName
from domain.aggregates import Folded, fold_all
from domain.envelope import person_stream
from domain.errors import NotFound
from domain.person import ID_LENGTH, Email, Person, administers, person_id
from domain.roles import EVERY, PERMISSIONS, Grant, Permission, Principal
from domain.values import Model

router = APIRouter(prefix="/people", tags=["people"], route_class=StrictRoute)

PersonId = Annotated[str, Path(pattern=rf"^[0-9a-f]{{{ID_LENGTH}}}$")]


def _short_enough(password: str) -> str:
    if len(password.encode()) > BYTES_AT_MOST:
        raise ValueError(f"a password has at most {BYTES_AT_MOST} bytes")
    return password


NewPassword = Annotated[
    str,
    StringConstraints(min_length=LENGTH_AT_LEAST, max_length=BYTES_AT_MOST),
    AfterValidator(_short_enough),
]


class NewPerson(Model):
    """Without a password they sign in elsewhere, or not before one is set."""

    email: Email
    name: PersonName
    grants: PersonGrants = ()
    password: NewPassword | None = None


class PersonChange(Model):
    """What is absent stays. `grants` replaces those that the caller administers; the others stay."""

    name: PersonName | None = None
    grants: PersonGrants | None = None
    disabled: bool | None = None


class PasswordChange(Model):
    """`old_password` is needed of whoever is no admin of the whole installation."""

    password: NewPassword
    old_password: Annotated[str, StringConstraints(max_length=BYTES_AT_MOST)] | None = None


class PersonAnswer(Envelope):
    """`grants` are those that the caller administers; `has_password` is false for who signs in elsewhere."""

    id: str
    email: str
    name: str
    grants: tuple[Grant, ...]
    disabled: bool
    has_password: bool


class PersonPage(Page):
    people: list[PersonAnswer]


def _some_admin(who: PrincipalOf) -> Principal:
    if not any(Permission.ADMINISTER in PERMISSIONS[grant.role] for grant in who.grants):
        raise HTTPException(
            403, f"'{who.name}' may not do this: people are for those who administer something"
        )
    return who


def _themselves_or_admin(request: Request, who: PrincipalOf) -> Principal:
    themselves = request.path_params["person"] == person_id(who.name)
    if not themselves and not who.may(Permission.ADMINISTER, EVERY):
        raise HTTPException(
            403, f"'{who.name}' may not do this: it is for the person and for admins of everything"
        )
    return who


SomeAdmin = Annotated[Principal, Depends(_some_admin)]
Themselves = Annotated[Principal, Depends(_themselves_or_admin)]
Everything = Annotated[Principal, Depends(permitted(Permission.ADMINISTER))]
Giving = Annotated[Write, Depends(write)]


@router.post("", status_code=status.HTTP_201_CREATED)
def add_person(body: NewPerson, write: Administrator) -> PersonAnswer:
    """Adds a person. An address stands for one of them, whatever the case of its letters."""
    new, found = body.model_dump(exclude={"password"}), person_id(body.email)
    commands: list[Command] = [AddPerson(**{**new, "grants": body.grants}, by=write.who)]
    if body.password is not None:
        commands.append(ChangePassword(id=found, credential=_kept(write, found, body.password)))
    folded = _sealed(write).give_all(commands)[-1]
    write.response.headers["ETag"] = f'"{folded.version}"'
    return _answer(folded, write.who)


@router.get("")
def list_people(who: SomeAdmin, listing: Lister) -> PersonPage:
    """Everybody, in no order of meaning unless `sort` says so; `search` looks into addresses and names."""
    everybody = replace(listing, only=replace(listing.only, projects=None))
    page, after = everybody.of("person", person_stream("").project)
    return PersonPage(people=[_answer(each, who) for each in page], next=after, position=listing.position)


@router.get("/{person}")
def get_person(person: PersonId, who: SomeAdmin, parts: PartsOf, response: Response) -> PersonAnswer:
    folded = _found(parts, person)
    response.headers["ETag"] = f'"{folded.version}"'
    return _answer(folded, who)


@router.get("/{person}/history")
def person_history(person: PersonId, which: Narrowing, _: Everything, parts: PartsOf) -> History:
    """What happened to the person: who granted them what, and when."""
    _found(parts, person)
    stream = person_stream(person)
    return history_of(parts, stream.project, which, kind=stream.kind, key=stream.key)


@router.patch("/{person}")
def change_person(person: PersonId, body: PersonChange, who: SomeAdmin, write: Giving) -> PersonAnswer:
    """Whoever administers a project changes the grants in it; names and `disabled` are for admins of
    everything. It counts from the next request on, and a disabled person is signed out everywhere."""
    command = ChangePerson(id=person, name=body.name, grants=body.grants, disabled=body.disabled, by=who)
    return _answer(write.give(command), who)


@router.post("/{person}/password")
def change_password(
    person: PersonId, body: PasswordChange, who: Themselves, request: Request, write: Giving
) -> PersonAnswer:
    """Sets a password, and ends everything the person signed in to before."""
    _found(write.parts, person)
    if not who.may(Permission.ADMINISTER, EVERY):
        old = with_password(write.parts, request, who.name, body.old_password or "")
        if old is None:
            raise HTTPException(403, "'old_password' is wrong or absent")
    command = ChangePassword(id=person, credential=_kept(write, person, body.password))
    folded = _sealed(write).give(command)
    write.parts.people.forget_passwords(cast("Person", folded.state))
    return _answer(folded, who)


def _found(parts: Parts, person: str) -> Folded:
    folded = fold_all(parts.store.load(person_stream(person)))
    if folded is None:
        raise NotFound("there is no such person")
    return folded


def _kept(write: Write, person: str, password: str) -> str:
    try:
        return write.parts.people.passwords.keep(person, password)
    except Busy as problem:
        raise HTTPException(503, str(problem), RETRY_AFTER) from problem


def _sealed(write: Write) -> Write:
    """With a fingerprint of the request from which nobody can find the password by trying."""
    if write.once is None:
        return write
    key = write.parts.people.sealing_key
    fingerprint = hmac.digest(key, write.once.fingerprint, hashlib.sha256)
    return replace(write, once=replace(write.once, fingerprint=fingerprint))


def _answer(folded: Folded, who: Principal) -> PersonAnswer:
    person = cast("Person", folded.state)
    return PersonAnswer(
        id=person.id,
        email=person.email,
        name=person.name,
        grants=tuple(grant for grant in person.grants if administers(who, grant)),
        disabled=person.disabled,
        has_password=bool(person.credential),
        **envelope(folded),
    )
