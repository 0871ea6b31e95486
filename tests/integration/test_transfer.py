"""Flags out of one installation and into another, and tried out without any."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from commands.event_store import EventStore
from commands.importers import VendorName
from commands.importers.togglemaster import read
from commands.models import ArchiveFlag, CreateFlag, FlagDefinition
from deploy.settings import Settings
from deploy.told import Told
from deploy.transfer import export_file, import_file, read_file
from deploy.try_out import answers
from domain.evaluation import evaluate
from domain.explain import explain
from domain.values import FlagType
from projections.closure import Closure
from tests.integration.shop import BRAZIL, Shop, rule

HALF = {"split": {"weights": {"on": 50_000, "off": 50_000}}}
SUBJECTS = [{"targetingKey": f"u{n}", "country": ("BR", "PT")[n % 2]} for n in range(50)]


@pytest.fixture
def shop(store: EventStore) -> Shop:
    shop = Shop(store)
    shop.segment("staff", {"attribute": "email", "operator": "ends_with", "values": ["@shop.example"]})
    shop.segment("beta", {"any": [{"segment": "staff"}, {"bucket": {"below": 30_000}}]})
    shop.flag("api")
    shop.target("api", default=HALF)
    shop.flag("checkout", tags=("money",), owner="ana", client_visible=True)
    shop.target(
        "checkout",
        default=HALF,
        rules=[
            rule({"segment": "beta"}, "beta"),
            rule({"all": [BRAZIL, {"bucket": {"below": 40_000}}]}, "br"),
        ],
        prerequisites=[{"flag": "api", "variants": ["on"]}],
    )
    shop.flag("gone")
    shop.give(ArchiveFlag(project="shop", flag="gone"))
    return shop


def settings(store: EventStore) -> Settings:
    return Settings(postgres_url=store.url)


def exported(store: EventStore) -> dict[str, Any]:
    return export_file(settings(store), project="shop", environment="production")


def bring_in(store: EventStore, file: Path, **options: Any) -> str:
    printed = io.StringIO()
    wish = {"project": "shop", "environment": "production", "dry_run": False, "partial": False, **options}
    console = Console(file=printed, width=200)
    try:
        import_file(settings(store), VendorName.TOGGLEMASTER, file, out=console, **wish)
    finally:
        text = printed.getvalue()
    return text


def given(store: EventStore, key: str) -> list[Any]:
    documents = Closure(store, "shop", "production", key).documents
    return [explain(documents, key, context).result[:3] for context in SUBJECTS]


def test_what_is_exported_and_imported_elsewhere_gives_the_same_answers(
    shop: Shop, store: EventStore, tmp_path: Path, postgres_url: str
) -> None:
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(exported(store)))
    assert list(json.loads(file.read_text())["flags"]) == ["api", "checkout"]
    ruleset = read(json.loads(file.read_text())).ruleset()
    for key in ("api", "checkout"):
        assert [evaluate(ruleset, key, context)[:3] for context in SUBJECTS] == given(store, key)
    assert not read(json.loads(file.read_text())).refused


def test_an_import_is_all_or_nothing_and_is_told_beforehand(
    shop: Shop, store: EventStore, tmp_path: Path
) -> None:
    content = exported(store)
    content["flags"] = {f"{key}-copy": flag for key, flag in content["flags"].items()}
    content["flags"]["checkout-copy"]["targeting"]["prerequisites"][0]["flag"] = "api-copy"
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(content))
    before = store.head()
    plan = bring_in(store, file, dry_run=True)
    assert "would make boolean flag checkout-copy with on, off" in plan
    assert store.head() == before
    told = bring_in(store, file)
    assert "imported 2 flags and 2 segments into shop/production" in told
    assert given(store, "checkout-copy") == given(store, "checkout")
    taken = store.head()
    with pytest.raises(Told, match="--partial imports the rest without these 2"):
        bring_in(store, file)
    assert store.head() == taken


def test_a_flag_that_asks_for_nothing_that_exists_is_refused_with_what_asks_for_it(
    shop: Shop, store: EventStore, tmp_path: Path
) -> None:
    flag = exported(store)["flags"]["api"]

    def asking(key: str) -> Any:
        return {
            **flag,
            "targeting": {**flag["targeting"], "prerequisites": [{"flag": key, "variants": ["on"]}]},
        }

    flags = {"good": flag, "lost": asking("nowhere"), "behind": asking("lost"), "ring": asking("ring")}
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"togglemaster": 1, "flags": flags}))
    told = bring_in(store, file, partial=True)
    assert "refused: flag lost: there is no flag 'nowhere'" in told
    assert "refused: flag behind: there is no flag 'lost'" in told
    assert "refused: flag ring: flag 'ring' would ask for itself" in told
    assert "imported 1 flags and 0 segments" in told
    assert given(store, "lost")[0] == (None, None, "ERROR")


def test_what_cannot_be_read_is_refused_by_name(shop: Shop, store: EventStore, tmp_path: Path) -> None:
    content = exported(store)
    content["flags"] = {
        "good": content["flags"]["api"],
        "bad": {**content["flags"]["api"], "type": "colour"},
        "no/name": content["flags"]["api"],
    }
    content["segments"]["odd"] = {"condition": {"attribute": "a"}}
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(content))
    before = store.head()
    with pytest.raises(Told, match="--partial imports the rest without these 3"):
        bring_in(store, file)
    assert store.head() == before
    told = bring_in(store, file, partial=True)
    assert "refused: flag bad: type" in told
    assert "refused: segment odd" in told
    assert "refused: flag no/name" in told
    assert "imported 1 flags" in told


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"togglemaster": 2}'])
def test_what_is_no_such_file_is_told(text: str, tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(text)
    with pytest.raises(Told, match="flags"):
        read_file(VendorName.TOGGLEMASTER, file)
    with pytest.raises(Told, match="No such file"):
        read_file(VendorName.TOGGLEMASTER, tmp_path / "nothing.json")


def test_export_names_what_is_not_there(shop: Shop, store: EventStore) -> None:
    with pytest.raises(Told, match="no environment 'qa'"):
        export_file(settings(store), project="shop", environment="qa")
    with pytest.raises(Told, match="no project 'nowhere'"):
        export_file(settings(store), project="nowhere", environment="production")


def test_questions_are_answered_in_order(shop: Shop, store: EventStore) -> None:
    definition = FlagDefinition(key="later", type=FlagType.STRING, variants={"a": "A"})
    shop.give(CreateFlag(project="shop", definition=definition))
    imported = read(exported(store))
    questions: list[Any] = [
        {"flag": "api", "context": {"targetingKey": "u1"}},
        {"flag": "api", "context": {}, "default": True},
        {"flag": "later", "default": "mine"},
        {"flag": "api", "context": {"targetingKey": "u1"}, "type": "string", "default": "x"},
        {"flag": "none", "context": {}, "default": 5},
        {"context": {}},
        {"flag": "api", "context": []},
        {"flag": "api", "context": "u1"},
    ]
    lines = [json.dumps(question) for question in questions]
    told = [json.loads(line) for line in answers(imported.ruleset(), [*lines, "", "{"])]
    assert told[0]["variant"] in {"on", "off"}
    assert (told[0]["reason"], "errorCode" in told[0]) == ("SPLIT", False)
    assert (told[1]["value"], told[1]["errorCode"]) == (True, "TARGETING_KEY_MISSING")
    assert (told[2]["value"], told[2]["variant"], told[2]["reason"]) == ("mine", None, "DISABLED")
    assert (told[3]["value"], told[3]["errorCode"]) == ("x", "TYPE_MISMATCH")
    assert (told[4]["value"], told[4]["errorCode"], told[4]["flag"]) == (5, "FLAG_NOT_FOUND", "none")
    assert [each.get("errorCode") for each in told[5:]] == [
        "PARSE_ERROR",
        "TARGETING_KEY_MISSING",
        "INVALID_CONTEXT",
        "PARSE_ERROR",
    ]
