"""`make bench-engine`: one evaluation of one equal flag, here and in every other engine that is installed.

The flag: users from Brazil get true or false by their id, half of them each; everybody else gets false.

All engines are asked in one process, in turn, for several rounds. The figure to compare is that of asking for
1,000 different users one after the other, so that nobody's cache is measured; asking for the same user over
and over stands beside it. What an engine wants to know a user by (a dictionary, a Context, a User) is made
beforehand and not timed: what is timed is a loop around the call named in the table, the one that says why
where an engine has one. There is no network, no event is recorded, and an engine only counts when its answers
are right: half of the Brazilians, nobody else, and the same again when asked again.

Ratios are within one run; figures of two runs, or two machines, say little beside each other.
"""

import json
import logging
import platform
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks import engine_native, engine_python
from tests.benchmarks.engine_adapters import BRAZILIANS, Engine, Ready, checked
from tests.benchmarks.engine_ours import OURS, compiled, grown
from tests.benchmarks.engine_timing import Figure, in_turn

ENGINES = [OURS, *engine_native.ENGINES, *engine_python.ENGINES]
ROUNDS, QUICK_ROUNDS = 25, 5
FILE_WIDTH = 120  # of a table that goes to a file or a pipe, where there is no width to ask for
FLAGS, QUICK_FLAGS = 100_000, 10_000


class Row(NamedTuple):
    engine: Engine
    every_user: Figure
    one_user: Figure


def prepared(engines: list[Engine]) -> tuple[list[tuple[Engine, Ready]], dict[str, str]]:
    """Those that can be measured, and for each other one the reason why not."""
    ready, missing = [], {}
    for engine in engines:
        try:
            ready.append((engine, checked(engine)))
        except ImportError as problem:
            missing[engine.name] = f"not installed: {problem}"
        except Exception as problem:  # whatever another engine may raise, the others are measured
            missing[engine.name] = repr(problem)
    return ready, missing


def measured(engines: list[tuple[Engine, Ready]], rounds: int) -> list[Row]:
    """From the fastest to the slowest."""
    runs = {}
    for engine, ready in engines:
        runs[f"every {engine.name}"] = partial(ready.ask_each, ready.contexts)
        runs[f"one {engine.name}"] = partial(ready.ask_each, [ready.contexts[0]] * len(BRAZILIANS))
    figures = in_turn(runs, len(BRAZILIANS), rounds)
    rows = [
        Row(engine, figures[f"every {engine.name}"], figures[f"one {engine.name}"]) for engine, _ in engines
    ]
    return sorted(rows, key=lambda row: row.every_user.median)


def machine() -> str:
    return f"Python {platform.python_version()} on {_cpu()}"


def _cpu() -> str:
    information = Path("/proc/cpuinfo")  # Linux; elsewhere what Python knows must do
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def comparison(rows: list[Row], missing: dict[str, str]) -> Table:
    table = Table(title="Microseconds for one evaluation", caption="one user: the same one over and over")
    for heading in ("engine", "version", "call"):
        table.add_column(heading)
    for heading in ("median", "min", "max", "one user", "times ours"):
        table.add_column(heading, justify="right")
    own = next(row for row in rows if row.engine is OURS).every_user.median
    for row in rows:
        ratio = f"{row.every_user.median / own:.1f}"
        numbers = [f"{number:.2f}" for number in (*row.every_user, row.one_user.median)]
        table.add_row(row.engine.name, row.engine.version, row.engine.call, *numbers, ratio)
    for name, reason in missing.items():
        table.add_row(name, "", f"not measured: {reason}")
    return table


def own_table(grown_flags: dict[str, Figure], flags: int, seconds: float, change: Figure) -> Table:
    table = Table("ToggleMaster", title="As a flag and the ruleset grow")
    for heading in ("median", "min", "max"):
        table.add_column(heading, justify="right")
    for name, figure in grown_flags.items():
        table.add_row(name, *(f"{number:.2f} µs" for number in figure))
    table.add_row(f"compile {flags:,} flags", f"{seconds:.2f} s")
    table.add_row(f"change one of {flags:,} flags", *(f"{number:.2f} ms" for number in change))
    return table


def as_json(rows: list[Row], missing: dict[str, str], own: dict[str, Any]) -> str:
    engines = [
        {
            "name": row.engine.name,
            "version": row.engine.version,
            "call": row.engine.call,
            "every_user": row.every_user._asdict(),
            "one_user": row.one_user._asdict(),
        }
        for row in rows
    ]
    return json.dumps({"machine": machine(), "engines": engines, "missing": missing, **own}, indent=2)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds, and a tenth of the flags.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Time one evaluation beside every other engine that is installed."""
    logging.disable()  # what engines have to say about keys that are none
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    rounds, flags = (QUICK_ROUNDS, QUICK_FLAGS) if quick else (ROUNDS, FLAGS)
    with console.status("timing the engines in turn"):
        ready, missing = prepared(ENGINES)
        if OURS.name in missing:
            raise SystemExit(missing[OURS.name])
        rows = measured(ready, rounds)
        grown_flags = grown(rounds)
    seconds, change = compiled(flags, console)
    console.print(machine(), comparison(rows, missing), own_table(grown_flags, flags, seconds, change))
    if json_file:
        sizes = {name: figure._asdict() for name, figure in grown_flags.items()}
        own = {"grown": sizes, "flags": flags, "compile_s": seconds, "change_ms": change._asdict()}
        json_file.write_text(as_json(rows, missing, own))


if __name__ == "__main__":
    typer.run(main)
