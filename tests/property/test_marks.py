"""Whenever a row is written, around the end of its hour or a compaction, the hour's row has it in the end.

Compaction is a model here, taken apart into the single requests that it makes; the marks are as they are.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from projections.item_writes import Items
from projections.marks import HOUR_SECONDS, WORK_PART, FlagHour, Marks, hour_place, pending_place, work_place

HOUR = FlagHour("shop", "production", "f", 100)
BEGAN = (HOUR.hour + 0.9) * HOUR_SECONDS
SETTLED_SECONDS = 300
Key = tuple[str, str]


class Killed(Exception):
    pass


class Table:
    """Calls `between` before each single write."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.marks: dict[Key, str] = {}
        self.minutes: set[int] = set()
        self.hour: tuple[int, frozenset[int]] = (0, frozenset())  # version, and the rows that are in it
        self.between: Callable[[], None] = lambda: None

    def put(self, items: Iterable[dict[str, Any]]) -> None:
        for item in items:
            self.between()
            self.marks[item["part"]["S"], item["place"]["S"]] = item["token"]["S"]

    def put_row(self, row: int) -> None:
        self.between()
        self.minutes.add(row)

    def is_marked(self) -> bool:
        return {PENDING, WORK} <= self.marks.keys()


PENDING = ("shop/production/1970-01/f", pending_place(HOUR.hour))
WORK = (WORK_PART, work_place(HOUR))
assert hour_place(HOUR.hour) == "hour/05T04"


def compaction(table: Table) -> Iterator[None]:
    """Yields before each request."""
    if WORK not in table.marks or table.now < (HOUR.hour + 1) * HOUR_SECONDS + SETTLED_SECONDS:
        return
    work = table.marks[WORK]
    yield
    pending = table.marks.get(PENDING)
    yield
    version = table.hour[0]
    yield
    rows = frozenset(table.minutes)
    yield
    if table.hour[0] != version:
        return
    table.hour = (version + 1, rows)
    for key, token in ((PENDING, pending), (WORK, work)):
        yield
        if table.marks.get(key) == token:
            table.marks.pop(key, None)


class World:
    """What goes on while a consumer writes: time, other compactions, and the end of the consumer."""

    def __init__(self, table: Table, data: st.DataObject) -> None:
        self._table, self._data = table, data
        self._compactions: list[Iterator[None]] = []
        table.between = self.goes_on

    def goes_on(self) -> None:
        self._table.now += self._data.draw(st.sampled_from([0, 0, 60, 400, 4_000]), label="seconds")
        for step in self._data.draw(st.lists(st.integers(0, 2), max_size=8), label="compactions"):
            self.step(step)
        if self._data.draw(st.integers(0, 9), label="killed at 9") == 9:
            raise Killed

    def step(self, which: int) -> None:
        """The third begins another; they go on side by side."""
        if which < len(self._compactions):
            next(self._compactions[which], None)
        else:
            self._compactions = [compaction(self._table), *self._compactions[:1]]

    def ends(self) -> None:
        for each in self._compactions:
            list(each)


def write(table: Table, marks: Marks, row: int) -> None:
    marks.before([HOUR])
    table.put_row(row)
    marks.after([HOUR])


@given(st.data())
def test_no_row_is_without_a_mark_that_a_compaction_did_not_see(data: st.DataObject) -> None:
    table = Table()
    world = World(table, data)
    waiting = list(range(data.draw(st.integers(1, 4), label="rows")))
    marks = new_marks(table)
    while waiting:
        try:
            write(table, marks, waiting[0])
        except Killed:  # the message comes again, to somebody who remembers nothing
            marks = new_marks(table)
            continue
        waiting.pop(0)
        assert table.hour[1] == table.minutes or table.is_marked()
    world.ends()
    table.now += 10 * HOUR_SECONDS
    assert table.hour[1] == table.minutes or table.is_marked()
    list(compaction(table))
    assert table.hour[1] == table.minutes
    assert not table.marks


def new_marks(table: Table) -> Marks:
    return Marks(cast("Items", table), lambda: table.now)


def test_an_hour_that_goes_on_is_marked_once() -> None:
    table = Table()
    marks, tokens = new_marks(table), set()
    for row in range(3):
        write(table, marks, row)
        tokens.add(table.marks[WORK])
    assert len(tokens) == 1
    table.now += HOUR_SECONDS
    write(table, marks, 4)
    assert table.marks[WORK] not in tokens
