"""The original's own tables, brought over: what its users were served, they are served."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Json
from rich.console import Console
from typer.testing import CliRunner

from commands.event_store import EventStore
from commands.handlers import Commands
from commands.importers import VendorName
from commands.models import ChangeEnvironment, CreateFlag, FlagDefinition
from commands.secret_keys import new_original_key
from deploy.cli import app
from deploy.embedded import Stack, free_port
from deploy.original_import import import_original
from deploy.original_tables import read_tables
from deploy.settings import Settings
from deploy.told import Told
from domain.access import digest
from domain.explain import explain
from domain.values import FlagType
from projections.closure import Closure
from tests.figures import tell
from tests.integration.original import Client, client_of
from tests.integration.shop import STAMP
from tests.property.test_original_rules import bucket_there
from tests.recorded_buckets import BUCKETS

TABLES = """
CREATE TABLE flags (id serial PRIMARY KEY, name varchar(100) UNIQUE NOT NULL, description text,
    is_enabled boolean NOT NULL DEFAULT false, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE targeting_rules (id serial PRIMARY KEY, flag_name varchar(100) UNIQUE NOT NULL,
    is_enabled boolean NOT NULL DEFAULT true, rules jsonb NOT NULL, created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now());
CREATE TABLE api_keys (id serial PRIMARY KEY, name varchar(100) NOT NULL, key_hash varchar(64) UNIQUE NOT NULL,
    is_active boolean DEFAULT true, created_at timestamptz DEFAULT now());
"""  # noqa: E501 - as one reads tables
MANY = 1_000


class There:
    """The original's database."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            connection.execute(TABLES)

    def flag(self, name: str, description: str | None = "", *, on: bool = True) -> None:
        self._insert("flags (name, description, is_enabled)", name, description, on)

    def rule(self, name: str, rules: Any, *, on: bool = True) -> None:
        self._insert("targeting_rules (flag_name, rules, is_enabled)", name, Json(rules), on)

    def key(self, name: str = "svc", *, on: bool = True) -> str:
        key = new_original_key()
        self._insert("api_keys (name, key_hash, is_active)", name, digest(key), on)
        return key

    def _insert(self, into: str, *values: Any) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(f"INSERT INTO {into} VALUES (%s, %s, %s)".encode(), values)  # noqa: S608 - ours

    def rows(self) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            tables = ("flags", "targeting_rules", "api_keys")
            return [connection.execute(f"SELECT * FROM {each}".encode()).fetchall() for each in tables]  # noqa: S608


@pytest.fixture
def there(stack: Stack) -> Iterator[There]:
    name = f"there_{uuid4().hex}"
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        yield There(stack.postgres.url.rsplit("/", 1)[0] + f"/{name}")
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def client(store: EventStore) -> Iterator[Client]:
    with client_of(store) as client:
        client.key = client.issue()
        yield client


def bring_in(there: There, store: EventStore, *, dry_run: bool = False, partial: bool = False) -> str:
    """What was said, also where it was refused."""
    said, urls = io.StringIO(), dict.fromkeys(("flags_url", "rules_url", "keys_url"), there.url)
    out, err = Console(file=said, width=200), Console(file=io.StringIO())
    settings = Settings(postgres_url=store.url)
    try:
        import_original(settings, read_tables(**urls), dry_run=dry_run, partial=partial, out=out, err=err)
    except Told as problem:
        said.write(str(problem))
    return said.getvalue()


def served(store: EventStore, name: str, user: str) -> Any:
    documents = Closure(store, "default", "production", name).documents
    return explain(documents, name, {"targetingKey": user}).result.value


def test_everybody_is_served_what_they_were_and_keys_go_on_working(there: There, client: Client) -> None:
    for name in BUCKETS:
        there.flag(name, "Ativação")
        there.rule(name, {"type": "PERCENTAGE", "value": 50.5})
    there.flag("off", None, on=False)
    there.flag("bare")
    there.flag("disabled")
    there.rule("disabled", {"type": "PERCENTAGE", "value": 0}, on=False)
    there.flag("listed")
    there.rule("listed", {"type": "USER_LIST", "values": ["u1", "u2"]})
    key, before = there.key(), there.rows()
    told = bring_in(there, client.store)
    assert "imported 6 flags, 4 rules and 1 keys; 0 are here already, 0 inactive keys are left out" in told
    for name, users in BUCKETS.items():
        for user, bucket in users.items():
            assert served(client.store, name, user) is (bucket < 50.5)
    for name, u1, u9 in (("off", False, False), ("bare", True, True), ("disabled", True, True)):
        assert (served(client.store, name, "u1"), served(client.store, name, "u9")) == (u1, u9)
    assert (served(client.store, "listed", "u1"), served(client.store, "listed", "u9")) == (True, False)
    assert client.ask("GET", "/validate", key=key).status_code == 200
    flag = client.ask("GET", "/flags/novo-checkout", key=key).json()
    assert (flag["description"], flag["is_enabled"]) == ("Ativação", True)
    rule = client.ask("GET", "/rules/novo-checkout", key=key)
    assert '"rules":{"type":"PERCENTAGE","value":50.5}' in rule.text
    assert there.rows() == before


def test_numbers_of_rules_come_back_as_the_original_showed_them(there: There, client: Client) -> None:
    texts = ("12.5", "150", "50.0", "-1", "1e2", "99999999999999999999")
    for number, text in enumerate(texts):
        there.flag(f"f{number}")
        there.rule(f"f{number}", json.loads(f'{{"type": "PERCENTAGE", "value": {text}}}'))
    bring_in(there, client.store)
    for number, text in enumerate(texts):
        value = json.loads(text)
        assert client.ask("GET", f"/rules/f{number}").json()["rules"]["value"] == value
        assert served(client.store, f"f{number}", "u1") is (bucket_there("u1", f"f{number}") < value)


def test_a_rule_without_its_flag_is_kept_until_the_flag_is_made(there: There, client: Client) -> None:
    there.rule("gone", {"type": "PERCENTAGE", "value": 0})
    assert "would make the rule of gone, which has no flag" in bring_in(there, client.store, dry_run=True)
    assert "imported 0 flags, 1 rules and 0 keys" in bring_in(there, client.store)
    assert client.ask("GET", "/flags").json() == []
    assert client.ask("GET", "/rules/gone").json()["rules"] == {"type": "PERCENTAGE", "value": 0}
    client.ask("POST", "/flags", {"name": "gone", "is_enabled": True})
    assert served(client.store, "gone", "u1") is False


def test_an_import_is_told_beforehand_and_is_all_or_nothing(there: There, client: Client) -> None:
    there.flag("good")
    there.rule("good", {"type": "PERCENTAGE", "value": 5}, on=False)
    there.flag("a/b")
    there.flag("odd")
    there.rule("odd", {"type": "COUNTRY", "value": "BR"})
    there.flag("long", "d" * 2_001)
    there.key("svc")
    there.key("old", on=False)
    there._insert("api_keys (name, key_hash, is_active)", "bad", "x", True)
    definition = FlagDefinition(key="colour", type=FlagType.STRING, variants={"a": "red"})
    Commands(client.store).execute(CreateFlag(project="default", definition=definition), STAMP)
    there.flag("colour")
    head = client.store.head()
    plan = bring_in(there, client.store, dry_run=True)
    assert "would make flag good, on, with the rule {'type': 'PERCENTAGE', 'value': 5} (disabled)" in plan
    assert "would make key svc" in plan
    assert (
        "would import 1 flags, 1 rules and 1 keys; 1 are here already, 1 inactive keys are left out" in plan
    )
    told = bring_in(there, client.store)
    for each in (
        "refused: flag a/b: Value error, a key has no '/'",
        "refused: flag odd: its rule is neither PERCENTAGE nor USER_LIST",
        "refused: flag long: ",
        "refused: key bad: its hash is not SHA-256 in hex",
        "note: flag colour is here already, and is not the same",
        "--partial imports the rest without these 4",
    ):
        assert each in told
    assert client.store.head() == head
    assert "imported 1 flags, 1 rules and 1 keys" in bring_in(there, client.store, partial=True)
    assert [each["name"] for each in client.ask("GET", "/flags").json()] == ["good"]


def test_an_import_that_is_repeated_changes_nothing_and_says_so(there: There, client: Client) -> None:
    for name in ("same", "changed", "deleted"):
        there.flag(name, None)
        there.rule(name, {"type": "PERCENTAGE", "value": 25.0})
    there.rule("alone", {"type": "USER_LIST", "values": []})
    key = there.key()
    bring_in(there, client.store)
    head = client.store.head()
    again = bring_in(there, client.store)
    assert "nothing to import: 0 flags, 0 rules and 0 keys; 5 are here already" in again
    assert "note" not in again
    assert client.store.head() == head
    client.ask("PUT", "/rules/changed", {"rules": {"type": "PERCENTAGE", "value": 0}})
    client.ask("DELETE", "/flags/deleted")
    there.flag("new")
    told = bring_in(there, client.store)
    for name in ("changed", "deleted"):
        assert f"note: flag {name} is here already, and is not the same; it is left as it is" in told
    assert "imported 1 flags, 0 rules and 0 keys; 5 are here already" in told
    assert client.ask("GET", "/flags/deleted", key=key).status_code == 404
    assert client.event_names("same") == ["FlagCreated", "RuleAdded", "FlagTurnedOn"]


def test_where_production_wants_approvals_nothing_is_imported(there: There, client: Client) -> None:
    approvals = ChangeEnvironment(project="default", environment="production", approvals=1)
    Commands(client.store).execute(approvals, STAMP)
    there.flag("f")
    head = client.store.head()
    assert "nothing was imported: 'production' takes changes only with 1 approval" in bring_in(
        there, client.store
    )
    assert client.store.head() == head


def test_the_command_line_reads_one_database_or_three(
    there: There, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.flag("f")
    monkeypatch.setenv("TOGGLEMASTER_POSTGRES_URL", client.store.url)
    run = CliRunner().invoke
    urls = [f"--{each}-url={there.url}" for each in ("flags", "rules", "keys")]
    assert "would import 1 flags" in run(app, ["import", "original", "--dry-run", *urls]).output
    assert "imported 1 flags" in run(app, ["import", "original", there.url]).output
    assert "nothing to import" in run(app, ["import", "original", there.url]).output
    for arguments, words in (
        ([], ("POSTGRES_URL",)),
        ([client.store.url], ("no table 'flags'", "--flags-url")),
        ([there.url, f"--keys-url={client.store.url}"], ("no table 'api_keys'", "--keys-url")),
        ([f"postgresql://ana:secret@127.0.0.1:{free_port()}/x"], ("flags at 127.0.0.1/x", "cannot be read")),
        (["postgresql://[/x"], ("cannot be read",)),
    ):
        problem = run(app, ["import", "original", *arguments]).exception
        assert isinstance(problem, Told)
        assert all(word in str(problem) for word in words), problem
        assert "secret" not in str(problem)


def test_other_systems_files_are_imported_beside_it(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOGGLEMASTER_POSTGRES_URL", client.store.url)
    file = tmp_path / "flags.json"
    file.write_text('{"togglemaster": 1, "flags": {}}')
    run = CliRunner().invoke
    listed = run(app, ["import", "--help"]).output
    assert all(each in listed for each in (*VendorName, "original"))
    for vendor in ("togglemaster", "flagd"):
        answer = run(app, ["import", vendor, str(file), "--dry-run"])
        assert answer.exit_code == 0, answer.exception


def test_thousands_of_flags_are_imported_at_once(there: There, client: Client) -> None:
    with psycopg.connect(there.url) as connection:
        connection.execute(
            "INSERT INTO flags (name, is_enabled) SELECT 'flag-' || n, true FROM generate_series(1, %s) n",
            (MANY,),
        )
        rules = (
            'SELECT \'flag-\' || n, \'{"type": "PERCENTAGE", "value": 12.5}\' FROM generate_series(1, %s) n'
        )
        connection.execute(f"INSERT INTO targeting_rules (flag_name, rules) {rules}".encode(), (MANY,))
    head = client.store.head()
    assert f"imported {MANY} flags, {MANY} rules" in bring_in(there, client.store)
    tell("import original", flags=MANY, rules=MANY, events=client.store.head() - head)
    assert len(client.ask("GET", "/flags").json()) == MANY
    assert f"{MANY} are here already" in bring_in(there, client.store)
