"""Documents as the projector writes them, for tests that need no log."""

import json
from typing import Any

HALF = {"split": {"by": "targetingKey", "salt": None, "weights": {"on": 50_000, "off": 50_000}}}


def flag_document(key: str, *, client_visible: bool = False, **targeting: Any) -> str:
    """A boolean flag with variants `on` and `off`."""
    document = {
        "key": key,
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "gate_salt": f"{key}-gate",
        "split_salt": f"{key}-split",
        "client_visible": client_visible,
        "version": 3,
        "targeting": {"enabled": True, "off_variant": "off", "default": {"variant": "off"}} | targeting,
    }
    return json.dumps(document)
