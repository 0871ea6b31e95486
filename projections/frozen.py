"""What the read model keeps of a stream that it cannot follow any further."""

import json
from typing import NamedTuple


class Frozen(NamedTuple):
    """The first event that is not in what is served, by its position, and what is wrong with it."""

    position: int
    problem: str

    def __str__(self) -> str:
        return f"position {self.position}, {self.problem}"

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: bytes) -> "Frozen":
        return cls(**json.loads(text))
