"""The policy as a form on a page: what stands in each field, and what is to be changed by one that comes back.

A field that was not touched changes nothing, also where it cannot show the saved value to the second.
"""

from collections.abc import Iterable
from typing import TypeVar, get_args

from mfa_gate.core.accounts import FactorKind
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.policy import DAY, HOUR, GraceFrom, GroupFactors, Policy
from mfa_gate.core.policy_changes import SETTABLE, Difference, PolicyChanges, PolicyField
from mfa_gate.web.forms import Form
from mfa_gate.web.policy_views import ChangeLine, PolicyFields, WayAllowed

Value = TypeVar("Value")
KINDS: tuple[FactorKind, ...] = get_args(FactorKind)
NATIVE: tuple[NativeKind, ...] = get_args(NativeKind)
MINUTE = 60
LONGEST_NUMBER = 12


def fields_of(policy: Policy, *, grace_anew: bool = False, reason: str = "") -> PolicyFields:
    """What stands in the fields."""
    return PolicyFields(
        remind=policy.remind_while_off,
        required_groups="\n".join(policy.required_groups),
        left_out_groups="\n".join(policy.left_out_groups),
        ways=tuple(
            WayAllowed(
                kind=kind,
                allowed=kind in policy.allowed_factors,
                needed=(kind,) == SETTABLE,
                without="\n".join(rule.group for rule in policy.group_factors if kind not in rule.factors),
            )
            for kind in KINDS
        ),
        session_hours=_shown(policy.session_ttl_seconds, HOUR),
        idle_minutes=_shown(policy.idle_ttl_seconds, MINUTE),
        closed=policy.closed_clients,
        remember_days=_shown(policy.remember_seconds, DAY),
        mobile_days=_shown(policy.mobile_ttl_seconds, DAY),
        desktop_days=_shown(policy.desktop_ttl_seconds, DAY),
        grace_days=_shown(policy.grace_seconds, DAY),
        grace_from=policy.grace_from,
        grace_counts_from=policy.first_required_at or None,
        grace_anew=grace_anew,
        exemption_days=_shown(policy.longest_exemption_seconds, DAY),
        reason=reason,
        unusual=tuple(name for name, fields in _PARTS if any(_differs(policy, field) for field in fields)),
    )


def read_changes(form: Form, base: Policy) -> PolicyChanges | PolicyField:
    """What a form that was made from `base` changes; the name of a field that cannot be read."""
    switch = form.get("require_two_step") == "1"
    if form.get("whole") != "1":
        return PolicyChanges(require_two_step=_if_new(switch, base.require_two_step))
    session = _seconds(form.get("session_hours"), HOUR, base.session_ttl_seconds)
    idle = _seconds(form.get("idle_minutes"), MINUTE, base.idle_ttl_seconds)
    remember = _seconds(form.get("remember_days"), DAY, base.remember_seconds)
    grace = _seconds(form.get("grace_days"), DAY, base.grace_seconds)
    exemption = _seconds(form.get("exemption_days"), DAY, base.longest_exemption_seconds)
    mobile = _seconds(form.get("mobile_days"), DAY, base.mobile_ttl_seconds)
    desktop = _seconds(form.get("desktop_days"), DAY, base.desktop_ttl_seconds)
    counts_from = next((each for each in get_args(GraceFrom) if each == form.get("grace_from")), None)
    if session is None:
        return "session_ttl_seconds"
    if idle is None:
        return "idle_ttl_seconds"
    if remember is None:
        return "remember_seconds"
    if grace is None:
        return "grace_seconds"
    if exemption is None:
        return "longest_exemption_seconds"
    if mobile is None:
        return "mobile_ttl_seconds"
    if desktop is None:
        return "desktop_ttl_seconds"
    if counts_from is None:
        return "grace_from"
    closed = tuple(sorted(kind for kind in NATIVE if form.get(f"close_{kind}") == "1"))
    allowed = tuple(kind for kind in KINDS if form.get(f"allow_{kind}") == "1")
    return PolicyChanges(
        require_two_step=_if_new(switch, base.require_two_step),
        remind_while_off=_if_new(form.get("remind") == "1", base.remind_while_off),
        required_groups=_if_new(_lines(form.get("required_groups")), base.required_groups),
        left_out_groups=_if_new(_lines(form.get("left_out_groups")), base.left_out_groups),
        # The order, which only programs can set, is not lost by saving something else.
        allowed_factors=None if set(allowed) == set(base.allowed_factors) else allowed,
        group_factors=_group_factors(form, base),
        session_ttl_seconds=_if_new(session, base.session_ttl_seconds),
        idle_ttl_seconds=_if_new(idle, base.idle_ttl_seconds),
        mobile_ttl_seconds=_if_new(mobile, base.mobile_ttl_seconds),
        desktop_ttl_seconds=_if_new(desktop, base.desktop_ttl_seconds),
        closed_clients=_if_new(closed, base.closed_clients),
        remember_seconds=_if_new(remember, base.remember_seconds),
        grace_seconds=_if_new(grace, base.grace_seconds),
        grace_from=_if_new(counts_from, base.grace_from),
        grace_anew=form.get("grace_anew") == "1",
        longest_exemption_seconds=_if_new(exemption, base.longest_exemption_seconds),
    )


def change_lines(changes: Iterable[Difference]) -> tuple[ChangeLine, ...]:
    """Differences as pages show them."""
    return tuple(ChangeLine(field=each.field, before=each.before, after=each.after) for each in changes)


_PARTS: tuple[tuple[str, tuple[PolicyField, ...]], ...] = (
    ("grace", ("grace_seconds",)),
    ("groups", ("required_groups", "left_out_groups")),
    ("ways", ("allowed_factors", "group_factors")),
    ("times", ("session_ttl_seconds", "idle_ttl_seconds")),
    ("clients", ("closed_clients",)),
    ("browsers", ("remember_seconds",)),
    ("clients", ("closed_clients", "mobile_ttl_seconds", "desktop_ttl_seconds")),
    ("exemptions", ("longest_exemption_seconds",)),
    ("remind", ("remind_while_off",)),
)
_USUAL = Policy()


def _differs(policy: Policy, field: PolicyField) -> bool:
    return bool(getattr(policy, field) != getattr(_USUAL, field))


def _if_new(sent: Value, saved: Value) -> Value | None:
    return None if sent == saved else sent


def _group_factors(form: Form, base: Policy) -> tuple[GroupFactors, ...] | None:
    without = {kind: _lines(form.get(f"without_{kind}")) for kind in KINDS}
    shown = fields_of(base)
    if all(without[way.kind] == _lines(way.without) for way in shown.ways):
        return None
    groups = dict.fromkeys(group for kind in KINDS for group in without[kind])
    return tuple(
        GroupFactors(group=group, factors=tuple(kind for kind in KINDS if group not in without[kind]))
        for group in groups
    )


def _lines(text: str) -> tuple[str, ...]:
    """The names in a field, one a line."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _shown(seconds: int, unit: int) -> str:
    return f"{seconds / unit:.4g}"


def _seconds(text: str, unit: int, saved: int) -> int | None:
    typed = text.strip().replace(",", ".")
    if typed == _shown(saved, unit):
        return saved
    whole, _, part = typed.partition(".")
    digits = whole + part
    if not (digits.isascii() and digits.isdigit() and len(digits) < LONGEST_NUMBER):
        return None
    return round(float(typed) * unit)
