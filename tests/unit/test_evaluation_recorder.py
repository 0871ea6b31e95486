"""What the evaluation API says of its answers, through everything that may go wrong on the way to SQS."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from domain.recording import AS_INSTALLED
from projections.usage_table import outcome_of
from workers import count_rows
from workers.evaluations import EvaluationRecorder, Tally
from workers.received import Evaluations, newest
from workers.sender import BATCH_BYTES

NOON = 1_793_793_600.0


class FakeQueue:
    """Takes everything, but for the calls that have a fault lined up."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.faults: list[Callable[[list[bytes]], list[bytes]]] = []

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        refused = self.faults.pop(0)(list(batch)) if self.faults else []
        self.batches.append([message for message in batch if message not in refused])
        return refused

    @property
    def messages(self) -> list[bytes]:
        return [message for batch in self.batches for message in batch]

    def rows(self, kind: str) -> list[list[Any]]:
        """Those of whole environments are asked for apart."""
        return [row for row in self.all_rows(kind) if row[2]]

    def all_rows(self, kind: str) -> list[list[Any]]:
        return [row for message in self.messages for row in json.loads(message)[kind]]


class Clock:
    now = NOON


class Harness:
    def __init__(self, **settings: Any) -> None:
        self.queue, self.clock = FakeQueue(), Clock()
        self.recorder = EvaluationRecorder(self.queue, producer="p1", **settings)

    def record(self, times: int = 1, *, flag: str = "f", **other: Any) -> None:
        names: dict[str, Any] = {"variant": "on", "reason": "SPLIT", "subject": "user-1"} | other
        tally = Tally(("shop", "production", flag, names["reason"], names["variant"]))
        for _ in range(times):
            self.recorder.record([tally], AS_INSTALLED, context_of(names["subject"]), 7, self.clock.now)

    def told(self) -> list[tuple[int, int]]:
        """Counts and records, each time that drops were told."""
        found = (json.loads(message).get("dropped") for message in self.queue.messages)
        return [(counts, records) for _, counts, records, *_ in filter(None, found)]

    def counted(self) -> int:
        """What a table would hold that has taken every message."""
        bodies = [Evaluations.model_validate_json(message, strict=True) for message in self.queue.messages]
        rows = newest(row for body in bodies for row in body.count_rows())
        flags = sum(count for row in rows if row.flag for count in row.counts.values())
        assert flags == sum(count for row in rows if not row.flag for count in row.counts.values())
        return flags


def context_of(subject: str | None) -> dict[str, str]:
    return {} if subject is None else {"targetingKey": subject}


def fail(batch: list[bytes]) -> list[bytes]:
    raise ConnectionError("SQS is away")


