"""Counts over time as stacked bars, with what was changed meanwhile. Whoever cannot see it has a table.

Each series has a colour and a pattern of its own, and stands in the legend with its number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from api.console.elements import button, moment, set_text, tag
from api.console.numbers import counted, number, percent
from api.console.page import Page
from api.console.tables import Table
from api.console.texts import Texts, catalogue

WIDTH, HEIGHT = 1_000.0, 200.0  # units of the picture, which is stretched to the room there is
GAP = 0.15  # between bars, of a bar's place
SERIES = 6  # with a pattern of their own; the smallest of more are added up
PLACES = 16  # for marks, side by side on a telephone too; changes of one place share a mark
TOLD = 5  # changes of one mark; more are counted
PATTERNS = (
    "",
    "M0 8 L8 0 M-2 2 L2 -2 M6 10 L10 6",
    "M2 2 h2 v2 h-2 z M6 6 h2 v2 h-2 z",
    "M0 0 L8 8 M8 0 L0 8",
    "M0 2 H8 M0 6 H8",
    "M2 0 V8 M6 0 V8",
)
"""What is drawn over each colour, in a square of eight."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`starts` are the beginnings of the steps, and `end` of what comes after; `series` has a number for each
    step. The largest series come first."""

    starts: Sequence[datetime]
    end: datetime
    series: Mapping[str, Sequence[int]]

    def totals(self) -> dict[str, int]:
        return {name: sum(counts) for name, counts in self.series.items()}


def counts_of(buckets: Sequence[Mapping[str, Any]], by: str, end: datetime, others: str) -> Counts:
    """Of the API's series, where `by` names what is counted; `others` is what the smallest are together."""
    totals: dict[str, int] = {}
    for bucket in buckets:
        for name, count in bucket[by].items():
            totals[name] = totals.get(name, 0) + count
    names = sorted(totals, key=lambda name: (-totals[name], name))
    own = names if len(names) <= SERIES else names[: SERIES - 1]
    series = {name: [bucket[by].get(name, 0) for bucket in buckets] for name in own}
    if rest := names[len(own) :]:
        series[others] = [sum(bucket[by].get(name, 0) for name in rest) for bucket in buckets]
    return Counts([datetime.fromisoformat(each["start"]) for each in buckets], end, series)


def in_words(counts: Counts, texts: Texts) -> Counts:
    """By what reasons are called; one that is not known yet is called what the API calls it."""
    known = catalogue(texts.language)
    return replace(
        counts, series={known.get(f"reason.{name}", name): each for name, each in counts.series.items()}
    )


def patterns() -> None:
    """What the bars are filled with; once on a page."""
    with tag("svg", classes="unseen", aria_hidden="true"), tag("defs"):
        for n, lines in enumerate(PATTERNS):
            with tag("pattern", id=f"series-{n}", width=8, height=8, patternUnits="userSpaceOnUse"):
                tag("rect", classes=f"series-{n}", width=8, height=8)
                tag("path", classes="over", d=lines)


