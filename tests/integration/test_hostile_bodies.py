"""Bodies made to break whoever reads them, sent to every route that reads one."""

import json
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.management.description import describe, operations
from api.strict_json import BODY_BYTES_AT_MOST
from tests.figures import tell
from tests.integration.management import ADMIN, Management
from tests.integration.test_access_matrix import at

DEEP = 1_000
SPOILS = (
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"a\\u0000b"',
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    "9" * 400,
    "-" + "9" * 400,
    "1e999",
    "NaN",
    "-Infinity",
    str(2**63),
    "1" * 5_000 + "e-5000",
    '{"a": 1, "a": 1}',
    '"' + "x" * 200_000 + '"',
    "[" + "0," * 50_000 + "0]",
    "tru",
    "",
)
WHOLE = (
    b"",
    b"null",
    b"[]",
    b"0",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"{" * 100_000,
    b" " * (BODY_BYTES_AT_MOST + 1),
)


def _bodies(example: Any) -> st.SearchStrategy[bytes]:
    """A good body in which one place is spoilt, or something that is no body at all."""
    places = list(_places(example))
    spoilt = st.builds(_spoilt, st.just(example), st.sampled_from(places), st.sampled_from(SPOILS))
    return spoilt | st.sampled_from(WHOLE) | st.binary(max_size=200)


def _places(value: Any, here: tuple[Any, ...] = ()) -> Any:
    yield here
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(each, (*here, name))


def _spoilt(example: Any, place: tuple[Any, ...], spoil: str) -> bytes:
    mark = "spoil-goes-here"
    return json.dumps(_with(example, place, mark)).replace(f'"{mark}"', spoil).encode()


def _with(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[place[0]] = _with(value[place[0]], place[1:], new)
    return changed


def test_no_body_is_a_fault_of_ours(api: Management) -> None:
    api.flag()
    api.ask("PUT", "/default/segments/checkout", {"condition": {"constant": True}})
    statuses: Counter[int] = Counter()
    routes = [
        (method, path, operation["requestBody"]["content"]["application/json"]["example"])
        for method, path, operation in operations(describe(api.client.app))  # type: ignore[arg-type]
        if "example" in operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    ]
    for method, path, example in routes:
        _send_hostile(api, method, at(path, key="checkout"), example, statuses)
    tell(
        f"hostile bodies on {len(routes)} routes",
        tried=sum(statuses.values()),
        refused=sum(number for status, number in statuses.items() if status >= 400),
        seen_5xx=sum(number for status, number in statuses.items() if status >= 500),
    )
    assert len(routes) > 25


def _send_hostile(api: Management, method: str, url: str, example: Any, statuses: Counter[int]) -> None:
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(body=_bodies(example))
    def send(body: bytes) -> None:
        headers = {"X-API-Key": ADMIN, "Content-Type": "application/json"}
        answer = api.client.request(method, url, content=body, headers=headers)
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, f"{method} {url}: {answer.text}"
        if answer.status_code >= 400:
            assert answer.json()["detail"]

    send()
