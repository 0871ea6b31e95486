"""The Kubernetes manifests as `kubectl kustomize` builds them, for the tests to look at."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.deploy.known import DEPLOY, documents, tool

OVERLAYS = ("local", "production")
Object = dict[str, Any]


@dataclass(frozen=True)
class Workload:
    kind: str
    name: str
    labels: dict[str, str]
    pod: Object

    @property
    def container(self) -> Object:
        (only,) = self.pod["containers"]
        return dict(only)

    @property
    def is_ours(self) -> bool:
        return bool(self.container["name"] == "togglemaster")


@cache
def built(overlay: str) -> list[Object]:
    ran = tool("kubectl", "kustomize", DEPLOY / "kubernetes" / "overlays" / overlay)
    assert ran.returncode == 0, ran.stderr
    assert "Warning" not in ran.stderr, ran.stderr
    return documents(ran.stdout)


def of_kind(overlay: str, *kinds: str) -> list[Object]:
    return [each for each in built(overlay) if each["kind"] in kinds]


def name_of(each: Object) -> str:
    return str(each["metadata"]["name"])


def workloads(overlay: str) -> list[Workload]:
    return [
        Workload(each["kind"], name_of(each), template["metadata"]["labels"], template["spec"])
        for each in of_kind(overlay, "Deployment", "StatefulSet", "Job")
        for template in [each["spec"]["template"]]
    ]


def ours(overlay: str) -> dict[str, Workload]:
    return {each.name: each for each in workloads(overlay) if each.is_ours}


def variables(overlay: str, workload: Workload) -> set[str]:
    maps = {name_of(each): each["data"] for each in of_kind(overlay, "ConfigMap")}
    shared = {name for each in workload.container["envFrom"] for name in maps[each["configMapRef"]["name"]]}
    return shared | {each["name"] for each in workload.container.get("env", [])}


def selects(selector: Object, labels: dict[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", [])
    )


def ports_open_to(overlay: str, workload: Workload, namespace: str) -> set[int]:
    return {
        port["port"]
        for policy in of_kind(overlay, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], workload.labels)
        for rule in policy["spec"].get("ingress", [])
        for peer in rule["from"]
        if namespace in peer.get("namespaceSelector", {}).get("matchLabels", {}).values()
        for port in rule["ports"]
    }


def paths_of(ingress: Object) -> list[Object]:
    return [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]


@cache
def prefixes() -> Object:
    """The example for the original system's prefixes, which is in no overlay."""
    (ingress,) = documents((DEPLOY / "kubernetes/components/original-prefixes/ingress.yaml").read_text())
    return ingress


EVERY_OVERLAY = pytest.mark.parametrize("overlay", OVERLAYS)
OURS = pytest.mark.parametrize(
    ("overlay", "workload"),
    [pytest.param(o, w, id=f"{o}-{w.name}") for o in OVERLAYS for w in workloads(o) if w.is_ours],
)
