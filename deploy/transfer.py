"""What the command line does with files of flags: import them and export them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from commands.event_store import EventStore, StoreUnavailable
from commands.handlers import Commands
from commands.importers.imported import Imported, Refusal, Unsayable
from commands.importers.togglemaster import dump
from commands.importers.vendors import vendor
from commands.importing import commands_of, feasible
from commands.models import Command, CreateFlag, PutSegment
from commands.unit_of_work import UnitOfWork, utc_now
from deploy.processes.common import PATIENCE_SECONDS
from deploy.settings import Settings
from deploy.told import Told
from domain.envelope import Stamp
from domain.errors import Refused
from domain.project import existing, require_environment


def read_file(name: str, file: Path) -> Imported:
    """Raises Told for a file that is not there, is not JSON, or is not of that vendor's shape."""
    try:
        return vendor(name).read(json.loads(file.read_text(encoding="utf-8")))
    except OSError as problem:
        raise Told(f"{file}: {problem.strerror}") from problem
    except ValueError as problem:
        raise Told(f"{file} is not JSON: {problem}") from problem
    except Unsayable as problem:
        raise Told(f"{file}: {problem}") from problem


def import_file(
    settings: Settings,
    name: str,
    file: Path,
    *,
    project: str,
    environment: str,
    dry_run: bool,
    partial: bool,
    out: Console,
) -> None:
    """Everything in the file at once, or nothing of it."""
    imported = read_file(name, file)
    made, not_commands = commands_of(imported, project, environment)
    with _store(settings) as store:
        commands = Commands(store)
        possible, impossible = feasible(commands, made)
        refused = [*not_commands, *impossible]
        tell_refusals(imported, out, refused)
        if dry_run:
            _tell_plan(possible, out)
            return
        if (count := len(imported.refused) + len(refused)) and not partial:
            raise Told(f"nothing was imported; --partial imports the rest without these {count}")
        _carry_out(commands, possible, Stamp("import", utc_now(), f"imported from {name} file {file.name}"))
    _print(out, f"imported {_summary(possible)} into {project}/{environment}")


def _carry_out(commands: Commands, possible: list[Command], stamp: Stamp) -> None:
    try:
        commands.execute_all(possible, stamp)
    except Refused as problem:
        raise Told(f"nothing was imported: {problem}") from problem


def export_file(settings: Settings, *, project: str, environment: str) -> dict[str, Any]:
    """One environment of a project as our own file."""
    with _store(settings) as store:
        work = UnitOfWork(store)
        try:
            require_environment(existing(work.project(project), project), environment)
        except Refused as problem:
            raise Told(str(problem)) from problem
        return dump(work.flags(project), work.segments(project), environment)


def tell_refusals(imported: Imported, out: Console, more: Sequence[Refusal] = ()) -> None:
    for note in imported.notes:
        _print(out, f"note: {note}")
    for each in (*imported.refused, *more):
        _print(out, f"refused: {each.what}: {each.why}")


def _tell_plan(commands: list[Command], out: Console) -> None:
    for command in commands:
        if isinstance(command, PutSegment):
            _print(out, f"would make segment {command.segment}")
        elif isinstance(command, CreateFlag):
            flag = command.definition
            _print(out, f"would make {flag.type} flag {flag.key} with {', '.join(flag.variants)}")
    _print(out, f"would import {_summary(commands)}")


def _summary(commands: list[Command]) -> str:
    flags = sum(isinstance(each, CreateFlag) for each in commands)
    segments = sum(isinstance(each, PutSegment) for each in commands)
    return f"{flags} flags and {segments} segments"


def _print(out: Console, text: str) -> None:
    out.print(text, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def _store(settings: Settings) -> Iterator[EventStore]:
    store = EventStore(settings.postgres_url, PATIENCE_SECONDS)
    try:
        yield store
    except StoreUnavailable as problem:
        raise Told(f"TOGGLEMASTER_POSTGRES_URL: {problem}") from problem
    finally:
        store.close()
