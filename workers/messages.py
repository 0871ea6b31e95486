"""What a message of evaluations looks like, and how many of them fit.

A message is JSON, with rows as arrays to be short:

    {"v": 1, "kind": "evaluations", "producer": "5f0c9a7e41d2b386",
     "counts":  [["shop", "production", "new-checkout", 29896666, 12, {"SPLIT/on": 311, "SPLIT/off": 689}]],
     "records": [["5f0c9a7e41d2b386-17", "shop", "production", "new-checkout", "on", "SPLIT", "user-1", 42,
                  1793800000000, {"plan": "pro"}]]}

A count row is project, environment, flag, minute since 1970, seq, and all that this producer counted in that
minute so far by `REASON/variant`; the row with the highest seq is right, so one that is lost, late or doubled
changes nothing. Flag "" stands for the whole environment, whose outcomes are `REASON/`. A flag that does not
exist is counted under the name that was asked for; names beyond a limit are counted under "/".

Some messages tell what the producer had no room for:

    {"v": 1, "kind": "evaluations", "producer": "5f0c9a7e41d2b386", "counts": [], "records": [],
     "dropped": [13, 311, 1042, 1793800000, 1793800042]}

These are seq, evaluations not counted and single ones not recorded, both since the producer began, and when
the first and the last were noted, in seconds since 1970. Here too the highest seq is right. They are told
when they have changed, without counts and records: a consumer that knows no `dropped` refuses the message.

A record is event id, project, environment, flag, variant, reason, subject or null, position, milliseconds
since 1970, and the recordable attributes of the context.
"""

from collections.abc import Iterable, Iterator

import orjson

from projections.dropped_table import Dropped

VERSION = 1
KIND = "evaluations"
TRACE_ATTRIBUTE = "traceparent"  # W3C Trace Context, where there are traces
MESSAGE_ROWS = 500  # about 50 kB: five messages fill a batch of 256 KiB, and more rows gain nothing


def pack(producer: str, counts: Iterable[bytes], records: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """Counts and records in messages of their own, so that the few bytes of the former go first."""
    room = max_bytes - len(_message(producer, [], []))
    for rows in chunks(counts, MESSAGE_ROWS, room):
        yield _message(producer, rows, [])
    for rows in chunks(records, MESSAGE_ROWS, room):
        yield _message(producer, [], rows)


def pack_dropped(dropped: Dropped) -> bytes:
    """A message of its own."""
    producer, *numbers = dropped
    return _message(producer, [], [], b',"dropped":' + orjson.dumps(numbers))


def _message(producer: str, counts: list[bytes], records: list[bytes], more: bytes = b"") -> bytes:
    head = b'{"v":%d,"kind":"%s","producer":%s' % (VERSION, KIND.encode(), orjson.dumps(producer))
    return head + b',"counts":[%s],"records":[%s]%s}' % (b",".join(counts), b",".join(records), more)


def chunks(rows: Iterable[bytes], most: int, max_bytes: int) -> Iterator[list[bytes]]:
    """In order; `max_bytes` has a separator for each row. A row that is longer on its own is still given."""
    chunk: list[bytes] = []
    size = 0
    for row in rows:
        if chunk and (len(chunk) == most or size + len(row) + 1 > max_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += len(row) + 1
    if chunk:
        yield chunk


def encode(row: list[object]) -> bytes:
    return escaped(orjson.dumps(row))


def escaped(row: bytes) -> bytes:
    """JSON without U+FFFE and U+FFFF, which SQS refuses in a message unless they are escaped."""
    return row.replace(b"\xef\xbf\xbe", rb"\ufffe").replace(b"\xef\xbf\xbf", rb"\uffff")
