"""Whatever happens to evaluators and to their messages, the table says how many evaluations there were."""

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from domain.recording import AS_INSTALLED
from projections.dropped_table import Dropped
from projections.usage_table import CountRow, outcome_of
from workers.evaluations import EvaluationRecorder, Tally
from workers.received import Evaluations, last_told, newest

START = 1_793_793_590.0  # ten seconds before a minute is full

Fault = Literal["none", "not sent", "answer lost", "first refused", "all refused"]
FAULTS: list[Fault] = ["none", "not sent", "answer lost", "first refused", "all refused"]


class Evaluated(NamedTuple):
    producer: int
    flag: str
    variant: str
    reason: str


class Named(NamedTuple):
    """An evaluation whose client names the request, and asks again where it got no answer."""

    producer: int
    flag: str
    killed: Literal["", "before", "after", "counted"]  # counting; the last is before it was answered


class TimePassed(NamedTuple):
    seconds: int


class Flushed(NamedTuple):
    producer: int
    fault: Fault


class Killed(NamedTuple):
    producer: int


Step = Evaluated | Named | TimePassed | Flushed | Killed


class Network:
    """SQS as the recorder sees it, with the fault that is set."""

    def __init__(self) -> None:
        self.fault: Fault = "none"
        self.messages: list[bytes] = []

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        refused = {"first refused": 1, "all refused": len(batch)}.get(self.fault, 0)
        if self.fault != "not sent":
            self.messages += batch[refused:]
        if self.fault in ("not sent", "answer lost"):
            raise ConnectionError(self.fault)
        return list(batch[:refused])


class TableModel:
    """The conditional put; tests/integration/test_analytics_pipeline.py asks the same of the real table."""

    def __init__(self) -> None:
        self.rows: dict[tuple[object, ...], CountRow] = {}

    def put(self, rows: Iterable[CountRow]) -> None:
        for row in rows:
            key = (row.producer, row.project, row.environment, row.flag, row.minute)
            if key not in self.rows or self.rows[key].seq < row.seq:
                self.rows[key] = row


class DroppedModel:
    """Likewise."""

    def __init__(self) -> None:
        self.stored: dict[str, Dropped] = {}

    def put(self, told: Iterable[Dropped]) -> None:
        for each in told:
            if each.producer not in self.stored or self.stored[each.producer].seq < each.seq:
                self.stored[each.producer] = each

    def sums(self) -> tuple[int, int]:
        counts = sum(each.counts for each in self.stored.values())
        return counts, sum(each.records for each in self.stored.values())


