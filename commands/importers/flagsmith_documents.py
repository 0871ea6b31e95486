"""Both shapes of what Flagsmith gives, as one: an environment document, and its engine's context."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Any, NamedTuple

from pydantic import JsonValue

from commands.importers.imported import Unsayable
from commands.importers.saying import listing, mapping


class Option(NamedTuple):
    value: JsonValue
    weight: float
    priority: float
    key: str | None = None


class Feature(NamedTuple):
    """`priority`: the lowest wins."""

    key: str
    name: str
    enabled: bool
    value: JsonValue
    options: tuple[Option, ...] = ()
    priority: float = inf


class Override(NamedTuple):
    """`segment` is its place in the document."""

    segment: int
    feature: Feature


@dataclass(frozen=True)
class Document:
    """`known` is what a JSONPath may ask of it; `identity` is the one that an evaluation context is of."""

    known: Mapping[str, Any]
    features: Mapping[str, Feature]
    segments: list[Mapping[str, Any]]
    overrides: list[Override]
    identities: list[tuple[str, Feature]]
    hides_disabled: bool = False
    identity: Mapping[str, Any] | None = None

    @property
    def key_prefix(self) -> str:
        """What Flagsmith puts before an identifier to make the identity's key; empty where nobody knows."""
        return f"{key}_" if (key := self.known["environment"]["key"]) else ""

    def overrides_of(self, name: str) -> list[Override]:
        return [each for each in self.overrides if each.feature.name == name]

    def identities_of(self, name: str) -> Iterator[tuple[str, Feature]]:
        return ((identifier, feature) for identifier, feature in self.identities if feature.name == name)


def document_of(document: Mapping[str, Any]) -> Document:
    if "feature_states" in document:
        return _of_environment(document)
    if "features" in document or "environment" in document:
        return _of_context(document)
    raise Unsayable("a Flagsmith document has 'feature_states', or 'environment' and 'features'")


def _of_context(context: Mapping[str, Any]) -> Document:
    environment = mapping(context.get("environment") or {}, "'environment'")
    segments = _objects(list(mapping(context.get("segments") or {}, "'segments'").values()), "a segment")
    features = [_feature(each) for each in mapping(context.get("features") or {}, "'features'").values()]
    overrides = [
        Override(place, _feature(each))
        for place, segment in enumerate(segments)
        for each in segment.get("overrides") or []
    ]
    known = {
        "environment": _environment(environment),
        "features": context.get("features") or {},
        "segments": context.get("segments") or {},
    }
    identity = mapping(context.get("identity") or {}, "'identity'")
    return Document(known, _by_name(features), segments, overrides, [], identity=identity or None)


def _of_environment(document: Mapping[str, Any]) -> Document:
    project = mapping(document.get("project") or {}, "'project'")
    segments = _objects(listing(project.get("segments") or [], "'segments'"), "a segment")
    states = [_state(each) for each in listing(document["feature_states"], "'feature_states'")]
    overrides = [
        Override(place, _state(each))
        for place, segment in enumerate(segments)
        for each in segment.get("feature_states") or []
    ]
    identities = [
        found
        for each in _objects(document.get("identity_overrides") or [], "an identity override")
        for found in _identity(each)
    ]
    hides = bool(project.get("hide_disabled_flags"))
    names = {"key": document.get("api_key", document.get("key", "")), "name": document.get("name", "")}
    known = {"environment": _environment(names)}
    return Document(known, _by_name(states), segments, overrides, identities, hides)


def _environment(environment: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**environment, **{part: str(environment.get(part, "")) for part in ("key", "name")}}


def _by_name(features: list[Feature]) -> Mapping[str, Feature]:
    return {each.name: each for each in features}


def _objects(values: Any, what: str) -> list[Mapping[str, Any]]:
    return [mapping(each, what) for each in listing(values, f"what should hold {what}")]


def _feature(feature: Any) -> Feature:
    feature = mapping(feature, "a feature")
    options = [_option(each) for each in _objects(feature.get("variants") or [], "a variant")]
    return Feature(
        str(feature.get("key", "")),
        _name(feature),
        bool(feature.get("enabled")),
        feature.get("value"),
        tuple(options),
        _priority(feature.get("priority")),
    )


def _name(feature: Mapping[str, Any]) -> str:
    if isinstance(name := feature.get("name"), str):
        return name
    raise Unsayable("a feature without a name")


def _option(option: Mapping[str, Any]) -> Option:
    key = option.get("key")
    priority = _priority(option.get("priority"))
    return Option(
        option.get("value"), _weight(option.get("weight")), priority, None if key is None else str(key)
    )


def _weight(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0:
        return value
    raise Unsayable(f"a share of {value!r} percent")


def _priority(value: Any) -> float:
    try:
        priority = inf if value is None else float(value)
    except (TypeError, ValueError):
        priority = inf
    return inf if isnan(priority) else priority


def _state(state: Any) -> Feature:
    """A feature state as Flagsmith's SDKs read it: hashed by its own id, or its UUID where it has none."""
    state = mapping(state, "a feature state")
    feature = mapping(state.get("feature"), "the feature of a feature state")
    segment = state.get("feature_segment")
    return Feature(
        str(state.get("django_id") or state.get("featurestate_uuid") or ""),
        _name(feature),
        bool(state.get("enabled")),
        state.get("feature_state_value"),
        _state_options(state),
        _priority(segment.get("priority") if isinstance(segment, Mapping) else None),
    )


def _state_options(state: Mapping[str, Any]) -> tuple[Option, ...]:
    options = _objects(state.get("multivariate_feature_state_values") or [], "a multivariate value")
    uuids = sorted(str(each.get("mv_fs_value_uuid")) for each in options)
    return tuple(_state_option(each, uuids) for each in options)


def _state_option(option: Mapping[str, Any], uuids: list[str]) -> Option:
    inner = mapping(option.get("multivariate_feature_option"), "'multivariate_feature_option'")
    place = option.get("id")
    priority = uuids.index(str(option.get("mv_fs_value_uuid"))) if place is None else place
    key = inner.get("key")
    return Option(
        inner.get("value"),
        _weight(option.get("percentage_allocation")),
        _priority(priority),
        None if key is None else str(key),
    )


def _identity(override: Mapping[str, Any]) -> Iterator[tuple[str, Feature]]:
    """An identity has one value: its options are not looked at."""
    for state in override.get("identity_features") or []:
        yield str(override.get("identifier")), _state(state)._replace(options=())
