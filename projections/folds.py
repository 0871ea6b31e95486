"""The state of aggregates as the projector passes their events, kept so that a stream is read once."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol, cast

from domain.aggregates import Folded, fold, fold_all
from domain.envelope import Recorded, Stream, project_stream
from domain.events import EnvironmentCreated
from domain.project import Project
from projections.documents import Documents, documents_of

KEPT_AT_MOST = 20_000  # aggregates; about 5 KB each


class Log(Protocol):
    """What projections need of the event store."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...

    def load_kind(self, kind: str, project: str, *, until: int | None = None) -> list[Recorded]: ...

    def read(self, *, after: int, limit: int, until: int | None = None) -> list[Recorded]: ...

    def head(self) -> int: ...


class Folds:
    """Right only while every event passes through `after` in order; `forget` when some may not have."""

    def __init__(self, log: Log, kept_at_most: int | None = KEPT_AT_MOST) -> None:
        self._log = log
        self._kept_at_most = kept_at_most
        self._kept: OrderedDict[Stream, Folded] = OrderedDict()

    def forget(self) -> None:
        self._kept.clear()

    def after(self, recorded: Recorded) -> Folded:
        """The aggregate as this event leaves it."""
        before = self._kept.get(recorded.stream)
        if recorded.version == (before.version if before else 0) + 1:
            return self._keep(fold(before, recorded))
        folded = fold_all(self._log.load(recorded.stream, until=recorded.position))
        assert folded is not None
        return self._keep(folded)

    def documents(self, batch: Sequence[Recorded]) -> Documents:
        """Every evaluator document that these events change, as the last of them leaves it."""
        documents: Documents = {}
        for recorded in batch:
            documents.update(documents_of(self.after(recorded), self._environments(recorded)))
            if isinstance(recorded.event, EnvironmentCreated):
                documents.update(self._whole_environment(recorded, recorded.event.environment))
        return documents

    def _environments(self, recorded: Recorded) -> Iterable[str]:
        stream = project_stream(recorded.stream.project)
        found = self._kept.get(stream) or fold_all(self._log.load(stream, until=recorded.position))
        return cast("Project", self._keep(found).state).environments if found else ()

    def _whole_environment(self, recorded: Recorded, environment: str) -> Documents:
        """A new environment has every flag and segment that the project had before it."""
        documents: Documents = {}
        for folded in self._all_of_project(recorded):
            documents.update(documents_of(folded, [environment]))
        return documents

    def _all_of_project(self, recorded: Recorded) -> Iterator[Folded]:
        for kind in ("flag", "segment"):
            log = self._log.load_kind(kind, recorded.stream.project, until=recorded.position)
            for _, events in groupby(log, key=lambda each: each.stream):
                folded = fold_all(events)
                assert folded is not None
                yield folded

    def _keep(self, folded: Folded) -> Folded:
        self._kept[folded.stream] = folded
        self._kept.move_to_end(folded.stream)
        if self._kept_at_most is not None and len(self._kept) > self._kept_at_most:
            self._kept.popitem(last=False)
        return folded
