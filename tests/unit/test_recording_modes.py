"""What is recorded of single evaluations, by mode: never more than was asked for."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from domain.recording import AS_INSTALLED, Recording, RecordingMode, pseudonym
from workers.evaluations import NOT_RECORDED, EvaluationRecorder, Tally
from workers.exposures import EXPOSURE_SECONDS, Exposures

NOON = 1_793_793_600.0
EXPOSURES = Recording(mode="exposures")


class Queue:
    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        self.messages += batch
        return []


class Harness:
    def __init__(self, mode: RecordingMode = "all", **settings: Any) -> None:
        self.queue = Queue()
        self.recorder = EvaluationRecorder(self.queue, producer="p1", records=mode, **settings)

    def evaluate(
        self, subject: str | None = "u1", *flags: str, recording: Recording = AS_INSTALLED, **other: Any
    ) -> None:
        """One flag by itself, or several together."""
        named: dict[str, Any] = {"variant": "on", "reason": "SPLIT", "now": NOON} | other
        counters = [
            ("shop", "production", flag, named["reason"], named["variant"]) for flag in flags or ["f"]
        ]
        context = named.get("context", {}) | ({} if subject is None else {"targetingKey": subject})
        if len(counters) == 1:
            self.recorder.record_one(Tally(*counters), recording, context, 7, named["now"])
        else:
            self.recorder.record([Tally(*counters)], recording, context, 7, named["now"])

    def rows(self, kind: str) -> list[list[Any]]:
        self.recorder.flush()
        return [row for message in self.queue.messages for row in json.loads(message)[kind]]

    def kept(self) -> list[tuple[str, str, str | None]]:
        """Flag, variant, subject."""
        return [(row[3], row[4], row[6]) for row in self.rows("records")]

    def attributes(self, context: Mapping[str, Any], *names: str) -> Any:
        self.evaluate(context=context, recording=Recording(mode="all", attributes=names))
        return self.rows("records")[0][9]


def test_an_exposure_is_recorded_once_and_counted_each_time() -> None:
    h = Harness("exposures")
    for _ in range(3):
        h.evaluate()
    h.evaluate("u2")
    h.evaluate(variant="off")
    h.evaluate("u1", "g")
    h.evaluate(reason="TARGETING_MATCH")
    assert h.kept() == [("f", "on", "u1"), ("f", "on", "u2"), ("f", "off", "u1"), ("g", "on", "u1")]
    assert h.recorder.exposures.suppressed == 3
    assert h.recorder.recorded == h.recorder.sent == 7


def test_without_a_subject_there_is_no_exposure() -> None:
    h = Harness("exposures")
    h.evaluate(None)
    h.evaluate(None, "f", "g")
    h.evaluate(None, context={"targetingKey": 7})
    assert h.kept() == []
    assert h.recorder.recorded == 4


def test_flags_asked_for_together_are_exposures_of_their_own() -> None:
    h = Harness("exposures")
    h.evaluate("u1", "g")
    for _ in range(3):
        h.evaluate("u1", "f", "g", "h")
    h.evaluate("u1", "h")
    h.evaluate("u1", "f", "g", "h", "i")
    assert [flag for flag, *_ in h.kept()] == ["g", "f", "h", "i"]


def test_after_a_while_it_is_an_exposure_again() -> None:
    h = Harness("exposures")
    h.evaluate()
    h.evaluate(now=NOON + EXPOSURE_SECONDS / 2 - 1)
    assert len(h.kept()) == 1
    h.evaluate(now=NOON + EXPOSURE_SECONDS)
    assert len(h.kept()) == 2


def test_what_is_remembered_has_an_end_and_an_early_end_records_again() -> None:
    exposures = Exposures(at_most=10)
    tally = Tally(("shop", "production", "f", "SPLIT", "on"))
    assert all(exposures.new(tally, f"user-{n}", NOON) for n in range(1_000))
    assert len(exposures._younger) + len(exposures._elder) <= 20
    assert not exposures.new(tally, "user-999", NOON)
    assert exposures.new(tally, "user-0", NOON)


@pytest.mark.parametrize("installed", ["all", "exposures", "none"])
def test_an_environment_has_the_say_and_the_installation_where_it_is_silent(installed: RecordingMode) -> None:
    h = Harness(installed)
    for recording in (Recording(mode="all"), EXPOSURES, NOT_RECORDED, AS_INSTALLED):
        h.evaluate(recording=recording, variant=str(recording.mode))
        h.evaluate(recording=recording, variant=str(recording.mode))
    found = [variant for _, variant, _ in h.kept()]
    assert found == ["all", "all", "exposures"] + ["None"] * {"all": 2, "exposures": 1, "none": 0}[installed]


@pytest.mark.parametrize("mode", ["all", "exposures"])
def test_a_pseudonym_stands_for_the_subject(mode: RecordingMode) -> None:
    h = Harness(secret="s3cret")  # noqa: S106 - of this test
    recording = Recording(mode=mode, pseudonymise=True)
    h.evaluate("alice@example.org", recording=recording)
    h.evaluate("é" * 300, "g", recording=recording)
    assert [subject for *_, subject in h.kept()] == [
        pseudonym("s3cret", "shop", "alice@example.org"),
        pseudonym("s3cret", "shop", "é" * 300),
    ]
    assert not any(b"alice" in message for message in h.queue.messages)


def test_a_pseudonym_is_for_one_project_and_one_secret() -> None:
    """And it stays the same for ever: it is how a subject's records are found again."""
    found = pseudonym("s3cret", "shop", "alice")
    assert found == "c94528cebadc1620bccf2fd68aee11b7"
    others = {pseudonym("other", "shop", "alice"), pseudonym("s3cret", "other", "alice")}
    assert found not in others | {pseudonym("s3cret", "shop", "bob")}
    assert pseudonym("s3cret", "shop", "half \ud83d") == pseudonym("s3cret", "shop", "half ?")


