"""Which importer reads whose files."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from commands.importers.imported import Imported
from domain.conditions import Context


class Vendor(NamedTuple):
    """`read` raises Unsayable; `context_of` makes our context of the vendor's own."""

    read: Callable[[Any], Imported]
    context_of: Callable[[Mapping[str, Any]], Context]


def vendor(name: str) -> Vendor:
    """Imports no more than this one, for they are large."""
    module = import_module(f"commands.importers.{name}")
    return Vendor(module.read, module.context_of)
