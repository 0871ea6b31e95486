"""People: who may be added and changed by whom, and what ends what was signed in to."""

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain import person
from domain.errors import AlreadyExists, NotAllowed, NotFound
from domain.person import Email, Person, administers, change_grants, person_id
from domain.person_events import (
    GrantsChanged,
    PasswordChanged,
    PersonAdded,
    PersonDisabled,
    PersonEnabled,
    PersonRenamed,
)
from domain.roles import EVERY, Grant, Principal, Role
from tests.unit.decisions import given

ID = person_id("ana@example.org")
ADDED = PersonAdded(id=ID, email="ana@example.org", name="Ana")
ROOT = Principal("root", (Grant(role=Role.ADMIN, project=EVERY),))
SHOP_ADMIN = Principal("sam", (Grant(role=Role.ADMIN, project="shop"),))
STAGING_ADMIN = Principal("stu", (Grant(role=Role.ADMIN, project="shop", environment="staging"),))
SHOP_EDITOR = Grant(role=Role.EDITOR, project="shop")
BLOG_VIEWER = Grant(role=Role.VIEWER, project="blog")
EMAIL: TypeAdapter[str] = TypeAdapter(Email)
NOTHING = {"name": None, "grants": None, "disabled": None}
NEW = {"email": "ana@example.org", "name": "Ana"}


def test_a_person_is_added_with_what_they_are_granted() -> None:
    given("person").when(person.add, **NEW, grants=[], by=ROOT).then(ADDED)
    added = given("person").when(person.add, **NEW, grants=[SHOP_EDITOR, BLOG_VIEWER, SHOP_EDITOR], by=ROOT)
    added.then(ADDED, GrantsChanged(grants=(BLOG_VIEWER, SHOP_EDITOR)))


def test_an_address_is_one_persons() -> None:
    again = given("person", ADDED).when(person.add, **NEW, grants=[], by=ROOT)
    again.refuses(AlreadyExists, "ana@example.org", ID)


def test_only_an_admin_of_everything_adds_people() -> None:
    given("person").when(person.add, **NEW, grants=[], by=SHOP_ADMIN).refuses(NotAllowed, "'sam'")


def test_what_is_so_already_is_no_event() -> None:
    known = given("person", ADDED, GrantsChanged(grants=(BLOG_VIEWER, SHOP_EDITOR)))
    same = {"name": "Ana", "grants": [SHOP_EDITOR, BLOG_VIEWER], "disabled": False}
    known.when(person.change, **same, by=ROOT).stays_quiet()
    known.when(person.change, **NOTHING, by=ROOT).stays_quiet()


def test_names_and_standing_change_by_themselves() -> None:
    known = given("person", ADDED)
    both = known.when(person.change, **{**NOTHING, "name": "Anna", "disabled": True}, by=ROOT)
    both.then(PersonRenamed(name="Anna"), PersonDisabled())
    back = given("person", ADDED, PersonDisabled()).when(
        person.change, **{**NOTHING, "disabled": False}, by=ROOT
    )
    back.then(PersonEnabled())
    for more in ({"name": "Anna"}, {"disabled": True}):
        known.when(person.change, **{**NOTHING, **more}, by=SHOP_ADMIN).refuses(NotAllowed, "'sam'")


def test_a_project_admin_changes_what_is_granted_in_the_project_and_nothing_else() -> None:
    known = given("person", ADDED, GrantsChanged(grants=(BLOG_VIEWER,)))
    granted = known.when(person.change, **{**NOTHING, "grants": [SHOP_EDITOR]}, by=SHOP_ADMIN)
    granted.then(GrantsChanged(grants=(BLOG_VIEWER, SHOP_EDITOR)))
    known.when(person.change, **{**NOTHING, "grants": []}, by=SHOP_ADMIN).stays_quiet()
    for beyond in (BLOG_VIEWER, Grant(role=Role.VIEWER, project=EVERY)):
        refused = known.when(person.change, **{**NOTHING, "grants": [beyond]}, by=SHOP_ADMIN)
        refused.refuses(NotAllowed, "'sam'", "project")


def test_an_admin_of_an_environment_grants_there_only() -> None:
    there = Grant(role=Role.ADMIN, project="shop", environment="staging")
    known = given("person", ADDED)
    wish = {**NOTHING, "grants": [there]}
    known.when(person.change, **wish, by=STAGING_ADMIN).then(GrantsChanged(grants=(there,)))
    for beyond in (SHOP_EDITOR, Grant(role=Role.EDITOR, project="shop", environment="production")):
        wish = {**NOTHING, "grants": [beyond]}
        known.when(person.change, **wish, by=STAGING_ADMIN).refuses(NotAllowed, "project 'shop'")


def test_nobody_is_changed_who_is_not_there() -> None:
    given("person").when(person.change, **NOTHING, by=ROOT).refuses(NotFound)
    given("person").when(person.change_password, credential="c").refuses(NotFound)


def test_another_password_and_being_disabled_end_what_was_signed_in_to() -> None:
    changes = (PasswordChanged(credential="c-1"), PersonDisabled(), PersonEnabled())
    found: Person = given("person", ADDED, *changes).state
    assert (found.credential, found.disabled, found.epoch) == ("c-1", False, 2)
    quiet = (PersonRenamed(name="Anna"), GrantsChanged(grants=(SHOP_EDITOR,)))
    assert given("person", ADDED, *quiet).state.epoch == 0
    assert given("person", ADDED, *quiet).state.principal() == Principal("ana@example.org", (SHOP_EDITOR,))


PLACES = st.sampled_from([EVERY, "shop", "blog"])
GRANTS = st.builds(
    Grant,
    role=st.sampled_from(Role),
    project=PLACES,
    environment=st.sampled_from(["", "staging", "production"]),
)
SETS = st.lists(GRANTS, max_size=5)


@hypothesis_given(SETS, SETS, SETS)
def test_whatever_is_asked_nobody_grants_or_takes_what_is_not_theirs(
    has: list[Grant], asked: list[Grant], own: list[Grant]
) -> None:
    by, before = Principal("by", tuple(own)), Person("x", "x@y", "X", tuple(has))
    try:
        events = change_grants(before, grants=asked, by=by)
    except NotAllowed:
        assert not all(administers(by, grant) for grant in asked)
        return
    after = person.evolve(before, events[0]).grants if events else before.grants
    assert all(administers(by, grant) for grant in set(after) ^ set(has))
    assert {grant for grant in after if administers(by, grant)} == set(asked)


def test_an_address_is_kept_in_one_spelling() -> None:
    assert EMAIL.validate_python("  Ana.B+x@Example.ORG ") == "ana.b+x@example.org"
    assert person_id(" ANA@example.org ") == ID
    assert len(ID) == 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "@example.org",
        "ana@",
        "a@b@c",
        "a b@c",
        "\u212aim@x.org",
        "straße@x.org",
        "a" * 250 + "@x.org",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        EMAIL.validate_python(text)
