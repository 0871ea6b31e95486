"""Rows of counts as they are sent, made of the slots of a minute that have changed."""

from collections.abc import Iterable, Sequence

from projections.usage_table import ENVIRONMENT_FLAG, outcome_of
from workers.messages import encode
from workers.tally import Counter

Row = tuple[str, str, str]
"""Project, environment, flag."""


class CountRows:
    """Of one minute. It remembers what it has been shown."""

    def __init__(self) -> None:
        self.total = 0  # evaluations
        self._seen: list[int] = []
        self._rows: dict[Row, dict[str, int]] = {}

    def changed(
        self,
        minute: int,
        seq: int,
        counters: Sequence[Counter],
        slots: Sequence[Sequence[int]],
        values: list[int],
    ) -> list[bytes]:
        """Each row that differs from the last time, with all that it counts, and its environment's."""
        touched: set[Row] = set()
        for number, more in self._more(slots, values).items():
            if more:
                touched.update(self._add(counters[number], more))
        return [encode([*row, minute, seq, self._rows[row]]) for row in sorted(touched)]

    def _more(self, slots: Sequence[Sequence[int]], values: list[int]) -> dict[int, int]:
        """By the counter's number; less than nothing for what was withdrawn."""
        more: dict[int, int] = {}
        seen = self._seen + [0] * (len(values) - len(self._seen))
        for slot, (value, before) in enumerate(zip(values, seen, strict=True)):
            if value != before:
                for number in slots[slot]:
                    more[number] = more.get(number, 0) + value - before
        self._seen = values
        return more

    def _add(self, counter: Counter, more: int) -> Iterable[Row]:
        project, environment, flag, reason, variant = counter
        self.total += more
        whole = (project, environment, ENVIRONMENT_FLAG)
        for row, outcome in (
            ((project, environment, flag), outcome_of(reason, variant)),
            (whole, outcome_of(reason, "")),
        ):
            counts = self._rows.setdefault(row, {})
            counts[outcome] = counts.get(outcome, 0) + more
        return (project, environment, flag), whole
