"""PostgreSQL hangs or dies under the original's clients."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from tests.faults.conftest import Database, Process, management, until
from tests.figures import tell

PROMISED_SECONDS = 2.0  # to say 503, and to work again
NOTICED_SECONDS = 3 * PROMISED_SECONDS  # this machine may be busy with something else; a hang is not
NAME = "enable-new-dashboard"
RULES = {"type": "PERCENTAGE", "value": 50}
REQUESTS = (
    ("GET", "/validate", None),
    ("GET", "/flags", None),
    ("POST", "/flags", {"name": "other"}),
    ("GET", f"/flags/{NAME}", None),
    ("PUT", f"/flags/{NAME}", {"is_enabled": True}),
    ("DELETE", f"/flags/{NAME}", None),
    ("POST", "/rules", {"flag_name": NAME, "rules": RULES}),
    ("GET", f"/rules/{NAME}", None),
    ("PUT", f"/rules/{NAME}", {"rules": RULES}),
    ("DELETE", f"/rules/{NAME}", None),
)


@pytest.fixture
def process(database: Database) -> Iterator[Process]:
    with management(database.url) as process:
        yield process


def ask(process: Process, key: str, request: tuple[str, str, object]) -> tuple[httpx.Response, float]:
    method, path, body = request
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {key}"}
    answer = process.client.request(method, path, json=body, headers=headers)
    return answer, time.monotonic() - began


@pytest.mark.parametrize("hangs", [True, False])
def test_without_postgresql_each_path_says_so_in_its_own_way_and_works_again_soon(
    process: Process, database: Database, hangs: bool
) -> None:
    administrator = process.client.headers["X-API-Key"]
    issued, _ = ask(process, administrator, ("POST", "/admin/keys", {"name": "n"}))
    key = issued.json()["key"]
    requests = [(key, request) for request in REQUESTS]
    requests.append((administrator, ("POST", "/admin/keys", {"name": "m"})))
    assert ask(process, key, ("POST", "/flags", {"name": NAME}))[0].status_code == 201
    database.signal(signal.SIGSTOP) if hangs else database.kill()
    try:
        with ThreadPoolExecutor(len(requests)) as pool:
            answers = list(pool.map(lambda each: ask(process, *each), requests))
    finally:
        database.signal(signal.SIGCONT) if hangs else database.start()
    for answer, took in answers:
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"] == "1"
        assert "Tente de novo" in answer.json()["error"]
        assert took < NOTICED_SECONDS
    kinds = {answer.headers["content-type"] for answer, _ in answers}
    assert kinds == {"application/json", "text/plain; charset=utf-8"}
    back = until(lambda: ask(process, key, REQUESTS[0])[0].status_code == 200, NOTICED_SECONDS)
    assert ask(process, key, ("GET", f"/flags/{NAME}", None))[0].status_code == 200
    tell(
        f"PostgreSQL {'hangs' if hangs else 'was killed'}, the original's paths",
        slowest_503=round(max(took for _, took in answers), 2),
        back=round(back, 2),
    )
