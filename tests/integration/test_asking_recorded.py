"""What-if and a search through recorded evaluations on the command line, by the shapes of their answers.

The API here is a stand-in that answers with what it was given, and remembers what it was asked: for names
that would colour a terminal, and for answers that break off. test_what_if.py asks the real one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.integration.asking import CommandLine, Ran, listening

START, END = "2026-11-22T09:30:00Z", "2026-11-23T09:30:00Z"
JSON, LINES = b"application/json", b"application/x-ndjson"
ON = {"variant": "on", "reason": "DEFAULT", "why": "default", "rule": None, "errorCode": None}
BY_RULE = {
    **ON,
    "variant": "off",
    "reason": "TARGETING_MATCH",
    "why": "rule",
    "rule": {"id": "b", "name": "testers"},
}
NOWHERE = {**ON, "variant": None, "why": "prerequisite:hero"}
BROKEN = {**ON, "variant": None, "errorCode": "GENERAL"}
MOVE = {"before": ON, "after": BY_RULE, "evaluations": 1_200, "subjects": 1}
FLAG = {
    "flag": "checkout",
    "evaluations": 10_000,
    "subjects": 6_512,
    "complete": False,
    "oldest": "2026-11-23T01:00:00Z",
    "newest": "2026-11-23T09:29:59Z",
    "moved": {"evaluations": 1_201, "subjects": 2},
    "before": {"on": 6_000, "": 4_000},
    "after": {"on": 4_800, "": 4_000, "off": 1_200},
    "moves": [
        {**MOVE, "examples": [{"targetingKey": "ana\x1b[31m", "plan": "pro"}]},
        {**MOVE, "before": NOWHERE, "after": BROKEN, "evaluations": 1, "examples": []},
    ],
    "undecided": {"evaluations": 12, "subjects": 9, "attributes": {"plan": 12, "age": 3}},
}
QUIET = {
    **FLAG,
    "flag": "hero",
    "evaluations": 0,
    "subjects": 0,
    "complete": True,
    "oldest": None,
    "newest": None,
    "moved": {"evaluations": 0, "subjects": 0},
    "moves": [],
    "undecided": {"evaluations": 0, "subjects": 0, "attributes": {}},
}
ANSWER = {
    "position": 4711,
    "start": START,
    "end": END,
    "left_out": ["old-one", "other"],
    "flags": [FLAG, QUIET],
}
PROGRESS = {"progress": {"flag": "checkout", "number": 1, "flags": 2, "read": 500, "limit": 10_000}}
UNDECIDED = (
    "12 evaluations could not be decided, for want of attributes that are not recorded: age (3), plan (12)"
)
REFUSED = {"status": 404, "title": "Not Found", "detail": "there is no change 'c'"}


@dataclass
class StandIn:
    status: int = 200
    kind: bytes = LINES
    lines: list[Any] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        self.asked.append((scope["path"], json.loads(body)))
        headers = [(b"content-type", self.kind)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        text = "\n".join(json.dumps(each) for each in self.lines)
        await send({"type": "http.response.body", "body": text.encode()})


@pytest.fixture
def api() -> StandIn:
    return StandIn(lines=[PROGRESS, {"answer": ANSWER}])


@pytest.fixture
def run(api: StandIn) -> Iterator[CommandLine]:
    with listening(api) as url:
        yield CommandLine(url)


def test_what_if_tells_who_moves_by_which_rule_and_of_which_sample(run: CommandLine) -> None:
    told = run("what-if", "--change", "c", "--utc")
    assert (told.code, told.err) == (0, "")
    table = [" ".join(line.split()) for line in told.lines()]
    assert table == [
        "recorded from 2026-11-22 09:30:00Z to 2026-11-23 09:30:00Z, supposed at position 4711",
        "checkout: 2 of 6,512 subjects move, 1,201 of 10,000 evaluations",
        "from to evaluations subjects for example",
        'on (default) off (rule testers) 1,200 1 {"targetingKey": "ana\\u001b[31m", "plan": "pro"}',
        "the code's own default (prerequisite hero) the code's own default (error GENERAL) 1 1",
        "before: the code's own default 40 %, on 60 %",
        "after: the code's own default 40 %, off 12 %, on 48 %",
        "evaluations from 2026-11-23 01:00:00Z to 2026-11-23 09:29:59Z",
        "only the newest 10,000 recorded evaluations were looked at; --limit takes more",
        UNDECIDED,
        "hero: no evaluation of it was recorded",
        "not looked at: old-one, other; --flag names those to look at",
    ]
    assert json.loads(run("what-if", "--change", "c", "--json").out) == ANSWER


COMMANDS = {"commands": [{"command": "turn_flag_on", "flag": "checkout", "environment": "staging"}]}
TARGETING = {
    "command": "change_targeting",
    "flag": "hero",
    "environment": "staging",
    "targeting": {"enabled": True},
}
SEGMENT = {"command": "put_segment", "segment": "beta", "definition": {"condition": {"constant": True}}}


@pytest.mark.parametrize(
    ("words", "content", "sent"),
    [
        ([], COMMANDS, COMMANDS),
        (["--targeting", "hero"], TARGETING["targeting"], {"commands": [TARGETING]}),
        (["--segment", "beta"], SEGMENT["definition"], {"commands": [SEGMENT]}),
    ],
)
def test_a_file_holds_commands_a_targeting_or_a_segment(
    api: StandIn, run: CommandLine, tmp_path: Path, words: list[str], content: Any, sent: Any
) -> None:
    text = json.dumps(content)
    file = tmp_path / "draft.json"
    file.write_text(text)
    for source, stdin in ((str(file), ""), ("-", text)):
        told = run("what-if", source, *words, "--environment", "staging", stdin=stdin)
        assert told.code == 0, told
        path = "/api/v1/projects/default/environments/staging/what-if"
        assert api.asked[-1] == (path, {**sent, "limit": 10_000})


def test_an_undo_or_a_change_is_supposed_as_it_is_named(api: StandIn, run: CommandLine) -> None:
    run("what-if", "--undo", "12", "--flag", "a", "--flag", "b", "--from", START, "--limit", "7")
    wanted = {"flags": ["a", "b"], "from": "2026-11-22T09:30:00+00:00", "limit": 7}
    assert api.asked[-1][1] == {"undo": 12, **wanted}
    run("what-if", "--change", "c")
    assert api.asked[-1][1] == {"change": "c", "limit": 10_000}


def test_how_far_it_is_goes_to_the_terminal_and_not_into_the_answer(api: StandIn, run: CommandLine) -> None:
    ours, theirs = os.openpty()
    command = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "what-if", "--change", "c", "--json"],
        env=os.environ | {"TOGGLEMASTER_MANAGEMENT_URL": run.url, "TOGGLEMASTER_TOKEN": "t", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    out, _ = command.communicate(timeout=60)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    assert (command.returncode, json.loads(out)) == (0, ANSWER)
    assert "checkout (1 of 2)" in shown
    assert "500 records" in shown


def test_a_draft_that_is_none_is_told_before_anybody_is_asked(
    api: StandIn, run: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "draft.json"
    for words, content, sentence in (
        ([], "", "a FILE ('-' is standard input), --change ID or --undo POSITION"),
        ([str(file), "--undo", "1"], "{}", "a FILE ('-' is standard input), --change ID or --undo POSITION"),
        (["--undo", "1", "--segment", "b"], "", "say what the FILE holds"),
        ([str(file), "--segment", "b", "--targeting", "f"], "{}", "a --targeting or a --segment"),
        ([str(file)], "{}", 'has no "commands"'),
        ([str(file)], "[]", "is not a JSON object"),
        ([str(file)], "{", "is not JSON"),
        ([str(tmp_path / "none")], "", "none cannot be read: No such file"),
    ):
        file.write_text(content)
        told = run("what-if", *words)
        assert (told.code, told.out) == (1, "")
        assert sentence in told.told
    assert api.asked == []


def test_a_refusal_comes_at_once_or_when_it_had_begun(api: StandIn, run: CommandLine) -> None:
    for kind, status, lines in (
        (b"application/problem+json", 404, [REFUSED]),
        (LINES, 200, [PROGRESS, {"problem": REFUSED}]),
    ):
        api.kind, api.status, api.lines = kind, status, lines
        told = run("what-if", "--change", "c", "--json")
        assert (told.code, told.told, json.loads(told.out)) == (1, "there is no change 'c'", REFUSED)


def test_an_answer_that_is_none_is_told_as_that(api: StandIn, run: CommandLine) -> None:
    def asked(kind: bytes, status: int, *lines: Any) -> Ran:
        api.kind, api.status, api.lines = kind, status, list(lines)
        return run("what-if", "--change", "c")

    assert "ended before its answer did" in asked(LINES, 200, PROGRESS).told
    for told in (asked(b"text/html", 502), asked(JSON, 502, ["no"]), asked(LINES, 200, "what?")):
        assert (told.code, told.out) == (1, "")
        assert "see whether TOGGLEMASTER_MANAGEMENT_URL is its address" in told.told
    api.kind = JSON
    assert asked(JSON, 200, ANSWER).lines()[1].startswith("checkout: 2 of 6,512 subjects move")


def test_recorded_evaluations_are_searched_with_their_sample_said(api: StandIn, run: CommandLine) -> None:
    entry = {
        "position": 12,
        "kind": "segment",
        "key": "beta",
        "by": "ana",
        "at": START,
        "reason": "",
        "event": "SegmentDefined",
        "data": {},
        "sentences": ["now holds whom: never"],
    }
    answered = {"variant": "on", "reason": "DEFAULT", "errorCode": None, "metadata": {"why": "default"}}
    change = {
        "entry": entry,
        "changed": 2_500,
        "before": answered,
        "after": {**answered, "variant": "off"},
        "shares_before": {"on": 10_000},
        "shares_after": {"on": 7_500, "off": 2_500},
    }
    sample = {"evaluations": 10_000, "complete": False, "undecided": FLAG["undecided"]}
    api.kind, api.lines = JSON, [{"start": 0, "end": 20, "changes": [change], **sample}]
    told = run("bisect", "checkout", "--recorded", "--recorded-from", START, "--to", "20")
    assert api.asked[0] == (
        "/api/v1/projects/default/flags/checkout/environments/production/bisect",
        {"recorded": {"from": "2026-11-22T09:30:00+00:00", "limit": 10_000}, "from": "", "to": "20"},
    )
    assert told.lines()[2:] == [
        "    now holds whom: never",
        "    2,500 of 10,000 answers changed",
        "    before: on 100 %",
        "    after: off 25 %, on 75 %",
        "    the first of them: on (default) → off (default)",
        "only the newest 10,000 recorded evaluations were looked at; --limit takes more",
        UNDECIDED,
    ]
