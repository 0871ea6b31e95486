"""One object a line, and no secrets in any."""

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.current import CURRENT_REQUEST
from commands.secret_keys import new_key
from deploy.logs import HIDDEN, JsonLines, formatter, hider
from deploy.settings import Settings

ADMIN, SECRET = "any (text) at all", "derive.from*this"
JSON = Settings(
    log_format="json",
    admin_key=ADMIN,
    secret=SECRET,
    postgres_url="postgresql://tm:p%40ss-w0rd@db/togglemaster",
    redis_url="redis://:redis-pass@cache:6379/0",
)
WRITTEN = formatter(JSON)
hide = hider(Settings())
PLAIN = JsonLines(hide)
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"


def written(message: str, *arguments: object, error: BaseException | None = None) -> dict[str, Any]:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("workers.projector", logging.WARNING, "f.py", 1, message, arguments, info)
    line = WRITTEN.format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def raised(text: str) -> Exception:
    try:
        raise RuntimeError(text)  # noqa: TRY301 - for its traceback
    except RuntimeError as error:
        return error


def test_a_record_is_an_object_with_what_one_looks_for() -> None:
    found = written("%s: %s", "ruleset", "Redis is away")
    assert found.pop("ts").endswith("+00:00")
    assert found == {"level": "warning", "logger": "workers.projector", "message": "ruleset: Redis is away"}


def test_an_error_has_its_traceback_in_the_same_line() -> None:
    found = written("failed", error=raised("two\nlines"))
    assert found["exception"].startswith("Traceback (most recent call last)")
    assert found["exception"].endswith("RuntimeError: two\nlines")


def test_a_record_within_a_request_has_its_id() -> None:
    token = CURRENT_REQUEST.set("r-1")
    try:
        assert written("m")["request_id"] == "r-1"
    finally:
        CURRENT_REQUEST.reset(token)
    assert "request_id" not in written("m")


@given(st.text())
def test_whatever_is_logged_is_a_line_of_json_that_says_it(text: str) -> None:
    line = PLAIN.format(_record(text))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == hide(text)


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("l", logging.INFO, "f.py", 1, "%s", (text,), None)


@pytest.mark.parametrize(
    "secret",
    [
        *(new_key(kind)[1] for kind in ("server", "client", "admin")),
        "tm_refresh_abcDEF-123_x",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        JWT,
        ADMIN,
        SECRET,
        "p@ss-w0rd",
        "p%40ss-w0rd",
        "redis-pass",
    ],
)
def test_what_is_a_credential_is_taken_out_of_messages_and_errors(secret: str) -> None:
    for said in (written(f"given {secret}, what now"), written("m", error=raised(f"no {secret!r}"))):
        assert secret not in json.dumps(said)
        assert HIDDEN in json.dumps(said)
    assert secret not in formatter(JSON.model_copy(update={"log_format": "text"})).format(
        _record(f"given {secret}")
    )


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer abc.DEF-123",
        "authorization: basic dXNlcjpwYXNz",
        "GET /ofrep/v1/sse?token=k1.1234.abcdef",
        "connecting to postgresql://someone:abcdef@db:5432/x",
    ],
)
def test_a_header_or_an_address_keeps_all_but_the_secret(line: str) -> None:
    said = str(written(line)["message"])
    assert HIDDEN in said
    assert not any(each in said for each in ("abc", "dXNlcjpwYXNz"))
    assert said[:4] == line[:4]


def test_ordinary_words_stay() -> None:
    for line in (
        "tm_server keys are checked before any lookup",
        "generation g3 is live",
        "the bearer of bad news",
        "http://127.0.0.1:8080/api/v1/projects",
        f"python {sys.version}",
    ):
        assert written(line)["message"] == line
