"""What a GrowthBook feature can serve, under the names that its variants get."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from domain.json_text import json_text
from domain.targeting import Serve, ServeCodeDefault, ServeVariant
from domain.values import VariantName

SHORT = 40
CODE_DEFAULT = ServeCodeDefault(code_default=True)
_VARIANT_NAME: TypeAdapter[str] = TypeAdapter(VariantName)


@dataclass
class Values:
    """The distinct values of a feature, each under a name: its own text where that is short."""

    by_name: dict[str, JsonValue] = field(default_factory=dict)

    def serve(self, value: JsonValue, wanted: str) -> Serve:
        """Null is the caller's code default."""
        return CODE_DEFAULT if value is None else ServeVariant(variant=self.named(value, wanted))

    def named(self, value: JsonValue, wanted: str) -> str:
        for name, other in self.by_name.items():
            if repr(other) == repr(value):
                return name
        name = self._free(_name(value, wanted))
        self.by_name[name] = value
        return name

    def _free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.by_name:
            name, number = f"{wanted}-{number}", number + 1
        return name


def _name(value: JsonValue, wanted: str) -> str:
    text = value if isinstance(value, str) else json_text(value)
    if value is None or isinstance(value, dict | list):
        return wanted
    try:
        return _VARIANT_NAME.validate_python(text) if len(text) <= SHORT else wanted
    except ValidationError:
        return wanted


def values_of(feature: Any) -> Values:
    """All of them; null by itself where there is no other."""
    values = Values()
    for value, wanted in _values(feature) if isinstance(feature, Mapping) else ():
        values.named(value, wanted)
    if not values.by_name:
        values.named(None, "null")
    return values


def _values(feature: Mapping[str, Any]) -> Iterator[tuple[JsonValue, str]]:
    if (default := feature.get("defaultValue")) is not None:
        yield default, "default"
    rules = feature.get("rules")
    for number, rule in enumerate(rules if isinstance(rules, list) else (), start=1):
        if not isinstance(rule, Mapping):
            continue
        if rule.get("force") is not None:
            yield rule["force"], f"force-{number}"
        for place, value in enumerate(variations_of(rule)):
            yield value, f"variation-{number}-{place}"


def variations_of(rule: Mapping[str, Any]) -> list[JsonValue]:
    """Of a rule that is an experiment, which one with a value to force or with just one variation is not."""
    found = rule.get("contextualVariations")
    found = rule.get("variations") if found is None else found
    return found if "force" not in rule and isinstance(found, list) and len(found) > 1 else []
