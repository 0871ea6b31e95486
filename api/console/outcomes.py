"""What a flag answered."""

import json
from collections.abc import Mapping
from typing import Any

from api.console.elements import tag
from api.console.page import Page


def outcome(page: Page, found: Mapping[str, Any]) -> None:
    """The variant and its value; what is wrong, of an error."""
    if found["errorCode"]:
        tag("span", found["errorDetails"] or found["errorCode"], "outcome problem")
        return
    with tag("span", classes="outcome"):
        if found["variant"] is None:
            tag("span", page.t("explain.code_default"))
            return
        tag("bdi", found["variant"], "name")
        value = json.dumps(found["value"], ensure_ascii=False)
        if found["value"] != found["variant"]:
            tag("bdi", value, "quiet value")
