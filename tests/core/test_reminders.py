"""Who is reminded, how often, and what stands on the account afterwards."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption, Reminder, Totp
from mfa_gate.core.events import Actor
from mfa_gate.core.policy import DAY, Policy, Standing, standing
from mfa_gate.core.reminders import (
    ROUNDS,
    ReminderRun,
    Template,
    claimed,
    concluded,
    ends_soon,
    is_due,
    told_of_end,
    why_skipped,
)

NOW = 1_000_000
ALICE = Account(id="a" * 32, realm="portal", subject="alice")
ON = Policy(require_two_step=True)
ROOT = Actor(subject="root", realm="portal")
MISSING = standing(ALICE, ON, NOW)


def run(template: Template = "asked", **fields: object) -> ReminderRun:
    return replace(ReminderRun(id="r1", made_at=NOW, by=ROOT, template=template), **fields)


def grace(until: int) -> Standing:
    return Standing(
        status="grace",
        required=False,
        covered=False,
        because="everyone",
        until=until,
        deadline=until,
        reminded=True,
    )


def reminded(at: int, by: str = "r0", **fields: object) -> Account:
    return replace(ALICE, reminder=replace(Reminder(run=by, at=at, outcome="sent"), **fields))


def test_who_has_to_and_has_not() -> None:
    assert why_skipped(ALICE, MISSING, run(), NOW) is None
    assert why_skipped(ALICE, grace(NOW + DAY), run(), NOW) is None


@pytest.mark.parametrize(
    ("account", "policy"),
    [
        (ALICE, Policy()),
        (replace(ALICE, active=False), ON),
        (replace(ALICE, totps=(Totp(id="t", name="", secret=b"", added_at=0),)), ON),
    ],
)
def test_nobody_else(account: Account, policy: Policy) -> None:
    assert why_skipped(account, standing(account, policy, NOW), run(), NOW) == "not_needed"


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (reminded(NOW - DAY + 1), "recent"),
        (reminded(NOW - DAY), None),
        (reminded(NOW), "recent"),
        (reminded(NOW + DAY - 1), "recent"),  # the clock was set back
        (reminded(NOW + DAY), None),
        (reminded(NOW, outcome="claimed"), "recent"),
        (reminded(NOW, outcome="unknown"), "recent"),
        (reminded(NOW, outcome="failed"), None),
        (reminded(NOW, by="r1"), None),  # by this very run, which knows what to do
    ],
)
def test_w20_at_most_one_a_day(account: Account, why: str | None) -> None:
    assert why_skipped(account, MISSING, run(), NOW) == why


@pytest.mark.parametrize(
    ("last", "left", "due"),
    [
        (None, 8 * DAY, False),
        (None, 7 * DAY, True),
        (None, 2 * DAY, True),
        (NOW - 3 * DAY, 5 * DAY, True),
        (NOW - DAY, 5 * DAY, False),
        (NOW - 5 * DAY, 2 * DAY, False),
        (NOW - 5 * DAY, DAY, True),
        (NOW - 100, DAY - 50, True),
        (NOW - 100, DAY - 100, False),
    ],
)
def test_a_deadline_comes_near_twice(last: int | None, left: int, *, due: bool) -> None:
    account = ALICE if last is None else reminded(last)
    near = grace(NOW + left)
    assert is_due(account, near, NOW) is due
    skipped = why_skipped(account, near, run("deadline"), NOW) == "not_needed"
    assert skipped is not due


def test_what_failed_did_not_remind() -> None:
    assert is_due(reminded(NOW - DAY, outcome="failed"), grace(NOW + 5 * DAY), NOW)


def test_who_has_no_deadline_is_not_reminded_of_one() -> None:
    assert MISSING.deadline is None
    assert not is_due(ALICE, MISSING, NOW)


def test_who_has_time_that_has_not_begun_can_be_asked_but_has_no_deadline() -> None:
    policy = replace(ON, grace_seconds=DAY, grace_from="first_seen")
    stands = standing(ALICE, policy, NOW)
    assert (stands.status, stands.deadline) == ("grace", None)
    assert why_skipped(ALICE, stands, run(), NOW) is None
    assert why_skipped(ALICE, stands, run("deadline"), NOW) == "not_needed"


def exempt(left: int, *, given: int = 90 * DAY) -> Account:
    exemption = Exemption(reason="r", approved_by="root", given_at=NOW - given, until=NOW + left)
    return replace(ALICE, exemption=exemption)


@pytest.mark.parametrize(
    ("account", "near"),
    [
        (exempt(8 * DAY), False),
        (exempt(7 * DAY), True),
        (exempt(DAY), True),
        (exempt(0), False),  # it is over
        (exempt(3 * DAY, given=5), False),  # it was given with the week already begun
        (exempt(DAY - 1, given=2 * DAY), True),
        (exempt(DAY - 100, given=5), False),
        (ALICE, False),
    ],
)
def test_the_end_of_an_exemption_comes_near_twice(account: Account, *, near: bool) -> None:
    stands = standing(account, ON, NOW)
    assert ends_soon(account, stands, NOW) is near
    assert not is_due(account, stands, NOW)
    told, events = told_of_end(account, NOW)
    assert not ends_soon(told, standing(told, ON, NOW), NOW)
    assert ends_soon(told, standing(told, ON, NOW + 6 * DAY), NOW + 6 * DAY) is (
        account.exempt_until >= NOW + 7 * DAY
    )
    assert [(each.kind, each.notify, each.details["until"]) for each in events] == [
        ("exemption_ending", ("owner", "admins"), str(account.exempt_until))
    ] * (account.exemption is not None)


def test_an_exemption_that_ends_nothing_ends_untold() -> None:
    account = exempt(DAY)
    later = replace(ON, grace_seconds=9 * DAY, first_required_at=NOW - 7 * DAY)
    for policy in (Policy(), later):
        assert not ends_soon(account, standing(account, policy, NOW), NOW)


def test_nobody_asks_an_exempt_person() -> None:
    account = exempt(DAY)
    assert why_skipped(account, standing(account, ON, NOW), run(), NOW) == "not_needed"
    assert why_skipped(account, standing(account, ON, NOW), run("deadline"), NOW) == "not_needed"
    assert standing(account, ON, NOW).deadline == NOW + DAY
    assert standing(account, Policy(), NOW).deadline is None


def test_a_claim_and_its_end() -> None:
    after = claimed(ALICE, run(round=2), NOW)
    assert after.reminder == Reminder(run="r1", at=NOW, round=2, outcome="claimed")
    sent, events = concluded(after, run(round=2), "sent", "", NOW + 3)
    assert sent.reminder == Reminder(run="r1", at=NOW, round=2, outcome="sent")
    assert [(event.kind, event.actor, event.at, event.details) for event in events] == [
        ("reminder_sent", ROOT, NOW + 3, {"run": "r1"})
    ]


def test_what_was_not_claimed_can_fail() -> None:
    failed, (event,) = concluded(reminded(NOW - 2 * DAY), run(), "failed", "550", NOW)
    assert failed.reminder == Reminder(run="r1", at=NOW, outcome="failed", why="550")
    assert (event.kind, event.details) == ("reminder_failed", {"run": "r1", "answer": "550"})


def test_what_nobody_knows_is_said() -> None:
    _, (event,) = concluded(claimed(ALICE, run(), NOW), run(), "unknown", "", NOW)
    assert (event.kind, event.details) == ("reminder_failed", {"run": "r1", "outcome": "unknown"})


def test_where_a_run_stands() -> None:
    assert run().is_through
    assert not run(users=("a",)).is_through
    assert run(users=("a",), stage=1).is_through
    assert not run(statuses=("missing", "grace"), stage=1).is_through
    assert run(statuses=("missing", "grace"), stage=2).is_through
    assert run().is_open
    assert not run(finished_at=NOW).is_open
    assert not run().is_last_round
    assert run(round=ROUNDS - 1).is_last_round
    assert run(counts={"sent": 2, "failed": 1}).done == 3
