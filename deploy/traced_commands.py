"""Commands, and the log they are written to, with spans: for the management API where there are traces."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from commands.event_store import Append, EventStore, Once, Outcome
from commands.handlers import NOWHERE, Commands
from commands.models import Command
from domain.aggregates import Folded
from domain.envelope import Recorded, Stamp, Stream

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from deploy.traces import Tracing


def traced_commands(log: EventStore, tracing: "Tracing") -> Commands:
    class Traced(Commands):
        def _execute(
            self,
            commands: Sequence[Command],
            stamp: Stamp,
            expected: int | None,
            once: Once | None,
            standing: Mapping[Stream, int] = NOWHERE,
        ) -> list[Folded]:
            names = [type(each).__name__ for each in commands]
            what = names[0] if len(names) == 1 else f"{len(names)} at once"
            with tracing.span(f"command {what}", {"togglemaster.commands": names}):
                return super()._execute(commands, stamp, expected, once, standing)

    return Traced(log)


class TracedEventStore(EventStore):
    def __init__(self, url: str, patience_seconds: float, tracing: "Tracing") -> None:
        super().__init__(url, patience_seconds)
        self._tracing = tracing

    def append(
        self,
        appends: Sequence[Append],
        stamp: Stamp,
        *,
        once: Once | None = None,
        about: Sequence[tuple[Stream, int]] = (),
    ) -> list[Recorded]:
        with self._span("append", events=sum(len(each.events) for each in appends)):
            return super().append(appends, stamp, once=once, about=about)

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]:
        with self._span("load", kind=stream.kind):
            return super().load(stream, after=after, until=until)

    def load_kind(self, kind: str, project: str, *, until: int | None = None) -> list[Recorded]:
        with self._span("load kind", kind=kind):
            return super().load_kind(kind, project, until=until)

    def outcome(self, once: Once) -> Outcome | None:
        with self._span("outcome"):
            return super().outcome(once)

    def _span(self, operation: str, **attributes: int | str) -> AbstractContextManager[object]:
        named = {f"togglemaster.{name}": value for name, value in attributes.items()}
        return self._tracing.client_span(
            f"postgresql {operation}",
            {"db.system.name": "postgresql", "db.operation.name": operation, **named},
        )
