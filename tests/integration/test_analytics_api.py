"""What the management API tells of evaluations, on a real log and real tables."""

import time
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest

from projections.records_table import Record
from projections.usage_table import CountRow
from tests.integration.management import ADMIN, Management, refused
from tests.integration.usage import Usage

ENVIRONMENT = "/default/environments/production/analytics"
WEIGHTS = {"on": 50_000, "off": 50_000}
HALVES: dict[str, Any] = {"enabled": True, "off_variant": "off", "default": {"split": {"weights": WEIGHTS}}}


@cache
def now() -> int:
    """The minute in which the first of these tests began, which is long after they were collected."""
    return int(time.time()) // 60


@pytest.fixture
def api(api_with_tables: Management) -> Management:
    return api_with_tables


def counted(
    minute: int | None = None, flag: str = "checkout", producer: str = "p1", **counts: int
) -> CountRow:
    """Of reason SPLIT."""
    return of({f"SPLIT/{variant}": count for variant, count in counts.items()}, minute, flag, producer)


def of(
    counts: dict[str, int], minute: int | None = None, flag: str = "checkout", producer: str = "p1"
) -> CountRow:
    at_minute = now() if minute is None else minute
    return CountRow(producer, "default", "production", flag, at_minute, 1, counts)


def ask(api: Management, path: str, **query: Any) -> Any:
    answer = api.client.get(
        f"/api/v1/projects{ENVIRONMENT}{path}",
        params={name.rstrip("_"): value for name, value in query.items()},
        headers={"X-API-Key": ADMIN},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def at(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).isoformat()


def test_a_series_has_variants_and_reasons_and_the_minute_of_the_last_evaluation(
    api: Management, usage: Usage
) -> None:
    hour = now() - now() % 60 - 120
    usage.write(of({"SPLIT/on": 3, "DEFAULT/off": 1}, hour + 7), counted(hour + 61, on=2))
    usage.compaction.run()
    found = ask(api, "/flags/checkout", from_=at(hour), to=at(hour + 120))
    assert found["last_evaluated"] == at(hour + 61).replace("+00:00", "Z")
    assert [(each["variants"], each["reasons"]) for each in found["series"]] == [
        ({"off": 1, "on": 3}, {"DEFAULT": 1, "SPLIT": 3}),
        ({"on": 2}, {"SPLIT": 2}),
    ]
    by_day = ask(api, "/flags/checkout", from_=at(hour - 399 * 1440), to=at(hour + 120), granularity="day")
    assert (by_day["total"], len(by_day["series"])) in {(6, 400), (6, 401)}
    assert ask(api, "/flags/never-asked")["last_evaluated"] is None


def test_totals_are_those_of_the_environment_by_reason(api: Management, usage: Usage) -> None:
    usage.write(of({"SPLIT/": 5, "FLAG_NOT_FOUND/": 2}, flag=""), counted(on=5))
    found = ask(api, "/totals", to=at(now() + 1))
    assert (found["total"], found["reasons"]) == (7, {"FLAG_NOT_FOUND": 2, "SPLIT": 5})
    assert "variants" not in found
    assert found["series"][-1]["reasons"] == {"FLAG_NOT_FOUND": 2, "SPLIT": 5}


def windows() -> list[tuple[str, dict[str, str], str]]:
    return [
        ("/flags/checkout", {"from": at(now()), "to": at(now())}, "the end is to come after the start"),
        ("/flags/checkout", {"from": at(now() - 402 * 1440)}, "at most 400 can be"),
        ("/flags/checkout", {"from": at(now() - 8 * 1440), "granularity": "minute"}, "at most 10080 can be"),
        ("/flags/checkout", {"from": "0001-01-01T00:00:00+14:00"}, "'from' and 'to'"),
        ("/flags/checkout/subjects", {"from": at(now()), "to": at(now() - 5)}, "after the start"),
        ("/totals", {"to": "1960-01-01T00:00:00Z"}, "after 1970"),
    ]


def test_a_window_that_cannot_be_is_refused(api: Management) -> None:
    for path, query, words in windows():
        answer = api.client.get(
            f"/api/v1/projects{ENVIRONMENT}{path}", params=query, headers={"X-API-Key": ADMIN}
        )
        refused(answer, 422, words)


def test_an_environment_that_is_not_there_is_not_found(api: Management) -> None:
    for path in ("flags/f", "totals", "flags", "unknown-flags", "flags/f/subjects", "records?flag=f"):
        refused(api.ask("GET", f"/default/environments/none/analytics/{path}"), 404, "none")


def split_flag(api: Management, key: str = "checkout", **targeting: Any) -> None:
    assert api.flag(key).status_code == 201
    answer = api.ask("PUT", f"/default/flags/{key}/environments/production", {**HALVES, **targeting})
    assert answer.status_code == 200, answer.text


def test_shares_of_evaluations_after_the_split_last_changed(api: Management, usage: Usage) -> None:
    split_flag(api)
    usage.write(
        counted(now() - 30, on=9_000),
        counted(now() + 5, on=4_000, off=4_010),
        of({"TARGETING_MATCH/on": 7}, now() + 6),
    )
    found = ask(api, "/flags/checkout/shares", from_=at(now() - 60), to=at(now() + 60))
    assert (found["checked"], found["verdict"], found["basis"]) == (True, "match", "evaluations")
    assert [(each["variant"], each["counted"], each["expected"]) for each in found["variants"]] == [
        ("off", 4_010, 0.5),
        ("on", 4_000, 0.5),
    ]
    assert found["statistic"] == pytest.approx(100 / 8_010)
    assert found["from"] > found["since"] > at(now() - 5)
    usage.write(counted(now() + 7, on=500))
    assert (
        ask(api, "/flags/checkout/shares", from_=at(now() - 60), to=at(now() + 60))["verdict"] == "mismatch"
    )


def subjects(days: int, variant: str, first: int, last: int, flag: str = "checkout") -> list[Record]:
    """Of the noon that many days ahead."""
    noon = (now() // 1440 + days) * 1440 + 720
    return [
        Record(
            f"p1-{variant}{n}",
            "default",
            "production",
            flag,
            variant,
            "SPLIT",
            f"user-{n}",
            1,
            noon * 60_000 + n,
        )
        for n in range(first, last)
    ]


def test_shares_of_subjects_where_records_cover_whole_days(api: Management, usage: Usage) -> None:
    """One subject that asks ten thousand times is no mismatch."""
    split_flag(api)
    noon = (now() // 1440 + 1) * 1440 + 720
    usage.write(counted(noon, on=10_000, off=300))
    usage.record(*subjects(1, "on", 0, 300), *subjects(1, "off", 300, 590))
    window = {"from_": at(noon - 2_000), "to": at(noon + 100)}
    found = ask(api, "/flags/checkout/shares", **window)
    assert (found["basis"], found["verdict"], found["checked"]) == ("subjects", "match", True)
    assert {each["variant"]: each["counted"] for each in found["variants"]} == pytest.approx(
        {"on": 300, "off": 290}, abs=2
    )
    usage.write(of({"TARGETING_MATCH/on": 1}, noon + 1))
    found = ask(api, "/flags/checkout/shares", **window)
    assert (found["basis"], found["verdict"]) == ("evaluations", "mismatch"), "sketches do not say why"


TWO_SPLITS = {"rules": [{"id": "r", "when": {"constant": True}, "serve": HALVES["default"]}]}
WHOLE = {"default": {"split": {"weights": {"on": 100_000, "off": 0}}}}

UNCHECKED: list[tuple[dict[str, Any], str, str]] = [
    ({"default": {"variant": "on"}}, "no split", "não tem divisão"),
    (TWO_SPLITS, "2 splits", "2 divisões"),
    ({"default": {"split": {"by": "company", "weights": WEIGHTS}}}, "by 'company'", "por 'company'"),
    (WHOLE, "one variant has the whole split", "uma só variante tem a divisão inteira"),
    ({}, "too few", "poucas avaliações"),
]


def test_what_cannot_be_checked_says_why(api: Management) -> None:
    for n, (targeting, words, in_portuguese) in enumerate(UNCHECKED):
        split_flag(api, f"flag-{n}", **targeting)
        found = ask(api, f"/flags/flag-{n}/shares", to=at(now() + 60))
        assert (found["checked"], found["verdict"], found["p_value"]) == (False, None, None)
        assert words in found["reason"]
        path = f"{ENVIRONMENT}/flags/flag-{n}/shares?to={quote(at(now() + 60))}"
        assert in_portuguese in api.ask("GET", path, Accept_Language="pt-BR").json()["reason"]
    refused(api.ask("GET", f"{ENVIRONMENT}/flags/none/shares"), 404, "no flag 'none'")


def test_other_changes_leave_since_as_it_is_and_a_change_of_the_split_moves_it(api: Management) -> None:
    split_flag(api)
    path = "/default/flags/checkout/environments/production"

    def since() -> str:
        return str(ask(api, "/flags/checkout/shares")["since"])

    first = since()
    rule = {"id": "r", "when": {"constant": True}, "serve": {"variant": "on"}}
    api.ask("PUT", path, {**HALVES, "rules": [rule]})
    assert since() == first
    api.ask("PUT", path, {**HALVES, "default": {"split": {"weights": {"on": 60_000, "off": 40_000}}}})
    assert since() > first
    assert "ends before" in ask(api, "/flags/checkout/shares")["reason"]


def test_subjects_are_estimated_over_days_and_a_person_of_two_days_is_one(
    api: Management, usage: Usage
) -> None:
    usage.record(*subjects(0, "on", 0, 500), *subjects(1, "on", 250, 750), *subjects(1, "off", 700, 800))
    noon = now() // 1440 * 1440 + 720
    found = ask(api, "/flags/checkout/subjects", from_=at(noon), to=at(noon + 1440))
    assert found["all"]["lower"] <= 800 <= found["all"]["upper"]
    assert found["all"]["estimate"] == pytest.approx(800, rel=0.04)
    assert found["variants"]["on"]["estimate"] == pytest.approx(750, rel=0.04)
    assert found["variants"]["off"]["estimate"] == pytest.approx(100, abs=2)
    assert found["last_day"] > found["first_day"] == at(noon)[:10]
    none = ask(api, "/flags/never/subjects")
    assert none["all"] == {"estimate": 0, "lower": 0, "upper": 0}
    assert none["variants"] == {}


def test_flags_by_what_they_were_asked_for_lately(api: Management, usage: Usage) -> None:
    for key in ("active", "always", "forgotten", "never", "é"):
        api.flag(key)
    api.flag("gone")
    api.ask("DELETE", "/default/flags/gone")
    api.catch_up()
    old = now() - 40 * 1440
    usage.write(
        counted(now(), "active", on=1, off=1), counted(now(), "gone", on=1), counted(now(), "é", off=3)
    )
    usage.write(
        counted(now(), "always", on=1), counted(old, "always", off=1), counted(old, "forgotten", on=1)
    )
    found = ask(api, "/flags", days=30)
    assert {each["key"]: (each["status"], each["variants"], each["new"]) for each in found["flags"]} == {
        "active": ("active", ["off", "on"], True),
        "always": ("one_answer", ["on"], True),
        "forgotten": ("unused", [], True),
        "never": ("never", [], True),
        "é": ("one_answer", ["off"], True),
    }
    assert found["flags"][2]["last_evaluated"] == at(old - old % 60).replace("+00:00", "Z")
    later = ask(api, "/flags", days=60)["flags"]
    assert {each["key"]: each["status"] for each in later}["always"] == "active"


def test_a_day_of_several_flags_by_the_hour_without_those_nobody_asked_for(
    api: Management, usage: Usage
) -> None:
    hour = now() - now() % 60
    usage.write(
        counted(hour, on=3),
        counted(hour - 60, on=2, off=1),
        counted(hour - 22 * 60, flag="other", on=7),
        counted(hour - 25 * 60, flag="yesterday", on=5),
    )
    asked = "&".join(f"flag={key}" for key in ("checkout", "other", "yesterday", "never"))
    found = api.ask("GET", f"{ENVIRONMENT}/hourly?{asked}").json()
    first = int(datetime.fromisoformat(found["start"]).timestamp()) // 3_600
    by_hour = {
        key: {first + n - hour // 60: count for n, count in enumerate(counts) if count}
        for key, counts in found["flags"].items()
    }
    assert by_hour == {"checkout": {0: 3, -1: 3}, "other": {-22: 7}}
    assert [len(counts) for counts in found["flags"].values()] == [24, 24]
    refused(api.ask("GET", f"{ENVIRONMENT}/hourly"), 422, "flag")
    refused(api.ask("GET", f"{ENVIRONMENT}/hourly?" + "flag=a&" * 101), 422, "flag", "100")


def test_a_status_is_paged_through_without_a_gap(api: Management, usage: Usage) -> None:
    keys = [f"flag-{n:02d}" for n in range(13)]
    for key in keys:
        api.flag(key)
    api.catch_up()
    usage.write(*(counted(now(), key, on=1) for key in keys[::2]))
    for sort in ("key", "-key", "changed", "-created"):
        found = paged(api, "/flags", "flags", "key", status="never", sort=sort)
        assert found == (keys[1::2][::-1] if sort.startswith("-") else keys[1::2])


def paged(api: Management, path: str, of: str, name: str, **query: Any) -> list[str]:
    """The names on all pages, of which each has two at most."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = ask(api, path, limit=2, after=after, **query)
        assert len(page[of]) <= 2
        found += [each[name] for each in page[of]]
        after = page["next"]
    return found


def test_names_that_no_flag_has_with_how_often_they_were_asked_for(api: Management, usage: Usage) -> None:
    api.flag("made-later")
    api.flag("gone")
    api.ask("DELETE", "/default/flags/gone")
    api.catch_up()
    missing = {"FLAG_NOT_FOUND/": 3}
    names = ["chekcout", "gone", "made-later", "nul\x00", "é/x"]
    usage.write(*(of(missing, now(), name) for name in names), of(missing, now() - 2 * 1440, "chekcout"))
    found = ask(api, "/unknown-flags")
    assert [(each["name"], each["last_24_hours"], each["archived"]) for each in found["names"]] == [
        ("chekcout", 3, False),
        ("gone", 3, True),
        ("nul\x00", 3, False),
        ("é/x", 3, False),
    ]
    assert found["names"][0]["first_asked"] < found["names"][0]["last_asked"]
    assert paged(api, "/unknown-flags", "names", "name") == [each["name"] for each in found["names"]]


def test_records_newest_first_with_what_was_recordable(api: Management, usage: Usage) -> None:
    records = subjects(0, "on", 0, 5, flag="recorded")
    usage.record(*records[:-1], records[-1]._replace(attributes={"plan": "pro"}, subject=None))
    noon = now() // 1440 * 1440 + 720
    window = {"from_": at(noon), "to": at(noon + 1), "flag": "recorded"}
    found = ask(api, "/records", **window)["records"]
    assert [each["event_id"] for each in found] == [each.event_id for each in records[::-1]]
    assert found[0]["subject"] is None
    assert found[0]["attributes"] == {"plan": "pro"}
    assert ask(api, "/records", limit=2, **window)["records"] == found[:2]
    assert ask(api, "/records", **{**window, "flag": "other"})["records"] == []
