"""`togglemaster analytics setup`: what is missing is made, what is there is told and left alone."""

from uuid import uuid4

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.embedded import Stack
from deploy.told import Told
from projections.aws import create_table, dynamodb_client
from tests.integration.analytics import REGION


@pytest.fixture
def names(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {kind: f"{kind}-{uuid4().hex}" for kind in ("queue", "usage", "records", "original")}
    monkeypatch.setenv("TOGGLEMASTER_AWS_ENDPOINT_URL", stack.aws.url)
    monkeypatch.setenv("TOGGLEMASTER_QUEUE_NAME", found["queue"])
    monkeypatch.setenv("TOGGLEMASTER_USAGE_TABLE", found["usage"])
    monkeypatch.setenv("TOGGLEMASTER_RECORDS_TABLE", found["records"])
    monkeypatch.setenv("AWS_DYNAMODB_TABLE", found["original"])
    return found


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["analytics", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_it_says_what_it_made_and_what_was_there(names: dict[str, str], stack: Stack) -> None:
    dynamodb = dynamodb_client(stack.aws.url, REGION)
    create_table(dynamodb, names["records"], ("flag", "at_event"))  # as an older version made it
    said = run("setup")
    for made in (
        f"queue {names['queue']} is made",
        f"queue {names['queue']}-dead is made",
        f"table {names['usage']} is made",
        f"table {names['records']} was there",
        f"table {names['original']} is made",
    ):
        assert made in said
    (index,) = dynamodb.describe_table(TableName=names["records"])["Table"]["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["IndexStatus"]) == ("by_subject", "ACTIVE")
    for table in (names["usage"], names["records"]):
        expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert "is made" not in run("setup")
    dynamodb.close()


def test_a_table_with_other_keys_is_left_alone_and_told(names: dict[str, str], stack: Stack) -> None:
    dynamodb = dynamodb_client(stack.aws.url, REGION)
    create_table(dynamodb, names["usage"], ("flag_day", "minute_producer"))
    with pytest.raises(Told, match=rf"{names['usage']} has the keys \['flag_day', 'minute_producer'\]"):
        run("setup")
    dynamodb.close()


def test_redrive_says_how_many_it_moved(names: dict[str, str]) -> None:
    run("setup")
    moved = run("redrive", "--limit", "3")
    assert moved == f"0 messages were moved from {names['queue']}-dead to {names['queue']}"


def test_what_is_away_is_told(names: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGGLEMASTER_AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Told, match="TOGGLEMASTER_AWS_ENDPOINT_URL"):
        run("redrive")
