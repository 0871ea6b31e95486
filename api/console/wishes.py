"""What a browser remembers of how somebody likes to see the console: cookies that decide nothing else."""

import re

from fastapi import Request

THEME, PLACE, LANGUAGE = "togglemaster_theme", "togglemaster_place", "togglemaster_language"
THEMES = ("auto", "light", "dark")
A_PLACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}/[a-z0-9][a-z0-9._-]{0,63}")


def theme_of(request: Request) -> str:
    found = request.cookies.get(THEME, "")
    return found if found in THEMES else "auto"


def place_of(request: Request) -> tuple[str, str] | None:
    """Project and environment of the page seen last."""
    found = request.cookies.get(PLACE, "").replace("%2F", "/")
    if not A_PLACE.fullmatch(found):
        return None
    project, _, environment = found.partition("/")
    return project, environment
