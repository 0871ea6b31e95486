"""flagd's flag file, for flagd as it was with its first hash."""

from typing import Any

from commands.importers import flagd
from commands.importers.flagd import context_of
from commands.importers.flagd_hashing import HASHINGS
from commands.importers.imported import Imported

__all__ = ["context_of", "read"]


def read(document: Any) -> Imported:
    return flagd.read(document, HASHINGS[1])
