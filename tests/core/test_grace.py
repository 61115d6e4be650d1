"""Until when two-step may be put off: one deadline per account, which nothing but a recorded act makes later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption
from mfa_gate.core.administering import was_reset
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.decision import Allow, Enroll, Known, Outcome, Visit, decide, stands_until
from mfa_gate.core.policy import (
    DAY,
    PUT_OFF_SECONDS,
    Grace,
    GraceFrom,
    PathRule,
    Policy,
    grace_of,
    is_put_off,
    own_begin,
    standing,
)
from mfa_gate.core.throttle import FOREVER
from mfa_gate.core.transitions import enrolled, put_off, seen, turned_off
from tests.core.samples import ACTOR, ADMIN, ALICE, APP, HASHES, NEWCOMER, NOW

FROMS: tuple[GraceFrom, ...] = ("policy", "first_seen", "created")
WEEK = 7 * DAY
ON = Policy(require_two_step=True, grace_seconds=WEEK, first_required_at=NOW)
LONG_KNOWN = replace(NEWCOMER, first_seen_at=NOW - 90 * DAY)
IMPORTED = replace(NEWCOMER, first_seen_at=0, created_at=NOW - 90 * DAY)
TODAY = replace(NEWCOMER, first_seen_at=NOW + 2 * DAY)
EVERYWHERE = PathRule(kind="default", path="/")


@pytest.mark.parametrize(
    ("counts_from", "account", "deadline"),
    [
        ("policy", LONG_KNOWN, NOW + WEEK),
        ("policy", IMPORTED, NOW + WEEK),
        ("policy", TODAY, NOW + WEEK),
        ("first_seen", LONG_KNOWN, NOW + WEEK),
        ("first_seen", IMPORTED, None),
        ("first_seen", TODAY, NOW + 2 * DAY + WEEK),
        ("created", LONG_KNOWN, NOW + WEEK),
        ("created", replace(IMPORTED, created_at=NOW + DAY), NOW + DAY + WEEK),
        ("created", replace(TODAY, created_at=NOW + DAY), NOW + DAY + WEEK),
        ("created", TODAY, NOW + 2 * DAY + WEEK),
    ],
)
def test_one_deadline_per_account(counts_from: GraceFrom, account: Account, deadline: int | None) -> None:
    now = NOW + 2 * DAY
    stands = standing(account, replace(ON, grace_from=counts_from), now)
    assert (stands.status, stands.deadline) == ("grace", deadline)
    assert (stands.required, stands.applies, stands.covered, stands.because) == (
        False,
        True,
        False,
        "everyone",
    )
    assert stands.until == (FOREVER if deadline is None else deadline)


def test_it_ends_by_itself_at_the_second() -> None:
    assert standing(LONG_KNOWN, ON, NOW + WEEK - 1).status == "grace"
    over = standing(LONG_KNOWN, ON, NOW + WEEK)
    assert (over.status, over.required, over.deadline, over.until) == ("missing", True, None, FOREVER)


@pytest.mark.parametrize(
    "policy",
    [
        replace(ON, grace_seconds=0),
        replace(ON, require_two_step=False),
        replace(ON, first_required_at=0),  # required since long before anybody spoke of a grace period
    ],
)
def test_by_default_there_is_none(policy: Policy) -> None:
    stands = standing(LONG_KNOWN, policy, NOW)
    assert (stands.status, stands.deadline) == ("missing", None)


@pytest.mark.parametrize("counts_from", FROMS)
def test_who_ever_had_two_step_has_no_time_to_go_without(counts_from: GraceFrom) -> None:
    """Else turning it off, or a reset by the help desk, would open the account to a password alone."""
    policy = replace(ON, grace_from=counts_from)
    had = enrolled(LONG_KNOWN, APP, HASHES, ACTOR, NOW)[0]
    for account in (turned_off(had, ACTOR, NOW)[0], was_reset(had, ADMIN, "lost", NOW)[0]):
        assert not account.has_factor
        assert account.had_factor
        stands = standing(account, policy, NOW + 1)
        assert (stands.status, stands.required) == ("missing", True)


@pytest.mark.parametrize("counts_from", FROMS)
def test_nothing_that_people_do_moves_the_deadline(counts_from: GraceFrom) -> None:
    policy, later = replace(ON, grace_from=counts_from), NOW + 3 * DAY
    first = standing(LONG_KNOWN, policy, NOW).deadline
    again, _ = seen(LONG_KNOWN, replace(ALICE, name="Another Name", groups=("new",)), later)
    again, _ = put_off(again, ACTOR, later)
    assert standing(again, policy, later).deadline == first


@given(
    st.integers(0, 2 * WEEK), st.integers(0, 2 * WEEK), st.sampled_from(FROMS), st.integers(-WEEK, 4 * WEEK)
)
def test_whatever_the_clock_does_nobody_has_time_outside_of_one_span(
    seen_after: int, made_after: int, counts_from: GraceFrom, shown: int
) -> None:
    """Between the later of two days on record, give or take what servers' clocks differ by, and the grace after it."""
    account = replace(NEWCOMER, first_seen_at=NOW + seen_after, created_at=NOW + made_after)
    begins = NOW + {"policy": 0, "first_seen": seen_after, "created": made_after}[counts_from]
    stands = standing(account, replace(ON, grace_from=counts_from), NOW + shown)
    has_time = begins - SKEW_SECONDS <= NOW + shown < begins + WEEK
    assert stands.status == ("grace" if has_time else "missing")
    assert stands.deadline == (begins + WEEK if has_time else None)


