"""What may stand after `policy set`, and how it is said that something may not."""

import click
import pytest

from mfa_gate.cli.policy_values import read_changes
from mfa_gate.core.policy import DAY, HOUR, GroupFactors
from mfa_gate.core.policy_changes import PolicyChanges


def test_several_at_once() -> None:
    assert read_changes(
        (
            "require_two_step=on",
            "grace_seconds=14d",
            "idle_ttl_seconds=30min",
            "session_ttl_seconds=8h",
            "grace_from=first_seen",
            "required_groups=staff, lab",
            'left_out_groups=["a, b"]',
            "allowed_factors=totp",
            'group_factors=[{"group": "lab", "factors": ["totp"]}]',
            "grace_anew=true",
            "longest_exemption_seconds=30d",
        )
    ) == PolicyChanges(
        require_two_step=True,
        grace_seconds=14 * DAY,
        idle_ttl_seconds=1800,
        session_ttl_seconds=8 * HOUR,
        grace_from="first_seen",
        required_groups=("staff", "lab"),
        left_out_groups=("a, b",),
        allowed_factors=("totp",),
        group_factors=(GroupFactors(group="lab", factors=("totp",)),),
        grace_anew=True,
        longest_exemption_seconds=30 * DAY,
    )
    assert read_changes(("required_groups=",)) == PolicyChanges(required_groups=())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("require_two_step", "nothing that can be set"),
        ("first_required_at=0", "nothing that can be set"),
        ("version=9", "nothing that can be set"),
        ("require_two_step=maybe", "true or false"),
        ("grace_seconds=two weeks", "30min, 12h or 14d"),
        ("grace_seconds=-5", "30min, 12h or 14d"),
        ("grace_from=tomorrow", "Invalid enum value"),
        ("allowed_factors=sms", "Invalid enum value"),
        ("group_factors=lab", "Expected `object`"),
        ("group_factors=[{", "JSON cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(change: str, said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        read_changes((change,))


def test_nothing_is_given_twice() -> None:
    with pytest.raises(click.UsageError, match="given twice"):
        read_changes(("idle_ttl_seconds=60", "idle_ttl_seconds=90"))
