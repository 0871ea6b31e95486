"""The Lua beside this file."""

from importlib import resources


def script(name: str) -> str:
    return resources.files("projections").joinpath(name).read_text(encoding="utf-8")
