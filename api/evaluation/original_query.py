"""The original system's question, "is this flag on for this user?", read and answered as Go does it.

Its clients know the bytes: how `net/url` reads a query, how `encoding/json` writes text, what `http.Error`
adds to an error.
"""

import re
from json import JSONEncoder
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from api.evaluation.refusal import Answer

PLAIN = rb"([A-Za-z0-9._~:@-]+)"  # what stands for itself, in a query as in JSON
PLAIN_QUERY = re.compile(rb"user_id=%b&flag_name=%b|flag_name=%b&user_id=%b" % (PLAIN, PLAIN, PLAIN, PLAIN))
BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
TOLD = b'{"flag_name":%b,"user_id":%b,"result":'
PLAIN_TOLD = b'{"flag_name":"%b","user_id":"%b","result":'
ENDINGS = {True: b"true}\n", False: b"false}\n"}

LONE_BYTES = range(0xDC80, 0xDD00)  # where Python puts bytes that are no UTF-8, with `surrogateescape`
READABLE = dict.fromkeys(LONE_BYTES, "\N{REPLACEMENT CHARACTER}")
GO_ESCAPES = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
GO_ESCAPES |= dict.fromkeys(LONE_BYTES, "\\ufffd")

_json = JSONEncoder(ensure_ascii=False).encode


class Question(NamedTuple):
    """`told` is the answer up to its result. Bytes that are no UTF-8 are replacement characters here."""

    user_id: str
    flag: str
    told: bytes

    def answer(self, *, result: bool) -> bytes:
        return self.told + ENDINGS[result]


def error(status: int, sentence: str) -> Answer:
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return status, headers, f'{{"error": "{sentence}"}}\n'.encode()


INCOMPLETE = error(400, "user_id e flag_name são obrigatórios")
UNREADY = error(502, "Erro interno ao avaliar a flag")


def read_question(query: bytes) -> Question | None:
    """None where user or flag are missing or empty. The first value of a name counts."""
    if found := PLAIN_QUERY.fullmatch(query):
        user, flag = found[1] or found[4], found[2] or found[3]
        return Question(user.decode(), flag.decode(), PLAIN_TOLD % (flag, user))
    values = _values(query)
    user, flag = values.get(b"user_id", b""), values.get(b"flag_name", b"")
    return _question(_text(user), _text(flag)) if user and flag else None


def _question(user: str, flag: str) -> Question:
    told = TOLD % (_go_json(flag), _go_json(user))
    return Question(user.translate(READABLE), flag.translate(READABLE), told)


def _values(query: bytes) -> dict[bytes, bytes]:
    """A pair with a semicolon or a broken escape is left out, as if it were not there."""
    found: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        if b";" not in pair and not BROKEN_ESCAPE.search(pair):
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            found.setdefault(unquote_to_bytes(name), unquote_to_bytes(value))
    return found


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _go_json(text: str) -> bytes:
    return _json(text).translate(GO_ESCAPES).encode()
