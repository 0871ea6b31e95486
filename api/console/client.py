"""The management API, asked from inside its own process with the credential of whoever is signed in.

What is asked goes through the very application that answers everybody else: its checks, permissions and
limits are the only ones there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from httpx2 import ASGITransport, AsyncClient, Response
from starlette.types import ASGIApp

from api.console.sessions import Credential, Session, Sessions
from domain.roles import Grant, Principal

PREFIX = "/api/v1"
RENEW_EARLY_SECONDS = 60.0  # of an access token's 600, so that none ends on its way
NOBODY = ""  # an address for what no limit is counted by


class Refused(Exception):
    """The API said no, in its own words."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class SignedOut(Exception):
    """The session is over, or what it asked with is."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """What somebody who proved who they are comes in with."""

    credential: Credential
    who: Principal


def path(*parts: str) -> str:
    """Below the API's prefix; keys may have any letters, so each part is quoted."""
    return PREFIX + "".join("/" + quote(part, safe="") for part in parts)


def in_project(project: str, *parts: str) -> str:
    return path("projects", project, *parts)


def etag(version: int) -> dict[str, str]:
    """For a write that is to be refused when somebody else wrote since."""
    return {"If-Match": f'"{version}"'}


def because(reason: str) -> dict[str, str]:
    """A header has one line."""
    return {"X-Reason": " ".join(reason.split())} if reason.strip() else {}


class Door:
    """Asks before there is a session."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def with_password(self, email: str, password: str, address: str) -> SignIn:
        """Raises Refused. `address` is the browser's: failures are counted by it."""
        body = {"email": email, "password": password}
        answer = await _ask(self._app, "POST", path("auth", "token"), body=body, address=address)
        credential = tokens_of(answer.json(), self._sessions.clock())
        return await self._recognised(credential)

    async def with_key(self, key: str) -> SignIn:
        """Raises Refused."""
        return await self._recognised(Credential(key))

    async def sign_out(self, credential: Credential) -> None:
        if credential.refresh:
            await _ask(self._app, "POST", path("auth", "logout"), body={"refresh_token": credential.refresh})

    async def head(self) -> int | None:
        """The position of the log's last event; None while nobody can tell."""
        try:
            found = (await _ask(self._app, "GET", "/health/ready")).json()
        except Refused:
            return None
        return int(found["head"])

    async def _recognised(self, credential: Credential) -> SignIn:
        found = (await _ask(self._app, "GET", path("auth", "me"), credential=credential.value)).json()
        grants = tuple(Grant.model_validate(each) for each in found["grants"])
        return SignIn(credential, Principal(found["name"], grants))


class Api:
    """Asks as whoever is signed in, in their language. Raises Refused, and SignedOut."""

    def __init__(self, app: ASGIApp, sessions: Sessions, session: Session, language: str) -> None:
        self._app = app
        self._sessions = sessions
        self._session = session
        self._language = language

    async def get(self, where: str, **query: Any) -> Any:
        """What is None or empty is left out of the query."""
        return (await self.ask("GET", where, query=query)).json()

    async def post(self, where: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        return (await self.ask("POST", where, body=body, headers=headers)).json()

    async def ask(
        self,
        method: str,
        where: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        credential = await self._credential()
        headers = {"Accept-Language": self._language, **(headers or {})}
        try:
            return await _ask(
                self._app, method, where, body=body, query=query, headers=headers, credential=credential
            )
        except Refused as problem:
            if problem.status == 401:
                self._end()
            raise

    async def _credential(self) -> str:
        """Renewed by one at a time: a refresh token that is used twice ends the session for good."""
        if self._session.over.is_set():
            raise SignedOut
        async with self._session.renewing:
            if self._sessions.clock() >= self._session.credential.renew_at:
                await self._renew()
        return self._session.credential.value

    async def _renew(self) -> None:
        body = {"refresh_token": self._session.credential.refresh}
        try:
            answer = await _ask(self._app, "POST", path("auth", "refresh"), body=body)
        except Refused as problem:
            if problem.status == 401:
                self._end()
            raise
        self._session.credential = tokens_of(answer.json(), self._sessions.clock())

    def _end(self) -> None:
        self._sessions.end(self._session)
        raise SignedOut


def tokens_of(answer: Mapping[str, Any], now: float) -> Credential:
    renew_at = now + answer["expires_in"] - RENEW_EARLY_SECONDS
    return Credential(answer["access_token"], answer["refresh_token"], renew_at)


async def _ask(
    app: ASGIApp,
    method: str,
    where: str,
    *,
    body: Any = None,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    credential: str = "",
    address: str = NOBODY,
) -> Response:
    transport = ASGITransport(app=app, client=(address, 0), raise_app_exceptions=False)
    sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    if credential:
        sent.append((b"X-API-Key", credential.encode()))
    async with AsyncClient(transport=transport, base_url="http://console") as client:
        answer = await client.request(
            method,
            where,
            json=body,
            params={name: value for name, value in (query or {}).items() if value not in (None, "")},
            headers=sent,
        )
    if answer.is_error:
        raise Refused(answer.status_code, _sentence(answer))
    return answer


def _sentence(answer: Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
