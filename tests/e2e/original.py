"""A client of the original system, and what it is answered there.

In what is expected `<id>`, `<date>` and `<key>` stand for what differs from one run to the next.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx

from tests.recorded_buckets import BUCKETS

SERVICES = ("auth", "flags", "rules", "evaluate", "analytics")
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
STANDS_FOR = {
    "<id>": r"[1-9][0-9]*",
    "<key>": r"tm_key_[0-9a-f]{64}",
    "<date>": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT",
}
DASHBOARD, CHECKOUT = "enable-new-dashboard", "novo-checkout"


def error(sentence: str) -> str:
    return f'{{"error":"{sentence}"}}\n'


def flag(name: str, description: str = "", *, enabled: bool = False) -> str:
    return (
        f'{{"created_at":"<date>","description":"{description}","id":<id>,'
        f'"is_enabled":{str(enabled).lower()},"name":"{name}","updated_at":"<date>"}}'
    )


def rule(name: str, rules: str, *, enabled: bool = True) -> str:
    return (
        f'{{"created_at":"<date>","flag_name":"{name}","id":<id>,'
        f'"is_enabled":{str(enabled).lower()},"rules":{rules},"updated_at":"<date>"}}'
    )


def percentage(value: str) -> str:
    return f'{{"type":"PERCENTAGE","value":{value}}}'


@dataclass
class Original:
    """The original system, as its clients see it: a service each at a URL."""

    urls: Mapping[str, str]
    master: str
    client: httpx.Client
    key: str = ""

    def ask(
        self, service: str, method: str, path: str, body: str | None = None, *, key: str | None = None
    ) -> httpx.Response:
        """`key` is the one that was issued, unless another or none (empty) is given."""
        given = self.key if key is None else key
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        return self.client.request(method, self.urls[service] + path, content=body, headers=headers)

    def gives(
        self, request: tuple[str, str, str] | tuple[str, str, str, str], *told: Any, **named: Any
    ) -> Any:
        """Asks, and holds the answer against status, body and content type."""
        status, expected, kind = (*told, JSON)[:3]
        service, method, path, *body = request
        answer = self.ask(service, method, path, *body, **named)
        assert answer.status_code == status, (request, answer.text)
        assert re.fullmatch(pattern(expected), answer.text), (request, answer.text, expected)
        if expected:
            assert answer.headers["content-type"] == kind, request
        assert ("x-content-type-options" in answer.headers) == (kind == TEXT and status >= 400)
        return answer.json() if kind == JSON and expected else answer.text

    def evaluates(self, user: str, flag_name: str, result: bool, method: str = "GET") -> None:
        """No key is sent with it."""
        query = urlencode({"user_id": user, "flag_name": flag_name})
        told = f'{{"flag_name":"{flag_name}","user_id":"{user}","result":{str(result).lower()}}}\n'
        self.gives(("evaluate", method, f"/evaluate?{query}"), 200, told, key="")

    def served(self, flag_name: str) -> set[str]:
        """Who of the recorded users has it."""
        return {user for user in BUCKETS[flag_name] if self._result(user, flag_name)}

    def _result(self, user: str, flag_name: str) -> bool:
        query = urlencode({"user_id": user, "flag_name": flag_name})
        return bool(self.ask("evaluate", "GET", f"/evaluate?{query}", key="").json()["result"])

    def clean(self) -> None:
        """The names that tests use are free again."""
        for each in self.ask("flags", "GET", "/flags").json():
            self.ask("flags", "DELETE", f"/flags/{each['name']}")
        for name in BUCKETS:
            self.ask("rules", "DELETE", f"/rules/{name}")


def pattern(expected: str) -> str:
    found = re.escape(expected)
    for name, stands_for in STANDS_FOR.items():
        found = found.replace(re.escape(name), stands_for)
    return found
