"""Whatever lists there are, as rows of PostgreSQL: projects, flags, segments, keys, changes and so on.

Rows and the position they stand at are written in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from domain.access import ApiKey
from domain.aggregates import Folded, State
from domain.change import Change
from domain.envelope import Recorded, Stamp, Stream
from domain.flag import Flag
from domain.person import Person
from domain.plan import Plan
from domain.project import Project
from domain.segment import Segment
from domain.token import AccessToken
from domain.webhook import Webhook
from projections.folds import Folds
from projections.postgres_views import PostgresView

STATES: Mapping[str, TypeAdapter[Any]] = {
    "project": TypeAdapter(Project),
    "flag": TypeAdapter(Flag),
    "segment": TypeAdapter(Segment),
    "key": TypeAdapter(ApiKey),
    "webhook": TypeAdapter(Webhook),
    "token": TypeAdapter(AccessToken),
    "change": TypeAdapter(Change),
    "plan": TypeAdapter(Plan),
    "person": TypeAdapter(Person),
}

TABLES = """
DROP TABLE IF EXISTS togglemaster_catalogue;
DELETE FROM togglemaster_views WHERE name = 'catalogue';
CREATE TABLE IF NOT EXISTS togglemaster_catalogue_2 (
    kind text NOT NULL,
    project text NOT NULL,
    key text NOT NULL COLLATE "C",
    archived boolean NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    begun bigint NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    environment text NOT NULL,
    of_kind text NOT NULL,
    owner text NOT NULL,
    tags text[] NOT NULL,
    words text NOT NULL,
    state json NOT NULL,
    PRIMARY KEY (kind, project, key)
);
"""

UPSERT = """
INSERT INTO togglemaster_catalogue_2 VALUES (
    %(kind)s, %(project)s, %(key)s, %(archived)s, %(version)s, %(position)s, %(begun)s,
    %(created_at)s, %(created_by)s, %(changed_at)s, %(changed_by)s,
    %(environment)s, %(of_kind)s, %(owner)s, %(tags)s, %(words)s, %(state)s
) ON CONFLICT (kind, project, key) DO UPDATE SET
    archived = excluded.archived, version = excluded.version, position = excluded.position,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by, owner = excluded.owner,
    tags = excluded.tags, words = excluded.words, of_kind = excluded.of_kind, state = excluded.state
"""

PAGE = """
SELECT * FROM togglemaster_catalogue_2
WHERE kind = %(kind)s AND (%(project)s = '' OR project = %(project)s) AND archived = %(archived)s
  AND (%(projects)s::text[] IS NULL OR project = ANY (%(projects)s))
  AND (%(environment)s = '' OR environment = %(environment)s)
  AND (%(of_kinds)s::text[] IS NULL OR of_kind = ANY (%(of_kinds)s)) AND (%(owner)s = '' OR owner = %(owner)s)
  AND (%(tag)s = '' OR %(tag)s = ANY (tags))
  AND (%(search)s = '' OR position(%(search)s IN words) > 0)
  AND (%(within)s::text[] IS NULL OR NOT EXISTS (
    SELECT FROM unnest(tags) AS place
    WHERE NOT %(within)s && ARRAY[
      place, split_part(place, '/', 1) || '/', '*/' || split_part(place, '/', 2), '*/']))
"""

COLUMNS = {"key": "key", "changed": "position", "created": "begun"}
"""What a list can be sorted by. A key, and the position of a change, stand for one thing only, so that either
is also the place where the next page begins."""

ARCHIVED = """
SELECT key, archived FROM togglemaster_catalogue_2
WHERE kind = %(kind)s AND project = %(project)s AND key = ANY (%(keys)s)
"""

ORDERS = [sign + column for column in COLUMNS for sign in ("", "-")]
BEYOND: Mapping[str, str] = {
    "key": " AND key > %(after)s",
    "-key": " AND (%(after)s = '' OR key < %(after)s)",
    "changed": " AND position > %(after)s",
    "-changed": " AND (%(after)s = 0 OR position < %(after)s)",
    "created": " AND begun > %(after)s",
    "-created": " AND (%(after)s = 0 OR begun < %(after)s)",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What is empty does not narrow; `projects` None is all of them.

    `of_kinds` are kinds of flags (release, experiment, ...) or of keys, or statuses of changes or plans;
    `environment` is for API keys and plans, which belong to one; `search` is looked for in keys, names,
    descriptions, tags and owners, in any case of letters.
    `within` is for tokens, whose tags are the places of their grants: it keeps those that are granted nowhere
    but there, `project/` standing for the whole project, and the project `*` for every one.
    """

    archived: bool = False
    projects: Sequence[str] | None = None
    environment: str = ""
    of_kinds: Sequence[str] | None = None
    owner: str = ""
    tag: str = ""
    search: str = ""
    within: Sequence[str] | None = None


