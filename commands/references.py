"""What has to hold between aggregates: whatever is referred to exists, and nobody asks in a circle.

Checked when a command is given. Two commands at the same moment can still slip one past; the evaluator is
safe against that, so no lock is taken over more than the stream that changes.
"""

from collections.abc import Callable, Iterable

from commands.unit_of_work import UnitOfWork
from domain.errors import InUse, Invalid
from domain.flag import Flag
from domain.references import flags_asked, leaves, segments_asked, segments_asked_by
from domain.segment import Segment, SegmentDefinition
from domain.targeting import (
    FlagIs,
    Targeting,
)


def refuse_unanswerable_targeting(
    work: UnitOfWork, project: str, environment: str, key: str, targeting: Targeting
) -> None:
    for segment in sorted(segments_asked_by(targeting)):
        _require_segment(work, project, segment)
    for other, variants in flags_asked(targeting).items():
        _require_variants(work, project, other, variants)

    def asked_by(other: str) -> Iterable[str]:
        found = work.flag(project, other)
        return flags_asked(found.targeting(environment)) if found else ()

    _refuse_circle("flag", key, flags_asked(targeting), asked_by)


def refuse_unanswerable_segment(
    work: UnitOfWork, project: str, key: str, definition: SegmentDefinition
) -> None:
    if any(isinstance(leaf, FlagIs) for leaf in leaves(definition.condition)):
        raise Invalid(
            "a segment cannot ask for a flag, as a flag's answer differs between environments;"
            " ask for both in a rule"
        )
    asked = segments_asked([definition.condition])
    for segment in sorted(asked - {key}):
        _require_segment(work, project, segment)

    def asked_by(other: str) -> Iterable[str]:
        found = work.segment(project, other)
        return segments_asked([found.definition.condition]) if found else ()

    _refuse_circle("segment", key, asked, asked_by)


def flags_using(work: UnitOfWork, segment: Segment) -> list[tuple[str, str]]:
    """Flag and environment of each targeting that asks for the segment."""
    return [
        (flag.key, environment)
        for flag in work.flags(segment.project)
        for environment, targeting in _live_targetings(flag)
        if segment.key in segments_asked_by(targeting)
    ]


def segments_using(work: UnitOfWork, segment: Segment) -> list[str]:
    return [
        other.key
        for other in work.segments(segment.project)
        if not other.archived and segment.key in segments_asked([other.definition.condition])
    ]


def refuse_segment_in_use(work: UnitOfWork, segment: Segment) -> None:
    flags = [f"flag '{key}' in {environment}" for key, environment in flags_using(work, segment)]
    segments = [f"segment '{key}'" for key in segments_using(work, segment)]
    _refuse_while_used(f"segment '{segment.key}'", flags + segments)


def refuse_archived_flag_in_use(work: UnitOfWork, flag: Flag) -> None:
    users = [
        f"flag '{other.key}' in {environment}"
        for other in work.flags(flag.project)
        for environment, targeting in _live_targetings(other)
        if flag.key in flags_asked(targeting)
    ]
    _refuse_while_used(f"flag '{flag.key}'", users)


def refuse_variant_in_use(work: UnitOfWork, flag: Flag, variant: str) -> None:
    """Whether other flags ask for the variant; whether the flag itself serves it is the flag's to say."""
    users = [
        f"flag '{other.key}' in {environment}"
        for other in work.flags(flag.project)
        for environment, targeting in _live_targetings(other)
        if variant in flags_asked(targeting).get(flag.key, ())
    ]
    _refuse_while_used(f"variant '{variant}' of flag '{flag.key}'", users)


def _live_targetings(flag: Flag) -> Iterable[tuple[str, Targeting]]:
    return () if flag.archived else flag.environments.items()


def _refuse_while_used(what: str, users: list[str]) -> None:
    if users:
        raise InUse(f"{what} is still asked for by {', '.join(users[:5])}; change that first")


def _require_segment(work: UnitOfWork, project: str, key: str) -> None:
    found = work.segment(project, key)
    if found is None or found.archived:
        raise Invalid(f"there is no segment '{key}' in project '{project}'; create it before asking for it")


def _require_variants(work: UnitOfWork, project: str, key: str, variants: set[str]) -> None:
    found = work.flag(project, key)
    if found is None or found.archived:
        raise Invalid(f"there is no flag '{key}' in project '{project}'; create it before asking for it")
    if unknown := sorted(variants - set(found.variants)):
        raise Invalid(f"flag '{key}' has no variant '{unknown[0]}'; it has {', '.join(found.variants)}")


def _refuse_circle(
    what: str, key: str, asked: Iterable[str], asked_by: Callable[[str], Iterable[str]]
) -> None:
    waiting, seen = list(asked), set[str]()
    while waiting:
        other = waiting.pop()
        if other == key:
            raise Invalid(f"{what} '{key}' would ask for itself, through the {what}s it asks for")
        if other not in seen:
            seen.add(other)
            waiting.extend(asked_by(other))
