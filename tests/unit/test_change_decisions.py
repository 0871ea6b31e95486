"""Change requests: who may do what to one, and when."""

from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from domain import change
from domain.change_events import (
    ChangeApplied,
    ChangeApproved,
    ChangeFailed,
    ChangeProposed,
    ChangeRebased,
    ChangeRejected,
    ChangeScheduled,
    ChangeWithdrawn,
)
from domain.errors import ApprovalRequired, Invalid, NotAllowed, NotFound, WrongStatus
from tests.unit.decisions import Given
from tests.unit.decisions import given as given_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
BASE = {"flag/shop/checkout": 3}
COMMANDS: tuple[Any, ...] = ({"command": "turn_flag_on", "flag": "checkout", "environment": "production"},)


def proposed(*, required: int = 1, apply_at: datetime | None = None) -> ChangeProposed:
    return ChangeProposed(
        project="shop",
        id="c",
        by="ana",
        title="Launch",
        description="",
        commands=COMMANDS,
        base=BASE,
        required=required,
        apply_at=apply_at,
    )


def approved(by: str = "bob", required: int = 1) -> ChangeApproved:
    return ChangeApproved(by=by, at=NOW, comment="fine", required=required)


PROPOSED = proposed()
SCHEDULED = ChangeScheduled(apply_at=LATER)
FAILED = ChangeFailed(at=NOW, why="the flag is archived")
APPLIED = ChangeApplied(by="ana", at=NOW)
OVER = {
    "applied": APPLIED,
    "rejected": ChangeRejected(by="bob", at=NOW, comment="no"),
    "withdrawn": ChangeWithdrawn(by="ana", at=NOW),
}

given = partial(given_of, "change")
propose = partial(
    change.propose,
    project="shop",
    id="c",
    by="ana",
    title="Launch",
    description="",
    commands=COMMANDS,
    base=BASE,
    now=NOW,
)
approve = partial(change.approve, by="bob", comment="fine", required=1, now=NOW)
reject = partial(change.reject, by="bob", comment="no", now=NOW)
withdraw = partial(change.withdraw, by="ana", now=NOW)
rebase = partial(change.rebase, base={"flag/shop/checkout": 4}, required=1, now=NOW)
schedule = partial(change.schedule, apply_at=LATER, required=1, now=NOW)
apply = partial(change.apply, by="ana", required=1, now=NOW)


def status(found: Given) -> str:
    return str(found.state.status)


def test_a_change_is_proposed() -> None:
    assert propose(required=1, apply_at=None) == (PROPOSED,)
    assert status(given(PROPOSED)) == "proposed"
    assert status(given(proposed(required=0))) == "approved"


def test_a_change_that_nobody_has_to_approve_is_scheduled_at_once() -> None:
    assert propose(required=0, apply_at=LATER) == (proposed(required=0, apply_at=LATER), SCHEDULED)
    assert propose(required=1, apply_at=LATER) == (proposed(apply_at=LATER),)


def test_a_time_is_ahead_and_kept_as_utc() -> None:
    sao_paulo = timezone(timedelta(hours=-3))
    (wanted, _) = propose(required=0, apply_at=LATER.astimezone(sao_paulo))
    assert isinstance(wanted, ChangeProposed)
    assert (wanted.apply_at, wanted.apply_at and wanted.apply_at.tzinfo) == (LATER, UTC)
    far = datetime.max.replace(tzinfo=timezone(timedelta(hours=-23)))
    for time, word in ((NOW, "has passed"), (far, "ahead"), (datetime.min.replace(tzinfo=UTC), "passed")):
        with pytest.raises(Invalid, match=word):
            propose(required=0, apply_at=time)
        given(PROPOSED, approved()).when(schedule, apply_at=time).refuses(Invalid, word)


def test_somebody_else_approves_once() -> None:
    given(PROPOSED).when(approve).then(approved())
    given(PROPOSED).when(approve, by="ana").refuses(NotAllowed, "somebody else")
    given(PROPOSED, approved()).when(approve).stays_quiet()
    given().when(approve).refuses(NotFound)
    assert status(given(PROPOSED, approved())) == "approved"
    assert status(given(proposed(required=2), approved(required=2))) == "proposed"
    assert status(given(proposed(required=2), approved(required=2), approved("eva", 2))) == "approved"


