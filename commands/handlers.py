"""From a command to the events it makes: what the aggregate decides, and what has to be true around it."""

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.event_store import Conflict
from commands.models import (
    ArchiveFlag,
    ArchiveSegment,
    ChangeTargeting,
    Command,
    CreateEnvironment,
    CreateFlag,
    CreateProject,
    IssueKey,
    PutSegment,
    RestoreFlag,
    RevokeKey,
    TurnFlagOff,
    TurnFlagOn,
)
from commands.references import (
    refuse_archived_flag_in_use,
    refuse_segment_in_use,
    refuse_unanswerable_segment,
    refuse_unanswerable_targeting,
)
from commands.unit_of_work import Log, UnitOfWork
from domain import access, flag, project, segment
from domain.aggregates import Folded
from domain.envelope import Stamp, Stream, flag_stream, key_stream, project_stream, segment_stream
from domain.errors import Refused, VersionConflict
from domain.events import KeyIssued
from domain.project import Project, require_environment
from domain.targeting import Rule
from domain.values import same

SALT_BYTES = 8  # as many salts as there are buckets could meet by chance once in 10**9 flags
ATTEMPTS = 40  # a command is decided again when another one was first; 50 at once on one flag all get through
PAUSE_SECONDS = 0.002  # an append takes about 1 ms, so whoever was late looks again after a few of them


@dataclass(frozen=True, slots=True)
class Commands:
    """The write side. `salt` gives random text; it is a parameter so that tests may know it."""

    log: Log
    salt: Callable[[], str] = lambda: secrets.token_hex(SALT_BYTES)

    def execute(self, command: Command, stamp: Stamp, *, expected_version: int | None = None) -> Folded:
        """What the command is about, as it is afterwards.

        Raises a Refused when the command cannot be carried out, VersionConflict when the stream is not at the
        expected version (or, without one, when others were faster every time), StoreUnavailable.
        """
        return self._execute([command], stamp, expected_version)[0]

    def execute_all(self, commands: Sequence[Command], stamp: Stamp) -> list[Folded]:
        """All of them, each on what those before it decided, written at once; or none."""
        return self._execute(commands, stamp, None)

    def feasible(self, commands: Sequence[Command]) -> tuple[list[Command], list[tuple[Command, Refused]]]:
        """Those that could be carried out one after the other now, and the others with why not."""
        work = UnitOfWork(self.log)
        possible: list[Command] = []
        refused: list[tuple[Command, Refused]] = []
        for command in commands:
            try:
                self._decide(work, command)
            except Refused as why:
                refused.append((command, why))
            else:
                possible.append(command)
        return possible, refused

    def _execute(self, commands: Sequence[Command], stamp: Stamp, expected: int | None) -> list[Folded]:
        for attempt in range(1, ATTEMPTS + 1):
            work = UnitOfWork(self.log)
            streams = [self._decide(work, command) for command in commands]
            _refuse_other_version(work.version(streams[0]) if streams else 0, expected)
            try:
                work.commit(stamp)
            except Conflict:
                time.sleep(random.uniform(0, PAUSE_SECONDS * attempt))  # noqa: S311 - so that two do not meet again
                continue
            return [work.folded(stream) for stream in streams]
        raise VersionConflict("others changed it at the same time, again and again; try once more")

    def _decide(self, work: UnitOfWork, command: Command) -> Stream:
        return HANDLERS[type(command)](work, command, self.salt)


def _refuse_other_version(version: int, expected: int | None) -> None:
    if expected is not None and version != expected:
        raise VersionConflict(
            f"it is at version {version} now, not {expected}; read it again and decide anew"
        )


Salt = Callable[[], str]
Handler = Callable[[UnitOfWork, Any, Salt], Stream]


def _project(work: UnitOfWork, key: str, environment: str | None = None) -> Project:
    found = project.existing(work.project(key), key)
    if environment is not None:
        require_environment(found, environment)
    return found


def _create_project(work: UnitOfWork, command: CreateProject, _: Salt) -> Stream:
    stream = project_stream(command.project)
    work.decide(stream, project.create(work.project(command.project), key=command.project, name=command.name))
    return stream


def _create_environment(work: UnitOfWork, command: CreateEnvironment, _: Salt) -> Stream:
    stream = project_stream(command.project)
    found = _project(work, command.project)
    work.decide(stream, project.create_environment(found, key=command.environment, name=command.name))
    return stream


def _create_flag(work: UnitOfWork, command: CreateFlag, salt: Salt) -> Stream:
    wish = command.definition
    _project(work, command.project)
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


def _change_targeting(work: UnitOfWork, command: ChangeTargeting, salt: Salt) -> Stream:
    _project(work, command.project, command.environment)
    found = flag.live(flag.existing(work.flag(command.project, command.flag), command.flag))
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
    _project(work, command.project, command.environment)
    found = flag.existing(work.flag(command.project, command.flag), command.flag)
    stream = flag_stream(command.project, command.flag)
    work.decide(stream, flag.turn(found, environment=command.environment, on=on))
    return stream


def _archive_flag(work: UnitOfWork, command: ArchiveFlag, _: Salt) -> Stream:
    found = flag.existing(work.flag(command.project, command.flag), command.flag)
    refuse_archived_flag_in_use(work, found)
    stream = flag_stream(command.project, command.flag)
    work.decide(stream, flag.archive(found))
    return stream


def _restore_flag(work: UnitOfWork, command: RestoreFlag, _: Salt) -> Stream:
    found = flag.existing(work.flag(command.project, command.flag), command.flag)
    stream = flag_stream(command.project, command.flag)
    work.decide(stream, flag.restore(found))
    return stream


def _put_segment(work: UnitOfWork, command: PutSegment, salt: Salt) -> Stream:
    _project(work, command.project)
    refuse_unanswerable_segment(work, command.project, command.segment, command.definition)
    events = segment.put(
        work.segment(command.project, command.segment),
        project=command.project,
        key=command.segment,
        salt=command.salt if command.salt is not None else salt(),
        definition=command.definition,
    )
    stream = segment_stream(command.project, command.segment)
    work.decide(stream, events)
    return stream


def _archive_segment(work: UnitOfWork, command: ArchiveSegment, _: Salt) -> Stream:
    found = segment.existing(work.segment(command.project, command.segment), command.segment)
    refuse_segment_in_use(work, found)
    stream = segment_stream(command.project, command.segment)
    work.decide(stream, segment.archive(found))
    return stream


def _issue_key(work: UnitOfWork, command: IssueKey, _: Salt) -> Stream:
    _project(work, command.project, command.environment)
    stream = key_stream(command.project, command.id)
    work.decide(stream, [KeyIssued(**dict(command))])
    return stream


def _revoke_key(work: UnitOfWork, command: RevokeKey, _: Salt) -> Stream:
    found = work.key(command.project, command.id)
    stream = key_stream(command.project, command.id)
    work.decide(stream, access.revoke(found if found and found.environment == command.environment else None))
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    CreateProject: _create_project,
    CreateEnvironment: _create_environment,
    CreateFlag: _create_flag,
    ChangeTargeting: _change_targeting,
    TurnFlagOn: lambda work, command, _: _turn(command, work, on=True),
    TurnFlagOff: lambda work, command, _: _turn(command, work, on=False),
    ArchiveFlag: _archive_flag,
    RestoreFlag: _restore_flag,
    PutSegment: _put_segment,
    ArchiveSegment: _archive_segment,
    IssueKey: _issue_key,
    RevokeKey: _revoke_key,
}
