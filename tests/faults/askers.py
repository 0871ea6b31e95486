"""Ask every evaluator all the time, and write down what it answered."""

import asyncio
import json
import random
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.asking import LOST, Connection, request
from tests.faults.history import Answer, Trouble
from tests.faults.killed_parts import EVALUATORS, Evaluator
from tests.faults.random_commands import CONTEXTS, RandomCommands

CONNECTIONS = 3  # to each evaluator
PAUSE_SECONDS = 0.02  # on two cores that others need too
AGAIN_SECONDS = 0.05
NOT_YET = b"has not read the flags yet"
POSITION = re.compile(rb'"position":(\d+)')
RECENT_KEYS = 8


@dataclass
class Askers:
    commands: RandomCommands
    evaluators: Sequence[Evaluator]
    seed: int
    answers: list[Answer] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    served: dict[int, int] = field(default_factory=dict)  # the last position by evaluator
    unchanged: int = 0
    _known: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)  # ETag and body

    def run(self, stopping: threading.Event) -> None:
        asyncio.run(self._ask_all(stopping))

    async def _ask_all(self, stopping: threading.Event) -> None:
        async with asyncio.TaskGroup() as asking:
            for number in range(EVALUATORS * CONNECTIONS):
                chance = random.Random(self.seed + number)  # noqa: S311 - a test's
                asking.create_task(self._ask(number % EVALUATORS, chance, stopping))

    async def _ask(self, place: int, chance: random.Random, stopping: threading.Event) -> None:
        while not stopping.is_set():
            evaluator = self.evaluators[place]
            try:
                connection = await Connection.to(evaluator.port)
                try:
                    while not stopping.is_set():
                        await self._once(connection, evaluator, chance)
                        await asyncio.sleep(chance.uniform(0, 2 * PAUSE_SECONDS))
                finally:
                    connection.close()
            except LOST as problem:
                self.troubles.append(Trouble(evaluator.number, time.time(), repr(problem)))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _once(self, connection: Connection, evaluator: Evaluator, chance: random.Random) -> None:
        key, flag, context = self._key(chance), self._flag(chance), json.dumps(chance.choice(CONTEXTS))
        etag, body = self._known.get((key, context), ("", b"")) if flag is None else ("", b"")
        sent = time.time()
        found = await connection.ask(request(key, flag, context, etag))
        if found.status == 503 and NOT_YET in found.body:
            self.troubles.append(Trouble(evaluator.number, time.time(), "503"))
            return
        status = 200 if found.status == 304 else found.status
        body = body if found.status == 304 else found.body
        self.unchanged += found.status == 304
        if found.etag:
            self._known[key, context] = found.etag, body
        if position := POSITION.search(body):
            self.served[evaluator.number] = int(position[1])
        self.answers.append(Answer(evaluator.number, key, flag, context, sent, time.time(), status, body))

    def _key(self, chance: random.Random) -> str:
        """Mostly that of production; of the others some are revoked."""
        keys = self.commands.keys
        key = keys[0] if chance.random() < 0.6 else chance.choice([keys[1], *keys[-RECENT_KEYS:]])
        return key.text

    def _flag(self, chance: random.Random) -> str | None:
        """None, for all of them, one time in five."""
        if chance.random() < 0.2:
            return None
        return "no-such-flag" if chance.random() < 0.05 else chance.choice(self.commands.flags)
