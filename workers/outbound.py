"""Requests to addresses that users give: only to public machines, and for a bounded time.

A name is resolved once, every address it has is looked at, and the connection goes to exactly those; so a
name that answers differently a moment later (DNS rebinding) leads nowhere else. No proxy is used and no
redirect followed.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from queue import Empty, Queue
from urllib.parse import SplitResult, urlsplit

from domain.addresses import is_public
from domain.webhook import port_of

CONNECT_SECONDS = 3.0  # a machine that is there answers a packet sooner, on the other side of the world too
WHOLE_SECONDS = 10.0  # looking up, connecting, sending and the answer together
BODY_BYTES = 65_536  # read so that the receiver may finish its answer, then dropped

IpAddress = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[IpAddress]]
"""The addresses of a host. Raises OSError."""


class Unreachable(Exception):
    """There was no answer; the text says why, for whoever registered the address."""


class Forbidden(Unreachable):
    """Nothing is sent there."""


def resolve(host: str, port: int, flags: int = 0) -> list[IpAddress]:
    """As connecting would: 127.1, 0x7f000001 and 2130706433 are all 127.0.0.1."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


@dataclass(frozen=True)
class Outbound:
    """Thread-safe. `allow_private` lets requests go to private addresses, and without TLS."""

    allow_private: bool = False
    connect_seconds: float = CONNECT_SECONDS
    whole_seconds: float = WHOLE_SECONDS
    resolve: Resolve = resolve
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def refuse_forbidden(self, url: str) -> None:
        """Raises Forbidden for what can be told without looking a name up."""
        parts = urlsplit(url)
        self._refuse_plain(parts)
        try:
            found = resolve(parts.hostname or "", port_of(parts), socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return  # a name, which may lead elsewhere by the time it is used
        self._refuse_private(parts, found)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises Unreachable."""
        deadline = time.monotonic() + self.whole_seconds
        parts = urlsplit(url)
        self._refuse_plain(parts)
        addresses = self._addresses(parts)
        self._refuse_private(parts, addresses)
        try:
            with self._connected(addresses, port_of(parts), deadline) as connection:
                return self._exchange(parts, connection, body, headers, deadline)
        except (OSError, ValueError, http.client.HTTPException) as problem:
            if time.monotonic() >= deadline:
                raise Unreachable(f"no whole answer within {self.whole_seconds:g} seconds") from problem
            raise Unreachable(_told(problem)) from problem

    def _refuse_plain(self, parts: SplitResult) -> None:
        if parts.scheme != "https" and not self.allow_private:
            raise Forbidden(
                "the address has to begin with https://, so that nobody else can read what is sent"
            )

    def _refuse_private(self, parts: SplitResult, addresses: Sequence[IpAddress]) -> None:
        private = [str(each) for each in addresses if not is_public(each)]
        if private and not self.allow_private:
            raise Forbidden(
                f"'{parts.hostname}' is at {private[0]}, which is not a public address; webhooks are sent to"
                " public ones only"
            )

    def _addresses(self, parts: SplitResult) -> Sequence[IpAddress]:
        """Looked up in a thread of its own, as the system's resolver takes as long as it likes."""
        assert parts.hostname is not None
        answers: Queue[Sequence[IpAddress] | Exception] = Queue()
        threading.Thread(
            target=_answer, args=(self.resolve, parts.hostname, port_of(parts), answers), daemon=True
        ).start()
        try:
            answer = answers.get(timeout=self.connect_seconds)
        except Empty:
            answer = TimeoutError(f"no answer within {self.connect_seconds:g} seconds")
        if isinstance(answer, Exception):
            raise Unreachable(f"the name '{parts.hostname}' was not found: {answer}") from answer
        return answer

    @contextmanager
    def _connected(
        self, addresses: Sequence[IpAddress], port: int, deadline: float
    ) -> Iterator[socket.socket]:
        with self._connect(addresses, port, deadline) as connection, _cut_at(connection, deadline):
            connection.settimeout(self.whole_seconds)
            yield connection

    def _connect(self, addresses: Sequence[IpAddress], port: int, deadline: float) -> socket.socket:
        problem = OSError("the name has no address")
        for address in addresses:
            seconds = min(self.connect_seconds, deadline - time.monotonic())
            try:
                return socket.create_connection((str(address), port), max(seconds, 0.001))
            except OSError as fault:
                problem = fault
        raise Unreachable(f"no connection: {_told(problem)}") from problem

    def _exchange(
        self,
        parts: SplitResult,
        connection: socket.socket,
        body: bytes,
        headers: Mapping[str, str],
        deadline: float,
    ) -> int:
        asking = http.client.HTTPConnection(parts.hostname or "")
        asking.sock = self._secured(connection, parts) if parts.scheme == "https" else connection
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with closing(asking):
            asking.request("POST", path, body, {**headers, "Host": parts.netloc, "Connection": "close"})
            with asking.getresponse() as answer:
                if time.monotonic() >= deadline:  # headers that were cut off look as if they had ended
                    raise TimeoutError
                _drop(answer)
                return answer.status

    def _secured(self, connection: socket.socket, parts: SplitResult) -> ssl.SSLSocket:
        return self.tls.wrap_socket(connection, server_hostname=parts.hostname)


@contextmanager
def _cut_at(connection: socket.socket, deadline: float) -> Iterator[None]:
    """Ends the connection at the deadline whatever it is doing; timeouts of sockets are for one byte each."""
    handle = connection.dup()  # stays valid when TLS takes the socket over
    timer = threading.Timer(max(deadline - time.monotonic(), 0), _end, [handle])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        handle.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _answer(
    resolve: Resolve, host: str, port: int, answers: "Queue[Sequence[IpAddress] | Exception]"
) -> None:
    try:
        answers.put(resolve(host, port))
    except (OSError, UnicodeError) as problem:
        answers.put(problem)


def _drop(answer: http.client.HTTPResponse) -> None:
    """The status is known by now; what becomes of the rest is of no interest."""
    with suppress(OSError, ValueError, http.client.HTTPException):
        answer.read(BODY_BYTES)


def _told(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "it took too long"
    if isinstance(problem, http.client.HTTPException):
        return f"the answer is not HTTP ({type(problem).__name__})"
    return str(getattr(problem, "strerror", None) or problem)
