"""What the command line does with the ruleset in Redis."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import RedisError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from commands.event_store import EventStore, StoreUnavailable
from deploy.processes.common import PATIENCE_SECONDS
from deploy.processes.projector import refuse_eviction, rulesets
from deploy.settings import Settings
from deploy.snapshots_work import snapshots_standing
from deploy.told import Told
from projections.frozen import Frozen
from projections.rebuild import Drift, NotRebuilt, Poisoned, go_back, rebuild, status_of, verify
from projections.ruleset_store import RulesetStore

SHOWN = 50  # a model that differs in more places than this is rebuilt, not read
THAWING = (
    "What is frozen is served as it was before that event. It is projected again once a version that can read"
    " the event runs as projector. If the event should never have been written, no version will: make a new"
    " flag, segment or key in place of this one."
)


def rebuild_ruleset(settings: Settings, out: Console, err: Console) -> None:
    with _parts(settings) as (store, model), _bar(err) as progress:
        refuse_eviction(model)
        generation = rebuild(store, model, progress)
        kept = model.previous()
    out.print(f"generation {generation} is live" + (f", {kept} is kept to go back to" if kept else ""))


def roll_back(settings: Settings, out: Console) -> None:
    with _parts(settings) as (_, model):
        generation = go_back(model)
        kept = model.previous()
    out.print(f"generation {generation} is live again, {kept} is kept")


def verify_ruleset(settings: Settings, out: Console, err: Console) -> bool:
    """Prints what differs; True when nothing does."""
    with _parts(settings) as (store, model), _bar(err) as progress:
        status, drifts = verify(store, model, lambda done, total: progress("verifying", done, total))
    if status.generation is None:
        err.print("Redis has no ruleset: start the projector, or run `togglemaster projections rebuild`")
        return False
    for drift in drifts[:SHOWN]:
        _plain(out, _sentence(drift))
    _show_frozen(status.frozen, err)
    if drifts:
        err.print(
            f"{len(drifts)} documents are not what the log says; `togglemaster projections rebuild` mends it"
        )
    elif not status.frozen:
        out.print(f"generation {status.generation} at position {status.position} is what the log says")
    return not drifts and not status.frozen


def show_status(settings: Settings, out: Console) -> None:
    with _parts(settings) as (store, model):
        status = status_of(store, model)
    table = Table("generation", "position", "head of the log", "lag", "frozen", "kept to go back to")
    table.add_row(
        status.generation or "none",
        *(str(number) for number in (status.position, status.head, status.lag, len(status.frozen))),
        status.previous or "none",
    )
    out.print(table)
    holders = status.holders
    _plain(out, f"projector: {holders.projector or 'none'} (epoch {holders.epoch})")
    if holders.rebuild:
        _plain(out, f"a rebuild is at work, or was ended: {holders.rebuild}")
    _plain(out, f"snapshots: {snapshots_standing(settings)}")
    _show_frozen(status.frozen, out)


def _show_frozen(frozen: dict[str, Frozen], to: Console) -> None:
    for stream, problem in list(frozen.items())[:SHOWN]:
        _plain(to, f"frozen: {stream} at {problem}")
    if frozen:
        _plain(to, THAWING)


def _sentence(drift: Drift) -> str:
    return f"{drift.place.field.replace('/', ' ', 1)} in {drift.place.scope} {drift.difference}"


def _plain(to: Console, text: str) -> None:
    to.print(text, soft_wrap=True, highlight=False, markup=False)


class _Rate(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f} events/s")


@contextmanager
def _bar(err: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Called with a stage, the events done and all of them; a bar for each stage."""
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(_Rate(), TimeRemainingColumn()),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=err) as bar:

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage)
            bar.update(tasks[stage], completed=done, total=total)

        yield progress


@contextmanager
def _parts(settings: Settings) -> Iterator[tuple[EventStore, RulesetStore]]:
    store = EventStore(settings.postgres_url, PATIENCE_SECONDS)
    try:
        yield store, rulesets(settings)
    except Poisoned as problem:
        listed = "".join(f"\n  {stream} at {frozen}" for stream, frozen in problem.frozen.items())
        raise Told(
            f"the ruleset was not swapped, the live one is as it was: {len(problem.frozen)} streams have an"
            f" event that this version cannot project:{listed}\nRebuild with a version that can."
        ) from problem
    except (StoreUnavailable, NotRebuilt) as problem:
        raise Told(str(problem)) from problem
    except RedisError as problem:
        raise Told(f"Redis at TOGGLEMASTER_REDIS_URL: {problem}") from problem
    finally:
        store.close()
