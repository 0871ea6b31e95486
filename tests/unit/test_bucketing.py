import pytest

from domain.bucketing import bucket, bucketing_value

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
