"""Who may do what: one table of roles, and what somebody was granted. Nothing is allowed but what is here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from domain.values import Model, Slug

EVERY = "*"
"""Stands for every project, those made later included."""


class Permission(StrEnum):
    READ = "read"
    READ_RECORDS = "read records"
    """Single evaluations, which say who was served what."""
    WRITE = "write"
    APPROVE = "approve"
    ADMINISTER = "administer"


class Role(StrEnum):
    VIEWER = "viewer"
    EDITOR = "editor"
    APPROVER = "approver"
    ADMIN = "admin"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.EDITOR: frozenset({Permission.READ, Permission.READ_RECORDS, Permission.WRITE}),
    Role.APPROVER: frozenset(set(Permission) - {Permission.ADMINISTER}),
    Role.ADMIN: frozenset(Permission),
}


class Grant(Model):
    """A role in a project, or in every one; in one of its environments, or, where that is empty, in all.

    Whoever has a role in one environment may read the whole project, but change only what is that
    environment's own.
    """

    role: Role
    project: Slug | Literal["*"]
    environment: Slug | Literal[""] = ""

    def allows(self, permission: Permission, project: str, environment: str) -> bool:
        if self.project not in {EVERY, project} or permission not in PERMISSIONS[self.role]:
            return False
        return permission is Permission.READ or self.environment in {"", environment}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks. `name` is what the log keeps of them: an e-mail address, `key:<id>`, `administrator`."""

    name: str
    grants: tuple[Grant, ...]

    def may(self, permission: Permission, project: str, environment: str = "") -> bool:
        """`environment` is empty for what is the whole project's; `project` is EVERY for all of them."""
        return any(grant.allows(permission, project, environment) for grant in self.grants)

    def may_somewhere(self, permission: Permission, project: str) -> bool:
        """In the whole project, or in any environment of it."""
        return any(
            grant.project in {EVERY, project} and permission in PERMISSIONS[grant.role]
            for grant in self.grants
        )

    def projects(self) -> frozenset[str]:
        """Those that may be read; EVERY among them stands for all."""
        return frozenset(grant.project for grant in self.grants)


def strongest(roles: Iterable[Role]) -> Role | None:
    return max(roles, key=lambda role: len(PERMISSIONS[role]), default=None)
