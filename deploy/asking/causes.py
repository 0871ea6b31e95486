"""`togglemaster blame` and `bisect`: the events behind what a flag is, and behind a change of its answers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deploy.asking.management import Management, Place
from deploy.asking.past import Answer, show_entry
from deploy.asking.screen import NOTE, TIME, Screen
from deploy.asking.text import counted, plain, shares
from deploy.told import Told
from domain.targeting import Prerequisite, Rule, Serve, Target
from domain.wording import ENGLISH


def _rule_words(rule: Rule) -> str:
    return f"if {ENGLISH.condition(rule.when)}, serve {ENGLISH.serve(rule.serve)}"


def _as(kind: Any, words: Callable[[Any], str]) -> Callable[[Any], str]:
    adapter = TypeAdapter(kind)
    return lambda value: words(adapter.validate_python(value))


PARTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "switch": ("switch", lambda value: "on" if value else "off"),
    "off_variant": ("when off", ENGLISH.variant),
    "default": ("everybody else", _as(Serve, ENGLISH.serve)),
    "prerequisites": ("needs", _as(tuple[Prerequisite, ...], ENGLISH.prerequisites)),
    "targets": ("targets", _as(tuple[Target, ...], ENGLISH.targets)),
    "rule": ("rule", _as(Rule, _rule_words)),
    "rule_order": ("order of rules", lambda value: ENGLISH.named(value, "and")),
    "variant": ("variant", json.dumps),
}
"""What each is called, and its value in words."""


def blame(api: Management, screen: Screen, place: Place, flag: str, at: str) -> None:
    answer = api.ask("GET", place.of_flag(flag, "blame"), query={"at": at})
    screen.show(answer, _show_blame)


def _show_blame(screen: Screen, answer: Answer) -> None:
    headers = ("part", "value", "position", "when", "who", "reason")
    screen.table(headers, [_cells(screen, part) for part in answer["parts"]])


def _cells(screen: Screen, part: Answer) -> tuple[str, ...]:
    entry = part["entry"]
    made = str(entry["position"]), screen.when(entry["at"]), entry["by"], entry["reason"]
    return _called(part), _words(part), *made


def _called(part: Answer) -> str:
    title = PARTS[part["what"]][0] if part["what"] in PARTS else part["what"]
    name = part["value"].get("name") if part["what"] == "rule" else ""
    return f"{title} {name or part['name']}".rstrip()


def _words(part: Answer) -> str:
    """As JSON where the server is newer than the words here."""
    words = PARTS.get(part["what"], ("", json.dumps))[1]
    try:
        return words(part["value"])
    except ValidationError:
        return json.dumps(part["value"])


def contexts_of(given: list[str], file: Path | None, recorded: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is searched with: one of the three. Raises Told."""
    if [bool(given), file is not None, recorded is not None].count(True) != 1:
        raise Told("say whose answers to follow: --context JSON, --contexts FILE or --recorded")
    if recorded is not None:
        return {"recorded": recorded}
    lines = given if file is None else _lines(file)
    where = "--context" if file is None else str(file)
    found = [_context(line, f"{where}, {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise Told(f"{plain(where)} has no contexts: give one JSON object a line")
    return {"contexts": found}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise Told(f"{plain(file)} cannot be read: {plain(problem)}") from problem


def _context(line: str, where: str) -> Any:
    try:
        found = json.loads(line)
    except ValueError as problem:
        raise Told(f"{plain(where)}: this is not JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise Told(f'{plain(where)}: a context is an object like {{"targetingKey": "user-1"}}')
    return found


def bisect(api: Management, screen: Screen, place: Place, flag: str, body: Mapping[str, Any]) -> None:
    screen.show(api.ask("POST", place.of_flag(flag, "bisect"), body=body), _show_bisection)


def _show_bisection(screen: Screen, answer: Answer) -> None:
    screen.say((f"from position {answer['start']} to {answer['end']}, the newest first", TIME))
    for change in answer["changes"]:
        show_entry(screen, change["entry"])
        _show_effect(screen, change)
    if not answer["changes"]:
        screen.say("nothing changed an answer")
    tell_sample(screen, answer)


def _show_effect(screen: Screen, change: Answer) -> None:
    before, after = change["shares_before"], change["shares_after"]
    screen.say(f"{change['changed']:,} of {counted(sum(after.values()), 'answer')} changed", indent=4)
    screen.say(f"before: {shares(before)}", indent=4)
    screen.say(f"after: {shares(after)}", indent=4)
    screen.say(f"the first of them: {_answer(change['before'])} → {_answer(change['after'])}", indent=4)


def _answer(answered: Answer) -> str:
    metadata = answered["metadata"]
    rule = {"name": "", "id": metadata["ruleId"]} if "ruleId" in metadata else None
    return served({**answered, "why": metadata.get("why"), "rule": rule})


def served(answered: Answer) -> str:
    """Which variant, and by what."""
    return f"{answered['variant'] or ENGLISH.say('code_default')} ({_by(answered)})"


def _by(answered: Answer) -> str:
    if answered["errorCode"]:
        return f"error {answered['errorCode']}"
    if rule := answered["rule"]:
        return f"rule {rule['name'] or rule['id']}"
    why, _, name = (answered["why"] or answered["reason"].lower()).partition(":")
    return f"{why} {name}".rstrip()


def tell_sample(screen: Screen, found: Answer, indent: int = 0) -> None:
    """What was not looked at, or could not be answered; silent where the answer does not speak of it."""
    if not found.get("complete", True):
        newest = counted(found["evaluations"], "recorded evaluation")
        text = f"only the newest {newest} were looked at; --limit takes more"
        screen.say((text, NOTE), indent=indent)
    undecided = found.get("undecided") or {"evaluations": 0}
    if undecided["evaluations"]:
        missing = [f"{name} ({n:,})" for name, n in sorted(undecided["attributes"].items())]
        text = (
            f"{counted(undecided['evaluations'], 'evaluation')} could not be decided, for want of attributes"
            f" that are not recorded: {', '.join(missing)}"
        )
        screen.say((text, NOTE), indent=indent)
