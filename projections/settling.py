"""A stream as far as it can be projected: what cannot be freezes it at its last good version."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from commands.log_reading import Record, Unreadable, said_of
from domain.access import ApiKey
from domain.aggregates import EVOLVE, Folded, State
from domain.envelope import Recorded
from projections.documents import Documents, documents_of
from projections.frozen import Frozen


class Settled(NamedTuple):
    """`folded` is the last good version, None where there never was one; `frozen` says what came after it."""

    folded: Folded | None
    documents: Documents
    frozen: Frozen | None


def settle(
    records: Iterable[Record],
    environments: Sequence[str],
    whole: Callable[[], Sequence[Record]],
    before: Folded | None = None,
) -> Settled:
    """The documents of the longest run of events, from the first on, that folds and can be written down.

    An API key that is frozen has none, and so is not in force.
    `records` follow on `before`; `whole` gives the stream from its first event, for when the last state
    cannot be written down and an earlier one has to be found.
    """
    folded, frozen = fold_good(records, before)
    try:
        documents = documents_of(folded, environments) if folded else {}
        if frozen and folded and isinstance(folded.state, ApiKey):
            documents = dict.fromkeys(documents)  # it may have been revoked: a key in doubt opens nothing
        return Settled(folded, documents, frozen)
    except Exception as problem:  # whatever it is, only this stream has it
        assert folded is not None
        return _last_that_can_be_written(whole(), environments, _frozen(folded.position, problem))


def fold_good(records: Iterable[Record], before: Folded | None) -> tuple[Folded | None, Frozen | None]:
    """As far as it folds, and what stopped it."""
    state, first, last, frozen = before.state if before else None, None, None, None
    for record in records:
        if isinstance(record, Unreadable):
            frozen = Frozen(record.position, record.problem)
            break
        try:
            state = EVOLVE[record.stream.kind](state, record.event)
        except Exception as problem:  # as above
            frozen = _frozen(record.position, problem, record)
            break
        first, last = first or record, record
    return (_folded(before, state, first, last) if first and last and state else before), frozen


def _folded(before: Folded | None, state: State, first: Recorded, last: Recorded) -> Folded:
    begun, created = (before.begun, before.created) if before else (first.position, first.stamp)
    return Folded(last.stream, state, last.version, last.position, begun, created, last.stamp)


def _last_that_can_be_written(
    records: Sequence[Record], environments: Sequence[str], frozen: Frozen
) -> Settled:
    states: list[Folded] = []
    for record in records:
        folded, stopped = fold_good([record], states[-1] if states else None)
        if stopped or folded is None:
            break
        states.append(folded)
    for folded in reversed(states):
        try:
            return Settled(folded, documents_of(folded, environments), frozen)
        except Exception as problem:  # as above
            frozen = _frozen(folded.position, problem)
    return Settled(None, {}, frozen)


def _frozen(position: int, problem: Exception, record: Recorded | None = None) -> Frozen:
    what = f"{type(record.event).__name__} does not follow" if record else "what it leads to cannot be served"
    return Frozen(position, f"{what}: {said_of(problem)}")
