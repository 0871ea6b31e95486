"""The projector process: keeps every view in step with the log."""

import logging
import threading
from collections.abc import Callable, Sequence

from redis import RedisError

from commands.event_store import EventStore, StoreUnavailable
from commands.listener import Listener
from projections.postgres_views import PostgresView, ViewUnavailable
from projections.projector import NoLiveGeneration, Projector, RulesetView, View
from projections.rebuild import AnotherRebuild, rebuild
from projections.ruleset_store import RulesetStore

POLL_SECONDS = 0.25  # how late a view may be when no NOTIFY arrives
RETRY_SECONDS = 0.25

log = logging.getLogger(__name__)


def run_projector(
    store: EventStore, rulesets: RulesetStore, views: Sequence[PostgresView], stopping: threading.Event
) -> None:
    """One thread a view, so that one that cannot be written does not hold up the others."""
    loops: Sequence[tuple[View, Callable[[], object]]] = (
        (RulesetView(rulesets), lambda: _fill(store, rulesets)),
        *((view, view.create_tables) for view in views),
    )
    threads = [
        threading.Thread(target=_follow, args=(store, view, prepare, stopping), name=view.name)
        for view, prepare in loops
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _fill(store: EventStore, rulesets: RulesetStore) -> None:
    """An empty Redis gets a whole model before anybody reads any of it."""
    if rulesets.live() is None:
        try:
            rebuild(store, rulesets)
        except AnotherRebuild:
            log.info("another projector filled Redis first")


def _follow(store: EventStore, view: View, prepare: Callable[[], object], stopping: threading.Event) -> None:
    projector, listener = Projector(store, view), Listener(store.url)
    while not stopping.is_set():
        try:
            prepare()
            _project(projector, listener, stopping)
        except NoLiveGeneration:
            log.warning("%s: Redis is empty, filling it from the log", view.name)
        except (RedisError, StoreUnavailable, ViewUnavailable) as problem:
            log.warning("%s: %s; trying again", view.name, problem)
            stopping.wait(RETRY_SECONDS)
        except Exception:
            log.exception("%s: an event cannot be projected; trying again", view.name)
            stopping.wait(RETRY_SECONDS)
    listener.close()


def _project(projector: Projector, listener: Listener, stopping: threading.Event) -> None:
    while not stopping.is_set():
        if projector.step() == 0:
            listener.wait(POLL_SECONDS)
