"""Who may talk to whom in the cluster, and which path of an ingress leads where."""

import re
from collections.abc import Iterator

import pytest

from tests.deploy.manifests import (
    EVERY_OVERLAY,
    Object,
    name_of,
    of_kind,
    ours,
    paths_of,
    prefixes,
    selects,
    variables,
    workloads,
)


@EVERY_OVERLAY
def test_every_selector_finds_pods(overlay: str) -> None:
    pods = [each.labels for each in workloads(overlay)]
    selectors = list(pod_selectors(overlay))
    assert len(selectors) > 20
    for where, selector in selectors:
        assert any(selects(selector, labels) for labels in pods), where


def pod_selectors(overlay: str) -> Iterator[tuple[str, Object]]:
    for each in of_kind(overlay, "Service"):
        yield name_of(each), {"matchLabels": each["spec"]["selector"]}
    for each in of_kind(overlay, "PodDisruptionBudget", "Deployment", "StatefulSet"):
        yield name_of(each), each["spec"]["selector"]
    for each in of_kind(overlay, "NetworkPolicy"):
        yield name_of(each), each["spec"]["podSelector"]
        for rule in [*each["spec"].get("ingress", []), *each["spec"].get("egress", [])]:
            for peer in [*rule.get("from", []), *rule.get("to", [])]:
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    yield name_of(each), peer["podSelector"]


@EVERY_OVERLAY
def test_whoever_needs_a_part_may_talk_to_it_and_nobody_else(overlay: str) -> None:
    reachable = {
        "to-postgres": ("TOGGLEMASTER_POSTGRES_URL",),
        "to-redis": ("TOGGLEMASTER_REDIS_URL",),
    }
    policies = {name_of(each): each["spec"] for each in of_kind(overlay, "NetworkPolicy")}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy, needs in reachable.items():
        allowed = {n for n, w in ours(overlay).items() if selects(policies[policy]["podSelector"], w.labels)}
        assert allowed == {n for n, w in ours(overlay).items() if set(needs) <= variables(overlay, w)}
    in_aws = {n for n, w in ours(overlay).items() if selects(policies["to-aws"]["podSelector"], w.labels)}
    assert in_aws == {"setup", "management", "evaluation", "consumer"}


@EVERY_OVERLAY
def test_services_and_ingresses_lead_to_ports_that_exist(overlay: str) -> None:
    services = {name_of(each): each["spec"] for each in of_kind(overlay, "Service")}
    for name, service in services.items():
        (pod,) = [
            each for each in workloads(overlay) if selects({"matchLabels": service["selector"]}, each.labels)
        ]
        open_ports = {port["name"] for port in pod.container["ports"]}
        assert {port["targetPort"] for port in service["ports"]} <= open_ports, name
    for ingress in [*of_kind(overlay, "Ingress"), prefixes()]:
        for path in paths_of(ingress):
            backend = path["backend"]["service"]
            named = {port["name"] for port in services[backend["name"]]["ports"]}
            assert backend["port"]["name"] in named


@pytest.mark.parametrize(
    ("asked", "service"),
    [
        ("/api/v1/projects", "management"),
        ("/.well-known/jwks.json", "management"),
        ("/openapi.json", "management"),
        ("/admin/keys", "management"),
        ("/validate", "management"),
        ("/flags", "management"),
        ("/flags/enable-new-dashboard", "management"),
        ("/rules/enable-new-dashboard", "management"),
        ("/health", "management"),
        ("/evaluate", "evaluation"),
        ("/ofrep/v1/evaluate/flags/x", "evaluation"),
        ("/ofrep/v1/sse", "evaluation"),
        ("/console/shop/production/flags", "management"),
        ("/metrics", None),
    ],
)
def test_the_ingress_leads_each_path_to_the_process_that_answers_it(asked: str, service: str | None) -> None:
    paths = [path for ingress in of_kind("production", "Ingress") for path in paths_of(ingress)]
    assert [each["backend"]["service"]["name"] for each in paths if fits(each, asked)] == (
        [service] if service else []
    )


def test_a_browser_stays_with_the_process_that_has_its_session() -> None:
    (ingress,) = [each for each in of_kind("production", "Ingress") if name_of(each).endswith("console")]
    assert [path["path"] for path in paths_of(ingress)] == ["/console"]
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/affinity"] == "cookie"


def fits(path: Object, asked: str) -> bool:
    """As Kubernetes reads a path: Prefix goes by whole elements."""
    exact = asked == path["path"]
    return exact or (path["pathType"] == "Prefix" and asked.startswith(path["path"].rstrip("/") + "/"))


@pytest.mark.parametrize(
    ("asked", "service", "becomes"),
    [
        ("/auth/admin/keys", "management", "/admin/keys"),
        ("/auth/validate", "management", "/validate"),
        ("/flags/flags", "management", "/flags"),
        ("/flags/flags/enable-new-dashboard", "management", "/flags/enable-new-dashboard"),
        ("/targeting/rules", "management", "/rules"),
        ("/targeting/rules/enable-new-dashboard", "management", "/rules/enable-new-dashboard"),
        ("/evaluate/evaluate", "evaluation", "/evaluate"),
        ("/evaluation/evaluate", "evaluation", "/evaluate"),
    ],
)
def test_the_original_systems_prefixes_are_taken_away(asked: str, service: str, becomes: str) -> None:
    ingress = prefixes()
    target = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/rewrite-target"]
    (path,) = [each for each in paths_of(ingress) if re.match(f"^{each['path']}", asked)]
    assert path["backend"]["service"]["name"] == service
    assert re.sub(f"^{path['path']}", target.replace("$2", r"\2"), asked) == becomes