def test_without_a_secret_the_subject_is_left_out_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    h = Harness()
    for _ in range(2):
        h.evaluate("alice", recording=Recording(pseudonymise=True))
    assert h.kept() == [("f", "on", None)] * 2
    assert len(caplog.records) == 1
    assert "set TOGGLEMASTER_SECRET" in caplog.text


def test_no_attribute_is_kept_that_was_not_declared() -> None:
    context = {"plan": "pro", "age": 7, "score": 0.5, "beta": True, "email": "alice@example.org"}
    assert Harness().attributes(context, "plan", "age", "score", "beta", "absent") == {
        "plan": "pro",
        "age": 7,
        "score": 0.5,
        "beta": True,
    }
    assert Harness().attributes(context) == {}


def test_attributes_are_plain_and_short_and_what_cannot_be_kept_is_not_taken_for_absent() -> None:
    context = {"list": ["a"], "object": {"a": 1}, "null": None, "long": "é" * 1_000, "half": "\ud83d"}
    kept = {"list": None, "object": None, "long": "é" * 200, "half": "?"}
    assert Harness().attributes(context, *context) == kept


def test_unknown_flags_are_counted_by_name_and_never_recorded() -> None:
    h = Harness()
    for flag in ("nope", "nope", "a/b", "x" * 201, "\x00", "\ud800", ""):
        tally = h.recorder.unknown("shop", "production", flag, NOON)
        h.recorder.record_one(tally, NOT_RECORDED, {"targetingKey": "u1"}, 7, NOON)
    assert {row[2]: row[5] for row in h.rows("counts")} == {
        "nope": {"FLAG_NOT_FOUND/": 2},
        "/": {"FLAG_NOT_FOUND/": 5},
        "": {"FLAG_NOT_FOUND/": 7},
    }
    assert h.rows("records") == []


def test_names_of_unknown_flags_have_an_end_in_each_minute() -> None:
    h = Harness()
    for now in (NOON, NOON + 60):
        for n in range(1_005):
            tally = h.recorder.unknown("shop", "production", f"made-up-{n}", now)
            h.recorder.record_one(tally, NOT_RECORDED, {}, 7, now)
    rows = h.rows("counts")
    assert len(rows) == 2 * (1_000 + 2)
    assert [row[5] for row in rows if row[2] == "/"] == [{"FLAG_NOT_FOUND/": 5}] * 2


def test_an_environment_is_the_sum_of_its_flags_by_reason() -> None:
    h = Harness("none")
    h.evaluate("u1", "f", "g")
    h.evaluate("u1", reason="STATIC", variant="off")
    (whole,) = [row for row in h.rows("counts") if not row[2]]
    assert whole == ["shop", "production", "", int(NOON // 60), 1, {"SPLIT/": 2, "STATIC/": 1}]