class Fleet:
    """Two evaluators, each on a spool of its own, and those that take their places."""

    def __init__(self, directory: Path, **limits: Any) -> None:
        self.network = Network()
        self.now = START
        self.answered: Counter[tuple[str, str]] = Counter()
        self._directory = directory
        self._limits = limits
        self._asked = 0
        self.recorders = [self._begin(0), self._begin(1)]

    def _begin(self, place: int) -> EvaluationRecorder:
        recorder = EvaluationRecorder(
            self.network, spool_dir=self._directory / str(place), uncertain_seconds=0, **self._limits
        )
        recorder.flusher.adopt()
        return recorder

    def kill(self, place: int) -> None:
        """As the kernel does it: the lock is free, nothing else happens."""
        os.close(self.recorders[place]._home._lock)
        for adopted in self.recorders[place].flusher._adopted:
            os.close(adopted.home._lock)
        self.recorders[place] = self._begin(place)

    def evaluate(self, step: Evaluated) -> None:
        tally = Tally(("shop", "production", step.flag, step.reason, step.variant))
        self.recorders[step.producer].record([tally], AS_INSTALLED, {}, 1, self.now)
        self.answered[step.flag, outcome_of(step.reason, step.variant)] += 1

    def evaluate_named(self, step: Named) -> None:
        self._asked += 1
        name = f"request-{self._asked}".encode()
        tally = Tally(("shop", "production", step.flag, "SPLIT", "on"))
        if step.killed == "before":
            self.kill(step.producer)
        self._ask(step.producer, name, tally)
        if step.killed == "counted":
            self.kill(step.producer)
            self._ask(step.producer, name, tally)
        self.recorders[step.producer].answered()
        if step.killed == "after":
            self.kill(step.producer)
        self.answered[step.flag, outcome_of("SPLIT", "on")] += 1

    def _ask(self, place: int, name: bytes, tally: Tally) -> None:
        self.recorders[place].record_marked(name, [tally], AS_INSTALLED, {}, 1, self.now)

    def flush(self, place: int, fault: Fault) -> None:
        self.network.fault = fault
        self.recorders[place].flush()

    def send_everything(self) -> None:
        """What was uncertain takes two turns more, and the network works again."""
        self.network.fault = "none"
        for recorder in self.recorders * 3:
            assert recorder.flush()
        assert not any(recorder.pending for recorder in self.recorders)

    def play(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Evaluated():
                    self.evaluate(step)
                case Named():
                    self.evaluate_named(step)
                case TimePassed(seconds):
                    self.now += seconds
                case Flushed(producer, fault):
                    self.flush(producer, fault)
                case Killed(producer):
                    self.kill(producer)

    def dropped(self) -> tuple[int, int]:
        counts = sum(recorder.dropped_counts for recorder in self.recorders)
        return counts, sum(recorder.dropped_records for recorder in self.recorders)

    def bodies(self) -> list[Evaluations]:
        return [Evaluations.model_validate_json(message, strict=True) for message in self.network.messages]

    def left(self) -> list[Path]:
        """What was not sent, or not told."""
        found = self._directory.glob("*/*/*.*")
        current = tuple(str(recorder.flusher._counting.minute) for recorder in self.recorders)
        return [
            each
            for each in found
            if not each.name.endswith(".dropped") and each.stem not in current and each.suffix != ".records"
        ]


@contextmanager
def fleet(**limits: Any) -> Iterator[Fleet]:
    directory = Path(tempfile.mkdtemp())
    try:
        yield Fleet(directory, **limits)
    finally:
        shutil.rmtree(directory)


producers = st.integers(0, 1)
flags = st.sampled_from(["f", "a/b", "a", "é\ufffe", "\x00"]) | st.text(min_size=1, max_size=5)
variants = st.sampled_from(["on", "off", "", "x/y"])
evaluations = st.builds(Evaluated, producers, flags, variants, st.sampled_from(["SPLIT", "DEFAULT"]))
steps = st.lists(
    evaluations
    | st.builds(Named, producers, flags, st.sampled_from(["", "before", "after", "counted"]))
    | st.builds(TimePassed, st.integers(-70, 70))
    | st.builds(Flushed, producers, st.sampled_from(FAULTS))
    | st.builds(Killed, producers),
    max_size=60,
)


def deliver(bodies: list[Evaluations], data: st.DataObject) -> list[Evaluations]:
    """In any order, some doubled, some lost; not lost is what nothing newer takes the place of."""
    last = {row[:5]: row.seq for row in sorted(rows_of(bodies), key=lambda row: row.seq)}
    told = last_told(drops_of(bodies))
    needed = [
        body
        for body in bodies
        if any(last[row[:5]] == row.seq for row in body.count_rows())
        or any(each in told for each in body.drops())
    ]
    # Producers have random names, and are taken over in their order: how many messages there are may differ.
    chance = random.Random(data.draw(st.integers(0, 2**32), label="seed of the deliveries"))  # noqa: S311
    delivered = needed + chance.choices(bodies, k=chance.randrange(11) if bodies else 0)
    chance.shuffle(delivered)
    return delivered


def rows_of(bodies: Iterable[Evaluations]) -> list[CountRow]:
    return [row for body in bodies for row in body.count_rows()]


def drops_of(bodies: Iterable[Evaluations]) -> list[Dropped]:
    return [told for body in bodies for told in body.drops()]


def counted(rows: Iterable[CountRow]) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """By flag and outcome, and of whole environments by outcome."""
    by_flag: Counter[tuple[str, str]] = Counter()
    whole: Counter[str] = Counter()
    for row in rows:
        for outcome, count in row.counts.items():
            if row.flag:
                by_flag[row.flag, outcome] += count
            else:
                whole[outcome] += count
    return by_flag, whole


@given(steps, st.data())
def test_the_table_holds_every_evaluation_once(steps: list[Step], data: st.DataObject) -> None:
    with fleet() as played:
        played.play(steps)
        played.send_everything()
        assert played.dropped() == (0, 0)
        assert played.left() == []
        delivered = deliver(played.bodies(), data)
    table, at_once = TableModel(), data.draw(st.integers(1, 10), label="messages in a receive")
    for first in range(0, len(delivered), at_once):
        table.put(newest(rows_of(delivered[first : first + at_once])))

    by_flag, whole = counted(table.rows.values())
    assert +by_flag == played.answered
    reasons: Counter[str] = Counter()
    for (_, outcome), count in played.answered.items():
        reasons[outcome.split("/", 1)[0] + "/"] += count
    assert +whole == reasons


@given(steps, st.data())
def test_what_has_no_room_is_counted_as_dropped_and_told(steps: list[Step], data: st.DataObject) -> None:
    """One counter, and a handful of records, are all that may wait."""
    with fleet(max_counters=1, record_bytes=300, segment_bytes=150) as played:
        played.play(steps)
        played.send_everything()
        counts, records = played.dropped()
        bodies = played.bodies()
    table = TableModel()
    table.put(rows_of(bodies))
    assert counted(table.rows.values())[0].total() + counts == played.answered.total()
    kept = {record.event_id for body in bodies for record in body.records}
    assert len(kept) + records == played.answered.total()

    delivered, stored = deliver(bodies, data), DroppedModel()
    at_once = data.draw(st.integers(1, 10), label="messages in a receive")
    for first in range(0, len(delivered), at_once):
        stored.put(last_told(drops_of(delivered[first : first + at_once])))
    assert stored.sums() == (counts, records)


@given(steps)
def test_records_have_one_event_id_each(steps: list[Step]) -> None:
    with fleet() as played:
        played.play(steps)
        played.send_everything()
        bodies = played.bodies()
    records = {record.event_id: record for body in bodies for record in body.records}
    assert len(records) == played.answered.total()
    assert all(records[record.event_id] == record for body in bodies for record in body.records)
    assert all(record.event_id.startswith(f"{body.producer}-") for body in bodies for record in body.records)
