"""Clients that take their time: half of them never end their headers, the others send a body byte by byte.

`python -m tests.benchmarks.serving_slow PORT PATH KEY` keeps that many connected until its standard input
ends: whoever is cut off comes back at once. Then it prints how many were cut off.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.serving_contenders import Server
from tests.benchmarks.serving_flags import Requests
from tests.benchmarks.serving_process import Cores, child

CLIENTS = 1_000
BYTE_SECONDS = 1.0  # one byte a second from each
READY = b"ready\n"
HEAD = "POST {path} HTTP/1.1\r\nhost: slow\r\nauthorization: Bearer {key}\r\n"
BODY = "content-length: 1000\r\n\r\n"
NEVER_ENDING_HEADER = "x-slow: "


@contextmanager
def slow_clients(
    server: Server, requests: Requests, cores: Cores, logs: Path, cut: list[int]
) -> Iterator[None]:
    """All are connected. How many were cut off and replaced is appended to `cut` at the end."""
    path, _ = requests.first()
    command = [sys.executable, "-m", "tests.benchmarks.serving_slow", str(server.port), path, requests.key]
    with child("slow clients", command, frozenset({cores.load}), logs, stdout=subprocess.PIPE) as started:
        popen = started.popen
        assert popen.stdin is not None
        assert popen.stdout is not None
        if popen.stdout.readline() != READY:
            raise started.failed("did not all connect")
        yield
        popen.stdin.close()
        cut.append(int(popen.stdout.readline()))


class SlowClients:
    def __init__(self, port: int, path: str, key: str) -> None:
        self.port = port
        head = HEAD.format(path=path, key=key)
        self.beginnings = [(head + each).encode() for each in (NEVER_ENDING_HEADER, BODY)]
        self.connected = asyncio.Semaphore(0)
        self.cut = 0

    async def run(self) -> None:
        """Until cancelled."""
        clients = (self._be_slow(self.beginnings[number % 2]) for number in range(CLIENTS))
        await asyncio.gather(*clients)

    async def wait_until_connected(self) -> None:
        for _ in range(CLIENTS):
            await self.connected.acquire()

    async def _be_slow(self, beginning: bytes) -> None:
        while True:
            with suppress(OSError):
                await self._dribble(beginning)
            self.cut += 1

    async def _dribble(self, beginning: bytes) -> None:
        """Returns when the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(beginning)
            self.connected.release()
            while not reader.at_eof():
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(), BYTE_SECONDS)
                writer.write(b"x")
        finally:
            writer.close()


async def main() -> None:
    port, path, key = sys.argv[1:]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    clients = SlowClients(int(port), path, key)
    running = asyncio.create_task(clients.run())
    await clients.wait_until_connected()
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    await ended.wait()
    sys.stdout.write(f"{clients.cut}\n")
    sys.stdout.flush()
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main())
