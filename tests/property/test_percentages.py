from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.bucketing import bucket
from domain.compilation import compile_flag
from domain.evaluation import FlagDocument, evaluate
from domain.ruleset import Ruleset
from domain.targeting import ServeSplit, Split, Targeting
from domain.values import SCALE, FlagType

SUBJECTS = st.text(min_size=1)
SHARES = st.integers(0, SCALE)


def split_flag(on: int, *, order: tuple[str, str] = ("on", "off")) -> Ruleset:
    weights = {"on": on, "off": SCALE - on}
    targeting = Targeting(
        enabled=True, default=ServeSplit(split=Split(weights={name: weights[name] for name in order}))
    )
    document = FlagDocument(
        key="f",
        type=FlagType.BOOLEAN,
        variants={"on": True, "off": False},
        gate_salt="g",
        split_salt="s",
        client_visible=False,
        version=1,
        targeting=targeting,
    )
    return Ruleset({"f": compile_flag(document)})


def served(ruleset: Ruleset, subject: str) -> str | None:
    return evaluate(ruleset, "f", {"targetingKey": subject}).variant


@given(SUBJECTS, SHARES, SHARES)
def test_raising_a_share_never_takes_anybody_out(subject: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    if served(split_flag(low), subject) == "on":
        assert served(split_flag(high), subject) == "on"


@given(SUBJECTS, SHARES)
def test_the_order_of_the_weights_does_not_matter(subject: str, on: int) -> None:
    assert served(split_flag(on), subject) == served(split_flag(on, order=("off", "on")), subject)


@given(SUBJECTS)
def test_nobody_and_everybody(subject: str) -> None:
    assert served(split_flag(0), subject) == "off"
    assert served(split_flag(SCALE), subject) == "on"


def test_buckets_are_uniform_and_independent_between_salts() -> None:
    """Chi-squared over 10 x 10 cells of two salts: 99 degrees of freedom, 99.9th percentile 148.2."""
    subjects = 100_000
    cells = Counter((bucket("a", f"u{n}") // 10_000, bucket("b", f"u{n}") // 10_000) for n in range(subjects))
    expected = subjects / 100
    assert sum((cells[i, j] - expected) ** 2 / expected for i in range(10) for j in range(10)) < 148.2
