"""Tells webhooks of events: in order, at least once, each from where it stands.

Any number of workers may run; a lease keeps two from telling the same webhook at once. Whoever is killed
leaves a lease that runs out, and the next one goes on after the last delivery that was written down: what was
under way then is sent twice, with the same id.
"""

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

from commands.event_store import EventStore, StoreUnavailable
from commands.handlers import Commands
from commands.listener import Listener
from commands.models import PauseWebhook
from commands.unit_of_work import utc_now
from domain.aggregates import fold_all
from domain.envelope import Recorded, Stamp, webhook_stream
from domain.errors import NotFound
from domain.webhook import Webhook
from projections.postgres_views import ViewUnavailable
from projections.projector import Projector
from projections.webhook_deliveries import Lease, WebhookDeliveries
from workers.outbound import WHOLE_SECONDS
from workers.pulse import Pulse
from workers.webhook_messages import Attempt, Sender, message_of

POLL_SECONDS = 0.25  # how late an event may be when no NOTIFY arrives
RETRY_SECONDS = 0.25
BATCH = 100  # events for one webhook, before others have their turn
THREADS = 16
FAILING_THREADS = THREADS // 2  # the rest is for receivers that answer, however many do not
LEASE_SECONDS = WHOLE_SECONDS + 5  # so that nobody takes over while an answer may still come
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 3600.0
GIVE_UP_SECONDS = 3 * 24 * 3600  # a receiver may be away for a weekend
GONE = 410
ACTOR = "webhooks"

log = logging.getLogger(__name__)


def delay_after(failures: int) -> float:
    """Seconds until the next attempt: doubled with each failure in a row, and never the same for all."""
    longest = min(FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 30), LONGEST_DELAY_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - so that not all come back at once


class Attempts:
    """Counted by many threads, for metrics."""

    def __init__(self) -> None:
        self.delivered = self.failed = 0
        self._lock = threading.Lock()

    def add(self, attempt: Attempt) -> None:
        with self._lock:
            self.delivered += attempt.delivered
            self.failed += not attempt.delivered


@dataclass
class WebhookWorker:
    store: EventStore
    deliveries: WebhookDeliveries
    sender: Sender
    threads: int = THREADS
    failing_threads: int = FAILING_THREADS
    lease_seconds: float = LEASE_SECONDS
    delay: Callable[[int], float] = delay_after
    stopping: threading.Event = field(default_factory=threading.Event)
    pulse: Pulse = field(default_factory=lambda: Pulse("webhooks"))
    attempts: Attempts = field(default_factory=Attempts)
    _busy: dict[Future[None], Lease] = field(default_factory=dict)

    def run(self) -> None:
        """Until `stopping` is set; deliveries that are under way are finished."""
        roster, listener = Projector(self.store, self.deliveries), Listener(self.store.url)
        with ThreadPoolExecutor(self.threads, thread_name_prefix="webhook") as pool:
            while not self.stopping.is_set():
                try:
                    self.deliveries.create_tables()
                    self._work(roster, listener, pool)
                except (StoreUnavailable, ViewUnavailable) as problem:
                    log.warning("webhooks: %s; trying again", problem)
                    self.pulse.fails(str(problem))
                except Exception:
                    log.exception("webhooks: something failed that should not; trying again")
                    self.pulse.fails("something failed that should not; the log says what")
                self.stopping.wait(RETRY_SECONDS)
        listener.close()

    def _work(self, roster: Projector, listener: Listener, pool: ThreadPoolExecutor) -> None:
        while not self.stopping.is_set():
            while roster.step():
                self.pulse.moves()
            self._hand_out(pool)
            self.pulse.works()
            listener.wait(POLL_SECONDS)

    def _hand_out(self, pool: ThreadPoolExecutor) -> None:
        self._busy = {future: lease for future, lease in self._busy.items() if not future.done()}
        head = self.store.head()
        while len(self._busy) < self.threads and (lease := self._lease(head)):
            self._busy[pool.submit(self.deliver, lease)] = lease

    def _lease(self, head: int) -> Lease | None:
        failing = sum(lease.failures > 0 for lease in self._busy.values())
        return self.deliveries.lease(
            uuid4().hex,
            head=head,
            seconds=self.lease_seconds,
            failing_too=failing < self.failing_threads,
        )

    def deliver(self, lease: Lease) -> None:
        """Tells one webhook of a batch of events, up to the first failure. A lease that cannot be given back
        runs out by itself."""
        try:
            self._deliver(lease)
        except (StoreUnavailable, ViewUnavailable) as problem:
            log.warning("webhook %s/%s: %s; trying again", lease.project, lease.id, problem)
        except Exception:
            log.exception("webhook %s/%s: cannot be told; trying again", lease.project, lease.id)

    def _deliver(self, lease: Lease) -> None:
        webhook, reached = self._webhook(lease), lease.position
        batch = [] if webhook.paused or webhook.removed else self.store.read(after=reached, limit=BATCH)
        for recorded in batch:
            go_on = True
            if webhook.wants(recorded):
                attempt = self._send(webhook, recorded)
                if not attempt.delivered:
                    self._failed(lease, reached, attempt)
                    return
                go_on = self.deliveries.delivered(
                    lease, recorded.position, attempt.status, seconds=self.lease_seconds
                )
            reached = recorded.position
            if self.stopping.is_set() or not go_on:
                break
        self.deliveries.release(lease, reached)

    def _webhook(self, lease: Lease) -> Webhook:
        """As the log has it now, which may be more than the lease knew."""
        folded = fold_all(self.store.load(webhook_stream(lease.project, lease.id)))
        assert folded is not None
        return cast("Webhook", folded.state)

    def _send(self, webhook: Webhook, recorded: Recorded) -> Attempt:
        attempt = self.sender.send(webhook, message_of(recorded), utc_now())
        self.attempts.add(attempt)
        return attempt

    def _failed(self, lease: Lease, reached: int, attempt: Attempt) -> None:
        delay = self.delay(lease.failures + 1)
        seconds = self.deliveries.failed(lease, reached, attempt.status, attempt.problem, delay=delay)
        if seconds is None:
            return
        if attempt.status == GONE:
            self._switch_off(lease, "the receiver answered 410 Gone: it wants no more deliveries")
        elif seconds > GIVE_UP_SECONDS:
            self._switch_off(lease, f"no delivery succeeded for 3 days; the last problem: {attempt.problem}")

    def _switch_off(self, lease: Lease, why: str) -> None:
        command = PauseWebhook(project=lease.project, id=lease.id, why=why)
        try:
            Commands(self.store).execute(command, Stamp(ACTOR, utc_now(), why))
        except NotFound:
            log.info("webhook %s/%s was removed meanwhile", lease.project, lease.id)
