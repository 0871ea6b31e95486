"""Making an API key: the only place where its secret exists."""

import secrets

from domain.access import ALPHABET, SECRET_LENGTH, SELECTOR_LENGTH, assemble
from domain.events import KeyKind


def new_key(kind: KeyKind) -> tuple[str, str]:
    """The key's public id and the key itself."""
    selector = _random_text(SELECTOR_LENGTH)
    return selector, assemble(kind, selector, _random_text(SECRET_LENGTH))


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
