"""What may be changed about the policy, within which limits, and which changes make it weaker; it writes nothing."""

from typing import Final, Literal, get_args

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import FactorKind
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.messages import printable
from mfa_gate.core.policy import DAY, HOUR, GraceFrom, GroupFactors, Policy

PolicyField = Literal[
    "require_two_step",
    "remind_while_off",
    "required_groups",
    "left_out_groups",
    "allowed_factors",
    "group_factors",
    "session_ttl_seconds",
    "idle_ttl_seconds",
    "mobile_ttl_seconds",
    "desktop_ttl_seconds",
    "closed_clients",
    "remember_seconds",
    "grace_seconds",
    "grace_from",
    "first_required_at",
    "longest_exemption_seconds",
]

FIELDS: Final[tuple[PolicyField, ...]] = get_args(PolicyField)
MOST_GROUPS: Final = 50
LONGEST_GROUP: Final = 200
LONGEST_WORDS: Final = 1_000
"""What the trail says of one field, at most; the history has all of it."""
SETTABLE: Final[tuple[FactorKind, ...]] = ("totp",)
"""The kinds of factor that people can set up; without one of them nobody could begin."""
RANGES: Final[tuple[tuple[PolicyField, int, int], ...]] = (
    ("session_ttl_seconds", 5 * 60, 24 * HOUR),
    ("idle_ttl_seconds", 60, 24 * HOUR),
    ("remember_seconds", 0, 30 * DAY),
    ("mobile_ttl_seconds", HOUR, 90 * DAY),
    ("desktop_ttl_seconds", HOUR, 90 * DAY),
    ("grace_seconds", 0, 365 * DAY),
    ("longest_exemption_seconds", DAY, 365 * DAY),
)
"""The shortest and the longest of each span. Cookies carry a session for a day (NIST SP 800-63B-4 §2.2.3)."""


class PolicyChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be changed; None leaves a thing as it is.

    `grace_anew`: the grace period is counted from now on, also for those whose time was over.
    """

    require_two_step: bool | None = None
    remind_while_off: bool | None = None
    required_groups: tuple[str, ...] | None = None
    left_out_groups: tuple[str, ...] | None = None
    allowed_factors: tuple[FactorKind, ...] | None = None
    group_factors: tuple[GroupFactors, ...] | None = None
    session_ttl_seconds: int | None = None
    idle_ttl_seconds: int | None = None
    mobile_ttl_seconds: int | None = None
    desktop_ttl_seconds: int | None = None
    closed_clients: tuple[NativeKind, ...] | None = None
    remember_seconds: int | None = None
    grace_seconds: int | None = None
    grace_from: GraceFrom | None = None
    grace_anew: bool = False
    longest_exemption_seconds: int | None = None


class Unfit(msgspec.Struct, frozen=True, kw_only=True):
    """The policy cannot be like this: which field, and what to mend."""

    field: PolicyField
    why: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One field of two policies, in plain words."""

    field: PolicyField
    before: str
    after: str


def changed(before: Policy, changes: PolicyChanges, now: int) -> Policy | Unfit:
    """The policy with `changes`, if it can be like that."""
    given = {
        name: value
        for name, value in msgspec.structs.asdict(changes).items()
        if value is not None and name != "grace_anew"
    }
    after = replace(before, **given)
    # Security: set once and moved only when somebody asks for that, or turning the policy off and on would give new
    # time to everybody.
    since = 0 if changes.grace_anew else before.first_required_at or _first_known(before)
    after = replace(
        after,
        required_groups=_each_once(after.required_groups),
        left_out_groups=_each_once(after.left_out_groups),
        allowed_factors=tuple(dict.fromkeys(after.allowed_factors)),
        group_factors=tuple(rule for rule in after.group_factors if rule.group.strip()),
        closed_clients=tuple(sorted(set(after.closed_clients))),
        first_required_at=since or (now if after.require_two_step else 0),
        forget_before=_forgotten(before, after, now),
    )
    return _misfit(after) or after


def differences(before: Policy, after: Policy) -> tuple[Difference, ...]:
    """What is not the same in two policies; who changed them when and why does not count."""
    told = ((field, in_words(before, field), in_words(after, field)) for field in FIELDS)
    return tuple(
        Difference(field=field, before=old, after=new)
        for field, old, new in told
        if getattr(before, field) != getattr(after, field) and not _comes_along(before, field)
    )


