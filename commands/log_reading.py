"""The log as far as this version can read it: what cannot be decoded is handed over as such, in its place."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from pydantic import ValidationError

from commands.codec import decode
from commands.log_tables import EVENTS_TABLE, OF_PROJECTS, PROJECT
from domain.envelope import Recorded, Stream

PAGE = 4_000  # events; a few megabytes at a time, and a query every tenth of a second

COLUMNS: LiteralString = "notification_id, originator_id, originator_version, topic, state"
SELECT: LiteralString = f"SELECT {COLUMNS} FROM {EVENTS_TABLE}"  # noqa: S608 - all of it is in this package
RELEVANT: LiteralString = (
    "notification_id <= %(until)s AND split_part(originator_id, '/', 1) <> ALL (%(without)s)"
)
READ: LiteralString = (
    SELECT + " WHERE notification_id > %(after)s AND notification_id <= coalesce(%(until)s, notification_id)"
    " ORDER BY notification_id LIMIT %(limit)s"
)
LOAD: LiteralString = (
    SELECT + " WHERE originator_id = %(stream)s AND originator_version > %(after)s"
    " AND notification_id <= coalesce(%(until)s, notification_id) ORDER BY originator_version"
)
LOAD_KIND: LiteralString = (
    SELECT + " WHERE starts_with(originator_id, %(prefix)s)"
    " AND notification_id <= coalesce(%(until)s, notification_id)"
    " ORDER BY originator_id, originator_version"
)
BY_STREAM: LiteralString = (
    SELECT + f" WHERE {RELEVANT} AND (originator_id, originator_version) > (%(stream)s, %(version)s)"
    " ORDER BY originator_id, originator_version LIMIT %(limit)s"
)
BY_POSITION: LiteralString = (
    SELECT + f" WHERE {RELEVANT} AND notification_id > %(after)s AND (starts_with(originator_id, 'project/')"
    " OR mod(hashtext(originator_id)::bigint + 2147483648, %(parts)s) = %(part)s)"
    " ORDER BY notification_id LIMIT %(limit)s"
)
COUNT: LiteralString = (
    f"SELECT count(*), count(*) FILTER (WHERE originator_version = 1) FROM {EVENTS_TABLE} WHERE {RELEVANT}"  # noqa: S608
)
OF_PROJECT: LiteralString = (
    f" WHERE {OF_PROJECTS} AND {PROJECT} = %(project)s"
    " AND notification_id > %(after)s AND notification_id <= %(until)s ORDER BY notification_id"
)
NTH_OF_PROJECT: LiteralString = (
    f"SELECT notification_id FROM {EVENTS_TABLE}{OF_PROJECT} OFFSET %(nth)s - 1 LIMIT 1"  # noqa: S608
)
PROJECTS: LiteralString = (
    f"SELECT DISTINCT {PROJECT} FROM {EVENTS_TABLE}"  # noqa: S608
    f" WHERE {OF_PROJECTS} AND notification_id > %(after)s AND notification_id <= %(until)s ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that this version cannot decode; `problem` is a sentence."""

    position: int
    stream: Stream
    version: int
    problem: str


Record = Recorded | Unreadable


class Row(NamedTuple):
    position: int
    stream: str
    version: int
    name: str
    data: bytes


