"""What PostgreSQL has beside the table of events: the hash chain, the refusal to change either, which
requests with an idempotency key were carried out, and an index of each project's events.

The chain is made by a trigger under the lock that every insert holds, so it is in the order of the log:
`hash(n) = SHA-256(hash(n-1) ‖ position ‖ version ‖ len(stream) ‖ stream ‖ len(name) ‖ name ‖ data)`, numbers
big-endian, positions and versions in 8 bytes, lengths in 4; before the first event there is no byte.
"""

import hashlib
import struct
from typing import LiteralString

EVENTS_TABLE = "togglemaster_events"

CHAIN = """
CREATE TABLE IF NOT EXISTS togglemaster_chain (
    position bigint PRIMARY KEY,
    hash bytea NOT NULL
);
CREATE OR REPLACE FUNCTION togglemaster_link(
    at bigint, stream text, version bigint, name text, data bytea
) RETURNS void LANGUAGE sql AS $body$
    INSERT INTO togglemaster_chain VALUES (at, sha256(
        coalesce((SELECT hash FROM togglemaster_chain ORDER BY position DESC LIMIT 1), '')
        || int8send(at) || int8send(version)
        || int4send(octet_length(stream)) || convert_to(stream, 'UTF8')
        || int4send(octet_length(name)) || convert_to(name, 'UTF8') || data
    ))
$body$;
CREATE OR REPLACE FUNCTION togglemaster_link_inserted() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM togglemaster_link(
        NEW.notification_id, NEW.originator_id, NEW.originator_version, NEW.topic, NEW.state
    );
    RETURN NULL;
END
$body$;
LOCK TABLE togglemaster_events IN EXCLUSIVE MODE;
SELECT togglemaster_link(notification_id, originator_id, originator_version, topic, state)
    FROM togglemaster_events
    WHERE notification_id > (SELECT coalesce(max(position), 0) FROM togglemaster_chain)
    ORDER BY notification_id;
CREATE OR REPLACE TRIGGER togglemaster_chain AFTER INSERT ON togglemaster_events
    FOR EACH ROW EXECUTE FUNCTION togglemaster_link_inserted();
"""

APPEND_ONLY = """
CREATE OR REPLACE FUNCTION togglemaster_refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;
END
$body$;
CREATE OR REPLACE TRIGGER togglemaster_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON togglemaster_events
    FOR EACH STATEMENT EXECUTE FUNCTION togglemaster_refuse();
CREATE OR REPLACE TRIGGER togglemaster_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON togglemaster_chain
    FOR EACH STATEMENT EXECUTE FUNCTION togglemaster_refuse();
"""

REQUESTS = """
CREATE TABLE IF NOT EXISTS togglemaster_requests (
    actor text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    outcome jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (actor, key)
);
CREATE INDEX IF NOT EXISTS togglemaster_requests_at ON togglemaster_requests (at);
"""

OF_PROJECTS: LiteralString = "split_part(originator_id, '/', 1) IN ('project', 'flag', 'segment')"
"""What a project's past is folded from. Queries have to say it as the index does, or PostgreSQL reads all."""

PROJECT: LiteralString = "split_part(originator_id, '/', 2)"

BY_PROJECT = f"""
CREATE INDEX IF NOT EXISTS togglemaster_events_by_project
    ON togglemaster_events (({PROJECT}), notification_id) WHERE {OF_PROJECTS};
"""
"""Not CONCURRENTLY: that holds a lock which the lock of every insert waits for, and holds it for longer."""

BESIDE_EVENTS = (CHAIN, APPEND_ONLY, REQUESTS, BY_PROJECT)

REMEMBER = "INSERT INTO togglemaster_requests (actor, key, fingerprint, outcome) VALUES (%s, %s, %s, %s)"
RECALL = "SELECT fingerprint, outcome FROM togglemaster_requests WHERE actor = %s AND key = %s"
FORGET = "DELETE FROM togglemaster_requests WHERE at < clock_timestamp() - make_interval(secs => %s)"

LINKS = """
WITH places AS (
    (SELECT notification_id AS position FROM togglemaster_events
        WHERE notification_id > %(after)s ORDER BY notification_id LIMIT %(limit)s)
    UNION
    (SELECT position FROM togglemaster_chain WHERE position > %(after)s ORDER BY position LIMIT %(limit)s)
)
SELECT position, originator_id, originator_version, topic, state, hash
FROM places
LEFT JOIN togglemaster_events ON notification_id = position
LEFT JOIN togglemaster_chain USING (position)
ORDER BY position LIMIT %(limit)s
"""


def link(before: bytes, position: int, stream: str, version: int, name: str, data: bytes) -> bytes:
    """The hash of one event, from the hash of the one before it; empty before the first."""
    of, called = stream.encode(), name.encode()
    numbers = struct.pack(">qq", position, version)
    return hashlib.sha256(
        before + numbers + struct.pack(">i", len(of)) + of + struct.pack(">i", len(called)) + called + data
    ).digest()
