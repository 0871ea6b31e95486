"""What the console says, in each language: a file of `languages/` with a sentence for every key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from fastapi import Request

from api.console.wishes import LANGUAGE
from api.languages import preferred

LANGUAGES: Mapping[str, str] = {"en": "English", "pt-BR": "Português (Brasil)"}
"""By the code that browsers ask with, and the name it has in itself. The first is for everybody else."""

THOUSANDS: Mapping[str, str] = {"en": ",", "pt-BR": "."}
DEFAULT = next(iter(LANGUAGES))


@dataclass(frozen=True, slots=True)
class Texts:
    language: str

    def t(self, key: str, **values: Any) -> str:
        """Raises KeyError for a key that is not in the catalogue. What is filled in stays as it is."""
        return catalogue(self.language)[key].format_map(values)

    def counted(self, key: str, number: int, **values: Any) -> str:
        """`key.one` or `key.other`, with `number` in it."""
        written = f"{number:,}".replace(",", THOUSANDS[self.language])
        return self.t(f"{key}.{'one' if number == 1 else 'other'}", number=written, **values)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    text = resources.files("api.console").joinpath(f"languages/{language}.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def texts_for(request: Request) -> Texts:
    """What was chosen, else what the browser prefers of what there is."""
    chosen, accepted = request.cookies.get(LANGUAGE, ""), request.headers.get("accept-language", "")
    return Texts(chosen if chosen in LANGUAGES else preferred(accepted, LANGUAGES))
