"""What an evaluator finds in the spool when it starts, and what it makes of a disk that fails it."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.processes.common import NotConfigured
from deploy.processes.evaluation import recorder_of
from deploy.settings import Settings
from domain.recording import AS_INSTALLED
from projections.dropped_table import Dropped
from workers import minute_counts
from workers.evaluations import EvaluationRecorder, Tally
from workers.received import Evaluations, last_told, newest

NOON = 1_793_793_600.0
MINUTE = int(NOON // 60)
TALLY = ("shop", "production", "f", "SPLIT", "on")


class Queue:
    def __init__(self) -> None:
        self.away = False
        self.messages: list[bytes] = []

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        if self.away:
            return list(batch)
        self.messages += batch
        return []

    def bodies(self) -> list[Evaluations]:
        return [Evaluations.model_validate_json(message, strict=True) for message in self.messages]

    def counted(self) -> int:
        rows = newest(row for body in self.bodies() for row in body.count_rows())
        return sum(sum(row.counts.values()) for row in rows if row.flag)

    def told(self) -> dict[str, tuple[int, int]]:
        """Dropped counts and records, as the highest `seq` of each producer has them."""
        return {each.producer: (each.counts, each.records) for each in last_told(self.tellings())}

    def tellings(self) -> list[Dropped]:
        return [told for body in self.bodies() for told in body.drops()]

    def records(self) -> int:
        return len({record.event_id for body in self.bodies() for record in body.records})


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def begin(queue: Queue, tmp_path: Path) -> Callable[..., EvaluationRecorder]:
    """An evaluator on the spool, which has looked around there."""

    def begin(**settings: Any) -> EvaluationRecorder:
        recorder = EvaluationRecorder(queue, spool_dir=tmp_path, **settings)
        recorder.flusher.adopt()
        return recorder

    return begin


Begin = Callable[..., EvaluationRecorder]


def record(recorder: EvaluationRecorder, times: int = 1, *, flag: str = "f", now: float = NOON) -> None:
    tally = Tally(("shop", "production", flag, "SPLIT", "on"))
    for _ in range(times):
        recorder.record_one(tally, AS_INSTALLED, {"targetingKey": "u"}, 7, now)


def kill(recorder: EvaluationRecorder) -> Path:
    """As the kernel does it: its locks are free. The directory it leaves."""
    os.close(recorder._home._lock)
    for adopted in recorder.flusher._adopted:
        os.close(adopted.home._lock)
    return recorder._home.path


def send_all(recorder: EvaluationRecorder) -> None:
    for _ in range(3):
        assert recorder.flush()


def test_what_a_killed_evaluator_left_is_sent_under_its_name_and_removed(queue: Queue, begin: Begin) -> None:
    first = begin(producer="first")
    record(first, 5)
    left = kill(first)
    second = begin(producer="second")
    record(second, 2)
    send_all(second)
    assert {body.producer for body in queue.bodies()} == {"first", "second"}
    assert (queue.counted(), queue.records()) == (7, 7)
    assert not left.exists()
    assert second.flusher.adopted_producers == 1


def test_who_lives_is_left_alone(queue: Queue, begin: Begin) -> None:
    first = begin()
    record(first, 5)
    send_all(begin())
    assert queue.messages == []
    assert first.pending == 5


def test_what_was_not_sent_when_it_stopped_is_sent_by_the_next(queue: Queue, begin: Begin) -> None:
    queue.away = True
    first = begin()
    record(first, 5)
    first.stop(timeout=0.1)
    queue.away = False
    send_all(begin())
    assert (queue.counted(), queue.records()) == (5, 5)


def test_an_evaluator_that_stops_with_everything_sent_leaves_nothing(tmp_path: Path, begin: Begin) -> None:
    recorder = begin()
    record(recorder)
    recorder.stop()
    assert [each.name for each in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("away", [True, False])
def test_a_temporary_spool_ends_with_its_evaluator(queue: Queue, away: bool) -> None:
    queue.away = away
    recorder = EvaluationRecorder(queue)
    record(recorder, 5)
    recorder.stop(timeout=0.1)
    assert recorder.pending == 5 * away
    assert not recorder._spool.path.exists()


def test_drops_of_the_killed_are_told_once_whoever_is_killed_next(queue: Queue, begin: Begin) -> None:
    first = begin(max_counters=1)
    record(first)
    record(first, 3, flag="no room")
    kill(first)
    second = begin(max_counters=1)
    assert (second.dropped_counts, second.dropped_records) == (3, 3)
    kill(second)
    third = begin(max_counters=1)
    send_all(third)
    record(third)
    record(third, 2, flag="no room")
    assert third.dropped_counts == 5
    kill(third)
    fourth = begin()
    assert (fourth.dropped_counts, fourth.dropped_records) == (5, 5)
    send_all(fourth)
    assert fourth.dropped_counts == 5
    assert queue.counted() == 2


def test_drops_are_told_under_the_name_of_who_dropped_before_its_directory_goes(
    queue: Queue, begin: Begin
) -> None:
    first = begin(producer="first", max_counters=1)
    record(first)
    record(first, 3, flag="no room")
    left = kill(first)
    queue.away = True
    second = begin(producer="second", max_counters=1)
    record(second)
    record(second, 2, flag="no room")
    assert not second.flush()
    assert (queue.told(), left.exists()) == ({}, True)
    queue.away = False
    send_all(second)
    assert queue.told() == {"first": (3, 3), "second": (2, 2)}
    assert not left.exists()
    kill(second)
    send_all(begin(producer="third"))
    assert queue.told() == {"first": (3, 3), "second": (2, 2)}, "what was inherited is not told anew"


def test_a_producer_that_only_dropped_is_heard_of(queue: Queue, begin: Begin) -> None:
    first = begin(producer="first")
    record(first, 3, flag="f" * 201)
    kill(first)
    send_all(begin())
    assert (queue.told(), queue.counted()) == ({"first": (3, 3)}, 0)


def test_what_is_told_again_keeps_its_times_and_has_a_higher_seq(
    queue: Queue, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOON)
    first = begin(producer="first")
    record(first, 3, flag="f" * 201)
    send_all(first)
    kill(first)
    monkeypatch.setattr(time, "time", lambda: NOON + 3_600)
    send_all(begin())
    told, again = queue.tellings()
    assert again == told._replace(seq=again.seq)
    assert again.seq > told.seq
    assert (again.first, again.last) == (NOON, NOON)


def test_more_drops_move_the_last_time_and_leave_the_first(
    queue: Queue, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = begin()
    for hour in range(3):
        monkeypatch.setattr(time, "time", lambda hour=hour: NOON + 3_600 * hour)
        record(recorder, flag="f" * 201)
        send_all(recorder)
    assert [(each.counts, each.first, each.last) for each in queue.tellings()] == [
        (1, NOON, NOON),
        (2, NOON, NOON + 3_600),
        (3, NOON, NOON + 7_200),
    ]


@pytest.mark.parametrize("told_before", [True, False])
@pytest.mark.parametrize("told_between", [True, False])
@pytest.mark.parametrize("killed_after_withdrawing", [True, False])
def test_a_drop_that_is_taken_back_is_told_no_more_and_told_of_who_dropped_it_then(
    queue: Queue, begin: Begin, told_before: bool, told_between: bool, killed_after_withdrawing: bool
) -> None:
    """Also where SQS has been told of it already, and where who took it back had no time to tell."""
    tally = Tally(("shop", "production", "f" * 201, "SPLIT", "on"))

    def ask(recorder: EvaluationRecorder) -> None:
        recorder.record_marked(b"request-1", [tally], AS_INSTALLED, {}, 7, NOON)

    first = begin(producer="first")
    ask(first)
    if told_before:
        send_all(first)
    kill(first)
    second = begin(producer="second")
    if told_between:
        send_all(second)
    ask(second)
    if killed_after_withdrawing:
        second.answered()
        kill(second)
        second = begin(producer="third")
    send_all(second)
    told = {producer: drops for producer, drops in queue.told().items() if any(drops)}
    assert told == {"second": (1, 1)}


def test_drops_that_an_older_version_left_are_told(queue: Queue, begin: Begin) -> None:
    first = begin(producer="first")
    record(first, 3, flag="f" * 201)
    (kill(first) / "told").unlink()  # which it did not have
    send_all(begin())
    assert queue.told() == {"first": (3, 3)}


def test_counts_of_the_killed_take_room_too(queue: Queue, begin: Begin) -> None:
    queue.away = True
    first = begin(max_counters=2)
    record(first)
    kill(first)
    second = begin(max_counters=2)
    second.flush()
    record(second)
    record(second, flag="no room")
    assert second.dropped_counts == 1


def test_a_request_asked_again_after_a_kill_is_counted_once(queue: Queue, begin: Begin) -> None:
    tallies = [Tally(TALLY), Tally(("shop", "production", "g", "STATIC", "off"))]
    first = begin()
    record(first, 3)
    first.record_marked(b"request-1", tallies, AS_INSTALLED, {}, 7, NOON)
    kill(first)
    second = begin()
    assert list(second.flusher.uncertain) == [b"request-1"]
    send_all(second)
    second.record_marked(b"request-1", tallies, AS_INSTALLED, {}, 7, NOON)
    second.answered()
    send_all(second)
    assert (queue.counted(), second.withdrawn) == (5, 1)
    assert queue.records() == 5


def test_a_request_that_nobody_asks_for_again_stays_counted(queue: Queue, begin: Begin) -> None:
    first = begin()
    first.record_marked(b"request-1", [Tally(TALLY)], AS_INSTALLED, {}, 7, NOON)
    left = kill(first)
    second = begin(uncertain_seconds=0)
    send_all(second)
    second.record_marked(b"request-1", [Tally(TALLY)], AS_INSTALLED, {}, 7, NOON)
    assert (queue.counted(), queue.records(), second.withdrawn) == (1, 1, 0)
    assert not left.exists()


def test_what_was_answered_is_not_uncertain(begin: Begin) -> None:
    first = begin()
    first.record_marked(b"request-1", [Tally(TALLY)], AS_INSTALLED, {}, 7, NOON)
    first.answered()
    kill(first)
    assert begin().flusher.uncertain == {}


def torn_names(left: Path) -> None:
    with (left / f"{MINUTE}.names").open("ab") as names:
        names.write(b'[[["shop","prod')


def other_files(left: Path) -> None:
    (left / "README").write_bytes(b"\xff")
    (left.parent / "not a producer").mkdir()
    (left.parent / "file").write_bytes(b"")
    (left.parent / "began").mkdir()
    (left / "x.records").write_bytes(b"")


@pytest.mark.parametrize("harm", [torn_names, other_files])
def test_what_was_just_being_written_is_no_harm(
    queue: Queue, begin: Begin, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None]
) -> None:
    first = begin()
    record(first, 5)
    harm(kill(first))
    send_all(begin())
    assert (queue.counted(), queue.records()) == (5, 5)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


SPOILT: dict[str, tuple[str, bytes]] = {
    "names that are rubbish": (f"{MINUTE}.names", b"\x00\xff\n"),
    "names that name nothing": (f"{MINUTE}.names", b"[[],[7]]\n"),
    "names that the consumer would refuse": (f"{MINUTE}.names", b'[[["No Slug","e","f","R","v"]],[0]]\n'),
    "no names": (f"{MINUTE}.names", b""),
    "counts cut short": (f"{MINUTE}.counts", b"\x01" * 13),
    "no counts": (f"{MINUTE}.counts", b""),
    "counts without names": (f"{MINUTE}.counts", b"\x01" * 4_096),
    "records that are rubbish": ("1.records", b"\xff" * 4_096),
    "records cut short": ("1.records", b"\x01\x02"),
}


@pytest.mark.parametrize(("name", "content"), SPOILT.values(), ids=SPOILT)
def test_a_file_that_cannot_be_read_is_set_aside_and_stops_nothing(
    tmp_path: Path, queue: Queue, begin: Begin, caplog: pytest.LogCaptureFixture, name: str, content: bytes
) -> None:
    first = begin(producer="first")
    record(first, 5)
    record(first, 2, now=NOON + 60)
    (kill(first) / name).write_bytes(content)
    second = begin()
    record(second)
    send_all(second)
    counts_spoilt = not name.endswith(".records")
    assert (queue.counted(), queue.records()) == ((3, 8) if counts_spoilt else (8, 1))
    assert (tmp_path / "set aside" / f"first-{name}").read_bytes() == content
    assert f"{tmp_path}/set aside" in caplog.text
    assert not (tmp_path / "first").exists()


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_without_its_state_a_directory_is_set_aside(
    tmp_path: Path, queue: Queue, begin: Begin, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    """Rows with a lower number than those that were sent would be ignored."""
    first = begin(producer="first")
    record(first, 5)
    (kill(first) / "state").write_bytes(content)
    send_all(begin())
    assert queue.messages == []
    assert (tmp_path / "set aside" / "first" / f"{MINUTE}.counts").exists()
    assert "no readable state" in caplog.text


def test_a_full_disk_drops_what_it_cannot_count_and_counts_again_when_there_is_room(
    queue: Queue, begin: Begin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = begin()
    record(recorder)

    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as failing:
        failing.setattr(os, "write", full)
        record(recorder, flag="g")
        failing.setattr(os, "pwrite", lambda file, data, start: len(data) - 1)
        record(recorder, 10, now=NOON + 60)
    assert (recorder.dropped_counts, recorder.dropped_records) == (11, 11)
    assert len(caplog.records) == 2, "once, not for every evaluation"
    record(recorder, 3, now=NOON + 62)
    send_all(recorder)
    assert queue.counted() == queue.records() == recorder.recorded - recorder.dropped_counts == 4


def test_a_full_disk_drops_records_and_counts_on(
    queue: Queue, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = begin()
    record(recorder)
    monkeypatch.setattr(recorder._log, "_size", 0)  # the file is full, and there is no other
    monkeypatch.setattr(os, "pwrite", lambda file, data, start: 0)
    record(recorder, 4)
    monkeypatch.undo()
    send_all(recorder)
    assert (queue.counted(), queue.records(), recorder.dropped_records) == (5, 1, 4)


@pytest.mark.parametrize("where", ["/proc/nowhere/spool", "file/spool"])
def test_a_spool_that_cannot_be_written_to_is_told_at_the_start(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")
    directory = str(tmp_path / where)
    with pytest.raises(NotConfigured, match=r"cannot be kept in .*spool.*set TOGGLEMASTER_SPOOL_DIR"):
        recorder_of(Settings(spool_dir=directory))


def test_a_minute_has_room_for_any_number_of_answers(queue: Queue, begin: Begin) -> None:
    recorder = begin()
    more = 2 * minute_counts.FIRST_SLOTS + 1
    for n in range(more):
        record(recorder, flag=f"flag-{n}")
    record(recorder, flag="flag-0")
    kill(recorder)
    send_all(begin())
    assert queue.counted() == more + 1
