from contextlib import suppress

import pytest

from domain.bucketing import ALGORITHMS, AlgorithmName, bucket, bucketing_value
from tests.recorded_buckets import BUCKETS

# MurmurHash3 x86 32, seed 0, worked out with an independent implementation of the published algorithm.


def murmur3(data: bytes) -> int:
    h = 0
    whole = len(data) - len(data) % 4
    for i in range(0, whole, 4):
        h ^= _mix(int.from_bytes(data[i : i + 4], "little"))
        h = (_rotate(h, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    if tail := data[whole:]:
        h ^= _mix(int.from_bytes(tail, "little"))
    h ^= len(data)
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return h ^ (h >> 16)


def _mix(k: int) -> int:
    return (_rotate((k * 0xCC9E2D51) & 0xFFFFFFFF, 15) * 0x1B873593) & 0xFFFFFFFF


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & 0xFFFFFFFF


@pytest.mark.parametrize("value", ["", "u1", "user-123", "usuário-ã", "日本", "x" * 1000])
def test_a_bucket_is_murmur3_of_salt_and_value_scaled_to_100000(value: str) -> None:
    assert murmur3(b"hello") == 0x248BFA47
    assert bucket("s4lt", value) == murmur3(f"s4lt:{value}".encode()) * 100_000 >> 32


@pytest.mark.parametrize(
    ("value", "hashed"),
    [("a", "a"), (5, "5"), (5.0, "5"), (-7, "-7"), (2.5, None), (True, None), (None, None), ([], None)],
)
def test_what_can_be_bucketed(value: object, hashed: str | None) -> None:
    assert bucketing_value(value) == hashed


@pytest.mark.parametrize("flag", BUCKETS)
def test_the_original_systems_users_keep_their_buckets(flag: str) -> None:
    sha1 = ALGORITHMS["sha1"]
    assert {user: sha1.hash(flag, user, 100) for user in BUCKETS[flag]} == BUCKETS[flag]


def test_fnv_1a_is_the_published_one() -> None:
    """The test vectors of FNV's authors for "a" and "foobar": e40c292c and bf9cf968."""
    assert ALGORITHMS["growthbook1"].hash("", "a", 2**32) == 0xE40C292C
    assert ALGORITHMS["growthbook1"].hash("bar", "foo", 2**32) == 0xBF9CF968


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_bucket_lies_within_the_steps(name: AlgorithmName) -> None:
    hashed, steps, *_ = ALGORITHMS[name]
    steps = steps or 7
    found = [hashed("salt", f"u{number}", steps) for number in range(2_000)]
    assert min(found) >= 0
    assert max(found) < steps
    assert abs((sum(found) / len(found) + 0.5) / steps - 0.5) < 0.05


@pytest.mark.parametrize("name", ALGORITHMS)
def test_half_a_surrogate_pair_ends_no_process(name: AlgorithmName) -> None:
    """Given such a text, mmh3 5.3 ends it."""
    hashed, steps, *_ = ALGORITHMS[name]
    with suppress(UnicodeEncodeError):
        assert 0 <= hashed("salt", "\ud800", steps or 7) < (steps or 7)
