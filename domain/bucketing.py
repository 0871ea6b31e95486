"""Which of 100,000 buckets a subject falls into.

The native hash is MurmurHash3 x86 32-bit, seed 0, over `salt:value` in UTF-8, scaled by multiplication
so that no bucket is favoured by more than 1 in 2**32. Both hash and scale are part of the stored meaning of
every percentage: changing either moves people between variants.
"""

import mmh3

from domain.values import SCALE


def bucket(salt: str, value: str) -> int:
    """0 to 99,999; a subject is inside a threshold when `bucket < threshold`."""
    return (mmh3.hash(f"{salt}:{value}", 0, False) * SCALE) >> 32


def bucketing_value(value: object) -> str | None:
    """What is hashed for an attribute: strings as they are, whole numbers in decimal, nothing else.

    5 and 5.0 are the same subject, as JSON makes no difference between them.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int) else None
