"""The README's tour, word by word, and its table of settings."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.settings import EVALUATION_PORT, MANAGEMENT_PORT, Settings
from tests.conftest import open_directory
from tests.e2e.conftest import start, stop

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def steps(block: str) -> list[tuple[str, str]]:
    """Each command of a console block with the output that is printed below it."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = next(n for n in range(1, len(lines) + 1) if is_whole("\n".join(lines[:n])))
        found.append(("\n".join(lines[:end]), "\n".join(lines[end:])))
    return found


def is_whole(command: str) -> bool:
    """Whether a shell would begin to run this, rather than wait for another line."""
    return command.count("'") % 2 == 0 and not command.endswith("\\")


def pattern(expected: str) -> str:
    """`…` stands for anything."""
    return ".*".join(re.escape(part) for part in expected.split("…"))


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """Of a platform as the tour finds it: nobody did anything with it yet, so that positions are the same."""
    directory = open_directory()
    platform = start(directory)
    ready = platform.ready
    yield {
        **os.environ,
        **platform.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ADMIN": ready["admin_key"],
        "KEY": ready["evaluation_key"],
        "API": f"{ready['management_url']}/api/v1/projects/default",
        "OFREP": f"{ready['evaluation_url']}/ofrep/v1",
        "TOGGLEMASTER_TOKEN": ready["admin_key"],
        "TOGGLEMASTER_MANAGEMENT_URL": ready["management_url"],
    }
    stop(platform)
    shutil.rmtree(directory)


def test_there_is_a_tour() -> None:
    assert sum(len(steps(block)) for block in BLOCKS) >= 15


def test_every_command_answers_as_the_readme_says(environment: dict[str, str]) -> None:
    for block in BLOCKS:
        for command, expected in steps(block):
            ran = subprocess.run(
                ["/bin/bash", "-c", command], env=environment, capture_output=True, text=True, check=False
            )
            assert re.fullmatch(pattern(expected), ran.stdout.strip(), re.DOTALL), (
                command,
                ran.stdout,
                ran.stderr,
            )


def test_the_table_of_settings_is_complete_and_right() -> None:
    rows = dict(re.findall(r"^\| `((?:TOGGLEMASTER|AWS)_\w+)` \|(.*?)\|", README, re.MULTILINE))
    defaults = {
        field.validation_alias or f"TOGGLEMASTER_{name.upper()}": field.default
        for name, field in Settings.model_fields.items()
    }
    assert set(rows) == set(defaults)
    for name, default in defaults.items():
        wanted = (
            f"{MANAGEMENT_PORT}`, `{EVALUATION_PORT}" if name == "TOGGLEMASTER_PORT" else f"{default or ''}"
        )
        assert rows[name].strip("` ") == wanted.removesuffix(".0")
