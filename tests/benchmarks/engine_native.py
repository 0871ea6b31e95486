"""Adapters for the engines written in Rust.

Of Eppo and Statsig there are two rows each: the call that says why, as ours does, and the bare value, for
which they do less.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from tests.benchmarks.engine_adapters import KEY, NOWHERE, Engine, Ready, User

Json = dict[str, Any]


def _eppo_split(variation: str, start: int, end: int) -> Json:
    return {
        "variationKey": variation,
        "shards": [{"salt": "salt", "ranges": [{"start": start, "end": end}]}],
    }


EPPO_FLAG: Json = {
    "key": KEY,
    "enabled": True,
    "variationType": "BOOLEAN",
    "variations": {"on": {"key": "on", "value": True}, "off": {"key": "off", "value": False}},
    "allocations": [
        {
            "key": "brazil",
            "rules": [{"conditions": [{"attribute": "country", "operator": "ONE_OF", "value": ["BR"]}]}],
            "splits": [_eppo_split("on", 0, 5_000), _eppo_split("off", 5_000, 10_000)],
            "doLog": False,
        }
    ],
    "totalShards": 10_000,
}
EPPO_FLAGS: Json = {
    "createdAt": "2026-01-01T00:00:00Z",
    "format": "SERVER",
    "environment": {"name": "benchmark"},
    "flags": {KEY: EPPO_FLAG},
}


@cache
def _eppo_client() -> Any:
    package = import_module("eppo_client")
    config = package.ClientConfig(
        api_key="none",
        base_url=NOWHERE,
        assignment_logger=package.AssignmentLogger(),
        poll_interval_seconds=None,
        initial_configuration=package.Configuration(flags_configuration=json.dumps(EPPO_FLAGS).encode()),
    )
    return package.init(config)


def eppo(users: Sequence[User]) -> Ready:
    ask = _eppo_client().get_boolean_assignment_details
    return _eppo(users, ask, lambda context: ask(KEY, *context, False).variation)


def eppo_value(users: Sequence[User]) -> Ready:
    ask = _eppo_client().get_boolean_assignment
    return _eppo(users, ask, lambda context: ask(KEY, *context, False))


def _eppo(users: Sequence[User], ask: Callable[..., Any], answer: Callable[[Any], object]) -> Ready:
    def ask_each(contexts: Sequence[Any]) -> None:
        for user, attributes in contexts:
            ask(KEY, user, attributes, False)

    return Ready([(user.id, {"country": user.country}) for user in users], ask_each, answer)


STATSIG_TIME = 1_767_225_600_000
STATSIG_RULE: Json = {
    "id": "brazil",
    "name": "brazil",
    "salt": "rule-salt",
    "idType": "userID",
    "conditions": ["in-brazil"],
    "passPercentage": 50,
    "returnValue": True,
}
STATSIG_GATE: Json = {
    "type": "feature_gate",
    "entity": "feature_gate",
    "salt": "salt",
    "enabled": True,
    "defaultValue": False,
    "idType": "userID",
    "version": 1,
    "rules": [STATSIG_RULE],
}
STATSIG_CONDITION: Json = {
    "type": "user_field",
    "field": "country",
    "operator": "any",
    "targetValue": ["BR"],
    "additionalValues": {},
    "idType": "userID",
}
STATSIG_SPECS: Json = {
    "feature_gates": {KEY: STATSIG_GATE},
    "condition_map": {"in-brazil": STATSIG_CONDITION},
    "dynamic_configs": {},
    "layer_configs": {},
    "experiment_to_layer": {},
    "has_updates": True,
    "time": STATSIG_TIME,
    "company_id": "none",
    "response_format": "dcs-v2",
}


@cache
def _statsig_client() -> Any:
    package = import_module("statsig_python_core")
    found = package.DataStoreResponse(result=json.dumps(STATSIG_SPECS), time=STATSIG_TIME)
    store = type("Store", (package.DataStore,), {"get": lambda _store, _key: found})
    options = package.StatsigOptions(
        data_store=store(),
        disable_network=True,
        disable_all_logging=True,
        disable_country_lookup=True,
        disable_disk_access=True,
        output_log_level="none",
    )
    client = package.Statsig("secret-none", options)
    client.initialize().wait()
    return client


def statsig(users: Sequence[User]) -> Ready:
    ask, silently = _statsig_client().get_feature_gate, _statsig_silently()
    return _statsig(users, ask, lambda context: ask(context, KEY, silently).value)


def statsig_value(users: Sequence[User]) -> Ready:
    ask, silently = _statsig_client().check_gate, _statsig_silently()
    return _statsig(users, ask, lambda context: ask(context, KEY, silently))


def _statsig_silently() -> Any:
    options = import_module("statsig_python_core").FeatureGateEvaluationOptions
    return options(disable_exposure_logging=True)


def _statsig(users: Sequence[User], ask: Callable[..., Any], answer: Callable[[Any], object]) -> Ready:
    made, silently = import_module("statsig_python_core").StatsigUser, _statsig_silently()

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            ask(context, KEY, silently)

    return Ready([made(user_id=user.id, country=user.country) for user in users], ask_each, answer)


UNLEASH_FLAG: Json = {
    "name": KEY,
    "type": "release",
    "enabled": True,
    "strategies": [
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "50", "stickiness": "userId", "groupId": KEY},
            "constraints": [{"contextName": "country", "operator": "IN", "values": ["BR"]}],
        }
    ],
}


def yggdrasil(users: Sequence[User]) -> Ready:
    engine = import_module("yggdrasil_engine.engine").UnleashEngine()
    engine.take_state(json.dumps({"version": 2, "features": [UNLEASH_FLAG]}))

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            engine.check_enabled(KEY, context)

    contexts = [{"userId": user.id, "properties": {"country": user.country}} for user in users]
    return Ready(contexts, ask_each, lambda context: engine.check_enabled(KEY, context).is_enabled)


ENGINES = [
    Engine("Eppo", "eppo-server-sdk", "get_boolean_assignment_details", eppo),
    Engine("Eppo, value only", "eppo-server-sdk", "get_boolean_assignment", eppo_value),
    Engine("Statsig", "statsig-python-core", "get_feature_gate", statsig),
    Engine("Statsig, value only", "statsig-python-core", "check_gate", statsig_value),
    Engine("Unleash Yggdrasil", "yggdrasil-engine", "check_enabled", yggdrasil),
]
