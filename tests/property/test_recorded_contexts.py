"""What was recorded of a context answers as the context did, or not at all."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.evaluation import evaluate
from domain.recording import Recording
from projections.recorded_contexts import Asked, Sample, Undecided, sampled
from projections.records_table import Record
from tests.property.test_engine import CONDITIONS, CONTEXTS, FLAGS, TARGETINGS, compiled, documents
from workers.keeping import keeping_of, subject_of

NAMES = ["country", "plan", "n", "org", "list", "org.plan", "targetingKey"]
RECORDINGS = st.builds(
    lambda names, hidden: Recording(mode="all", attributes=tuple(names), pseudonymise=hidden),
    st.lists(st.sampled_from(NAMES), unique=True),
    st.booleans(),
)
POSITION = 9


def recorded(context: dict[str, Any], recording: Recording) -> Record:
    """As an evaluator writes it."""
    counter = ("shop", "production", "a", "STATIC", "on")
    line = keeping_of(recording, "all", "secret").lines(
        [counter], subject_of(context), context, POSITION, 1.0
    )
    *_, subject, position, at, attributes = json.loads(b"[" + line.rstrip(b"\n") + b"]")
    return Record("e", "shop", "production", "a", "on", "STATIC", subject, position, at, attributes)


def sample_of(*records: Record, recording: Recording, since: int = 1) -> Sample:
    return list(sampled(records, [(0, Recording()), (since, recording)], 100))[-1]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(TARGETINGS, min_size=3, max_size=3),
    st.lists(CONDITIONS, min_size=2, max_size=2),
    CONTEXTS,
    RECORDINGS,
)
def test_nothing_is_guessed(
    targetings: list[Any], conditions: list[Any], context: dict[str, Any], recording: Recording
) -> None:
    rules = compiled(documents(targetings, conditions))
    (asked,) = sample_of(recorded(context, recording), recording=recording).asked
    for key in FLAGS:
        found, wanted = asked.answer(rules, key), evaluate(rules, key, context)
        assert found is None or found == wanted


@settings(max_examples=200, deadline=None)
@given(
    st.lists(TARGETINGS, min_size=3, max_size=3),
    st.lists(CONDITIONS, min_size=2, max_size=2),
    st.dictionaries(st.sampled_from(["country", "plan", "n"]), st.sampled_from(["BR", "pro", 1, 2.5, True])),
    st.sampled_from(["u1", "u2", "u3"]),
)
def test_whole_contexts_are_answered_where_nobody_asks_for_more(
    targetings: list[Any], conditions: list[Any], context: dict[str, Any], subject: str
) -> None:
    """Every attribute there is was declared; what has paths and lists could be more than its name."""
    text = json.dumps([targetings, conditions])
    rules = compiled(documents(targetings, conditions))
    recording = Recording(mode="all", attributes=("country", "plan", "n"))
    (asked,) = sample_of(recorded({**context, "targetingKey": subject}, recording), recording=recording).asked
    if "org" not in text and '"list"' not in text and "algorithm" not in text:
        assert all(asked.answer(rules, key) is not None for key in FLAGS)
        assert not asked.lacked


def test_equal_contexts_are_looked_at_once_and_counted_each() -> None:
    recording = Recording(mode="all", attributes=("plan",))
    first, second = ({"targetingKey": f"u{n}", "plan": "pro"} for n in (1, 2))
    records = [recorded(each, recording) for each in (first, second, first, first)]
    found = sample_of(*records, recording=recording)
    assert [(each.subject, each.evaluations) for each in found.asked] == [("u1", 3), ("u2", 1)]
    assert (found.evaluations, found.complete) == (4, True)


def test_what_was_declared_after_an_evaluation_says_nothing_of_it() -> None:
    recording = Recording(mode="all", attributes=("plan",))
    context = {"targetingKey": "u1"}
    known, unknown = (
        sample_of(recorded(context, recording), recording=recording, since=since).asked[0]
        for since in (POSITION, POSITION + 1)
    )
    when = {"attribute": "plan", "operator": "exists", "values": []}
    targeting = {
        "enabled": True,
        "default": {"variant": "off"},
        "rules": [{"id": "r", "when": when, "serve": {"variant": "on"}}],
    }
    off = {"enabled": False, "default": {"code_default": True}}
    rules = compiled(documents([targeting, off, off], [{"constant": False}] * 2))
    answer = known.answer(rules, "a")
    assert answer is not None
    assert answer.variant == "off"
    assert unknown.answer(rules, "a") is None
    undecided = Undecided([known, unknown])
    assert (undecided.evaluations, undecided.subjects, dict(undecided.attributes)) == (1, {"u1"}, {"plan": 1})


def test_a_text_that_was_cut_and_a_list_are_not_known() -> None:
    recording = Recording(mode="all", attributes=("long", "list", "short"))
    context = {"long": "x" * 201, "list": ["a"], "short": "y"}
    (asked,) = sample_of(recorded(context, recording), recording=recording).asked
    assert dict(asked.context) == {"short": "y"}
    for name in ("long", "list"):
        asked.context.get(name)
    assert asked.context.unknown == {"long", "list"}  # type: ignore[attr-defined]


def test_given_contexts_lack_nothing() -> None:
    off = {"enabled": True, "default": {"variant": "on"}}
    rules = compiled(documents([off] * 3, [{"constant": False}] * 2))
    answer = Asked({}).answer(rules, "a")
    assert answer is not None
    assert answer.variant == "on"
