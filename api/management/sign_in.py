"""Routes of signing in and out, and the public key that access tokens are signed with."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.http import StrictRoute
from api.management.access import CHALLENGE, PrincipalOf
from api.management.context import PartsOf
from api.management.people_parts import Tokens
from commands.attempts import TooManyFailures
from commands.passwords import BYTES_AT_MOST, Busy
from domain.person import Email, Person, person_id
from domain.roles import Grant
from domain.values import Model

router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute)
public = APIRouter(tags=["auth"])

KEYS_FRESH_SECONDS = 300  # a verifier that keeps the keys this long still learns of others soon
RETRY_AFTER = {"Retry-After": "1"}

RefreshToken = Annotated[str, Field(min_length=1, max_length=1_000)]


class EmailAndPassword(Model):
    email: Email
    password: Annotated[str, Field(min_length=1, max_length=BYTES_AT_MOST)]


class Refresh(Model):
    refresh_token: RefreshToken


class TokenAnswer(BaseModel):
    """`access_token` goes into `Authorization: Bearer`; after `expires_in` seconds the refresh token, which
    is good for one use, gives another pair."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of the scheme
    expires_in: int
    refresh_token: str


class Me(BaseModel):
    """`name` is what the log keeps of the caller; `person` is the id of a person, null for a key."""

    name: str
    person: str | None
    grants: tuple[Grant, ...]


def with_password(parts: PartsOf, request: Request, email: str, password: str) -> Person | None:
    """None when either is wrong. Answers 429 after too many failures."""
    address = request.client.host if request.client else ""
    try:
        return parts.people.with_password(email, password, address)
    except TooManyFailures as problem:
        raise HTTPException(429, str(problem), {"Retry-After": str(problem.seconds)}) from problem
    except Busy as problem:
        raise HTTPException(503, str(problem), RETRY_AFTER) from problem


@router.post("/token")
def sign_in(body: EmailAndPassword, parts: PartsOf, request: Request, response: Response) -> TokenAnswer:
    """A person's e-mail address and password for tokens. After 10 failures in 15 minutes, 429."""
    person = with_password(parts, request, body.email, body.password)
    if person is None:
        raise HTTPException(401, "the address or the password is wrong", CHALLENGE)
    return _answer(parts.people.sign_in(person), response)


@router.post("/refresh")
def refresh(body: Refresh, parts: PartsOf, response: Response) -> TokenAnswer:
    """A refresh token for new tokens. One that was used before ends everything that came of it."""
    tokens = parts.people.refresh(body.refresh_token)
    if tokens is None:
        raise HTTPException(401, "this refresh token is not in force; sign in again", CHALLENGE)
    return _answer(tokens, response)


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
def sign_out(body: Refresh, parts: PartsOf) -> None:
    """Ends what the refresh token belongs to; an access token of it has up to 10 minutes left."""
    parts.people.sessions.end(body.refresh_token)


@router.get("/me")
def me(who: PrincipalOf) -> Me:
    """Who the credential stands for, and what they may."""
    person = person_id(who.name) if "@" in who.name else None
    return Me(name=who.name, person=person, grants=who.grants)


@public.get("/.well-known/jwks.json")
def keys(parts: PartsOf) -> JSONResponse:
    """The public key of access tokens (RFC 7517)."""
    found: dict[str, Any] = parts.people.tokens.jwks()
    return JSONResponse(found, headers={"Cache-Control": f"public, max-age={KEYS_FRESH_SECONDS}"})


def _answer(tokens: Tokens, response: Response) -> TokenAnswer:
    response.headers["Cache-Control"] = "no-store"
    return TokenAnswer(
        access_token=tokens.access_token, expires_in=tokens.expires_in, refresh_token=tokens.refresh_token
    )
