"""The fast reader of contexts answers as the strict one, or leaves it to it."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from api.evaluation.contexts import _plain, read_context
from api.evaluation.rate_limit import Meter
from api.evaluation.refusal import Refusal
from api.strict_json import BadJson, parse

scalars = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | st.text()
values = st.recursive(scalars, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=5)
contexts = st.dictionaries(st.text() | st.sampled_from(["targetingKey", "a:b", "{"]), values, max_size=4)
bodies = st.fixed_dictionaries({"context": contexts | scalars}) | st.dictionaries(st.text(), values)
written = st.builds(
    lambda body, compact, ascii_only: json.dumps(
        body, separators=(",", ":") if compact else None, ensure_ascii=ascii_only
    ).encode(errors="surrogatepass"),
    bodies,
    st.booleans(),
    st.booleans(),
)
pieces = st.lists(
    st.sampled_from(
        [
            '{"context":{',
            '"a":1',
            '"a" : "x"',
            ",",
            "}",
            "}}",
            "[",
            "]",
            '"b":{',
            "1e400",
            "9223372036854775808",
            "-0",
        ]
    ),
    max_size=8,
).map(lambda each: "".join(each).encode())


def strictly(raw: bytes) -> Any:
    try:
        body = parse(raw)
    except BadJson:
        return None
    return body.get("context") if isinstance(body, dict) else None


@given(written | pieces | st.binary(max_size=40))
@example(b'{"context":{"a":1,"a":2}}')
@example(b'{"context":{"a" : 1,"a":2}}')
@example(b'{"context":{},"b":9223372036854775808}')
@example(b'{"context":{"a":-9223372036854775808}}')
@example(b'{"context":{"a":123456789012345678901234567890}}')
@example(b'{"context":{"a":-0}}')
@example(b'\xef\xbb\xbf{"context":{}}')
def test_what_the_fast_reader_reads_the_strict_one_reads_too(raw: bytes) -> None:
    found = _plain(raw)
    if found is not None:
        assert json.dumps(found) == json.dumps(strictly(raw))


@given(
    st.dictionaries(
        st.sampled_from(["targetingKey", "country", "plan", "age"]),
        st.sampled_from(["x", 1, 2.5, True, None]),
    )
)
def test_what_clients_send_is_read_fast(context: dict[str, Any]) -> None:
    for separators in ((",", ":"), (", ", ": ")):
        assert _plain(json.dumps({"context": context}, separators=separators).encode()) == context


@given(written | pieces | st.binary(max_size=40))
def test_whatever_is_sent_there_is_a_context_or_a_refusal(raw: bytes) -> None:
    found: object
    try:
        found = read_context(raw)
    except Refusal as refusal:
        found = {"refused with": refusal.status, "in words": str(refusal)}
    assert isinstance(found, dict)
    assert found.get("refused with", 400) == 400


steps = st.lists(st.floats(0, 2), max_size=60)


@given(st.integers(1, 50), steps)
def test_no_more_is_let_through_than_the_rate_and_one_burst(per_second: int, pauses: list[float]) -> None:
    limit, now, let_through = Meter(per_second), 1_000.0, 0
    for pause in pauses:
        now += pause
        for _ in range(60):
            let_through += limit.wait(now) == 0
    assert let_through <= (now - 1_000) * per_second + max(per_second, 1) + 1


@given(st.integers(1, 50), steps)
def test_who_waits_as_long_as_told_is_let_through(per_second: int, pauses: list[float]) -> None:
    limit, now = Meter(per_second), 1_000.0
    for pause in pauses:
        now += pause
        while wait := limit.wait(now):
            assert wait <= 1.0 + 1 / per_second
            now += wait + 1e-6
