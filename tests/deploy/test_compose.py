"""The compose file: what it names exists, every process is started, and none without its secrets."""

import re
from typing import Any

import pytest

from deploy.dev import COMMANDS
from deploy.processes.management import parts
from deploy.settings import Settings
from tests.deploy.known import DEPLOY, PINNED, commands, documents, setting_names, tool
from tests.deploy.test_image import environment

FILE = DEPLOY / "compose.yaml"
(COMPOSE,) = documents(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if each["image"].startswith("togglemaster:")}


def test_it_is_a_compose_file() -> None:
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)
    assert checked.returncode == 0, checked.stdout


def test_every_process_is_started_by_its_command() -> None:
    assert {name: tuple(each["command"]) for name, each in OURS.items()} == {"setup": ("setup",), **COMMANDS}
    assert {tuple(each["command"]) for each in OURS.values()} <= commands()


@pytest.mark.parametrize("service", OURS)
def test_a_process_is_told_nothing_that_is_no_setting(service: str) -> None:
    ours = {name for name in OURS[service]["environment"] if name.startswith("TOGGLEMASTER_")}
    assert ours - setting_names() == set()


@pytest.mark.parametrize("service", OURS)
def test_a_process_writes_to_volumes_alone_and_has_no_rights(service: str) -> None:
    assert OURS[service]["read_only"] is True
    assert OURS[service]["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("service", OURS)
def test_a_process_waits_for_what_it_needs(service: str) -> None:
    conditions = {name: each["condition"] for name, each in OURS[service]["depends_on"].items()}
    if service == "setup":
        assert conditions == dict.fromkeys(("postgres", "valkey", "aws"), "service_healthy")
    else:
        assert conditions == {"setup": "service_completed_successfully"}


def test_what_is_waited_for_says_when_it_is_healthy() -> None:
    assert {name for name, each in SERVICES.items() if "healthcheck" not in each} == {"setup"}


@pytest.mark.parametrize("service", sorted(OURS.keys() - {"setup"}))
def test_a_process_is_asked_at_the_port_where_it_answers(service: str) -> None:
    asked = re.search(r"http://127\.0\.0\.1:(\d+)/health/", OURS[service]["healthcheck"]["test"][-1])
    assert asked
    port = {"management": "8080", "evaluation": "8081"}.get(service)
    assert asked[1] == (port or OURS[service]["environment"]["TOGGLEMASTER_METRICS_PORT"])


def test_the_addresses_that_processes_are_given_are_those_of_services() -> None:
    urls = [
        url for each in OURS.values() for name, url in each["environment"].items() if name.endswith("_URL")
    ]
    hosts = {re.sub(r"\$\{[^}]*\}", "x", url).rpartition("@")[2].rpartition("//")[2] for url in urls}
    assert hosts == {"postgres:5432/togglemaster", "valkey:6379/0", "aws:4566", "evaluation:8081"}
    assert {host.partition(":")[0] for host in hosts} <= SERVICES.keys()


def test_every_volume_is_declared_and_used() -> None:
    mounted = {each.partition(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])}
    assert mounted == COMPOSE["volumes"].keys()


def test_what_an_evaluator_keeps_outlives_its_container() -> None:
    mounts = {each.partition(":")[2] for each in SERVICES["evaluation"]["volumes"]}
    assert mounts == {value for name, value in environment().items() if name.endswith("_DIR")}


def test_images_are_pinned() -> None:
    assert [each["image"] for each in SERVICES.values() if not PINNED.fullmatch(each["image"])] == []


def test_it_listens_on_this_machine_alone() -> None:
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_without_a_secret_nothing_starts_and_the_refusal_says_what_to_do() -> None:
    wanted = set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    assert wanted == {"POSTGRES_PASSWORD", "TOGGLEMASTER_ADMIN_KEY", "TOGGLEMASTER_SECRET"}
    for name in wanted:
        refusals = re.findall(rf"\$\{{{name}(.*?)\}}", FILE.read_text())
        assert all(each.startswith(f":?set {name}") for each in refusals), name


def test_management_needs_no_more_than_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OURS["management"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "given", value))
    parts(Settings())
