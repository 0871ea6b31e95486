"""The route that tells what commands would make different, before they are given."""

from collections.abc import Iterator, Mapping

from fastapi import APIRouter
from pydantic import BaseModel

from api.http import StrictRoute
from api.management.bulk import Bulk
from api.management.context import Reader
from api.management.diff import Differing, differing
from api.management.languages import WordingOf
from commands.unit_of_work import utc_now
from commands.wire import received
from domain.aggregates import Folded
from domain.differences import differences
from domain.envelope import Stamp, Stream
from domain.flag import Flag
from domain.segment import Segment
from domain.values import Slug
from domain.wording import Wording
from projections.past import Past

router = APIRouter(prefix="/projects/{project}/commands", tags=["commands"], route_class=StrictRoute)


class Preview(BaseModel):
    """What would become different of what there is at `position`; empty where nothing would. `required` is
    how many approvals it would need; with none, the commands can be given as they are."""

    position: int
    required: int
    things: list[Differing]


@router.post("/preview")
def preview_commands(project: Slug, body: Bulk, read: Reader, wording: WordingOf) -> Preview:
    """Decides on the commands as if they were given, and says in sentences what they change. Nothing is
    written; a refusal is the one that giving them would meet, but for approvals."""
    past = read.past(project)
    commands = [received(project, each) for each in body.commands]
    drafted = read.parts.commands.drafted(commands, Stamp(read.who.name, utc_now()))
    things = list(_things(past, drafted.things, wording))
    return Preview(position=past.position, required=drafted.required, things=things)


def _things(past: Past, drafted: Mapping[Stream, Folded], wording: Wording) -> Iterator[Differing]:
    for stream, folded in drafted.items():
        before = {"flag": past.flags, "segment": past.segments}.get(stream.kind, {}).get(stream.key)
        if isinstance(folded.state, Flag | Segment):
            found = differences(before.state if before else None, folded.state)  # type: ignore[arg-type]
            yield differing(stream.kind, stream.key, found, wording)
