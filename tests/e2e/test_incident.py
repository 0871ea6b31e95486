"""An incident, from the first complaint to the end: predicted, found among 200 events, and undone."""

import http.client
import json
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.conftest import Platform
from tests.figures import tell
from tests.waiting import eventually

SUBJECTS, EVENTS, OTHERS = 10_000, 200, 5
ASKING_AT_ONCE = 4
PLANS, COUNTRIES = ("free", "team", "pro"), ("BR", "PT", "DE")
PROJECT = "incident"
ENVIRONMENT = f"{PROJECT}/environments/production"
CHECKOUT = f"{PROJECT}/flags/checkout/environments/production"
TESTERS = {
    "all": [
        {"attribute": "plan", "operator": "in", "values": ["pro"]},
        {"bucket": {"below": 40_000}},
    ]
}
TEAMS_TOO = {"attribute": "plan", "operator": "in", "values": ["pro", "team"]}
SPLIT = {"split": {"weights": {"on": 10_000, "off": 90_000}}}

Context = dict[str, str]


def subjects() -> list[Context]:
    chance = random.Random(8)  # noqa: S311 - a test's
    return [
        {"targetingKey": f"user-{n}", "plan": chance.choice(PLANS), "country": chance.choice(COUNTRIES)}
        for n in range(SUBJECTS)
    ]


def begin(platform: Platform) -> None:
    """A flag that asks a segment, and a prerequisite that asks another one."""
    made = platform.management.post("/api/v1/projects", json={"key": PROJECT, "name": "Incident"})
    assert made.status_code == 201, made.text
    recording = {"mode": "all", "attributes": ["plan", "country"]}
    platform.give("PATCH", ENVIRONMENT, {"recording": recording})
    platform.give("PUT", f"{PROJECT}/segments/testers", {"condition": TESTERS})
    platform.give("PUT", f"{PROJECT}/segments/europe", {"condition": {"not": in_country("BR")}})
    for key in ("checkout", "payments", *(f"other-{n}" for n in range(OTHERS))):
        body = {"key": key, "type": "boolean", "variants": {"on": True, "off": False}}
        platform.give("POST", f"{PROJECT}/flags", body, status=201)
    off = {"enabled": True, "off_variant": "off", "default": {"variant": "off"}}
    europe = [{"when": {"segment": "europe"}, "serve": {"variant": "on"}}]
    payments = f"{PROJECT}/flags/payments/environments/production"
    platform.give("PUT", payments, {**off, "default": {"variant": "on"}, "rules": europe})
    testers = [{"name": "testers", "when": {"segment": "testers"}, "serve": {"variant": "on"}}]
    asks = [{"flag": "payments", "variants": ["on"]}]
    platform.give("PUT", CHECKOUT, {**off, "default": SPLIT, "rules": testers, "prerequisites": asks})


def in_country(country: str) -> dict[str, Any]:
    return {"attribute": "country", "operator": "in", "values": [country]}


def busy_days(platform: Platform, numbers: range) -> int:
    """An event for each number, none of it to do with who gets the checkout; the last position."""
    commands: list[dict[str, Any]] = []
    for n in numbers:
        turn = "turn_flag_on" if n // 4 % 2 == 0 else "turn_flag_off"
        kinds: list[dict[str, Any]] = [
            {"command": turn, "environment": "production", "flag": "other-0"},
            {"command": "change_flag", "details": {"description": f"as of change {n}"}},
            {"command": "put_variant", "name": f"variant-{n}", "value": True},
            {"command": "change_flag", "details": {"tags": [f"tag-{n}"]}, "flag": "checkout"},
        ]
        commands.append({"flag": f"other-{n % OTHERS}", **kinds[n % 4]})
    return int(platform.give("POST", f"{PROJECT}/commands", {"commands": commands})["position"])


def served(platform: Platform, key: str, contexts: Sequence[Context]) -> list[str]:
    """The variant that each of them is answered."""
    with ThreadPoolExecutor(ASKING_AT_ONCE) as threads:
        parts = [contexts[n::ASKING_AT_ONCE] for n in range(ASKING_AT_ONCE)]
        found = list(threads.map(lambda part: served_in_turn(platform, key, part), parts))
    answers = [""] * len(contexts)
    for n, part in enumerate(found):
        answers[n::ASKING_AT_ONCE] = part
    return answers


def served_in_turn(platform: Platform, key: str, contexts: Sequence[Context]) -> list[str]:
    connection = http.client.HTTPConnection(urlsplit(platform.ready["evaluation_url"]).netloc)
    found = []
    for context in contexts:
        body = json.dumps({"context": context})
        connection.request("POST", "/ofrep/v1/evaluate/flags/checkout", body, {"X-API-Key": key})
        found.append(json.loads(connection.getresponse().read())["variant"])
    connection.close()
    return found


def asked(platform: Platform, path: str, body: Any) -> Any:
    """What takes its time, as the tables here give a few thousand records a second."""
    answer = platform.management.post(f"/api/v1/projects/{path}", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_incident_is_predicted_found_and_undone(platform: Platform) -> None:
    begin(platform)
    path = f"{ENVIRONMENT}/keys"
    issued = platform.give("POST", path, {"name": "app", "kind": "server"}, status=201)
    start = issued["position"]
    platform.wait_for(start)
    contexts = subjects()
    before = served(platform, issued["key"], contexts)
    then = datetime.now(UTC).isoformat()

    draft = {"command": "put_segment", "segment": "testers", "definition": {"condition": TEAMS_TOO}}
    question = {"commands": [draft], "to": then, "limit": 100_000}

    def predicted() -> Any:
        (found,) = asked(platform, f"{ENVIRONMENT}/what-if", question)["flags"]
        return found

    usage = f"{ENVIRONMENT}/analytics/flags/checkout"
    eventually(lambda: platform.give("GET", usage)["total"] == SUBJECTS, 60)
    eventually(lambda: predicted()["evaluations"] == SUBJECTS, 60)
    prediction = predicted()

    busy_days(platform, range(EVENTS // 2))
    culprit = platform.give("PUT", f"{PROJECT}/segments/testers", {"condition": TEAMS_TOO})["position"]
    end = busy_days(platform, range(EVENTS // 2, EVENTS - 1))
    assert end - start == EVENTS
    platform.wait_for(end)

    after = served(platform, issued["key"], contexts)
    moved = [n for n in range(SUBJECTS) if before[n] != after[n]]
    assert prediction["flag"] == "checkout"
    assert prediction["undecided"]["evaluations"] == 0
    assert prediction["before"] == dict(Counter(before))
    assert prediction["after"] == dict(Counter(after))
    assert prediction["moved"] == {"evaluations": len(moved), "subjects": len(moved)}
    assert len(moved) > 1_000

    search = {"recorded": {"to": then}, "from": str(start), "to": str(end)}
    found = asked(platform, f"{CHECKOUT}/bisect", search)
    (change,) = found["changes"]
    assert (found["evaluations"], change["entry"]["position"]) == (SUBJECTS, culprit)
    assert change["changed"] >= len(moved)  # another rule may give the same variant
    assert change["shares_before"] == dict(Counter(before))
    assert change["shares_after"] == dict(Counter(after))

    undone = platform.give("POST", f"{PROJECT}/undo", {"position": culprit})
    assert [(each["kind"], each["key"]) for each in undone["changed"]] == [("segment", "testers")]
    platform.wait_for(undone["changed"][0]["position"])
    assert served(platform, issued["key"], contexts) == before
    tell("an incident", events=end - start, predicted=len(moved), moved=len(moved), back=len(moved))
