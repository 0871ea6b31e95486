"""From a command to the events it makes: what the aggregate decides, and what has to be true around it."""

import random
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from commands import (
    on_changes,
    on_flags,
    on_keys,
    on_people,
    on_plans,
    on_projects,
    on_segments,
    on_tokens,
    on_webhooks,
)
from commands.approval import refuse_unapproved, required_approvals
from commands.deciding import Handler, Salt
from commands.event_store import Conflict, Once
from commands.models import Command
from commands.reviewing import Review, review
from commands.unit_of_work import Log, UnitOfWork
from domain.aggregates import Folded, fold_all
from domain.change import Change
from domain.envelope import Stamp, Stream
from domain.errors import KeyReused, Refused, VersionConflict

DIRECT: Mapping[type[Command], Handler] = {
    **on_projects.HANDLERS,
    **on_flags.HANDLERS,
    **on_segments.HANDLERS,
    **on_keys.HANDLERS,
    **on_webhooks.HANDLERS,
    **on_tokens.HANDLERS,
    **on_people.HANDLERS,
    **on_plans.HANDLERS,
}
HANDLERS: Mapping[type[Command], Handler] = {**DIRECT, **on_changes.handlers(DIRECT)}
SALT_BYTES = 8  # as many salts as there are buckets could meet by chance once in 10**9 flags
ATTEMPTS = 40  # a command is decided again when another one was first; 50 at once on one flag all get through
NOWHERE: Mapping[Stream, int] = MappingProxyType({})
PAUSE_SECONDS = 0.002  # an append takes about 1 ms, so whoever was late looks again after a few of them


class Drafted(NamedTuple):
    """`things` are as they would be; `required` is how many approvals that would need."""

    things: dict[Stream, Folded]
    required: int


@dataclass(frozen=True, slots=True)
class Commands:
    """The write side. `salt` gives random text; it is a parameter so that tests may know it."""

    log: Log
    salt: Salt = lambda: secrets.token_hex(SALT_BYTES)

    def execute(
        self,
        command: Command,
        stamp: Stamp,
        *,
        expected_version: int | None = None,
        once: Once | None = None,
    ) -> Folded:
        """What the command is about, as it is afterwards.

        Raises a Refused when the command cannot be carried out, VersionConflict when the stream is not at the
        expected version (or, without one, when others were faster every time), StoreUnavailable. With `once`
        a request that was carried out before is answered as it was then.
        """
        return self._execute([command], stamp, expected_version, once)[0]

    def execute_all(
        self,
        commands: Sequence[Command],
        stamp: Stamp,
        *,
        once: Once | None = None,
        standing: Mapping[Stream, int] | None = None,
    ) -> list[Folded]:
        """All of them, each on what those before it decided, written at once; or none.

        Raises VersionConflict where a stream is not at the version that the commands were worked out from.
        """
        return self._execute(commands, stamp, None, once, standing or {})

    def drafted(self, commands: Sequence[Command], stamp: Stamp) -> Drafted:
        """What they would change. Nothing is written, and nobody has to approve.

        Raises a Refused when they cannot be carried out.
        """
        work = UnitOfWork(self.log)
        with work.approved() as decided:
            for command in commands:
                self._decide(work, command)
        return Drafted(work.drafted(stamp), required_approvals(work, decided))

    def repeated(self, once: Once | None) -> list[Folded] | None:
        """What the same request led to when it was carried out before; None when it never was, or long ago.

        Raises KeyReused where it was another request.
        """
        outcome = self.log.outcome(once) if once else None
        if once is None or outcome is None:
            return None
        if outcome.fingerprint != once.fingerprint:
            raise KeyReused(
                "this Idempotency-Key stood for another request; send a key of its own with each request"
            )
        return [self._at(stream, version) for stream, version in outcome.streams]

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

    def review(self, change: Change) -> Review:
        """What the change would do now, and what stands against it."""
        return review(UnitOfWork(self.log), change, DIRECT, self.salt)

    def _execute(
        self,
        commands: Sequence[Command],
        stamp: Stamp,
        expected: int | None,
        once: Once | None,
        standing: Mapping[Stream, int] = NOWHERE,
    ) -> list[Folded]:
        for attempt in range(1, ATTEMPTS + 1):
            if (before := self.repeated(once)) is not None:
                return before
            work = UnitOfWork(self.log)
            try:
                for stream, version in standing.items():
                    _refuse_other_version(work.version(stream), version)
                streams = self._decide_all(work, commands, expected)
                work.commit(stamp, once, streams)
            except Refused:
                # What stands against it may be the same request, sent twice and carried out just now.
                if (before := self.repeated(once)) is not None:
                    return before
                raise
            except Conflict:
                time.sleep(random.uniform(0, PAUSE_SECONDS * attempt))  # noqa: S311 - so that two do not meet again
                continue
            return [work.folded(stream) for stream in streams]
        raise VersionConflict("others changed it at the same time, again and again; try once more")

    def _decide_all(
        self, work: UnitOfWork, commands: Sequence[Command], expected: int | None
    ) -> list[Stream]:
        streams = [self._decide(work, command) for command in commands]
        refuse_unapproved(work)
        _refuse_other_version(work.version(streams[0]) if streams else 0, expected)
        return streams

    def _at(self, stream: Stream, version: int) -> Folded:
        folded = fold_all(each for each in self.log.load(stream) if each.version <= version)
        assert folded is not None
        return folded

    def _decide(self, work: UnitOfWork, command: Command) -> Stream:
        return HANDLERS[type(command)](work, command, self.salt)


def _refuse_other_version(version: int, expected: int | None) -> None:
    if expected is not None and version != expected:
        raise VersionConflict(
            f"it is at version {version} now, not {expected}; read it again and decide anew"
        )
