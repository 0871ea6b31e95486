"""Routes of access tokens, with which programs ask this API."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, status

from api.http import StrictRoute
from api.management.access import PrincipalOf
from api.management.context import Lister, Parts, PartsOf, Write, write
from api.management.issuing import USUAL_ROTATION, Moment, Rotation, new_text, shown
from api.management.shapes import Envelope, Page, envelope
from api.management.token_access import token_name
from commands.models import Name
from commands.token_models import Grants, IssueToken, RevokeToken, RotateToken
from domain.access import digest
from domain.aggregates import Folded, fold_all
from domain.envelope import token_stream
from domain.errors import NotFound
from domain.person import administers
from domain.roles import EVERY, PERMISSIONS, Grant, Permission, Principal
from domain.token import AccessToken
from domain.values import Model

router = APIRouter(prefix="/tokens", tags=["tokens"], route_class=StrictRoute)

TokenId = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,64}$")]


class NewToken(Model):
    """`grants` are roles in projects, or in every one (`*`), or in one environment of them; only an admin
    there may grant any. One without `expires_at` does not expire."""

    name: Name
    grants: Grants
    expires_at: Moment | None = None


class TokenAnswer(Envelope):
    """`last_used_at` is right to half a minute; null where it was never used or nobody can say."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    revoked: bool
    expires_at: datetime | None
    replaces: str | None
    replaced_by: str | None
    last_used_at: datetime | None


class NewTokenAnswer(TokenAnswer):
    """`token` is shown this once."""

    token: str


class RotatedTokenAnswer(NewTokenAnswer):
    """`previous` is in force until it expires."""

    previous: TokenAnswer


class TokenPage(Page):
    tokens: list[TokenAnswer]


def _an_admin(who: PrincipalOf) -> Principal:
    if not _administered(who):
        raise HTTPException(403, f"'{who.name}' may not do this: tokens are for admins, of any project")
    return who


AnAdmin = Annotated[Principal, Depends(_an_admin)]
WriteOf = Annotated[Write, Depends(write)]


@router.post("", status_code=status.HTTP_201_CREATED)
def issue_token(body: NewToken, who: AnAdmin, write: WriteOf) -> NewTokenAnswer:
    """Makes a token for a program. It is shown this once; only its hash is kept. The same request sent again
    with its Idempotency-Key shows it again."""
    for grant in body.grants:
        if not administers(who, grant):
            where = f"'{grant.project}/{grant.environment}'".replace("/'", "'")
            raise HTTPException(403, f"'{who.name}' may not grant a role in {where}, being no admin there")
    token_id, token = new_text(write, "token")
    folded = write.give(IssueToken(id=token_id, digest=digest(token), **dict(body)))
    return NewTokenAnswer(token=shown(token, _state(folded).digest), **_fields(folded))


@router.get("")
def list_tokens(who: AnAdmin, listing: Lister, parts: PartsOf) -> TokenPage:
    """Those that are granted nothing but what the caller administers."""
    only = replace(listing.only, projects=None, within=_administered(who))
    page, after = replace(listing, only=only).of("token")
    return TokenPage(tokens=_answers(parts, page), next=after, position=listing.position)


@router.get("/{token_id}")
def get_token(token_id: TokenId, who: AnAdmin, parts: PartsOf) -> TokenAnswer:
    return _answers(parts, [_administered_token(parts, who, token_id)])[0]


@router.post("/{token_id}/rotate", status_code=status.HTTP_201_CREATED)
def rotate_token(
    token_id: TokenId, who: AnAdmin, write: WriteOf, body: Rotation = USUAL_ROTATION
) -> RotatedTokenAnswer:
    """Makes a token with the same grants to take this one's place. Both are in force until `previous`
    expires."""
    _administered_token(write.parts, who, token_id)
    successor, token = new_text(write, "token")
    command = RotateToken(id=token_id, successor=successor, digest=digest(token), **dict(body))
    previous = write.give(command)
    issued = fold_all(write.parts.store.load(token_stream(_state(previous).replaced_by or ""))[:1])
    assert issued is not None
    write.response.headers["ETag"] = f'"{issued.version}"'
    return RotatedTokenAnswer(
        token=shown(token, _state(issued).digest),
        previous=_answers(write.parts, [previous])[0],
        **_fields(issued),
    )


@router.delete("/{token_id}")
def revoke_token(token_id: TokenId, who: AnAdmin, write: WriteOf) -> TokenAnswer:
    """Takes effect at once."""
    _administered_token(write.parts, who, token_id)
    return _answers(write.parts, [write.give(RevokeToken(id=token_id))])[0]


def _administered(who: Principal) -> list[str]:
    """As the catalogue's `Filter.within` has it."""
    admin = (grant for grant in who.grants if Permission.ADMINISTER in PERMISSIONS[grant.role])
    return [f"{grant.project}/{grant.environment}" for grant in admin]


def _administered_token(parts: Parts, who: Principal, token_id: str) -> Folded:
    """One that is not there looks to whoever could not see it as if it were."""
    folded = fold_all(parts.store.load(token_stream(token_id)))
    if folded is None and who.may(Permission.ADMINISTER, EVERY):
        raise NotFound(f"there is no token '{token_id}'")
    if folded is None or not all(administers(who, grant) for grant in _state(folded).grants):
        raise HTTPException(
            403, f"'{who.name}' may not do this: they are not admin wherever token '{token_id}' has a role"
        )
    return folded


def _answers(parts: Parts, page: list[Folded]) -> list[TokenAnswer]:
    used = parts.keys_used.last([token_name(_state(each).id) for each in page])
    return [TokenAnswer(**_fields(each, at)) for each, at in zip(page, used, strict=True)]


def _fields(folded: Folded, last_used_at: datetime | None = None) -> dict[str, Any]:
    token = _state(folded)
    return {
        "id": token.id,
        "name": token.name,
        "grants": token.grants,
        "revoked": token.revoked,
        "expires_at": token.expires_at,
        "replaces": token.replaces,
        "replaced_by": token.replaced_by,
        "last_used_at": last_used_at,
        **envelope(folded),
    }


def _state(folded: Folded) -> AccessToken:
    assert isinstance(folded.state, AccessToken)
    return folded.state
