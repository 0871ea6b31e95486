"""What the OpenAPI document says is so: every route has an example, and it is what really happens."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from api.management.app import create_app
from api.management.description import OPEN, describe, examples, operations
from commands.event_store import EventStore
from deploy.embedded import Stack
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from projections.aws import create_tables, dynamodb_client
from projections.projector import Projector, RulesetView
from projections.rebuild import rebuild
from projections.records_table import Record
from projections.ruleset_store import RulesetStore
from tests.integration.examples import DAY, lived
from tests.integration.management import close, parts_at

FILE = Path(__file__).parents[2] / "api" / "management" / "examples.json"


@cache
def document() -> dict[str, Any]:
    return describe(create_app(parts_at("postgresql://postgres@127.0.0.1:1/none")))


def a_day(store: EventStore, stack: Stack, redis: Redis) -> dict[str, Any]:
    """What the requests of tests/integration/examples.py lead to now."""
    set_up_postgres(Settings(postgres_url=store.url))
    found = parts_at(
        store.url, aws_endpoint_url=stack.aws.url, records_table="day-records", usage_table="day-usage"
    )
    found = replace(found, health=replace(found.health, rulesets=RulesetStore(redis)))
    rebuild(store, found.health.rulesets)
    create_tables(dynamodb_client(stack.aws.url, "us-east-1"), "day-usage", "day-records")
    found.analytics.records.put(recorded())

    def catch_up() -> None:
        for view in (found.catalogue, found.audit, RulesetView(found.health.rulesets)):
            Projector(store, view).catch_up()

    try:
        with TestClient(create_app(found)) as client:
            return lived(client, catch_up)
    finally:
        close(found)


def recorded() -> Iterator[Record]:
    at = int(time.time() * 1_000) - 60_000
    for flag, variant, reason in (("new-checkout", "on", "SPLIT"), ("dark-mode", "", "DISABLED")):
        for n in (1, 2):
            yield Record(
                f"5f0c9a7e41d2b386-{n}", "shop", "production", flag, variant, reason, f"user-{n}", 0, at
            )


def test_every_route_has_an_example_of_its_parameters_its_body_and_its_answer() -> None:
    for method, path, operation in operations(document()):
        route = f"{method} {path}"
        assert route in examples(), f"{route}: add a step to tests/integration/examples.py"
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                assert "example" in parameter, f"{route}: {parameter['name']}"
        if "requestBody" in operation and operation["requestBody"].get("required"):
            assert "example" in operation["requestBody"]["content"]["application/json"], route


def test_every_route_says_how_it_refuses_and_what_credential_it_wants() -> None:
    for method, path, operation in operations(document()):
        refusal = operation["responses"]["default"]["content"]["application/problem+json"]
        assert refusal == {"schema": {"$ref": "#/components/schemas/Problem"}}
        assert ("security" in operation) is not path.startswith(OPEN), f"{method} {path}"
        assert "422" not in operation["responses"]


def test_the_examples_are_what_happens(store: EventStore, stack: Stack, redis: Redis) -> None:
    """When they changed on purpose, `WRITE_EXAMPLES=1 make test` (or this test alone) writes them anew."""
    now = json.loads(json.dumps(a_day(store, stack, redis)))
    if os.environ.get("WRITE_EXAMPLES"):
        FILE.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        examples.cache_clear()
    assert set(now) == set(examples())
    for route, example in now.items():
        assert _shape(example) == _shape(examples()[route]), route


def _shape(value: Any) -> Any:
    """Values that are texts or numbers stand for their kind: positions and random ids differ."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value]
    return (
        type(value).__name__
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else value
    )


@pytest.mark.parametrize("step", DAY, ids=lambda step: f"{step.method} {step.path}")
def test_each_step_of_the_day_is_a_route(step: Any) -> None:
    assert step.path in document()["paths"]
