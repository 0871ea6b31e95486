"""OpenFeature's own providers for OFREP against an evaluation API that really listens.

Those written in JavaScript are installed from npm into a directory that goes away again.
"""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from redis import Redis

from api.evaluation import event_streams, event_tokens
from commands.event_store import EventStore
from commands.models import CreateFlag, FlagDefinition
from commands.secret_keys import new_key
from deploy.embedded import free_port
from domain.values import FlagType
from tests.figures import tell
from tests.integration.evaluator import Evaluator, Platform, evaluator, platform_on
from tests.integration.shop import BRAZIL, rule

SCRIPTS = Path(__file__).parent / "ofrep_clients"
NPM, NODE = shutil.which("npm") or "", shutil.which("node") or ""
UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET", "ENETUNREACH")
INSTALL_SECONDS = 120
ANSWER_SECONDS = 60  # to start node and ask a dozen questions, on a busy machine

VALUES: dict[str, tuple[FlagType, Any]] = {
    "boolean": (FlagType.BOOLEAN, True),
    "string": (FlagType.STRING, "olá"),
    "integer": (FlagType.INTEGER, 7),
    "float": (FlagType.FLOAT, 1),
    "object": (FlagType.OBJECT, {"colour": "blue", "sizes": [1, 2.5]}),
}
BRAZILIAN = {"targetingKey": "user-1", "country": "BR"}


@pytest.fixture(autouse=True)
def _clients_come_back_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "RETRY_MS", 200)
    monkeypatch.setattr(event_streams, "RETRY_SPREAD_MS", 1)


@pytest.fixture
def platform(store: EventStore, redis: Redis) -> Platform:
    """A flag of each type, and one for each thing that may come of asking."""
    platform = platform_on(store, redis)
    for key, (flag_type, value) in VALUES.items():
        definition = FlagDefinition(key=key, type=flag_type, variants={"v": value})
        platform.shop.give(CreateFlag(project="shop", definition=definition))
        platform.shop.target(key, off_variant=None, default={"variant": "v"})
    wishes: dict[str, dict[str, Any]] = {
        "brazil": {"default": {"variant": "off"}, "rules": [rule(BRAZIL, "brazil")]},
        "half": {"default": {"split": {"weights": {"on": 50_000, "off": 50_000}}}},
        "off": {"enabled": False},
        "code-default": {"default": {"code_default": True}},
    }
    for key, targeting in wishes.items():
        platform.shop.flag(key, client_visible=True)
        platform.shop.target(key, **targeting)
    platform.project()
    return platform


@pytest.fixture
def served(platform: Platform, redis: Redis) -> Iterator[Evaluator]:
    with evaluator(redis) as running:
        yield running


@pytest.fixture
def key(served: Evaluator, platform: Platform) -> str:
    return _key(served, platform)


def _key(served: Evaluator, platform: Platform) -> str:
    key = platform.issue()
    served.reach(platform.shop.store.head())
    return key


class TooMany(BaseHTTPRequestHandler):
    """Answers that a client asks too often, as any server may."""

    def do_POST(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(429)
        self.send_header("Retry-After", "30")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def too_busy() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), TooMany) as server:
        server.asked = 0  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def python_client(url: str, key: str) -> OpenFeatureClient:
    provider = OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
    openfeature.set_provider(provider, "ofrep-clients")
    return openfeature.get_client("ofrep-clients")


def test_python_values_of_every_type(served: Evaluator, key: str) -> None:
    client, nobody = python_client(served.url, key), EvaluationContext()
    assert client.get_boolean_value("boolean", False, nobody) is True
    assert client.get_string_value("string", "", nobody) == "olá"
    assert client.get_integer_value("integer", 0, nobody) == 7
    found = client.get_float_value("float", 0.0, nobody)
    assert (found, type(found)) == (1.0, float)
    assert client.get_object_value("object", {}, nobody) == VALUES["object"][1]


def test_python_reasons_and_errors(served: Evaluator, key: str) -> None:
    client = python_client(served.url, key)

    def asked(flag: str, **attributes: Any) -> tuple[Any, ...]:
        details = client.get_boolean_details(flag, True, EvaluationContext(None, attributes))
        return details.value, details.variant, details.reason, details.error_code

    assert asked("brazil", country="BR") == (True, "on", "TARGETING_MATCH", None)
    assert asked("brazil", country="PT") == (False, "off", "DEFAULT", None)
    assert asked("off") == (False, "off", "DISABLED", None)
    assert asked("code-default") == (True, "code_default", "STATIC", None)
    assert asked("nothing") == (True, None, "ERROR", ErrorCode.FLAG_NOT_FOUND)
    assert asked("half") == (True, None, "ERROR", ErrorCode.TARGETING_KEY_MISSING)
    assert asked("string") == (True, None, "ERROR", ErrorCode.TYPE_MISMATCH)
    split = client.get_boolean_details("half", True, EvaluationContext("user-1"))
    assert (split.reason, split.error_code) == ("SPLIT", None)
    assert {"bucket", "flagVersion", "position", "why"} <= split.flag_metadata.keys()


