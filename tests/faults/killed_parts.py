"""Projectors, evaluators and a Valkey that are killed, stopped and started again at once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from deploy.embedded import Part, free_port, start_valkey

PROJECTORS, EVALUATORS = 2, 2
STOPPED_TURNS_AT_MOST = 3
KILLS_WHILE_FILLING = 4
CALM_TURNS = 8  # some 3 seconds
TAIL_BYTES = 20_000  # some ten commands' worth of the append-only file


class Evaluator(NamedTuple):
    """One process; `number` is never given twice, and so is the port, so that it is known who answers."""

    number: int
    pid: int
    port: int


class Forker:
    """Starts processes of the command line in no time."""

    def __init__(self, log: Path) -> None:
        command = [sys.executable, "-m", "tests.faults.forked_processes"]
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True
            )

    def start(self, *command: str, **settings: str) -> int:
        named = {f"TOGGLEMASTER_{name.upper()}": value for name, value in settings.items()}
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(json.dumps([command, named]) + "\n")
        self._popen.stdin.flush()
        return int(self._popen.stdout.readline())

    def close(self) -> None:
        """All that it started end with it."""
        self._popen.kill()
        self._popen.communicate()


@dataclass
class Parts:
    """Whose turn it is, and what happens to them, is chance."""

    directory: Path
    postgres_url: str
    chance: random.Random
    valkey: Part = field(init=False)
    projectors: list[int] = field(default_factory=list)
    evaluators: list[Evaluator] = field(default_factory=list)
    killed_at: dict[int, float] = field(default_factory=dict)  # evaluators by number, seconds since 1970
    done: Counter[str] = field(default_factory=Counter)
    _stopped: dict[int, int] = field(default_factory=dict)  # turns left by pid
    _begun: int = 0
    _turn: int = 0
    _calm: range = range(0)  # turns in which only evaluators are killed

    def __post_init__(self) -> None:
        self.forker = Forker(self.directory / "processes.log")
        self.valkey = start_valkey(self.directory)
        self.projectors += [self._projector() for _ in range(PROJECTORS)]
        self.evaluators += [self._evaluator(place) for place in range(EVALUATORS)]

    @property
    def kills(self) -> int:
        return sum(count for what, count in self.done.items() if not what.endswith("stopped"))

    def turn(self) -> None:
        self._let_go_on()
        self._turn += 1
        (act,) = self.chance.choices(list(ACTS), list(ACTS.values()))
        (Parts.kill_an_evaluator if self._turn in self._calm else act)(self)

    def calm(self) -> None:
        """Nobody is stopped any more."""
        while self._stopped:
            self._let_go_on()

    def close(self) -> None:
        """Each has ended when this returns, so that nobody writes into the directory any more."""
        pids = [*self.projectors, *(each.pid for each in self.evaluators)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.01)
        self.forker.close()
        self.valkey.process.kill()
        self.valkey.process.wait()

    def kill_a_projector(self) -> None:
        place = self.chance.randrange(PROJECTORS)
        self._kill(self.projectors[place], "projector")
        self.projectors[place] = self._projector()

    def kill_an_evaluator(self) -> None:
        place = self.chance.randrange(EVALUATORS)
        evaluator = self.evaluators[place]
        self.killed_at[evaluator.number] = time.time()
        self._kill(evaluator.pid, "evaluator")
        self.evaluators[place] = self._evaluator(place)

    def kill_redis(self) -> None:
        self._restart_redis("Redis", lambda: None)

    def cut_redis(self) -> None:
        self._restart_redis("Redis whose tail was lost", self._cut)

    def empty_redis(self) -> None:
        """It can be filled again, which takes a second or two, after some more kills meanwhile."""
        self._restart_redis("Redis that lost everything", self._empty)
        begin = self._turn + self.chance.randint(1, KILLS_WHILE_FILLING)
        self._calm = range(begin, begin + CALM_TURNS)

    def stop_redis(self) -> None:
        self._stop(self.valkey.process.pid, "Redis stopped")

    def stop_a_projector(self) -> None:
        self._stop(self.chance.choice(self.projectors), "projector stopped")

    def _restart_redis(self, what: str, harm: Callable[[], None]) -> None:
        self._kill(self.valkey.process.pid, what)
        self.valkey.process.wait()
        harm()
        self.valkey = start_valkey(self.directory, port=int(self.valkey.url.split(":")[2].split("/")[0]))

    def _cut(self) -> None:
        """The last of them, or up to a half of them all, and most likely in the middle of one."""
        for file in self._files("*.incr.aof"):
            size = file.stat().st_size
            lost = self.chance.choice([TAIL_BYTES, size // 2])
            os.truncate(file, max(0, size - self.chance.randint(0, lost)))

    def _empty(self) -> None:
        for file in self._files("*"):
            file.unlink()

    def _files(self, pattern: str) -> list[Path]:
        return sorted((self.directory / "valkey" / "appendonlydir").glob(pattern))

    def _kill(self, pid: int, what: str) -> None:
        self._stopped.pop(pid, None)
        os.kill(pid, signal.SIGKILL)
        self.done[what] += 1

    def _stop(self, pid: int, what: str) -> None:
        if pid not in self._stopped:
            os.kill(pid, signal.SIGSTOP)
            self._stopped[pid] = self.chance.randint(1, STOPPED_TURNS_AT_MOST)
            self.done[what] += 1

    def _let_go_on(self) -> None:
        for pid, turns in list(self._stopped.items()):
            if turns > 1:
                self._stopped[pid] = turns - 1
            else:
                os.kill(pid, signal.SIGCONT)
                del self._stopped[pid]

    def _projector(self) -> int:
        return self.forker.start("work", "projector", **self._addresses())

    def _evaluator(self, place: int) -> Evaluator:
        port = free_port()
        settings = {**self._addresses(), **EVALUATOR_SETTINGS, "port": str(port)}
        if place == 0:  # the other one has to do without
            settings["copy_dir"] = str(self.directory / "copies")
        pid = self.forker.start("serve", "evaluation", **settings)
        self._begun += 1
        return Evaluator(self._begun, pid, port)

    def _addresses(self) -> Mapping[str, str]:
        return {
            "postgres_url": self.postgres_url,
            "redis_url": self.valkey.url,
            "aws_endpoint_url": f"http://127.0.0.1:{NOTHING_THERE}",
        }


NOTHING_THERE = 9  # the port of a service that nobody runs
EVALUATOR_SETTINGS = {"flush_seconds": "3600", "records": "none", "log_level": "warning"}
ACTS: dict[Callable[[Parts], None], int] = {
    Parts.kill_a_projector: 25,  # more often, and there would hardly ever be one at work
    Parts.kill_an_evaluator: 45,
    Parts.kill_redis: 12,
    Parts.cut_redis: 8,
    Parts.empty_redis: 2,
    Parts.stop_redis: 4,
    Parts.stop_a_projector: 4,
}
