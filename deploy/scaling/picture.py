"""A simulation as one picture: evaluation on the left, the consumer on the right.

Below each other: what came in and what there was room for, replicas, what waited, and for how long.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deploy.scaling.profiles import HOUR, MINUTE
from deploy.scaling.simulation import Second, State
from deploy.told import Told

if TYPE_CHECKING:  # of an extra that only the picture needs
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES, DOTS_AN_INCH = (13.0, 8.6), 120
HEIGHTS = (3, 2, 2, 2)
PANELS = (0.0, 0.045, 1.0, 0.855)  # left, bottom, width, height: above is the verdict, below the small print
TICKS = (1, 2, 3, 5, 10, 15, 30, 60)  # minutes or hours from one mark to the next
MARKS = 10  # at most
STRETCHES = 1_500  # across a column; more would not be seen
INK, GREY, GREEN, ORANGE, RED = "#1f2937", "#6b7280", "#0b6e4f", "#b4531a", "#b91c1c"


class Column(NamedTuple):
    """`scale` is how many make one of `unit` on the axis; `limit` is the longest wait allowed, in seconds."""

    title: str
    unit: str
    scale: float
    colour: str
    pale: str
    limit: int


class Words(NamedTuple):
    title: str
    verdict: str
    small_print: str
    holds: bool


def columns(evaluation_limit: int, consumer_limit: int) -> tuple[Column, Column]:
    return (
        Column("Evaluation (HPA, CPU)", "thousand evaluations", 1_000, GREEN, "#d5ebe2", evaluation_limit),
        Column("Consumer (KEDA, SQS)", "messages", 1, ORANGE, "#f6e3d5", consumer_limit),
    )


def draw(seconds: Sequence[Second], words: Words, both: tuple[Column, Column], file: Path) -> None:
    """Raises Told where matplotlib is missing or the file cannot be written."""
    figure = _figure()
    shown, (size, unit) = thinned(seconds), _time(len(seconds))
    axes = figure.subplots(len(HEIGHTS), 2, sharex=True, height_ratios=HEIGHTS)
    for index, column in enumerate(both):
        states = [(each.evaluation, each.consumer)[index] for each in shown]
        _column(list(axes[:, index]), column, [each.second / size for each in shown], states)
        axes[-1, index].set_xlabel(unit, color=GREY, fontsize=8.5)
        axes[-1, index].set_xticks(range(0, int(len(seconds) / size) + 1, _tick(len(seconds) / size)))
        axes[-1, index].set_xlim(0, len(seconds) / size)
    _write(figure, words)
    try:
        figure.savefig(file, dpi=DOTS_AN_INCH, format="png")
    except OSError as problem:
        raise Told(f"the picture cannot be written to {file}: {problem.strerror}") from problem


def thinned(seconds: Sequence[Second]) -> list[Second]:
    """Of each stretch the second in which work had waited longest, so that no peak is left out."""
    step = -(-len(seconds) // STRETCHES)
    stretches = (seconds[first : first + step] for first in range(0, len(seconds), step))
    return [max(each, key=lambda one: (one.evaluation.lag, one.consumer.lag)) for each in stretches]


def _figure() -> "Figure":
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - of an extra
        from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415 - likewise
    except ImportError as problem:
        raise Told("the picture needs matplotlib: pip install 'togglemaster[pictures]'") from problem
    return Figure(figsize=INCHES, layout=ConstrainedLayoutEngine(rect=PANELS), facecolor="white")


def _write(figure: "Figure", words: Words) -> None:
    colour = GREEN if words.holds else RED
    figure.text(0.008, 0.985, words.title, fontsize=15, color=INK, fontweight="bold", va="top")
    figure.text(0.008, 0.95, words.verdict, fontsize=10, color=colour, va="top", linespacing=1.4)
    figure.text(0.008, 0.008, words.small_print, fontsize=7.5, color=GREY, va="bottom", linespacing=1.4)


def _time(seconds: int) -> tuple[int, str]:
    return (MINUTE, "minutes") if seconds <= 2 * HOUR else (HOUR, "hours")


def _tick(length: float) -> int:
    return next((each for each in TICKS if length / each <= MARKS), int(length / MARKS))


def _column(axes: list["Axes"], column: Column, times: list[float], states: list[State]) -> None:
    load, replicas, waiting, lag = axes
    room = [state.capacity / column.scale for state in states]
    arriving = [state.arrived / column.scale for state in states]
    load.fill_between(times, room, step="post", color=column.pale, label="what the ready replicas can do")
    load.plot(times, arriving, color=column.colour, label="arriving")
    load.set_title(column.title, loc="left", fontsize=11, color=column.colour, fontweight="bold")
    load.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8, frameon=False)
    replicas.step(times, [state.replicas for state in states], where="post", color=column.colour)
    replicas.fill_between(times, [state.ready for state in states], step="post", color=column.pale)
    replicas.locator_params(axis="y", integer=True)
    waiting.fill_between(times, [state.backlog / column.scale for state in states], color=column.colour)
    lag.plot(times, [state.lag for state in states], color=column.colour)
    lag.axhline(column.limit, color=RED, linewidth=0.9, linestyle=(0, (4, 3)))
    rate, wait = f"{column.unit}\na second", f"waiting,\n{column.unit}"
    for axis, label in zip(axes, (rate, "replicas\n(filled: ready)", wait, "longest wait, s"), strict=True):
        _tidy(axis, label)


def _tidy(axis: "Axes", label: str) -> None:
    axis.set_ylabel(label, fontsize=8.5, color=GREY)
    axis.set_ylim(0, max(1.0, axis.get_ylim()[1]) * 1.1)
    axis.margins(x=0)
    axis.grid(axis="y", color="#e5e7eb", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color("#d1d5db")
    axis.tick_params(colors=GREY, labelsize=8)
