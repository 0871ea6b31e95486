"""The flags that are asked for, and the requests that ask: written as events, projected by the real command.

Everybody who asks is in Brazil, so that no question ends before its split.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from commands.event_store import Append, EventStore
from commands.handlers import Commands
from commands.models import IssueKey
from commands.original.rules import Variants, rule_of
from commands.original.views import PROJECT
from commands.secret_keys import new_key
from deploy.embedded import Stack
from domain.access import digest
from domain.envelope import Stamp, flag_stream, project_stream
from domain.events import EnvironmentCreated, FlagCreated, ProjectCreated
from domain.targeting import Targeting
from domain.values import FlagType
from tests.benchmarks.serving_process import togglemaster

USERS = 1_000
REQUESTS_AT_MOST = 20_000  # about 8 MB in wrk, and with random keys enough to be new to every cache
EVENTS_AT_ONCE = 1_000
PATIENCE_SECONDS = 120
ENVIRONMENT = "production"
ONE, ALL = "/ofrep/v1/evaluate/flags/{}", "/ofrep/v1/evaluate/flags"

BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}
ON, OFF = {"variant": "on"}, {"variant": "off"}
HALF = {"split": {"weights": {"on": 50_000, "off": 50_000}}}
QUARTER = {"split": {"weights": {"on": 25_000, "off": 75_000}}}


def targeting(default: Mapping[str, Any], serve: Mapping[str, Any] | None = None, **more: Any) -> Targeting:
    """With one rule, for those in Brazil, where there is something to serve them."""
    rules = [{"id": "brazil", "when": BRAZIL, "serve": serve}] if serve else []
    wish = {"enabled": True, "off_variant": "off", "default": default, "rules": rules, **more}
    return Targeting.model_validate(wish)


HARD = targeting(OFF, HALF)
PLAIN = [targeting(ON), targeting(ON, enabled=False)]
MIXES: Mapping[str, list[Targeting]] = {
    "simple": PLAIN,
    "typical": [*PLAIN, targeting(OFF, ON), targeting(QUARTER)],
    "hard": [HARD],
}
HALF_OF_USERS = rule_of(
    {"type": "PERCENTAGE", "value": 50}, flag="flag-0", variants=Variants("on", "off"), enabled=True
)
ORIGINAL = {"original": [targeting(ON, rules=[HALF_OF_USERS])]}
"""As the original system's clients make a flag."""


@dataclass(frozen=True)
class Requests:
    """What the load generator sends: a file with a line a request, and the key that goes with all of them.

    `flags` is how many evaluations each of them asks for.
    """

    file: Path
    key: str
    flags: int = 1

    def first(self) -> tuple[str, str]:
        """Path and body."""
        with self.file.open() as lines:
            path, _, body = next(lines).rstrip("\n").partition("\t")
        return path, body


@dataclass(frozen=True)
class World:
    """A log and a read model of their own; `flags` by project, `keys` for the evaluation API by project."""

    name: str
    postgres_url: str
    redis_url: str
    environment: Mapping[str, str]
    flags: Mapping[str, int]
    keys: Mapping[str, str]
    head: int
    directory: Path

    def single(self) -> Requests:
        """One flag a request, any of those there are, for one user after the other."""
        (project, flags), *_ = self.flags.items()
        chosen = random.Random(1)  # noqa: S311 - the same requests in every run
        number = min(max(USERS, flags), REQUESTS_AT_MOST)
        paths = (ONE.format(f"flag-{chosen.randrange(flags)}") for _ in range(number))
        return self._requests(f"{self.name}-single", project, paths)

    def original(self) -> Requests:
        """As the original system's clients ask."""
        paths = (f"/evaluate?user_id=user-{user}&flag_name=flag-0" for user in range(USERS))
        return self._requests(f"{self.name}-original", PROJECT, paths, body="")

    def bulk(self, project: str) -> Requests:
        return self._requests(f"{self.name}-{project}", project, [ALL] * USERS, self.flags[project])

    def _requests(
        self, name: str, project: str, paths: Any, flags: int = 1, body: str | None = None
    ) -> Requests:
        file = self.directory / f"{name}.requests"
        with file.open("w") as lines:
            for number, path in enumerate(paths):
                lines.write(f"{path}\t{_body(number % USERS) if body is None else body}\n")
        return Requests(file, self.keys[project], flags)


def _body(user: int) -> str:
    return json.dumps({"context": {"targetingKey": f"user-{user}", "country": "BR"}})


@dataclass(frozen=True)
class Worlds:
    """Each on a database of its own in PostgreSQL and in Redis."""

    stack: Stack
    environment: Mapping[str, str]
    directory: Path

    def make(
        self, name: str, number: int, projects: Mapping[str, tuple[str, int]], tell: Callable[[int], None]
    ) -> World:
        """`projects` are mix and number of flags by name; `tell` hears of every event that was written."""
        postgres_url = self._database(name)
        redis_url = self.redis_url(number)
        addresses = {"TOGGLEMASTER_POSTGRES_URL": postgres_url, "TOGGLEMASTER_REDIS_URL": redis_url}
        environment = {**self.environment, **addresses}
        with closing(EventStore(postgres_url, PATIENCE_SECONDS)) as store:
            store.create_tables()
            keys = {project: _fill(store, project, *wish, tell) for project, wish in projects.items()}
            head = store.head()
        togglemaster("projections", "rebuild", environment=environment)
        flags = {project: count for project, (_, count) in projects.items()}
        return World(name, postgres_url, redis_url, environment, flags, keys, head, self.directory)

    def redis_url(self, number: int) -> str:
        return f"{self.stack.valkey.url.rpartition('/')[0]}/{number}"

    def _database(self, name: str) -> str:
        url = self.stack.postgres.url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"{url.rpartition('/')[0]}/{name}"


def _fill(store: EventStore, project: str, mix: str, count: int, tell: Callable[[int], None]) -> str:
    """The project's key for the evaluation API."""
    stamp = Stamp("benchmark", datetime.now(UTC))
    created = ProjectCreated(project=project, name=project)
    environment = EnvironmentCreated(environment=ENVIRONMENT, name=ENVIRONMENT)
    store.append([Append(project_stream(project), 0, [created, environment])], stamp)
    key_id, key = new_key("server")
    issue = IssueKey(
        project=project,
        environment=ENVIRONMENT,
        id=key_id,
        name="benchmark",
        kind="server",
        digest=digest(key),
    )
    Commands(store).execute(issue, stamp)
    for appends in _in_lots(project, {**MIXES, **ORIGINAL}[mix], count):
        store.append(appends, stamp)
        tell(len(appends))
    return key


def _in_lots(project: str, mix: list[Targeting], count: int) -> Iterator[list[Append]]:
    for begin in range(0, count, EVENTS_AT_ONCE):
        numbers = range(begin, min(begin + EVENTS_AT_ONCE, count))
        yield [_flag(project, number, mix[number % len(mix)]) for number in numbers]


def _flag(project: str, number: int, wish: Targeting) -> Append:
    key = f"flag-{number}"
    created = FlagCreated(
        project=project,
        key=key,
        type=FlagType.BOOLEAN,
        variants={"on": True, "off": False},
        targeting=wish,
        gate_salt=f"gate-{number}",
        split_salt=f"split-{number}",
    )
    return Append(flag_stream(project, key), 0, [created])
