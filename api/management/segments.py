"""Routes of segments."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.http import StrictRoute
from api.management.context import Lister, Reader, Writer
from api.management.moments import PastReader
from api.management.shapes import SegmentAnswer, SegmentPage, segment_answer
from commands.models import ArchiveSegment, PutSegment
from commands.references import flags_using, segments_using
from commands.unit_of_work import UnitOfWork
from domain.envelope import segment_stream
from domain.segment import Segment, SegmentDefinition
from domain.values import FlagKey, Slug

router = APIRouter(prefix="/projects/{project}/segments", tags=["segments"], route_class=StrictRoute)


@router.get("")
def list_segments(project: Slug, listing: Lister, read: PastReader) -> SegmentPage:
    read.project(project)
    if read.at is None:
        (page, after), position = listing.of("segment", project), listing.position
    else:
        (page, after), position = listing.then(read.past(project).segments), read.at
    return SegmentPage(segments=[segment_answer(each) for each in page], next=after, position=position)


@router.get("/{key}")
def get_segment(project: Slug, key: FlagKey, read: PastReader) -> SegmentAnswer:
    return segment_answer(read.one(segment_stream(project, key), f"segment '{key}' in project '{project}'"))


class FlagUse(BaseModel):
    flag: str
    environment: str


class Uses(BaseModel):
    flags: list[FlagUse]
    segments: list[str]


@router.get("/{key}/used-by")
def segment_uses(project: Slug, key: FlagKey, read: Reader) -> Uses:
    """The flags, by environment, and the segments that ask for this one and keep it from being archived."""
    segment = read.one(segment_stream(project, key), f"segment '{key}' in project '{project}'").state
    assert isinstance(segment, Segment)
    work = UnitOfWork(read.parts.store)
    flags = [FlagUse(flag=flag, environment=where) for flag, where in flags_using(work, segment)]
    return Uses(flags=flags, segments=segments_using(work, segment))


@router.put("/{key}")
def put_segment(project: Slug, key: FlagKey, body: SegmentDefinition, write: Writer) -> SegmentAnswer:
    """Makes the segment, or replaces what it says."""
    return segment_answer(write.give(PutSegment(project=project, segment=key, definition=body)))


@router.delete("/{key}")
def archive_segment(project: Slug, key: FlagKey, write: Writer) -> SegmentAnswer:
    """Archives the segment. 409 while a flag or another segment asks for it."""
    return segment_answer(write.give(ArchiveSegment(project=project, segment=key)))
