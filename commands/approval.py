"""Which environments a set of decided events changes the answers of, and whether it may be done directly."""

from collections.abc import Iterable

from commands.unit_of_work import Decision, UnitOfWork
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
    """Raises ApprovalRequired where what was decided directly changes an environment that wants approvals."""
    for stream, event in work.direct():
        required = _required(work, stream, event)
        if required:
            where = min(required)
            raise ApprovalRequired(
                f"'{where}' takes changes only with {required[where]} approval(s): propose it with"
                f" POST /api/v1/projects/{stream.project}/changes"
            )


def required_approvals(work: UnitOfWork, decided: Iterable[Decision]) -> int:
    """The most that any environment wants of those that the events concern."""
    wanted = (_required(work, stream, event).values() for stream, event in decided)
    return max((number for numbers in wanted for number in numbers), default=0)


def _required(work: UnitOfWork, stream: Stream, event: Event) -> dict[str, int]:
    """How many approvals each environment wants of those that the event concerns, where any are wanted."""
    project = work.project(stream.project)
    approvals = project.approvals if project else {}
    if isinstance(event, EVERYWHERE) or (
        isinstance(event, FlagDetailsChanged) and event.client_visible is not None
    ):
        return approvals
    environment = getattr(event, "environment", None) if stream.kind in {"flag", "plan"} else None
    return {environment: approvals[environment]} if environment in approvals else {}
