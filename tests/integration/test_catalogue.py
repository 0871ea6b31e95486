from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from commands.event_store import EventStore
from commands.models import ArchiveFlag, IssueKey, RevokeKey
from deploy.embedded import free_port
from projections.catalogue import Catalogue, Filter
from projections.folds import Folds
from projections.postgres_views import ViewUnavailable
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
    limit, after = int(str(which.pop("limit", 100))), str(which.pop("after", ""))
    order = str(which.pop("order", "key"))
    page, _ = catalogue.page(
        kind,
        "shop",
        limit=limit,
        after=after,
        order=order,
        only=Filter(**which),  # type: ignore[arg-type]
    )
    return [each.stream.key for each in page]


def test_a_row_is_the_aggregate_as_the_log_has_it(shop: Shop, catalogue: Catalogue) -> None:
    shop.segment("beta", BRAZIL)
    made = [shop.flag("checkout", tags=("a",)), shop.target("checkout", rules=[rule({"segment": "beta"})])]
    Projector(shop.store, catalogue).catch_up()
    ((row,), _) = catalogue.page("flag", "shop", limit=10)
    assert (row.state, row.version, row.position) == (made[1].state, made[1].version, made[1].position)
    assert (row.created, row.changed) == (made[0].created, made[1].changed)
    assert [each.stream.project for each in catalogue.page("project", limit=10)[0]] == ["shop"]
    assert catalogue.position() == shop.store.head()


def test_lists_are_in_order_of_keys_and_in_pages(shop: Shop, catalogue: Catalogue) -> None:
    for key in ("b", "a", "C", "é", "b-1"):
        shop.flag(key)
    Projector(shop.store, catalogue).catch_up()
    assert keys(catalogue) == ["C", "a", "b", "b-1", "é"]
    assert keys(catalogue, after="a", limit=2) == ["b", "b-1"]
    assert catalogue.page("flag", "other", limit=10) == ([], None)


def test_what_is_gone_is_listed_apart(shop: Shop, catalogue: Catalogue) -> None:
    shop.flag("one")
    shop.flag("two")
    shop.give(ArchiveFlag(project="shop", flag="one"))
    shop.give(IssueKey(project="shop", environment="staging", id="k", name="n", kind="client", digest="d"))
    shop.give(RevokeKey(project="shop", environment="staging", id="k"))
    Projector(shop.store, catalogue).catch_up()
    assert (keys(catalogue), keys(catalogue, archived=True)) == (["two"], ["one"])
    assert (keys(catalogue, "key"), keys(catalogue, "key", archived=True)) == ([], ["k"])


def test_lists_are_sorted_and_walked_in_pages_both_ways(shop: Shop, catalogue: Catalogue) -> None:
    for key in ("b", "c", "a"):
        shop.flag(key)
    shop.target("b")
    Projector(shop.store, catalogue).catch_up()
    wanted = {
        "key": "abc",
        "-key": "cba",
        "created": "bca",
        "-created": "acb",
        "changed": "cab",
        "-changed": "bac",
    }
    for order, keys_in_order in wanted.items():
        assert "".join(keys(catalogue, order=order)) == keys_in_order
        assert "".join(_walked(catalogue, order)) == keys_in_order


def _walked(catalogue: Catalogue, order: str) -> Iterator[str]:
    after: str | None = ""
    while after is not None:
        (found,), after = catalogue.page("flag", "shop", limit=1, after=after, order=order)
        yield found.stream.key


def test_lists_are_narrowed(shop: Shop, catalogue: Catalogue) -> None:
    shop.flag("one", tags=("web", "Ünïcode"), owner="ana", description="The NEW checkout")
    shop.flag("two", tags=("app",), owner="bob", kind="experiment")
    Projector(shop.store, catalogue).catch_up()
    assert keys(catalogue, tag="web") == ["one"]
    assert keys(catalogue, tag="we") == []
    assert keys(catalogue, owner="bob") == ["two"]
    assert keys(catalogue, of_kinds=["experiment"]) == ["two"]
    assert keys(catalogue, of_kinds=["experiment", "release"]) == ["one", "two"]
    for words in ("new", "NEW CHECK", "one", "ana", "ünÏ"):
        assert keys(catalogue, search=words) == ["one"]
    assert keys(catalogue, search="%") == []


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
    with pytest.raises(ViewUnavailable):
        catalogue.position()
    catalogue.close()
