"""An evaluation API that really listens, and the platform behind it that its answers come from."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import httpx2 as httpx
import uvicorn
from fastapi import FastAPI
from redis import Redis

from api.evaluation.app import create_app
from api.evaluation.event_streams import end_streams, open_streams
from api.evaluation.parts import Parts
from commands.event_store import EventStore
from commands.models import ChangeTargeting, CreateFlag, CreateProject, FlagDefinition, IssueKey, RevokeKey
from commands.secret_keys import new_key
from deploy.embedded import free_port
from deploy.processes.fast_protocol import FastProtocol
from deploy.processes.http import STOP_SECONDS, Server
from domain.access import digest
from domain.events import KeyKind
from domain.targeting import Targeting
from domain.values import FlagType
from projections.follower import Follower
from projections.keys_used import KeysUsed
from projections.projector import Projector, RulesetView
from projections.rebuild import rebuild
from projections.ruleset_store import CHANNEL, RulesetStore
from tests.integration.shop import Shop
from tests.waiting import eventually
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse

BULK = "/ofrep/v1/evaluate/flags"
EVENT_SECONDS = 20  # for what comes at once, on a busy machine


class Elsewhere:
    """Takes what was counted; where that goes is in test_analytics_pipeline."""

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        del batch
        return []


@dataclass
class Platform:
    """Commands, and the projector that runs when a test says so. Keys by their ids in `ids`."""

    shop: Shop
    redis: Redis
    ids: dict[str, str] = field(default_factory=dict)
    elsewhere: bool = False

    def project(self) -> int:
        """The position that the model now has."""
        Projector(self.shop.store, RulesetView(RulesetStore(self.redis))).catch_up()
        return self.shop.store.head()

    def switch(self, flag: str, *, on: bool, environment: str = "production") -> int:
        self.shop.target(flag, environment, enabled=on)
        return self.project()

    def switch_elsewhere(self, *, on: bool) -> int:
        """A flag of another project."""
        if not self.elsewhere:
            self.shop.give(CreateProject(project="other", name="Other"))
            definition = FlagDefinition(
                key="other", type=FlagType.BOOLEAN, variants={"on": True, "off": False}
            )
            self.shop.give(CreateFlag(project="other", definition=definition))
            self.elsewhere = True
        targeting = Targeting.model_validate(
            {"enabled": on, "off_variant": "off", "default": {"variant": "on"}}
        )
        self.shop.give(
            ChangeTargeting(project="other", flag="other", environment="production", targeting=targeting)
        )
        return self.project()

    def issue(self, kind: KeyKind = "server", expires_at: datetime | None = None) -> str:
        key_id, key = new_key(kind)
        self.ids[key] = key_id
        issue = IssueKey(
            project="shop",
            environment="production",
            id=key_id,
            name="n",
            kind=kind,
            digest=digest(key),
            expires_at=expires_at,
        )
        self.shop.give(issue)
        self.project()
        return key

    def revoke(self, key: str) -> None:
        self.shop.give(RevokeKey(project="shop", environment="production", id=self.ids[key]))
        self.project()


def platform_on(store: EventStore, redis: Redis) -> Platform:
    shop = Shop(store)
    rebuild(store, RulesetStore(redis))
    return Platform(shop, redis)


@dataclass
class Evaluator:
    port: int
    app: FastAPI
    server: Server
    thread: threading.Thread
    follower: Follower
    redis: Redis

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def streams(self) -> int:
        return open_streams(self.app)

    def ask(self, key: str, etag: str = "", **context: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} | ({"If-None-Match": etag} if etag else {})
        return httpx.post(f"{self.url}{BULK}", json={"context": context}, headers=headers)

    def stream_url(self, key: str) -> str:
        """As the answer with all flags gives it."""
        (stream,) = self.ask(key).json()["eventStreams"]
        return f"{self.url}{stream['endpoint']['requestUri']}"

    def reach(self, position: int) -> None:
        eventually(lambda: self.follower.snapshot.position >= position)

    def stop(self) -> None:
        self.server.should_exit = True
        eventually(self._has_stopped)

    def _has_stopped(self) -> bool:
        self.redis.publish(CHANNEL, "")  # the follower need not wait for its next poll
        return not self.thread.is_alive()


@contextmanager
def evaluator(
    redis: Redis, *, port: int | None = None, http: type[FastProtocol] = FastProtocol
) -> Iterator[Evaluator]:
    """Has read everything before it listens, as one that a balancer sends clients to."""
    running = start(redis, port or free_port(), http)
    try:
        yield running
    finally:
        running.stop()


def start(redis: Redis, port: int, http: type[FastProtocol]) -> Evaluator:
    follower = Follower(redis)
    follower.sync()
    parts = Parts(follower, EvaluationRecorder(Elsewhere()), KeyUse(KeysUsed(redis)))
    app = create_app(parts)
    protocol: Any = partial(http, lane=app.state.lane)
    config = uvicorn.Config(
        app, port=port, http=protocol, ws="none", log_level="error", timeout_graceful_shutdown=STOP_SECONDS
    )
    server = Server(config, lambda: end_streams(app))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    return Evaluator(port, app, server, thread, follower, redis)


@dataclass
class Stream:
    """One open event stream, read line by line."""

    response: httpx.Response
    lines: Iterator[str]

    def next(self) -> dict[str, str]:
        """The next event's fields; empty once the stream has ended. Comments are passed over."""
        found: dict[str, str] = {}
        give_up = time.monotonic() + EVENT_SECONDS
        for line in self.lines:
            assert time.monotonic() < give_up, "there was no event, only heartbeats"
            name, _, value = line.partition(":")
            if name:
                found[name] = value.strip()
            elif not line and "data" in found:
                return found
        return {}

    def next_position(self) -> int:
        return int(self.next()["id"])


@contextmanager
def listening(url: str, **headers: str) -> Iterator[Stream]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.stream("GET", url, headers=sent, timeout=EVENT_SECONDS) as response:
        yield Stream(response, response.iter_lines())


def data_of(event: dict[str, str]) -> Any:
    return json.loads(event["data"])
