"""A day with the management API, one request for each route: what the OpenAPI document shows as examples."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi.testclient import TestClient

from tests.integration.management import ADMIN

PROJECT = "/api/v1/projects/{project}"
ENVIRONMENT = PROJECT + "/environments/{environment}"
FLAG = PROJECT + "/flags/{key}"
TARGETING = FLAG + "/environments/{environment}"
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}
ON = {"command": "turn_flag_on", "flag": "dark-mode", "environment": "staging"}
SERVED = {
    "command": "change_targeting",
    "flag": "dark-mode",
    "environment": "production",
    "targeting": {"enabled": True, "off_variant": "off", "default": {"variant": "off"}},
}
ANA = {"email": "ana@example.com", "password": "correct horse battery"}
NEXT_YEAR = f"{datetime.now(UTC).year + 1}-01-31T09:00:00Z"
FIRST = {"project": "shop", "environment": "production"}


@dataclass
class Step:
    """`save` keeps fields of the answer for later paths and bodies, where `<name>` stands for them."""

    method: str
    path: str
    body: Any = None
    more: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    save: dict[str, str] = field(default_factory=dict)
    by: str = "administrator"
    shown: bool = True


def unshown(method: str, path: str, body: Any = None, **more: Any) -> Step:
    return Step(method, path, body, shown=False, **more)


PROJECTS = [
    Step("POST", "/api/v1/projects", {"key": "shop", "name": "Shop"}),
    Step("GET", "/api/v1/projects"),
    Step("GET", PROJECT),
    Step("PATCH", PROJECT, {"name": "Web shop"}),
    Step("POST", PROJECT + "/environments", {"key": "qa", "name": "Quality assurance"}),
    Step("GET", PROJECT + "/environments"),
    Step("PATCH", ENVIRONMENT, {"name": "Live"}),
    Step("GET", PROJECT + "/endpoint"),
]
SEGMENTS = [
    Step(
        "PUT",
        PROJECT + "/segments/{key}",
        {"name": "Beta", "include": ["user-1"], "condition": BRAZIL},
        {"key": "beta"},
    ),
    Step("GET", PROJECT + "/segments/{key}", more={"key": "beta"}),
    Step("GET", PROJECT + "/segments"),
]
FLAGS = [
    Step(
        "POST",
        PROJECT + "/flags",
        {
            "key": "new-checkout",
            "type": "boolean",
            "variants": {"on": True, "off": False},
            "description": "The checkout in one page",
            "tags": ["web"],
            "owner": "ana@example.com",
        },
    ),
    unshown(
        "POST",
        PROJECT + "/flags",
        {"key": "dark-mode", "type": "boolean", "variants": {"on": True, "off": False}},
    ),
    Step("GET", PROJECT + "/flags", query={"search": "checkout", "sort": "-changed", "limit": "50"}),
    Step("GET", FLAG),
    Step("PATCH", FLAG, {"description": "The checkout on one page", "tags": ["web", "checkout"]}),
    Step("PUT", FLAG + "/variants/{name}", {"value": True}, {"name": "also-on"}),
    Step("DELETE", FLAG + "/variants/{name}", more={"name": "also-on"}),
    Step(
        "PUT",
        TARGETING,
        {
            "enabled": True,
            "off_variant": "off",
            "default": {"split": {"weights": {"on": 25000, "off": 75000}}},
            "rules": [
                {
                    "id": "beta",
                    "name": "Beta testers",
                    "when": {"segment": "beta"},
                    "serve": {"variant": "on"},
                }
            ],
        },
    ),
    Step("GET", TARGETING),
    Step("POST", TARGETING + "/off"),
    Step("POST", TARGETING + "/on"),
    Step("GET", PROJECT + "/segments/{key}/used-by", more={"key": "beta"}),
    Step(
        "POST",
        ENVIRONMENT + "/explain",
        {"flag": "new-checkout", "context": {"targetingKey": "user-1", "country": "BR"}},
    ),
    Step(
        "POST",
        ENVIRONMENT + "/evaluate",
        {"context": {"targetingKey": "user-1", "country": "BR"}, "flags": ["new-checkout"]},
    ),
    Step("GET", FLAG + "/used-by"),
    Step("POST", PROJECT + "/commands/preview", {"commands": [ON]}),
    Step("POST", PROJECT + "/commands", {"commands": [ON, {"command": "archive_flag", "flag": "dark-mode"}]}),
    Step("POST", FLAG + "/restore", more={"key": "dark-mode"}),
    Step("DELETE", FLAG, more={"key": "dark-mode"}),
    unshown("POST", FLAG + "/restore", more={"key": "dark-mode"}),
    Step("GET", FLAG + "/history"),
    Step("GET", PROJECT + "/segments/{key}/history", more={"key": "beta"}),
    Step("GET", PROJECT + "/history", query={"limit": "2"}),
    Step("GET", PROJECT + "/diff", query={"environment": "production", "other": "staging"}),
    Step("POST", ENVIRONMENT + "/promote", {"from": "staging", "flags": ["dark-mode"]}),
    Step("POST", PROJECT + "/undo", {"position": 18, "preview": True}),
    Step("GET", TARGETING + "/blame"),
    Step("POST", TARGETING + "/bisect", {"contexts": [{"country": "BR"}]}, more={"key": "dark-mode"}),
    Step("GET", TARGETING + "/reach", more={"key": "dark-mode"}),
    Step("POST", ENVIRONMENT + "/what-if", {"commands": [SERVED]}),
    Step("GET", ENVIRONMENT + "/analytics/flags/{key}", query={"granularity": "day"}),
    Step("GET", ENVIRONMENT + "/analytics/totals", query={"granularity": "day"}),
    Step("GET", ENVIRONMENT + "/analytics/flags", query={"days": "90", "status": "never"}),
    Step("GET", ENVIRONMENT + "/analytics/hourly", query={"flag": "new-checkout"}),
    Step("GET", ENVIRONMENT + "/analytics/flags/{key}/shares"),
    Step("GET", ENVIRONMENT + "/analytics/flags/{key}/subjects"),
    Step("GET", ENVIRONMENT + "/analytics/unknown-flags"),
    Step("GET", ENVIRONMENT + "/analytics/records", query={"flag": "new-checkout", "limit": "20"}),
]
PEOPLE = [
    Step(
        "POST",
        "/api/v1/people",
        {
            "email": ANA["email"],
            "name": "Ana",
            "password": ANA["password"],
            "grants": [{"role": "admin", "project": "shop"}],
        },
        save={"person": "id"},
    ),
    Step("GET", "/api/v1/people"),
    Step("GET", "/api/v1/people/{person}", more={"person": "<person>"}),
    Step(
        "PATCH",
        "/api/v1/people/{person}",
        {"grants": [{"role": "admin", "project": "shop"}, {"role": "viewer", "project": "default"}]},
        {"person": "<person>"},
    ),
    Step("GET", "/api/v1/people/{person}/history", more={"person": "<person>"}),
    Step("POST", "/api/v1/people/{person}/password", {"password": ANA["password"]}, {"person": "<person>"}),
    Step("POST", "/api/v1/auth/token", ANA, save={"ana": "access_token", "refresh": "refresh_token"}),
    Step("POST", "/api/v1/auth/refresh", {"refresh_token": "<refresh>"}, save={"refresh": "refresh_token"}),
    Step("GET", "/api/v1/auth/me", by="ana"),
    Step("GET", "/api/v1/people/{person}/history", more={"person": "<person>"}),
    Step("GET", "/.well-known/jwks.json"),
]
CHANGES = [
    unshown("PATCH", ENVIRONMENT, {"approvals": 1}, more={"environment": "staging"}),
    Step(
        "POST",
        PROJECT + "/changes",
        {"title": "Dark mode for testers", "description": "Asked for by support", "commands": [ON]},
        save={"change": "id"},
    ),
    Step("GET", PROJECT + "/changes", query={"status": "proposed"}),
    Step("GET", PROJECT + "/changes/{change}", more={"change": "<change>"}),
    Step("POST", PROJECT + "/changes/{change}/rebase", more={"change": "<change>"}),
    Step(
        "POST", PROJECT + "/changes/{change}/approve", {"comment": "Good"}, {"change": "<change>"}, by="ana"
    ),
    Step(
        "POST",
        PROJECT + "/changes/{change}/schedule",
        {"apply_at": NEXT_YEAR},
        {"change": "<change>"},
    ),
    Step("POST", PROJECT + "/changes/{change}/apply", more={"change": "<change>"}),
    unshown("POST", PROJECT + "/changes", {"title": "Once more", "commands": [ON]}, save={"other": "id"}),
    Step("POST", PROJECT + "/changes/{change}/withdraw", more={"change": "<other>"}),
    unshown("POST", PROJECT + "/changes", {"title": "And again", "commands": [ON]}, save={"third": "id"}),
    Step(
        "POST", PROJECT + "/changes/{change}/reject", {"comment": "It is on"}, {"change": "<third>"}, by="ana"
    ),
    unshown(
        "PUT",
        TARGETING,
        {"enabled": True, "off_variant": "off", "default": {"variant": "off"}},
        more={"key": "dark-mode", "environment": "qa"},
    ),
    Step(
        "POST",
        PROJECT + "/plans",
        {
            "flag": "dark-mode",
            "environment": "qa",
            "variant": "on",
            "otherwise": "off",
            "steps": [{"weight": 1000, "wait_seconds": 3600}, {"weight": 100000, "wait_seconds": 0}],
        },
        save={"plan": "id"},
    ),
    Step("GET", PROJECT + "/plans"),
    Step("GET", PROJECT + "/plans/{plan}", more={"plan": "<plan>"}),
    Step("POST", PROJECT + "/plans/{plan}/pause", more={"plan": "<plan>"}),
    Step("POST", PROJECT + "/plans/{plan}/resume", more={"plan": "<plan>"}),
    Step("POST", PROJECT + "/plans/{plan}/cancel", more={"plan": "<plan>"}),
    Step("POST", PROJECT + "/plans/{plan}/roll-back", more={"plan": "<plan>"}),
]
KEYS = [
    Step("POST", ENVIRONMENT + "/keys", {"name": "web server", "kind": "server"}, save={"key_id": "id"}),
    Step("GET", ENVIRONMENT + "/keys"),
    Step("GET", ENVIRONMENT + "/keys/{key_id}", more={"key_id": "<key_id>"}),
    Step("POST", ENVIRONMENT + "/keys/{key_id}/rotate", {"overlap_seconds": 3600}, {"key_id": "<key_id>"}),
    Step("DELETE", ENVIRONMENT + "/keys/{key_id}", more={"key_id": "<key_id>"}),
    Step(
        "POST",
        "/api/v1/tokens",
        {"name": "deployments", "grants": [{"role": "editor", "project": "shop", "environment": "staging"}]},
        save={"token": "id"},
    ),
    Step("GET", "/api/v1/tokens"),
    Step("GET", "/api/v1/tokens/{token_id}", more={"token_id": "<token>"}),
    Step("POST", "/api/v1/tokens/{token_id}/rotate", {"overlap_seconds": 3600}, {"token_id": "<token>"}),
    Step("DELETE", "/api/v1/tokens/{token_id}", more={"token_id": "<token>"}),
]
WEBHOOKS = [
    Step(
        "POST",
        PROJECT + "/webhooks",
        {"url": "https://chat.example/hook", "description": "Tells the chat", "environments": ["production"]},
        save={"webhook": "id"},
    ),
    Step("GET", PROJECT + "/webhooks"),
    Step("GET", PROJECT + "/webhooks/{webhook_id}", more={"webhook_id": "<webhook>"}),
    Step(
        "PATCH",
        PROJECT + "/webhooks/{webhook_id}",
        {"events": ["FlagTurnedOn", "FlagTurnedOff"]},
        {"webhook_id": "<webhook>"},
    ),
    Step("POST", PROJECT + "/webhooks/{webhook_id}/pause", more={"webhook_id": "<webhook>"}),
    Step("POST", PROJECT + "/webhooks/{webhook_id}/resume", more={"webhook_id": "<webhook>"}),
    Step("POST", PROJECT + "/webhooks/{webhook_id}/rotate-secret", more={"webhook_id": "<webhook>"}),
    Step("POST", PROJECT + "/webhooks/{webhook_id}/test", more={"webhook_id": "<webhook>"}),
    Step("DELETE", PROJECT + "/webhooks/{webhook_id}", more={"webhook_id": "<webhook>"}),
]
LAST = [
    unshown("PUT", TARGETING, {"enabled": False, "off_variant": "off", "default": {"variant": "off"}}),
    unshown("PATCH", ENVIRONMENT, {"approvals": 0}, more={"environment": "staging"}),
    Step("DELETE", PROJECT + "/segments/{key}", more={"key": "beta"}),
    Step("POST", "/api/v1/auth/logout", {"refresh_token": "<refresh>"}),
    Step("GET", "/api/v1/health"),
    Step("POST", "/api/v1/health/verify"),
    Step("GET", "/health/live"),
    Step("GET", "/health/ready"),
    Step("GET", "/metrics"),
]
DAY = [*PROJECTS, *SEGMENTS, *FLAGS, *PEOPLE, *CHANGES, *KEYS, *WEBHOOKS, *LAST]


def lived(client: TestClient, catch_up: Callable[[], None]) -> dict[str, Any]:
    """What each shown step led to, by method and path; what differs between two days is made the same."""
    saved: dict[str, str] = {"administrator": ADMIN}
    examples = {}
    for step in DAY:
        path = {name: _filled(value, saved) for name, value in _parameters(step).items()}
        catch_up()
        answer = client.request(
            step.method,
            step.path.format(**path),
            params=step.query,
            json=_filled(step.body, saved),
            headers={"X-API-Key": saved[step.by]},
        )
        assert answer.status_code < 300, f"{step.method} {step.path}: {answer.text}"
        is_json = answer.content and "json" in answer.headers.get("content-type", "")
        content: Any = answer.json() if is_json else None
        saved |= {name: content[name_there] for name, name_there in step.save.items()}
        if step.shown:
            examples[f"{step.method} {step.path}"] = {
                "path": path,
                "query": step.query,
                "body": _filled(step.body, saved),
                "status": answer.status_code,
                "answer": content,
            }
    names: dict[str, str] = {}
    return {route: _same_every_day(example, names) for route, example in examples.items()}


def _parameters(step: Step) -> dict[str, str]:
    values = {**FIRST, "key": "new-checkout", **step.more}
    return {name: values[name] for name in re.findall(r"{(\w+)}", step.path)}


def _filled(value: Any, saved: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"<(\w+)>", lambda name: saved.get(name[1], name[0]), value)
    if isinstance(value, dict):
        return {name: _filled(each, saved) for name, each in value.items()}
    return [_filled(each, saved) for each in value] if isinstance(value, list) else value


SECRETS = {"access_token", "refresh_token", "token", "secret", "x", "kid"}
TIME = re.compile(r"20\d\d-\d\d-\d\dT[\d:.]+(Z|\+00:00)")
KEY = re.compile(r"tm_([a-z]+)_[0-9A-Za-z]{10}_[0-9A-Za-z]+")
RANDOM = re.compile(r"[0-9a-f]{16}|[0-9A-Za-z]{10}|[0-9A-Za-z_-]{16,24}")


def _same_every_day(value: Any, names: dict[str, str], called: str = "") -> Any:
    if isinstance(value, dict):
        return {
            name: _same_every_day(each, names, name if name != "key" or len(value) > 2 else "")
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_same_every_day(each, names, called) for each in value]
    return _usual(value, names, called) if isinstance(value, str) else value


def _usual(text: str, names: dict[str, str], called: str) -> str:
    if TIME.fullmatch(text):
        return "2027-01-31T09:00:00Z" if called == "apply_at" else "2026-11-22T09:30:00Z"
    if called in SECRETS and len(text) > 16:
        return f"{called}…"
    if key := KEY.fullmatch(text):
        return f"tm_{key[1]}_…"
    if RANDOM.fullmatch(text) and any(letter.isdigit() for letter in text) and not text.isdigit():
        return names.setdefault(text, f"id{len(names) + 1:08}")
    return text
