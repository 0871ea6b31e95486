"""History, differences, undo, blame and searches on the command line, as the management API tells them."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.asking import past
from deploy.embedded import free_port
from tests.integration.asking import PATH, PRO, CommandLine, rule, target
from tests.integration.management import ADMIN, Management

ESCAPES = "\x1b[31mred\x07[bold]loud[/bold]\u202eturned"
SHOWN = "\\x1b[31mred\\x07[bold]loud[/bold]\\u202eturned"


def by_segment(api: Management) -> tuple[int, int]:
    """A flag that asks for a segment, and where somebody emptied that; positions of both."""
    api.flag()
    api.ask("PUT", "/default/segments/beta", {"condition": PRO})
    asks = {"id": "b", "name": "testers", "when": {"segment": "beta"}, "serve": {"variant": "on"}}
    asked = target(api, asks, default={"variant": "off"})
    emptied = {"condition": {"constant": False}}
    answer = api.ask("PUT", "/default/segments/beta", emptied, X_Reason="oops").json()
    return asked, int(answer["position"])


def test_a_history_tells_what_changed_a_flags_answers_and_why(api: Management, run: CommandLine) -> None:
    asked, emptied = by_segment(api)
    told = run("history", "checkout", "--utc")
    first, sentence, reason, *rest = told.lines()
    assert (told.code, told.err) == (0, "")
    position, day, clock, who, *thing = first.split()
    assert (position, who, " ".join(thing)) == (str(emptied), "administrator", "segment beta")
    assert time.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%SZ")
    assert sentence == "    now holds whom: never (before: plan is pro)"
    assert reason == "    “oops”"
    assert rest[0].startswith(f"{asked}  ")
    own = run("history", "checkout", "--own", "--json")
    api.catch_up()
    assert json.loads(own.out)["entries"] == []  # the list has not heard of it yet
    own = run("history", "checkout", "--own")
    assert "flag *checkout* was made" in own.out
    assert "segment beta" not in own.out
    assert "segment *beta* was made: plan is pro" in run("history", "beta", "--segment").out
    whole = run("history")
    assert "segment beta\n" in whole.out
    assert "    rule added in production" in whole.lines()
    nothing = "there are no such events; see whether key and options are spelled right"
    assert run("history", "--by", "nobody").lines() == [nothing]
    assert "--segment says that the KEY" in run("history", "--segment").told


def test_a_history_pages_on_by_itself_up_to_its_limit(
    api: Management, run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.flag()
    positions = [api.ask("POST", f"{PATH}/{('on', 'off')[n % 2]}").json()["position"] for n in range(8)]
    monkeypatch.setattr(past, "PAGE_ENTRIES", 3)
    told = json.loads(run("history", "checkout", "--json", "--limit", "7").out)
    assert [each["position"] for each in told["entries"]] == positions[:0:-1]
    assert told["next"] == positions[1]
    assert len(json.loads(run("history", "checkout", "--json").out)["entries"]) == 9
    shown = run("history", "checkout", "--limit", "7")
    assert shown.lines()[-1] == "there may be older ones: --limit, or --to an earlier time"


@pytest.fixture
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("kathmandu")
def test_times_that_are_shown_can_be_given_back(api: Management, run: CommandLine) -> None:
    made = api.flag().json()["position"]
    local, utc = (run("blame", "checkout", *zone).lines()[1] for zone in ([], ["--utc"]))
    shown = " ".join(local.split(f"  {made}")[1].split()[:2])
    assert shown.endswith("+05:45")
    in_utc = " ".join(utc.split(f"  {made}")[1].split()[:2])
    for words in ([shown], [shown.removesuffix("+05:45")], [in_utc], [in_utc.removesuffix("Z"), "--utc"]):
        assert [each["position"] for each in entries(run, "--from", *words)] == [made], words
        assert entries(run, "--to", *words) == []
    wrong = run("blame", "checkout", "--at", "yesterday")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.told.startswith("--at is a position of the log, or a time like 2026-11-23T09:30:00Z, not")
    assert run("history", "--from", "12").told.startswith("--from is a time like")


def entries(run: CommandLine, *narrowed: str) -> list[Any]:
    found: list[Any] = json.loads(run("history", "checkout", *narrowed, "--json").out)["entries"]
    return found


def test_a_diff_tells_what_has_become_of_an_environment(api: Management, run: CommandLine) -> None:
    asked, emptied = by_segment(api)
    told = run("diff", "--at", str(asked))
    assert told.lines() == [
        f"production at {asked} → production at {emptied}",
        "segment beta",
        "  now holds whom: never (before: plan is pro)",
    ]
    assert run("diff", "--at", str(emptied)).lines()[1:] == ["nothing differs"]
    other = run("diff", "--other", "staging", "--flag", "checkout")
    assert "flag checkout" in other.lines()
    assert "  rule *testers* was removed in staging" in other.lines()
    answer = api.ask("GET", f"/default/diff?environment=production&at={asked}").json()
    assert json.loads(run("diff", "--at", str(asked), "--json").out) == answer
    assert "--at, how it was at a moment" in run("diff").told


def test_blame_is_a_table_of_parts_in_words(api: Management, run: CommandLine) -> None:
    api.flag()
    made = api.store.head()
    added = target(
        api, rule("a"), rule("b"), targets=[{"variant": "on", "values": ["ana"]}], reason="testers"
    )
    api.ask("POST", f"{PATH}/off")
    told = run("blame", "checkout")
    rows = {" ".join(line.split()[:2]): line for line in told.lines()}
    assert told.lines()[0].split() == ["part", "value", "position", "when", "who", "reason"]
    assert "if plan is pro, serve *on*" in rows["rule a"]
    assert rows["rule a"].endswith("administrator  testers")
    assert "*on* to ana" in rows["targets *on*"]
    assert f"*a* and *b*  {made}" in " ".join(rows["order of"].split()).replace(f" {made}", f"  {made}", 1)
    assert rows["variant off"].split()[2:4] == ["false", str(made)]
    assert "everybody else" in told.out
    assert {line.rstrip() for line in told.lines()} == set(told.lines())
    then = run("blame", "checkout", "--at", str(added), "--json")
    assert json.loads(then.out)["position"] == added
    missing = run("blame", "none")
    assert (missing.code, missing.told) == (1, "there is no flag 'none' in project 'default'")


def test_bisect_names_the_event_and_whose_answers_it_changed(
    api: Management, run: CommandLine, tmp_path: Path
) -> None:
    asked, emptied = by_segment(api)
    contexts = [{"targetingKey": f"u{n}", "plan": plan} for n, plan in enumerate(("pro", "pro", "free"))]
    given = [word for each in contexts for word in ("--context", json.dumps(each))]
    told = run("bisect", "checkout", *given, "--from", str(asked))
    assert told.lines()[0] == f"from position {asked} to {emptied}, the newest first"
    assert told.lines()[1].startswith(f"{emptied}  ")
    assert told.lines()[-4:] == [
        "    2 of 3 answers changed",
        "    before: off 33.333 %, on 66.667 %",
        "    after: off 100 %",
        "    the first of them: on (rule b) → off (default)",
    ]
    file = tmp_path / "contexts.jsonl"
    file.write_text("\n".join(map(json.dumps, contexts)))
    machine = json.loads(run("bisect", "checkout", "--contexts", str(file), "--json").out)
    assert machine["changes"][0]["entry"]["position"] == emptied
    assert run("bisect", "checkout", "--context", "{}", "--from", str(emptied)).lines()[1:] == [
        "nothing changed an answer"
    ]


def test_contexts_that_are_none_are_told_with_their_place(run: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "contexts.jsonl"
    file.write_text('{}\n["no"]\n')
    for words, sentence in (
        (["--contexts", str(file)], f"{file}, 2: a context is an object"),
        (["--contexts", str(tmp_path / "none")], "none cannot be read"),
        (["--context", "{"], "--context, 1: this is not JSON"),
        (["--context", " "], "has no contexts"),
        ([], "--context JSON, --contexts FILE or --recorded"),
        (["--context", "{}", "--recorded-from", "2026-11-23"], "add --recorded"),
        (["--context", "{}", "--recorded"], "--context JSON, --contexts FILE or --recorded"),
    ):
        told = run("bisect", "checkout", *words)
        assert (told.code, told.out) == (1, "")
        assert sentence in told.told


def test_what_others_wrote_neither_colours_nor_moves_the_terminal(api: Management, run: CommandLine) -> None:
    api.flag()
    begun = api.store.head()
    made = {"id": "a", "name": ESCAPES, "when": {**PRO, "values": [ESCAPES]}, "serve": {"variant": "on"}}
    position = target(api, made)
    api.ask("PATCH", "/default/flags/checkout", {"description": ESCAPES})
    api.catch_up()
    for words in (
        ("history", "checkout"),
        ("history", "checkout", "--own"),
        ("diff", "--at", str(begun)),
        ("undo", str(position), "--preview"),
        ("blame", "checkout"),
        ("bisect", "checkout", "--context", "{}"),
    ):
        whole, folded = run(*words), run(*words, COLUMNS="30")
        assert (whole.code, folded.code) == (0, 0)
        assert all(each.isprintable() or each == "\n" for each in whole.out + folded.out), words
        assert SHOWN in whole.out or words[0] == "bisect", words
        machine = run(*words, "--json")
        assert json.loads(machine.out)
        assert machine.out.isascii()
    refused = run("blame", f"checkout{ESCAPES}")
    assert refused.code == 1
    assert refused.told.isprintable()


def test_on_a_narrow_terminal_nothing_is_cut(api: Management, run: CommandLine) -> None:
    api.flag()
    position = target(api, rule("a-rule-with-a-long-name"), reason="because-of-all-the-beta-testers")
    for words in (("history", "checkout"), ("blame", "checkout"), ("undo", str(position), "--preview")):
        everything = "".join(run(*words).out.split())
        for columns in (1, 7, 30, 80, 110):
            narrow = run(*words, COLUMNS=str(columns))
            assert max(len(line) for line in narrow.lines()) <= columns
            folded = "".join(narrow.out.split())
            assert not Counter(everything) - Counter(folded), columns
            assert folded == everything or words[0] == "blame"  # whose columns are folded side by side


def test_who_asks_is_who_did_it_and_what_they_may(api: Management, run: CommandLine) -> None:
    api.flag()
    position = target(api, rule("a"))
    grants = [{"role": "viewer", "project": "default"}]
    body = {"name": "reads", "grants": grants}
    token = api.client.post("/api/v1/tokens", json=body, headers={"X-API-Key": ADMIN}).json()["token"]
    assert run("history", "checkout", TOGGLEMASTER_TOKEN=token).code == 0
    refused = run("undo", str(position), "--yes", "--json", TOGGLEMASTER_TOKEN=token)
    assert (refused.code, json.loads(refused.out)["status"]) == (1, 403)
    assert "needs 'write' in project 'default'" in refused.told
    own = run("undo", str(position), "--yes", TOGGLEMASTER_TOKEN="", TOGGLEMASTER_ADMIN_KEY=ADMIN)
    assert own.code == 0
    assert api.store.read(after=position, limit=1)[0].stamp.by == "administrator"


def test_what_is_missing_or_away_is_told_with_what_to_set(run: CommandLine) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    for environment, sentence in (
        (
            {"TOGGLEMASTER_TOKEN": "", "TOGGLEMASTER_ADMIN_KEY": ""},
            "Set TOGGLEMASTER_TOKEN to an access token",
        ),
        ({"TOGGLEMASTER_TOKEN": "nobody's"}, "was revoked. Set TOGGLEMASTER_TOKEN to an access token"),
        ({"TOGGLEMASTER_TOKEN": "se\ncret"}, "TOGGLEMASTER_TOKEN has characters that no token has"),
        ({"TOGGLEMASTER_MANAGEMENT_URL": nobody}, f"nobody answers at {nobody}"),
        ({"TOGGLEMASTER_MANAGEMENT_URL": nobody}, "or set TOGGLEMASTER_MANAGEMENT_URL to where it is"),
        ({"TOGGLEMASTER_MANAGEMENT_URL": "127.0.0.1"}, "no address like http://127.0.0.1:8080"),
        ({"TOGGLEMASTER_MANAGEMENT_URL": "http://127.0.0.1:port"}, "no address like http://127.0.0.1:8080"),
        ({"TOGGLEMASTER_MANAGEMENT_URL": f"{run.url}/docs"}, "there is nothing at /docs/api/v1"),
    ):
        told = run("history", **environment)
        assert (told.code, told.out) == (1, ""), told
        assert sentence in told.told, told
        assert "cret" not in told.told
