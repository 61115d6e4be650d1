"""The profile of one person: where they stand and why, what they have, what happened, and what may be done for them."""

from typing import get_args

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.throttle import FOREVER
from mfa_gate.flows.assistance import EndExemption, Exempt, RemoveDevice, Reset, SignOut
from mfa_gate.flows.reporting import Profile
from mfa_gate.flows.results import NotFound, Why
from mfa_gate.web.admin_reminder_pages import may_remind
from mfa_gate.web.admin_views import AdminNotice, AdminUser, NoResetReason
from mfa_gate.web.admins import EVERYBODY, shows_to
from mfa_gate.web.callers import Caller
from mfa_gate.web.lines import (
    browser_lines,
    client_lines,
    exemption_of,
    history_lines,
    session_lines,
    way_lines,
)
from mfa_gate.web.notices import told


def _show(caller: Caller) -> GateResponse:
    profile = profile_of(caller)
    return caller.call.say("not_found") if profile is None else caller.show(profile_view(caller, profile))


def profile_of(caller: Caller) -> Profile | None:
    """The person whom the address names."""
    call = caller.call
    found = call.services.reporting.profile(call.params["id"], call.now)
    return None if isinstance(found, NotFound) else found


def profile_view(caller: Caller, profile: Profile, *, overtaken: bool = False) -> AdminUser:
    """The profile as this caller may see it. `overtaken`: what they wanted was not done, since it had changed."""
    call, visitor, account, now = caller.call, caller.visitor, profile.account, caller.call.now
    why_not, url = call.services.assistance.why_not, call.url
    opens_at = account.opens_at if account.is_paused(now) else FOREVER
    return AdminUser(
        id=account.id,
        name=account.name or account.subject,
        email=account.email or None,
        subject=account.subject,
        groups=account.all_groups,
        status=profile.standing.status,
        required=profile.standing.applies,
        deadline=profile.standing.deadline if profile.standing.applies else None,
        because=profile.standing.because,
        because_group=profile.standing.group or None,
        since=account.two_step_since or None,
        paused_until=None if opens_at >= FOREVER else opens_at,
        exemption=exemption_of(account, now),
        last_confirmed_at=account.last_verified_at or None,
        ways=way_lines(account, now, may_replace=False),
        recovery_left=len(account.recovery.hashes) if account.recovery else None,
        sessions=session_lines(profile.sessions, visitor.session),
        browsers=browser_lines(profile.browsers, visitor.policy, visitor.held),
        clients=client_lines(profile.devices, visitor.policy),
        history=history_lines(profile.history),
        history_href=url("admin/audit", person=account.subject) if caller.role == "admin" else None,
        archived_before=profile.archived_before,
        no_reset=_no_reset(why_not(visitor, Reset, account, now)),
        may_sign_out=why_not(visitor, SignOut, account, now) is None,
        may_remove_client=why_not(visitor, RemoveDevice, account, now) is None,
        may_exempt=why_not(visitor, Exempt, account, now) is None,
        may_end_exemption=why_not(visitor, EndExemption, account, now) is None,
        may_remind=may_remind(caller, account, profile.standing.status),
        notice="overtaken" if overtaken else told(caller, get_args(AdminNotice)),
    )


def _no_reset(why: Why | None) -> NoResetReason | None:
    if why is None:
        return None
    return next((reason for reason in get_args(NoResetReason) if reason == why), "not_allowed")


show_user = shows_to(EVERYBODY, _show)
