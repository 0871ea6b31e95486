"""The original's tables, read and left as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict

from commands.original.importing import FlagRow, KeyRow, RuleRow, Tables
from deploy.told import Told

CONNECT_SECONDS = 5
FLAGS: LiteralString = "SELECT name, coalesce(description, ''), coalesce(is_enabled, false) FROM flags"
RULES: LiteralString = "SELECT flag_name, coalesce(is_enabled, false), rules FROM targeting_rules"
KEYS: LiteralString = "SELECT name, key_hash, coalesce(is_active, false) FROM api_keys ORDER BY id"


def read_tables(*, flags_url: str, rules_url: str, keys_url: str) -> Tables:
    """Raises Told for a database that cannot be read; no address is told with its password."""
    return Tables(
        [FlagRow(*row) for row in _rows(flags_url, FLAGS, "flags", "--flags-url")],
        [RuleRow(*row) for row in _rows(rules_url, RULES, "targeting_rules", "--rules-url")],
        [KeyRow(*row) for row in _rows(keys_url, KEYS, "api_keys", "--keys-url")],
    )


def _rows(url: str, query: LiteralString, table: str, option: str) -> list[tuple[Any, ...]]:
    with _told(url, table, option), psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
        connection.read_only = True
        return connection.execute(query).fetchall()


@contextmanager
def _told(url: str, table: str, option: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as problem:
        raise Told(
            f"{_place(url)} has no table '{table}' as the original makes it; say with {option} which database"
            " has it"
        ) from problem
    except psycopg.Error as problem:
        raise Told(f"{table} at {_place(url)} cannot be read: {problem}") from problem


def _place(url: str) -> str:
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "that address"
    return f"{parts.get('host', 'this machine')}/{parts.get('dbname', '')}"
