"""What the files in deploy/ may refer to: commands of our command line, and settings."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from deploy.cli import app
from deploy.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PINNED = re.compile(r"[^:@]+(:\d+)?(/[^:@]+)*:v?\d+\.\d+(\.\d+)?([.-][\w.-]+)?(@sha256:[0-9a-f]{64})?")


def setting_names() -> set[str]:
    """The environment variables that settings are read from."""
    return {name for each in Settings.model_fields.items() for name in _names(*each)}


def _names(name: str, field: FieldInfo) -> Iterator[str]:
    match field.validation_alias:
        case None:
            yield f"TOGGLEMASTER_{name}".upper()
        case AliasChoices(choices=choices):
            yield from (choice for choice in choices if isinstance(choice, str))
        case alias:
            yield str(alias)


def commands() -> set[tuple[str, ...]]:
    return set(_commands(typer.main.get_command(app), ()))


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        yield path
        return
    for name, each in command.commands.items():
        yield from _commands(each, (*path, name))


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a program that was installed beside Python."""
    program = Path(sys.executable).parent / name
    return subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )


def documents(text: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(text) if each is not None]
