"""Adapters for the engines written in Python."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tests.benchmarks.engine_adapters import KEY, NOWHERE, Engine, Ready, User

Json = dict[str, Any]

GROWTHBOOK_RULE: Json = {
    "condition": {"country": {"$in": ["BR"]}},
    "key": KEY,
    "hashAttribute": "id",
    "hashVersion": 2,
    "variations": [True, False],
    "weights": [0.5, 0.5],
    "coverage": 1,
}


def growthbook(users: Sequence[User]) -> Ready:
    """One GrowthBook for each user, as its documentation has one for each request; made beforehand."""
    made = import_module("growthbook").GrowthBook
    features = {KEY: {"defaultValue": False, "rules": [GROWTHBOOK_RULE]}}

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            context.eval_feature(KEY)

    contexts = [
        made(attributes={"id": user.id, "country": user.country}, features=features) for user in users
    ]
    return Ready(contexts, ask_each, lambda context: context.eval_feature(KEY).value)


FLAGSMITH_FEATURE: Json = {"key": "1", "name": KEY, "enabled": True, "value": False}
FLAGSMITH_SEGMENT: Json = {
    "key": "1",
    "name": "brazil",
    "rules": [
        {"type": "ALL", "conditions": [{"property": "country", "operator": "IN", "value": ["BR"]}]},
    ],
    "overrides": [
        {
            **FLAGSMITH_FEATURE,
            "variants": [
                {"value": True, "weight": 50, "priority": 1},
                {"value": False, "weight": 50, "priority": 2},
            ],
        }
    ],
}


def _flagsmith_context(user: User) -> Json:
    return {
        "environment": {"key": "e", "name": "e"},
        "features": {KEY: FLAGSMITH_FEATURE},
        "segments": {"1": FLAGSMITH_SEGMENT},
        "identity": {"identifier": user.id, "key": user.id, "traits": {"country": user.country}},
    }


def flagsmith(users: Sequence[User]) -> Ready:
    evaluated = import_module("flag_engine.engine").get_evaluation_result

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            evaluated(context)

    contexts = [_flagsmith_context(user) for user in users]
    return Ready(contexts, ask_each, lambda context: evaluated(context)["flags"][KEY]["value"])


POSTHOG_FLAG: Json = {
    "id": 1,
    "key": KEY,
    "active": True,
    "filters": {
        "groups": [
            {
                "properties": [{"key": "country", "type": "person", "operator": "exact", "value": ["BR"]}],
                "rollout_percentage": 50,
            }
        ]
    },
}


def posthog(users: Sequence[User]) -> Ready:
    client = import_module("posthog").Posthog("phc_none", host=NOWHERE, send=False, sync_mode=True)
    client.feature_flags = [POSTHOG_FLAG]
    ask, local = client.get_feature_flag_result, {"only_evaluate_locally": True}

    def ask_each(contexts: Sequence[Any]) -> None:
        for user, known in contexts:
            ask(KEY, user, person_properties=known, send_feature_flag_events=False, **local)

    def answer(context: Any) -> object:
        user, known = context
        return ask(KEY, user, person_properties=known, send_feature_flag_events=False, **local).enabled

    return Ready([(user.id, {"country": user.country}) for user in users], ask_each, answer)


CONFIGCAT_FLAG: Json = {
    "t": 0,
    "v": {"b": False},
    "i": "off",
    "r": [
        {
            "c": [{"u": {"a": "Country", "c": 0, "l": ["BR"]}}],
            "p": [{"p": 50, "v": {"b": True}, "i": "on"}, {"p": 50, "v": {"b": False}, "i": "off"}],
        }
    ],
}


class _ConfigCatData:
    """ConfigCat's own flag overrides hold values without rules; a data source can give a whole flag."""

    def create_data_source(self, _log: object) -> "_ConfigCatData":
        return self

    def get_behaviour(self) -> int:
        return 0  # OverrideBehaviour.LocalOnly

    def get_overrides(self) -> Json:
        return CONFIG


CONFIG: Json = {"f": {KEY: CONFIGCAT_FLAG}}


def configcat(users: Sequence[User]) -> Ready:
    options = import_module("configcatclient.configcatoptions").ConfigCatOptions
    made = import_module("configcatclient.user").User
    client = import_module("configcatclient").get("none", options(flag_overrides=_ConfigCatData()))

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            client.get_value_details(KEY, False, context)

    contexts = [made(user.id, country=user.country) for user in users]
    return Ready(contexts, ask_each, lambda context: client.get_value_details(KEY, False, context).value)


LAUNCHDARKLY_FLAG: Json = {
    "key": KEY,
    "version": 1,
    "on": True,
    "variations": [True, False],
    "fallthrough": {"variation": 1},
    "offVariation": 1,
    "salt": "salt",
    "rules": [
        {
            "id": "brazil",
            "clauses": [{"contextKind": "user", "attribute": "country", "op": "in", "values": ["BR"]}],
            "rollout": {
                "variations": [{"variation": 0, "weight": 50_000}, {"variation": 1, "weight": 50_000}]
            },
        }
    ],
}


class _LaunchDarklyData:
    """LaunchDarkly's own test data has no percentages; its client takes any source that fills the store."""

    def __init__(self, _config: object, store: Any, ready: Any) -> None:
        self.store, self.ready = store, ready

    def start(self) -> None:
        features = import_module("ldclient.versioned_data_kind").FEATURES
        self.store.init({features: {KEY: LAUNCHDARKLY_FLAG}})
        self.ready.set()

    def stop(self) -> None:
        pass

    def initialized(self) -> bool:
        return True


def launchdarkly(users: Sequence[User]) -> Ready:
    package = import_module("ldclient")
    config = package.Config(
        "none", update_processor_class=_LaunchDarklyData, send_events=False, diagnostic_opt_out=True
    )
    client, builder = package.LDClient(config), package.Context.builder

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            client.variation_detail(KEY, context, False)

    contexts = [builder(user.id).set("country", user.country).build() for user in users]
    return Ready(contexts, ask_each, lambda context: client.variation_detail(KEY, context, None).value)


FLAGD_FLAG: Json = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "off",
    "targeting": {
        "if": [{"in": [{"var": "country"}, ["BR"]]}, {"fractional": [["on", 50], ["off", 50]]}, "off"]
    },
}


def flagd(users: Sequence[User]) -> Ready:
    core = import_module("openfeature.contrib.tools.flagd.core").FlagdCore()
    core.set_flags({"flags": {KEY: dict(FLAGD_FLAG)}})
    made = import_module("openfeature.evaluation_context").EvaluationContext

    def ask_each(contexts: Sequence[Any]) -> None:
        for context in contexts:
            core.resolve_boolean_value(KEY, False, context)

    contexts = [made(user.id, {"country": user.country}) for user in users]
    return Ready(contexts, ask_each, lambda context: core.resolve_boolean_value(KEY, False, context).value)


ENGINES = [
    Engine("Flagsmith", "flagsmith-flag-engine", "get_evaluation_result", flagsmith),
    Engine("PostHog", "posthog", "get_feature_flag_result", posthog),
    Engine("ConfigCat", "configcat-client", "get_value_details", configcat),
    Engine("GrowthBook", "growthbook", "eval_feature", growthbook),
    Engine("LaunchDarkly", "launchdarkly-server-sdk", "variation_detail", launchdarkly),
    Engine("flagd", "openfeature-flagd-core", "resolve_boolean_value", flagd),
]
