"""Account Settings: how two-step stands for oneself, and what one may do about it; and signing out."""

from typing import get_args

from msgspec.structs import replace

from mfa_gate.core.assurance import powers
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.origins import origin_verdict
from mfa_gate.core.policy import is_exempt, standing
from mfa_gate.core.throttle import FOREVER
from mfa_gate.core.transitions import Paused
from mfa_gate.flows.results import (
    Codes,
    Confirmation,
    Forgotten,
    NeedsVerification,
    NotAllowed,
    NotFound,
    Removed,
    SignedOut,
    TurnedOff,
)
from mfa_gate.web.callers import Call, Caller, identify
from mfa_gate.web.forms import Form
from mfa_gate.web.lines import browser_lines, client_lines, session_lines, way_lines
from mfa_gate.web.notices import tell, told
from mfa_gate.web.protect import accepted, shows, takes
from mfa_gate.web.proving import freshly_verified, paused, retry_after
from mfa_gate.web.setup_pages import CONFIRM_REPLACING, begin
from mfa_gate.web.views import AccountNotice, AccountSettings, Confirm, SetupCodes

CONFIRM_CODES = Confirm(act="new_codes", action="account/recovery-codes")


def _show(caller: Caller) -> GateResponse:
    return caller.show(_view(caller))


def _make_codes(caller: Caller, form: Form) -> GateResponse:
    fresh = freshly_verified(caller, form, CONFIRM_CODES, power="manage_factors")
    if isinstance(fresh, GateResponse):
        return fresh
    match fresh.call.services.self_service.renew_codes(fresh.visitor, fresh.call.now):
        case Codes(codes=codes):
            return fresh.show(SetupCodes(codes=codes, in_wizard=False))
        case NeedsVerification():
            return fresh.show(CONFIRM_CODES)


def _codes_saved(caller: Caller, _: Form) -> GateResponse:
    return tell(caller, "account", "codes_made")


def _replace(caller: Caller, form: Form) -> GateResponse:
    fresh = freshly_verified(caller, form, CONFIRM_REPLACING, power="replace_factor")
    return fresh if isinstance(fresh, GateResponse) else begin(fresh, "")


def _turn_off(caller: Caller, form: Form) -> GateResponse:
    call, code = caller.call, form.get("code")
    if not code.strip():
        return caller.show(replace(_view(caller), turn_off_problem="missing"), status=422)
    result = call.services.self_service.turn_off(
        caller.visitor, Confirmation(factor="totp", code=code), call.now
    )
    match result:
        case TurnedOff():
            return tell(caller.signed_out(), "account", "turned_off")
        case Paused(until=until):
            view = replace(_view(caller), turn_off_pause=paused(until))
            return caller.show(view, status=429, headers=retry_after(until, call.now))
        case NotAllowed(reason="required"):
            return call.say("not_allowed")
        case NeedsVerification():
            return caller.go("verify")
        case _:
            return caller.show(replace(_view(caller), turn_off_problem="wrong"), status=422)


def _end_session(caller: Caller, form: Form) -> GateResponse:
    call = caller.call
    match call.services.self_service.end_session(caller.visitor, form.get("session"), call.now):
        case SignedOut():
            return tell(caller, "account", "session_ended")
        case NotFound():
            return call.say("not_found")
        case NeedsVerification():
            return caller.go("verify")


def _end_others(caller: Caller, _: Form) -> GateResponse:
    match caller.call.services.self_service.end_other_sessions(caller.visitor, caller.call.now):
        case SignedOut():
            return tell(caller, "account", "sessions_ended")
        case NeedsVerification():
            return caller.go("verify")


def _forget(caller: Caller, handle: str | None) -> GateResponse:
    call = caller.call
    match call.services.remembering.forget(caller.visitor, handle, call.now):
        case Forgotten():
            return tell(caller, "account", "browsers_forgotten" if handle is None else "browser_forgotten")
        case NotFound():
            return call.say("not_found")
        case NeedsVerification():
            return caller.go("verify")


def _remove_client(caller: Caller, form: Form) -> GateResponse:
    call = caller.call
    match call.services.devices.remove(caller.visitor, form.get("client"), call.now):
        case Removed():
            return tell(caller, "account", "client_removed")
        case NotFound():
            return call.say("not_found")
        case NeedsVerification():
            return caller.go("verify")


def _forget_one(caller: Caller, form: Form) -> GateResponse:
    return _forget(caller, form.get("browser"))


def _forget_all(caller: Caller, _: Form) -> GateResponse:
    return _forget(caller, None)


def take_sign_out(call: Call) -> GateResponse:
    """End the gate's session, if there is one, and take our cookies away."""
    caller = identify(call)
    if not isinstance(caller, Caller):
        # Nobody is signed in to the portal, and with that the gate's session has ended by itself.
        strange = origin_verdict(call.request, call.services.places.public_url) == "foreign"
        return call.say("form_foreign") if strange else call.goodbye()
    form = accepted(caller, back="account")
    if isinstance(form, GateResponse):
        return form
    call.services.self_service.sign_out(caller.visitor, call.now)
    return call.goodbye()


def _view(caller: Caller) -> AccountSettings:
    visitor, now = caller.visitor, caller.call.now
    account, session = visitor.account, visitor.session
    stands = standing(account, visitor.policy, now)
    opens_at = account.opens_at if account.is_paused(now) else None
    return AccountSettings(
        on=account.has_factor,
        required=stands.required,
        required_from=stands.deadline if stands.applies else None,
        since=account.two_step_since or None,
        exempt_until=account.exempt_until if is_exempt(account, now) else None,
        paused_until=None if opens_at is None or opens_at >= FOREVER else opens_at,
        ways=way_lines(account, now, may_replace=True),
        recovery_left=len(account.recovery.hashes) if account.recovery else None,
        recovery_total=account.recovery.total if account.recovery else 0,
        sessions=session_lines(caller.call.services.self_service.sessions(visitor, now), session),
        browsers=browser_lines(
            caller.call.services.remembering.browsers(visitor, now), visitor.policy, visitor.held
        ),
        clients=client_lines(caller.call.services.devices.devices(visitor, now), visitor.policy),
        may_turn_off=not stands.required and session is not None and "turn_off" in powers(session.factor),
        notice=told(caller, get_args(AccountNotice)),
    )


def _unverified(caller: Caller) -> GateResponse | None:
    """Whoever has two-step confirms before they see or change anything of it."""
    if not caller.visitor.account.has_factor or caller.visitor.session is not None:
        return None
    return caller.leading_to(caller.call.url("account")).go("verify")


def _not_enrolled(caller: Caller) -> GateResponse | None:
    return _unverified(caller) or (None if caller.visitor.account.has_factor else caller.go("account"))


show_account = shows(_show, first=_unverified)
take_new_codes = takes(_make_codes, back="account", first=_not_enrolled)
take_codes_saved = takes(_codes_saved, back="account", first=_not_enrolled)
take_replacing = takes(_replace, back="account", first=_not_enrolled)
take_turning_off = takes(_turn_off, back="account", first=_not_enrolled)
take_session_end = takes(_end_session, back="account", first=_not_enrolled)
take_client_removal = takes(_remove_client, back="account", first=_not_enrolled)
take_others_end = takes(_end_others, back="account", first=_not_enrolled)
take_forgetting = takes(_forget_one, back="account", first=_not_enrolled)
take_forgetting_all = takes(_forget_all, back="account", first=_not_enrolled)
