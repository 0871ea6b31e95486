"""A picture of each screen, of a shop that was used for a day: `make screenshots`."""

import math
import random
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from playwright.sync_api import ViewportSize, sync_playwright

from deploy.embedded import embedded_stack
from projections.records_table import Record
from projections.usage_table import CountRow
from tests.conftest import open_directory
from tests.console.chromium import ARGUMENTS, chromium
from tests.console.site import Site, running
from tests.console.visitor import Visitor

SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
SETTLED_MS = 3_000  # what is read after a page stands
SIZE: ViewportSize = {"width": 1280, "height": 800}
ASKING = '{"targetingKey": "user-2", "country": "PT"}'
PICTURES: Mapping[str, str] = {
    "flags": "flags",
    "flag": "flags/new-checkout",
    "segments": "segments/beta",
    "changes": "changes",
    "time-machine": "history?flag=new-checkout",
    "explain": f"explain?flag=new-checkout#context={quote(ASKING, safe='')}",
    "insights": "insights/new-checkout",
    "access": "access",
    "health": "health",
}
"""The name of each picture, and the screen that is on it."""

COUNTRIES, PLANS, ASKED = ("BR", "PT", "AR"), ("free", "free", "pro"), 1_200
DARK = {"flags"}  # both ways; the others look alike
BETA = {"include": ["ana"], "condition": {"attribute": "plan", "operator": "in", "values": ["pro", "team"]}}
CHECKOUT = {
    "enabled": True,
    "off_variant": "off",
    "default": {"split": {"by": "targetingKey", "weights": {"on": 25_000, "off": 75_000}}},
    "rules": [
        {
            "id": "brazil",
            "name": "Brazil",
            "when": {"attribute": "country", "operator": "in", "values": ["BR"]},
            "serve": {"variant": "on"},
        },
        {"id": "beta", "name": "Beta testers", "when": {"segment": "beta"}, "serve": {"variant": "on"}},
    ],
}

FLAGS: Mapping[str, tuple[str, str, list[str], int]] = {
    "new-checkout": ("The checkout in one page", "release", ["web", "payments"], 900),
    "dark-mode": ("Dark colours for whoever wants them", "experiment", ["web"], 400),
    "free-shipping": ("No shipping costs above 99", "experiment", ["pricing"], 250),
    "maintenance": ("A page that says that we are back soon", "operational", ["ops"], 20),
    "old-search": ("The search before 2025", "release", ["web"], 0),
    "staff-discount": ("Ten per cent for colleagues", "permission", ["pricing"], 60),
}


def fill(site: Site) -> str:
    """The project's key."""
    project, chance = site.project("Shop"), random.Random(1)  # noqa: S311 - for a picture
    minute = int(time.time()) // 60
    for key, (description, kind, tags, hourly) in FLAGS.items():
        site.flag(project, key, description=description, kind=kind, tags=tags, owner="ana@example.org")
        for environment in ("development", "production")[: 1 + (hourly > 100)]:
            site.give("POST", f"/projects/{project}/flags/{key}/environments/{environment}/on")
        if hourly:
            counts = [round(hourly * (1.2 + math.sin(n / 4)) * chance.uniform(0.8, 1.2)) for n in range(24)]
            site.evaluated(
                *(
                    CountRow("p1", project, "production", key, minute - 60 * n, 1, {"STATIC/on": count})
                    for n, count in enumerate(counts)
                )
            )
    site.give("PUT", f"/projects/{project}/segments/beta", BETA)
    where = f"/projects/{project}/flags/new-checkout/environments/production"
    site.give("PUT", where, CHECKOUT, X_Reason="launch in Brazil, a quarter elsewhere")
    _ask(site, project, chance)
    off = {"command": "turn_flag_off", "flag": "old-search", "environment": "production"}
    request = {"title": "Turn the old search off", "description": "nobody asks for it", "commands": [off]}
    site.give("POST", f"/projects/{project}/changes", request)
    site.give(
        "POST", f"/projects/{project}/environments/production/keys", {"name": "web shop", "kind": "server"}
    )
    return project


def _ask(site: Site, project: str, chance: random.Random) -> None:
    """So that it can be told who gets what."""
    body = {"recording": {"attributes": ["country", "plan"]}}
    declared = site.give("PATCH", f"/projects/{project}/environments/production", body)["position"]
    at, asked = int(time.time() * 1_000) - 1, (project, "production", "new-checkout", "on", "SPLIT")
    site.recorded(
        *(
            Record(
                f"{project}-{n}",
                *asked,
                f"user-{n}",
                declared,
                at,
                {"country": chance.choice(COUNTRIES), "plan": chance.choice(PLANS)},
            )
            for n in range(ASKED)
        )
    )


def take(site: Site, into: Path) -> None:
    project, tool = fill(site), chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(tool.program), args=list(ARGUMENTS))
        for name, screen in PICTURES.items():
            for scheme in SCHEMES[: 1 + (name in DARK)]:
                page = browser.new_page(viewport=SIZE, color_scheme=scheme, locale="en-US")
                visitor = Visitor(site, page).enter()
                page.goto(f"{site.console}/{project}/production/{screen}")
                visitor.connected()
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=into / f"{name}-{scheme}.png", full_page=True)
                print(into / f"{name}-{scheme}.png")  # noqa: T201 - for whoever waits
        browser.close()


def main() -> None:
    into, directory = Path(sys.argv[1]), open_directory()
    into.mkdir(parents=True, exist_ok=True)
    try:
        with embedded_stack(directory, durable=False) as stack, running(stack, directory) as site:
            take(site, into)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
