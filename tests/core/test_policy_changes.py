"""What a change makes of the policy, what it cannot be, what the trail says of it, and when it weakens."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.policy import DAY, GroupFactors, Policy
from mfa_gate.core.policy_changes import (
    MOST_GROUPS,
    Difference,
    PolicyChanges,
    PolicyField,
    Unfit,
    changed,
    differences,
    policy_changed,
    weakens,
)
from tests.core.samples import ADMIN, NOW

OFF = Policy(version=4)
ON = replace(OFF, require_two_step=True, first_required_at=NOW - 9 * DAY)
LAB = GroupFactors(group="lab", factors=("totp",))
NIGHT = GroupFactors(group="night", factors=("totp", "recovery_code"))


def after(before: Policy, **fields: object) -> Policy:
    policy = changed(before, PolicyChanges(**fields), NOW)  # type: ignore[arg-type]
    assert isinstance(policy, Policy)
    return policy


def test_what_is_not_named_stays() -> None:
    assert changed(ON, PolicyChanges(), NOW) == ON
    assert after(ON, left_out_groups=("robots",)) == replace(ON, left_out_groups=("robots",))


def test_the_day_of_the_policy_is_set_once() -> None:
    first = after(OFF, require_two_step=True)
    assert first.first_required_at == NOW
    off = changed(first, PolicyChanges(require_two_step=False), NOW + DAY)
    assert isinstance(off, Policy)
    again = changed(off, PolicyChanges(require_two_step=True), NOW + 2 * DAY)
    assert isinstance(again, Policy)
    assert again.first_required_at == NOW
    assert not weakens(off, again)


def test_a_policy_that_was_on_before_days_were_written_down_gives_no_time_by_that() -> None:
    old = Policy(version=4, require_two_step=True, changed_at=NOW - 99)
    assert after(old, idle_ttl_seconds=60).first_required_at == NOW - 99


def test_new_time_is_given_only_where_it_is_asked_for_and_weakens() -> None:
    anew = after(ON, grace_anew=True)
    assert anew.first_required_at == NOW
    assert weakens(ON, anew)
    assert after(replace(ON, require_two_step=False), grace_anew=True).first_required_at == 0


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("session_ttl_seconds", PolicyChanges(session_ttl_seconds=299)),
        ("session_ttl_seconds", PolicyChanges(session_ttl_seconds=DAY + 1)),
        ("idle_ttl_seconds", PolicyChanges(idle_ttl_seconds=59)),
        ("grace_seconds", PolicyChanges(grace_seconds=-1)),
        ("grace_seconds", PolicyChanges(grace_seconds=366 * DAY)),
        ("longest_exemption_seconds", PolicyChanges(longest_exemption_seconds=DAY - 1)),
        ("longest_exemption_seconds", PolicyChanges(longest_exemption_seconds=366 * DAY)),
        ("required_groups", PolicyChanges(required_groups=tuple(map(str, range(MOST_GROUPS + 1))))),
        ("left_out_groups", PolicyChanges(left_out_groups=("a" * 201,))),
        ("allowed_factors", PolicyChanges(allowed_factors=("recovery_code",))),
        ("allowed_factors", PolicyChanges(allowed_factors=())),
        ("group_factors", PolicyChanges(group_factors=(replace(LAB, factors=("recovery_code",)),))),
    ],
)
def test_what_a_policy_cannot_be(field: PolicyField, changes: PolicyChanges) -> None:
    unfit = changed(ON, changes, NOW)
    assert isinstance(unfit, Unfit)
    assert unfit.field == field


def test_names_are_kept_as_they_are_each_once() -> None:
    policy = after(
        ON,
        required_groups=("a", " ", "A", "a"),
        left_out_groups=("", "b c"),
        allowed_factors=("totp", "totp"),
        group_factors=(LAB, replace(LAB, group=" ")),
    )
    assert (policy.required_groups, policy.left_out_groups) == (("a", "A"), ("b c",))
    assert (policy.allowed_factors, policy.group_factors) == (("totp",), (LAB,))
    odd = after(ON, required_groups=("a\nb",))
    assert policy_changed(ON, odd, ADMIN, NOW, "").details["required_groups"] == "none → a\\x0ab"


@pytest.mark.parametrize(
    ("before", "changes", "weaker"),
    [
        (OFF, PolicyChanges(require_two_step=True), False),
        (ON, PolicyChanges(require_two_step=False), True),
        (OFF, PolicyChanges(remind_while_off=True), False),
        (ON, PolicyChanges(required_groups=("staff",)), True),
        (replace(ON, required_groups=("staff",)), PolicyChanges(required_groups=("staff", "lab")), False),
        (replace(ON, required_groups=("staff", "lab")), PolicyChanges(required_groups=("lab",)), True),
        (replace(ON, required_groups=("staff",)), PolicyChanges(required_groups=()), False),
        (ON, PolicyChanges(left_out_groups=("robots",)), True),
        (replace(ON, left_out_groups=("robots",)), PolicyChanges(left_out_groups=()), False),
        (ON, PolicyChanges(allowed_factors=("totp",)), False),
        (
            replace(ON, allowed_factors=("totp",)),
            PolicyChanges(allowed_factors=("totp", "recovery_code")),
            True,
        ),
        (ON, PolicyChanges(group_factors=(LAB,)), False),
        (replace(ON, group_factors=(LAB,)), PolicyChanges(group_factors=()), True),
        (
            replace(ON, group_factors=(NIGHT,)),
            PolicyChanges(group_factors=(replace(NIGHT, factors=("totp",)),)),
            False,
        ),
        (
            replace(ON, group_factors=(LAB,)),
            PolicyChanges(group_factors=(replace(NIGHT, group="lab"),)),
            True,
        ),
        (ON, PolicyChanges(session_ttl_seconds=3600), False),
        (ON, PolicyChanges(session_ttl_seconds=DAY), True),
        (ON, PolicyChanges(idle_ttl_seconds=60), False),
        (ON, PolicyChanges(idle_ttl_seconds=3600), True),
        (ON, PolicyChanges(grace_seconds=DAY), True),
        (replace(ON, grace_seconds=2 * DAY), PolicyChanges(grace_seconds=DAY), False),
        (replace(ON, grace_seconds=DAY), PolicyChanges(grace_from="first_seen"), True),
        (ON, PolicyChanges(grace_from="first_seen"), False),
        (ON, PolicyChanges(longest_exemption_seconds=91 * DAY), True),
        (ON, PolicyChanges(longest_exemption_seconds=89 * DAY), False),
    ],
)
def test_which_changes_ask_less_of_anybody(before: Policy, changes: PolicyChanges, *, weaker: bool) -> None:
    policy = changed(before, changes, NOW)
    assert isinstance(policy, Policy)
    assert weakens(before, policy) is weaker


def test_the_difference_in_plain_words() -> None:
    found = differences(
        ON,
        after(
            ON,
            required_groups=("staff", "lab"),
            group_factors=(LAB, NIGHT),
            grace_anew=True,
            grace_seconds=DAY,
        ),
    )
    assert found == (
        Difference(field="required_groups", before="none", after="staff, lab"),
        Difference(field="group_factors", before="none", after="lab: totp, night: totp + recovery_code"),
        Difference(field="grace_seconds", before="0", after=str(DAY)),
        Difference(field="first_required_at", before=str(NOW - 9 * DAY), after=str(NOW)),
    )
    assert differences(ON, replace(ON, changed_by="somebody", changed_at=1, changed_why="else")) == ()


def test_what_the_trail_says() -> None:
    turned = policy_changed(OFF, after(OFF, require_two_step=True), ADMIN, NOW, "")
    assert turned.details == {"version": "5", "require_two_step": "on", "before": "off"}
    told = policy_changed(ON, after(ON, idle_ttl_seconds=60), ADMIN, NOW, "Shared workstations")
    assert told.details == {"version": "5", "idle_ttl_seconds": "1800 → 60", "reason": "Shared workstations"}
    assert (told.kind, told.account_id, told.actor, told.notify) == (
        "policy_changed",
        "org",
        ADMIN,
        ("admins",),
    )
