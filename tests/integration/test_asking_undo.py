"""Taking back what happened, on the command line: shown first, asked for, and done once."""

import json
import os
import subprocess
import sys

from starlette.types import Message, Receive, Scope, Send

from tests.integration.asking import PATH, CommandLine, listening, rule, target
from tests.integration.conftest import application
from tests.integration.management import ADMIN, Management


def test_an_undo_shows_what_it_does_and_does_it(api: Management, run: CommandLine) -> None:
    api.flag()
    target(api, rule("a"))
    added = target(api, rule("a"), rule("b"))
    preview = run("undo", str(added), "--preview")
    assert preview.lines() == ["becomes different:", "flag checkout", "  rule *b* was removed in production"]
    asked = run("undo", str(added))
    assert (asked.code, asked.lines()) == (1, preview.lines())
    assert "--yes does it without asking" in asked.told
    assert api.store.head() == added
    done = run("undo", str(added), "--yes", "--reason", "não era para já, снова")
    assert (done.code, done.lines()[-1]) == (0, f"done, at position {added + 1}")
    undone = api.store.read(after=added, limit=10)
    assert [each.stamp.reason for each in undone] == [f"undo of position {added}: não era para já, снова"]
    again = run("undo", str(added), "--yes")
    assert (again.code, again.lines()) == (
        0,
        ["there is nothing to take back: it is already as it was before"],
    )


class LosesTheAnswer:
    """The management API behind a connection that ends before the answer to the first undo is through."""

    def __init__(self) -> None:
        self.lost = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.lost or b"idempotency-key" not in dict(scope["headers"]):
            await application()(scope, receive, send)
            return
        self.lost += 1

        async def nowhere(_: Message) -> None:
            pass

        await application()(scope, receive, nowhere)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"{"})


def test_an_undo_whose_answer_is_lost_is_done_once_and_told(api: Management) -> None:
    api.flag()
    added = target(api, rule("a"))
    faulty = LosesTheAnswer()
    with listening(faulty) as url:
        done = CommandLine(url)("undo", str(added), "--yes")
    assert (done.code, done.lines()[-1]) == (0, f"done, at position {added + 1}")
    assert (faulty.lost, api.store.head()) == (1, added + 1)


def test_an_undo_in_conflict_names_the_later_events_and_exits_1(api: Management, run: CommandLine) -> None:
    api.flag()
    target(api, rule("a"))
    first = target(api, rule("a"), default={"variant": "off"})
    later = target(api, rule("a"), default={"code_default": True}, reason="better so")
    for words in (["--yes"], ["--preview"]):
        told = run("undo", str(first), *words)
        assert told.code == 1
        assert "later events changed the same" in told.told
        assert "stays, as it was changed later: flag checkout" in told.lines()
        assert any(line.startswith(f"  {later}  ") for line in told.lines())
        assert "      “better so”" in told.lines()
    machine = run("undo", str(first), "--yes", "--json")
    assert (machine.code, json.loads(machine.out)["conflicts"][0]["later"][0]["position"]) == (1, later)
    assert api.store.head() == later


def test_a_partial_undo_leaves_what_was_changed_later(api: Management, run: CommandLine) -> None:
    api.flag()
    said = api.ask("PATCH", "/default/flags/checkout", {"description": "second", "tags": ["web"]})
    api.ask("PATCH", "/default/flags/checkout", {"tags": ["web", "home"]})
    done = run("undo", str(said.json()["position"]), "--partial", "--yes", "--json")
    answer = json.loads(done.out)
    assert answer["changed"][0]["position"] == api.store.head()
    assert api.ask("GET", "/default/flags/checkout").json()["tags"] == ["web", "home"]
    assert api.ask("GET", "/default/flags/checkout").json()["description"] == ""
    assert "description was taken away" in done.err  # for whoever reads along


def test_an_undo_can_be_proposed_and_a_change_undone(api: Management, run: CommandLine) -> None:
    api.flag()
    commands = [{"command": "turn_flag_on", "flag": "checkout", "environment": "production"}]
    change = api.ask("POST", "/default/changes", {"title": "Go", "commands": commands}).json()["id"]
    api.ask("POST", f"/default/changes/{change}/apply")
    proposed = run("undo", "--change", change, "--propose", "Back", "--yes")
    assert proposed.lines()[-1].startswith("proposed as change ")
    assert api.ask("GET", PATH).json()["enabled"] is True
    assert run("undo", "--change", change, "--yes").code == 0
    assert api.ask("GET", PATH).json()["enabled"] is False
    assert "either the POSITION" in run("undo").told
    assert "either the POSITION" in run("undo", "3", "--change", change).told
    assert "one line" in run("undo", "3", "--reason", "a\r\nX-API-Key: b").told


def test_at_a_terminal_an_undo_asks_first(api: Management, run: CommandLine) -> None:
    api.flag()
    position = target(api, rule("a"))
    for answer, code in (("n", 1), ("y", 0)):
        ours, theirs = os.openpty()
        command = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "undo", str(position)],
            env=os.environ | {"TOGGLEMASTER_MANAGEMENT_URL": run.url, "TOGGLEMASTER_TOKEN": ADMIN},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.write(ours, f"{answer}\n".encode())
        out, err = command.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert (command.returncode, out.splitlines()[0]) == (code, "becomes different:"), err
        assert "Do this? [y/N]" in err
        assert err.endswith("togglemaster: nothing was undone\n") == bool(code)
        assert api.store.head() == position + (code == 0)
