"""Any aggregate's state as a fold of its events, whatever kind it is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain import access, change, flag, person, plan, project, segment, token, webhook
from domain.access import ApiKey
from domain.change import Change
from domain.envelope import Recorded, Stamp, Stream
from domain.flag import Flag
from domain.person import Person
from domain.plan import Plan
from domain.project import Project
from domain.segment import Segment
from domain.token import AccessToken
from domain.webhook import Webhook

State = Project | Flag | Segment | ApiKey | Webhook | Change | Plan | AccessToken | Person

EVOLVE: Mapping[str, Callable[[Any, Any], State]] = {
    "project": project.evolve,
    "flag": flag.evolve,
    "segment": segment.evolve,
    "key": access.evolve,
    "change": change.evolve,
    "plan": plan.evolve,
    "webhook": webhook.evolve,
    "token": token.evolve,
    "person": person.evolve,
}


@dataclass(frozen=True, slots=True)
class Folded:
    """An aggregate as its stream leaves it, with what the envelopes say: `version` and `position` are of its
    last event and `begun` is the position of its first; `created` and `changed` are the stamps of both."""

    stream: Stream
    state: State
    version: int
    position: int
    begun: int
    created: Stamp
    changed: Stamp


def fold(before: Folded | None, recorded: Recorded) -> Folded:
    stream, stamp = recorded.stream, recorded.stamp
    state = EVOLVE[stream.kind](before.state if before else None, recorded.event)
    if before is None:
        return Folded(stream, state, recorded.version, recorded.position, recorded.position, stamp, stamp)
    return replace(before, state=state, version=recorded.version, position=recorded.position, changed=stamp)


def fold_all(log: Iterable[Recorded], before: Folded | None = None) -> Folded | None:
    for recorded in log:
        before = fold(before, recorded)
    return before
