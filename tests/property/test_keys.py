"""No text opens an evaluator unless it was issued as a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.evaluation.access import Callers
from api.evaluation.refusal import Refusal
from commands.secret_keys import new_key
from domain.access import ALPHABET, assemble, digest
from projections.documents import KeyDocument
from projections.snapshot import Snapshot

ISSUED = [new_key(kind)[1] for kind in ("server", "client")]
SNAPSHOT = Snapshot(
    "g1",
    keys={
        digest(text): KeyDocument(
            id=text.split("_")[2], kind="server", project="shop", environment="production"
        )
        for text in ISSUED
    },
)
LETTERS = st.text(alphabet=ALPHABET, min_size=32, max_size=32)
KINDS = st.sampled_from(["server", "client", "admin", "token"])


@st.composite
def presented(draw: st.DrawFn) -> str:
    """Noise, issued keys with something wrong, and made-up keys whose checksum is right."""
    issued = draw(st.sampled_from(ISSUED))
    place, (_, _, selector, secret) = draw(st.integers(0, len(issued))), issued.split("_")
    text: str = draw(
        st.one_of(
            st.text(max_size=80),
            st.just(issued),
            st.just(issued[:place] + draw(st.characters()) + issued[place + 1 :]),
            st.just(issued[:place] + issued[place:].swapcase()),
            st.just(f"{issued} "),
            st.just(digest(issued)),
            st.builds(assemble, KINDS, st.just(selector), LETTERS),
            st.builds(assemble, KINDS, LETTERS.map(lambda text: text[:10]), st.just(secret[:32])),
            st.builds(assemble, KINDS, LETTERS.map(lambda text: text[:10]), LETTERS),
        )
    )
    return text


@given(presented())
def test_no_text_is_a_key_unless_it_was_issued(text: str) -> None:
    if text in ISSUED:
        assert Callers().find(SNAPSHOT, text, 0.0)
    else:
        with pytest.raises(Refusal):
            Callers().find(SNAPSHOT, text, 0.0)