def test_the_end_of_an_exemption_is_no_deadline_where_there_still_is_time() -> None:
    exemption = Exemption(reason="No phone yet", approved_by="root", given_at=NOW, until=NOW + DAY)
    stands = standing(replace(LONG_KNOWN, exemption=exemption), ON, NOW)
    assert (stands.status, stands.until, stands.deadline) == ("exempt", NOW + DAY, NOW + WEEK)
    longer = replace(exemption, until=NOW + 2 * WEEK)
    assert standing(replace(LONG_KNOWN, exemption=longer), ON, NOW).deadline == NOW + 2 * WEEK


def test_a_browser_is_asked_once_a_working_day_and_everything_else_passes() -> None:
    passes = Allow(outcome=Outcome(subject="alice"))
    visit = Visit(rule=EVERYWHERE, identity=ALICE, navigates=True)
    known = Known(account=LONG_KNOWN, session=None, policy=ON)
    asked = decide(visit, known, NOW)
    assert asked == Enroll(by=NOW + WEEK)
    assert decide(replace(visit, navigates=False), known, NOW) == passes
    assert stands_until(replace(visit, navigates=False), known, passes, NOW) == NOW
    after, events = put_off(LONG_KNOWN, ACTOR, NOW)
    assert [event.kind for event in events] == ["setup_put_off"]
    known = replace(known, account=after)
    assert decide(visit, known, NOW) == passes
    assert stands_until(visit, known, passes, NOW) == NOW + PUT_OFF_SECONDS
    assert decide(visit, known, NOW + PUT_OFF_SECONDS - 1) == passes
    assert decide(visit, known, NOW + PUT_OFF_SECONDS) == asked


def test_who_says_later_shortly_before_the_end_passes_until_the_very_second() -> None:
    late = NOW + WEEK - 10
    visit = Visit(rule=EVERYWHERE, identity=ALICE, navigates=True)
    known = Known(account=put_off(LONG_KNOWN, ACTOR, late)[0], session=None, policy=ON)
    decision = decide(visit, known, late)
    assert isinstance(decision, Allow)
    assert stands_until(visit, known, decision, late) == NOW + WEEK
    assert decide(visit, known, NOW + WEEK - 1) == decision
    assert decide(visit, known, NOW + WEEK) == Enroll()


def test_a_later_from_the_future_is_none() -> None:
    account, _ = put_off(LONG_KNOWN, ACTOR, NOW + DAY)
    assert not is_put_off(account, NOW)
    assert is_put_off(account, NOW + DAY)


@given(
    grace_seconds=st.integers(0, 3),
    grace_from=st.sampled_from(FROMS),
    first_required_at=st.integers(0, 6),
    seen_at=st.integers(0, 6),
    created_at=st.integers(0, 6),
    on=st.booleans(),
    passed=st.integers(0, 6),
)
def test_whom_a_policy_gives_time_can_be_told_without_reading_them(
    *,
    grace_seconds: int,
    grace_from: GraceFrom,
    first_required_at: int,
    seen_at: int,
    created_at: int,
    on: bool,
    passed: int,
) -> None:
    policy = Policy(
        require_two_step=on,
        grace_seconds=grace_seconds,
        grace_from=grace_from,
        first_required_at=first_required_at,
    )
    account = replace(NEWCOMER, first_seen_at=seen_at, created_at=created_at)
    grace, now = grace_of(policy, 6 + passed), 6 + passed
    told = grace.everybody or (grace.own is not None and own_begin(account, grace.own) > grace.after)
    assert told == (standing(account, policy, now).status == "grace")


def test_nobody_has_time_before_the_clock_has_come_to_when_it_began() -> None:
    assert grace_of(ON, NOW - SKEW_SECONDS) == Grace(everybody=True)
    assert grace_of(ON, NOW - SKEW_SECONDS - 1) == Grace()
