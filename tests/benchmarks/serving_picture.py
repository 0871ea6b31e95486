"""The figures as a picture: `python -m tests.benchmarks.serving_picture serving.json serving.png`.

Bars are medians of the rounds, and the thin lines on them reach from the least to the most.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from tests.benchmarks.serving_figures import Results, Spread, figure, load, percentiles, ratio, spread
from tests.benchmarks.serving_table import NGINX, QUIET, UVICORN

INCHES_WIDE, INCHES_A_BAR, INCHES_A_PANEL, INCHES_OF_TEXT = 11.0, 0.3, 1.0, 1.6
DOTS_AN_INCH = 150
CHARACTERS_WIDE = 150
OURS, OTHERS = ("#0b6e4f", "#7fc8a9"), ("#6b7280", "#c4c9d1")  # the first series of a panel, and the second


class Series(NamedTuple):
    name: str
    values: list[Spread]


class Panel(NamedTuple):
    """`rows` from top to bottom; a series has a value for each of them. `say` writes it beside its bar."""

    title: str
    axis: str
    rows: list[str]
    series: list[Series]
    say: Callable[[float], str]
    logarithmic: bool = False


def panels(results: Results) -> list[Panel]:
    found = []
    if group := results.single:
        base = NGINX if NGINX in group else UVICORN
        ratios = [ratio(samples, group[base]) for samples in group.values()]
        title = f"One evaluation a request, on one core: requests a second beside {base}"
        axis = f"requests a second, {base} = 1"
        found.append(Panel(title, axis, list(group), [Series("", ratios)], "{:.2f}".format))
        latency = [
            Series(name, [figure(samples, field) for samples in group.values()])
            for name, field in {"p50": "p50_ms", "p99": "p99_ms"}.items()
        ]
        title = "How long an answer takes at full load, 64 connections"
        found.append(Panel(title, "milliseconds", list(group), latency, "{:,.1f}".format, logarithmic=True))
    if results.bulk:
        found.append(_bulk(results))
    if results.storm or results.slow or results.outage:
        found.append(_bad_days(results))
    if results.propagation:
        found.append(_propagation(results))
    return found


def _bulk(results: Results) -> Panel:
    rates = [
        spread(sample.per_second * results.bulk_flags[case] / 1e6 for sample in samples)
        for case, samples in results.bulk.items()
    ]
    title = "All flags of a project in one request, on one core"
    axis = "million flag evaluations a second"
    return Panel(title, axis, list(results.bulk), [Series("", rates)], "{:.2f}".format)


def _bad_days(results: Results) -> Panel:
    rows, rates, latencies = [], [], []
    for group in (results.storm, results.slow, results.outage):
        for case in (case for case in group if case != QUIET):
            rows.append(case)
            rates.append(ratio(group[case], group[QUIET]))
            latencies.append(ratio(group[case], group[QUIET], "p99_ms"))
    series = [Series("requests a second", rates), Series("p99", latencies)]
    return Panel("Meanwhile, beside a quiet server", "quiet = 1", rows, series, "{:.2f}".format)


def _propagation(results: Results) -> Panel:
    rows = list(results.propagation)
    series = [
        Series(name, [percentiles(rounds, percent) for rounds in results.propagation.values()])
        for name, percent in {"p50": 50, "p99": 99}.items()
    ]
    title = "From commit to served answer, 50 commands and about 5,000 evaluations a second"
    return Panel(title, "milliseconds", rows, series, "{:.0f}".format)


def draw(results: Results, file: Path) -> None:
    pyplot: Any = import_module("matplotlib.pyplot")
    found = panels(results)
    heights = [INCHES_A_PANEL + INCHES_A_BAR * len(panel.rows) * len(panel.series) for panel in found]
    whole = sum(heights) + INCHES_OF_TEXT
    canvas, axes = pyplot.subplots(
        len(found),
        figsize=(INCHES_WIDE, whole),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for panel, axis in zip(found, axes[:, 0], strict=True):
        _draw(panel, axis)
    canvas.suptitle(_title(results), fontsize=13)
    canvas.supxlabel(_small_print(results), fontsize=7, x=0.01, ha="left")
    canvas.savefig(file, dpi=DOTS_AN_INCH)


def _draw(panel: Panel, axis: Any) -> None:
    thick = 0.8 / len(panel.series)
    for index, series in enumerate(panel.series):
        places = [row + (index - (len(panel.series) - 1) / 2) * thick for row in range(len(panel.rows))]
        colours = [_colour(row, index) for row in panel.rows]
        middles = [value.median for value in series.values]
        axis.barh(places, middles, thick, color=colours, xerr=_reach(series.values), ecolor="#111827")
        for place, value in zip(places, series.values, strict=True):
            text = f"  {series.name} {panel.say(value.median)}".replace("   ", "  ")
            axis.text(value.max, place, text, va="center", fontsize=8)
    axis.set_yticks(range(len(panel.rows)), panel.rows, fontsize=9)
    axis.invert_yaxis()
    axis.set_xlabel(panel.axis, fontsize=8)
    axis.set_title(panel.title, fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    if panel.logarithmic:
        axis.set_xscale("log")
    axis.margins(x=0.15)


def _colour(row: str, index: int) -> str:
    """Others are grey."""
    return (OTHERS if row.startswith(("nginx", "uvicorn", "FastAPI")) else OURS)[index]


def _reach(values: Sequence[Spread]) -> list[list[float]]:
    return [
        [value.median - value.min for value in values],
        [value.max - value.median for value in values],
    ]


def _title(results: Results) -> str:
    return f"ToggleMaster: serving evaluations\n{results.about['machine']}, {results.about['date']}"


def _small_print(results: Results) -> str:
    said = [f"{name}: {value}" for name, value in results.about.items()]
    lines = ["Bars are medians of the rounds, thin lines their least and most.", *said, *results.notes]
    return "\n".join(fill(line, CHARACTERS_WIDE) for line in lines)


def main() -> None:
    source, file = map(Path, sys.argv[1:])
    draw(load(source), file)
    sys.stdout.write(f"The picture is {file}.\n")


if __name__ == "__main__":
    main()
