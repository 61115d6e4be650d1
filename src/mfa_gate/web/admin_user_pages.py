"""The profile of one person, and what an administrator or the help desk may do for them."""

from typing import Literal, get_args

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.throttle import FOREVER
from mfa_gate.flows.acting import clean_reason
from mfa_gate.flows.reporting import Profile
from mfa_gate.flows.results import NotAllowed, NotFound, ReasonMissing, SignedOut, WasReset, Why
from mfa_gate.flows.visitor import ADMIN_SECONDS, FRESH_SECONDS
from mfa_gate.web.admin_views import AdminUser, NoResetReason
from mfa_gate.web.admins import EVERYBODY, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.lines import history_lines, session_lines, way_lines
from mfa_gate.web.notices import tell, told
from mfa_gate.web.proving import freshly_verified
from mfa_gate.web.views import Confirm

Notice = Literal["reset", "signed_out"]


def _show(caller: Caller) -> GateResponse:
    profile = _profile(caller)
    return caller.call.say("not_found") if profile is None else caller.show(_view(caller, profile))


def _reset(caller: Caller, form: Form) -> GateResponse:
    profile = _profile(caller)
    if profile is None:
        return caller.call.say("not_found")
    reason = form.get("reason")
    if clean_reason(reason) is None:
        # Before a code is spent for nothing.
        return caller.show(_view(caller, profile, reason=reason, reason_missing=True), status=422)
    page = f"admin/users/{profile.account.id}"
    confirm = Confirm(
        act="reset_person",
        action=f"{page}/reset",
        fields=(("reason", reason),),
        subject=_name(profile),
        back=page,
    )
    fresh = freshly_verified(caller, form, confirm, power="administer")
    if isinstance(fresh, GateResponse):
        return fresh
    result = fresh.call.services.administration.reset(
        fresh.visitor, profile.account.id, reason, fresh.call.now
    )
    match result:
        case WasReset():
            return tell(fresh, page, "reset")
        case NotFound():
            return fresh.call.say("not_found")
        case NotAllowed(reason="nothing_set_up"):
            return fresh.go(page)
        case NotAllowed():
            return fresh.call.say("not_allowed")
        case ReasonMissing():
            return fresh.show(_view(fresh, profile, reason=reason, reason_missing=True), status=422)
        case _:
            return fresh.show(confirm)


def _sign_out(caller: Caller, form: Form) -> GateResponse:
    profile = _profile(caller)
    if profile is None:
        return caller.call.say("not_found")
    page = f"admin/users/{profile.account.id}"
    confirm = Confirm(act="end_session", action=f"{page}/sign-out", back=page)
    fresh = freshly_verified(caller, form, confirm, power="administer", max_age=ADMIN_SECONDS)
    if isinstance(fresh, GateResponse):
        return fresh
    administration, now = fresh.call.services.administration, fresh.call.now
    match administration.sign_out_person(fresh.visitor, profile.account.id, now):
        case SignedOut():
            return tell(fresh, page, "signed_out")
        case NotFound():
            return fresh.call.say("not_found")
        case NotAllowed():
            return fresh.call.say("not_allowed")
        case _:
            return fresh.show(confirm)


def _profile(caller: Caller) -> Profile | None:
    call = caller.call
    found = call.services.reporting.profile(call.params["id"], call.now)
    return None if isinstance(found, NotFound) else found


def _name(profile: Profile) -> str:
    return profile.account.name or profile.account.subject


def _view(caller: Caller, profile: Profile, *, reason: str = "", reason_missing: bool = False) -> AdminUser:
    call, visitor, account = caller.call, caller.visitor, profile.account
    administration, url = call.services.administration, call.url
    opens_at = account.opens_at if account.is_paused(call.now) else FOREVER
    return AdminUser(
        id=account.id,
        name=_name(profile),
        email=account.email or None,
        subject=account.subject,
        groups=account.groups,
        status=profile.standing.status,
        required=profile.standing.required,
        because=profile.standing.because,
        since=account.two_step_since or None,
        paused_until=None if opens_at >= FOREVER else opens_at,
        last_confirmed_at=account.last_verified_at or None,
        ways=way_lines(account, call.now, may_replace=False),
        recovery_left=len(account.recovery.hashes) if account.recovery else None,
        sessions=session_lines(profile.sessions, visitor.session),
        history=history_lines(profile.history),
        history_href=url("admin/audit", person=account.subject) if caller.role == "admin" else None,
        no_reset=_no_reset(administration.why_not_reset(visitor, account)),
        needs_code=not visitor.may("administer", call.now, FRESH_SECONDS),
        reason=reason,
        reason_missing=reason_missing,
        may_sign_out=administration.why_not_sign_out(visitor, account) is None,
        notice=told(caller, get_args(Notice)),
    )


def _no_reset(why: Why | None) -> NoResetReason | None:
    if why is None:
        return None
    return next((reason for reason in get_args(NoResetReason) if reason == why), "not_allowed")


show_user = shows_to(EVERYBODY, _show)
take_reset = takes_from(EVERYBODY, _reset, back="admin/users/{id}")
take_person_sign_out = takes_from(EVERYBODY, _sign_out, back="admin/users/{id}")
