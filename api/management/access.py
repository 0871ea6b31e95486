"""Who asks, and whether they may. Every route states what it needs; without that it cannot be reached."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Annotated, Protocol

from fastapi import Depends, Header, HTTPException, Request

from domain.roles import EVERY, Grant, Permission, Principal, Role

CHALLENGE = {"WWW-Authenticate": "Bearer"}
ADMINISTRATOR = Principal("administrator", (Grant(role=Role.ADMIN, project=EVERY),))


class Authenticator(Protocol):
    """One sort of credential."""

    def principal(self, credential: str) -> Principal | None:
        """Whose it is; None when it is not of this sort, or not in force."""


class AdministratorKey:
    """The key that the installation is set up with."""

    def __init__(self, key: str) -> None:
        self._digest = _digest(key)

    def principal(self, credential: str) -> Principal | None:
        return ADMINISTRATOR if hmac.compare_digest(_digest(credential), self._digest) else None


def principal(
    request: Request,
    authorization: Annotated[str, Header(include_in_schema=False)] = "",
    x_api_key: Annotated[str, Header(include_in_schema=False)] = "",
) -> Principal:
    """Who asks; 401 for a credential that nobody knows."""
    credential = x_api_key or authorization.removeprefix("Bearer ").strip()
    if not credential:
        raise HTTPException(
            401,
            "the management API needs a credential: send 'Authorization: Bearer <key or token>' or"
            " 'X-API-Key: <key>'",
            CHALLENGE,
        )
    authenticators: tuple[Authenticator, ...] = request.app.state.parts.authenticators
    for authenticator in authenticators:
        if found := authenticator.principal(credential):
            return found
    raise HTTPException(401, "this credential is unknown, has expired or was revoked", CHALLENGE)


PrincipalOf = Annotated[Principal, Depends(principal)]


def require(who: Principal, permission: Permission, project: str, environment: str = "") -> None:
    """403 for whoever may not; `project` is EVERY for what concerns the whole installation."""
    if not who.may(permission, project, environment):
        where = "the whole installation" if project == EVERY else f"project '{project}'"
        where = f"environment '{environment}' of {where}" if environment else where
        raise HTTPException(403, f"'{who.name}' may not do this: it needs '{permission}' in {where}")


def permitted(permission: Permission) -> Callable[[Request, Principal], Principal]:
    """A dependency: who asks, once it is sure that they may do this where the route is about."""

    def check(request: Request, who: PrincipalOf) -> Principal:
        project = request.path_params.get("project", EVERY)
        require(who, permission, project, request.path_params.get("environment", ""))
        return who

    return check


def permitted_somewhere(request: Request, who: PrincipalOf) -> Principal:
    """A dependency for routes that look at each environment themselves: who asks may write in one."""
    project = request.path_params["project"]
    if not who.may_somewhere(Permission.WRITE, project):
        require(who, Permission.WRITE, project)
    return who


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
