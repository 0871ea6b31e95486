"""Which bucket a subject falls into, by the platform's own hash or, for what was imported, another system's.

The native bucket is MurmurHash3 x86 32-bit, seed 0, over `salt:value` in UTF-8, scaled by multiplication to
100,000 so that no bucket is favoured by more than 1 in 2**32. Hash and scale are part of the stored meaning
of every percentage: changing either moves people between variants. The other algorithms keep a subject where
the system it came from had put it; each counts in that system's own steps, so nothing is lost to rounding.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import mmh3

from domain.cbor import encoded
from domain.json_text import number_text
from domain.values import SCALE

AlgorithmName = Literal[
    "native",
    "sha1",
    "unleash",
    "unleash_variant",
    "launchdarkly",
    "flagd",
    "flagd1",
    "flagd3",
    "flagd3_text",
    "flagd3_pair",
    "growthbook1",
    "growthbook2",
    "flagsmith",
]

Hash = Callable[[str, Any, int], int]
"""Salt, what was read of the value, steps -> bucket, from 0 to steps - 1."""

UNLEASH_VARIANT_SEED = 86_028_157
LAUNCHDARKLY_DIGITS = 15
LAUNCHDARKLY_SCALE = 16**LAUNCHDARKLY_DIGITS - 1
FNV_OFFSET, FNV_PRIME = 0x811C9DC5, 0x01000193
FLAGSMITH_STEPS = 9_999


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


def _scalar_text(value: object) -> str | None:
    """As JSON writes it: also true, false and fractions."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
        return repr(value)
    return bucketing_value(value)


def _text_or_number(value: object) -> str | None:
    """Numbers as ECMAScript writes them, fractions too."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value)
    return bucketing_value(value)


def _no_list(value: object) -> Any:
    """The value itself; a list is not one, nor what is no finite number."""
    if isinstance(value, list) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


class Algorithm(NamedTuple):
    """`steps` None: as many as the split or gate says (`of`).

    `missing` is the bucket where there is no value. `read` makes of an attribute what is hashed; None for
    what cannot be.
    """

    hash: Hash
    steps: int | None
    missing: int | None = None
    read: Callable[[object], Any] = bucketing_value


def bucket(salt: str, value: str) -> int:
    """The native one, 0 to 99,999; a subject is inside a threshold when `bucket < threshold`."""
    return _native(salt, value, SCALE)


def _native(salt: str, value: str, steps: int) -> int:
    return (_murmur3(f"{salt}:{value}") * steps) >> 32


def _murmur3(text: str, seed: int = 0) -> int:
    """Encoded here: mmh3 5.3 crashes on half of a surrogate pair, where this raises UnicodeEncodeError."""
    return mmh3.hash(text.encode(), seed, False)


def _sha1(salt: str, value: str, steps: int) -> int:
    return int.from_bytes(_sha1_digest(value + salt)[:4], "big") % steps


def _unleash(salt: str, value: str, steps: int) -> int:
    """Unleash's `normalized` value less one, since it counts from 1 and includes the threshold."""
    return _murmur3(f"{salt}:{value}") % steps


def _unleash_variant(salt: str, value: str, steps: int) -> int:
    return _murmur3(f"{salt}:{value}", UNLEASH_VARIANT_SEED) % steps


def _launchdarkly(salt: str, value: str, steps: int) -> int:
    number = int(_sha1_digest(f"{salt}.{value}").hex()[:LAUNCHDARKLY_DIGITS], 16)
    bucket: int = min(number * steps // LAUNCHDARKLY_SCALE, steps - 1)
    return bucket


def _flagd(salt: str, value: str, steps: int) -> int:
    return (_murmur3(salt + value) * steps) >> 32


def _flagd1(salt: str, value: str, steps: int) -> int:
    """Of a hash with a sign; its lowest number has no positive twin and shares the last bucket."""
    return min((abs(mmh3.hash((salt + value).encode(), 0)) * steps) >> 31, steps - 1)


def _flagd3(salt: str, value: Any, steps: int) -> int:
    """Of the value alone, whatever its type; the salt is for those below."""
    return (mmh3.hash(encoded(value), 0, False) * steps) >> 32


def _flagd3_text(salt: str, value: str, steps: int) -> int:
    return _flagd3("", salt + value, steps)


def _flagd3_pair(salt: str, value: Any, steps: int) -> int:
    return _flagd3("", [salt, value], steps)


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
    "flagd": Algorithm(_flagd, None, read=_scalar_text),
    "flagd1": Algorithm(_flagd1, None, read=_scalar_text),
    "flagd3": Algorithm(_flagd3, None, read=_no_list),
    "flagd3_text": Algorithm(_flagd3_text, None, read=_scalar_text),
    "flagd3_pair": Algorithm(_flagd3_pair, None, read=_no_list),
    "growthbook1": Algorithm(_growthbook1, 1_000, read=_text_or_number),
    "growthbook2": Algorithm(_growthbook2, 10_000, read=_text_or_number),
    "flagsmith": Algorithm(_flagsmith, FLAGSMITH_STEPS),
}
