"""The whole platform on one machine: `togglemaster dev`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from commands.secret_keys import new_key
from deploy import original_ports
from deploy.demo import Demo
from deploy.embedded import (
    NAMES,
    EmbeddedError,
    die_with_parent,
    embedded_parts,
    free_port,
    why_not_bindable,
)
from deploy.processes.setup import set_up
from deploy.samples import Samples, console_link, is_ready, make_samples, wait_until, write_private
from deploy.settings import ORIGINAL_NAMES, Settings, read_settings

POLL_SECONDS = 0.2
READY_SECONDS = 60
STOP_SECONDS = 10  # the consumer finishes what it received; the evaluation API sends what it counted
RESTART_SECONDS = 1.0  # a process that ends at once is not started more often than this
LOG_TAIL_BYTES = 2_000

ADDRESSES = {
    "postgres": "TOGGLEMASTER_POSTGRES_URL",
    "valkey": "TOGGLEMASTER_REDIS_URL",
    "aws": "TOGGLEMASTER_AWS_ENDPOINT_URL",
}
LOCAL_DEFAULTS = {
    # The AWS client wants some; the embedded SQS and DynamoDB accept any.
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "TOGGLEMASTER_RECORDS": "all",  # nobody evaluates so much here that it would be too much
    "TOGGLEMASTER_QUEUE_WAIT_SECONDS": "1",  # requests cost nothing here, and Ctrl-C should not take long
}

COMMANDS: Mapping[str, tuple[str, str]] = {
    "projector": ("work", "projector"),
    "consumer": ("work", "consumer"),
    "webhooks": ("work", "webhooks"),
    "scheduler": ("work", "scheduler"),
    "management": ("serve", "management"),
    "evaluation": ("serve", "evaluation"),
}
STOP_ORDER = ("evaluation", "management", "scheduler", "projector", "consumer", "webhooks")


def default_data_dir() -> Path:
    """As root below /var/lib, since PostgreSQL runs as another user there; else in the user's own."""
    if os.geteuid() == 0:
        return Path("/var/lib/togglemaster")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "togglemaster"


def run_dev(
    data_dir: Path,
    *,
    ready_file: Path | None,
    ports: tuple[int, int],
    original_port: int | None,
    with_demo: bool,
    console: Console,
) -> None:
    """Runs until Ctrl-C or SIGTERM; then everything it started has ended.

    Raises EmbeddedError or Unanswered when something does not start.
    """
    for name in ORIGINAL_NAMES.values():  # in a developer's environment they are another program's
        os.environ.pop(name, None)
    claimed = {} if original_port is None else original_ports.claim(original_port)
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: a shell starts background jobs without it
        signal.signal(number, _interrupt)
    console.print(f"Starting ToggleMaster; everything is kept in {data_dir}", soft_wrap=True)
    try:
        with _addresses(data_dir) as (addresses, pids):
            if "valkey" in pids:  # at another port each time: the copies of earlier runs are nobody's
                shutil.rmtree(_copies(data_dir), ignore_errors=True)
            environment = _environment(addresses, data_dir)
            platform = Platform(data_dir, environment, pids, ports, claimed, console)
            with platform.running():
                samples = platform.samples()
                with _demo(samples) if with_demo else nullcontext():
                    platform.announce(samples, ready_file)
                    platform.watch()
    except KeyboardInterrupt:
        console.print("Stopped. The data is kept, and the next start goes on with it.")
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


@contextmanager
def _demo(samples: Samples) -> Iterator[None]:
    demo = Demo(samples)
    demo.start()
    try:
        yield
    finally:
        demo.stop()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _addresses(data_dir: Path) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """The address of each part by its variable, and the pids of those that were started here."""
    given = {name: os.environ[variable] for name, variable in ADDRESSES.items() if os.environ.get(variable)}
    with embedded_parts(data_dir, set(NAMES) - set(given)) as parts:
        urls = given | {name: part.url for name, part in parts.items()}
        pids = {name: part.process.pid for name, part in parts.items()}
        yield {ADDRESSES[name]: url for name, url in urls.items()}, pids


def _environment(addresses: dict[str, str], data_dir: Path) -> dict[str, str]:
    own = {"COPY_DIR": _copies(data_dir), "SPOOL_DIR": data_dir / "spool"}
    defaults = LOCAL_DEFAULTS | {f"TOGGLEMASTER_{name}": str(path) for name, path in own.items()}
    return defaults | dict(os.environ) | addresses | {"TOGGLEMASTER_ADMIN_KEY": _admin_key(data_dir)}


def _copies(data_dir: Path) -> Path:
    return data_dir / "evaluation"


def _admin_key(data_dir: Path) -> str:
    """The one in the environment, else the one made at the first start."""
    kept = data_dir / "admin-key"
    if given := os.environ.get("TOGGLEMASTER_ADMIN_KEY"):
        return given
    if not kept.exists():
        write_private(kept, new_key("admin")[1])
    return kept.read_text().strip()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@dataclass
