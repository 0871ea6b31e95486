"""The load scripts against a running platform: they say what happened, and fail when they should."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.samples import ENVIRONMENT
from tests.e2e.conftest import Platform
from tests.figures import tell

ENOUGH_SECONDS = 60
GENEROUS = ("--p99-ms", "5000")  # this machine may be busy with other tests
BY_HTTP, BY_SQS = 2_000, 200


def load(platform: Platform, *scripts: tuple[str, ...]) -> list[tuple[int, str]]:
    """Each script with its arguments, all at once: how it ended and what it said."""
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"deploy.load.{script}",
                "--ready-file",
                str(platform.ready_file),
                *arguments,
            ],
            env=os.environ | {"COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for script, *arguments in scripts
    ]
    said = [process.communicate(timeout=ENOUGH_SECONDS)[0] for process in running]
    return list(zip([process.returncode for process in running], said, strict=True))


def flag(platform: Platform, key: str) -> str:
    """That the key of the ready file may ask for."""
    platform.flag(key)
    platform.wait_for(platform.target(key, ENVIRONMENT))
    return key


def counted(platform: Platform, environment: str, key: str) -> int:
    path = f"/api/v1/projects/default/environments/{environment}/analytics/flags/{key}"
    return int(platform.management.get(path).json()["total"])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_driving_cpu_keeps_the_evaluator_busy_and_passes(platform: Platform) -> None:
    pid = platform.now()["pids"]["evaluation"]
    before = cpu_ticks(pid)
    [(code, said)] = load(
        platform, ("evaluation_cpu", "--connections", "8", "--ramp", "0.5", "--hold", "2", *GENEROUS)
    )
    assert (code, "PASSED" in said) == (0, True), said
    asked = re.search(r"answers +│ 200 +│ ([\d,]+), all +│ holds", said)
    assert asked, said
    assert int(asked[1].replace(",", "")) > 200
    seconds = (cpu_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    assert seconds > 0
    tell("load on the evaluator for 2.5 s", evaluations=asked[1], CPU_seconds=f"{seconds:.2f}")


def test_driving_cpu_fails_for_a_wrong_answer_and_for_slow_ones(platform: Platform) -> None:
    few = ("evaluation_cpu", "--connections", "2", "--ramp", "0", "--hold", "1")
    (wrong, why_wrong), (slow, why_slow) = load(
        platform, (*few, "--flag", "no-such-flag"), (*few, "--p99-ms", "0")
    )
    assert (wrong, slow) == (1, 1)
    assert re.search(r"answers +│ 200 +│ 404: [\d,]+ +│ fails", why_wrong), why_wrong
    assert "FAILED: p99, held" in why_slow


def test_what_is_sent_by_http_and_by_sqs_is_stored_and_nothing_else(platform: Platform) -> None:
    by_http, by_sqs = flag(platform, "load-by-http"), "load-by-sqs"
    ended = load(
        platform,
        ("fill_queue", "--flag", by_http, "--evaluations", str(BY_HTTP), *GENEROUS),
        ("fill_queue", "--flag", by_sqs, "--evaluations", str(BY_SQS), "--by", "sqs", *GENEROUS),
    )
    for (code, said), sent in zip(ended, (BY_HTTP, BY_SQS), strict=True):
        assert (code, "PASSED" in said) == (0, True), said
        assert re.search(rf"stored in DynamoDB +│ {sent:,}, as sent +│ {sent:,} +│ holds", said), said
    assert counted(platform, ENVIRONMENT, by_http) == BY_HTTP
    assert counted(platform, "production", by_sqs) == BY_SQS


def test_filling_the_queue_fails_when_not_all_is_stored(platform: Platform) -> None:
    unread = ("fill_queue", "--flag", "load-unread", "--evaluations", "50", "--by", "sqs", "--patience", "2")
    with stopped(platform.now()["pids"]["consumer"]):
        [(code, said)] = load(platform, (*unread, *GENEROUS))
    assert code == 1
    assert "FAILED: stored in DynamoDB" in said
