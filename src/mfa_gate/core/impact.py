"""Whom turning the requirement on would meet, and how; it must not know where people are found."""

from typing import Final, Literal, get_args

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.policy import Policy, Standing

ListName = Literal["stopped", "has_time", "not_asked", "never_seen", "without_email", "traffic"]
"""Who is stopped at the next request; who may choose "later"; whom the policy does not ask; of those whom it asks, who
never signed in and who cannot be reminded by mail; and which requests nobody can be named for."""

LISTS: Final[tuple[ListName, ...]] = get_args(ListName)


def turned_on(policy: Policy, now: int) -> Policy:
    """The policy as it would be if its switch were turned on now."""
    return replace(policy, require_two_step=True, first_required_at=policy.first_required_at or now)


def lists_of(account: Account, stands: Standing) -> tuple[ListName, ...]:
    """The lists on which somebody without two-step and without an exemption would be."""
    if not stands.applies:
        return ("not_asked",)
    found: list[ListName] = ["stopped" if stands.required else "has_time"]
    if not account.first_seen_at:
        found.append("never_seen")
    if not account.email:
        found.append("without_email")
    return tuple(found)
