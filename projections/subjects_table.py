"""How many subjects were served each variant in a day: sketches, in which no subject can be read.

    part    @subjects/shop/production/2026-11-04/new-checkout
    place   on/5f0c9a7e41d2b386
    sketch  the bytes of a HyperLogLog by datasketches

A sketch is written by whoever began it and by nobody else; readers merge all that there are. A subject that
is added twice, to the same sketch or to two, is counted once.
"""

import secrets
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from datasketches import HLL_4, hll_sketch, hll_union

from projections.item_writes import Items
from projections.records_table import Record
from projections.usage_table import DAY_MINUTES, PARTITION, SORT, expires_at, moment_of

if TYPE_CHECKING:  # type stubs, which are installed for development only
    from mypy_boto3_dynamodb import DynamoDBClient

LG_K = 12  # 4,096 registers in 2 kB: a standard error of 1.04 / sqrt(4096), 1.6 %
SKETCHES = 10_000  # in memory, at most 25 MB; others are begun anew


class SketchOf(NamedTuple):
    project: str
    environment: str
    flag: str
    variant: str
    day: int


class Sketch:
    def __init__(self) -> None:
        self.writer = secrets.token_hex(8)
        self.subjects = hll_sketch(LG_K, HLL_4)
        self.stored = b""


def subjects_part(project: str, environment: str, flag: str, day: date) -> str:
    return f"@subjects/{project}/{environment}/{day.isoformat()}/{flag}"


class SubjectSketches:
    """For one thread. Raises what Items does."""

    def __init__(self, usage: Items, *, most: int = SKETCHES) -> None:
        self._usage = usage
        self._most = most
        self._sketches: dict[SketchOf, Sketch] = {}  # the one touched last stands last

    def add(self, records: Iterable[Record]) -> None:
        """Returns when it is stored; called again after an error, it stores what was left."""
        changed = [(each, sketch, data) for each, sketch in self._touch(records) if (data := _news(sketch))]
        self._usage.put(_item(each, sketch.writer, data) for each, sketch, data in changed)
        for _, sketch, data in changed:
            sketch.stored = data
        while len(self._sketches) > self._most:
            self._sketches.pop(next(iter(self._sketches)))

    def _touch(self, records: Iterable[Record]) -> list[tuple[SketchOf, Sketch]]:
        touched: dict[SketchOf, Sketch] = {}
        for record in records:
            if record.subject is not None:
                key = sketch_of(record)
                if key not in touched:
                    touched[key] = self._sketches.pop(key) if key in self._sketches else Sketch()
                    self._sketches[key] = touched[key]
                touched[key].subjects.update(record.subject)
        return list(touched.items())


def sketch_of(record: Record) -> SketchOf:
    day = record.at // 60_000 // DAY_MINUTES
    return SketchOf(record.project, record.environment, record.flag, record.variant, day)


def _news(sketch: Sketch) -> bytes:
    """Empty when what is stored says it all."""
    data: bytes = sketch.subjects.serialize_compact()
    return b"" if data == sketch.stored else data


def _item(each: SketchOf, writer: str, data: bytes) -> dict[str, Any]:
    minute = each.day * DAY_MINUTES
    part = subjects_part(each.project, each.environment, each.flag, moment_of(minute).date())
    return {
        PARTITION: {"S": part},
        SORT: {"S": f"{each.variant}/{writer}"},
        "sketch": {"B": data},
        "expires_at": {"N": str(expires_at(minute))},
    }


def subjects_of_day(
    dynamodb: "DynamoDBClient", usage_table: str, project: str, environment: str, flag: str, day: date
) -> dict[str, hll_union]:
    """By variant; empty without records of that day. Raises botocore's errors."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=usage_table,
        KeyConditionExpression=f"{PARTITION} = :day",
        ExpressionAttributeValues={":day": {"S": subjects_part(project, environment, flag, day)}},
    )
    merged: dict[str, hll_union] = {}
    for item in (item for page in pages for item in page["Items"]):
        variant = item[SORT]["S"].rsplit("/", 1)[0]
        merged.setdefault(variant, hll_union(LG_K)).update(hll_sketch.deserialize(item["sketch"]["B"]))
    return merged
