"""What a change request is about, in words."""

from collections.abc import Mapping
from typing import Any

from api.console.elements import moment, tag
from api.console.page import Page
from domain.roles import Permission

OPEN = ("proposed", "approved", "scheduled", "failed")
OVER = ("applied", "rejected", "withdrawn")

Change = Mapping[str, Any]


def command_words(page: Page, about: Mapping[str, str]) -> str:
    return page.t(f"command.{about['command']}", thing=about["key"], environment=about["environment"])


def places(change: Change) -> set[str]:
    """The environments that its commands name; "" stands for all of them."""
    return {each["environment"] for each in change["about"]}


def may(page: Page, permission: Permission, change: Change) -> bool:
    """Whoever may do something to a change may do it wherever its commands change something."""
    return all(page.may(permission, environment) for environment in places(change))


def show_status(page: Page, status: str) -> None:
    tag("span", page.t(f"change.status.{status}"), f"chip status {status}")


def show_author(page: Page, change: Change) -> None:
    with tag("p", classes="quiet"):
        tag("bdi", change["author"])
        tag("span", " · ")
        moment(change["created_at"])
        if change["status"] == "scheduled":
            tag("span", f" · {page.t('change.due')} ")
            moment(change["apply_at"])
