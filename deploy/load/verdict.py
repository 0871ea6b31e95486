"""What was measured, what was promised, and whether it holds."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from deploy.told import Told

MS = 1_000


@dataclass
class Answered:
    """`seconds` of each good request; `statuses` of all, and what connections broke with."""

    good_status: str
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def took(self, status: str, seconds: float, times: int = 1) -> None:
        self.statuses[status] += times
        if status == self.good_status:
            self.seconds.append(seconds)

    @property
    def good(self) -> int:
        return self.statuses[self.good_status]

    @property
    def total(self) -> int:
        return self.statuses.total()


def percentile(seconds: Sequence[float], percent: float) -> float:
    """0 of nothing."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Check(NamedTuple):
    what: str
    wanted: str
    found: str
    holds: bool


def statuses(answered: Answered) -> Check:
    others = ", ".join(f"{name}: {count:,}" for name, count in answered.statuses.most_common(5))
    all_good = 0 < answered.good == answered.total
    found = f"{answered.good:,}, all" if all_good else others or "no answer"
    return Check("answers", answered.good_status, found, all_good)


def p99(what: str, seconds: Sequence[float], at_most_ms: float) -> Check:
    found = percentile(seconds, 99) * MS
    return Check(what, f"at most {at_most_ms:g} ms", f"{found:.1f} ms", bool(seconds) and found <= at_most_ms)


def conclude(title: str, checks: Sequence[Check], out: Console) -> None:
    """Prints them; raises typer.Exit with 1 unless all hold."""
    table = Table("", "promised", "measured", "", title=title)
    for check in checks:
        table.add_row(check.what, check.wanted, check.found, "holds" if check.holds else "[red]fails[/red]")
    out.print(table)
    failed = [check.what for check in checks if not check.holds]
    out.print(f"FAILED: {', '.join(failed)}" if failed else "PASSED", highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def run(command: Callable[..., None]) -> None:
    """A script's command; a fault that a person can do something about is told in a sentence."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app()
    except Told as problem:
        Console(stderr=True).print(str(problem), soft_wrap=True, highlight=False, markup=False)
        sys.exit(1)
