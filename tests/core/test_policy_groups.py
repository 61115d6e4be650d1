"""Of whom two-step is required by their groups, and which ways the groups leave them."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import FactorKind
from mfa_gate.core.policy import (
    DAY,
    Because,
    GroupFactors,
    Policy,
    allowed_factors,
    standing,
    usable_factors,
)
from mfa_gate.core.sessions import is_live
from tests.core.samples import ALICE, ENROLLED, NEWCOMER, NOW, SESSION

ON = Policy(require_two_step=True)


@pytest.mark.parametrize(
    ("required", "left_out", "theirs", "because", "group"),
    [
        ((), (), (), "everyone", ""),
        ((), (), ("staff",), "everyone", ""),
        (("staff",), (), ("staff", "lab"), "group", "staff"),
        (("lab", "staff"), (), ("staff", "lab"), "group", "lab"),
        (("staff",), (), ("guests",), "outside_groups", ""),
        (("staff",), (), (), "outside_groups", ""),
        ((), ("robots",), ("robots",), "left_out_group", "robots"),
        ((), ("robots",), ("staff",), "everyone", ""),
        (("staff",), ("robots",), ("staff", "robots"), "left_out_group", "robots"),
        # What requires fits every spelling; what leaves out fits its own bytes.
        (("Staff",), (), ("sTAFF ",), "group", "Staff"),
        ((), ("robots",), ("Robots",), "everyone", ""),
        ((), ("robots",), ("robots ",), "everyone", ""),
    ],
)
def test_whom_the_policy_asks(
    required: tuple[str, ...],
    left_out: tuple[str, ...],
    theirs: tuple[str, ...],
    because: Because,
    group: str,
) -> None:
    policy = replace(ON, required_groups=required, left_out_groups=left_out)
    stands = standing(replace(NEWCOMER, groups=theirs), policy, NOW)
    asked = because in {"everyone", "group"}
    assert (stands.because, stands.group, stands.required, stands.applies, stands.reminded) == (
        because,
        group,
        asked,
        asked,
        asked,
    )
    assert stands.status == "missing"


def test_nobody_outside_has_a_deadline() -> None:
    policy = replace(ON, required_groups=("staff",), grace_seconds=DAY, first_required_at=NOW)
    assert standing(NEWCOMER, policy, NOW).deadline is None
    assert standing(replace(NEWCOMER, groups=("staff",)), policy, NOW).deadline == NOW + DAY


def test_reminders_may_go_out_before_anything_is_required() -> None:
    off = Policy(remind_while_off=True, left_out_groups=("robots",))
    stands = standing(NEWCOMER, off, NOW)
    assert (stands.because, stands.required, stands.reminded) == ("policy_off", False, True)
    assert not standing(replace(NEWCOMER, groups=("robots",)), off, NOW).reminded
    assert not standing(ENROLLED, off, NOW).reminded
    assert not standing(replace(NEWCOMER, active=False), off, NOW).reminded
    assert not standing(NEWCOMER, Policy(), NOW).reminded


LAB = GroupFactors(group="Lab", factors=("totp",))


@pytest.mark.parametrize(
    ("theirs", "kinds"),
    [
        ((), ("totp", "recovery_code")),
        (("staff",), ("totp", "recovery_code")),
        (("lab",), ("totp",)),
        (("night", "lab"), ()),
        (("night",), ("recovery_code",)),
    ],
)
def test_groups_take_ways_away_and_add_none(theirs: tuple[str, ...], kinds: tuple[FactorKind, ...]) -> None:
    policy = replace(ON, group_factors=(LAB, GroupFactors(group="night", factors=("recovery_code",))))
    account = replace(ENROLLED, groups=theirs)
    assert allowed_factors(account, policy) == usable_factors(account, policy) == kinds
    narrow = replace(policy, allowed_factors=("recovery_code",))
    assert set(allowed_factors(account, narrow)) <= {"recovery_code"}


def test_a_session_by_a_way_that_the_group_no_longer_has_is_over() -> None:
    by_code = replace(SESSION, factor="recovery_code")
    account = replace(ENROLLED, groups=("lab",))
    assert is_live(by_code, account, ALICE, ON, NOW)
    assert not is_live(by_code, account, ALICE, replace(ON, group_factors=(LAB,)), NOW)
    assert is_live(SESSION, account, ALICE, replace(ON, group_factors=(LAB,)), NOW)