def test_the_last_approval_schedules() -> None:
    wanted = proposed(apply_at=LATER, required=2)
    given(wanted).when(approve, required=2).then(approved(required=2))
    given(wanted, approved(required=2)).when(approve, by="eva", required=2).then(
        approved("eva", 2), SCHEDULED
    )
    late = ChangeApproved(by="bob", at=LATER, comment="fine", required=1)
    given(proposed(apply_at=LATER)).when(approve, now=LATER).then(late)


def test_an_approval_more_leaves_it_scheduled_or_failed() -> None:
    for last, stays in ((SCHEDULED, "scheduled"), (FAILED, "failed")):
        given(PROPOSED, approved(), last).when(approve, by="eva").then(approved("eva"))
        assert status(given(PROPOSED, approved(), last, approved("eva"))) == stays


def test_others_reject_and_the_author_withdraws() -> None:
    given(PROPOSED).when(reject).then(OVER["rejected"])
    given(PROPOSED).when(reject, by="ana").refuses(NotAllowed, "withdraw")
    given(PROPOSED, OVER["rejected"]).when(reject).stays_quiet()
    given(PROPOSED).when(withdraw).then(OVER["withdrawn"])
    given(PROPOSED).when(withdraw, by="bob").refuses(NotAllowed, "reject")
    given(PROPOSED, OVER["withdrawn"]).when(withdraw).stays_quiet()
    given(PROPOSED, approved(), SCHEDULED).when(reject).then(OVER["rejected"])


def test_a_rebase_takes_the_approvals_back() -> None:
    rebased = ChangeRebased(base={"flag/shop/checkout": 4}, required=1)
    given(PROPOSED, approved()).when(rebase).then(rebased)
    given(PROPOSED, approved()).when(rebase, base=BASE).stays_quiet()
    after = given(PROPOSED, approved(), FAILED, rebased)
    assert (status(after), after.state.approvals, after.state.failure) == ("proposed", (), "")
    given(proposed(apply_at=LATER)).when(rebase, required=0).then(
        ChangeRebased(base={"flag/shop/checkout": 4}, required=0), SCHEDULED
    )


def test_an_approved_change_is_scheduled_and_put_off() -> None:
    given(PROPOSED).when(schedule).refuses(ApprovalRequired, "needs 1", "has 0")
    given(PROPOSED, approved()).when(schedule).then(SCHEDULED)
    given(PROPOSED, approved(), SCHEDULED).when(schedule).stays_quiet()
    other = LATER + timedelta(hours=1)
    given(PROPOSED, approved(), SCHEDULED).when(schedule, apply_at=other).then(
        ChangeScheduled(apply_at=other)
    )
    given(PROPOSED, approved(), SCHEDULED, FAILED).when(schedule).then(SCHEDULED)
    assert given(PROPOSED, approved(), SCHEDULED).state.due == LATER
    assert given(PROPOSED, approved(), SCHEDULED, FAILED).state.due is None


def test_how_many_approvals_are_needed_is_asked_again_when_it_is_applied() -> None:
    given(PROPOSED, approved()).when(apply).then(APPLIED)
    given(PROPOSED, approved()).when(apply, required=2).refuses(ApprovalRequired, "needs 2", "has 1")
    given(PROPOSED).when(apply, required=0).then(APPLIED)


def test_a_change_that_could_not_be_applied_says_why_and_is_not_over() -> None:
    why = FAILED.why
    given(PROPOSED, approved(), SCHEDULED).when(change.fail, why=why, now=NOW).then(FAILED)
    failed = given(PROPOSED, approved(), SCHEDULED, FAILED)
    assert (status(failed), failed.state.failure) == ("failed", why)
    failed.when(apply).then(APPLIED)


@pytest.mark.parametrize("what", OVER)
def test_what_is_over_is_over(what: str) -> None:
    over = given(PROPOSED, OVER[what])
    assert status(over) == what
    for decide in (approve, rebase, schedule, apply, partial(change.fail, why="", now=NOW)):
        over.when(decide).refuses(WrongStatus, f"was {what} by", "2026-11-22")
    if what == "applied":
        over.when(reject).refuses(WrongStatus, "applied by ana")
        over.when(withdraw).refuses(WrongStatus, "applied by ana")
