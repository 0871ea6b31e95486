"""What the commands about API keys decide."""

from collections.abc import Mapping

from commands.deciding import Handler, Salt, the_project
from commands.models import Command, IssueKey, RevokeKey
from commands.unit_of_work import UnitOfWork
from domain import access
from domain.envelope import Stream, key_stream
from domain.events import KeyIssued


def _issue_key(work: UnitOfWork, command: IssueKey, _: Salt) -> Stream:
    the_project(work, command.project, command.environment)
    stream = key_stream(command.project, command.id)
    work.decide(stream, [KeyIssued(**dict(command))])
    return stream


def _revoke_key(work: UnitOfWork, command: RevokeKey, _: Salt) -> Stream:
    found = work.key(command.project, command.id)
    stream = key_stream(command.project, command.id)
    work.decide(stream, access.revoke(found if found and found.environment == command.environment else None))
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    IssueKey: _issue_key,
    RevokeKey: _revoke_key,
}