def test_python_a_key_that_is_none(served: Evaluator) -> None:
    details = python_client(served.url, new_key("server")[1]).get_boolean_details("boolean", False)
    assert (details.value, details.error_code, details.error_message) == (
        False,
        ErrorCode.GENERAL,
        "unauthorized",
    )


def test_python_waits_when_it_asked_too_often() -> None:
    with too_busy() as server:
        client = python_client(f"http://127.0.0.1:{server.server_port}", "any")
        for _ in range(3):
            assert client.get_boolean_details("boolean", True).error_code == ErrorCode.GENERAL
        assert server.asked == 1


@pytest.fixture(scope="session")
def installed() -> Iterator[Path]:
    """The scripts beside what they need."""
    if not (NPM and NODE):
        pytest.skip("node and npm are not installed, so the providers for JavaScript are not tried")
    with tempfile.TemporaryDirectory(prefix="togglemaster-npm-") as name:
        directory = Path(name) / "clients"
        shutil.copytree(SCRIPTS, directory, ignore=shutil.ignore_patterns("node_modules"))
        done = subprocess.run(
            [NPM, "ci", "--ignore-scripts", "--fetch-retries=0"],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode and any(sign in done.stderr for sign in UNREACHABLE):
            pytest.skip("npm reaches no registry, so the providers for JavaScript are not tried")
        assert done.returncode == 0, done.stderr
        yield directory


Question = tuple[str, str, Any, Any]
"""A flag, a type, the caller's own default and a context."""


def ask_node(directory: Path, url: str, key: str, *questions: Question) -> list[Any]:
    asked = [dict(zip(("flag", "type", "fallback", "context"), each, strict=True)) for each in questions]
    done = subprocess.run(
        [NODE, "server.mjs", url, key],
        cwd=directory,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_node_values_reasons_and_errors(installed: Path, served: Evaluator, key: str) -> None:
    answers = ask_node(
        installed,
        served.url,
        key,
        ("boolean", "boolean", False, {}),
        ("string", "string", "", {}),
        ("integer", "number", 0, {}),
        ("float", "number", 0.5, {}),
        ("object", "object", {}, {}),
        ("brazil", "boolean", False, BRAZILIAN),
        ("off", "boolean", True, {}),
        ("nothing", "boolean", True, {}),
        ("half", "boolean", True, {}),
        ("string", "boolean", True, {}),
        ("code-default", "boolean", True, {}),
    )
    assert [each["value"] for each in answers[:5]] == [True, "olá", 7, 1, VALUES["object"][1]]
    assert all(each["variant"] == "v" and each["reason"] == "STATIC" for each in answers[:5])
    brazil, off, nothing, half, mismatch, code_default = answers[5:]
    assert (brazil["value"], brazil["reason"]) == (True, "TARGETING_MATCH")
    assert brazil["flagMetadata"]["ruleId"] == "brazil"
    assert (off["value"], off["reason"]) == (False, "DISABLED")
    assert (nothing["value"], nothing["errorCode"]) == (True, "FLAG_NOT_FOUND")
    assert (half["value"], half["errorCode"]) == (True, "TARGETING_KEY_MISSING")
    assert (mismatch["value"], mismatch["errorCode"]) == (True, "TYPE_MISMATCH")
    # This provider (0.1.3) takes an answer without a value for a mistake; the caller's default counts anyway.
    assert (code_default["value"], code_default["errorCode"]) == (True, "GENERAL")


def test_node_a_key_that_is_none(installed: Path, served: Evaluator) -> None:
    wrong = new_key("server")[1]
    (answer,) = ask_node(installed, served.url, wrong, ("boolean", "boolean", False, {}))
    assert (answer["value"], answer["errorCode"]) == (False, "GENERAL")


def test_node_waits_when_it_asked_too_often(installed: Path) -> None:
    with too_busy() as server:
        questions: list[Question] = [("boolean", "boolean", True, {})] * 3
        answers = ask_node(installed, f"http://127.0.0.1:{server.server_port}", "any", *questions)
        assert [each["value"] for each in answers] == [True] * 3
        assert server.asked == 1


@dataclass
class Page:
    """The web provider in node, told of by a line for each thing that happens."""

    process: "subprocess.Popen[str]"
    happened: list[Any]

    def until(self, name: str, holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next thing of that name for which it holds."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.happened.append(json.loads(line))
            if self.happened[-1]["happened"] == name and holds(self.happened[-1]):
                return self.happened[-1]
        raise AssertionError(f"the page ended: {self.happened}")


@contextmanager
def page(directory: Path, url: str, key: str, flag: str) -> Iterator[Page]:
    command = [NODE, "web.mjs", url, key, flag]
    with subprocess.Popen(
        command, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        killer = Thread(target=_kill_when_late, args=(process,), daemon=True)
        killer.start()
        try:
            yield Page(process, [])
        finally:
            process.kill()


def _kill_when_late(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait(ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def test_a_page_hears_of_a_change_and_asks_again(
    installed: Path, served: Evaluator, platform: Platform, key: str
) -> None:
    with page(installed, served.url, key, "brazil") as shown:
        ready = shown.until("ready")["details"]
        assert (ready["value"], ready["reason"]) == (True, "TARGETING_MATCH")
        shown.until("listened", lambda it: it["status"] == 200)
        # The first event asks for what may have been missed: nothing.
        unchanged = shown.until("asked", lambda it: it["known"])
        assert (unchanged["status"], unchanged["etag"]) == (304, unchanged["known"])
        changed_at = platform.switch("brazil", on=False)
        asked = shown.until("asked", lambda it: it["status"] == 200)
        assert asked["known"] == unchanged["known"]
        assert asked["flagConfigEtag"] == str(changed_at)
        changed = shown.until("changed")
        assert changed["flags"] == ["brazil"]
        assert (changed["details"]["value"], changed["details"]["reason"]) == (False, "DISABLED")
    tell("a page that listens", requests_for_all_flags=_count(shown, "asked"), polls=0)


def test_a_page_comes_back_after_a_restart_and_hears_what_it_missed(
    installed: Path, platform: Platform, redis: Redis
) -> None:
    port = free_port()
    with evaluator(redis, port=port) as served:
        key = _key(served, platform)
        with page(installed, served.url, key, "brazil") as shown:
            shown.until("asked", lambda it: it["status"] == 304)
            seen = served.follower.snapshot.position
            served.stop()
            shown.until("stale")
            platform.switch("brazil", on=False)
            with evaluator(redis, port=port):
                again = shown.until("listened", lambda it: it["status"] == 200)
                assert again["lastEventId"] == str(seen)
                assert shown.until("changed")["details"]["value"] is False


def test_a_page_whose_token_has_run_out_gets_another(
    installed: Path, platform: Platform, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider asks with its ETag: an answer of 304 would leave it with the token that does not hold."""
    monkeypatch.setattr(event_tokens, "WINDOW_SECONDS", 1)
    port = free_port()
    with evaluator(redis, port=port) as served:
        key = _key(served, platform)
        with page(installed, served.url, key, "brazil") as shown:
            shown.until("listened", lambda it: it["status"] == 200)
            served.stop()
            time.sleep(event_tokens.VALID_WINDOWS)  # until the token has run out
            with evaluator(redis, port=port):
                shown.until("listened", lambda it: it["status"] == 401)
                shown.until("asked", lambda it: it["status"] == 200)
                shown.until("listened", lambda it: it["status"] == 200)
                platform.switch("brazil", on=False)
                shown.until("changed", lambda it: it["details"]["value"] is False)


def test_a_page_with_a_revoked_key_is_told(
    installed: Path, served: Evaluator, platform: Platform, key: str
) -> None:
    with page(installed, served.url, key, "brazil") as shown:
        shown.until("listened", lambda it: it["status"] == 200)
        platform.revoke(key)
        shown.until("stale")
        shown.until("listened", lambda it: it["status"] == 401)
        shown.until("asked", lambda it: it["status"] == 401)


def test_a_page_with_a_key_that_is_none_fails(installed: Path, served: Evaluator) -> None:
    with page(installed, served.url, new_key("client")[1], "brazil") as shown:
        assert shown.until("failed")["code"] == "PROVIDER_FATAL"


def test_a_page_takes_its_own_default(installed: Path, served: Evaluator, key: str) -> None:
    with page(installed, served.url, key, "code-default") as shown:
        ready = shown.until("ready")["details"]
        assert (ready["value"], ready["variant"], ready["reason"]) == (False, "code_default", "STATIC")
        assert "errorCode" not in ready


def _count(shown: Page, name: str) -> int:
    return sum(each["happened"] == name for each in shown.happened)
