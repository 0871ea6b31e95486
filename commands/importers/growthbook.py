"""GrowthBook's SDK payload: `{"features": {...}, "savedGroups": {...}}`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from commands.importers.flagd_operands import text_of
from commands.importers.growthbook_conditions import ID, Conditions, holds_for
from commands.importers.imported import Imported, ImportedFlag, Refusal, Unsayable
from commands.importers.saying import (
    ALWAYS,
    NEVER,
    all_of,
    any_of,
    clause,
    collect,
    flag_type,
    is_number,
    listing,
    mapping,
    negated,
)
from domain.bucketing import ALGORITHMS, AlgorithmName
from domain.conditions import Context
from domain.references import flags_asked
from domain.targeting import (
    TARGETING_KEY,
    Condition,
    FlagIs,
    Gate,
    InBucket,
    Range,
    Rule,
    Serve,
    ServeCodeDefault,
    ServeSplit,
    ServeVariant,
    Split,
    Targeting,
)
from domain.values import FlagType, VariantName

HASHES: Mapping[int, AlgorithmName] = {1: "growthbook1", 2: "growthbook2"}
SHORT = 40
CODE_DEFAULT = ServeCodeDefault(code_default=True)
ID_NOTE = "growthbook: the attribute 'id' is read from targetingKey"
LIST_NOTE = (
    "growthbook: where the context has a list, a comparison with one value holds if any element does; "
    "versions are compared as semantic versions, parts that are left out as 0"
)
STICKY_NOTE = "growthbook: sticky bucketing is left out, and with it the fallback attribute of experiments"
_VARIANT_NAME: TypeAdapter[str] = TypeAdapter(VariantName)


def read(document: Any) -> Imported:
    """Raises Unsayable for what is no payload."""
    payload = mapping(document, "a GrowthBook payload")
    features = mapping(payload.get("features"), "'features' of a GrowthBook payload")
    groups = mapping(payload.get("savedGroups") or {}, "'savedGroups'")
    reader = Reader(features, groups)
    imported = collect(Imported(), features, reader.flag)
    _refuse_what_asks_refused(imported)
    imported.notes.extend(_notes(imported, features))
    return imported


def _refuse_what_asks_refused(imported: Imported) -> None:
    """Until none is left that asks for the answer of one that is not there."""
    while True:
        keys = {each.key for each in imported.flags}
        asking = [each for each in imported.flags if not flags_asked(each.targeting).keys() <= keys]
        if not asking:
            return
        for each in asking:
            imported.flags.remove(each)
            missing = min(flags_asked(each.targeting).keys() - keys)
            imported.refused.append(Refusal(f"flag {each.key}", f"its prerequisite '{missing}' is refused"))


def context_of(context: Mapping[str, Any]) -> Context:
    """The attributes, of which `id` is our targeting key."""
    attributes = context.get("attributes")
    found = dict(attributes) if isinstance(attributes, Mapping) else dict(context)
    if TARGETING_KEY not in found and found.get(ID) is not None:
        found[TARGETING_KEY] = found[ID]
    return found


@dataclass
class Values:
    """The distinct values of a feature, each under a name: its own text where that is short."""

    by_name: dict[str, JsonValue] = field(default_factory=dict)

    def serve(self, value: JsonValue, wanted: str) -> ServeVariant:
        for name, other in self.by_name.items():
            if repr(other) == repr(value):
                return ServeVariant(variant=name)
        name = self._free(_name(value, wanted))
        self.by_name[name] = value
        return ServeVariant(variant=name)

    def _free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.by_name:
            name, number = f"{wanted}-{number}", number + 1
        return name


def _name(value: JsonValue, wanted: str) -> str:
    text = text_of(value) if isinstance(value, str | bool | int | float) else wanted
    try:
        return _VARIANT_NAME.validate_python(text) if len(text) <= SHORT else wanted
    except ValidationError:
        return wanted


@dataclass(frozen=True)
class Bucket:
    """What a rule hashes, and how."""

    by: str
    salt: str
    algorithm: AlgorithmName

    @property
    def steps(self) -> int:
        steps = ALGORITHMS[self.algorithm].steps
        assert steps is not None
        return steps

    def first(self, limit: float) -> int:
        """The first bucket not under this share."""
        low, high = 0, self.steps
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if middle / self.steps < limit else (low, middle)
        return low

    def within(self, start: float, end: float) -> Condition:
        gate = Gate(
            by=self.by,
            at_least=self.first(start),
            below=self.first(end),
            salt=self.salt,
            algorithm=self.algorithm,
        )
        return all_of(self.hashed, InBucket(bucket=gate))

    @property
    def hashed(self) -> Condition:
        """Neither the empty text nor 0 identifies anybody."""
        return clause(self.by, "in", "", 0, negate=True)


@dataclass(frozen=True)
class Reader:
    features: Mapping[str, Any]
    groups: Mapping[str, Any]

    @property
    def conditions(self) -> Conditions:
        return Conditions(self.groups)

    def flag(self, key: str, feature: Any) -> ImportedFlag:
        feature = mapping(feature, "it")
        values = Values()
        default = _default(feature.get("defaultValue"), values)
        rules = [
            rule
            for number, each in enumerate(listing(feature.get("rules") or [], "'rules'"), start=1)
            for rule in self._rules(key, mapping(each, "a rule"), values, number)
        ]
        targeting = Targeting(enabled=True, off_variant=None, default=default, rules=tuple(rules))
        if not values.by_name:
            raise Unsayable("it has no value but null")
        description = str(feature.get("description") or "")
        return ImportedFlag(key, _type(values), values.by_name, targeting, description)

    def _rules(self, key: str, rule: Mapping[str, Any], values: Values, number: int) -> Iterator[Rule]:
        if rule.get("contextualBanditRef") or rule.get("contextualVariations") is not None:
            raise Unsayable(f"rule {number}: a contextual bandit")
        met: Condition = ALWAYS
        for parent in rule.get("parentConditions") or []:
            passed = self._parent(mapping(parent, "a parent condition"))
            if parent.get("gate"):
                yield Rule(name="Prerequisite", when=all_of(met, negated(passed)), serve=CODE_DEFAULT)
            met = all_of(met, passed)
        asked = self.conditions.condition(rule.get("condition") or {})
        when = all_of(met, asked, *(self._filter(each) for each in rule.get("filters") or []))
        said = self._forced if rule.get("force") is not None else self._experiment
        for condition, serve in said(key, rule, values, number):
            if (both := all_of(when, condition)) != NEVER:
                yield Rule(name=str(rule.get("name") or rule.get("id") or "")[:200], when=both, serve=serve)

    def _parent(self, parent: Mapping[str, Any]) -> Condition:
        key, condition = parent.get("id"), parent.get("condition")
        if not isinstance(key, str) or condition is None:
            return ALWAYS
        asked = Conditions(self.groups, of_user=False).condition(condition)
        others = _all_values(self.features.get(key))
        if holds_for(asked, None):
            failing = [name for name, value in others.items() if not holds_for(asked, value)]
            return negated(FlagIs(flag=key, variants=tuple(failing))) if failing else ALWAYS
        passing = [name for name, value in others.items() if holds_for(asked, value)]
        return FlagIs(flag=key, variants=tuple(passing)) if passing else NEVER

    def _filter(self, document: Any) -> Condition:
        document = mapping(document, "a filter")
        bucket = self._bucket(document, document.get("attribute"), str(document.get("seed", "")), 2)
        if bucket is None:
            return NEVER
        return any_of(*(bucket.within(*_range(each)) for each in listing(document.get("ranges"), "'ranges'")))

    def _bucket(
        self, document: Mapping[str, Any], attribute: Any, salt: str, hash_version: int
    ) -> Bucket | None:
        """None for a hash that GrowthBook does not know, which takes nobody in."""
        by = self.conditions.attribute(str(attribute or ID))
        algorithm = HASHES.get(document.get("hashVersion") or hash_version)
        return None if algorithm is None else Bucket(by, salt, algorithm)

    def _forced(
        self, key: str, rule: Mapping[str, Any], values: Values, number: int
    ) -> Iterator[tuple[Condition, Serve]]:
        serve = values.serve(rule["force"], f"force-{number}")
        yield self._included(key, rule), serve

    def _included(self, key: str, rule: Mapping[str, Any]) -> Condition:
        if rule.get("range") is None and rule.get("coverage") is None:
            return ALWAYS
        start, end = _range(rule["range"]) if rule.get("range") else (0.0, _share(rule["coverage"]))
        salt = str(rule.get("seed") or key)
        first = self._bucket(rule, rule.get("hashAttribute"), salt, 1)
        if first is None or end <= start:
            return NEVER
        if not (other := rule.get("fallbackAttribute")):
            return first.within(start, end)
        second = self._bucket(rule, other, salt, 1)
        assert second is not None
        return any_of(first.within(start, end), all_of(negated(first.hashed), second.within(start, end)))

    def _experiment(
        self, key: str, rule: Mapping[str, Any], values: Values, number: int
    ) -> Iterator[tuple[Condition, Serve]]:
        variations = rule.get("variations")
        if not isinstance(variations, list) or len(variations) < 2:
            return
        experiment = str(rule.get("key") or key)
        bucket = self._bucket(rule, rule.get("hashAttribute"), str(rule.get("seed") or experiment), 1)
        if bucket is None:
            return
        ranges = tuple(_ranges(rule, variations, values, bucket, number))
        if ranges:
            split = Split(by=bucket.by, salt=bucket.salt, algorithm=bucket.algorithm, ranges=ranges)
            yield all_of(bucket.hashed, _namespace(rule, bucket)), ServeSplit(split=split)


def _default(value: JsonValue, values: Values) -> Serve:
    return CODE_DEFAULT if value is None else values.serve(value, "default")


def _type(values: Values) -> FlagType:
    return flag_type(values.by_name.values())


def _namespace(rule: Mapping[str, Any], bucket: Bucket) -> Condition:
    """A share of a hash of its own, the first; filters, where there are any, take its place."""
    namespace = rule.get("namespace")
    if not namespace or rule.get("filters"):
        return ALWAYS
    name, start, end = namespace
    return Bucket(bucket.by, f"__{name}", "growthbook1").within(_share(start), _share(end))


def _ranges(
    rule: Mapping[str, Any], variations: Sequence[JsonValue], values: Values, bucket: Bucket, number: int
) -> Iterator[Range]:
    """A variation that passes through leaves its buckets to the next rule."""
    meta = rule.get("meta") or []
    for place, (value, (start, end)) in enumerate(
        zip(variations, _shares(rule, len(variations)), strict=False)
    ):
        about = meta[place] if place < len(meta) and isinstance(meta[place], Mapping) else {}
        served = values.serve(value, f"variation-{number}-{place}").variant
        if not about.get("passthrough") and bucket.first(start) < bucket.first(end):
            yield Range(variant=served, start=bucket.first(start), end=bucket.first(end))


def _shares(rule: Mapping[str, Any], count: int) -> list[tuple[float, float]]:
    if rule.get("ranges"):
        return [_range(each) for each in listing(rule["ranges"], "'ranges'")]
    coverage = 1.0 if rule.get("coverage") is None else min(1.0, max(0.0, _share(rule["coverage"])))
    shares, start = [], 0.0
    for weight in _weights(rule.get("weights"), count):
        shares.append((start, start + coverage * weight))
        start += weight
    return shares


def _weights(weights: Any, count: int) -> list[float]:
    """Equal ones where those given are not one for each that sum up to 1."""
    usable = isinstance(weights, list) and len(weights) == count and all(is_number(each) for each in weights)
    return weights if usable and 0.99 <= sum(weights) <= 1.01 else [1 / count] * count


def _range(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise Unsayable(f"the range {value!r}")
    return _share(value[0]), _share(value[1])


def _share(value: Any) -> float:
    if not is_number(value):
        raise Unsayable(f"a share of {value!r}")
    return float(value)


def _all_values(feature: Any) -> Mapping[str, JsonValue]:
    """What another feature can serve, by the names that its variants get."""
    if not isinstance(feature, Mapping):
        return {}
    values = Values()
    _default(feature.get("defaultValue"), values)
    for number, rule in enumerate(feature.get("rules") or [], start=1):
        if not isinstance(rule, Mapping):
            continue
        if rule.get("force") is not None:
            values.serve(rule["force"], f"force-{number}")
        else:
            variations = rule.get("variations")
            listed = variations if isinstance(variations, list) and len(variations) > 1 else []
            for place, value in enumerate(listed):
                values.serve(value, f"variation-{number}-{place}")
    return values.by_name


def _notes(imported: Imported, features: Mapping[str, Any]) -> Iterator[str]:
    said = [str(each.targeting) for each in imported.flags]
    if any("targetingKey" in each for each in said):
        yield ID_NOTE
    if any("Clause(" in each for each in said):
        yield LIST_NOTE
    if any("fallbackAttribute" in str(each) or "bucketVersion" in str(each) for each in features.values()):
        yield STICKY_NOTE
