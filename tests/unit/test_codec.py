"""The storage format: what was written once is read for ever."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands.codec import EVENTS, decode, encode
from domain.envelope import Stamp

GOLDEN = Path(__file__).parent / "golden" / "events.json"
STAMP = Stamp("ana", datetime(2026, 11, 22, 3, 53, 56, 458672, UTC), "launch day")


def golden() -> dict[str, str]:
    lines: dict[str, str] = json.loads(GOLDEN.read_text())
    return lines


def test_every_event_has_a_golden_line() -> None:
    assert set(golden()) == set(EVENTS)


@pytest.mark.parametrize("name", sorted(golden()))
def test_a_stored_event_is_read_and_written_as_it_always_was(name: str) -> None:
    stored = golden()[name]
    event, stamp = decode(name, stored.encode())
    assert stamp == STAMP
    assert type(event).__name__ == name
    assert encode(event, stamp) == (name, stored.encode())


def test_a_name_that_was_never_an_event_is_no_event() -> None:
    with pytest.raises(KeyError):
        decode("FlagUpdated", b"{}")


def test_the_id_of_the_request_is_kept_where_there_is_one() -> None:
    stamp = Stamp("ana", STAMP.at, "", "abc123")
    event, _ = decode("FlagTurnedOn", golden()["FlagTurnedOn"].encode())
    assert decode(*encode(event, stamp)) == (event, stamp)
