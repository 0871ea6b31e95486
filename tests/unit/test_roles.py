"""The table of roles, read as sentences."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.roles import EVERY, PERMISSIONS, Grant, Permission, Principal, Role

PROJECTS = st.sampled_from(["shop", "blog", EVERY])
ENVIRONMENTS = st.sampled_from(["", "staging", "production"])
GRANTS = st.builds(Grant, role=st.sampled_from(Role), project=PROJECTS, environment=ENVIRONMENTS)


def who(*grants: Grant) -> Principal:
    return Principal("ana", grants)


def test_each_role_may_what_the_one_before_it_may_and_more() -> None:
    order = [Role.VIEWER, Role.EDITOR, Role.APPROVER, Role.ADMIN]
    assert all(PERMISSIONS[one] < PERMISSIONS[next_] for one, next_ in pairwise(order))
    assert PERMISSIONS[Role.ADMIN] == frozenset(Permission)


@given(st.sampled_from(Permission), PROJECTS, ENVIRONMENTS)
def test_nobody_may_anything_without_a_grant(permission: Permission, project: str, environment: str) -> None:
    assert not who().may(permission, project, environment)


def test_a_role_in_an_environment_changes_only_what_is_its_own() -> None:
    ana = who(Grant(role=Role.EDITOR, project="shop", environment="staging"))
    assert ana.may(Permission.READ, "shop")
    assert ana.may(Permission.READ, "shop", "production")
    assert ana.may(Permission.WRITE, "shop", "staging")
    assert not ana.may(Permission.WRITE, "shop", "production")
    assert not ana.may(Permission.WRITE, "shop")
    assert not ana.may(Permission.READ, "blog")


def test_a_role_in_every_project_is_one_in_each() -> None:
    ana = who(Grant(role=Role.ADMIN, project=EVERY))
    assert ana.may(Permission.ADMINISTER, "made-tomorrow", "qa")
    assert ana.may(Permission.ADMINISTER, EVERY)
    assert not who(Grant(role=Role.ADMIN, project="shop")).may(Permission.ADMINISTER, EVERY)


@given(st.lists(GRANTS, max_size=4), GRANTS, st.sampled_from(Permission), PROJECTS, ENVIRONMENTS)
def test_another_grant_never_takes_anything_away(
    grants: list[Grant], more: Grant, permission: Permission, project: str, environment: str
) -> None:
    if who(*grants).may(permission, project, environment):
        assert who(*grants, more).may(permission, project, environment)
