"""`togglemaster analytics compact`, `export`, `verify` and `rebuild`, as they are typed."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.embedded import Stack
from deploy.told import Told
from projections import records_export
from projections.aws import dynamodb_client
from projections.records_table import Record
from projections.usage_table import CountRow, outcome_of
from tests.integration.usage import Usage

DAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
MINUTE = int(DAY.timestamp()) // 60
WHERE = ("--project", "shop", "--environment", "production")
WINDOW = ("--from", f"{DAY:%Y-%m-%dT%H:%M}", "--to", f"{DAY + timedelta(hours=14):%Y-%m-%dT%H:%M}")


@pytest.fixture(scope="module")
def made(stack: Stack) -> Iterator[Usage]:
    client = dynamodb_client(stack.aws.url, "us-east-1")
    yield Usage(client, datetime.now(UTC).timestamp())
    client.close()


@pytest.fixture
def usage(made: Usage, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Usage:
    monkeypatch.setenv("TOGGLEMASTER_AWS_ENDPOINT_URL", stack.aws.url)
    monkeypatch.setenv("TOGGLEMASTER_USAGE_TABLE", made.table)
    monkeypatch.setenv("TOGGLEMASTER_RECORDS_TABLE", made.records_table)
    monkeypatch.setenv("COLUMNS", "200")
    made.clear()
    return made


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, ["analytics", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def evaluated(usage: Usage, times: int = 40) -> list[Record]:
    """Two flags by two evaluators over some hours, past midnight: counts, totals and a record for each."""
    records = [
        Record(
            f"eu-{n % 2}-{n}",
            "shop",
            "production",
            "new-checkout" if n % 3 else "dark [bold]mode",
            "on" if n % 5 else "",
            "SPLIT" if n % 5 else "DEFAULT",
            f"user-{n}",
            7,
            (MINUTE + 20 * n) * 60_000 + n,
            {"plan": "pro"} if n % 2 else {},
        )
        for n in range(times)
    ]
    usage.record(*records)
    usage.write(*counts_of(records))
    return records


def counts_of(records: list[Record]) -> list[CountRow]:
    rows: dict[tuple[str, int, str], dict[str, int]] = {}
    for each in records:
        producer, minute = each.event_id.rsplit("-", 1)[0], each.at // 60_000
        for flag, variant in ((each.flag, each.variant), ("", "")):
            counts = rows.setdefault((flag, minute, producer), {})
            outcome = outcome_of(each.reason, variant)
            counts[outcome] = counts.get(outcome, 0) + 1
    return [
        CountRow(producer, "shop", "production", flag, minute, 9, counts)
        for (flag, minute, producer), counts in rows.items()
    ]


def test_compact_says_what_it_added_up(usage: Usage) -> None:
    evaluated(usage)
    result = run("compact")
    assert "hours were added up from 80 rows of minutes" in result.stdout
    assert "0 hours were added up" in run("compact").stdout


def test_verify_is_content_where_every_evaluation_has_its_record(usage: Usage) -> None:
    evaluated(usage)
    usage.write(CountRow("eu-0", "shop", "production", "", MINUTE, 10, {"DEFAULT/": 1, "FLAG_NOT_FOUND/": 4}))
    result = run("verify", *WHERE, *WINDOW)
    assert result.exit_code == 0, result.output
    assert "the counts are what the records say" in result.stdout


def test_rows_that_were_lost_are_found_made_anew_and_added_up(usage: Usage) -> None:
    records = evaluated(usage)
    usage.compaction.run()
    items = usage.dynamodb.scan(TableName=usage.table)["Items"]
    for item in [each for each in items if "seq" in each][::3]:
        usage.dynamodb.delete_item(TableName=usage.table, Key={"part": item["part"], "place": item["place"]})
    found = run("verify", *WHERE, *WINDOW)
    assert found.exit_code == 1
    assert "counts missing" in found.stdout
    assert "dark [bold]mode" in found.stdout
    assert run("rebuild", *WHERE, *WINDOW).stdout == "27 rows of counts were written anew\n"
    assert run("verify", *WHERE, *WINDOW).exit_code == 0
    assert "0 rows" in run("rebuild", *WHERE, *WINDOW).stdout
    usage.compaction.run()
    for flag in ("new-checkout", "dark [bold]mode"):
        counted = usage.reader.counted("shop", "production", flag, MINUTE, MINUTE + 14 * 60)
        assert sum(sum(each.counts.values()) for each in counted) == sum(
            each.flag == flag for each in records
        )
    whole = usage.reader.counted("shop", "production", "", MINUTE, MINUTE + 14 * 60)
    assert sum(sum(each.counts.values()) for each in whole) == len(records)


def test_a_row_that_lost_an_answer_gets_it_back_and_keeps_what_no_record_proves(usage: Usage) -> None:
    records = evaluated(usage, 2)
    flag, minute = records[1].flag, records[1].at // 60_000
    usage.write(CountRow("eu-1", "shop", "production", flag, minute, 10, {"STATIC/off": 5}))
    assert "1 rows" not in run("rebuild", *WHERE, *WINDOW).stdout
    (row,) = usage.reader.rows("shop", "production", flag, minute, minute + 1)
    assert (row.seq, row.counts) == (11, {"SPLIT/on": 1, "STATIC/off": 5})


def test_counts_without_records_are_told_with_what_that_may_mean(usage: Usage) -> None:
    usage.write(
        CountRow("eu-1", "shop", "production", "f", MINUTE, 1, {"SPLIT/on": 5}),
        CountRow("eu-1", "shop", "production", "", MINUTE, 1, {"SPLIT/": 5}),
    )
    result = run("verify", *WHERE, *WINDOW)
    assert result.exit_code == 1
    assert "records missing: 1. Expected where the environment does not record all" in result.stdout
    assert "counts missing" not in result.stdout
    assert "0 rows" in run("rebuild", *WHERE, *WINDOW).stdout


def test_export_writes_every_record_once_as_json_lines(usage: Usage, tmp_path: Path) -> None:
    records = evaluated(usage)
    file = tmp_path / "records.jsonl"
    result = run("export", *WHERE, *WINDOW, "--output", str(file))
    assert f"40 records of 2 flags are in {file}" in result.stdout
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert {line["event_id"] for line in lines} == {each.event_id for each in records}
    first = next(line for line in lines if line["event_id"] == "eu-1-1")
    assert first == {
        **records[1]._asdict(),
        "at": f"{DAY + timedelta(minutes=20):%Y-%m-%dT%H:%M:%S}.001000+00:00",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]


def test_export_of_one_flag_as_parquet_has_types(
    usage: Usage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_export, "ROWS_AT_ONCE", 5)
    records = [each for each in evaluated(usage) if each.flag == "new-checkout"]
    file = tmp_path / "records.parquet"
    run("export", *WHERE, *WINDOW, "--flag", "new-checkout", "--format", "parquet", "--output", str(file))
    table = pyarrow.parquet.read_table(file)
    assert table["event_id"].to_pylist() == [each.event_id for each in records]
    assert table["at"].to_pylist()[0] == datetime.fromtimestamp(records[0].at / 1_000, UTC)
    assert json.loads(table["attributes"].to_pylist()[0]) == records[0].attributes
    assert str(table.schema.field("at").type) == "timestamp[ms, tz=UTC]"
    assert pyarrow.parquet.ParquetFile(file).num_row_groups == -(-len(records) // 5)


def test_an_export_that_fails_leaves_the_file_of_before(
    usage: Usage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated(usage)
    file = tmp_path / "records.parquet"
    file.write_text("of before")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Told, match=r"install `togglemaster\[parquet\]`"):
        run("export", *WHERE, *WINDOW, "--format", "parquet", "--output", str(file))
    with pytest.raises(Told, match=r"--output .*none.*No such file"):
        run("export", *WHERE, *WINDOW, "--output", str(tmp_path / "none" / "records.jsonl"))
    assert file.read_text() == "of before"
    assert [path.name for path in tmp_path.iterdir()] == ["records.parquet"]


def test_a_window_that_ends_before_it_begins_is_refused(usage: Usage, tmp_path: Path) -> None:
    backwards = ("--from", "2026-11-04", "--to", "2026-11-03")
    for words in (("verify",), ("rebuild",), ("export", "--output", str(tmp_path / "f"))):
        with pytest.raises(Told, match="--to has to be after --from"):
            run(*words, *WHERE, *backwards)
