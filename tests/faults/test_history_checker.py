"""The checker finds what is wrong in a history: a small log, right answers written out, and one more."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.access import digest
from domain.envelope import Recorded, Stamp, Stream, flag_stream, key_stream, project_stream
from domain.events import (
    DefaultServeChanged,
    EnvironmentCreated,
    Event,
    FlagArchived,
    FlagCreated,
    FlagTurnedOff,
    KeyIssued,
    KeyRevoked,
    ProjectCreated,
)
from domain.targeting import ServeVariant, Targeting
from domain.values import FlagType
from tests.faults.history import Answer, Findings, PureLog, Trouble, check

BOUND = 20.0
LASTING, REVOKED = "a key for ever", "a key for a while"
ON, OFF = ServeVariant(variant="on"), ServeVariant(variant="off")


def created(key: str) -> FlagCreated:
    return FlagCreated(
        project="shop",
        key=key,
        type=FlagType.BOOLEAN,
        variants={"on": True, "off": False},
        targeting=Targeting(enabled=True, off_variant="off", default=ON),
        gate_salt="gate",
        split_salt="split",
    )


def issued(key: str) -> KeyIssued:
    return KeyIssued(
        project="shop", environment="production", id=key, name="n", kind="server", digest=digest(key)
    )


PROJECT, FLAG, OTHER = project_stream("shop"), flag_stream("shop", "a"), flag_stream("shop", "b")
EVENTS: dict[int, tuple[float, Stream, Event]] = {  # by position; position 5 was rolled back
    1: (0, PROJECT, ProjectCreated(project="shop", name="Shop")),
    2: (0, PROJECT, EnvironmentCreated(environment="production", name="Production")),
    3: (0, key_stream("shop", "lasting"), issued(LASTING)),
    4: (1, key_stream("shop", "revoked"), issued(REVOKED)),
    6: (10, FLAG, created("a")),
    7: (20, FLAG, DefaultServeChanged(environment="production", serve=OFF)),
    8: (30, OTHER, created("b")),
    9: (40, key_stream("shop", "revoked"), KeyRevoked()),
    10: (50, FLAG, FlagTurnedOff(environment="production")),
    11: (60, OTHER, FlagArchived()),
}
A, B = b'{"key":"a","reason":', b'{"key":"b","reason":'
BY_DEFAULT = b'"why":"default"%b}}'
A_6 = A + b'"STATIC","variant":"on","value":true,"metadata":{"flagVersion":1,' + BY_DEFAULT
A_7 = A + b'"STATIC","variant":"off","value":false,"metadata":{"flagVersion":2,' + BY_DEFAULT
A_10 = A + b'"DISABLED","variant":"off","value":false,"metadata":{"flagVersion":3%b}}'
B_8 = B + b'"STATIC","variant":"on","value":true,"metadata":{"flagVersion":1,' + BY_DEFAULT
NO_B = b'{"key":"b","errorCode":"FLAG_NOT_FOUND","errorDetails":"there is no flag \'b\' in this environment"}'


def pure_log() -> PureLog:
    versions: dict[Stream, int] = {}
    recorded = []
    for position, (at, stream, event) in EVENTS.items():
        versions[stream] = versions.get(stream, 0) + 1
        stamp = Stamp("ana", datetime.fromtimestamp(at, UTC))
        recorded.append(Recorded(position, stream, versions[stream], stamp, event))
    return PureLog(recorded)


def one(body: bytes, position: int, sent: float, flag: str = "a", **more: Any) -> Answer:
    return answer(body % b',"position":%d' % position, sent, flag, **more)


def every(*bodies: bytes, sent: float, **more: Any) -> Answer:
    return answer(b'{"flags":[%b]}' % b",".join(each % b"" for each in bodies), sent, None, **more)


def answer(
    body: bytes, sent: float, flag: str | None, key: str = LASTING, status: int = 200, process: int = 1
) -> Answer:
    return Answer(process, key, flag, "{}", sent, sent + 0.1, status, body)


HISTORY = {
    "a as created": one(A_6, 6, 11),
    "all as created": every(A_6, sent=12),
    "a a little late": one(A_6, 6, 21),
    "a served off": one(A_7, 7, 22),
    "no b yet": answer(NO_B, 23, "b", status=404),
    "b": one(B_8, 8, 31, "b"),
    "all with b": every(A_7, B_8, sent=32),
    "the key that will be revoked": one(A_7, 8, 35, key=REVOKED),
    "the key that was revoked": answer(b"{}", 44, "a", key=REVOKED, status=401),
    "a turned off": one(A_10, 10, 51),
    "b is gone": answer(NO_B, 61, "b", status=404),
    "all without b": every(A_10, sent=62),
    "a of another process that is behind": one(A_7, 9, 52, process=2),
}
TROUBLES = [Trouble(1, 5, "refused"), Trouble(1, 70, "reset"), Trouble(2, 10, "503")]
KILLED = {1: 69.0}


def found_in(history: dict[str, Answer], troubles: list[Trouble] = TROUBLES) -> Findings:
    return check(pure_log(), history.values(), troubles, KILLED, BOUND)


def test_nothing_is_found_in_a_history_that_is_right() -> None:
    found = found_in(HISTORY)
    assert found.faults == []
    assert found.checked == {200: 10, 404: 2, 401: 1}
    assert found.positions == {6, 7, 8, 9, 10}
    assert found.reasons == {"STATIC": 6, "DISABLED": 1}
    assert max(found.staleness) == 2  # the other process did not know at 52 s what was so from 50 s on


BUCKET = one(A_7, 7, 22)._replace(body=A_7 % b',"position":7,"bucket":1')
ADDED: dict[str, tuple[Answer, str]] = {
    "a wrong variant": (one(A_7.replace(b'"off"', b'"on"'), 7, 22), "wrong"),
    "the answer of the position before": (one(A_6, 7, 22), "wrong"),
    "a wrong value": (one(A_7.replace(b"false", b"true"), 7, 22), "wrong"),
    "a number for a truth": (one(A_7.replace(b"false", b"0"), 7, 22), "wrong"),
    "a wrong reason": (one(A_7.replace(b"STATIC", b"DEFAULT"), 7, 22), "wrong"),
    "a wrong version": (one(A_7.replace(b":2", b":3"), 7, 22), "wrong"),
    "a wrong why": (one(A_7.replace(b"default", b"rule"), 7, 22), "wrong"),
    "a bucket where none decided": (BUCKET, "wrong"),
    "a position that the log does not have": (one(A_6, 5, 11), "wrong"),
    "a flag before it was there": (one(B_8, 7, 23, "b"), "wrong"),
    "a flag missing while it was there": (answer(NO_B, 33, "b", status=404), "wrong"),
    "one missing among all": (every(A_7, sent=34), "wrong"),
    "one too many among all": (every(A_7, B_8, B_8, sent=34), "wrong"),
    "two positions at once": (every(A_6, B_8, sent=34), "wrong"),
    "a lasting key refused": (answer(b"{}", 31, "b", status=401), "wrong"),
    "an error of the evaluator": (answer(b"{}", 31, "b", status=500), "wrong"),
    "a position that goes back": (one(A_7, 7, 32), "back"),
    "a stale answer": (one(A_10, 10, 80.5, process=3), "stale"),
    "a stale answer about all": (every(A_10, B_8, sent=80.5, process=3), "stale"),
    "a revoked key that works": (one(A_7, 8, 60.5, key=REVOKED, process=3), "stale"),
    "a revoked key that works for all": (every(A_7, B_8, sent=60.5, key=REVOKED, process=3), "stale"),
}


@pytest.mark.parametrize("what", ADDED)
def test_one_answer_that_is_not_right_is_found(what: str) -> None:
    added, kind = ADDED[what]
    found = found_in(HISTORY | {"added": added})
    assert found.faults == getattr(found, kind)
    assert len(found.faults) == 1


@pytest.mark.parametrize(
    "trouble", [Trouble(1, 50, "reset"), Trouble(2, 60, "503")], ids=["no answer", "503 after answers"]
)
def test_a_question_without_an_answer_is_found_if_the_process_was_there(trouble: Trouble) -> None:
    assert len(found_in(HISTORY, [*TROUBLES, trouble]).unexplained) == 1


def test_a_position_lower_than_that_of_a_question_asked_at_the_same_time_is_not_back() -> None:
    overlapping = one(A_7, 8, 30.9)._replace(received=31.05)
    earlier = one(A_7, 7, 31)
    assert found_in(HISTORY | {"b": overlapping, "late": earlier}).back == []
    after_it = one(A_7, 7, 31.06)
    assert len(found_in(HISTORY | {"b": overlapping, "late": after_it}).back) == 1