class LogReading(ABC):
    """What `EventStore` has for those who read all of the log, or must not stop at what they cannot read."""

    @abstractmethod
    def rows(self, query: LiteralString, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]: ...

    def read_each(self, *, after: int, limit: int, until: int | None = None) -> list[Record]:
        """As `read`."""
        return [each(row) for row in self._page(READ, {"after": after, "limit": limit, "until": until})]

    def load_each(self, stream: Stream, *, until: int | None = None) -> list[Record]:
        """As `load`."""
        return [each(row) for row in self._page(LOAD, {"stream": str(stream), "after": 0, "until": until})]

    def load_kind_each(self, kind: str, project: str = "", *, until: int | None = None) -> list[Record]:
        """As `load_kind`; of every project without one."""
        prefix = f"{kind}/{project}/" if project else f"{kind}/"
        return [each(row) for row in self._page(LOAD_KIND, {"prefix": prefix, "until": until})]

    def count(self, *, until: int, without: Sequence[str] = ()) -> tuple[int, int]:
        """How many events there are, and how many streams, leaving out streams of some kinds."""
        events, streams = self.rows(COUNT, {"until": until, "without": list(without)})[0]
        return events, streams

    def by_stream(self, *, until: int, without: Sequence[str] = ()) -> Iterator[list[Row]]:
        """Everything, a page at a time: a stream's events stand together, in their order.

        Pages are queries of their own, so that no transaction stays open, and none is lost with a connection;
        nothing is ever added up to `until`, so that they fit together.
        """
        at: dict[str, Any] = {"stream": "", "version": 0}
        common = {"until": until, "without": list(without), "limit": PAGE}
        while page := self._page(BY_STREAM, at | common):
            yield page
            at = {"stream": page[-1].stream, "version": page[-1].version}

    def by_position(
        self, *, until: int, without: Sequence[str] = (), part: int = 0, parts: int = 1
    ) -> Iterator[list[Row]]:
        """One of `parts` shares of the log, in its order: whole streams, and projects in every one."""
        common = {"until": until, "without": list(without), "part": part, "parts": parts, "limit": PAGE}
        after = 0
        while page := self._page(BY_POSITION, {"after": after} | common):
            yield page
            after = page[-1].position

    def of_project(self, project: str, *, after: int = 0, until: int) -> Iterator[list[Row]]:
        """What happened to a project, its flags and segments, in the order of the log, a page at a time."""
        query, common = SELECT + OF_PROJECT + " LIMIT %(limit)s", {"project": project, "until": until}
        while page := self._page(query, {"after": after, "limit": PAGE} | common):
            yield page
            after = page[-1].position

    def nth_of_project(self, project: str, nth: int, *, after: int, until: int) -> int | None:
        """The position of the `nth` of those above `after`; None where there are fewer."""
        places = {"project": project, "nth": nth, "after": after, "until": until}
        return next((position for (position,) in self.rows(NTH_OF_PROJECT, places)), None)

    def projects(self, *, after: int = 0, until: int) -> list[str]:
        """Those to which anything happened between the two positions."""
        return [project for (project,) in self.rows(PROJECTS, {"after": after, "until": until})]

    def _page(self, query: LiteralString, parameters: Mapping[str, Any]) -> list[Row]:
        return [Row._make(row) for row in self.rows(query, parameters)]


def recorded(row: Row) -> Recorded:
    """Raises what `decode` raises."""
    event, stamp = decode(row.name, row.data)
    return Recorded(row.position, Stream.parse(row.stream), row.version, stamp, event)


def each(row: Row) -> Record:
    try:
        return recorded(row)
    except Exception as problem:  # whatever it is, only this event cannot be read
        return Unreadable(row.position, stream_named(row.stream), row.version, _sentence(row.name, problem))


def stream_named(text: str) -> Stream:
    """As `Stream.parse`, for names that no stream should have too."""
    kind, _, rest = text.partition("/")
    project, _, key = rest.partition("/")
    return Stream(kind, project, key)


def _sentence(name: str, problem: Exception) -> str:
    if isinstance(problem, KeyError) and problem.args == (name,):
        return f"no event is called {name} in this version"
    return f"{name} cannot be read: {said_of(problem)}"


def said_of(problem: Exception) -> str:
    """What is wrong, without the values: these may be subjects, and are not for a log."""
    if isinstance(problem, ValidationError):
        first = problem.errors(include_input=False, include_context=False, include_url=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return " ".join(f"{type(problem).__name__} {problem}".split())
