"""Giving the commands that a request stands for, decided on what is there."""

from collections.abc import Callable

from api.legacy.parts import Asked
from commands.models import Command
from commands.original.views import PROJECT, View, view_of
from commands.unit_of_work import utc_now
from domain.envelope import Stamp, flag_stream
from domain.errors import VersionConflict

ATTEMPTS = 20  # somebody else was faster each time

Decide = Callable[[View], list[Command]]
"""Raises Answered for what the original refuses."""


def see(asked: Asked, name: str) -> View:
    return view_of(asked.original.store.load(flag_stream(PROJECT, name)))


def write(asked: Asked, name: str, decide: Decide) -> View:
    """As it is afterwards, once the evaluators can serve it."""
    for _ in range(ATTEMPTS):
        try:
            position = _give(asked, name, decide)
        except VersionConflict:
            continue
        asked.original.evaluators.wait_for(position)
        return view_of(asked.original.store.load(flag_stream(PROJECT, name), until=position))
    raise VersionConflict("others changed it at the same time, again and again; try once more")


def _give(asked: Asked, name: str, decide: Decide) -> int:
    before = see(asked, name)
    stamp = Stamp(asked.by, utc_now(), request=asked.request_id)
    standing = {flag_stream(PROJECT, name): before.version}
    changed = asked.original.commands.execute_all(decide(before), stamp, standing=standing)
    return max((each.position for each in changed), default=before.position)
