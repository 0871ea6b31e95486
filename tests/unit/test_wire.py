"""Commands as they are kept with proposed changes: what was written once is read for ever."""

import json
from pathlib import Path

import pytest

from commands.wire import BY_NAME, kept, of_kept

GOLDEN = Path(__file__).parent / "golden" / "commands.json"


def golden() -> dict[str, dict[str, object]]:
    lines: dict[str, dict[str, object]] = json.loads(GOLDEN.read_text())
    return lines


def test_every_command_has_a_golden_line() -> None:
    assert set(golden()) == set(BY_NAME)


@pytest.mark.parametrize("name", sorted(golden()))
def test_a_kept_command_is_read_and_written_as_it_always_was(name: str) -> None:
    content = golden()[name]
    command = of_kept("shop", content)
    assert type(command) is BY_NAME[name]
    assert getattr(command, "project", None) == "shop"
    assert json.dumps(kept(command)) == json.dumps(content)
