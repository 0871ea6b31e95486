"""Whatever is done to a token, it is another person's, or anybody's, no more than it was."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.management.person_tokens import PersonTokens, SignedIn
from commands.sessions import Sessions
from domain.person import Person

TOKENS = PersonTokens(bytes(range(32)))
TOKEN = TOKENS.issue(Person("ana", "ana@example.org", "Ana", epoch=3))
PARTS = TOKEN.split(".")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


NOW = time.time()


@pytest.fixture(autouse=True, scope="module")
def token_that_does_not_expire() -> Iterator[None]:
    """A run may take longer to get here than a token lives, and an expired one is worthless anyway."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.management.person_tokens.time", SimpleNamespace(time=lambda: NOW))
        yield


def base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def bytes_of(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def test_the_token_is_good_as_it_is() -> None:
    assert TOKENS.read(TOKEN) == SignedIn("ana", 3)


@given(st.integers(0, 2), st.data())
def test_a_flipped_bit_anywhere_makes_it_worthless(part: int, data: st.DataObject) -> None:
    content = bytearray(bytes_of(PARTS[part]))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    changed = [*PARTS[:part], base64url(bytes(content)), *PARTS[part + 1 :]]
    assert TOKENS.read(".".join(changed)) is None


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_another_letter_anywhere_makes_it_worthless(place: int, letter: str) -> None:
    assume(TOKEN[place] != letter)
    assert TOKENS.read(TOKEN[:place] + letter + TOKEN[place + 1 :]) is None


@given(st.text() | st.binary().map(base64url) | st.lists(st.binary().map(base64url)).map(".".join))
def test_no_other_text_is_a_token(text: str) -> None:
    assert TOKENS.read(text) is None


@given(JSON, JSON)
def test_whatever_stands_in_it_reading_it_raises_nothing(header: Any, claims: Any) -> None:
    segments = (base64url(json.dumps(each).encode("utf-8", "surrogatepass")) for each in (header, claims))
    assert TOKENS.read(".".join([*segments, PARTS[2]])) is None


WHOSE = {"iss", "aud", "sub", "epoch"}
CLAIMS = st.sampled_from([*sorted(WHOSE), "iat", "exp", "nbf", "jti"])


@given(st.dictionaries(CLAIMS, JSON, min_size=1))
def test_signed_claims_of_the_wrong_kind_raise_nothing_and_are_nobodys(claims: dict[str, Any]) -> None:
    usual = json.loads(bytes_of(PARTS[1]))
    assume(all(usual[name] != claims[name] for name in WHOSE & claims.keys()))
    body = base64url(json.dumps({**usual, **claims}).encode("utf-8", "surrogatepass"))
    signature = TOKENS._private.sign(f"{PARTS[0]}.{body}".encode())
    found = TOKENS.read(f"{PARTS[0]}.{body}.{base64url(signature)}")
    assert found != SignedIn("ana", 3) or not WHOSE & claims.keys()


@given(
    st.text(max_size=150) | st.binary(min_size=80, max_size=80).map(lambda b: "tm_refresh_" + base64url(b))
)
def test_no_made_up_refresh_token_belongs_to_a_family(text: str) -> None:
    assert Sessions(None, b"key")._family(text) is None  # type: ignore[arg-type]
