"""How long it takes from a commit to an evaluation that is answered by it, while others are answered too."""

import re
import signal
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from socket import create_connection
from time import monotonic, sleep
from typing import NamedTuple

from tests.benchmarks.serving_contenders import ANSWER_SECONDS, Server
from tests.benchmarks.serving_figures import Delays
from tests.benchmarks.serving_flags import Requests, World
from tests.benchmarks.serving_load import Load, result_of
from tests.benchmarks.serving_process import START_SECONDS, Failed
from tests.benchmarks.serving_storm import Commit, a_second, projector, storm

PAUSE_MS = 14  # with 64 connections and quick answers 4,500 requests a second; who watches asks for the rest
LOOK_SECONDS = 0.001  # between two looks: the figures are as coarse as that
ANSWER_BYTES = 4_096  # of one flag; it comes in one piece over loopback
POSITION = re.compile(rb'"position":(\d+)[,}]')
SEEN_WITHIN_SECONDS = 2  # after the last that is counted: four times what is promised with NOTIFY dead
LOAD_SECONDS = 600  # longer than anybody asks for; it is told to stop when all was seen


class Sight(NamedTuple):
    """An answer that came at that time had this position."""

    position: int
    seconds: float


def delays(load: Load, server: Server, world: World, seconds: float, logs: Path, *, notified: bool) -> Delays:
    """Raises Failed when a commit is not served at all, or a request fails."""
    requests = world.single()
    with projector(world, load.cores, logs, notified=notified), closing(_sights(server, requests)) as looks:
        with storm(world, load.cores, logs) as settling:
            sleep(1)
        _watch_until(looks, settling[-1].position)  # now everybody has connected
        with load.running(server, requests, LOAD_SECONDS, PAUSE_MS) as wrk:
            with storm(world, load.cores, logs) as commits:
                end = monotonic() + seconds
                sights = _watch(looks, lambda last: last.seconds > end + SEEN_WITHIN_SECONDS)
            wrk.send_signal(signal.SIGINT)  # it stops, and tells
            result = result_of(wrk)
    evaluations = result["requests"] / result["microseconds"] * 1e6
    evaluations += len(sights) / (seconds + SEEN_WITHIN_SECONDS)
    counted = [commit for commit in commits if commit.seconds < end]
    return Delays([_delay(sights, commit) for commit in counted], a_second(counted), evaluations)


def _sights(server: Server, requests: Requests) -> Generator[Sight]:
    """One look after the other, on one connection. It is to cost next to nothing: what looks shares a core
    with what is looked at."""
    path, body = requests.first()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {requests.key}\r\n"
    request = f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
    with create_connection(("127.0.0.1", server.port), ANSWER_SECONDS) as connection:
        while True:
            connection.sendall(request)
            answer = connection.recv(ANSWER_BYTES)
            if (found := POSITION.search(answer)) is None:
                raise Failed(f"an answer has no position: {answer[:200]!r}")
            yield Sight(int(found[1]), monotonic())
            sleep(LOOK_SECONDS)


def _watch(looks: Iterator[Sight], done: Callable[[Sight], bool]) -> list[Sight]:
    sights = [next(looks)]
    while not done(sights[-1]):
        sights.append(next(looks))
    return sights


def _watch_until(looks: Iterator[Sight], position: int) -> None:
    give_up = monotonic() + START_SECONDS
    last = _watch(looks, lambda sight: sight.position >= position or sight.seconds > give_up)[-1]
    if last.position < position:
        raise Failed(f"the projector had not brought position {position} after {START_SECONDS} s")


def _delay(sights: Sequence[Sight], commit: Commit) -> float:
    """Positions never go back, so the first sight of it, or of one behind it, is where it is sorted in."""
    first = bisect_left(sights, commit.position, key=lambda sight: sight.position)
    if first == len(sights):
        raise Failed(f"position {commit.position} was not served within {SEEN_WITHIN_SECONDS} s")
    return (sights[first].seconds - commit.seconds) * 1e3
