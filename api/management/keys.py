"""Routes of API keys."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, status

from api.http import StrictRoute
from api.management.context import Administrator, Lister, Parts, Reader
from api.management.issuing import USUAL_ROTATION, Moment, Rotation, new_text, shown
from api.management.shapes import (
    KeyAnswer,
    KeyPage,
    NewKeyAnswer,
    RotatedKeyAnswer,
    key_answer,
    key_fields,
)
from commands.models import IssueKey, Name, RevokeKey, RotateKey
from domain.access import ApiKey, digest
from domain.aggregates import Folded, fold_all
from domain.envelope import key_stream
from domain.errors import NotFound
from domain.events import KeyKind
from domain.project import require_environment
from domain.values import Model, Slug

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/keys", tags=["keys"], route_class=StrictRoute
)


KeyId = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,64}$")]


class NewKey(Model):
    """A server key sees every flag, a client key only those that are `client_visible`. One without
    `expires_at` does not expire."""

    name: Name
    kind: Literal["server", "client"]
    expires_at: Moment | None = None


@router.post("", status_code=status.HTTP_201_CREATED)
def issue_key(project: Slug, environment: Slug, body: NewKey, write: Administrator) -> NewKeyAnswer:
    """Makes a key for the evaluation API. It is shown this once; only its hash is kept. The same request
    sent again with its Idempotency-Key shows it again."""
    key_id, key = new_text(write, body.kind)
    command = IssueKey(project=project, environment=environment, id=key_id, digest=digest(key), **dict(body))
    folded = write.give(command)
    return NewKeyAnswer(key=shown(key, _state(folded).digest), **key_fields(folded))


@router.get("")
def list_keys(project: Slug, environment: Slug, listing: Lister, read: Reader) -> KeyPage:
    """Each with when it was last used, give or take half a minute; null where nobody can say."""
    require_environment(read.project(project), environment)
    page, after = listing.of("key", project, environment)
    return KeyPage(keys=_answers(read.parts, page), next=after, position=listing.position)


@router.get("/{key_id}")
def get_key(project: Slug, environment: Slug, key_id: KeyId, read: Reader) -> KeyAnswer:
    folded = read.one(key_stream(project, key_id), f"key '{key_id}'")
    if _state(folded).environment != environment:
        raise NotFound(f"there is no key '{key_id}' in '{environment}'")
    return _answers(read.parts, [folded])[0]


@router.post("/{key_id}/rotate", status_code=status.HTTP_201_CREATED)
def rotate_key(
    project: Slug,
    environment: Slug,
    key_id: KeyId,
    write: Administrator,
    body: Rotation = USUAL_ROTATION,
) -> RotatedKeyAnswer:
    """Makes a key of the same kind to take this one's place. Both are in force until `previous` expires."""
    kind = _kind(write.parts, project, key_id)
    successor, key = new_text(write, kind)
    command = RotateKey(
        project=project,
        environment=environment,
        id=key_id,
        successor=successor,
        digest=digest(key),
        **dict(body),
    )
    previous = write.give(command)
    issued = fold_all(write.parts.store.load(key_stream(project, _state(previous).replaced_by or ""))[:1])
    assert issued is not None
    write.response.headers["ETag"] = f'"{issued.version}"'
    return RotatedKeyAnswer(
        key=shown(key, _state(issued).digest),
        previous=_answers(write.parts, [previous])[0],
        **key_fields(issued),
    )


@router.delete("/{key_id}")
def revoke_key(project: Slug, environment: Slug, key_id: KeyId, write: Administrator) -> KeyAnswer:
    """Takes effect in every evaluator as soon as the change reaches it."""
    folded = write.give(RevokeKey(project=project, environment=environment, id=key_id))
    return _answers(write.parts, [folded])[0]


def _answers(parts: Parts, page: list[Folded]) -> list[KeyAnswer]:
    used = parts.keys_used.last([_state(each).id for each in page])
    return [key_answer(each, at) for each, at in zip(page, used, strict=True)]


def _kind(parts: Parts, project: str, key_id: str) -> KeyKind:
    folded = fold_all(parts.store.load(key_stream(project, key_id)))
    if folded is None:
        raise NotFound(f"there is no key '{key_id}'")
    return _state(folded).kind


def _state(folded: Folded) -> ApiKey:
    assert isinstance(folded.state, ApiKey)
    return folded.state
