"""Answers byte for byte as the original gave them: two of its services were Go, two were Flask."""

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, NamedTuple

TEXT = {"Content-Type": "text/plain; charset=utf-8"}
GO_ERROR = {**TEXT, "X-Content-Type-Options": "nosniff"}
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
GO_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
COMPACT = (",", ":")


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


class Answered(Exception):
    """Ends a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def go_json(status: int, members: Mapping[str, str]) -> Answer:
    """As json.Encoder writes it, in this order of names; as nobody set a type, Go's sniffing made it text."""
    text = json.dumps(members, ensure_ascii=False, separators=COMPACT).translate(GO_ESCAPES)
    return Answer(status, text.encode() + b"\n", TEXT)


def go_error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Answer:
    """As http.Error writes it."""
    return Answer(status, sentence.encode() + b"\n", {**GO_ERROR, **(headers or {})})


def flask_json(status: int, value: Any) -> Answer:
    """As jsonify writes it."""
    return Answer(status, json.dumps(value, sort_keys=True, separators=COMPACT).encode() + b"\n", JSON)


def flask_error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Answer:
    answer = flask_json(status, {"error": sentence})
    return answer._replace(headers={**answer.headers, **(headers or {})})


def flask_date(moment: datetime) -> str:
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


NO_CONTENT = Answer(204, b"", HTML)
