"""Roles, and where they hold, as a person reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.console.elements import tag
from api.console.forms import Field, Values
from api.console.page import Page
from domain.roles import EVERY, Permission, Role, strongest

Grant = Mapping[str, Any]
NONE = ""
PREFIX = "role "


def places(page: Page) -> Sequence[tuple[str, str]]:
    """Project and environment, the widest first, of what the viewer administers."""
    found = [(page.key, ""), *((page.key, each["key"]) for each in page.environments())]
    mine = [place for place in found if page.may(Permission.ADMINISTER, place[1])]
    everything = page.who.may(Permission.ADMINISTER, EVERY)
    return [(EVERY, ""), *mine] if everything else mine


def place_name(page: Page, project: str, environment: str) -> str:
    if project == EVERY:
        return page.t("grants.everything")
    if environment:
        return page.t("grants.environment", project=project, environment=environment)
    return page.t("grants.project", project=project)


def role_fields(page: Page, grants: Sequence[Grant]) -> list[Field]:
    """One for each place, with the role that is held there."""
    return [_role_field(page, place, grants) for place in places(page)]


def _role_field(page: Page, place: tuple[str, str], grants: Sequence[Grant]) -> Field:
    held = strongest(Role(each["role"]) for each in grants if _place(each) == place)
    options = [(NONE, page.t("grants.none")), *((role, page.t(f"role.{role.value}")) for role in Role)]
    label = place_name(page, *place)
    return Field(f"{PREFIX}{'/'.join(place)}", label, value=held or NONE, options=options, required=False)


def granted(page: Page, values: Values, before: Sequence[Grant] = ()) -> list[Grant]:
    """Those that were chosen; what is granted elsewhere stays as it is."""
    shown = set(places(page))
    kept = [each for each in before if _place(each) not in shown]
    chosen = {
        name.removeprefix(PREFIX): role
        for name, role in values.items()
        if name.startswith(PREFIX) and role != NONE
    }
    return [*kept, *(_grant(place, role) for place, role in chosen.items())]


def _grant(place: str, role: str) -> Grant:
    project, _, environment = place.partition("/")
    return {"role": role, "project": project, "environment": environment}


def _place(grant: Grant) -> tuple[str, str]:
    return grant["project"], grant["environment"]


def show_grants(page: Page, grants: Sequence[Grant]) -> None:
    if not grants:
        tag("p", page.t("grants.nothing"), "quiet")
        return
    with tag("ul", classes="grants"):
        for each in grants:
            with tag("li"):
                tag("span", page.t(f"role.{each['role']}"), "strong")
                tag("span", " · ")
                tag("bdi", place_name(page, *_place(each)))
