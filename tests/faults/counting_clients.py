"""`python -m tests.faults.counting_clients`: asks evaluators, and tells how often each answer was received.

Reads a Wish as JSON, prints Received as JSON. Each request has a name of its own (X-Request-ID). Where the
connection breaks before the answer was there, it is asked for again under the same name until it comes.
"""

import asyncio
import json
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from tests.faults.asking import LOST, Connection, Response

AGAIN_SECONDS = 0.05
ANSWERED = (200, 404)
UNKNOWN = "FLAG_NOT_FOUND"


class Wish(BaseModel):
    """`evaluations` in all, at `per_second` of them at most; each bulk answer is one for every flag."""

    ports: list[int]
    key: str
    flags: list[str]
    no_flag: str
    subjects: int
    evaluations: int
    per_second: float
    bulk: float
    unknown: float
    connections: int
    seed: int


class Received(BaseModel):
    """`answers` by flag and variant; FLAG_NOT_FOUND stands for a variant where there was no flag."""

    answers: dict[str, int]
    requests: int
    asked_again: int


@dataclass
class Clients:
    wish: Wish
    answers: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    asked_again: int = 0
    _taken: int = 0  # evaluations that somebody asks for, or has asked for

    async def run(self) -> None:
        self._began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as asking:
            for number in range(self.wish.connections):
                port = self.wish.ports[number % len(self.wish.ports)]
                asking.create_task(self._ask(port, random.Random(self.wish.seed + number)))  # noqa: S311

    async def _ask(self, port: int, chance: random.Random) -> None:
        connection: Connection | None = None
        while self._taken < self.wish.evaluations:
            flag = self._flag(chance)
            self._taken += len(self.wish.flags) if flag is None else 1
            await self._pace()
            request = self._request(flag, f"user-{chance.randrange(self.wish.subjects)}")
            connection = await self._until_answered(connection, port, request, flag)
        if connection:
            connection.close()

    def _flag(self, chance: random.Random) -> str | None:
        """None for all of them."""
        if chance.random() < self.wish.bulk:
            return None
        return self.wish.no_flag if chance.random() < self.wish.unknown else chance.choice(self.wish.flags)

    async def _pace(self) -> None:
        due = self._began + self._taken / self.wish.per_second
        if (wait := due - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait)

    def _request(self, flag: str | None, subject: str) -> bytes:
        body = json.dumps({"context": {"targetingKey": subject, "country": "BR"}}).encode()
        path = "/ofrep/v1/evaluate/flags" + (f"/{flag}" if flag else "")
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {self.wish.key}\r\n"
        head += f"X-Request-ID: {uuid4().hex}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    async def _until_answered(
        self, connection: Connection | None, port: int, request: bytes, flag: str | None
    ) -> Connection:
        while True:
            try:
                connection = connection or await Connection.to(port)
                answer = await connection.ask(request)
                if answer.status in ANSWERED:
                    self._count(answer, flag)
                    return connection
            except LOST:
                if connection:
                    connection.close()
                connection = None
            self.asked_again += 1
            await asyncio.sleep(AGAIN_SECONDS)

    def _count(self, answer: Response, flag: str | None) -> None:
        self.requests += 1
        body: Any = json.loads(answer.body)
        for each in body["flags"] if flag is None else [body]:
            self.answers[f"{each['key']}/{each.get('variant', UNKNOWN)}"] += 1


def main() -> None:
    clients = Clients(Wish.model_validate_json(sys.stdin.read()))
    asyncio.run(clients.run())
    received = Received(
        answers=dict(clients.answers), requests=clients.requests, asked_again=clients.asked_again
    )
    sys.stdout.write(received.model_dump_json() + "\n")


if __name__ == "__main__":
    main()
