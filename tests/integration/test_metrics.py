"""What every process says of itself, and that documentation, dashboard and alerts ask for nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
import yaml
from redis import Redis

from deploy.embedded import Stack
from tests.integration.exported import COMMANDS, Processes, environment, processes
from tests.integration.promql import Series, Wrong, check, exported
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(togglemaster_\w+)` \| (\w+) \|(.*?)\| (.*?) \|", re.MULTILINE)
OBSERVABILITY = ROOT / "deploy" / "observability"
ALERTS = OBSERVABILITY / "alerts.yaml"
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((OBSERVABILITY / "dashboard.json").read_text())
CHARTS = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
WORTH_AN_ALERT = {
    "ServerErrors",
    "ProcessMissing",
    "ProjectionStuck",
    "NoProjectorConfirms",
    "EvaluatorStale",
    "FrozenStreams",
    "DeadLetters",
    "EvaluationsDropped",
    "SpoolUnsent",
    "ConsumerBehind",
    "CanarySlow",
}
USUAL = {"process_resident_memory_bytes", "process_open_fds", "python_info", "python_gc_collections_total"}


@pytest.fixture(scope="module")
def running(stack: Stack) -> Iterator[Processes]:
    """All of them, after a flag was changed and asked for."""
    server, name = stack.postgres.url.rsplit("/", 1)[0], f"test_{uuid4().hex}"
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        with Redis.from_url(stack.valkey.url) as redis:
            redis.flushall()
        with processes(environment(stack, f"{server}/{name}"), COMMANDS) as found:
            found.evaluate_one()
            eventually(lambda: all(has_settled(found)))
            yield found
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def has_settled(found: Processes) -> Iterator[bool]:
    yield found.value("projector", "togglemaster_projector_lag_positions", view="ruleset") == 0
    yield found.value("consumer", "togglemaster_consumer_deleted_total") != 0
    yield "togglemaster_queue_messages" in found.metrics("consumer")
    yield "togglemaster_webhooks_pending" in found.metrics("webhooks")
    yield "togglemaster_scheduler_due" in found.metrics("scheduler")


class Row(NamedTuple):
    kind: str
    labels: frozenset[str]
    processes: frozenset[str]


def test_the_table_of_metrics_is_what_the_processes_export(running: Processes) -> None:
    exported: dict[str, Row] = {}
    for process in COMMANDS:
        for name, family in running.metrics(process).items():
            labels = frozenset(label for each in family.samples for label in each.labels) - {"le"}
            before = exported.get(name, Row(family.type, labels, frozenset()))
            exported[name] = Row(family.type, labels, before.processes | {process})
    ours = {name: row for name, row in exported.items() if name.startswith("togglemaster_")}
    assert ours == documented()


def documented() -> dict[str, Row]:
    text = (ROOT / "docs" / "operations.md").read_text()
    return {
        name: Row(kind, frozenset(re.findall(r"`(\w+)`", labels)), _processes(where))
        for name, kind, labels, where in ROW.findall(text)
    }


def _processes(where: str) -> frozenset[str]:
    return frozenset(COMMANDS) if where == "all" else frozenset(where.split(", "))


def test_every_process_has_the_usual_metrics_and_says_what_it_is(running: Processes) -> None:
    for process in COMMANDS:
        assert running.metrics(process).keys() >= USUAL
        (build,) = running.metrics(process)["togglemaster_build_info"].samples
        assert (build.labels["process"], build.value) == (process, 1)


def test_names_follow_the_conventions_of_prometheus(running: Processes) -> None:
    units = re.compile(r"_(seconds|bytes|total|info|positions|messages|streams)$")
    for process in COMMANDS:
        for name, family in running.metrics(process).items():
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
            assert (family.type == "counter") == name.endswith("_total")
            assert family.type not in {"histogram", "summary"} or units.search(name)
            assert family.documentation


def test_every_process_is_live_and_ready(running: Processes) -> None:
    for process in COMMANDS:
        assert running.is_up(process, "/health/live")
        assert running.is_up(process, "/health/ready")
    answer = running.get("projector", "/nothing")
    assert (answer.status_code, "/metrics" in answer.json()["problem"]) == (404, True)


def test_an_operator_sees_how_far_the_projector_is(running: Processes) -> None:
    before = running.value("projector", "togglemaster_projector_events_total", view="catalogue")
    assert before is not None
    changed = running.give("/flags/hero/environments/production/off")["position"]

    def seen() -> bool:
        metrics = running.metrics("projector")
        (head,) = (each.value for each in metrics["togglemaster_log_head"].samples)
        positions = {each.value for each in metrics["togglemaster_projector_position"].samples}
        return positions == {head} and head >= changed

    eventually(seen)
    after = running.value("projector", "togglemaster_projector_events_total", view="catalogue")
    assert after is not None
    assert after > before
    assert running.value("projector", "togglemaster_projector_holds_lease") == 1
    assert running.value("projector", "togglemaster_ruleset_frozen_streams") == 0
    assert running.value("projector", "togglemaster_ruleset_rebuilding") == 0
    confirmed = running.value("projector", "togglemaster_ruleset_confirmed_seconds")
    assert confirmed is not None
    assert 0 <= confirmed < 5


def test_a_taken_port_is_told_in_a_sentence(running: Processes, stack: Stack) -> None:
    port = running.urls["projector"].rsplit(":", 1)[1]
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "work", "scheduler"],
        env=os.environ | {"TOGGLEMASTER_METRICS_PORT": port, "TOGGLEMASTER_POSTGRES_URL": stack.postgres.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1
    assert "set TOGGLEMASTER_METRICS_PORT to a port that is free" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.fixture(scope="module")
def series(running: Processes) -> dict[str, Series]:
    return exported(family for process in COMMANDS for family in running.metrics(process).values())


@pytest.mark.parametrize("rule", RULES, ids=[each["alert"] for each in RULES])
def test_an_alert_asks_for_what_there_is_and_says_what_to_do(
    rule: dict[str, Any], series: dict[str, Series]
) -> None:
    labels = check(rule["expr"], series)
    said = rule["annotations"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert len(said["runbook"]) > 80
    assert set(re.findall(r"\$labels\.(\w+)", said["summary"])) <= labels


def test_there_is_an_alert_for_everything_that_is_worth_one() -> None:
    names = [each["alert"] for each in RULES]
    assert {f"ToggleMaster{each}" for each in WORTH_AN_ALERT} <= set(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("chart", CHARTS, ids=[each["title"] for each in CHARTS])
def test_a_chart_asks_for_what_there_is(chart: dict[str, Any], series: dict[str, Series]) -> None:
    assert chart["targets"]
    for target in chart["targets"]:
        labels = check(target["expr"].replace("$__rate_interval", "1m"), series)
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_the_dashboard_can_be_imported_wherever_prometheus_is_called() -> None:
    assert {each["id"] for each in DASHBOARD["panels"]} == set(range(1, len(DASHBOARD["panels"]) + 1))
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    assert {each["datasource"]["uid"] for each in CHARTS} == {"${datasource}"}
    assert all(each["description"] for each in CHARTS)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("togglemaster_ruleset_position_total", "nothing exports"),
        ('togglemaster_http_request_seconds_count{code="500"}', "no label code"),
        ('togglemaster_build_info{process="worker"}', "never has process=worker"),
        ("sum by (queue) (togglemaster_log_head)", "no labels"),
        ("histogram_quantile(0.5, togglemaster_http_request_seconds_count)", "no labels"),
    ],
)
def test_what_is_not_exported_would_be_found(
    expression: str, problem: str, series: dict[str, Series]
) -> None:
    with pytest.raises(Wrong, match=problem):
        check(expression, series)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on this machine")
def test_prometheus_itself_takes_the_rules() -> None:
    ran = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, check=False)  # noqa: S607 - wherever it is
    assert ran.returncode == 0, ran.stdout
