"""What a daily count says of coverage, and that it comes back out of the trail as it went in."""

from msgspec.structs import replace

from mfa_gate.core.coverage import Coverage, GroupCoverage, by_day, counted, coverage_in
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import STATUSES
from mfa_gate.core.policy import DAY

COUNT = Coverage(
    at=20 * DAY + 5,
    counts={"enrolled": 7, "paused": 1, "missing": 2, "inactive": 4, "exempt": 1},
    never_seen=3,
    policy_version=9,
    groups={"staff": GroupCoverage(5, 6), "a/b: c": GroupCoverage(0, 0)},
)


def test_who_counts() -> None:
    assert (COUNT.people, COUNT.covered, COUNT.day) == (11, 8, 20)
    assert (Coverage(at=0, counts={}).people, Coverage(at=0, counts={}).covered) == (0, 0)


def test_a_count_is_an_event_of_the_organization_and_back() -> None:
    event = counted(COUNT)
    assert (event.account_id, event.at, event.details["policy"]) == (ORG, COUNT.at, "9")
    assert coverage_in(event, STATUSES) == COUNT


def test_what_is_no_number_counts_as_none() -> None:
    odd = {"enrolled": "x", "missing": "²", "paused": "-1", "grace": "3", "group:a": "1/x", "other": "1/2"}
    event = replace(counted(COUNT), details=odd | {"group:b": "5", "group:c": "²/3"})
    assert coverage_in(event, STATUSES) == Coverage(at=COUNT.at, counts={"grace": 3})


def test_of_each_day_the_last_counts() -> None:
    late, early, before = (replace(COUNT, at=at) for at in (20 * DAY + 9, 20 * DAY, 18 * DAY))
    assert by_day([late, early, before]) == (before, late)
    assert by_day([]) == ()