def test_a_row_holds_all_answers_of_a_flag_in_a_minute() -> None:
    h = Harness()
    h.record(2)
    h.record(variant="off")
    h.record(variant="", reason="DEFAULT")
    h.record(flag="g")
    assert h.recorder.flush()
    minute = int(NOON // 60)
    assert h.queue.rows("counts") == [
        ["shop", "production", "f", minute, 1, {"SPLIT/on": 2, "SPLIT/off": 1, "DEFAULT/": 1}],
        ["shop", "production", "g", minute, 1, {"SPLIT/on": 1}],
    ]


def test_a_record_of_each_evaluation() -> None:
    h = Harness()
    h.record()
    h.clock.now += 0.25
    h.record(subject=None, variant="off")
    h.recorder.flush()
    assert h.queue.rows("records") == [
        ["p1-1.0", "shop", "production", "f", "on", "SPLIT", "user-1", 7, int(NOON * 1_000), {}],
        ["p1-1.1", "shop", "production", "f", "off", "SPLIT", None, 7, int(NOON * 1_000) + 250, {}],
    ]


def test_only_rows_that_changed_are_sent_again_and_they_hold_everything() -> None:
    h = Harness(records="none")
    h.record(3)
    h.record(flag="g")
    h.recorder.flush()
    h.record()
    h.recorder.flush()
    assert h.queue.rows("counts")[2:] == [["shop", "production", "f", int(NOON // 60), 2, {"SPLIT/on": 4}]]
    assert h.queue.rows("records") == []


def test_nothing_new_sends_nothing() -> None:
    h = Harness()
    assert h.recorder.flush()
    h.record()
    assert h.recorder.flush()
    assert h.recorder.flush()
    assert h.recorder.sent_messages == len(h.queue.messages) == 2


def test_a_minute_that_is_over_is_sent_once_more_and_makes_room() -> None:
    h = Harness(max_counters=1)
    h.record()
    h.recorder.flush()
    h.clock.now += 60
    h.record()
    assert h.recorder.dropped_counts == 1
    h.recorder.flush()
    h.record()
    assert h.recorder.flush()
    assert h.recorder.dropped_counts == 1
    assert h.counted() == 2


def test_a_clock_that_is_set_back_counts_on() -> None:
    h = Harness()
    h.record()
    h.clock.now += 60
    h.record()
    h.recorder.flush()
    h.clock.now -= 60
    h.record()
    h.recorder.flush()
    assert h.counted() == 3


def test_what_could_not_be_sent_is_sent_as_it_was() -> None:
    h = Harness()
    h.queue.faults = [fail]
    h.record()
    assert not h.recorder.flush()
    assert (h.recorder.pending, h.recorder.send_failures) == (1, 1)
    h.record()
    assert h.recorder.flush()
    assert (h.recorder.pending, h.recorder.sent_messages) == (0, 3)
    assert [row[4:] for row in h.queue.rows("counts")] == [[1, {"SPLIT/on": 1}], [2, {"SPLIT/on": 2}]]
    assert [row[0] for row in h.queue.rows("records")] == ["p1-1.0", "p1-1.1"]


def test_a_lost_answer_sends_the_same_message_twice() -> None:
    h = Harness()

    def lose_the_answer(batch: list[bytes]) -> list[bytes]:
        h.queue.batches.append(batch)
        raise TimeoutError

    h.queue.faults = [lose_the_answer]
    h.record()
    h.recorder.flush()
    h.recorder.flush()
    first, second = h.queue.batches[:2]
    assert first == second
    assert h.counted() == 1


def test_only_the_refused_messages_of_a_batch_are_sent_again() -> None:
    h = Harness()
    h.queue.faults = [lambda batch: batch[:1]]
    for n in range(600):
        h.record(flag=str(n))
    assert not h.recorder.flush()
    assert (h.recorder.sent_messages, h.recorder.send_failures, h.recorder.pending) == (1, 1, 600)
    assert h.recorder.flush()
    assert h.recorder.sent_messages == len(set(h.queue.messages)) == 4


def test_an_outage_makes_no_messages_pile_up() -> None:
    h = Harness(record_bytes=2_000, segment_bytes=500)
    h.queue.faults = [fail] * 50
    for _ in range(50):
        h.record(5)
        assert not h.recorder.flush()
    h.recorder.flush()
    assert h.counted() == h.recorder.recorded == 250
    assert len(h.queue.messages) == 7, (
        "counts from before the outage and during it, four files of records, and what was dropped"
    )
    assert h.told() == [(0, h.recorder.dropped_records)]
    assert 0 < len(h.queue.rows("records")) == 250 - h.recorder.dropped_records


def test_records_go_before_counts() -> None:
    h = Harness(record_bytes=300, segment_bytes=300)
    h.record(10)
    h.recorder.flush()
    assert (h.recorder.dropped_records, h.recorder.dropped_counts) == (6, 0)
    assert h.counted() == 10


def test_what_is_not_counted_is_counted_as_dropped() -> None:
    h = Harness(max_counters=2)
    for flag in "abcd":
        h.record(2, flag=flag)
    h.recorder.flush()
    assert (h.recorder.recorded, h.recorder.dropped_counts, h.recorder.dropped_records) == (8, 4, 4)
    assert h.counted() == len(h.queue.rows("records")) == 4


def test_drops_are_told_when_there_are_more_and_all_of_them_each_time() -> None:
    h = Harness(max_counters=1)
    h.record(2)
    assert h.recorder.flush()
    assert h.told() == []
    h.record(3, flag="no room")
    assert h.recorder.flush()
    assert h.recorder.flush()
    assert h.told() == [(3, 3)]
    h.record(flag="no room")
    assert h.recorder.flush()
    assert h.told() == [(3, 3), (4, 4)]


def test_drops_that_sqs_did_not_take_are_told_again_as_they_are_then() -> None:
    h = Harness(max_counters=1)
    h.queue.faults = [fail, fail]
    for _ in range(2):
        h.record(2)
        h.record(flag="no room")
        assert not h.recorder.flush()
    assert h.recorder.flush()
    assert h.told()[-1] == (2, 2)
    assert h.counted() + 2 == h.recorder.recorded


@pytest.mark.parametrize(
    "names",
    [
        {"flag": "f" * 201},
        {"flag": "\ud800"},
        {"variant": "v" * 101},
        {"reason": "no reason"},
        {"reason": ""},
    ],
    ids=str,
)
def test_names_that_the_consumer_would_refuse_are_not_sent(names: dict[str, Any]) -> None:
    h = Harness()
    h.record(**names)
    assert h.recorder.flush()
    assert (h.recorder.dropped_counts, h.recorder.dropped_records) == (1, 1)
    assert (h.queue.all_rows("counts"), h.queue.all_rows("records"), h.told()) == ([], [], [(1, 1)])


@pytest.mark.parametrize("producer", ["a b", "a/b", "p" * 65])
def test_a_producer_that_the_consumer_would_refuse(producer: str) -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        EvaluationRecorder(FakeQueue(), producer=producer)


def test_subjects_of_any_letters() -> None:
    h = Harness()
    subjects = ["é\x00\n", "\ufffe\uffff", "half \ud83d", "s" * 256]
    for subject in [*subjects, "s" * 257]:
        h.record(subject=subject)
    h.recorder.flush()
    assert [row[6] for row in h.queue.rows("records")] == [*subjects[:2], "half ?", subjects[3]]
    assert h.recorder.dropped_records == 1
    assert not any(b"\xef\xbf\xbf" in message for message in h.queue.messages), "SQS would refuse it"


def test_messages_and_batches_keep_within_the_limits_of_sqs() -> None:
    h = Harness()
    for n in range(1_200):
        h.record(flag=f"flag-{n}", subject="é" * 200)
    h.recorder.flush()
    bodies = [json.loads(message) for message in h.queue.messages]
    assert max(len(body["counts"]) + len(body["records"]) for body in bodies) <= 500
    assert max(len(batch) for batch in h.queue.batches) <= 10
    assert max(sum(map(len, batch)) for batch in h.queue.batches) <= BATCH_BYTES
    assert len(h.queue.rows("records")) == h.counted() == 1_200


def test_ten_messages_in_a_batch() -> None:
    h = Harness(records="none", max_batch_bytes=1024 * 1024)
    for n in range(5_499):  # and their environment
        h.record(flag=str(n))
    h.recorder.flush()
    assert [len(batch) for batch in h.queue.batches] == [10, 1]


def test_smaller_batches_where_they_are_asked_for() -> None:
    h = Harness(max_batch_bytes=2_000)
    h.record(100)
    h.recorder.flush()
    assert max(sum(map(len, batch)) for batch in h.queue.batches) <= 2_000
    assert len(h.queue.rows("records")) == 100


def test_the_thread_sends_by_itself_and_tries_again() -> None:
    h = Harness(flush_seconds=0.01)
    h.queue.faults = [fail, fail]
    h.recorder.start()
    h.record(5)
    deadline = time.monotonic() + 5
    while h.recorder.pending and time.monotonic() < deadline:
        time.sleep(0.01)
    h.recorder.stop()
    assert (h.recorder.pending, h.recorder.send_failures, h.counted()) == (0, 2, 5)


def test_stop_sends_what_is_left() -> None:
    h = Harness(flush_seconds=3_600)
    h.recorder.start()
    h.record(5)
    h.queue.faults = [fail]
    h.recorder.stop()
    assert h.counted() == 5


@pytest.mark.parametrize("started", [True, False])
def test_stop_gives_up_in_time(started: bool) -> None:
    h = Harness(flush_seconds=3_600)
    if started:
        h.recorder.start()
    h.record(5)
    h.queue.faults = [fail] * 1_000
    before = time.monotonic()
    h.recorder.stop(timeout=0.3)
    assert time.monotonic() - before < 2
    assert h.recorder.pending == 5


def test_what_is_recorded_during_a_flush_is_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop's turn comes just when the flusher reads the counters, and a minute ends in it."""
    h = Harness()
    turns = iter(range(1))

    def interrupted(reason: str, variant: str) -> str:
        for _ in turns:
            h.record(2)
            h.record(flag="new")
            h.clock.now += 60
            h.record()
        return outcome_of(reason, variant)

    monkeypatch.setattr(count_rows, "outcome_of", interrupted)
    h.record()
    h.record(flag="g")
    h.recorder.flush()
    assert h.counted() == 2
    h.recorder.flush()
    assert h.counted() == h.recorder.recorded == 6
    assert h.recorder.pending == 0


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("busy_threads")
def test_nothing_is_lost_between_the_threads() -> None:
    """One thread records, as the event loop does, while another flushes without a pause."""
    h = Harness()
    done = threading.Event()

    def flush_all_the_time() -> None:
        while not done.is_set():
            h.recorder.flush()

    flusher = threading.Thread(target=flush_all_the_time)
    flusher.start()
    for n in range(60_000):
        h.clock.now += 0.005  # five minutes
        h.record(flag=f"flag-{n % 9_973}")
    done.set()
    flusher.join()
    h.recorder.flush()
    assert (h.recorder.pending, h.recorder.dropped_counts) == (0, 0)
    assert h.counted() == 60_000
    assert len(h.queue.rows("records")) == 60_000 - h.recorder.dropped_records


def test_answers_that_are_given_together_are_counted_one_by_one() -> None:
    h = Harness()
    both = Tally(("shop", "production", "f", "STATIC", "on"), ("shop", "production", "g", "DISABLED", "off"))
    h.recorder.record(
        [both, Tally(("shop", "production", "f", "STATIC", "on"))], AS_INSTALLED, {}, position=7, now=NOON
    )
    h.record(3, reason="STATIC")
    assert h.recorder.recorded == 6
    assert h.recorder.flush()
    assert {row[2]: row[5] for row in h.queue.rows("counts")} == {
        "f": {"STATIC/on": 5},
        "g": {"DISABLED/off": 1},
    }
    assert len(h.queue.rows("records")) == 6
    assert h.recorder.pending == 0


def test_many_tallies_of_one_counter_take_the_room_of_one() -> None:
    h = Harness(max_counters=2, records="none")
    for _ in range(5):
        h.record()
    h.record(flag="g")
    h.record(flag="no room")
    assert h.recorder.dropped_counts == 1
    h.clock.now += 60
    h.record(flag="no room until the last minute is sent")
    assert h.recorder.flush()
    h.record(5, flag="g")
    h.record(flag="h")
    assert (h.recorder.dropped_counts, h.recorder.pending) == (2, 6)
