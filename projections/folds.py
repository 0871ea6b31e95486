"""The state of aggregates as the projector passes their events, kept so that a stream is read once."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Protocol, cast

from commands.log_reading import Record
from domain.aggregates import EVOLVE, Folded, fold, fold_all
from domain.envelope import Recorded, Stream, project_stream
from domain.events import EnvironmentCreated
from domain.project import Project
from projections.documents import KINDS, Documents
from projections.frozen import Frozen
from projections.settling import Settled, fold_good, settle

KEPT_AT_MOST = 20_000  # aggregates; about 5 KB each
WITHOUT_DOCUMENTS = sorted(EVOLVE.keys() - KINDS)  # a kind that is not known here may well have some


class Log(Protocol):
    """What projections need of the event store. What ends in `_each` hands over what cannot be read too."""

    def load(self, stream: Stream, *, after: int = 0, until: int | None = None) -> list[Recorded]: ...

    def load_each(self, stream: Stream, *, until: int | None = None) -> list[Record]: ...

    def load_kind_each(self, kind: str, project: str = "", *, until: int | None = None) -> list[Record]: ...

    def read(self, *, after: int, limit: int, until: int | None = None) -> list[Recorded]: ...

    def read_each(self, *, after: int, limit: int, until: int | None = None) -> list[Record]: ...

    def head(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Projected:
    """What a batch makes of the read model; `frozen` says of every stream in it whether it is."""

    documents: Documents = field(default_factory=dict)
    frozen: dict[Stream, Frozen | None] = field(default_factory=dict)


class Folds:
    """Right only while every event passes through in order; `forget` when some may not have."""

    def __init__(self, log: Log, kept_at_most: int = KEPT_AT_MOST) -> None:
        self._log = log
        self._kept_at_most = kept_at_most
        self._kept: OrderedDict[Stream, Folded] = OrderedDict()

    def forget(self) -> None:
        self._kept.clear()

    def after(self, recorded: Recorded) -> Folded:
        """The aggregate as this event leaves it; raises what keeps it from being read or folded."""
        before = self._kept.get(recorded.stream)
        if recorded.version == (before.version if before else 0) + 1:
            return self._keep(fold(before, recorded))
        folded = fold_all(self._log.load(recorded.stream, until=recorded.position))
        assert folded is not None
        return self._keep(folded)

    def project(self, batch: Sequence[Record]) -> Projected:
        """Every evaluator document that these events change, as it is after the last of them.

        What cannot be projected is frozen, and raises nothing.
        """
        found, until = Projected(), batch[-1].position
        environments = cache(lambda project: self._environments(project, until))
        for stream, records in _by_stream(batch).items():
            known = () if stream.kind == "project" else environments(stream.project)
            settled = self._settled(stream, records, known, until)
            found.documents.update(settled.documents)
            found.frozen[stream] = settled.frozen
        for project, created in _created_environments(batch):
            if created in environments(project):
                found.documents.update(self._whole_environment(project, created, until))
        return found

    def _settled(
        self, stream: Stream, records: Sequence[Record], environments: Sequence[str], until: int
    ) -> Settled:
        def whole() -> Sequence[Record]:
            return self._log.load_each(stream, until=until)

        before = self._kept.pop(stream, None)
        follows = records[0].version == (before.version if before else 0) + 1
        settled = settle(records if follows else whole(), environments, whole, before if follows else None)
        if settled.folded and not settled.frozen:
            self._keep(settled.folded)
        return settled

    def _environments(self, project: str, until: int) -> Sequence[str]:
        stream = project_stream(project)
        folded = self._kept.get(stream)
        if folded is None:
            folded, frozen = fold_good(self._log.load_each(stream, until=until), None)
            if folded and not frozen:
                self._keep(folded)
        return environments_of(folded)

    def _whole_environment(self, project: str, environment: str, until: int) -> Documents:
        """A new environment has every flag and segment that the project had before it."""
        documents: Documents = {}
        for kind in ("flag", "segment"):
            log = self._log.load_kind_each(kind, project, until=until)
            for _, records in groupby(log, key=lambda each: each.stream):
                documents.update(settle_whole(list(records), [environment]).documents)
        return documents

    def _keep(self, folded: Folded) -> Folded:
        self._kept[folded.stream] = folded
        self._kept.move_to_end(folded.stream)
        if len(self._kept) > self._kept_at_most:
            self._kept.popitem(last=False)
        return folded


def environments_of(project: Folded | None) -> Sequence[str]:
    """Those that the project has, or had when it was last good."""
    return tuple(cast("Project", project.state).environments) if project else ()


def settle_whole(records: Sequence[Record], environments: Sequence[str]) -> Settled:
    return settle(records, environments, lambda: records)


def _by_stream(batch: Iterable[Record]) -> dict[Stream, list[Record]]:
    """Projects first: what they have decides where the documents of others are."""
    streams: dict[Stream, list[Record]] = {}
    for record in batch:
        if record.stream.kind not in WITHOUT_DOCUMENTS:
            streams.setdefault(record.stream, []).append(record)
    return dict(sorted(streams.items(), key=lambda each: each[0].kind != "project"))


def _created_environments(batch: Iterable[Record]) -> Iterator[tuple[str, str]]:
    for record in batch:
        if isinstance(record, Recorded) and isinstance(record.event, EnvironmentCreated):
            yield record.stream.project, record.event.environment
