"""`togglemaster dev --demo`: something to look at, before anything of one's own is connected."""

import shutil

from deploy.demo import FLAGS, GONE, SEGMENT
from tests.conftest import open_directory
from tests.e2e.conftest import Platform, start, stop
from tests.waiting import eventually

ANALYTICS = "default/environments/development/analytics"


def keys(platform: Platform) -> set[str]:
    return {each["key"] for each in platform.give("GET", "default/flags")["flags"]}


def test_its_customers_ask_for_its_flags_and_it_makes_them_once() -> None:
    directory = open_directory()
    started: list[Platform] = []
    try:
        platform = start(directory, "--demo")
        started.append(platform)
        assert keys(platform) == {"welcome-banner", *(str(flag["key"]) for flag, _ in FLAGS)}
        assert platform.give("GET", f"default/segments/{SEGMENT}")["version"] == 1
        eventually(lambda: bool(unknown(platform)))
        assert unknown(platform) == [GONE]
        eventually(lambda: all(evaluated(platform).values()))
        (record, *_) = platform.give("GET", f"{ANALYTICS}/records?flag=free-shipping")["records"]
        assert set(record["attributes"]) == {"country", "plan", "organisation"}
        head = platform.give("GET", "default/history?limit=1")["entries"][0]["position"]
        stop(platform)
        assert platform.process.returncode == 0

        again = start(directory, "--demo")
        started.append(again)
        assert again.give("GET", "default/history?limit=1")["entries"][0]["position"] == head
        stop(again)
    finally:
        for each in started:  # what it started ends with it
            each.process.kill()
        shutil.rmtree(directory)


def unknown(platform: Platform) -> list[str]:
    return [each["name"] for each in platform.give("GET", f"{ANALYTICS}/unknown-flags")["names"]]


def evaluated(platform: Platform) -> dict[str, bool]:
    found = platform.give("GET", f"{ANALYTICS}/flags")["flags"]
    return {each["key"]: each["last_evaluated"] is not None for each in found}
