"""Given these events, when this is decided, then these events follow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from domain.aggregates import EVOLVE
from domain.errors import Refused


@dataclass
class Given:
    state: Any

    def when(self, decide: Callable[..., Sequence[Any]], **wish: Any) -> "When":
        return When(lambda: tuple(decide(self.state, **wish)))


@dataclass
class When:
    outcome: Callable[[], tuple[Any, ...]]

    def then(self, *events: Any) -> None:
        assert self.outcome() == events

    def stays_quiet(self) -> None:
        self.then()

    def refuses(self, kind: type[Refused], *words: str) -> None:
        with pytest.raises(kind) as refusal:
            self.outcome()
        for word in words:
            assert word in str(refusal.value)


def given(kind: str, *events: Any) -> Given:
    state = None
    for event in events:
        state = EVOLVE[kind](state, event)
    return Given(state)
