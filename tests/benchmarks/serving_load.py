"""The load: wrk on a core of its own, and what is compared in turn, so that a slow minute hits everybody."""

import json
import os
import resource
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.serving_contenders import Server
from tests.benchmarks.serving_figures import Sample
from tests.benchmarks.serving_flags import Requests
from tests.benchmarks.serving_process import Cores, Failed, busy_seconds
from tests.benchmarks.serving_tools import Tool

CONNECTIONS = 64
SCRIPT = Path(__file__).with_name("serving.lua")
TIMEOUT_SECONDS = 30  # a thousand flags for each of 64 connections may take long, and is no failure
WARM_SECONDS = 1  # the interpreter has specialised what it runs often by then


@dataclass(frozen=True)
class Case:
    """`meanwhile` is what goes on while it is measured."""

    name: str
    server: Server
    requests: Requests
    meanwhile: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(frozen=True)
class Load:
    wrk: Tool
    cores: Cores

    def in_turn(
        self, cases: Sequence[Case], rounds: int, seconds: int, tell: Callable[[str], None]
    ) -> dict[str, list[Sample]]:
        """A B C A B C ...; everybody else is stopped meanwhile. `tell` hears whose turn it is."""
        for case in cases:
            case.server.child.sleep()
        for case in cases:
            tell(f"warming up {case.name}")
            with case.server.child.awake():
                case.server.first_answer(case.requests)
                self.measure(case, WARM_SECONDS)
        samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
        for _ in range(rounds):
            for case in cases:
                tell(case.name)
                with case.server.child.awake(), case.meanwhile():
                    samples[case.name].append(self.measure(case, seconds))
        return samples

    def measure(self, case: Case, seconds: int) -> Sample:
        """Raises Failed when any request was not answered well, or any evaluation not counted."""
        counted, before = case.server.counted(), self._spent(case.server)
        with self.running(case.server, case.requests, seconds) as wrk:
            result = result_of(wrk)
        spent = [late - early for early, late in zip(before, self._spent(case.server), strict=True)]
        server, whole_core, load = spent
        requests, lasted = result["requests"], result["microseconds"] / 1e6
        return Sample(
            requests,
            lasted,
            p50_ms=result["p50"] / 1e3,
            p99_ms=result["p99"] / 1e3,
            max_ms=result["max"] / 1e3,
            server_us=server / requests * 1e6,
            load_busy=load / lasted,
            others_busy=max(0.0, whole_core - server) / lasted,
            dropped=_dropped(case, counted, requests),
        )

    def _spent(self, server: Server) -> tuple[float, float, float]:
        """CPU seconds so far of the server, of whoever was on its core, and of the wrks that have ended."""
        return server.child.cpu_seconds(), busy_seconds(self.cores.server), _children_seconds()

    @contextmanager
    def running(
        self, server: Server, requests: Requests, seconds: int, pause_ms: int | None = None
    ) -> Iterator["subprocess.Popen[str]"]:
        """With a pause each connection waits so long on average before its next request."""
        arguments = [
            str(self.wrk.program),
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            f"--timeout={TIMEOUT_SECONDS}s",
        ]
        arguments += ["-H", f"Authorization: Bearer {requests.key}", "-H", "Content-Type: application/json"]
        arguments += ["-s", str(SCRIPT), f"http://127.0.0.1:{server.port}", "--", str(requests.file)]
        arguments += [] if pause_ms is None else [str(pause_ms)]
        with subprocess.Popen(
            arguments,
            env=os.environ | self.wrk.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=partial(os.sched_setaffinity, 0, {self.cores.load}),  # noqa: PLW1509 - one system call
        ) as popen:
            try:
                yield popen
            finally:
                popen.kill()


def result_of(wrk: "subprocess.Popen[str]") -> Any:
    """Raises Failed for anything but answers, all of them 2xx."""
    said, _ = wrk.communicate()
    lines = said.strip().splitlines() or ["nothing"]
    if wrk.returncode != 0 or not lines[-1].startswith("{"):
        raise Failed(f"wrk ended with status {wrk.returncode} and said: {said.strip()}")
    result = json.loads(lines[-1])
    if any(result["errors"].values()) or not result["requests"]:
        raise Failed(f"of {result['requests']} requests some failed: {result['errors']}")
    return result


def _dropped(case: Case, before: dict[str, int], requests: int) -> int:
    more = {name: value - before[name] for name, value in case.server.counted().items()}
    if more and more["recorded"] < requests * case.requests.flags:
        raise Failed(f"{case.name} counted {more['recorded']} evaluations of {requests} requests")
    return sum(more.values()) - more["recorded"] if more else 0


def _children_seconds() -> float:
    """CPU time of the processes that have ended: between two calls, of wrk."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
