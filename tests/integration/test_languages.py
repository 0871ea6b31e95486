"""What the API says in sentences, it says in the language of whoever asks."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from api.management.description import describe, operations
from tests.integration.conftest import application
from tests.integration.management import Management, refused

PORTUGUESE = {"Accept_Language": "pt-PT,pt;q=0.9,en;q=0.5"}
TURN_ON = {"command": "turn_flag_on", "flag": "checkout", "environment": "production"}
ON, OFF = "foi ligada em production", "foi desligada em production"
ALWAYS_WITHOUT = "/api/v1/people/{person}/history"
"""Answers with a history's entries, of which none has sentences."""
WITH_A_REASON = "/api/v1/projects/{project}/environments/{environment}/analytics/flags/{key}/shares"
"""Says why in one sentence, which has another name."""


class Asked(NamedTuple):
    method: str
    path: str
    body: Any = None
    says: str = ON


ROUTES = (
    Asked("GET", "/default/history?sentences=true"),
    Asked("GET", "/default/history?sentences=true&kind=change", says="a mudança foi proposta"),
    Asked("GET", "/default/flags/checkout/history"),
    Asked("GET", "/default/flags/checkout/history?closure=true&environment=production"),
    Asked("GET", "/default/segments/beta/history", says="o segmento *beta* foi criado: sempre"),
    Asked("GET", "/default/diff?environment=staging&other=production"),
    Asked("GET", "/default/flags/checkout/environments/production/blame"),
    Asked("GET", "/default/changes/{change}", says="foi ligada em staging"),
    Asked("POST", "/default/undo", {"position": "{position}", "preview": True}, OFF),
    Asked("POST", "/default/commands/preview", {"commands": [{**TURN_ON, "environment": "development"}]},
          "foi ligada em development"),
    Asked("POST", "/default/environments/staging/promote", {"from": "production", "preview": True},
          "foi ligada em staging"),
    Asked("POST", "/default/environments/staging/explain", {"flag": "checkout", "context": {}},
          "a flag *checkout* (liga/desliga) foi criada, com *on* e *off*"),
    Asked("POST", "/default/flags/checkout/environments/production/bisect", {"contexts": [{}]}),
)  # fmt: skip


@pytest.fixture
def changed(api: Management) -> dict[str, str]:
    """A flag that was turned on in production, and a change request to turn it on in staging."""
    assert api.flag().is_success
    assert api.ask("PUT", "/default/segments/beta", {"condition": {"constant": True}}).is_success
    answer = api.ask("POST", "/default/commands", {"commands": [TURN_ON]})
    proposal = {"title": "On", "commands": [{**TURN_ON, "environment": "staging"}]}
    change = api.ask("POST", "/default/changes", proposal)
    assert change.is_success, change.text
    api.catch_up()
    return {"position": str(answer.json()["position"]), "change": change.json()["id"]}


def filled(asked: Asked, changed: dict[str, str]) -> tuple[str, str, Any]:
    body = json.loads(json.dumps(asked.body).replace('"{position}"', changed["position"]))
    return asked.method, asked.path.replace("{change}", changed["change"]), body


def test_each_answer_with_sentences_is_in_the_language_that_is_asked_for(
    api: Management, changed: dict[str, str]
) -> None:
    for asked in ROUTES:
        answer = api.ask(*filled(asked, changed), **PORTUGUESE)
        assert answer.is_success, answer.text
        assert asked.says in list(sentences(answer.json())), asked
        assert answer.headers["content-language"] == "pt-BR", asked
        assert answer.headers["vary"] == "Accept-Language", asked


def test_everybody_else_reads_english(api: Management, changed: dict[str, str]) -> None:
    for asked in ROUTES:
        plain = api.ask(*filled(asked, changed))
        assert plain.headers["content-language"] == "en"
        assert asked.says not in sentences(plain.json())
        for unknown in ("de", "\x7f;q=\t,", "pt;q=0"):
            answer = api.ask(*filled(asked, changed), Accept_Language=unknown)
            assert (answer.status_code, answer.headers["content-language"]) == (200, "en")
            assert list(sentences(answer.json())) == list(sentences(plain.json()))


def sentences(answer: Any) -> Iterator[str]:
    """All that are anywhere in it."""
    if isinstance(answer, list):
        for each in answer:
            yield from sentences(each)
    elif isinstance(answer, dict):
        yield from answer.get("sentences", ())
        for each in answer.values():
            yield from sentences(each)


def test_what_is_kept_for_ever_is_kept_by_language(api: Management, changed: dict[str, str]) -> None:
    path = f"/default/flags/checkout/environments/production/blame?at={changed['position']}"
    kept = [api.ask("GET", path, **wanted) for wanted in ({}, PORTUGUESE)]
    assert all("immutable" in each.headers["cache-control"] for each in kept)
    assert [each.headers["vary"] for each in kept] == ["Accept-Language"] * 2
    assert kept[0].json() != kept[1].json()


def test_a_command_sent_again_in_another_language_is_the_same_command(
    api: Management, changed: dict[str, str]
) -> None:
    body = {"position": int(changed["position"])}
    first = api.ask("POST", "/default/undo", body, Idempotency_Key="k", **PORTUGUESE)
    again = api.ask("POST", "/default/undo", body, Idempotency_Key="k")
    assert list(sentences(first.json())) == [OFF]
    assert again.is_success, again.text
    assert again.json()["changed"] == first.json()["changed"]


def test_refusals_and_reasons_in_the_log_are_in_english(api: Management, changed: dict[str, str]) -> None:
    position, path = int(changed["position"]), "/default/flags/checkout/history"
    assert api.ask("POST", "/default/undo", {"position": position}, **PORTUGUESE).is_success
    api.catch_up()
    newest = api.ask("GET", path, **PORTUGUESE).json()["entries"][0]
    assert (newest["sentences"], newest["reason"]) == ([OFF], f"undo of position {position}")
    refusal = api.ask("POST", "/default/undo", {"position": changed_twice(api)}, **PORTUGUESE)
    refused(refusal, 409, "everybody else now gets the code's own default", "cannot be taken back")
    assert "content-language" not in refusal.headers


def changed_twice(api: Management) -> int:
    """The position of the first of two changes of the same thing."""
    positions = []
    for default in ({"code_default": True}, {"variant": "off"}):
        targeting = {"enabled": True, "off_variant": "off", "default": default}
        about = {"command": "change_targeting", "flag": "checkout", "environment": "production"}
        answer = api.ask("POST", "/default/commands", {"commands": [{**about, "targeting": targeting}]})
        positions.append(int(answer.json()["position"]))
    return positions[0]


def test_every_route_that_answers_with_sentences_says_how_to_choose_the_language() -> None:
    document = describe(application())
    schemas = document["components"]["schemas"]
    for method, path, operation in operations(document):
        names = {each["name"].lower() for each in operation.get("parameters", ()) if each["in"] == "header"}
        says = any(_has_sentences(each, schemas, frozenset()) for each in operation["responses"].values())
        says = says or path == WITH_A_REASON
        assert says == ("accept-language" in names or path == ALWAYS_WITHOUT), f"{method} {path}"


def _has_sentences(part: Any, schemas: dict[str, Any], seen: frozenset[str]) -> bool:
    if isinstance(part, list):
        return any(_has_sentences(each, schemas, seen) for each in part)
    if not isinstance(part, dict):
        return False
    if {"sentence", "sentences"} & part.get("properties", {}).keys():
        return True
    name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
    if name in schemas and name not in seen and _has_sentences(schemas[name], schemas, seen | {name}):
        return True
    return any(_has_sentences(each, schemas, seen) for each in part.values())
