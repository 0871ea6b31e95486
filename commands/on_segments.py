"""What the commands about segments decide."""

from collections.abc import Mapping

from commands.deciding import Handler, Salt, the_project
from commands.models import ArchiveSegment, Command, PutSegment
from commands.references import refuse_segment_in_use, refuse_unanswerable_segment
from commands.unit_of_work import UnitOfWork
from domain import segment
from domain.envelope import Stream, segment_stream


def _put_segment(work: UnitOfWork, command: PutSegment, salt: Salt) -> Stream:
    the_project(work, command.project)
    refuse_unanswerable_segment(work, command.project, command.segment, command.definition)
    events = segment.put(
        work.segment(command.project, command.segment),
        project=command.project,
        key=command.segment,
        salt=command.salt if command.salt is not None else salt(),
        definition=command.definition,
    )
    stream = segment_stream(command.project, command.segment)
    work.decide(stream, events)
    return stream


def _archive_segment(work: UnitOfWork, command: ArchiveSegment, _: Salt) -> Stream:
    found = segment.existing(work.segment(command.project, command.segment), command.segment)
    refuse_segment_in_use(work, found)
    stream = segment_stream(command.project, command.segment)
    work.decide(stream, segment.archive(found))
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    PutSegment: _put_segment,
    ArchiveSegment: _archive_segment,
}
