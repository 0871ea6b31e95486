"""What `togglemaster import original` does."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby

from rich.console import Console
from rich.progress import Progress

from commands.event_store import EventStore, StoreUnavailable
from commands.handlers import Commands
from commands.models import Command
from commands.original.importing import Here, Import, Tables, planned
from commands.original.views import PROJECT, view_of
from commands.unit_of_work import utc_now
from deploy.processes.common import PATIENCE_SECONDS
from deploy.settings import Settings
from deploy.told import Told
from domain.envelope import Stamp
from domain.errors import Refused


def import_original(
    settings: Settings, tables: Tables, *, dry_run: bool, partial: bool, out: Console, err: Console
) -> None:
    """All of it at once, or nothing. Raises Told."""
    try:
        with closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store:
            plan = planned(tables, _here(store))
            _tell(plan, out, dry_run=dry_run)
            if dry_run:
                return
            if plan.refused and not partial:
                raise Told(
                    f"nothing was imported; --partial imports the rest without these {len(plan.refused)}"
                )
            _carry_out(store, plan, err)
    except StoreUnavailable as problem:
        raise Told(f"TOGGLEMASTER_POSTGRES_URL: {problem}") from problem
    _print(out, f"imported {_summary(plan)}" if plan.commands else f"nothing to import: {_summary(plan)}")


def _here(store: EventStore) -> Here:
    log = store.load_kind("flag", PROJECT)
    views = {stream.key: view_of(list(each)) for stream, each in groupby(log, key=lambda one: one.stream)}
    return Here(views, frozenset(each.stream.key for each in store.load_kind("key", PROJECT)))


def _carry_out(store: EventStore, plan: Import, err: Console) -> None:
    stamp = Stamp("import", utc_now(), "imported from the original system")
    with Progress(console=err, transient=True) as bar:
        try:
            Commands(store).execute_all(_Shown(plan.commands, bar), stamp)
        except Refused as problem:
            raise Told(f"nothing was imported: {problem}") from problem


class _Shown(list[Command]):
    """Commands whose going through shows on a bar."""

    def __init__(self, commands: Sequence[Command], bar: Progress) -> None:
        super().__init__(commands)
        self._bar = bar

    def __iter__(self) -> Iterator[Command]:
        yield from self._bar.track(super().__iter__(), total=len(self), description="importing")


def _tell(plan: Import, out: Console, *, dry_run: bool) -> None:
    for note in plan.notes:
        _print(out, f"note: {note}")
    for each in plan.refused:
        _print(out, f"refused: {each.what}: {each.why}")
    if dry_run:
        for made in plan.made:
            _print(out, f"would make {made}")
        _print(out, f"would import {_summary(plan)}")


def _summary(plan: Import) -> str:
    return (
        f"{plan.flags} flags, {plan.rules} rules and {plan.keys} keys;"
        f" {plan.there} are here already, {plan.inactive} inactive keys are left out"
    )


def _print(out: Console, text: str) -> None:
    out.print(text, soft_wrap=True, highlight=False, markup=False)
