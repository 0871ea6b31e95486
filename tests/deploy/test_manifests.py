"""The Kubernetes manifests, as `kubectl kustomize` builds them: valid, and true of what they refer to."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest

from deploy.dev import COMMANDS
from deploy.processes import consumer, http
from deploy.settings import EVALUATION_PORT, MANAGEMENT_PORT
from tests.deploy.known import DEPLOY, PINNED, ROOT, commands, setting_names
from tests.deploy.manifests import (
    EVERY_OVERLAY,
    OURS,
    Object,
    Workload,
    built,
    name_of,
    of_kind,
    ours,
    ports_open_to,
    prefixes,
    variables,
    workloads,
)
from tests.deploy.test_image import arguments_of, environment
from workers import flusher, outbound

KUBERNETES = ("1.32", "1.37")  # the oldest that anybody still keeps, with preStop's sleep, and the newest
NEEDED_SECRETS = {"postgres-url", "redis-url", "admin-key", "secret"}
SOON_SECONDS = 2  # a command or a batch that is under way


@pytest.mark.parametrize("version", KUBERNETES)
@EVERY_OVERLAY
def test_every_object_is_what_kubernetes_says_it_is(overlay: str, version: str) -> None:
    checked = [each for each in built(overlay) if not each["apiVersion"].startswith("keda.sh/")]
    assert len(checked) > 20
    for each in [*checked, prefixes()]:
        kubernetes_validate.validate(each, version, strict=True)


@EVERY_OVERLAY
def test_every_process_runs_by_a_command_that_exists(overlay: str) -> None:
    started = {name: tuple(each.container["args"]) for name, each in ours(overlay).items()}
    assert started == {"setup": ("setup",), **COMMANDS}
    assert set(started.values()) <= commands()


@EVERY_OVERLAY
def test_images_are_pinned(overlay: str) -> None:
    images = [each.container["image"] for each in workloads(overlay)]
    assert [each for each in images if not PINNED.fullmatch(each)] == []


@OURS
def test_a_process_is_told_nothing_that_is_no_setting(overlay: str, workload: Workload) -> None:
    told = {name for name in variables(overlay, workload) if name.startswith("TOGGLEMASTER_")}
    assert told
    assert told - setting_names() == set()


@EVERY_OVERLAY
def test_secrets_are_referred_to_by_keys_that_exist(overlay: str) -> None:
    wanted = {key for each in workloads(overlay) for key in secret_keys(each)}
    secrets = {name_of(each): set(each["data"]) for each in of_kind(overlay, "Secret")}
    if overlay == "local":
        assert secrets == {"togglemaster": wanted}
    else:
        assert secrets == {}, "production's secrets are nowhere in the repository"
        assert wanted == NEEDED_SECRETS
        text = (ROOT / "docs" / "deploying.md").read_text()
        assert [key for key in wanted if key not in text] == []


def secret_keys(workload: Workload) -> Iterator[str]:
    for each in workload.container.get("env", []):
        if "valueFrom" in each:
            reference = each["valueFrom"]["secretKeyRef"]
            assert reference["name"] == "togglemaster"
            yield reference["key"]


@OURS
def test_a_process_has_the_secrets_that_it_uses_and_no_others(overlay: str, workload: Workload) -> None:
    database, redis = {"postgres-url"}, {"redis-url"}
    uses = {
        "setup": database,
        "management": database | redis | {"admin-key", "secret"},
        "evaluation": redis | {"secret"},
        "projector": database | redis,
        "consumer": set[str](),
        "scheduler": database,
        "webhooks": database | {"secret"},
    }
    assert set(secret_keys(workload)) == uses[workload.name]


@OURS
def test_a_process_has_no_rights_and_writes_to_its_volumes_alone(overlay: str, workload: Workload) -> None:
    security = workload.pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == arguments_of("USER")[-1]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert workload.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert workload.pod["automountServiceAccountToken"] is False
    assert workload.pod["enableServiceLinks"] is False
    assert {name_of(each) for each in of_kind(overlay, "ServiceAccount")} >= {
        workload.pod["serviceAccountName"]
    }


@OURS
def test_a_process_says_how_much_it_needs(overlay: str, workload: Workload) -> None:
    assert {name: set(each) for name, each in workload.container["resources"].items()} == {
        "requests": {"cpu", "memory"},
        "limits": {"cpu", "memory"},
    }


@OURS
def test_probes_scrapes_and_policies_ask_the_port_where_the_process_answers(
    overlay: str, workload: Workload
) -> None:
    if workload.kind == "Job":
        return
    (port,) = workload.container["ports"]
    answers = {"management": MANAGEMENT_PORT, "evaluation": EVALUATION_PORT}.get(workload.name)
    assert port["containerPort"] == answers or port["containerPort"] == metrics_port(workload)
    for kind, path in (("startup", "live"), ("liveness", "live"), ("readiness", "ready")):
        asked = workload.container[f"{kind}Probe"]["httpGet"]
        assert asked == {"path": f"/health/{path}", "port": port["name"]}
    (template,) = [
        each["spec"]["template"] for each in of_kind(overlay, "Deployment") if name_of(each) == workload.name
    ]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert port["containerPort"] in ports_open_to(overlay, workload, "monitoring")


def metrics_port(workload: Workload) -> int | None:
    given = [each.get("value") for each in workload.container["env"] if each["name"].endswith("METRICS_PORT")]
    return int(given[0]) if given else None


@EVERY_OVERLAY
def test_scalers_and_budgets_are_about_deployments_that_say_no_number_themselves(overlay: str) -> None:
    deployments = {name_of(each): each["spec"] for each in of_kind(overlay, "Deployment")}
    assert {name_of(each) for each in of_kind(overlay, "PodDisruptionBudget")} == deployments.keys()
    for each in of_kind(overlay, "HorizontalPodAutoscaler", "ScaledObject"):
        target = each["spec"]["scaleTargetRef"]["name"]
        assert "replicas" not in deployments[target], "each `kubectl apply` would set it back"
    (evaluation,) = of_kind(overlay, "HorizontalPodAutoscaler")
    assert evaluation["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "evaluation"
    }  # fmt: skip


# What KEDA's API says of these two kinds (keda.sh/v1alpha1, 2.13 to 2.20), as far as it is used here.
SCALED_OBJECT: Object = {
    "scaleTargetRef": {"name": str},
    "minReplicaCount": int,
    "maxReplicaCount": int,
    "pollingInterval": int,
    "cooldownPeriod": int,
    "fallback": {"failureThreshold": int, "replicas": int},
    "triggers": [{"type": str, "metadata": {str: str}, "authenticationRef": {"name": str}}],
}
TRIGGER_AUTHENTICATION: Object = {"podIdentity": {"provider": str, "identityOwner": str}}


def test_the_scaler_of_consumers_is_what_keda_reads() -> None:
    (scaled,) = of_kind("production", "ScaledObject")
    (authentication,) = of_kind("production", "TriggerAuthentication")
    assert shape(scaled["spec"], SCALED_OBJECT)
    assert shape(authentication["spec"], TRIGGER_AUTHENTICATION)
    (trigger,) = scaled["spec"]["triggers"]
    (settings,) = [each["data"] for each in of_kind("production", "ConfigMap")]
    assert trigger["authenticationRef"]["name"] == name_of(authentication)
    assert trigger["metadata"]["queueURL"] == settings["TOGGLEMASTER_QUEUE_NAME"]
    assert trigger["metadata"]["awsRegion"] == settings["TOGGLEMASTER_AWS_REGION"]


def shape(value: Any, wanted: Any) -> bool:
    match wanted:
        case type():
            return type(value) is wanted
        case [each]:
            return all(shape(item, each) for item in value)
        case dict() if str in wanted:
            return all(shape(item, wanted[str]) for item in value.values())
        case _:
            return all(name in wanted and shape(item, wanted[name]) for name, item in value.items())


@OURS
def test_a_process_is_given_the_time_that_it_takes_to_end(overlay: str, workload: Workload) -> None:
    if workload.kind == "Job":
        return
    hook = workload.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    takes = {
        "management": http.STOP_SECONDS,
        "evaluation": http.STOP_SECONDS + flusher.STOP_SECONDS,
        "consumer": consumer.STOP_SECONDS,
        "webhooks": outbound.WHOLE_SECONDS,
    }.get(workload.name, SOON_SECONDS)
    assert workload.pod["terminationGracePeriodSeconds"] > hook + takes


def test_what_an_evaluator_keeps_outlives_its_container() -> None:
    evaluation = ours("production")["evaluation"]
    mounts = {each["name"]: each["mountPath"] for each in evaluation.container["volumeMounts"]}
    assert set(mounts.values()) == {value for name, value in environment().items() if name.endswith("_DIR")}
    assert {each["name"] for each in evaluation.pod["volumes"]} == mounts.keys()


def test_no_file_is_left_out() -> None:
    """A manifest that no kustomization names would never be applied."""
    for kustomization in (DEPLOY / "kubernetes").rglob("kustomization.yaml"):
        text = kustomization.read_text()
        for file in kustomization.parent.rglob("*.yaml"):
            assert file == kustomization or str(file.relative_to(kustomization.parent)) in text, file