class Chart:
    def __init__(self, page: Page, title: str, empty: str) -> None:
        """`empty` is said where nothing was counted."""
        self._page, self._empty = page, empty
        self._shown: Any = None
        with tag("figure", classes="chart", aria_label=title):
            with tag("figcaption"):
                tag("span", title, "strong")
                self._total = tag("span", "", "quiet")
            self._plot = tag("div", classes="plot")
            self._ends = tag("div", classes="ends quiet")
            self._legend = tag("ul", classes="legend")
            with tag("details") as self._details:
                tag("summary", page.t("chart.table"))
                self._table = tag("div")

    def show(self, counts: Counts, changes: Sequence[Mapping[str, Any]] = ()) -> None:
        """`changes` are entries of the API's history."""
        if (counts, list(changes)) == self._shown:
            return  # so that whatever has the focus keeps it
        self._shown = counts, list(changes)
        total = sum(counts.totals().values())
        set_text(self._total, counted(self._page.texts, "chart.total", total))
        self._draw(counts, changes)
        self._name(counts, total)
        self._write(counts)

    def _draw(self, counts: Counts, changes: Sequence[Mapping[str, Any]]) -> None:
        most = max(map(sum, zip(*counts.series.values(), strict=True)), default=0)
        marks = list(_marks(counts, changes))
        self._plot.clear()
        with self._plot:
            if most:
                tag("span", self._page.t("chart.most", number=number(self._page.texts, most)), "most quiet")
            else:
                tag("p", self._empty, "nothing-there quiet")
            box = f"0 0 {WIDTH:.0f} {HEIGHT:.0f}"
            with tag("svg", viewBox=box, preserveAspectRatio="none", aria_hidden="true"):
                for n, bars in enumerate(_bars(counts, most or 1)):
                    tag("path", d=bars, fill=f"url(#series-{n})")
                lines = "".join(f"M{WIDTH * place:.1f} 0 V{HEIGHT:.0f} " for place, _ in marks)
                tag("path", d=lines, classes="change-line")
            with tag("div", classes="event-marks"):
                for place, entries in marks:
                    self._mark(place, entries)
        self._ends.clear()
        with self._ends:
            moment(counts.starts[0])
            moment(counts.end)

    def _mark(self, place: float, entries: Sequence[Mapping[str, Any]]) -> None:
        said = "; ".join(f"{each['by']}: {sentence}" for each in entries for sentence in told(each))
        label = f"{self._page.texts.counted('chart.changes', len(entries))}: {said}"
        mark = button(str(len(entries)), lambda: None, "event-mark", aria_label=label)
        mark.style(f"inset-inline-start: {100 * place:.2f}%")
        with tag("div", classes="tip", aria_hidden="true"):
            for each in entries[:TOLD]:
                _entry(each)
            if (more := len(entries) - TOLD) > 0:
                tag("p", self._page.texts.counted("chart.more", more), "quiet")

    def _name(self, counts: Counts, total: int) -> None:
        self._legend.clear()
        with self._legend:
            for n, (name, count) in enumerate(counts.totals().items()):
                with tag("li"):
                    with tag("svg", classes="swatch", viewBox="0 0 16 16", aria_hidden="true"):
                        tag("rect", width=16, height=16, fill=f"url(#series-{n})")
                    tag("bdi", name)
                    texts = self._page.texts
                    tag("span", f"{number(texts, count)} · {percent(texts, count / (total or 1))}", "quiet")

    def _write(self, counts: Counts) -> None:
        """Steps in which nothing was counted are left out; the newest comes first."""
        self._table.clear()
        with self._table:
            table = Table(self._page.t("chart.from"), *counts.series, counts=frozenset(counts.series))
        for n, start in reversed(list(enumerate(counts.starts))):
            row = [series[n] for series in counts.series.values()]
            if any(row):
                with table.row():
                    moment(start)
                for count in row:
                    table.cell(number(self._page.texts, count))


def told(entry: Mapping[str, Any]) -> Sequence[str]:
    """What it made different; the event's name where that says nothing."""
    return entry["sentences"] or [entry["event"]]


def _entry(entry: Mapping[str, Any]) -> None:
    with tag("div", classes="change"):
        tag("bdi", entry["by"], "strong")
        tag("span", " · ")
        moment(entry["at"])
        for sentence in told(entry):
            tag("p", sentence, dir="auto")
        if entry["reason"]:
            tag("p", f"“{entry['reason']}”", "quiet", dir="auto")


def _bars(counts: Counts, most: int) -> Iterator[str]:
    """A path for each series, each bar on those of the series before."""
    place = WIDTH / len(counts.starts)
    width = place * (1 - GAP)
    below = [0.0] * len(counts.starts)
    for series in counts.series.values():
        path = ""
        for n, count in enumerate(series):
            height = HEIGHT * count / most
            if count:
                left, top = place * (n + GAP / 2), HEIGHT - below[n] - height
                path += f"M{left:.1f} {top:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"
            below[n] += height
        yield path


def _marks(
    counts: Counts, changes: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[float, list[Mapping[str, Any]]]]:
    """Where each is, from 0 to 1, and the changes that are together there."""
    first, span = counts.starts[0], (counts.end - counts.starts[0]).total_seconds()

    def place(entry: Mapping[str, Any]) -> float:
        return (datetime.fromisoformat(entry["at"]) - first).total_seconds() / span

    there = sorted((each for each in changes if 0 <= place(each) <= 1), key=place)
    for _, group in groupby(there, key=lambda each: int(place(each) * PLACES)):
        entries = list(group)
        yield sum(map(place, entries)) / len(entries), entries
