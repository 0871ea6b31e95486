"""Keep evaluators busy, so that the HPA has something to see: `python -m deploy.load.evaluation_cpu --help`.

More and more connections ask one question after the other, then all of them for a while. One process of this
does not fill an evaluator; several at once do.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from deploy.load.asking import GOOD, Target, ask, evaluations, target_of
from deploy.load.loaded import P99, Flag, Key, ReadyFile, Url, platform_of
from deploy.load.verdict import MS, Answered, Check, conclude, p99, percentile, run, statuses
from deploy.samples import FLAG

TELL_SECONDS = 1.0


class Load(NamedTuple):
    """Seconds. The first connection asks at once, and all of them when the ramp ends."""

    connections: int
    ramp: float
    hold: float

    @property
    def seconds(self) -> float:
        return self.ramp + self.hold

    def begins(self, number: int) -> float:
        return self.ramp * number / self.connections


def main(
    ready_file: ReadyFile = None,
    url: Url = "",
    key: Key = "",
    flag: Flag = FLAG,
    connections: Annotated[int, typer.Option(min=1, help="That ask at once in the end.")] = 64,
    ramp: Annotated[float, typer.Option(min=0, help="Seconds until all of them ask.")] = 30,
    hold: Annotated[float, typer.Option(min=1, help="Seconds for which all of them ask.")] = 300,
    p99_ms: P99 = 100,
) -> None:
    """Drive the CPU of evaluation for the HPA.

    Exits 1 when an answer is not 200, or when more than one in a hundred took longer than --p99-ms while all
    connections asked.
    """
    out = Console()
    platform = platform_of(ready_file, url, key)
    target = target_of(platform.evaluation_url)
    load = Load(connections, ramp, hold)
    answered, held = uvloop.run(_drive(target, evaluations(target, flag, platform.key), load, out))
    rate = Check("evaluations a second, held", "above 0", f"{len(held) / hold:,.0f}", bool(held))
    title = f"{answered.total:,} evaluations of {flag} on {connections} connections"
    conclude(title, [statuses(answered), p99("p99, held", held, p99_ms), rate], out)


async def _drive(
    target: Target, requests: list[bytes], load: Load, out: Console
) -> tuple[Answered, list[float]]:
    """All that was answered, and the seconds of those while all connections asked."""
    answered, began = Answered(GOOD), time.monotonic()
    asking = [
        asyncio.create_task(_ask_later(load.begins(number), target, requests, began + load.seconds, answered))
        for number in range(load.connections)
    ]
    with _telling(answered, load, began, out):
        await asyncio.sleep(load.ramp)
        ramped = len(answered.seconds)
        await asyncio.sleep(load.hold)
        held = answered.seconds[ramped:]
    await asyncio.gather(*asking)
    return answered, held


async def _ask_later(
    wait: float, target: Target, requests: list[bytes], until: float, answered: Answered
) -> None:
    await asyncio.sleep(wait)
    await ask(target, requests, lambda: time.monotonic() < until, answered)


@contextmanager
def _telling(answered: Answered, load: Load, began: float, out: Console) -> Iterator[None]:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}")
    with Progress(*columns, console=out) as bar:
        telling = asyncio.create_task(_tell(bar, answered, load, began))
        try:
            yield
        finally:
            telling.cancel()


async def _tell(bar: Progress, answered: Answered, load: Load, began: float) -> None:
    task, told = bar.add_task("asking", total=load.seconds, said=""), 0
    while True:
        await asyncio.sleep(TELL_SECONDS)
        now, lately = time.monotonic() - began, answered.seconds[told:]
        told += len(lately)
        connections = sum(load.begins(number) <= now for number in range(load.connections))
        said = f"{connections} connections, {len(lately) / TELL_SECONDS:,.0f}/s"
        slowest = f"p99 {percentile(lately, 99) * MS:.1f} ms, {answered.total - answered.good:,} not 200"
        bar.update(task, completed=now, said=f"{said}, {slowest}")


if __name__ == "__main__":
    run(main)
