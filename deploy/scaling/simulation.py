"""A profile of traffic through evaluators, the queue and consumers, with both autoscalers, second by second.

It begins with as many replicas as the first second asks for. Every evaluator sends a message of counts and
one of records each second, and more when there is more than two hold. What is in flight at consumers is what
they do in a second times how long they hold a message (Little's law).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from deploy.scaling.profiles import Profile
from deploy.scaling.scalers import CpuScaler, CpuSpec, QueueScaler, QueueSpec
from deploy.scaling.workload import Pods, Waiting

# docs/performance.md has these, with the commands that measure them.
EVALUATION_MICROSECONDS = 20.0  # of CPU, kernel included: 18.9 counted, 1.0 for exposures, the default mode
MESSAGE_EVALUATIONS = 6_667.0  # 1,200,000 evaluations in mode exposures in 180 messages
EVALUATOR_MESSAGES = 2.0  # a second at least: counts and records go apart (workers/messages.py)
CONSUMER_MESSAGES = 12.6  # a second: those 180 in 14.3 s
CONSUMER_THREADS = 4  # as many messages are in flight at a consumer that is busy
POD_START_SECONDS = 15  # assumed: scheduled, image on the node, started within 2 s, probed every 2 s


class Plan(NamedTuple):
    """Cores are of one evaluator. More than one would be of no use to it, as it is one Python process."""

    cpu: CpuSpec = CpuSpec()
    queue: QueueSpec = QueueSpec()
    evaluation_microseconds: float = EVALUATION_MICROSECONDS
    cores_requested: float = 1.0
    cores: float = 1.0
    message_evaluations: float = MESSAGE_EVALUATIONS
    consumer_messages: float = CONSUMER_MESSAGES
    pod_start_seconds: int = POD_START_SECONDS

    @property
    def evaluator_rate(self) -> float:
        """Evaluations a second of one evaluator that has nothing else to do."""
        return self.cores * 1e6 / self.evaluation_microseconds

    @property
    def held_seconds(self) -> float:
        """How long a consumer has a message."""
        return CONSUMER_THREADS / self.consumer_messages


class State(NamedTuple):
    """Of one Deployment at the end of a second. `capacity` and `done` are of this second."""

    arrived: float
    capacity: float
    done: float
    backlog: float
    lag: int
    replicas: int
    ready: int


class Second(NamedTuple):
    second: int
    evaluation: State
    consumer: State


class Stage:
    """A Deployment with its work."""

    def __init__(self, replicas: int, start_seconds: int, rate: float) -> None:
        self.waiting = Waiting()
        self.pods = Pods(replicas, start_seconds)
        self._rate = rate

    def second(self, now: int, arriving: float) -> State:
        ready = self.pods.ready(now)
        done = self.waiting.second(now, arriving, ready * self._rate)
        lag = self.waiting.lag(now)
        return State(arriving, ready * self._rate, done, self.waiting.backlog, lag, len(self.pods), ready)


def play(plan: Plan, profile: Profile) -> Iterator[Second]:
    evaluators, consumers = first_replicas(plan, profile.rate(0))
    evaluation = Stage(evaluators, plan.pod_start_seconds, plan.evaluator_rate)
    consumer = Stage(consumers, plan.pod_start_seconds, plan.consumer_messages)
    by_cpu, by_queue = CpuScaler(plan.cpu), QueueScaler(plan.queue)
    for now in range(profile.seconds):
        served = evaluation.second(now, profile.rate(now))
        stored = consumer.second(now, messages(plan, served.done, served.ready))
        yield Second(now, served, stored)
        used = _used(plan, served)
        evaluation.pods.scale(now, by_cpu.replicas(now, served.replicas, served.ready, used))
        seen = max(stored.backlog, stored.done * plan.held_seconds)
        consumer.pods.scale(now, by_queue.replicas(now, stored.replicas, math.ceil(seen)))


def first_replicas(plan: Plan, rate: float) -> tuple[int, int]:
    busy = rate * plan.evaluation_microseconds / 1e6 / plan.cores_requested
    evaluators = _between(plan.cpu.minimum, busy / plan.cpu.target, plan.cpu.maximum)
    sent = messages(plan, min(rate, evaluators * plan.evaluator_rate), evaluators)
    return evaluators, _between(plan.queue.minimum, sent / plan.consumer_messages, plan.queue.maximum)


def messages(plan: Plan, served: float, evaluators: int) -> float:
    """In a second in which so many evaluations were served."""
    return max(evaluators * EVALUATOR_MESSAGES, served / plan.message_evaluations) if served else 0.0


def _between(least: int, wanted: float, most: int) -> int:
    return min(max(least, math.ceil(wanted)), most)


def _used(plan: Plan, served: State) -> float:
    """CPU of the evaluators that are ready, as a share of what they request."""
    if not served.ready:
        return 0.0
    return served.done * plan.evaluation_microseconds / 1e6 / served.ready / plan.cores_requested
