"""What is measured, group by group: each starts its servers, lets them take turns, and ends them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.progress import Progress

from tests.benchmarks.serving_contenders import Contenders, Server
from tests.benchmarks.serving_figures import Results, Sample, Samples, figure
from tests.benchmarks.serving_flags import MIXES, World, Worlds
from tests.benchmarks.serving_load import Case, Load
from tests.benchmarks.serving_outage import kill_redis_and_postgresql, redis_hangs
from tests.benchmarks.serving_propagation import delays
from tests.benchmarks.serving_slow import CLIENTS, slow_clients
from tests.benchmarks.serving_storm import COMMANDS_A_SECOND, Commit, a_second, projector, storm
from tests.benchmarks.serving_table import GONE, HUNG, NGINX, NOTIFIED, POLLED, QUIET, SLOW, STORM, UVICORN
from tests.benchmarks.serving_tools import Tool

NOISE = 0.05  # of the server's core; a quiet machine stays well below
BUSY = 0.95  # of a core; above that the load generator is what is measured
DATABASES = {"one": 1, "many": 2, "most": 3, "bulk": 4, "comparison": 5}  # Redis' numbers


class Scale(NamedTuple):
    """`flags` are how many there are to choose one from, `bulk` how many are answered at once."""

    rounds: int
    seconds: int
    propagation_rounds: int
    propagation_seconds: int
    outage_seconds: int
    flags: tuple[int, int, int] = (1, 1_000, 100_000)
    bulk: tuple[int, int] = (100, 1_000)


@dataclass
class Bench:
    scale: Scale
    worlds: Worlds
    contenders: Contenders
    load: Load
    nginx: Tool | None
    results: Results
    progress: Progress
    _made: dict[str, World] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        return self.contenders.logs

    def single(self) -> None:
        """One evaluation a request: we beside the others, and we with more flags."""
        one, many, most = (self._world(name) for name in ("one", "many", "most"))
        with ExitStack() as running:
            ours = running.enter_context(self.contenders.ours(one))
            recording = running.enter_context(self.contenders.ours(one, "all"))
            others = self._others(running, ours.first_answer(one.single()))
            cases = [Case(name, server, one.single()) for name, server in others.items()]
            cases += [Case("ours", ours, one.single()), Case("ours, records all", recording, one.single())]
            cases.append(Case("ours, /evaluate", ours, one.original()))
            for world in (many, most):
                server = running.enter_context(self.contenders.ours(world))
                cases.append(Case(f"ours, {world.flags['shop']:,} flags", server, world.single()))
            self.results.single = self._in_turn("one evaluation", cases)
        self._note_dropped()
        self._note_busy()

    def _others(self, running: ExitStack, answer: str) -> dict[str, Server]:
        start, contenders = running.enter_context, self.contenders
        redis_url = self.worlds.redis_url(DATABASES["comparison"])
        found = {NGINX: start(contenders.nginx(self.nginx, answer))} if self.nginx else {}
        found[UVICORN] = start(contenders.app("raw", answer))
        found["uvicorn, after a GET to Redis"] = start(contenders.app_with_redis(redis_url, answer))
        found["FastAPI with pydantic"] = start(contenders.app("fastapi", answer))
        return found

    def note_others(self) -> None:
        """How much of it was somebody else's doing."""
        groups = (
            *(self.results.single, self.results.bulk),
            *(self.results.storm, self.results.slow, self.results.outage),
        )
        shares = [each.others_busy for group in groups for samples in group.values() for each in samples]
        if shares and max(shares) > NOISE:
            usual, worst = f"{median(shares):.0%}", f"{max(shares):.0%}"
            self.results.notes.append(f"noisy: others had {usual} of the server's core, at worst {worst}")

    def _note_dropped(self) -> None:
        for case, samples in self.results.single.items():
            if dropped := sum(sample.dropped for sample in samples):
                share = dropped / sum(sample.requests for sample in samples)
                self.results.notes.append(f"{case}: {share:.1%} of the records or counts were dropped")

    def _note_busy(self) -> None:
        for case, samples in self.results.single.items():
            if (busy := figure(samples, "load_busy").median) > BUSY:
                self.results.notes.append(
                    f"{case}: wrk could do no more ({busy:.0%} of its core), so that it may be faster still;"
                    " CPU time has no such limit"
                )

    def bulk(self) -> None:
        """All flags of a project in one request."""
        world = self._world("bulk")
        with self.contenders.ours(world) as server:
            cases = [Case(project, server, world.bulk(project)) for project in world.flags]
            self.results.bulk = self._in_turn("bulk", cases)
        self.results.bulk_flags = dict(world.flags)

    def storm(self) -> None:
        """While commands come in and are projected."""
        world, storms = self._world("many"), list[list[Commit]]()

        @contextmanager
        def stormy() -> Iterator[None]:
            with storm(world, self.load.cores, self.logs) as commits:
                yield
            storms.append(commits)

        with self.contenders.ours(world) as server, projector(world, self.load.cores, self.logs):
            cases = [Case(QUIET, server, world.single()), Case(STORM, server, world.single(), stormy)]
            self.results.storm = self._in_turn("storm", cases)
        rate = median(map(a_second, storms))
        self.results.notes.append(
            f"storm: {rate:.1f} commands a second were carried out of {COMMANDS_A_SECOND}"
        )

    def slow(self) -> None:
        """While many clients never get to the end of their requests."""
        world, cut = self._world("many"), list[int]()
        with self.contenders.ours(world) as server:
            meanwhile = partial(slow_clients, server, world.single(), self.load.cores, self.logs, cut)
            cases = [Case(QUIET, server, world.single()), Case(SLOW, server, world.single(), meanwhile)]
            self.results.slow = self._in_turn("slow clients", cases)
        self.results.notes.append(f"slow clients: {CLIENTS:,} at any time; {sum(cut):,} cut off and replaced")

    def outage(self) -> None:
        """While Redis hangs, and once Redis and PostgreSQL are gone; the last group, as they stay so."""
        world, stack = self._world("many"), self.worlds.stack
        requests = world.single()
        with self.contenders.ours(world) as server:
            hung = Case(HUNG, server, requests, partial(redis_hangs, stack))
            cases, lasting = [Case(QUIET, server, requests), hung], self.scale.outage_seconds
            self.results.outage = self._in_turn("outage", cases, lasting)
            kill_redis_and_postgresql(stack)
            with server.child.awake(), self._told("killed", self.scale.rounds) as tell:
                self.results.outage[GONE] = [
                    self._measured(Case(GONE, server, requests), tell) for _ in range(self.scale.rounds)
                ]
        for case in (HUNG, GONE):
            asked = sum(sample.requests for sample in self.results.outage[case])
            self.results.notes.append(f"{case}: {asked:,} evaluations, none failed")

    def _measured(self, case: Case, tell: Callable[[str], None]) -> Sample:
        tell(case.name)
        return self.load.measure(case, self.scale.outage_seconds)

    def propagation(self) -> None:
        """From commit to answer, with NOTIFY and without."""
        world, found = self._world("many"), self.results.propagation
        modes, rounds = {NOTIFIED: True, POLLED: False}, self.scale.propagation_rounds
        with self._told("propagation", rounds * len(modes)) as tell, self.contenders.ours(world) as server:
            for _ in range(rounds):
                for mode, notified in modes.items():
                    tell(mode)
                    seconds = self.scale.propagation_seconds
                    measured = delays(self.load, server, world, seconds, self.logs, notified=notified)
                    found.setdefault(mode, []).append(measured)

    def _in_turn(self, group: str, cases: list[Case], seconds: int = 0) -> Samples:
        with self._told(group, len(cases) * (self.scale.rounds + 1)) as tell:
            return self.load.in_turn(cases, self.scale.rounds, seconds or self.scale.seconds, tell)

    @contextmanager
    def _told(self, group: str, steps: int) -> Iterator[Callable[[str], None]]:
        """A line of progress; each call says what the next step is."""
        task, begun = self.progress.add_task(group, total=steps), [False]

        def tell(what: str) -> None:
            self.progress.update(task, description=f"{group}: {what}", advance=int(begun[0]), refresh=True)
            begun[0] = True
            if not self.progress.console.is_terminal:  # there are no bars then
                self.progress.console.print(f"{group}: {what}")

        yield tell
        self.progress.update(task, description=group, completed=steps, refresh=True)

    def _world(self, name: str) -> World:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> World:
        flags = dict(zip(("one", "many", "most"), self.scale.flags, strict=True))
        projects = {"shop": ("hard", flags[name])} if name in flags else self._bulk_projects()
        if name == "one":
            projects["default"] = ("original", 1)
        total = sum(count for _, count in projects.values())
        task = self.progress.add_task(f"making {total:,} flags", total=total + 1)

        def tell(more: int) -> None:
            self.progress.update(task, advance=more, refresh=True)

        world = self.worlds.make(name, DATABASES[name], projects, tell)
        tell(1)
        return world

    def _bulk_projects(self) -> dict[str, tuple[str, int]]:
        return {f"{mix}-{count}": (mix, count) for count in self.scale.bulk for mix in MIXES}


class GroupName(StrEnum):
    SINGLE = "single"
    BULK = "bulk"
    STORM = "storm"
    SLOW = "slow"
    PROPAGATION = "propagation"
    OUTAGE = "outage"


GROUPS: Mapping[GroupName, Callable[[Bench], None]] = {
    GroupName.SINGLE: Bench.single,
    GroupName.BULK: Bench.bulk,
    GroupName.STORM: Bench.storm,
    GroupName.SLOW: Bench.slow,
    GroupName.PROPAGATION: Bench.propagation,
    GroupName.OUTAGE: Bench.outage,
}
