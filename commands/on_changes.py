"""What the commands about change requests decide.

Applying one decides all its commands anew and writes them together with ChangeApplied, so it is applied whole
and once, whoever asks for it and however often.
"""

from collections.abc import Mapping
from functools import partial

from commands.approval import required_approvals
from commands.change_models import (
    ApplyChange,
    ApplyDueChange,
    ApproveChange,
    ProposeChange,
    RebaseChange,
    RejectChange,
    ScheduleChange,
    WithdrawChange,
)
from commands.deciding import Handler, Salt, the_project
from commands.models import Command
from commands.reviewing import Handlers, base_of, carry_out, commands_of, refuse_outdated
from commands.unit_of_work import UnitOfWork
from domain import change
from domain.change import Change
from domain.envelope import Stream, change_stream
from domain.errors import Refused


def handlers(others: Handlers) -> Mapping[type[Command], Handler]:
    """`others` carry out the commands that are proposed."""
    return {
        ProposeChange: partial(_propose, others),
        ApproveChange: partial(_approve, others),
        RejectChange: _reject,
        WithdrawChange: _withdraw,
        RebaseChange: partial(_rebase, others),
        ScheduleChange: partial(_schedule, others),
        ApplyChange: partial(_apply, others),
        ApplyDueChange: partial(_apply_due, others),
    }


def _propose(others: Handlers, work: UnitOfWork, command: ProposeChange, salt: Salt) -> Stream:
    the_project(work, command.project)
    proposed = commands_of(command.project, command.commands)
    required = _required(others, work, proposed, salt)
    stream = change_stream(command.project, salt())
    events = change.propose(
        id=stream.key,
        base=base_of(UnitOfWork(work.log), proposed),
        required=required,
        now=work.now(),
        **dict(command),
    )
    work.decide(stream, events)
    return stream


def _approve(others: Handlers, work: UnitOfWork, command: ApproveChange, salt: Salt) -> Stream:
    """What could not be applied now is not approved either."""
    stream, found = _the_open_change(work, command.project, command.change)
    events = change.approve(
        found,
        by=command.by,
        comment=command.comment,
        required=_still_required(others, work, found, salt),
        now=work.now(),
    )
    work.decide(stream, events)
    return stream


def _reject(work: UnitOfWork, command: RejectChange, _: Salt) -> Stream:
    stream, found = _the_change(work, command.project, command.change)
    work.decide(stream, change.reject(found, by=command.by, comment=command.comment, now=work.now()))
    return stream


def _withdraw(work: UnitOfWork, command: WithdrawChange, _: Salt) -> Stream:
    stream, found = _the_change(work, command.project, command.change)
    work.decide(stream, change.withdraw(found, by=command.by, now=work.now()))
    return stream


def _rebase(others: Handlers, work: UnitOfWork, command: RebaseChange, salt: Salt) -> Stream:
    stream, found = _the_open_change(work, command.project, command.change)
    proposed = commands_of(found.project, found.commands)
    base = base_of(UnitOfWork(work.log), proposed)
    required = _required(others, work, proposed, salt)
    work.decide(stream, change.rebase(found, base=base, required=required, now=work.now()))
    return stream


def _schedule(others: Handlers, work: UnitOfWork, command: ScheduleChange, salt: Salt) -> Stream:
    stream, found = _the_open_change(work, command.project, command.change)
    required = _still_required(others, work, found, salt)
    work.decide(stream, change.schedule(found, apply_at=command.apply_at, required=required, now=work.now()))
    return stream


def _apply(others: Handlers, work: UnitOfWork, command: ApplyChange, salt: Salt) -> Stream:
    stream, found = _the_open_change(work, command.project, command.change)
    _carry_out(others, work, found, command.by, salt)
    return stream


def _apply_due(others: Handlers, work: UnitOfWork, command: ApplyDueChange, salt: Salt) -> Stream:
    stream, found = _the_change(work, command.project, command.change)
    if found.due is None or found.due > work.now():
        return stream
    try:
        with work.all_or_nothing():
            _carry_out(others, work, found, command.by, salt)
    except Refused as why:
        work.decide(stream, change.fail(found, why=str(why), now=work.now()))
    return stream


def _carry_out(others: Handlers, work: UnitOfWork, found: Change, by: str, salt: Salt) -> None:
    refuse_outdated(work, found)
    decided = carry_out(work, commands_of(found.project, found.commands), others, salt)
    required = required_approvals(work, decided)
    stream = change_stream(found.project, found.id)
    work.decide(stream, change.apply(found, by=by, required=required, now=work.now()))


def _required(others: Handlers, work: UnitOfWork, commands: list[Command], salt: Salt) -> int:
    """Decides them apart from `work`, in which nothing of them is to be written."""
    apart = UnitOfWork(work.log)
    return required_approvals(apart, carry_out(apart, commands, others, salt))


def _still_required(others: Handlers, work: UnitOfWork, found: Change, salt: Salt) -> int:
    refuse_outdated(work, found)
    return _required(others, work, commands_of(found.project, found.commands), salt)


def _the_change(work: UnitOfWork, project: str, change_id: str) -> tuple[Stream, Change]:
    return change_stream(project, change_id), change.existing(work.change(project, change_id), change_id)


def _the_open_change(work: UnitOfWork, project: str, change_id: str) -> tuple[Stream, Change]:
    stream, found = _the_change(work, project, change_id)
    return stream, change.open_change(found)
