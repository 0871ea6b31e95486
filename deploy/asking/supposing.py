"""`togglemaster what-if`: whom a change would move, by what evaluators were asked lately."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.asking.causes import served, tell_sample
from deploy.asking.management import Management, Place, Tell
from deploy.asking.past import Answer
from deploy.asking.screen import NOTE, TIME, Screen
from deploy.asking.text import counted, plain, shares
from deploy.told import Told


def draft(
    file: str, place: Place, *, change: str, undo: int | None, targeting: str, segment: str
) -> dict[str, Any]:
    """What is supposed, as the API takes it. Raises Told."""
    if [bool(file), bool(change), undo is not None].count(True) != 1:
        raise Told("say what to suppose: a FILE ('-' is standard input), --change ID or --undo POSITION")
    if (targeting or segment) and not file:
        raise Told("--targeting and --segment say what the FILE holds: give one")
    if change:
        return {"change": change}
    if undo is not None:
        return {"undo": undo}
    return {"commands": _commands(_read(file), file, place, targeting, segment)}


def _read(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        found = json.loads(text)
    except OSError as problem:
        raise Told(f"{plain(file)} cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise Told(f"{plain(file)} is not JSON: {plain(problem)}") from problem
    if not isinstance(found, dict):
        raise Told(f"{plain(file)} is not a JSON object")
    return found


def _commands(found: dict[str, Any], file: str, place: Place, targeting: str, segment: str) -> Any:
    if targeting and segment:
        raise Told('a FILE holds a --targeting or a --segment; several things together are {"commands": […]}')
    if targeting:
        where = {"flag": targeting, "environment": place.environment}
        return [{"command": "change_targeting", **where, "targeting": found}]
    if segment:
        return [{"command": "put_segment", "segment": segment, "definition": found}]
    if "commands" not in found:
        raise Told(
            f'{plain(file)} has no "commands": it is {{"commands": [{{"command": "turn_flag_on", …}}]}}, or'
            " --targeting FLAG or --segment KEY say whose definition it is"
        )
    return found["commands"]


def what_if(api: Management, screen: Screen, place: Place, body: Mapping[str, Any]) -> None:
    with _bar(screen.err) as tell:
        answer = api.follow(place.in_environment("what-if"), body, tell)
    screen.show(answer, _show)


@contextmanager
def _bar(err: Console) -> Iterator[Tell]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[read]:,} records"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("recorded evaluations", total=None, read=0)

        def tell(progress: Mapping[str, Any]) -> None:
            number, flags, limit = progress["number"], progress["flags"], progress["limit"]
            bar.update(
                task,
                description=f"{plain(progress['flag'])} ({number} of {flags})",
                total=flags * limit,
                completed=(number - 1) * limit + progress["read"],
                read=progress["read"],
            )

        yield tell


def _show(screen: Screen, answer: Answer) -> None:
    start, end = (screen.when(answer[each]) for each in ("start", "end"))
    screen.say((f"recorded from {start} to {end}, supposed at position {answer['position']}", TIME))
    for each in answer["flags"]:
        _show_flag(screen, each)
    if not answer["flags"]:
        screen.say("no flag's answers would be others, whatever is asked")
    if left_out := answer["left_out"]:
        screen.say((f"not looked at: {', '.join(left_out)}; --flag names those to look at", NOTE))


def _show_flag(screen: Screen, found: Answer) -> None:
    moved = found["moved"]
    screen.say((found["flag"], "bold"), f": {_of(moved, found)}")
    if found["moves"]:
        headers = ("from", "to", "evaluations", "subjects", "for example")
        screen.table(headers, [_cells(move) for move in found["moves"]], indent=2)
        screen.say(f"before: {shares(found['before'])}", indent=2)
        screen.say(f"after: {shares(found['after'])}", indent=2)
    if found["oldest"] and found["newest"]:
        oldest, newest = (screen.when(found[each]) for each in ("oldest", "newest"))
        screen.say((f"evaluations from {oldest} to {newest}", TIME), indent=2)
    tell_sample(screen, found, indent=2)


def _of(moved: Answer, found: Answer) -> str:
    if not found["evaluations"]:
        return "no evaluation of it was recorded"
    subjects = f"{moved['subjects']:,} of {counted(found['subjects'], 'subject')}"
    verb = "moves" if moved["subjects"] == 1 else "move"
    return f"{subjects} {verb}, {moved['evaluations']:,} of {counted(found['evaluations'], 'evaluation')}"


def _cells(move: Answer) -> tuple[str, ...]:
    numbers = (f"{move[each]:,}" for each in ("evaluations", "subjects"))
    example = json.dumps(move["examples"][0], ensure_ascii=False) if move["examples"] else ""
    return served(move["before"]), served(move["after"]), *numbers, example
