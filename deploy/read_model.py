"""What the command line does with the ruleset in Redis."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.event_store import EventStore, StoreUnavailable
from deploy.processes.common import PATIENCE_SECONDS
from deploy.processes.projector import rulesets
from deploy.settings import Settings
from deploy.told import Told
from projections.rebuild import AnotherRebuild, Drift, rebuild, status_of, verify
from projections.ruleset_store import RulesetStore

DRIFT_SHOWN = 50  # a model that differs in more places than this is rebuilt, not read


def rebuild_ruleset(settings: Settings, out: Console, err: Console) -> None:
    columns = TextColumn("rebuilding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with _parts(settings) as (store, model), Progress(*columns, console=err) as bar:
        task = bar.add_task("")
        generation = rebuild(store, model, lambda done, total: bar.update(task, completed=done, total=total))
    out.print(f"generation {generation} is live")


def verify_ruleset(settings: Settings, out: Console, err: Console) -> bool:
    """Prints what differs; True when nothing does."""
    with _parts(settings) as (store, model):
        status, drifts = verify(store, model)
    if status.generation is None:
        err.print("Redis has no ruleset: start the projector, or run `togglemaster projections rebuild`")
        return False
    if not drifts:
        out.print(f"generation {status.generation} at position {status.position} is what the log says")
        return True
    for drift in drifts[:DRIFT_SHOWN]:
        out.print(_sentence(drift), soft_wrap=True, highlight=False, markup=False)
    err.print(
        f"{len(drifts)} documents are not what the log says; `togglemaster projections rebuild` mends it"
    )
    return False


def show_status(settings: Settings, out: Console) -> None:
    with _parts(settings) as (store, model):
        status = status_of(store, model)
    table = Table("generation", "position", "head of the log", "lag")
    table.add_row(status.generation or "none", str(status.position), str(status.head), str(status.lag))
    out.print(table)


def _sentence(drift: Drift) -> str:
    return f"{drift.place.field.replace('/', ' ', 1)} in {drift.place.scope} {drift.difference}"


@contextmanager
def _parts(settings: Settings) -> Iterator[tuple[EventStore, RulesetStore]]:
    store = EventStore(settings.postgres_url, PATIENCE_SECONDS)
    try:
        yield store, rulesets(settings)
    except (StoreUnavailable, AnotherRebuild) as problem:
        raise Told(str(problem)) from problem
    except RedisError as problem:
        raise Told(f"Redis at TOGGLEMASTER_REDIS_URL: {problem}") from problem
    finally:
        store.close()
