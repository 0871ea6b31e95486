"""What the commands about flags decide."""

from collections.abc import Iterable, Mapping

from commands.deciding import Handler, Salt, the_flag, the_project
from commands.models import (
    ArchiveFlag,
    ChangeFlag,
    ChangeTargeting,
    Command,
    CreateFlag,
    PutVariant,
    RemoveVariant,
    RestoreFlag,
    TurnFlagOff,
    TurnFlagOn,
)
from commands.references import (
    refuse_archived_flag_in_use,
    refuse_unanswerable_targeting,
    refuse_variant_in_use,
)
from commands.unit_of_work import UnitOfWork
from domain import flag
from domain.envelope import Stream, flag_stream
from domain.events import FlagDetailsChanged
from domain.targeting import Rule
from domain.values import same


def _create_flag(work: UnitOfWork, command: CreateFlag, salt: Salt) -> Stream:
    wish = command.definition
    the_project(work, command.project)
    events = flag.create(
        work.flag(command.project, wish.key),
        project=command.project,
        gate_salt=command.gate_salt if command.gate_salt is not None else salt(),
        split_salt=command.split_salt if command.split_salt is not None else salt(),
        **dict(wish),
    )
    stream = flag_stream(command.project, wish.key)
    work.decide(stream, events)
    return stream


def _change_flag(work: UnitOfWork, command: ChangeFlag, _: Salt) -> Stream:
    stream, found = flag_stream(command.project, command.flag), the_flag(work, command.project, command.flag)
    work.decide(stream, flag.change_details(found, FlagDetailsChanged(**dict(command.details))))
    return stream


def _put_variant(work: UnitOfWork, command: PutVariant, _: Salt) -> Stream:
    stream, found = flag_stream(command.project, command.flag), the_flag(work, command.project, command.flag)
    work.decide(stream, flag.put_variant(found, name=command.name, value=command.value))
    return stream


def _remove_variant(work: UnitOfWork, command: RemoveVariant, _: Salt) -> Stream:
    stream, found = flag_stream(command.project, command.flag), the_flag(work, command.project, command.flag)
    refuse_variant_in_use(work, found, command.name)
    work.decide(stream, flag.remove_variant(found, name=command.name))
    return stream


def _change_targeting(work: UnitOfWork, command: ChangeTargeting, salt: Salt) -> Stream:
    the_project(work, command.project, command.environment)
    found = flag.live(the_flag(work, command.project, command.flag))
    now = found.targeting(command.environment).rules
    wish = command.targeting.model_copy(update={"rules": with_ids(command.targeting.rules, now, salt)})
    refuse_unanswerable_targeting(work, command.project, command.environment, command.flag, wish)
    stream = flag_stream(command.project, command.flag)
    work.decide(stream, flag.change_targeting(found, environment=command.environment, to=wish))
    return stream


def with_ids(rules: Iterable[Rule], now: Iterable[Rule], salt: Salt) -> tuple[Rule, ...]:
    """A rule sent without an id is the one that says the same today, if there is one, else a new one."""
    rules = tuple(rules)
    given = {rule.id for rule in rules}
    free = [rule for rule in now if rule.id not in given]
    return tuple(rule if rule.id else _identified(rule, free, salt) for rule in rules)


def _identified(rule: Rule, free: list[Rule], salt: Salt) -> Rule:
    for index, candidate in enumerate(free):
        if same(candidate.model_copy(update={"id": ""}), rule):
            return free.pop(index)
    return rule.model_copy(update={"id": salt()})


def _turn(command: TurnFlagOn | TurnFlagOff, work: UnitOfWork, *, on: bool) -> Stream:
    the_project(work, command.project, command.environment)
    found = the_flag(work, command.project, command.flag)
    stream = flag_stream(command.project, command.flag)
    work.decide(stream, flag.turn(found, environment=command.environment, on=on))
    return stream


def _archive_flag(work: UnitOfWork, command: ArchiveFlag, _: Salt) -> Stream:
    found = the_flag(work, command.project, command.flag)
    refuse_archived_flag_in_use(work, found)
    stream = flag_stream(command.project, command.flag)
    work.decide(stream, flag.archive(found))
    return stream


def _restore_flag(work: UnitOfWork, command: RestoreFlag, _: Salt) -> Stream:
    found = the_flag(work, command.project, command.flag)
    stream = flag_stream(command.project, command.flag)
    work.decide(stream, flag.restore(found))
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    CreateFlag: _create_flag,
    ChangeFlag: _change_flag,
    PutVariant: _put_variant,
    RemoveVariant: _remove_variant,
    ChangeTargeting: _change_targeting,
    TurnFlagOn: lambda work, command, _: _turn(command, work, on=True),
    TurnFlagOff: lambda work, command, _: _turn(command, work, on=False),
    ArchiveFlag: _archive_flag,
    RestoreFlag: _restore_flag,
}
