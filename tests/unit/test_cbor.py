"""RFC 8949, section 4.2.1: the shortest form of everything, keys in the order of their bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cbor import encoded


@pytest.mark.parametrize(
    ("value", "hexadecimal"),
    [
        (0, "00"),
        (-0.0, "00"),
        (23, "17"),
        (24, "1818"),
        (256, "190100"),
        (65536, "1a00010000"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-1, "20"),
        (-(2**63), "3b7fffffffffffffff"),
        (2**64, "fa5f800000"),
        (1.5, "f93e00"),
        (0.1, "fb3fb999999999999a"),
        (None, "f6"),
        ("ö", "62c3b6"),
        ([1, [True]], "820181f5"),
        ({"bb": 1, "c": 2}, "a26163026262" + "6201"),
    ],
)
def test_the_shortest_form(value: Any, hexadecimal: str) -> None:
    assert encoded(value).hex() == hexadecimal


@given(st.dictionaries(st.text(), st.integers(), max_size=5))
def test_the_order_of_keys_makes_no_difference(value: dict[str, int]) -> None:
    assert encoded(value) == encoded(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_what_json_does_not_have(value: Any) -> None:
    with pytest.raises(ValueError, match="is"):
        encoded(value)