class Catalogue(PostgresView):
    """Thread-safe. Raises ViewUnavailable when PostgreSQL cannot be reached."""

    name = "catalogue/2"
    tables = TABLES

    def write(self, batch: list[Recorded], folds: Folds, *, after: int) -> None:
        changed = {recorded.stream: folds.after(recorded) for recorded in batch}
        with self.moved(after=after, to=batch[-1].position) as connection:
            connection.cursor().executemany(UPSERT, [_row(folded) for folded in changed.values()])

    def page(
        self,
        kind: str,
        project: str = "",
        *,
        limit: int,
        after: str = "",
        order: str = "key",
        only: Filter = Filter(),
    ) -> tuple[list[Folded], str | None]:
        """Those of a project, or of all projects without one, and what `after` is for the next page.

        `order` is one of ORDERS. Raises ValueError for an `after` that no page of that order gave.
        """
        column, down = order.removeprefix("-"), order.startswith("-")
        query = PAGE + BEYOND[order] + f" ORDER BY {COLUMNS[column]}{' DESC' if down else ''} LIMIT %(limit)s"
        parameters = {
            **asdict(replace(only, search=only.search.lower())),
            "kind": kind,
            "project": project,
            "after": after if column == "key" else int(after or 0),
            "limit": limit + 1,
        }
        with self.connection() as connection:
            rows = connection.execute(query.encode(), parameters).fetchall()
        more = str(rows[limit - 1][COLUMNS[column]]) if len(rows) > limit else None
        return [_folded(row) for row in rows[:limit]], more

    def archived(self, kind: str, project: str, keys: Sequence[str]) -> dict[str, bool]:
        """Of those keys that there are. Keys have no NUL, which PostgreSQL refuses."""
        with self.connection() as connection:
            rows = connection.execute(ARCHIVED, {"kind": kind, "project": project, "keys": list(keys)})
            return {row["key"]: row["archived"] for row in rows}


def place_of(folded: Folded, order: str) -> str:
    """What `after` is for a page of that order which begins behind this one."""
    stream = folded.stream
    places = {"key": stream.key or stream.project, "changed": folded.position, "created": folded.begun}
    return str(places[order.removeprefix("-")])


def _row(folded: Folded) -> dict[str, Any]:
    stream = folded.stream
    return {
        "kind": stream.kind,
        "project": stream.project,
        "key": stream.key or stream.project,
        "archived": is_gone(folded.state),
        "version": folded.version,
        "position": folded.position,
        "begun": folded.begun,
        "created_at": folded.created.at,
        "created_by": folded.created.by,
        "changed_at": folded.changed.at,
        "changed_by": folded.changed.by,
        "state": STATES[stream.kind].dump_json(folded.state).decode(),
        **facts_of(folded.state),
    }


def facts_of(state: State) -> dict[str, Any]:  # noqa: C901 - one case for each kind of thing
    """What a list is narrowed by."""
    facts: dict[str, Any] = {"environment": "", "of_kind": "", "owner": "", "tags": []}
    match state:
        case Flag():
            facts |= {"of_kind": state.kind, "owner": state.owner, "tags": list(state.tags)}
            words = [state.key, state.description, state.owner, *state.tags]
        case Segment():
            words = [state.key, state.definition.name, state.definition.description]
        case ApiKey():
            facts |= {"environment": state.environment, "of_kind": state.kind}
            words = [state.id, state.name]
        case AccessToken():
            facts |= {"tags": [f"{grant.project}/{grant.environment}" for grant in state.grants]}
            words = [state.id, state.name]
        case Webhook():
            words = [state.id, state.url, state.description]
        case Change():
            facts |= {"of_kind": state.status, "owner": state.author}
            words = [state.id, state.title, state.description, state.author]
        case Plan():
            facts |= {"of_kind": state.status, "environment": state.environment}
            words = [state.id, state.flag]
        case Person():
            words = [state.email, state.name]
        case Project():
            words = [state.key, state.name]
    return facts | {"words": "\n".join(words).lower()}


def is_gone(state: State) -> bool:
    match state:
        case Flag(archived=gone) | Segment(archived=gone) | Webhook(removed=gone):
            return gone
        case ApiKey(revoked=gone) | AccessToken(revoked=gone):
            return gone
        case Project() | Person() | Change() | Plan():
            return False


def _folded(row: Mapping[str, Any]) -> Folded:
    kind = row["kind"]
    stream = Stream(kind, row["project"], "" if kind == "project" else row["key"])
    return Folded(
        stream,
        STATES[kind].validate_python(row["state"]),
        row["version"],
        row["position"],
        row["begun"],
        Stamp(row["created_by"], row["created_at"]),
        Stamp(row["changed_by"], row["changed_at"]),
    )