class Platform:
    """Our own processes, on parts that run already."""

    data_dir: Path
    environment: dict[str, str]
    part_pids: Mapping[str, int]
    ports: tuple[int, int]
    original_ports: Mapping[str, int]
    console: Console
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    ready: tuple[Samples, Path] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        self.ports = self._usable("management", self.ports[0]), self._usable("evaluation", self.ports[1])
        try:
            set_up(self._settings())
            for name in COMMANDS:
                self._start(name)
            yield
        finally:
            self._stop()

    def samples(self) -> Samples:
        """Waits until everything answers."""
        management, evaluation = map(_url, self.ports)
        for name, url in (("management", management), ("evaluation", evaluation)):
            wait_until(partial(self._is_up, name, url), READY_SECONDS, f"the {name} API answering at {url}")
        admin_key, kept = self.environment["TOGGLEMASTER_ADMIN_KEY"], self.data_dir / "evaluation-key"
        return make_samples(management, evaluation, admin_key, kept, READY_SECONDS)

    def announce(self, samples: Samples, ready_file: Path | None) -> None:
        if ready_file is not None:
            self.ready = samples, ready_file
            self._write_ready_file()
        say = self.say
        if self._settings().console:
            link = console_link(samples.management_url, samples.admin_key)
            say(f"\nConsole          {link}   (signs in once, within two minutes)")
            say(f"                 {samples.management_url}/console   (sign in with the administrator's key)")
        say(f"\nManagement API   {samples.management_url}/api/v1   (described in /openapi.json)")
        say(f"Evaluation API   {samples.evaluation_url}/ofrep/v1")
        if self.original_ports:
            say(f"Original's ports {original_ports.described(self.original_ports)}")
        say(f"Administrator    {samples.admin_key}")
        say(f"Evaluation key   {samples.evaluation_key}   (project default, environment development)")
        say(f"Logs             {self._log('').parent}")
        say(f"\nTry it:\n\n{samples.curl()}\n\nCtrl-C stops everything.")

    def say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def watch(self) -> NoReturn:
        """Starts again what ends by itself."""
        while True:
            time.sleep(POLL_SECONDS)
            for name, child in list(self.children.items()):
                if child.poll() is not None and time.monotonic() - self.began[name] > RESTART_SECONDS:
                    self.say(f"{name} ended with status {child.returncode}; starting it again")
                    self._start(name)
                    self._write_ready_file()

    def _write_ready_file(self) -> None:
        if self.ready is None:
            return
        samples, path = self.ready
        content = {
            "management_url": samples.management_url,
            "evaluation_url": samples.evaluation_url,
            "original_url": samples.management_url,
            "original_evaluate_url": samples.evaluation_url,
            "admin_key": samples.admin_key,
            "evaluation_key": samples.evaluation_key,
            "postgres_url": self.environment[ADDRESSES["postgres"]],
            "redis_url": self.environment[ADDRESSES["valkey"]],
            "aws_endpoint_url": self.environment[ADDRESSES["aws"]],
            "pids": {**self.part_pids, **{name: child.pid for name, child in self.children.items()}},
        }
        if self.original_ports:
            content["original_ports"] = {name: _url(port) for name, port in self.original_ports.items()}
        write_private(path, json.dumps(content, indent=2) + "\n")

    def _usable(self, name: str, port: int) -> int:
        if not (reason := why_not_bindable(port)):
            return port
        other = free_port()
        self.say(f"Port {port} is not free ({reason}): the {name} API uses {other} instead.")
        return other

    def _start(self, name: str) -> None:
        environment = self.environment | self._listening(name)
        if first := environment.get("TOGGLEMASTER_METRICS_PORT"):  # from there on, one for each worker
            environment["TOGGLEMASTER_METRICS_PORT"] = str(int(first) + list(COMMANDS).index(name))
        self.children[name] = self._popen(name, COMMANDS[name], environment)
        self.began[name] = time.monotonic()

    def _listening(self, name: str) -> dict[str, str]:
        """Settings of a process that has ports."""
        port = dict(zip(("management", "evaluation"), self.ports, strict=True)).get(name)
        if port is None:
            return {}
        return {
            "TOGGLEMASTER_PORT": str(port),
            "TOGGLEMASTER_ALSO_PORTS": original_ports.ports_of(name, self.original_ports),
            "TOGGLEMASTER_EVALUATION_URL": _url(self.ports[1]),
        }

    def _settings(self) -> Settings:
        os.environ.update(self.environment)  # the AWS client reads its credentials there
        return read_settings()

    def _popen(
        self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._log(name).open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", "deploy.cli", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is for us, and we stop them in order
                preexec_fn=partial(die_with_parent, signal.SIGTERM, os.getpid()),  # noqa: PLW1509 - one call into libc
            )

    def _is_up(self, name: str, url: str) -> bool:
        if (status := self.children[name].poll()) is not None:
            raise EmbeddedError(f"the {name} API ended with status {status}.\n{self._tail(name)}")
        return is_ready(url)

    def _stop(self) -> None:
        for name in STOP_ORDER:
            if name in self.children:
                self.children[name].terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _log(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"

    def _tail(self, name: str) -> str:
        log = self._log(name)
        return f"Its log, {log}, ends:\n{log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors='replace')}"
