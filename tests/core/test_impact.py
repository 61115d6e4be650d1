"""On which lists somebody would be, were the requirement turned on."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.impact import LISTS, lists_of, turned_on
from mfa_gate.core.policy import DAY, Policy, standing
from tests.core.samples import NEWCOMER, NOW

GRACE = Policy(grace_seconds=DAY, left_out_groups=("robots",))


@pytest.mark.parametrize(
    ("policy", "account", "lists"),
    [
        (Policy(), NEWCOMER, ("stopped",)),
        (GRACE, NEWCOMER, ("has_time",)),
        (GRACE, replace(NEWCOMER, last_verified_at=NOW - 9), ("stopped",)),
        (GRACE, replace(NEWCOMER, groups=("robots",), email=""), ("not_asked",)),
        (Policy(), replace(NEWCOMER, first_seen_at=0, email=""), ("stopped", "never_seen", "without_email")),
    ],
)
def test_each_is_on_exactly_their_lists(policy: Policy, account: Account, lists: tuple[str, ...]) -> None:
    found = lists_of(account, standing(account, turned_on(policy, NOW), NOW))
    assert found == lists
    assert set(found) < set(LISTS)


def test_the_day_of_the_policy_is_that_of_the_first_time() -> None:
    assert turned_on(Policy(), NOW) == Policy(require_two_step=True, first_required_at=NOW)
    again = Policy(first_required_at=5)
    assert turned_on(again, NOW).first_required_at == 5
