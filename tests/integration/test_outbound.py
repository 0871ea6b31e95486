"""Requests to addresses that users give, over real connections."""

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.receiver import misbehaving, receiving
from workers.outbound import Forbidden, IpAddress, Outbound, Unreachable

LOCAL = Outbound(allow_private=True)
QUICK = Outbound(allow_private=True, whole_seconds=0.3)
REQUEST_BYTES = 1000


def test_it_posts_what_it_is_given() -> None:
    with receiving() as receiver:
        assert LOCAL.post(f"{receiver.url}?a=b%20c", b"body", {"X-One": "1"}) == 204
    (got,) = receiver.got
    assert (got.path, got.body, got.headers["x-one"]) == ("/hook?a=b%20c", b"body", "1")
    assert got.headers["host"] == receiver.url.split("/")[2]


def test_a_private_address_is_not_connected_to() -> None:
    with receiving() as receiver:
        for url in (receiver.url, receiver.url.replace("http:", "https:")):
            with pytest.raises(Forbidden):
                Outbound().post(url, b"", {})
    assert receiver.got == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with receiving() as target, receiving(lambda _: status, Location=target.url) as receiver:
        assert LOCAL.post(receiver.url, b"", {}) == status
    assert target.got == []


def test_the_name_is_looked_up_once_and_that_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[IpAddress]:
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "127.0.0.2")]

    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "hook.example")
        assert Outbound(allow_private=True, resolve=rebinding).post(url, b"", {}) == 204
    assert asked == ["hook.example"]
    assert receiver.got[0].headers["host"].startswith("hook.example:")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiving() as receiver:
        assert LOCAL.post(receiver.url, b"", {}) == 204


def test_the_second_address_is_tried_when_the_first_does_not_answer() -> None:
    both = [ip_address("127.0.0.2"), ip_address("127.0.0.1")]
    with receiving() as receiver:
        outbound = Outbound(allow_private=True, resolve=lambda host, port: both)
        assert outbound.post(receiver.url, b"", {}) == 204


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="Connection refused"):
        LOCAL.post(f"http://127.0.0.1:{port}/", b"", {})


def test_a_name_that_nobody_has_is_said() -> None:
    def unknown(host: str, port: int) -> list[IpAddress]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Unreachable, match=r"'none\.example' was not found"):
        Outbound(resolve=unknown).post("https://none.example/", b"", {})
    with pytest.raises(Unreachable, match="not found"):
        LOCAL.post("http://a..b/", b"", {})
    with pytest.raises(Unreachable, match="no address"):
        Outbound(resolve=lambda host, port: []).post("https://none.example/", b"", {})


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    release = threading.Event()

    def hanging(host: str, port: int) -> list[IpAddress]:
        release.wait()
        return []

    with pytest.raises(Unreachable, match="no answer within"):
        Outbound(resolve=hanging, connect_seconds=0.1).post("https://slow.example/", b"", {})
    release.set()


def test_a_receiver_that_does_not_answer_is_cut_off() -> None:
    release = threading.Event()
    with receiving(lambda _: 200 if release.wait() else 500) as receiver:
        with pytest.raises(Unreachable, match="no whole answer within"):
            QUICK.post(receiver.url, b"", {})
        release.set()


def drip(connection: socket.socket) -> None:
    """Headers without end, a byte at a time: no single read ever waits for long."""
    connection.recv(REQUEST_BYTES)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.01)


def go_on(connection: socket.socket) -> None:
    connection.recv(REQUEST_BYTES)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


@pytest.mark.parametrize("behave", [drip, go_on])
def test_headers_that_never_end_are_cut_off(behave: Callable[[socket.socket], None]) -> None:
    with misbehaving(behave) as host, pytest.raises(Unreachable, match="no whole answer"):
        QUICK.post(f"http://{host}/", b"", {})


def test_a_tls_handshake_that_never_ends_is_cut_off() -> None:
    def dripping_handshake(connection: socket.socket) -> None:
        connection.recv(REQUEST_BYTES)
        connection.sendall(b"\x16\x03\x03\x40\x00")  # a handshake record of 16 KiB begins
        while True:
            connection.sendall(b"\x00")
            time.sleep(0.01)

    with misbehaving(dripping_handshake) as host, pytest.raises(Unreachable, match="no whole answer"):
        QUICK.post(f"https://{host}/", b"", {})


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000000000000\r\n", b"Transfer-Encoding: chunked\r\n", b""]
)
def test_a_body_that_never_ends_is_not_read(head: bytes) -> None:
    sent: list[int] = []

    def stream(connection: socket.socket) -> None:
        connection.recv(REQUEST_BYTES)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:
            sent.append(connection.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n"))

    with misbehaving(stream) as host:
        assert LOCAL.post(f"http://{host}/", b"", {}) == 200
    assert sum(sent) < 20_000_000  # what the kernel's buffers hold, and no more


def test_a_body_that_comes_slowly_is_not_waited_for() -> None:
    def slow(connection: socket.socket) -> None:
        connection.recv(REQUEST_BYTES)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.01)

    with misbehaving(slow) as host:
        assert QUICK.post(f"http://{host}/", b"", {}) == 200


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_said(answer: bytes) -> None:
    def say(connection: socket.socket) -> None:
        connection.recv(REQUEST_BYTES)
        connection.sendall(answer)

    with misbehaving(say) as host, pytest.raises(Unreachable, match="not HTTP"):
        LOCAL.post(f"http://{host}/", b"", {})


def certificate(directory: Path, name: str) -> Path:
    """Certificate and key in one file; the certificate is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = directory / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """The port of an HTTPS receiver that is hook.example, its certificate, and the names it was asked for."""
    names: list[str] = []
    file = certificate(tmp_path, "hook.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.sni_callback = lambda connection, name, _: names.append(name)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(REQUEST_BYTES)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with misbehaving(answer) as host:
        yield host.split(":")[1], file, names


def trusting(file: Path | None) -> Outbound:
    return Outbound(
        allow_private=True,
        resolve=lambda host, port: [ip_address("127.0.0.1")],
        tls=ssl.create_default_context(cafile=file),
    )


def test_the_certificate_has_to_be_the_names(secured: tuple[str, Path, list[str]]) -> None:
    port, file, names = secured
    assert trusting(file).post(f"https://hook.example:{port}/", b"", {}) == 200
    with pytest.raises(Unreachable, match="certificate"):
        trusting(file).post(f"https://other.example:{port}/", b"", {})
    with pytest.raises(Unreachable, match="certificate"):
        trusting(None).post(f"https://hook.example:{port}/", b"", {})
    assert names == ["hook.example", "other.example", "hook.example"]
