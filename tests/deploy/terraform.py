"""Terraform's files, read."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

from tests.deploy.known import DEPLOY

DIRECTORY = DEPLOY / "terraform"
PLAIN = SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)


@cache
def files() -> dict[str, dict[str, Any]]:
    found = sorted(DIRECTORY.glob("*.tf"))
    return {file.name: hcl2.loads(file.read_text(), serialization_options=PLAIN) for file in found}


def blocks(kind: str) -> Iterator[dict[str, Any]]:
    """All of one kind, from every file."""
    for each in files().values():
        yield from each.get(kind, [])


def resource(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each[kind][name] for each in blocks("resource") if name in each.get(kind, {})]
    return dict(found)


def local(name: str) -> Any:
    (found,) = [each[name] for each in blocks("locals") if name in each]
    return found


def output(name: str) -> str:
    (found,) = [each[name]["value"] for each in blocks("output") if name in each]
    return str(found)


def filled_in(text: str, name: str = "togglemaster") -> str:
    return text.replace("${var.name}", name)
