"""Whatever happens to the messages on their way, the table says how many evaluations there were."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from projections.usage_table import CountRow, outcome_of
from workers.consumer import Evaluations, newest
from workers.evaluations import EvaluationRecorder, Tally

START = 1_793_793_590.0  # ten seconds before a minute is full

Fault = Literal["none", "not sent", "answer lost", "first refused", "all refused"]


class Evaluated(NamedTuple):
    producer: int
    flag: str
    variant: str
    reason: str


class TimePassed(NamedTuple):
    seconds: int


class Flushed(NamedTuple):
    producer: int
    fault: Fault


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


producers = st.integers(0, 1)
flags = st.sampled_from(["f", "a/b", "a", "é\ufffe", "\x00"]) | st.text(max_size=5)
variants = st.sampled_from(["on", "off", "", "x/y"])
steps = st.lists(
    st.builds(Evaluated, producers, flags, variants, st.sampled_from(["SPLIT", "DEFAULT"]))
    | st.builds(TimePassed, st.integers(-70, 70))
    | st.builds(
        Flushed,
        producers,
        st.sampled_from(["none", "not sent", "answer lost", "first refused", "all refused"]),
    ),
    max_size=60,
)


def play(steps: Sequence[Evaluated | TimePassed | Flushed]) -> list[bytes]:
    """The messages that were sent in the end, when the network works again."""
    now, network = START, Network()
    recorders = [EvaluationRecorder(network, producer=f"p{n}") for n in (0, 1)]
    for step in steps:
        match step:
            case Evaluated(producer, flag, variant, reason):
                tally = Tally(("shop", "production", flag, reason, variant))
                recorders[producer].record([tally], None, 1, now)
            case TimePassed(seconds):
                now += seconds
            case Flushed(producer, fault):
                network.fault = fault
                recorders[producer].flush()
    network.fault = "none"
    assert all(recorder.flush() and not recorder.pending for recorder in recorders)
    return network.messages


def deliver(bodies: list[Evaluations], data: st.DataObject) -> list[Evaluations]:
    """In any order, some doubled, some lost; not lost is what nothing newer takes the place of."""
    last = {row[:5]: row.seq for row in sorted(rows_of(bodies), key=lambda row: row.seq)}
    needed = [body for body in bodies if any(last[row[:5]] == row.seq for row in body.count_rows())]
    others = data.draw(st.lists(st.sampled_from(bodies), max_size=10)) if bodies else []
    return data.draw(st.permutations(needed + others))


def rows_of(bodies: Iterable[Evaluations]) -> list[CountRow]:
    return [row for body in bodies for row in body.count_rows()]


@given(steps, st.data())
def test_the_table_holds_every_evaluation_once(
    steps: list[Evaluated | TimePassed | Flushed], data: st.DataObject
) -> None:
    bodies = [Evaluations.model_validate_json(message, strict=True) for message in play(steps)]
    delivered = deliver(bodies, data)
    table, at_once = TableModel(), data.draw(st.integers(1, 10), label="messages in a receive")
    for first in range(0, len(delivered), at_once):
        table.put(newest(rows_of(delivered[first : first + at_once])))

    counted: Counter[tuple[str, str]] = Counter()
    for row in table.rows.values():
        counted.update({(row.flag, outcome): count for outcome, count in row.counts.items()})
    evaluations = [step for step in steps if isinstance(step, Evaluated)]
    assert counted == Counter((each.flag, outcome_of(each.reason, each.variant)) for each in evaluations)


@given(steps)
def test_records_have_one_event_id_each(steps: list[Evaluated | TimePassed | Flushed]) -> None:
    bodies = [Evaluations.model_validate_json(message, strict=True) for message in play(steps)]
    records = {record.event_id: record for body in bodies for record in body.records}
    assert len(records) == sum(isinstance(step, Evaluated) for step in steps)
    assert len({str(record) for body in bodies for record in body.records}) == len(records)
