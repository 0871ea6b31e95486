"""Routes of API keys."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, status

from api.http import StrictRoute
from api.management.context import Administrator, Lister, Reader
from api.management.shapes import (
    KeyAnswer,
    KeyPage,
    NewKeyAnswer,
    key_answer,
    new_key_answer,
)
from commands.models import IssueKey, Name, RevokeKey
from commands.secret_keys import new_key
from domain.access import digest
from domain.project import require_environment
from domain.values import Model, Slug

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/keys", tags=["keys"], route_class=StrictRoute
)


KeyId = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,64}$")]


class NewKey(Model):
    """A server key sees every flag, a client key only those that are `client_visible`."""

    name: Name
    kind: Literal["server", "client"]


@router.post("", status_code=status.HTTP_201_CREATED)
def issue_key(project: Slug, environment: Slug, body: NewKey, write: Administrator) -> NewKeyAnswer:
    """Makes a key for the evaluation API. It is shown this once; only its hash is kept."""
    key_id, key = new_key(body.kind)
    command = IssueKey(
        project=project,
        environment=environment,
        id=key_id,
        name=body.name,
        kind=body.kind,
        digest=digest(key),
    )
    return new_key_answer(write.give(command), key)


@router.get("")
def list_keys(project: Slug, environment: Slug, listing: Lister, read: Reader) -> KeyPage:
    require_environment(read.project(project), environment)
    page, after = listing.of("key", project, environment)
    return KeyPage(keys=[key_answer(each) for each in page], next=after, position=listing.position)


@router.delete("/{key_id}")
def revoke_key(project: Slug, environment: Slug, key_id: KeyId, write: Administrator) -> KeyAnswer:
    """Takes effect in every evaluator as soon as the change reaches it."""
    return key_answer(write.give(RevokeKey(project=project, environment=environment, id=key_id)))
