"""Whatever the original's paths are sent, they answer in the original's manner, and never with a fault."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.event_store import EventStore
from tests.figures import tell
from tests.integration.original import JSON, MASTER, TEXT, Client, client_of
from tests.integration.test_hostile_bodies import _bodies

EXAMPLES = 60  # for each route
HALF = {"type": "PERCENTAGE", "value": 50.5}
LIST = {"type": "USER_LIST", "values": ["u1", "u2"]}
FLAG = {"name": "there", "description": "d", "is_enabled": True}
ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/admin/keys", {"name": "n"}),
    ("POST", "/flags", FLAG),
    ("PUT", "/flags/there", FLAG),
    ("POST", "/rules", {"flag_name": "other", "rules": HALF, "is_enabled": True}),
    ("PUT", "/rules/there", {"rules": HALF, "is_enabled": True}),
    ("PUT", "/rules/there", {"rules": LIST, "is_enabled": False}),
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
CREDENTIALS = st.sampled_from(("", "x", MASTER, "tm_key_" + "0" * 64, "tm_server_0123456789_x", "é"))
PLACES = st.sampled_from(("/flags/", "/rules/", "/flags", "/rules", "/validate", "/admin/keys", "/health"))
hostile = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def client(store: EventStore) -> Iterator[Client]:
    with client_of(store) as client:
        client.key = client.issue()
        client.ask("POST", "/flags", FLAG)
        client.ask("POST", "/rules", {"flag_name": "there", "rules": HALF})
        yield client


def test_no_body_is_a_fault_of_ours(client: Client) -> None:
    statuses: Counter[int] = Counter()
    for route in ROUTES:
        _send_hostile(client, route, statuses)
    tell(
        "hostile bodies on the original's paths",
        tried=sum(statuses.values()),
        refused=sum(number for status, number in statuses.items() if status >= 400),
    )
    assert statuses[400] > 0


def _send_hostile(client: Client, route: tuple[str, str, Any], statuses: Counter[int]) -> None:
    method, path, example = route
    is_go = path == "/admin/keys"

    @hostile
    @given(body=_bodies(example))
    def send(body: bytes) -> None:
        key = MASTER if is_go else client.key
        answer = client.ask(method, path, key=key, content=body, headers={"Content-Type": JSON})
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"
        assert answer.headers["content-type"] == (TEXT if is_go else JSON)
        if answer.status_code >= 400:
            assert answer.text.endswith("\n")
            assert is_go or list(answer.json()) == ["error"]

    send()


def test_no_path_method_or_credential_is_a_fault_of_ours(client: Client) -> None:
    @hostile
    @given(
        method=st.sampled_from(METHODS),
        place=PLACES,
        name=st.text(max_size=30),
        credential=CREDENTIALS | st.just(client.key),
    )
    def ask(method: str, place: str, name: str, credential: str) -> None:
        quoted = "".join(f"%{byte:02X}" for byte in name.encode(errors="surrogatepass"))
        path = f"{place}{quoted}" if place.endswith("/") else place
        headers = {"Authorization": credential.encode()} if credential else {}
        answer = client.ask(method, path, key="", headers=headers)
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"
        assert "problem+json" not in answer.headers.get("content-type", "")

    ask()
