"""Which environments a set of decided events changes the answers of, and whether it may be done directly."""

from collections.abc import Iterable

from commands.unit_of_work import UnitOfWork
from domain.envelope import Stream
from domain.errors import ApprovalRequired
from domain.events import (
    Event,
    FlagArchived,
    FlagDetailsChanged,
    FlagRestored,
    SegmentArchived,
    SegmentChanged,
    VariantAdded,
    VariantChanged,
    VariantRemoved,
)

EVERYWHERE = (
    FlagArchived,
    FlagRestored,
    SegmentArchived,
    SegmentChanged,
    VariantAdded,
    VariantChanged,
    VariantRemoved,
)


def refuse_unapproved(work: UnitOfWork) -> None:
    """Raises ApprovalRequired where what was decided changes an environment that wants approvals first."""
    for stream, events in work.decided():
        project = work.project(stream.project)
        required = project.approvals if project else {}
        if required and (found := sorted(_concerned(stream, events, required))):
            raise ApprovalRequired(
                f"'{found[0]}' takes changes only with {required[found[0]]} approval(s): propose it with"
                f" POST /api/v1/projects/{stream.project}/changes"
            )


def _concerned(stream: Stream, events: Iterable[Event], environments: Iterable[str]) -> set[str]:
    concerned: set[str] = set()
    for event in events:
        if isinstance(event, EVERYWHERE) or (
            isinstance(event, FlagDetailsChanged) and event.client_visible is not None
        ):
            concerned.update(environments)
        elif stream.kind == "flag":
            concerned.update({getattr(event, "environment", "")} & set(environments))
    return concerned
