"""The route that tells whom a change would move, by what was recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, PositiveInt, model_validator

from api.http import StrictRoute
from api.management.analytics import Window, window
from api.management.context import Read, RecordsReader
from api.management.recorded import RecordedIn, RecordsOf, samples
from api.management.what_if_shapes import FlagMoves, Progress, WhatIf, flag_moves
from api.problems import AWAY, unavailable
from commands.models import Command
from commands.reviewing import commands_of
from commands.undoing import undo_event
from commands.unit_of_work import utc_now
from commands.wire import SentCommand, received
from domain import limits
from domain.aggregates import fold_all
from domain.change import Change
from domain.envelope import Stamp, change_stream
from domain.errors import NotFound
from domain.project import require_environment
from domain.ruleset import Ruleset
from domain.values import FlagKey, Slug
from projections.past import Past
from projections.recorded_contexts import Sample
from projections.what_if import Drafted, compared, influenced

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/what-if",
    tags=["history"],
    route_class=StrictRoute,
)
LINES = "application/x-ndjson"
FLAGS = 50  # looked at in one request; each is a query of its own


class WhatIfQuestion(RecordedIn):
    """Of one draft: `commands` as they would be given, a `change` request, or the undo of the event at a
    position. `flags` empty is all those whose answers could change."""

    commands: Annotated[tuple[SentCommand, ...], Field(max_length=limits.COMMANDS)] = ()
    change: str = ""
    undo: PositiveInt | None = None
    flags: Annotated[tuple[FlagKey, ...], Field(max_length=FLAGS)] = ()

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "WhatIfQuestion":
        if [bool(self.commands), bool(self.change), self.undo is not None].count(True) != 1:
            raise ValueError("say what might be: either 'commands', a 'change' or the position to 'undo'")
        return self


@router.post(
    "",
    response_model=WhatIf,
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
)
def what_if(
    project: Slug, environment: Slug, body: WhatIfQuestion, read: RecordsReader, request: Request
) -> Any:
    """How many recorded evaluations, and subjects, a change would move from which variant to which.

    Each recorded context is answered as things are and as they would be; nothing is changed. What hangs on
    attributes that are not recorded is undecided. With `Accept: application/x-ndjson` it is lines:
    `{"progress": …}` again and again, and at last `{"answer": …}` or `{"problem": …}`.
    """
    look = _look(read, project, environment, body)
    if LINES not in request.headers.get("accept", ""):
        return list(look.told())[-1]
    return StreamingResponse(_lines(request, look), media_type=LINES)


@dataclass(frozen=True, slots=True)
class _Look:
    read: Read
    past: Past
    then: Ruleset
    drafted: Drafted
    environment: str
    flags: Sequence[str]
    left_out: Sequence[str]
    within: Window
    limit: int

    def told(self) -> Iterator[Progress | WhatIf]:
        found: list[FlagMoves] = []
        for number, key in enumerate(self.flags, 1):
            which = RecordsOf(self.past.project.key, self.environment, key)
            sample = Sample()
            for sample in samples(self.read, which, self.within, self.limit):
                read, flags = sample.evaluations, len(self.flags)
                yield Progress(flag=key, number=number, flags=flags, read=read, limit=self.limit)
            found.append(self._moves(key, sample))
        yield WhatIf(
            position=self.past.position,
            start=self.within.start,
            end=self.within.end,
            flags=found,
            left_out=list(self.left_out),
        )

    def _moves(self, key: str, sample: Sample) -> FlagMoves:
        now = self.past.ruleset(self.environment)
        found = compared(key, sample.asked, now, self.then)
        before = self.past.flags[key]
        after = self.drafted.get(before.stream, before)
        return flag_moves(sample, found, before.state, after.state, self.environment)


def _look(read: Read, project: str, environment: str, body: WhatIfQuestion) -> _Look:
    parts = read.parts
    past = parts.pasts.of(project, parts.store.head())
    require_environment(past.project, environment)
    drafted = parts.commands.drafted(_commands(read, project, body), Stamp(read.who.name, utc_now())).things
    wanted = _known(past, body.flags) or influenced(past, drafted, environment)
    return _Look(
        read=read,
        past=past,
        then=past.with_drafts(drafted.values()).ruleset(environment),
        drafted=drafted,
        environment=environment,
        flags=wanted[:FLAGS],
        left_out=wanted[FLAGS:],
        within=window(body.start, body.end),
        limit=body.limit,
    )


def _commands(read: Read, project: str, body: WhatIfQuestion) -> Sequence[Command]:
    if body.commands:
        return [received(project, each) for each in body.commands]
    if body.undo is not None:
        return undo_event(read.parts.store, project, body.undo).commands
    folded = fold_all(read.parts.store.load(change_stream(project, body.change)))
    if folded is None:
        raise NotFound(f"there is no change '{body.change}' in project '{project}'")
    assert isinstance(folded.state, Change)
    return commands_of(project, folded.state.commands)


def _known(past: Past, keys: Sequence[str]) -> Sequence[str]:
    for key in keys:
        if key not in past.flags:
            raise NotFound(f"there is no flag '{key}' in project '{past.project.key}'")
    return keys


def _lines(request: Request, look: _Look) -> Iterator[bytes]:
    """The status is sent by then, so what goes wrong is a line too."""
    try:
        for each in look.told():
            name = "answer" if isinstance(each, WhatIf) else "progress"
            yield b'{"%b":%b}\n' % (name.encode(), each.model_dump_json().encode())
    except AWAY as fault:
        problem = unavailable(request, fault)
        yield b'{"problem":%b}\n' % bytes(problem.body)
