"""A subject that is forgotten: nothing of it is left, and nothing of it comes after."""

import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from commands.event_store import EventStore
from deploy.analytics_work import environments_of, forget_subject
from deploy.embedded import Stack
from deploy.processes.setup import set_up_postgres
from deploy.settings import Settings
from deploy.told import Told
from domain.recording import pseudonym
from tests.integration.analytics import Analytics, message
from tests.waiting import eventually
from workers.forgetting import Deleted, forget

SECRET = "of this test"  # noqa: S105
ALICE, BOB = "alice@example.org", "bob"
READ_AGAIN_SECONDS = 0.5


@pytest.fixture
def analytics(stack: Stack) -> Iterator[Analytics]:
    found = Analytics(stack.aws.url)
    yield found
    found.close()


def record(n: int, subject: str, at: float, environment: str = "production") -> list[Any]:
    flag = f"f{n % 3}"
    return [
        f"p1-{n}",
        "default",
        environment,
        flag,
        "on",
        "SPLIT",
        subject,
        4,
        int(at * 1_000),
        {"mail": subject},
    ]


def original(user: str, at: float | None = None) -> str:
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return f'{{"user_id":"{user}","flag_name":"f","result":true,"timestamp":"{timestamp}"}}'


def texts(analytics: Analytics) -> str:
    """All that is in the tables but the list of the forgotten."""
    usage = {
        key: item for key, item in analytics.items(analytics.usage).items() if "@forgotten" not in key[0]
    }
    return f"{usage} {analytics.items(analytics.records)} {analytics.items(analytics.original)}"


def settings_of(analytics: Analytics, **more: Any) -> Settings:
    return Settings(
        aws_endpoint_url=analytics.url,
        queue_name=analytics.queue_name,
        usage_table=analytics.usage,
        records_table=analytics.records,
        original_table=analytics.original,
        secret=SECRET,
        **more,
    )


def test_nothing_is_left_of_the_subject_and_all_of_others(analytics: Analytics) -> None:
    now, hidden = time.time(), pseudonym(SECRET, "default", ALICE)
    subjects = (ALICE, BOB, hidden)
    records = [record(n, subjects[n % 3], now - n, ("production", "staging")[n % 2]) for n in range(60)]
    analytics.send(message(records=records), original(ALICE), original(BOB))
    analytics.consume(3)
    assert all(subject in texts(analytics) for subject in subjects)

    out = Console(file=StringIO(), width=200)
    for deleted in (41, 0):
        forget_subject(
            settings_of(analytics), "default", ["production", "staging"], ALICE, out, out, settling_seconds=0
        )
        said = out.file.getvalue()  # type: ignore[attr-defined]
        assert f"{deleted} records were deleted in production, staging of default" in said
    assert ALICE not in texts(analytics)
    assert hidden not in texts(analytics)
    assert len(analytics.items(analytics.records)) == 21
    assert len(analytics.items(analytics.original)) == 1


def test_what_is_still_in_the_queue_is_stored_without_the_subject(analytics: Analytics) -> None:
    now = time.time()
    forget(analytics.tables, "default", ["production"], [ALICE], now=now, settle=lambda: None)
    later = record(2, ALICE, now + 60)
    analytics.send(message(records=[record(0, ALICE, now), record(1, BOB, now), later]), original(ALICE, now))
    analytics.consume(2)
    found = analytics.items(analytics.records).values()
    assert sorted(item["subject"]["S"] for item in found if "subject" in item) == [ALICE, BOB]
    assert sum("attributes" in item for item in found) == 2, "those of before are not kept either"
    assert analytics.items(analytics.original) == {}


def test_a_consumer_that_did_not_know_yet_leaves_nothing(analytics: Analytics) -> None:
    """What it stores between the first sweep and its next look at the list, the second sweep finds."""
    now = time.time()
    consumer = analytics.consumer(analytics.new_tables(read_again_seconds=READ_AGAIN_SECONDS))
    analytics.send(message(records=[record(0, BOB, now)]))
    with analytics.consuming(consumer):
        eventually(lambda: consumer.deleted == 1)  # it has just read the list

        def settle() -> None:
            analytics.send(message(records=[record(1, ALICE, now)]))
            eventually(lambda: consumer.deleted == 2)
            assert ALICE in texts(analytics)
            time.sleep(READ_AGAIN_SECONDS)

        deleted = forget(analytics.tables, "default", ["production"], [ALICE], now=now, settle=settle)
        assert deleted == Deleted(records=1)
        analytics.send(message(records=[record(2, ALICE, now)]))
        eventually(lambda: consumer.deleted == 3)
    assert ALICE not in texts(analytics)


def test_a_project_has_the_environments_that_the_log_says(store: EventStore) -> None:
    set_up_postgres(Settings(postgres_url=store.url))
    found = environments_of(Settings(postgres_url=store.url), "default")
    assert sorted(found) == ["development", "production", "staging"]
    with pytest.raises(Told, match="there is no project 'other'"):
        environments_of(Settings(postgres_url=store.url), "other")


def test_a_subject_without_a_name_is_nobody(analytics: Analytics) -> None:
    with pytest.raises(Told, match="a subject is not empty"):
        forget_subject(settings_of(analytics), "default", ["production"], "", Console(), Console())
