from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from commands.event_store import EventStore
from commands.models import ArchiveFlag, IssueKey, RevokeKey
from deploy.embedded import free_port
from projections.catalogue import Catalogue, CatalogueUnavailable
from projections.folds import Folds
from projections.projector import Projector
from projections.ruleset_store import Moved
from tests.integration.shop import BRAZIL, Shop, rule


@pytest.fixture
def shop(store: EventStore) -> Shop:
    return Shop(store)


@pytest.fixture
def catalogue(postgres_url: str) -> Iterator[Catalogue]:
    catalogue = Catalogue(postgres_url)
    catalogue.create_tables()
    yield catalogue
    catalogue.close()


def keys(catalogue: Catalogue, kind: str = "flag", **which: object) -> list[str]:
    return [each.stream.key for each in catalogue.page(kind, "shop", **{"limit": 100, **which})]  # type: ignore[arg-type]


def test_a_row_is_the_aggregate_as_the_log_has_it(shop: Shop, catalogue: Catalogue) -> None:
    shop.segment("beta", BRAZIL)
    made = [shop.flag("checkout", tags=("a",)), shop.target("checkout", rules=[rule({"segment": "beta"})])]
    Projector(shop.store, catalogue).catch_up()
    (row,) = catalogue.page("flag", "shop", limit=10)
    assert (row.state, row.version, row.position) == (made[1].state, made[1].version, made[1].position)
    assert (row.created, row.changed) == (made[0].created, made[1].changed)
    assert [each.stream.project for each in catalogue.page("project", limit=10)] == ["shop"]
    assert catalogue.position() == shop.store.head()


def test_lists_are_in_order_of_keys_and_in_pages(shop: Shop, catalogue: Catalogue) -> None:
    for key in ("b", "a", "C", "é", "b-1"):
        shop.flag(key)
    Projector(shop.store, catalogue).catch_up()
    assert keys(catalogue) == ["C", "a", "b", "b-1", "é"]
    assert keys(catalogue, after="a", limit=2) == ["b", "b-1"]
    assert catalogue.page("flag", "other", limit=10) == []


def test_what_is_gone_is_listed_apart(shop: Shop, catalogue: Catalogue) -> None:
    shop.flag("one")
    shop.flag("two")
    shop.give(ArchiveFlag(project="shop", flag="one"))
    shop.give(IssueKey(project="shop", environment="staging", id="k", name="n", kind="client", digest="d"))
    shop.give(RevokeKey(project="shop", environment="staging", id="k"))
    Projector(shop.store, catalogue).catch_up()
    assert (keys(catalogue), keys(catalogue, archived=True)) == (["two"], ["one"])
    assert (keys(catalogue, "key"), keys(catalogue, "key", archived=True)) == ([], ["k"])


def test_a_batch_is_written_once(shop: Shop, catalogue: Catalogue) -> None:
    shop.flag("one")
    batch = shop.store.read(after=0, limit=100)
    catalogue.write(batch, Folds(shop.store), after=0)
    with pytest.raises(Moved):
        catalogue.write(batch, Folds(shop.store), after=0)
    assert Projector(shop.store, catalogue).step() == 0


def test_many_processes_may_make_the_tables_at_once(postgres_url: str) -> None:
    catalogues = [Catalogue(postgres_url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(Catalogue.create_tables, catalogues))
    for catalogue in catalogues:
        catalogue.close()


def test_without_postgresql_it_says_so() -> None:
    catalogue = Catalogue(f"postgresql://postgres@127.0.0.1:{free_port()}/none")
    with pytest.raises(CatalogueUnavailable):
        catalogue.position()
    catalogue.close()
