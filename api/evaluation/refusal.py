"""A request that is answered without evaluating anything."""

from collections.abc import Mapping

import orjson

Headers = Mapping[str, str]
Answer = tuple[int, Headers, bytes]
"""Status, headers beyond those that every answer has, and a body of JSON, or none."""

NO_HEADERS: Headers = {}


class Refusal(Exception):
    def __init__(self, status: int, code: str, details: str, headers: Headers = NO_HEADERS) -> None:
        super().__init__(details)
        self.status, self.code, self.details, self.headers = status, code, details, headers

    def answer(self, flag: str | None = None) -> Answer:
        """`flag` is the one that was asked for, if it was one."""
        body = {} if flag is None else {"key": flag}
        body |= {"errorCode": self.code, "errorDetails": self.details}
        return self.status, self.headers, orjson.dumps(body)
