"""Traffic over time: evaluations a second, straight between given points."""

import csv
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from deploy.told import Told

MINUTE, HOUR = 60, 3_600


class Point(NamedTuple):
    second: float
    rate: float


class Name(StrEnum):
    STEADY = "steady"
    DAILY = "daily"
    SPIKE = "spike"
    BLACK_FRIDAY = "black-friday"


class Profile:
    def __init__(self, name: str, points: Iterable[Point]) -> None:
        """Raises ValueError unless there are two points at least, in order, the first at second 0."""
        self.name = name
        self._points = list(points)
        self._seconds = [point.second for point in self._points]
        _check(self._points)

    @property
    def seconds(self) -> int:
        return int(self._seconds[-1])

    @property
    def peak(self) -> float:
        return max(point.rate for point in self._points)

    def rate(self, second: float) -> float:
        after = min(bisect_right(self._seconds, second), len(self._points) - 1)
        (began, low), (ended, high) = self._points[after - 1], self._points[after]
        return low + (high - low) * min(1.0, (second - began) / (ended - began))


def _check(points: list[Point]) -> None:
    if len(points) < 2 or points[0].second != 0:
        raise ValueError("a profile has two points at least, the first at second 0")
    for before, point in pairwise(points):
        if not before.second < point.second:
            raise ValueError(f"second {point.second:g} stands after {before.second:g}, out of order")
    for point in points:
        if not 0 <= point.rate < float("inf"):
            raise ValueError(f"the rate at second {point.second:g} is {point.rate:g}: it has to be 0 or more")


# Seconds and share of the peak.
SHAPES: Mapping[Name, tuple[tuple[float, float], ...]] = {
    Name.STEADY: ((0, 1), (HOUR, 1)),
    # A shop in one country: least at four in the morning, most at nine in the evening.
    Name.DAILY: (
        (0, 0.45),
        (2 * HOUR, 0.2),
        (4 * HOUR, 0.1),
        (6 * HOUR, 0.2),
        (9 * HOUR, 0.6),
        (12 * HOUR, 0.75),
        (15 * HOUR, 0.65),
        (18 * HOUR, 0.8),
        (21 * HOUR, 1),
        (23 * HOUR, 0.65),
        (24 * HOUR, 0.45),
    ),
    # Ten times as much within ten seconds, for ten minutes: a message to everybody's telephone.
    Name.SPIKE: (
        (0, 0.1),
        (15 * MINUTE, 0.1),
        (15 * MINUTE + 10, 1),
        (25 * MINUTE, 1),
        (30 * MINUTE, 0.1),
        (HOUR, 0.1),
    ),
    # An early sale at one in the morning, doors at eight, and an evening at the most there is.
    Name.BLACK_FRIDAY: (
        (0, 0.2),
        (HOUR, 0.25),
        (HOUR + 2 * MINUTE, 0.8),
        (2 * HOUR, 0.6),
        (5 * HOUR, 0.15),
        (8 * HOUR, 0.3),
        (8 * HOUR + 5 * MINUTE, 0.7),
        (12 * HOUR, 0.8),
        (15 * HOUR, 0.65),
        (19 * HOUR, 0.85),
        (20 * HOUR, 0.9),
        (20 * HOUR + MINUTE, 1),
        (22 * HOUR, 1),
        (24 * HOUR, 0.4),
    ),
}


def named(name: Name, peak: float) -> Profile:
    return Profile(name, (Point(second, share * peak) for second, share in SHAPES[name]))


def read(file: Path) -> Profile:
    """Of lines `seconds,rate`, with or without a line that says so. Raises Told."""
    try:
        with file.open(newline="") as lines:
            rows = [row for row in csv.reader(lines) if row]
        return Profile(file.stem, [_point(row) for row in rows[_is_head(rows) :]])
    except (OSError, UnicodeDecodeError, ValueError) as problem:
        raise Told(f"{file} is no profile: {problem}. A line is seconds,rate, such as 0,1000") from problem


def _is_head(rows: list[list[str]]) -> bool:
    return bool(rows) and not rows[0][0].strip()[:1].isdigit()


def _point(row: list[str]) -> Point:
    if len(row) != 2:
        raise ValueError(f"the line {','.join(row)!r} has {len(row)} fields")
    return Point(float(row[0]), float(row[1]))