def weakens(before: Policy, after: Policy) -> bool:
    """True if anybody may be asked for less than before. When in doubt, they may."""
    outside = not before.required_groups or not set(before.required_groups) <= set(after.required_groups)
    return (
        (before.require_two_step and not after.require_two_step)
        or (bool(after.required_groups) and outside)
        or not set(after.left_out_groups) <= set(before.left_out_groups)
        or not set(after.allowed_factors) <= set(before.allowed_factors)
        or not _takes_away(before.group_factors, after.group_factors)
        or after.session_ttl_seconds > before.session_ttl_seconds
        or after.idle_ttl_seconds > before.idle_ttl_seconds
        or after.mobile_ttl_seconds > before.mobile_ttl_seconds
        or after.desktop_ttl_seconds > before.desktop_ttl_seconds
        or not set(before.closed_clients) <= set(after.closed_clients)
        or after.remember_seconds > before.remember_seconds
        or after.grace_seconds > before.grace_seconds
        or (after.grace_from != before.grace_from and after.grace_seconds > 0)
        or after.first_required_at > before.first_required_at > 0
        or after.longest_exemption_seconds > before.longest_exemption_seconds
    )


def policy_changed(before: Policy, after: Policy, actor: Actor, now: int, reason: str) -> Event:
    """The event of a change; `require_two_step` and `before` are there only if the switch was turned."""
    details = {"version": str(before.version + 1)}
    for difference in differences(before, after):
        if difference.field == "require_two_step":
            details |= {"require_two_step": difference.after, "before": difference.before}
        else:
            details[difference.field] = f"{difference.before} → {difference.after}"
    return Event(
        kind="policy_changed",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details=details | ({"reason": reason} if reason else {}),
        notify=("admins",),
    )


def in_words(policy: Policy, field: PolicyField) -> str:
    """A field as the trail and the history say it."""
    value = getattr(policy, field)
    if field == "group_factors":
        value = tuple(f"{rule.group}: {' + '.join(rule.factors)}" for rule in policy.group_factors)
    if isinstance(value, tuple):
        return printable(", ".join(value), LONGEST_WORDS) or "none"
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _comes_along(before: Policy, field: PolicyField) -> bool:
    """The day on which two-step was first required says nothing beside the switch that was turned then."""
    return field == "first_required_at" and not before.first_required_at


def _takes_away(before: tuple[GroupFactors, ...], after: tuple[GroupFactors, ...]) -> bool:
    """True if every group may at most what it might before."""
    return all(
        any(rule.group == other.group and set(other.factors) <= set(rule.factors) for other in after)
        for rule in before
    )


def _forgotten(before: Policy, after: Policy, now: int) -> int:
    """Before when a browser must have been remembered to be forgotten for good, as of this change.

    # Security: what was over under the shorter lifetime stays over, or turning the policy off and on, or shorter and
    longer again, would bring browsers back that somebody had thought gone.
    """
    if not before.remember_seconds:
        return before.forget_before
    shorter = min(before.remember_seconds, after.remember_seconds)
    return max(before.forget_before, now - shorter + 1)


def _first_known(policy: Policy) -> int:
    """Since when two-step has been required at the latest, where nobody has written down when that began."""
    return policy.changed_at if policy.require_two_step else 0


def _each_once(groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that have a name, in their order, each once."""
    return tuple(group for group in dict.fromkeys(groups) if group.strip())


def _misfit(policy: Policy) -> Unfit | None:
    for field, least, most in RANGES:
        if not least <= getattr(policy, field) <= most:
            return Unfit(field=field, why=f"Give {least} to {most} seconds.")
    named: tuple[tuple[PolicyField, tuple[str, ...]], ...] = (
        ("required_groups", policy.required_groups),
        ("left_out_groups", policy.left_out_groups),
        ("group_factors", tuple(rule.group for rule in policy.group_factors)),
    )
    for field, groups in named:
        if len(groups) > MOST_GROUPS or any(len(group) > LONGEST_GROUP for group in groups):
            why = f"Name at most {MOST_GROUPS} groups, with at most {LONGEST_GROUP} characters each."
            return Unfit(field=field, why=why)
    ways: tuple[tuple[PolicyField, tuple[FactorKind, ...]], ...] = (
        ("allowed_factors", policy.allowed_factors),
        *(("group_factors", rule.factors) for rule in policy.group_factors),
    )
    for field, kinds in ways:
        if not set(kinds) & set(SETTABLE):
            why = f"Name at least one way that people can set up ({', '.join(SETTABLE)})."
            return Unfit(field=field, why=why)
    return None
