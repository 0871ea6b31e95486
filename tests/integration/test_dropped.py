"""What evaluators dropped, from their messages to what is read of it, on SQS and DynamoDB as they are."""

import time
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.embedded import Stack
from projections.dropped_table import SHOWN_DAYS, Dropped, DroppedTable
from projections.dropped_table import _item as item_of
from tests.integration.analytics import Analytics, message
from tests.property.test_counts_add_up import DroppedModel
from workers.evaluation_store import Batch, EvaluationStore
from workers.messages import pack_dropped
from workers.received import Evaluations, last_told

NOW = int(time.time())
DAY = 24 * 3_600


@pytest.fixture(scope="module")
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


@pytest.fixture
def table(analytics: Analytics) -> DroppedTable:
    keys = [{"part": {"S": part}, "place": {"S": place}} for part, place in analytics.items(analytics.usage)]
    analytics.tables.usage_items.delete(keys)
    return analytics.tables.dropped


def told(producer: str, seq: int, counts: int = 1, records: int = 2, *, last: int = NOW) -> Dropped:
    return Dropped(producer, seq, counts, records, NOW - DAY, last)


def test_what_is_told_is_stored_and_read_the_latest_first(analytics: Analytics, table: DroppedTable) -> None:
    tellings = [told("p1", 4, 3, 0), told("p2", 9, 0, 7, last=NOW - 5), told("p1", 6, 5, 1, last=NOW - 9)]
    analytics.send(*(pack_dropped(each).decode() for each in tellings))
    analytics.consume(3)
    assert table.lately(NOW) == [told("p2", 9, 0, 7, last=NOW - 5), told("p1", 6, 5, 1, last=NOW - 9)]
    item = analytics.items(analytics.usage)["@dropped", "p1"]
    assert int(item["expires_at"]["N"]) == NOW - 9 + SHOWN_DAYS * DAY


def test_a_message_of_before_that_tells_nothing_is_taken_as_ever(
    analytics: Analytics, table: DroppedTable
) -> None:
    row = ["shop", "production", "f", NOW // 60, 1, {"SPLIT/on": 3}]
    analytics.send(message([row]))
    analytics.consume(1)
    assert table.lately(NOW) == []
    found = analytics.tables.usage.query_day("shop", "production", "f", NOW // 60, NOW // 60 + 1)
    assert [each.counts for each in found] == [{"SPLIT/on": 3}]


def test_a_telling_has_no_counts_nor_records_with_it_that_an_older_consumer_would_refuse() -> None:
    body = orjson.loads(pack_dropped(told("p1", 4)))
    assert body.pop("dropped") == [4, 1, 2, NOW - DAY, NOW]
    assert body == {"v": 1, "kind": "evaluations", "producer": "p1", "counts": [], "records": []}


@pytest.mark.parametrize(
    "numbers", [[1, 2, 3, 4], [1, -2, 3, 4, 5], [1, 2.5, 3, 4, 5], [1, 2, 3, 4, 10**10], "12345"]
)
def test_a_telling_that_is_none_is_refused_as_a_whole(numbers: object) -> None:
    body = orjson.loads(pack_dropped(told("p1", 4))) | {"dropped": numbers}
    with pytest.raises(ValidationError, match="dropped"):
        Evaluations.model_validate_json(orjson.dumps(body), strict=True)


def test_only_the_last_days_are_read_and_nobody_who_dropped_nothing_after_all(table: DroppedTable) -> None:
    old = told("old", 1, last=NOW - SHOWN_DAYS * DAY - 1)
    table.put([old, told("taken-back", 3, 0, 0), told("late", 1, last=NOW - SHOWN_DAYS * DAY)])
    assert [each.producer for each in table.lately(NOW)] == ["late"]


def test_more_producers_than_a_page_of_dynamodb_are_read(analytics: Analytics, table: DroppedTable) -> None:
    many = [told(f"{n:064}", 1, n, 1) for n in range(1, 6_001)]  # 1.2 MB
    analytics.tables.usage_items.put(map(item_of, many))
    assert sum(each.counts for each in table.lately(NOW)) == sum(range(6_001))


tellings = st.builds(
    lambda producer, seq: told(producer, seq, 3 * seq, seq % 5),  # records fall: what is taken back
    st.sampled_from(["p1", "p2", "p3"]),
    st.integers(1, 30),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(tellings, min_size=1, max_size=20), st.data())
def test_any_order_repetition_and_loss_but_of_the_last_stores_the_same(
    analytics: Analytics, table: DroppedTable, all_told: list[Dropped], data: st.DataObject
) -> None:
    """Through the consumer's own steps, in batches, some of them written twice."""
    keys = [{"part": {"S": "@dropped"}, "place": {"S": each}} for each in ("p1", "p2", "p3")]
    analytics.tables.usage_items.delete(keys)
    lost = data.draw(st.sets(st.sampled_from(all_told)), label="lost, but for the last")
    kept = [each for each in all_told if each not in lost or each in last_told(all_told)]
    twice = data.draw(st.lists(st.sampled_from(kept), max_size=10), label="delivered twice")
    delivered = data.draw(st.permutations(kept + twice), label="delivered")
    store, at_once = EvaluationStore(analytics.tables), data.draw(st.integers(1, 10), label="in a receive")
    for first in range(0, len(delivered), at_once):
        store.write(Batch((), (), dropped=last_told(delivered[first : first + at_once])))
    model = DroppedModel()
    model.put(all_told)
    wanted = sorted(each for each in model.stored.values() if each.counts)
    assert sorted(table.lately(NOW)) == wanted
