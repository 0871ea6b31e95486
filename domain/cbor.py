"""JSON values as CBOR bytes, one encoding for each (RFC 8949, section 4.2.1), for hashes that want bytes.

A number without a fraction is an integer however it was written, so 5.0 is 5; beyond 64 bits it is a float.
"""

import math
import struct
from typing import Any

UNSIGNED, NEGATIVE, TEXT, ARRAY, MAP = (major << 5 for major in (0, 1, 3, 4, 5))
SIMPLE = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}
LOWEST, HIGHEST = -(2**63), 2**64 - 1
NARROW = 24  # lengths and numbers below this are in the first byte
WIDTHS = ((2**8, ">B"), (2**16, ">H"), (2**32, ">I"), (2**64, ">Q"))
FLOATS = ((0xF9, ">e"), (0xFA, ">f"), (0xFB, ">d"))


def encoded(value: Any) -> bytes:
    """Raises ValueError for what is no JSON value, or no finite number."""
    match value:
        case None | bool():
            return SIMPLE[value]
        case str():
            text = value.encode("utf-8", "surrogatepass")
            return _head(TEXT, len(text)) + text
        case int() | float():
            return _number(value)
        case list():
            return _head(ARRAY, len(value)) + b"".join(encoded(each) for each in value)
        case dict():
            pairs = sorted((encoded(key), encoded(each)) for key, each in value.items())
            return _head(MAP, len(value)) + b"".join(key + each for key, each in pairs)
    raise ValueError(f"{value!r} is no JSON value")


def _number(value: float) -> bytes:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    if not LOWEST <= value <= HIGHEST or value != (whole := int(value)):
        return _float(float(value))
    return _head(UNSIGNED, whole) if whole >= 0 else _head(NEGATIVE, -1 - whole)


def _float(value: float) -> bytes:
    """As short as keeps it."""
    for first, form in FLOATS[:-1]:
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed) == (value,):
            return bytes([first]) + packed
    first, form = FLOATS[-1]
    return bytes([first]) + struct.pack(form, value)


def _head(major: int, number: int) -> bytes:
    if number < NARROW:
        return bytes([major | number])
    step, form = next((step, form) for step, (limit, form) in enumerate(WIDTHS) if number < limit)
    return bytes([major | (NARROW + step)]) + struct.pack(form, number)
