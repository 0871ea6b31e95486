"""What the commands about API keys decide."""

from collections.abc import Mapping
from datetime import timedelta

from commands.deciding import Handler, Salt, the_project
from commands.models import Command, IssueKey, RevokeKey, RotateKey
from commands.unit_of_work import UnitOfWork
from domain import access
from domain.access import ApiKey
from domain.envelope import Stream, key_stream
from domain.errors import AlreadyExists, WrongStatus
from domain.events import KeyExpiryChanged, KeyIssued
from domain.lifetimes import as_long, end_once_replaced, refuse_wrong_end


def _issue_key(work: UnitOfWork, command: IssueKey, _: Salt) -> Stream:
    the_project(work, command.project, command.environment)
    if command.expires_at is not None:
        refuse_wrong_end(command.expires_at, work.now())
    return _issued(work, KeyIssued(**dict(command)))


def _rotate_key(work: UnitOfWork, command: RotateKey, _: Salt) -> Stream:
    stream, found, now = key_stream(command.project, command.id), _the_key(work, command), work.now()
    if found is not None and found.kind == "original":
        raise WrongStatus(
            "a key of the original system is not rotated: make another with POST /admin/keys, and revoke this"
        )
    end = end_once_replaced(found, now, timedelta(seconds=command.overlap_seconds))
    assert found is not None
    expires_at = command.expires_at or as_long(found, work.folded(stream).created.at, now)
    refuse_wrong_end(expires_at, now)
    successor = KeyIssued(
        project=found.project,
        environment=found.environment,
        id=command.successor,
        name=found.name,
        kind=found.kind,
        digest=command.digest,
        expires_at=expires_at,
        replaces=found.id,
    )
    _issued(work, successor)
    work.decide(stream, [KeyExpiryChanged(expires_at=end, replaced_by=command.successor)])
    return stream


def _revoke_key(work: UnitOfWork, command: RevokeKey, _: Salt) -> Stream:
    stream = key_stream(command.project, command.id)
    work.decide(stream, access.revoke(_the_key(work, command)))
    return stream


def _the_key(work: UnitOfWork, command: RevokeKey | RotateKey) -> ApiKey | None:
    found = work.key(command.project, command.id)
    return found if found and found.environment == command.environment else None


def _issued(work: UnitOfWork, event: KeyIssued) -> Stream:
    stream = key_stream(event.project, event.id)
    if work.state(stream) is not None:
        raise AlreadyExists(f"key '{event.id}' was issued before; send another Idempotency-Key")
    work.decide(stream, [event])
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    IssueKey: _issue_key,
    RotateKey: _rotate_key,
    RevokeKey: _revoke_key,
}
