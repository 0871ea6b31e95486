"""Several commands at once: all of them or none."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http import StrictRoute
from api.management.access import require
from api.management.context import Giver
from commands.models import Command
from commands.wire import SentCommand, received
from domain import limits
from domain.aggregates import Folded
from domain.envelope import Stream, flag_stream, segment_stream
from domain.errors import Invalid
from domain.roles import Permission
from domain.values import Model, Slug

router = APIRouter(prefix="/projects/{project}/commands", tags=["commands"], route_class=StrictRoute)


class Bulk(Model):
    """Each is decided on what those before it changed."""

    commands: Annotated[tuple[SentCommand, ...], Field(min_length=1, max_length=limits.COMMANDS)]


class Changed(BaseModel):
    kind: str
    key: str
    version: int
    position: int


class BulkAnswer(BaseModel):
    """What each command was about, in their order, and the last position of it all."""

    changed: list[Changed]
    position: int


@router.post("")
def give_commands(project: Slug, body: Bulk, write: Giver) -> BulkAnswer:
    """Carries out all of the commands in one transaction, or none when any is refused.

    With If-Match they are about one flag or segment, which has to be at that version.
    """
    commands: list[Any] = [received(project, each) for each in body.commands]
    standing = None if write.expected is None else {_only_one(project, commands): write.expected}
    for command in commands:
        require(write.who, Permission.WRITE, project, getattr(command, "environment", ""))
    changed = [changed_of(folded) for folded in write.give_all(commands, standing)]
    return BulkAnswer(changed=changed, position=max(each.position for each in changed))


def _only_one(project: str, commands: Sequence[Command]) -> Stream:
    about = {_about(project, each) for each in commands}
    if len(about) != 1:
        raise Invalid("If-Match goes with commands about one flag or segment; leave it out, or send fewer")
    return about.pop()


def _about(project: str, command: Any) -> Stream:
    if segment := getattr(command, "segment", ""):
        return segment_stream(project, segment)
    return flag_stream(project, getattr(command, "flag", "") or command.definition.key)


def changed_of(folded: Folded) -> Changed:
    return Changed(
        kind=folded.stream.kind, key=folded.stream.key, version=folded.version, position=folded.position
    )
