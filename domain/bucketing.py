"""Which bucket a subject falls into, by the platform's own hash or, for what was imported, another system's.

The native bucket is MurmurHash3 x86 32-bit, seed 0, over `salt:value` in UTF-8, scaled by multiplication to
100,000 so that no bucket is favoured by more than 1 in 2**32. Hash and scale are part of the stored meaning
of every percentage: changing either moves people between variants. The other algorithms keep a subject where
the system it came from had put it; each counts in that system's own steps, so nothing is lost to rounding.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import mmh3

from domain.values import SCALE

AlgorithmName = Literal[
    "native",
    "sha1",
    "unleash",
    "unleash_variant",
    "launchdarkly",
    "flagd",
    "growthbook1",
    "growthbook2",
    "flagsmith",
]

Hash = Callable[[str, str, int], int]
"""Salt, value, steps -> bucket, from 0 to steps - 1."""

UNLEASH_VARIANT_SEED = 86_028_157
LAUNCHDARKLY_DIGITS = 15
LAUNCHDARKLY_SCALE = 16**LAUNCHDARKLY_DIGITS - 1
FNV_OFFSET, FNV_PRIME = 0x811C9DC5, 0x01000193
FLAGSMITH_STEPS = 9_999


class Algorithm(NamedTuple):
    """`steps` None: as many as the split says (`of`). `missing` is the bucket where there is no value."""

    hash: Hash
    steps: int | None
    missing: int | None = None


def bucket(salt: str, value: str) -> int:
    """The native one, 0 to 99,999; a subject is inside a threshold when `bucket < threshold`."""
    return (mmh3.hash(f"{salt}:{value}", 0, False) * SCALE) >> 32


def _native(salt: str, value: str, steps: int) -> int:
    return (mmh3.hash(f"{salt}:{value}", 0, False) * steps) >> 32


def _sha1(salt: str, value: str, steps: int) -> int:
    return int.from_bytes(_sha1_digest(value + salt)[:4], "big") % steps


def _unleash(salt: str, value: str, steps: int) -> int:
    """Unleash's `normalized` value less one, since it counts from 1 and includes the threshold."""
    return int(mmh3.hash(f"{salt}:{value}", 0, False) % steps)


def _unleash_variant(salt: str, value: str, steps: int) -> int:
    return int(mmh3.hash(f"{salt}:{value}", UNLEASH_VARIANT_SEED, False) % steps)


def _launchdarkly(salt: str, value: str, steps: int) -> int:
    number = int(_sha1_digest(f"{salt}.{value}").hex()[:LAUNCHDARKLY_DIGITS], 16)
    bucket: int = min(number * steps // LAUNCHDARKLY_SCALE, steps - 1)
    return bucket


def _flagd(salt: str, value: str, steps: int) -> int:
    return (mmh3.hash(salt + value, 0, False) * steps) >> 32


def _growthbook1(salt: str, value: str, steps: int) -> int:
    return _fnv32a(value + salt) % steps


def _growthbook2(salt: str, value: str, steps: int) -> int:
    return _fnv32a(str(_fnv32a(salt + value))) % steps


def _flagsmith(salt: str, value: str, steps: int) -> int:
    """A result of exactly 100 % is hashed again with the ids repeated once more."""
    ids = [salt, value]
    while True:
        digest = hashlib.md5(",".join(ids).encode(), usedforsecurity=False).hexdigest()
        if (number := int(digest, 16) % steps) < steps - 1:
            return number
        ids += [salt, value]


def _sha1_digest(text: str) -> bytes:
    return hashlib.sha1(text.encode(), usedforsecurity=False).digest()


def _fnv32a(text: str) -> int:
    """FNV-1a, 32 bits, over UTF-16 code units, since GrowthBook's hash is JavaScript's `charCodeAt`."""
    number = FNV_OFFSET
    for (unit,) in struct.iter_unpack("<H", text.encode("utf-16-le", "surrogatepass")):
        number = ((number ^ unit) * FNV_PRIME) & 0xFFFFFFFF
    return number


ALGORITHMS: Mapping[AlgorithmName, Algorithm] = {
    "native": Algorithm(_native, SCALE),
    "sha1": Algorithm(_sha1, 100),
    "unleash": Algorithm(_unleash, 100),
    "unleash_variant": Algorithm(_unleash_variant, None),
    "launchdarkly": Algorithm(_launchdarkly, SCALE, missing=0),
    "flagd": Algorithm(_flagd, None),
    "growthbook1": Algorithm(_growthbook1, 1_000),
    "growthbook2": Algorithm(_growthbook2, 10_000),
    "flagsmith": Algorithm(_flagsmith, FLAGSMITH_STEPS),
}


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
