"""Serves evaluations beside nginx, raw uvicorn and plain FastAPI, on one core each, and compares.

The server has a core to itself, wrk another one. What is compared takes turns, A B C A B C, in one run, with
the same requests, and whose turn it is not is stopped in its tracks. Ratios within a round are the message;
requests a second are this machine's, on this day. Ours is the real process, as an operator starts it, with
keys, limits, metrics and counts; the others send what ours answered the first request with.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.embedded import Stack, embedded_stack
from deploy.told import Told
from tests.benchmarks.engines import machine
from tests.benchmarks.serving_contenders import Contenders
from tests.benchmarks.serving_figures import Results
from tests.benchmarks.serving_flags import Worlds
from tests.benchmarks.serving_groups import GROUPS, Bench, GroupName, Scale
from tests.benchmarks.serving_load import Load
from tests.benchmarks.serving_process import ROOT, Cores, Failed, cores, togglemaster
from tests.benchmarks.serving_table import tables
from tests.benchmarks.serving_tools import Tool, Unavailable, find

FILE_WIDTH = 150  # of a table that goes to a file or a pipe, where there is no width to ask for
FULL = Scale(rounds=5, seconds=4, propagation_rounds=3, propagation_seconds=6, outage_seconds=8)
QUICK = Scale(
    rounds=1,
    seconds=1,
    propagation_rounds=1,
    propagation_seconds=3,
    outage_seconds=1,
    flags=(1, 100, 2_000),
    bulk=(10, 100),
)
PACKAGES = ("uvicorn", "uvloop", "httptools", "fastapi", "pydantic", "redis")
NO_WRK, FAILED = 2, 1  # exit statuses


def main(
    quick: Annotated[bool, typer.Option("--quick", help="A minute, to see that it works.")] = False,
    only: Annotated[list[GroupName] | None, typer.Option(help="These groups, not all.")] = None,
    into: Annotated[Path, typer.Option(help="Results go there, and what was fetched.")] = Path(".bench"),
) -> None:
    """Compare how fast evaluations are served."""
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    into.mkdir(parents=True, exist_ok=True)
    try:
        wrk = find("wrk", into / "tools")
    except Unavailable as problem:
        console.print(f"This needs wrk, the load generator: install the package wrk ({problem}).")
        raise SystemExit(NO_WRK) from None
    results = Results({})
    try:
        measure(QUICK if quick else FULL, only or list(GroupName), wrk, into, console, results)
    except (Failed, Told) as problem:
        tell(results, console)
        console.print(f"The rest could not be measured: {problem}", markup=False, highlight=False)
        raise SystemExit(FAILED) from None
    tell(results, console)
    results.dump(into / "serving.json")
    console.print(f"The samples are in {into / 'serving.json'}.")


def tell(results: Results, console: Console) -> None:
    for name, value in results.about.items():
        console.print(f"{name}: {value}", markup=False, highlight=False)
    for each in (*tables(results), *results.notes):
        console.print(each)


def measure(
    scale: Scale, groups: list[GroupName], wrk: Tool, into: Path, console: Console, results: Results
) -> None:
    """The groups one after the other, into the results. Raises Failed or Told."""
    held = cores()
    os.sched_setaffinity(0, held.parts)  # whatever is started from here on stays away from the server
    results.about |= _about(held, wrk)
    nginx = _nginx(into, results)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    # No thread that draws by itself: it would take time from what is measured.
    with _parts() as (stack, directory), Progress(*columns, console=console, auto_refresh=False) as progress:
        environment = _environment(stack)
        togglemaster("setup", environment=environment)
        logs = directory / "logs"
        worlds, contenders = Worlds(stack, environment, directory), Contenders(held, logs)
        bench = Bench(scale, worlds, contenders, Load(wrk, held), nginx, results, progress)
        for group in groups:
            GROUPS[group](bench)
        bench.note_others()


def _nginx(into: Path, results: Results) -> Tool | None:
    try:
        nginx = find("nginx", into / "tools")
    except Unavailable as problem:
        results.notes.append(f"nginx is not compared with, since it is not here: install it ({problem})")
        return None
    results.about["nginx"] = nginx.version()
    return nginx


@contextmanager
def _parts() -> Iterator[tuple[Stack, Path]]:
    """The real parts, in a directory that PostgreSQL's own user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="togglemaster-bench-", dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        with embedded_stack(directory, durable=False) as stack:
            yield stack, directory
    finally:
        shutil.rmtree(directory)


def _environment(stack: Stack) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "TOGGLEMASTER_POSTGRES_URL": stack.postgres.url,
        "TOGGLEMASTER_REDIS_URL": stack.valkey.url,
        "TOGGLEMASTER_AWS_ENDPOINT_URL": stack.aws.url,
        "TOGGLEMASTER_LOG_LEVEL": "warning",
    }


def _about(held: Cores, wrk: Tool) -> dict[str, str]:
    parts = "the core of the load" if held.load in held.parts else "others"
    return {
        "machine": f"{machine()}, Linux {platform.release()}, {os.cpu_count()} cores",
        "cores": f"server on {held.server}, load on {held.load}, databases and projector on {parts}",
        "date": f"{datetime.now(UTC):%d %B %Y %H:%M} UTC",
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),
        "ToggleMaster": _version(),
        "wrk": wrk.version(),
    }


def _version() -> str:
    """The commit, with a word when the tree is not as it was committed."""
    git = ["git", "describe", "--always", "--dirty=, changed"]
    said = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    return said.stdout.strip() or metadata.version("togglemaster")


if __name__ == "__main__":
    typer.run(main)
