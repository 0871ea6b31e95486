"""Writes records to a file, JSON Lines or Parquet, in memory that does not grow with them."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import orjson

from projections.records_table import Record
from projections.usage_table import EPOCH

ROWS_AT_ONCE = 10_000  # about 5 MB; a row group of Parquet

Format = Literal["jsonl", "parquet"]
Write = Callable[[list[Record]], None]


class NoParquet(Exception):
    """The library that writes Parquet is not installed; the text says how to install it."""


def export(records: Iterable[Record], file: Path, format: Format, told: Callable[[int], None]) -> int:  # noqa: A002
    """How many were written. `told` is called with the number so far.

    The file appears when it is whole; one of that name stays until then. Raises NoParquet, and OSError.
    """
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    written = 0
    rows = iter(records)
    try:
        with WRITERS[format](unfinished) as write:
            while some := list(islice(rows, ROWS_AT_ONCE)):
                write(some)
                written += len(some)
                told(written)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return written


@contextmanager
def _json_lines(file: Path) -> Iterator[Write]:
    with file.open("wb") as out:
        yield lambda some: out.writelines(orjson.dumps(_shown(each)) + b"\n" for each in some)


@contextmanager
def _parquet(file: Path) -> Iterator[Write]:
    try:
        import pyarrow as arrow  # noqa: PLC0415 - 50 MB that only this needs
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as problem:
        raise NoParquet(
            "Parquet needs a library that is not installed: install `togglemaster[parquet]`, or export jsonl"
        ) from problem
    names = ("event_id", "project", "environment", "flag", "variant", "reason", "subject", "attributes")
    schema = arrow.schema(
        [(name, arrow.string()) for name in names]
        + [("position", arrow.int64()), ("at", arrow.timestamp("ms", tz="UTC"))]
    )
    with parquet.ParquetWriter(file, schema) as out:
        yield lambda some: out.write_table(arrow.Table.from_pylist([_columns(each) for each in some], schema))


WRITERS: Mapping[Format, Callable[[Path], Any]] = {"jsonl": _json_lines, "parquet": _parquet}


def _shown(record: Record) -> dict[str, Any]:
    return record._asdict() | {"at": EPOCH + timedelta(milliseconds=record.at)}


def _columns(record: Record) -> dict[str, Any]:
    """Attributes are of any shape, so they are a text of JSON."""
    return _shown(record) | {"attributes": orjson.dumps(record.attributes).decode()}
