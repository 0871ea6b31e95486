"""What a machine makes of the OpenAPI document: valid requests, invalid ones, and what it expects of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup

from api.management.app import create_app
from api.management.context import Parts
from deploy.embedded import Stack
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from projections.aws import create_tables, dynamodb_client
from projections.projector import Projector
from tests.figures import tell
from tests.integration.management import ADMIN, close, parts_at

EXAMPLES = 10  # for each route
CONFIG = {
    "checks": {
        # A request of the right shape may still be about what is not there, or contradict what is.
        "positive_data_acceptance": {"enabled": False},
        "negative_data_rejection": {"expected-statuses": [400, 404, 405, 409, 413, 415, 422]},
    },
    "generation": {"max-examples": EXAMPLES},
    # Each way in which each part of a targeting could be wrong, one at a time, is thousands of requests; the
    # generated ones are enough of them.
    "phases": {"coverage": {"enabled": False}},
}


@pytest.fixture(scope="module")
def described(stack: Stack) -> Iterator[tuple[Any, Parts]]:
    name = f"schemathesis_{uuid4().hex}"
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = stack.postgres.url.rsplit("/", 1)[0] + f"/{name}"
    set_up_postgres(Settings(postgres_url=url))
    create_tables(dynamodb_client(stack.aws.url, "us-east-1"), f"{name}-usage", f"{name}-records")
    found = parts_at(
        url,
        redis_url=stack.valkey.url,
        aws_endpoint_url=stack.aws.url,
        usage_table=f"{name}-usage",
        records_table=f"{name}-records",
    )
    config = SchemathesisConfig.from_dict(CONFIG)
    yield schemathesis.openapi.from_asgi("/openapi.json", create_app(found), config=config), found
    close(found)


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_route_keeps_to_what_the_document_says(
    described: tuple[Any, Parts], mode: GenerationMode
) -> None:
    document, parts = described
    projectors = [Projector(parts.store, view) for view in (parts.catalogue, parts.audit)]
    asked: Counter[str] = Counter()
    found = [each.ok() for each in document.get_all_operations()]
    failures = [
        f"{each.label}: {problem}" for each in found if (problem := _tried(each, mode, asked, projectors))
    ]
    tell(
        f"{mode.value} requests made of the OpenAPI document",
        routes=len(found),
        tried=sum(asked.values()),
        findings=len(failures),
    )
    assert not failures, "\n\n".join(failures)


def _tried(operation: Any, mode: GenerationMode, asked: Counter[str], views: Sequence[Projector]) -> str:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        asked[operation.label] += 1
        for view in views:  # so that 503 is not the answer to who waits for a position
            view.catch_up()
        case.call_and_validate(headers={"X-API-Key": ADMIN})

    try:
        ask()
    except Unsatisfiable:  # nothing in it can be wrong
        return ""
    except (FailureGroup, Failure) as failure:
        return str(failure) + "\n".join(str(each) for each in getattr(failure, "exceptions", ()))
    return ""
