"""What the commands about access tokens decide."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from commands.deciding import Handler, Salt, the_project
from commands.models import Command
from commands.token_models import IssueToken, RevokeToken, RotateToken
from commands.unit_of_work import UnitOfWork
from domain import token
from domain.envelope import Stream, token_stream
from domain.errors import AlreadyExists
from domain.lifetimes import as_long, end_once_replaced, refuse_wrong_end
from domain.roles import EVERY, Grant
from domain.token_events import TokenExpiryChanged, TokenIssued


def _issue_token(work: UnitOfWork, command: IssueToken, _: Salt) -> Stream:
    refuse_unknown_places(work, command.grants)
    if command.expires_at is not None:
        refuse_wrong_end(command.expires_at, work.now())
    return _issued(work, TokenIssued(**dict(command)))


def _rotate_token(work: UnitOfWork, command: RotateToken, _: Salt) -> Stream:
    stream, found, now = token_stream(command.id), work.token(command.id), work.now()
    end = end_once_replaced(found, now, timedelta(seconds=command.overlap_seconds))
    assert found is not None
    expires_at = command.expires_at or as_long(found, work.folded(stream).created.at, now)
    refuse_wrong_end(expires_at, now)
    successor = TokenIssued(
        id=command.successor,
        name=found.name,
        grants=found.grants,
        digest=command.digest,
        expires_at=expires_at,
        replaces=found.id,
    )
    _issued(work, successor)
    work.decide(stream, [TokenExpiryChanged(expires_at=end, replaced_by=command.successor)])
    return stream


def _revoke_token(work: UnitOfWork, command: RevokeToken, _: Salt) -> Stream:
    stream = token_stream(command.id)
    work.decide(stream, token.revoke(work.token(command.id)))
    return stream


def refuse_unknown_places(work: UnitOfWork, grants: Iterable[Grant]) -> None:
    """Raises NotFound for a grant in a project or an environment that does not exist."""
    for grant in grants:
        if grant.project != EVERY:
            the_project(work, grant.project, grant.environment or None)


def _issued(work: UnitOfWork, event: TokenIssued) -> Stream:
    stream = token_stream(event.id)
    if work.state(stream) is not None:
        raise AlreadyExists(f"token '{event.id}' was issued before; send another Idempotency-Key")
    work.decide(stream, [event])
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    IssueToken: _issue_token,
    RotateToken: _rotate_token,
    RevokeToken: _revoke_token,
}
