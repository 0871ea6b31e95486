"""What somebody would like the flag to be, and the commands that make it so."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

Json = dict[str, Any]
DETAILS = ("description", "owner", "tags", "kind", "client_visible")


class Draft:
    """Of the flag as it was read; `targeting` is of one environment. What is in it is changed in place."""

    def __init__(self, flag: Mapping[str, Any], environment: str) -> None:
        self._environment = environment
        self.take(flag)

    def take(self, flag: Mapping[str, Any]) -> None:
        """Begins anew, from what there is."""
        self.flag = flag
        self.targeting: Json = deepcopy(flag["environments"][self._environment])
        self.variants: Json = deepcopy(flag["variants"])
        self.details: Json = {name: deepcopy(flag[name]) for name in DETAILS}

    def switched(self, flag: Mapping[str, Any]) -> None:
        """Goes on, on the flag as it is after it was turned on or off here."""
        self.flag = flag
        self.targeting["enabled"] = flag["environments"][self._environment]["enabled"]

    @property
    def key(self) -> str:
        return str(self.flag["key"])

    @property
    def version(self) -> int:
        return int(self.flag["version"])

    @property
    def rules(self) -> list[Json]:
        found: list[Json] = self.targeting["rules"]
        return found

    def commands(self) -> list[Json]:
        """None where nothing differs. Variants that targeting needs come first, those it gave up last."""
        had: Mapping[str, Any] = self.flag["variants"]
        put = [
            {"command": "put_variant", "flag": self.key, "name": name, "value": value}
            for name, value in self.variants.items()
            if name not in had or differs(had[name], value)
        ]
        gone = [
            {"command": "remove_variant", "flag": self.key, "name": name}
            for name in had
            if name not in self.variants
        ]
        return [*put, *self._targeting(), *gone, *self._details()]

    def _targeting(self) -> list[Json]:
        if not differs(self.targeting, self.flag["environments"][self._environment]):
            return []
        place = {"flag": self.key, "environment": self._environment}
        return [{"command": "change_targeting", **place, "targeting": self.targeting}]

    def _details(self) -> list[Json]:
        changed = {name: value for name, value in self.details.items() if value != self.flag[name]}
        return [{"command": "change_flag", "flag": self.key, "details": changed}] if changed else []


def differs(one: object, other: object) -> bool:
    """As JSON, in which 1 is not true."""
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)
