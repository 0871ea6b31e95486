"""Keeps snapshots of the fold in step with the log. Any number may do so: all make the same."""

import logging
import threading

from commands.event_store import EventStore, StoreUnavailable
from projections.fold_snapshots import FoldSnapshots
from projections.postgres_views import ViewUnavailable
from projections.snapshotting import Unfoldable, lacking
from workers.pulse import Pulse

POLL_SECONDS = 5.0  # until then who asks for a past folds what happened since by himself

log = logging.getLogger(__name__)


class SnapshotMaker:
    """Every project is looked at once, and then those to which something happened."""

    def __init__(self, store: EventStore, snapshots: FoldSnapshots) -> None:
        self._store, self._snapshots = store, snapshots
        self._seen = 0
        self._told: set[str] = set()
        self.pulse = Pulse("snapshots")

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop; goes on by itself when PostgreSQL, or the table, was away."""
        while not stopping.is_set():
            try:
                self._snapshots.create_tables()
                self._seen = 0
                self._follow(stopping)
            except (StoreUnavailable, ViewUnavailable) as problem:
                log.warning("snapshots: %s; trying again", problem)
                self.pulse.fails(str(problem))
            except Exception:
                log.exception("snapshots cannot be made; trying again")
                self.pulse.fails("snapshots cannot be made; the log says why")
            stopping.wait(POLL_SECONDS)

    def _follow(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self.turn(stopping)
            self.pulse.works()
            stopping.wait(POLL_SECONDS)

    def turn(self, stopping: threading.Event) -> None:
        """Makes whatever is due."""
        head = self._store.head()
        for project in self._store.projects(after=self._seen, until=head):
            self._make(project, head, stopping)
            if stopping.is_set():
                return
        self._seen = head

    def _make(self, project: str, head: int, stopping: threading.Event) -> None:
        last = self._snapshots.newest(project, head)
        try:
            for snapshot in lacking(self._store, project, last, head, self._snapshots.every):
                self._snapshots.put(snapshot)
                self.pulse.moves()
                if stopping.is_set():
                    return
        except Unfoldable as problem:
            self._tell(f"project {project} gets no more snapshots, and its past is slow to ask: {problem}")

    def _tell(self, problem: str) -> None:
        if problem not in self._told:
            log.error("%s", problem)
        self._told.add(problem)
