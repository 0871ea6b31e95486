"""The load scripts without a platform: what they count, how they judge, what they say before they begin."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console

from deploy.load import evaluation_cpu, fill_queue
from deploy.load.asking import GOOD, ask, evaluations, target_of
from deploy.load.verdict import Answered, Check, conclude, p99, percentile, run, statuses

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\nsorry"


def answered_by(answers: list[bytes], number: int) -> tuple[Answered, list[bytes]]:
    """What was made of a server's answers, and what it was asked. An empty answer is a broken connection."""
    left, asked = iter(range(number)), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
            asked.append(head + await reader.readexactly(length))
            if not (answer := answers.pop(0)):
                break
            writer.write(answer)
        writer.close()

    async def go() -> Answered:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        target = target_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        found = Answered(GOOD)
        async with server:
            requests = evaluations(target, "banner", "secret")
            await ask(target, requests, lambda: next(left, None) is not None, found)
        return found

    return asyncio.run(go()), asked


def test_every_answer_is_counted_by_its_status_on_one_connection() -> None:
    found, asked = answered_by([OK, BUSY, OK], 3)
    assert found.statuses == {"200": 2, "503": 1}
    assert (found.good, found.total, len(found.seconds)) == (2, 3, 2)
    assert asked[0].startswith(b"POST /ofrep/v1/evaluate/flags/banner HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret\r\n" in asked[0]
    bodies = [json.loads(each.split(b"\r\n\r\n")[1]) for each in asked]
    assert [each["context"]["targetingKey"] for each in bodies] == ["load-0", "load-1", "load-2"]


def test_an_address_may_have_a_port_and_a_prefix() -> None:
    assert target_of("https://flags.example.org/evaluation/") == (
        "https",
        "flags.example.org",
        443,
        "/evaluation",
    )
    [request, *_] = evaluations(target_of("http://127.0.0.1:81/evaluation"), "banner", "secret")
    assert request.startswith(
        b"POST /evaluation/ofrep/v1/evaluate/flags/banner HTTP/1.1\r\nHost: 127.0.0.1:81\r\n"
    )


def test_a_connection_that_breaks_is_counted_and_made_anew() -> None:
    found, _ = answered_by([OK, b"", OK, b"HTTP/1.1 200 OK\r\nno length\r\n\r\n"], 4)
    assert found.statuses == {"200": 2, "broken: IncompleteReadError": 1, "broken: ValueError": 1}


def test_a_percentile_is_one_of_the_figures() -> None:
    assert percentile([], 99) == 0
    assert percentile([5.0], 99) == 5
    assert percentile([float(each) for each in range(100, 0, -1)], 99) == 100
    assert percentile([float(each) for each in range(1_000)], 50) == 500


@pytest.mark.parametrize(
    ("found", "holds"),
    [({"200": 5}, True), ({"200": 5, "429": 1}, False), ({"503": 5}, False), ({}, False)],
)
def test_answers_hold_when_there_are_some_and_all_are_good(found: dict[str, int], holds: bool) -> None:
    answered = Answered(GOOD)
    answered.statuses.update(found)
    assert statuses(answered).holds is holds


def test_p99_holds_up_to_its_bound_and_not_without_any_answer() -> None:
    assert p99("p99", [0.1], 100).holds
    assert not p99("p99", [0.1001], 100).holds
    assert not p99("p99", [], 100).holds


def test_one_check_that_fails_makes_the_verdict() -> None:
    out = Console(record=True, width=120)
    good, bad = Check("answers", "200", "1, all", True), Check("p99", "at most 1 ms", "2 ms", False)
    conclude("all is well", [good], out)
    with pytest.raises(typer.Exit) as ended:
        conclude("not all", [good, bad], out)
    assert ended.value.exit_code == 1
    said = out.export_text()
    assert "PASSED" in said
    assert "FAILED: p99" in said


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        (evaluation_cpu.main, [], "give --ready-file, or --url and --key"),
        (fill_queue.main, [], "give --ready-file, or --url and --key"),
        (evaluation_cpu.main, ["--url", "evaluation:8081", "--key", "k"], "looks like http://127.0.0.1:8081"),
        (evaluation_cpu.main, ["--ready-file", "none.json"], "none.json is not what"),
        (
            fill_queue.main,
            ["--by", "sqs"],
            "(http://127.0.0.1:1, TOGGLEMASTER_AWS_ENDPOINT_URL)",
        ),
    ],
)
def test_what_is_missing_is_told(
    script: Callable[..., None],
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOGGLEMASTER_EVALUATION_KEY", raising=False)
    monkeypatch.setenv("TOGGLEMASTER_AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["script", *arguments])
    with pytest.raises(SystemExit) as ended:
        run(script)
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
