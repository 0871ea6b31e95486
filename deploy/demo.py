"""A shop with flags, and customers who ask for them without pause: `togglemaster dev --demo`.

So that the console has something to show before anything of one's own is connected.
"""

import math
import random
import time
from collections.abc import Mapping, Sequence
from threading import Event, Thread
from typing import Any

from deploy.samples import ENVIRONMENT, FLAG, PROJECT, Samples, Unanswered, call, done

PER_SECOND = 10.0  # evaluations: a chart moves within a minute, and a laptop does not notice
WAVE_SECONDS, WAVE = 600.0, 0.6  # more and fewer customers, as a share of them, so that charts have a shape
CUSTOMERS = 5_000
ORGANISATIONS = 60
RETRY_SECONDS = 2.0  # while the evaluation API does not answer
COUNTRIES: Mapping[str, int] = {"BR": 50, "PT": 15, "AR": 15, "US": 12, "DE": 8}
PLANS: Mapping[str, int] = {"free": 70, "pro": 25, "team": 5}
"""Of 100 customers."""
RECORDED = ["country", "plan", "organisation"]
GONE = "old-banner"  # that a program still asks for

SEGMENT = "beta-testers"
SEGMENT_DEFINITION = {
    "name": "Beta testers",
    "description": "Whoever pays, and asked to see things early",
    "include": ["customer-1", "customer-2"],
    "condition": {
        "all": [
            {"attribute": "plan", "operator": "in", "values": ["pro", "team"]},
            {"bucket": {"below": 50_000}},
        ]
    },
}


def split(by: str = "targetingKey", **weights: int) -> dict[str, Any]:
    """Weights in percent."""
    return {"split": {"by": by, "weights": {name: 1_000 * each for name, each in weights.items()}}}


def rule(name: str, when: Mapping[str, Any], serve: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": name.lower().replace(" ", "-"), "name": name, "when": when, "serve": serve}


ON_OFF = {"on": True, "off": False}
BUTTONS = {"classic": "#5f6368", "blue": "#0b57d0", "green": "#137333"}
BRAZIL = {"attribute": "country", "operator": "in", "values": ["BR"]}

FLAGS: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]] = (
    (
        {
            "key": "free-shipping",
            "type": "boolean",
            "variants": ON_OFF,
            "description": "No shipping costs, for a tenth of Brazil at first",
            "tags": ["checkout"],
            "owner": "logistics",
            "kind": "release",
        },
        {
            "off_variant": "off",
            "default": {"variant": "off"},
            "rules": [rule("A tenth of Brazil", BRAZIL, split(on=10, off=90))],
        },
    ),
    (
        {
            "key": "checkout-button",
            "type": "string",
            "variants": BUTTONS,
            "description": "Which colour sells best; everybody of an organisation sees the same",
            "tags": ["checkout", "experiment"],
            "owner": "growth",
            "kind": "experiment",
        },
        {
            "off_variant": "classic",
            "default": split("organisation", classic=34, blue=33, green=33),
        },
    ),
    (
        {
            "key": "new-search",
            "type": "boolean",
            "variants": ON_OFF,
            "description": "The search that knows what was meant",
            "tags": ["search"],
            "owner": "search",
            "kind": "release",
        },
        {
            "off_variant": "off",
            "default": split(on=25, off=75),
            "rules": [rule("Beta testers", {"segment": SEGMENT}, {"variant": "on"})],
        },
    ),
)


class Demo:
    """Flags are made once; customers come as long as it runs."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._chance = random.Random(1)  # noqa: S311 - the same customers each time
        self._customers = [self._customer(n) for n in range(CUSTOMERS)]
        self._asked = [FLAG, GONE, *(str(definition["key"]) for definition, _ in FLAGS)]
        self._over = Event()
        self._thread = Thread(target=self._run, name="demo", daemon=True)

    def start(self) -> None:
        """Raises Unanswered when the flags cannot be made."""
        self._make()
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(RETRY_SECONDS)

    def _make(self) -> None:
        project, key = f"{self._samples.management_url}/api/v1/projects/{PROJECT}", self._samples.admin_key
        recording = {"recording": {"attributes": RECORDED}}
        done(call(f"{project}/environments/{ENVIRONMENT}", key, recording, "PATCH"), 200)
        if call(f"{project}/segments/{SEGMENT}", key)[0] == 404:
            done(call(f"{project}/segments/{SEGMENT}", key, SEGMENT_DEFINITION, "PUT"), 200)
        for definition, targeting in FLAGS:
            if done(call(f"{project}/flags", key, definition), 201, 409) == 201:
                where = f"{project}/flags/{definition['key']}/environments/{ENVIRONMENT}"
                done(call(where, key, {"enabled": True, **targeting}, "PUT"), 200)

    def _customer(self, number: int) -> Mapping[str, Any]:
        return {
            "targetingKey": f"customer-{number}",
            "country": self._one_of(COUNTRIES),
            "plan": self._one_of(PLANS),
            "organisation": f"organisation-{number % ORGANISATIONS}",
        }

    def _one_of(self, shares: Mapping[str, int]) -> str:
        return self._chance.choices(list(shares), list(shares.values()))[0]

    def _run(self) -> None:
        wait = 0.0
        while not self._over.wait(wait):
            try:
                self._ask()
                wait = self._chance.expovariate(_rate(time.time()))
            except Unanswered:
                wait = RETRY_SECONDS

    def _ask(self) -> None:
        """Raises Unanswered."""
        flag = self._chance.choice(self._asked)
        url = f"{self._samples.evaluation_url}/ofrep/v1/evaluate/flags/{flag}"
        call(url, self._samples.evaluation_key, {"context": self._chance.choice(self._customers)})


def _rate(now: float) -> float:
    """Evaluations a second."""
    return PER_SECOND * (1 + WAVE * math.sin(2 * math.pi * now / WAVE_SECONDS))
