"""Where the microseconds of one evaluation go, between the bytes that come in and those that go out.

`python -m tests.benchmarks.lane_profile`: each part by itself, in this process, at its best of many runs. The
same code takes longer when it serves, as the kernel's work in between takes its place in the caches.
"""

import time
import timeit
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from redis import Redis
from rich.console import Console
from rich.table import Table

from api.evaluation.app import create_app
from api.evaluation.contexts import read_context
from api.evaluation.encoding import made
from api.evaluation.ofrep import ONE
from api.evaluation.parts import Parts
from api.http import new_request_id
from commands.secret_keys import new_key
from domain.access import digest
from domain.recording import AS_INSTALLED
from projections.documents import ENVIRONMENTS, KEYS, KeyDocument, Place, scope_of
from projections.follower import Follower
from projections.keys_used import KeysUsed
from projections.snapshot import Snapshot
from tests.integration.flag_documents import HALF, flag_document
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse
from workers.original_messages import ENVIRONMENT, PROJECT

RUNS, EACH = 40, 5_000
POSITION = 1_207
SCOPE, ORIGINAL_SCOPE = "shop/production", scope_of(PROJECT, ENVIRONMENT)
BODY = b'{"context": {"targetingKey": "user-1", "country": "BR"}}'
HEADERS = [(b"date", b"Sun, 22 Nov 2026 22:05:30 GMT")]
QUESTIONS = {
    "a question of the original's, a user each": b"user_id=user-%d&flag_name=flag",
    "a question of the original's, in escapes": b"user_id=usu%%C3%%A1rio+%d&flag_name=flag",
}
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}


class Nowhere:
    def send(self, batch: Sequence[bytes]) -> list[bytes]:
        del batch
        return []


def snapshot(key: str) -> Snapshot:
    flag = flag_document("flag", rules=[{"id": "brazil", "when": BRAZIL, "serve": HALF}])
    document = KeyDocument(id="k", kind="server", project="shop", environment="production")
    documents: dict[Place, str | None] = {
        Place(ENVIRONMENTS, SCOPE): "{}",
        Place(SCOPE, "flag/flag"): flag,
        Place(KEYS, digest(key)): document.model_dump_json(),
        Place(ORIGINAL_SCOPE, "flag/flag"): flag_document("flag", default=HALF),
    }
    return Snapshot("g1").updated(documents, position=POSITION)


def microseconds(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=EACH, repeat=RUNS, timer=time.process_time)) / EACH * 1e6


def parts_of(key: str) -> Parts:
    away = Redis(port=1)
    follower = Follower(away)
    follower.snapshot, follower.synced_at = snapshot(key), time.monotonic() + 3_600
    recorder = EvaluationRecorder(Nowhere(), records="none")
    return Parts(follower, recorder, KeyUse(KeysUsed(away)), requests_per_second=1e9)


def questions(lane: Any) -> dict[str, Callable[[], object]]:
    """Whole, too."""
    heads = {
        name: b"GET /evaluate?%b HTTP/1.1\r\nhost: x\r\nuser-agent: x\r\n\r\n" % query
        for name, query in QUESTIONS.items()
    }
    for head in heads.values():
        assert lane.answer(head % 1, HEADERS).startswith(b"HTTP/1.1 200 OK\r\n")
    users = count()
    return {
        name: lambda head=head: lane.answer(head % next(users), HEADERS)  # type: ignore[misc]
        for name, head in heads.items()
    }


def parts_of_it(parts: Parts, lane: Any, answers: Any, key: str) -> dict[str, Callable[[], object]]:
    recorder = parts.recorder
    head = f"POST /ofrep/v1/evaluate/flags/flag HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
    request = f"{head}content-length: {len(BODY)}\r\n\r\n".encode() + BODY
    assert lane.answer(request, HEADERS).startswith(b"HTTP/1.1 200 OK\r\n")
    who, context = answers._caller(key), read_context(BODY)
    answer = who.flag("flag").decide(context, who.ruleset)
    this = made(answer, "flag", who.key)
    now = time.time()
    timing = lane._timing("POST", ONE, 200)
    return {
        "all of it": lambda: lane.answer(request, HEADERS),
        "key: known, in force, within its limit": lambda: answers._caller(key),
        "context: JSON, read strictly": lambda: read_context(BODY),
        "evaluation": lambda: who.flag("flag").decide(context, who.ruleset),
        "answer: encoded beforehand, with position and bucket": lambda: this.closed(b"1207", context, b"}}"),
        "counting": lambda: recorder.record_one(this.tally, AS_INSTALLED, context, POSITION, now),
        "request's id and time": lambda: (new_request_id(), timing.add(0.00001)),
    }


def main() -> None:
    table = Table("", "µs", title="One evaluation of a rule with a split, from bytes to bytes")
    key = new_key("server")[1]
    parts = parts_of(key)
    state = create_app(parts).state
    found = _timed(parts_of_it(parts, state.lane, state.answers, key))
    rest = 2 * found["all of it"] - sum(found.values())
    found["head: found by its bytes; response: put together"] = rest
    for name, value in (found | _timed(questions(state.lane))).items():
        table.add_row(name, f"{value:.2f}")
    Console().print(table)


def _timed(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    return {name: microseconds(work) for name, work in works.items()}


if __name__ == "__main__":
    main()
