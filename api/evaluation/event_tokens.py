"""What a bulk answer says about where changes are told, and the token in it that lets a browser listen.

A browser's EventSource sends no headers, so the URL itself has to say who asks. Every evaluator derives the
same token from the digest of the API key, which all of them hold; with it one can listen, and nothing else.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from projections.documents import KeyDocument

PATH = "/ofrep/v1/sse"
WINDOW_SECONDS = 300  # answers within it carry the same token, and differ by their flags alone
VALID_WINDOWS = 2  # a token of a window's last moment still has a whole window to be used in
INACTIVITY_SECONDS = 120  # what clients take when nothing is said
KEYS_CACHED = 4_096
PURPOSE = b"ofrep-sse"


def event_streams(key: KeyDocument, digest: str, base: str, now: float) -> list[dict[str, Any]]:
    """`eventStreams` of a bulk answer, the same object within a window: not to be changed.

    `base` is the evaluation API's URL as clients know it, or empty: then they are told the path only, and
    take the rest from the URL that they ask for flags.
    """
    return _event_streams(key.id, digest, base.rstrip("/"), token_window(now))


def token_window(now: float) -> int:
    """The number of the window: what `event_streams` gives differs in the next one, and so must the ETag.

    A client whose token has run out gets another only with an answer that is not 304.
    """
    return int(now // WINDOW_SECONDS)


def digest_of(token: str, digests: Mapping[str, str], now: float) -> str | None:
    """The digest of the key that the token was made for; None where it does not hold.

    `digests` are those of all keys, by the keys' ids.
    """
    key_id, _, rest = token.partition(".")
    end, _, _ = rest.partition(".")
    digest = digests.get(key_id)
    if digest is None or not (end.isascii() and end.isdigit()) or int(end) <= now:
        return None
    return digest if hmac.compare_digest(token.encode(), _token(key_id, digest, end).encode()) else None


@lru_cache(maxsize=KEYS_CACHED)
def _event_streams(key_id: str, digest: str, base: str, number: int) -> list[dict[str, Any]]:
    end = (number + VALID_WINDOWS) * WINDOW_SECONDS
    target = f"{PATH}?token={_token(key_id, digest, str(end))}"
    where: dict[str, Any] = {"url": base + target} if base else {"endpoint": {"requestUri": target}}
    return [{"type": "sse", **where, "inactivityDelaySec": INACTIVITY_SECONDS}]


def _token(key_id: str, digest: str, end: str) -> str:
    signed = hmac.digest(bytes.fromhex(digest), b".".join((PURPOSE, key_id.encode(), end.encode())), "sha256")
    return f"{key_id}.{end}.{urlsafe_b64encode(signed).rstrip(b'=').decode()}"
