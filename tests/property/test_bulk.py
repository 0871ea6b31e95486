"""All flags at once are what each would be by itself, whatever is kept from one context to the next."""

from collections import Counter
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.evaluation.bulk import Plan
from api.evaluation.encoding import body_of, variant_name
from domain.bucketing import bucket
from domain.evaluation import evaluate
from domain.ruleset import Ruleset
from domain.values import SCALE
from projections.documents import KeyDocument
from tests.integration.flag_documents import HALF, flag_document

KEY = KeyDocument(id="k", kind="server", project="shop", environment="production")


def clause(attribute: str, operator: str, *values: Any, **options: Any) -> dict[str, Any]:
    return {"attribute": attribute, "operator": operator, "values": list(values), **options}


def on(when: Any, serve: Any = None) -> dict[str, Any]:
    return {"rules": [{"id": "r", "when": when, "serve": serve or {"variant": "on"}}]}


def split(**changed: Any) -> dict[str, Any]:
    return {"split": {**HALF["split"], **changed}}


SHAPES: list[dict[str, Any]] = [
    {"default": {"variant": "on"}},
    {"enabled": False},
    {"default": {"code_default": True}},
    {"default": HALF},
    on(clause("country", "in", "BR", "PT")),
    on(clause("country", "equals", 1)),
    on(clause("country", "equals", True)),
    on(clause("country", "exists")),
    on({"not": clause("country", "in", "BR")}),
    on(clause("country", "in", "BR"), HALF),
    on({"all": [clause("country", "in", "BR"), clause("plan", "in", "pro")]}),
    on({"any": [clause("plan", "gt", 1, coerce="lenient"), {"constant": False}]}),
    on({"segment": "beta"}),
    on({"flag": "flag-0", "variants": ["on"]}),
    on({"any_element": "country", "where": clause("value", "equals", "BR")}),
    on({"bucket": {"by": "plan", "below": 50_000}}),
    on(clause("organization.plan", "in", "pro")),
    {"targets": [{"variant": "on", "attribute": "country", "values": ["BR"]}]},
    {"prerequisites": [{"flag": "flag-0", "variants": ["on"]}]},
    on({"unanswerable": "it cannot be said"}),
    on({"constant": True}, {"unanswerable": "it cannot be said"}),
    on({"constant": False}, HALF),
    {**on(clause("country", "in", "BR"), HALF), "default": HALF},
    {**on(clause("country", "in", "BR"), split(by="plan")), "default": split(prefix="p")},
    on(clause("country", "in", "BR"), split(coverage=50_000)),
    on({"bucket": {"by": "plan", "below": 50_000}}, HALF),
    {"default": split(coverage=50_000)},
    {"default": split(by="organization.plan")},
    {"default": split(by="country", salt="same for all")},
    {"default": split(weights={"on": 0, "off": 100_000})},
    {"default": {"split": {"algorithm": "sha1", "ranges": [{"variant": "on", "start": 0, "end": 50}]}}},
    {"default": HALF, "targets": [{"variant": "on", "attribute": "country", "values": ["BR"]}]},
    {"default": HALF, "prerequisites": [{"flag": "flag-0", "variants": ["on"]}]},
]
SEGMENT = {
    "key": "beta",
    "salt": "s",
    "version": 1,
    "definition": {"include": ["u1"], "condition": clause("country", "in", "PT")},
}

HALF_A_PAIR = "\ud800"  # no text that can be hashed
values = st.sampled_from(
    ["BR", "PT", "", 1, 1.0, True, False, None, "1", ["BR"], {"plan": "pro"}, "pro", HALF_A_PAIR]
)
contexts = st.dictionaries(
    st.sampled_from(["targetingKey", "country", "plan", "organization", "other"]), st.just("BR") | values
)
some_shapes = st.just(SHAPES) | st.lists(st.sampled_from(SHAPES), max_size=25)


def ruleset_of(shapes: list[dict[str, Any]]) -> Ruleset:
    documents: list[tuple[tuple[str, str], str | bytes | None]] = [
        (("flag", f"flag-{n}"), flag_document(f"flag-{n}", **shape)) for n, shape in enumerate(shapes)
    ]
    found = Ruleset().updated([*documents, (("segment", "beta"), orjson.dumps(SEGMENT))])
    assert not found.broken
    return found


@settings(deadline=None)
@given(some_shapes, st.lists(contexts, max_size=6))
@example(SHAPES, [{"country": 1}, {"country": True}, {"country": 1.0}])
def test_bulk_is_what_each_flag_says_alone(shapes: list[dict[str, Any]], asked: list[dict[str, Any]]) -> None:
    ruleset = ruleset_of(shapes)
    plan = Plan(ruleset, KEY)
    answers: dict[int, tuple[bytes, bytes]] = {}
    for number, context in [*enumerate(asked)] * 3:
        body, tallies, digest = plan.answer(context)
        assert answers.setdefault(number, (body, digest)) == (body, digest)
        alone = {key: evaluate(ruleset, key, context) for key in ruleset.flags}
        found = {each["key"]: each for each in orjson.loads(b"[" + body + b"]")}
        assert found == {
            key: orjson.loads(orjson.dumps(body_of(answer, key))) for key, answer in alone.items()
        }
        counted = Counter(counter for tally in tallies for counter in tally.counters)
        assert counted == Counter(
            ("shop", "production", key, answer.reason, variant_name(answer)) for key, answer in alone.items()
        )
    bodies, digests = zip(*answers.values(), strict=True) if answers else ((), ())
    assert len(set(answers.values())) == len(set(bodies)) == len(set(digests))


@settings(deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=9), st.text())
def test_whoever_is_below_a_share_is_in_it(besides: list[int], subject: str) -> None:
    """With shares that end at the subject's own bucket, or just beside it."""
    buckets = [bucket(f"flag-{n}-split", subject) for n in range(len(besides))]
    shares = [min(max(own + beside, 0), SCALE) for own, beside in zip(buckets, besides, strict=True)]
    weights = [{"on": share, "off": SCALE - share} for share in shares]
    plan = Plan(ruleset_of([{"default": split(weights=each)} for each in weights]), KEY)
    for _ in range(2):
        body = orjson.loads(b"[" + plan.answer({"targetingKey": subject}).body + b"]")
        assert {each["key"]: each["value"] for each in body} == {
            f"flag-{n}": own < share for n, (own, share) in enumerate(zip(buckets, shares, strict=True))
        }


def test_a_client_key_gets_what_is_for_clients() -> None:
    documents = [(("flag", key), flag_document(key, client_visible=key == "a")) for key in ("a", "b")]
    body, *_ = Plan(Ruleset().updated(documents), KEY.model_copy(update={"kind": "client"})).answer({})
    assert [each["key"] for each in orjson.loads(b"[" + body + b"]")] == ["a"]


def test_more_values_than_are_kept_change_nothing() -> None:
    ruleset = ruleset_of([SHAPES[4]])
    plan = Plan(ruleset, KEY)
    for _ in range(3):
        for country in [*(f"C{n}" for n in range(1_100)), "BR"]:
            body, tallies, _ = plan.answer({"country": country})
            assert (b'"variant":"on"' in body) == (country == "BR")
            assert len(tallies) == 1
