"""What the command line does with the log's hash chain."""

from contextlib import closing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commands.audit import Report, verify
from commands.event_store import EventStore, StoreUnavailable
from deploy.processes.common import PATIENCE_SECONDS
from deploy.settings import Settings
from deploy.told import Told


def verify_log(settings: Settings, expected: str | None, out: Console, err: Console) -> bool:
    """Prints what is wrong with the log; True when nothing is. `expected` is POSITION:HASH as told before."""
    report, found = _checked(settings, _parsed(expected), err)
    for fault in report.faults:
        out.print(f"position {fault.position} {fault.stream}: {fault.what}", soft_wrap=True, markup=False)
    if report.faults:
        err.print(f"the log is not what was written: {len(report.faults)} places differ from the chain")
    elif expected and found != expected:
        err.print(f"the log was rewritten, chain and all: it has {found}, and {expected} was expected")
    else:
        out.print(f"{report.events} events are what was written; {report.head}:{report.hash}", soft_wrap=True)
        return True
    return False


def _checked(settings: Settings, until: int | None, err: Console) -> tuple[Report, str]:
    columns = TextColumn("checking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    try:
        with (
            closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store,
            Progress(*columns, console=err) as bar,
        ):
            task = bar.add_task("")
            report = verify(store, lambda done, total: bar.update(task, completed=done, total=total))
            links = store.links(after=until - 1, limit=1) if until else []
    except StoreUnavailable as problem:
        raise Told(str(problem)) from problem
    found = next((each for each in links if each.position == until), None)
    return report, f"{until}:{found.hash.hex()}" if found and found.hash else "nothing there"


def _parsed(expected: str | None) -> int | None:
    if expected is None:
        return None
    position, colon, chained = expected.partition(":")
    if not (position.isdecimal() and colon and len(chained) == 64):
        raise Told(f"--expect is POSITION:HASH as an earlier run told it, not '{expected}'")
    return int(position)
