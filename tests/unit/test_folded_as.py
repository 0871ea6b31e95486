"""Snapshots of the fold are used as long as the same events are folded to the same, and no longer."""

import json
from pathlib import Path
from typing import get_args

from domain.envelope import Recorded, Stream
from domain.events import Event, FlagEvent, ProjectEvent, SegmentEvent
from projections.fold_snapshots import FOLDED_AS, folded_from, line_of
from tests.integration.histories import SORTS, Act, History, folded_at, stamp

GOLDEN = Path(__file__).parent / "golden" / "folded.json"
ACTS = [Act(what, thing, number) for number in range(14) for what in range(SORTS) for thing in range(2)]


def history() -> History:
    found = History("shop")

    def add(stream: Stream, event: Event) -> None:
        number = len(found.log) + 1
        found.add(Recorded(number, stream, found.version(stream) + 1, stamp(number), event))

    for each in found.begin():
        add(*each)
    for act in ACTS:
        add(*found.event(act))
    return found


def lines(found: History) -> dict[str, str]:
    folded = folded_at(found, len(found.log))
    return {str(stream): line_of(each).decode() for stream, each in folded.items() if stream.kind != "key"}


def test_the_golden_history_has_every_event_that_is_folded() -> None:
    wanted = {cls for union in (ProjectEvent, FlagEvent, SegmentEvent) for cls in get_args(union)}
    assert wanted <= {type(each.event) for each in history().log}


def test_events_are_folded_and_written_as_this_number_says() -> None:
    found = lines(history())
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"folded_as": 0}
    if golden["folded_as"] != FOLDED_AS:
        text = json.dumps({"folded_as": FOLDED_AS, "lines": found}, indent=2, ensure_ascii=False)
        GOLDEN.write_text(f"{text}\n")
        raise AssertionError(f"{GOLDEN.name} was written for FOLDED_AS {FOLDED_AS}: look at what differs")
    assert found == golden["lines"], "the same events are folded to something else: raise FOLDED_AS"


def test_a_line_is_read_as_it_was_written() -> None:
    for stream, line in lines(history()).items():
        assert line_of(folded_from(stream, line.encode())).decode() == line
