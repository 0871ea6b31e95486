import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.strict_json import DEPTH_AT_MOST, BadJson, parse

PORTABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=10,
)


@given(PORTABLE)
def test_ordinary_json_is_read_as_it_is(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"\xff", "not UTF-8 (byte 0)"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"1e999", "too large"),
        (b"9" * 400, "not within 63 bits"),
        (b"9223372036854775808", "not within 63 bits"),
        (b'"\\ud800"', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b'"a\\u0000"', "NUL"),
        (b"[" * 100 + b"]" * 100, "deeper than 32"),
        (b"[" * 100_000 + b"]" * 100_000, "deeper than 32"),
        (b'{"a":' * 1_000 + b"1" + b"}" * 1_000, "deeper than 32"),
    ],
)
def test_what_a_later_part_would_choke_on_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadJson) as refusal:
        parse(body)
    assert words in str(refusal.value)


def test_the_deepest_that_is_read() -> None:
    deepest = DEPTH_AT_MOST - 1
    assert parse(b"[" * deepest + b"1" + b"]" * deepest)
    with pytest.raises(BadJson):
        parse(b"[" * (deepest + 1) + b"1" + b"]" * (deepest + 1))
