"""What the command line does with snapshots of the fold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commands.event_store import EventStore, StoreUnavailable
from deploy.processes.common import PATIENCE_SECONDS
from deploy.settings import Settings
from deploy.told import Told
from projections.fold_snapshots import FoldSnapshots
from projections.postgres_views import ViewUnavailable
from projections.snapshotting import Fault, rebuild, verify

SHOWN = 50  # where more differ they are made anew, not read


class Parts(NamedTuple):
    store: EventStore
    snapshots: FoldSnapshots
    progress: Callable[[int, int], None]


def rebuild_snapshots(settings: Settings, out: Console, err: Console) -> bool:
    """Prints what could not be made; True when all were."""
    with _parts(settings, "rebuilding", err) as parts:
        made, faults = rebuild(*parts)
    _show(faults, out)
    out.print(f"{made} snapshots are made anew from the log", highlight=False)
    return not faults


def verify_snapshots(settings: Settings, out: Console, err: Console) -> bool:
    """Prints what differs; True when nothing does."""
    with _parts(settings, "verifying", err) as parts:
        found = verify(*parts)
    _show(found.faults, out)
    if found.faults:
        err.print(
            f"{len(found.faults)} snapshots are not what the log says; `togglemaster projections snapshots"
            " rebuild` mends it",
            soft_wrap=True,
        )
    missing = f"; {found.missing} are yet to be made" if found.missing else ""
    out.print(f"{found.right} snapshots are what the log says{missing}", highlight=False)
    return not found.faults


def snapshots_standing(settings: Settings) -> str:
    """For whoever asks how things are; raises nothing, as what is there does without snapshots."""
    try:
        with closing(FoldSnapshots(settings.postgres_url, PATIENCE_SECONDS)) as snapshots:
            found = snapshots.standing()
    except ViewUnavailable as problem:
        return str(problem)
    if not found.snapshots:
        return "none"
    size = f"{found.bytes / 2**20:.1f} MiB"
    return f"{found.snapshots} of {found.projects} projects, the last at {found.position}, {size}"


def _show(faults: Sequence[Fault], out: Console) -> None:
    for each in faults[:SHOWN]:
        where = f"{each.project} at {each.position}" if each.position else each.project
        out.print(f"{where}: {each.what}", soft_wrap=True, highlight=False, markup=False)


@contextmanager
def _parts(settings: Settings, stage: str, err: Console) -> Iterator[Parts]:
    columns = TextColumn(stage), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    try:
        with (
            closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store,
            closing(FoldSnapshots(settings.postgres_url, PATIENCE_SECONDS)) as snapshots,
            Progress(*columns, console=err) as bar,
        ):
            task = bar.add_task("")
            yield Parts(store, snapshots, lambda done, total: bar.update(task, completed=done, total=total))
    except (StoreUnavailable, ViewUnavailable) as problem:
        raise Told(f"TOGGLEMASTER_POSTGRES_URL: {problem}") from problem
