"""What the benchmark needs of an engine: the equal flag loaded, and a way to ask it for each user."""

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, NamedTuple

KEY = "new-checkout"
NOWHERE = "http://127.0.0.1:9"  # nobody listens there: for engines that insist on an address
HALF = range(440, 561)  # of 1,000 users: four standard deviations around 500


class User(NamedTuple):
    id: str
    country: str


BRAZILIANS = [User(f"user-{number}", "BR") for number in range(1_000)]
OTHERS = [User(f"user-{number}", "US") for number in range(1_000)]


class Ready(NamedTuple):
    """`contexts` are the users as the engine wants them, made before any clock runs.

    `ask_each` is a bare loop around the engine's own call, so that nothing of ours is timed but the loop.
    """

    contexts: Sequence[Any]
    ask_each: Callable[[Sequence[Any]], None]
    answer: Callable[[Any], object]


class Engine(NamedTuple):
    name: str
    package: str
    call: str
    prepare: Callable[[Sequence[User]], Ready]

    @property
    def version(self) -> str:
        return metadata.version(self.package)


class Wrong(Exception):
    """An adapter whose answers are not the flag's: what it takes to give them says nothing."""


def checked(engine: Engine) -> Ready:
    """With the Brazilians as contexts. Raises Wrong, or whatever the engine raises when it cannot be used."""
    ready = engine.prepare([*BRAZILIANS, *OTHERS])
    answers = [ready.answer(context) for context in ready.contexts]
    if {*map(type, answers)} != {bool}:
        raise Wrong(f"answers are to be true or false, not {answers[0]!r}")
    if answers != [ready.answer(context) for context in ready.contexts]:
        raise Wrong("asked again, it answers differently")
    if (on := sum(map(bool, answers[: len(BRAZILIANS)]))) not in HALF:
        raise Wrong(f"of {len(BRAZILIANS)} Brazilians {on} have it on, not half")
    if any(answers[len(BRAZILIANS) :]):
        raise Wrong("it is on for somebody from elsewhere")
    return ready._replace(contexts=ready.contexts[: len(BRAZILIANS)])
