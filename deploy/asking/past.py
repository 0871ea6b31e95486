"""`togglemaster history` and `diff`: what happened, and what it made different."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.asking.management import Management, Place
from deploy.asking.screen import NOTE, POSITION, TIME, Screen

PAGE_ENTRIES = 1_000  # the most that the API gives at once
Answer = Mapping[str, Any]


def history(
    api: Management, screen: Screen, path: str, query: Mapping[str, Any], *, limit: int, closure: bool = False
) -> None:
    """Page after page, until there are `limit` of them."""
    wanted = {**query, "closure": closure or None}
    entries: list[Any] = []
    before: int | None = None
    while True:
        size = min(PAGE_ENTRIES, limit - len(entries))
        answer = api.ask("GET", path, query={**wanted, "before": before, "limit": size})
        entries += answer["entries"]
        before = answer["next"]
        if before is None or len(entries) >= limit:
            break
    screen.show({**answer, "entries": entries}, show_history)


def show_history(screen: Screen, answer: Answer) -> None:
    for entry in answer["entries"]:
        show_entry(screen, entry)
    if not answer["entries"]:
        screen.say("there are no such events; see whether key and options are spelled right")
    elif answer["next"] is not None:
        screen.say(("there may be older ones: --limit, or --to an earlier time", NOTE))


def show_entry(screen: Screen, entry: Answer, indent: int = 0) -> None:
    screen.say(
        (str(entry["position"]), POSITION),
        "  ",
        (screen.when(entry["at"]), TIME),
        f"  {entry['by']}  {thing(entry)}",
        indent=indent,
    )
    for sentence in entry["sentences"] or [_event(entry)]:
        screen.say(sentence, indent=indent + 4)
    if entry["reason"]:
        screen.say((f"“{entry['reason']}”", NOTE), indent=indent + 4)


def thing(named: Answer) -> str:
    return f"{named['kind']} {named['key']}".rstrip()


def _event(entry: Answer) -> str:
    """In words, where the API says no more than its name: in the history of a project."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", entry["event"]).lower()
    environment = entry["data"].get("environment")
    return f"{words} in {environment}" if environment else words


def diff(api: Management, screen: Screen, place: Place, query: Mapping[str, Any]) -> None:
    answer = api.ask("GET", place.path("diff"), query={"environment": place.environment, **query})
    screen.show(answer, _show_diff)


def _show_diff(screen: Screen, answer: Answer) -> None:
    sides = (f"{side['environment']} at {side['position']}" for side in (answer["one"], answer["other"]))
    screen.say((" → ".join(sides), TIME))
    show_things(screen, answer["things"])
    if not answer["things"]:
        screen.say("nothing differs")


def show_things(screen: Screen, things: Sequence[Answer]) -> None:
    for each in things:
        screen.say((thing(each), "bold"))
        for sentence in each["sentences"]:
            screen.say(sentence, indent=2)
