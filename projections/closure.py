"""A flag as one environment evaluates it, with all that its answer depends on, straight from the log."""

from collections.abc import Iterable, Iterator

from domain.aggregates import fold_all
from domain.envelope import Recorded, Stream, flag_stream, segment_stream
from domain.evaluation import FlagDocument
from domain.events import RuleAdded, RuleChanged
from domain.flag import Flag
from domain.references import flags_asked, segments_asked, segments_asked_by
from domain.ruleset import Document
from domain.segment import Segment
from projections.documents import flag_document, segment_document
from projections.folds import Log


class Closure:
    """`documents` has the flag first, if it is there; `origins` the position behind each rule's id."""

    def __init__(self, log: Log, project: str, environment: str, key: str, until: int | None = None) -> None:
        """As it stands at log position `until`, or now."""
        self._log, self._project, self._environment, self._until = log, project, environment, until
        self._first = flag_stream(project, key)
        self._waiting, self._seen = [self._first], {self._first}
        self.origins: dict[str, int] = {}
        self.documents: list[Document] = list(self._gather())

    def _gather(self) -> Iterator[Document]:
        while self._waiting:
            stream = self._waiting.pop(0)
            recorded = self._log.load(stream, until=self._until)
            if stream == self._first:
                self.origins = _origins(recorded, self._environment)
            if document := self._document(recorded):
                self._want(_asked_by(document, self._project))
                yield document

    def _document(self, recorded: list[Recorded]) -> Document | None:
        folded = fold_all(recorded)
        match folded.state if folded else None:
            case Flag() as flag:
                return flag_document(flag, self._environment, recorded[-1].version)
            case Segment() as segment:
                return segment_document(segment, recorded[-1].version)
            case _:
                return None

    def _want(self, streams: Iterable[Stream]) -> None:
        new = [stream for stream in streams if stream not in self._seen]
        self._seen.update(new)
        self._waiting.extend(new)


def _asked_by(document: Document, project: str) -> list[Stream]:
    if isinstance(document, FlagDocument):
        flags, segments = flags_asked(document.targeting), segments_asked_by(document.targeting)
    else:
        flags, segments = {}, segments_asked([document.definition.condition])
    return [flag_stream(project, key) for key in flags] + [segment_stream(project, key) for key in segments]


def _origins(recorded: list[Recorded], environment: str) -> dict[str, int]:
    return {
        each.event.rule.id: each.position
        for each in recorded
        if isinstance(each.event, RuleAdded | RuleChanged) and each.event.environment == environment
    }
