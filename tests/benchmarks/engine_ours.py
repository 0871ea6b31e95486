"""Our own engine: its adapter, and how it takes more rules, longer lists and very many flags."""

import json
from collections.abc import Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import track

from domain.evaluation import evaluate
from domain.ruleset import FLAG, DocumentName, Ruleset
from tests.benchmarks.engine_adapters import BRAZILIANS, KEY, Engine, Ready, User
from tests.benchmarks.engine_timing import Figure, in_turn

CHANGES = 15
OFF = {"variant": "off"}
HALF_AND_HALF = {"split": {"weights": {"on": 50_000, "off": 50_000}}}


def flag(key: str = KEY, values: Sequence[str] = ("BR",), rules: int = 1) -> tuple[DocumentName, str]:
    """The flag as evaluators read it. Only the last rule matches; the others ask for nobody's country."""
    others = [_rule(f"rule-{number}", [f"nowhere-{number}"], OFF) for number in range(1, rules)]
    targeting = {
        "enabled": True,
        "off_variant": "off",
        "default": OFF,
        "rules": [*others, _rule("brazil", values, HALF_AND_HALF)],
    }
    document = {
        "key": key,
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "gate_salt": "5c1d0e63a4f24b8e9d375c1d0e63a4f2",
        "split_salt": "c90f1b7ae25d48f08a66c90f1b7ae25d",
        "client_visible": False,
        "version": 1,
        "targeting": targeting,
    }
    return (FLAG, key), json.dumps(document)


def _rule(name: str, countries: Sequence[str], serve: dict[str, Any]) -> dict[str, Any]:
    when = {"attribute": "country", "operator": "in", "values": list(countries)}
    return {"id": name, "when": when, "serve": serve}


def ours(users: Sequence[User], values: Sequence[str] = ("BR",), rules: int = 1) -> Ready:
    ruleset = Ruleset().updated([flag(values=values, rules=rules)])

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            evaluate(ruleset, KEY, context)

    contexts = [{"targetingKey": user.id, "country": user.country} for user in users]
    return Ready(contexts, ask_each, lambda context: evaluate(ruleset, KEY, context).value)


OURS = Engine("ToggleMaster", "togglemaster", "evaluate", ours)
GROWN = {
    "1 rule": partial(ours, rules=1),
    "10 rules, the last matches": partial(ours, rules=10),
    "100 rules, the last matches": partial(ours, rules=100),
    "a list of 10 values": partial(ours, values=[*(f"nowhere-{n}" for n in range(9)), "BR"]),
    "a list of 10,000 values": partial(ours, values=[*(f"nowhere-{n}" for n in range(9_999)), "BR"]),
}


def grown(rounds: int) -> dict[str, Figure]:
    """Microseconds for one question, as a flag grows."""
    ready = {name: prepare(BRAZILIANS) for name, prepare in GROWN.items()}
    runs = {name: partial(each.ask_each, each.contexts) for name, each in ready.items()}
    return in_turn(runs, len(BRAZILIANS), rounds)


def compiled(flags: int, console: Console) -> tuple[float, Figure]:
    """Seconds to compile that many flags, and milliseconds to apply a change of one of them."""
    documents = [flag(f"flag-{number}") for number in range(flags)]
    start = perf_counter()
    ruleset = Ruleset().updated(track(documents, f"compiling {flags:,} flags", console=console))
    seconds = perf_counter() - start
    changes = [_milliseconds_to_change(ruleset, f"flag-{number}") for number in range(CHANGES)]
    return seconds, Figure(median(changes), min(changes), max(changes))


def _milliseconds_to_change(ruleset: Ruleset, key: str) -> float:
    change = [flag(key, rules=2)]
    start = perf_counter()
    changed = ruleset.updated(change)
    milliseconds = (perf_counter() - start) * 1e3
    assert changed.flags[key] is not ruleset.flags[key]
    return milliseconds
