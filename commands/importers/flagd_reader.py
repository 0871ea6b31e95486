"""What an operation of JsonLogic needs of the place where it stands."""

from typing import Any, Protocol

from commands.importers.flagd_hashing import Hashing
from commands.importers.flagd_operands import Attribute, Fixed, operand
from commands.importers.flagd_outcomes import Leaf
from domain.targeting import Condition


class Reader(Protocol):
    """`names`: what comes out is the name of a variant, or a boolean; otherwise any value."""

    @property
    def flag_key(self) -> str: ...

    @property
    def variants(self) -> tuple[str, ...]: ...

    @property
    def hashing(self) -> Hashing: ...

    @property
    def names(self) -> bool: ...

    def condition(self, expression: Any) -> Condition:
        """Whether what comes out counts as true."""

    def leaves(self, expression: Any) -> list[Leaf]:
        """What comes out as the outcome of the targeting."""

    def values(self, expression: Any) -> list[Leaf]:
        """What comes out as a value to go on with."""


def operation(expression: Any) -> tuple[str, Any]:
    """No name where it is a plain value."""
    if not isinstance(expression, dict) or len(expression) != 1:
        return "", None
    return next(iter(expression.items()))


def side(reader: Reader, expression: Any) -> Fixed | Attribute:
    return operand(expression, reader.flag_key)
