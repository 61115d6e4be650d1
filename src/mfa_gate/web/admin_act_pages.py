"""What administrators and the help desk do for one person: a page that says what will happen, and its form."""

from collections.abc import Mapping
from typing import get_args

from msgspec.structs import replace

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import is_exempt
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.acting import clean_reason
from mfa_gate.flows.assistance import (
    TERMS,
    Act,
    EndExemption,
    Exempt,
    ForgetBrowser,
    RemoveDevice,
    Reset,
    SignOut,
)
from mfa_gate.flows.reporting import Profile
from mfa_gate.flows.results import (
    Confirmation,
    Done,
    EndRefused,
    NeedsVerification,
    NotAllowed,
    NotFound,
    Overtaken,
    ReasonMissing,
)
from mfa_gate.web.admin_user_pages import profile_of, profile_view
from mfa_gate.web.admin_views import AdminAct, AdminActKind, AdminNotice
from mfa_gate.web.admins import EVERYBODY, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.dates import day_of, end_of_day
from mfa_gate.web.forms import Form
from mfa_gate.web.lines import browser_lines, client_lines, session_lines
from mfa_gate.web.notices import tell
from mfa_gate.web.protect import Handler
from mfa_gate.web.proving import freshly_verified, paused, retry_after

_ACTS: Mapping[AdminActKind, type[Act]] = {
    "reset": Reset,
    "sign_out": SignOut,
    "end_session": SignOut,
    "forget_browser": ForgetBrowser,
    "remove_client": RemoveDevice,
    "exempt": Exempt,
    "end_exemption": EndExemption,
}
_DONE: Mapping[AdminActKind, AdminNotice] = {
    "reset": "reset",
    "sign_out": "signed_out",
    "end_session": "session_ended",
    "forget_browser": "browser_forgotten",
    "remove_client": "client_removed",
    "exempt": "exempted",
    "end_exemption": "exemption_ended",
}
_NOT_FOR_YOU = ("not_allowed", "yourself", "administrator")
_DAY_SECONDS = 24 * 3600
NO_DAY = 0
"""What stands for a day that nobody chose; it is over."""


def _ask(caller: Caller, kind: AdminActKind) -> GateResponse:
    profile = profile_of(caller)
    if profile is None:
        return caller.call.say("not_found")
    # Security: nothing else of the address, so that no link fills in a form of ours.
    named = {name: caller.call.query.get(name, "") for name in ("session", "browser", "client")}
    view = _view(caller, kind, profile, named)
    why = caller.call.services.assistance.why_not(
        caller.visitor, _ACTS[kind], profile.account, caller.call.now
    )
    meant = {"end_session": view.session, "forget_browser": view.browser, "remove_client": view.client}
    gone = meant.get(kind, view) is None
    if why is not None or gone:
        # The profile says why, or shows that it is gone.
        return caller.go(f"admin/users/{profile.account.id}")
    return caller.show(view)


def _do(caller: Caller, kind: AdminActKind, form: Form) -> GateResponse:
    profile = profile_of(caller)
    if profile is None:
        return caller.call.say("not_found")
    call, act = caller.call, _act(caller, kind, form)
    view = replace(
        _view(caller, kind, profile, form.fields),
        reason_missing=clean_reason(form.get("reason")) is None,
        until_wrong=act == Exempt(NO_DAY),
    )
    why = call.services.assistance.why_not(caller.visitor, _ACTS[kind], profile.account, call.now)
    if why is None and (view.reason_missing or view.until_wrong):
        # Before a code is spent for nothing.
        return caller.show(view, status=422)
    terms = TERMS[_ACTS[kind]]
    fresh = freshly_verified(caller, form, view, power="administer", max_age=terms.max_age)
    if isinstance(fresh, GateResponse):
        return fresh
    # A code that has just been spent on the verification confirms nothing else.
    code = form.get("code").strip() if terms.critical and fresh is caller else ""
    result = call.services.assistance.assist(
        fresh.visitor,
        act,
        profile.account.id,
        form.get("reason"),
        call.now,
        revision=form.get("revision"),
        confirmation=Confirmation(factor="totp", code=code) if code else None,
    )
    if isinstance(result, Done):
        return tell(fresh, f"admin/users/{profile.account.id}", _DONE[kind])
    return _not_done(fresh, result, view)


def _not_done(
    caller: Caller,
    result: NotFound
    | NotAllowed
    | ReasonMissing
    | Overtaken
    | EndRefused
    | NeedsVerification
    | Rejected
    | Paused,
    view: AdminAct,
) -> GateResponse:
    call = caller.call
    match result:
        case NotAllowed(reason=why) if why in _NOT_FOR_YOU:
            return call.say("not_allowed")
        case NotAllowed(reason="no_such_factor") | Rejected():
            return caller.show(replace(view, asks_code=True, problem="wrong"), status=422)
        case NotAllowed() | NotFound() | Overtaken():
            profile = profile_of(caller)
            if profile is None:
                return call.say("not_found")
            return caller.show(profile_view(caller, profile, overtaken=True), status=409)
        case ReasonMissing():
            return caller.show(replace(view, reason_missing=True), status=422)
        case EndRefused():
            return caller.show(replace(view, until_wrong=True), status=422)
        case Paused(until=until):
            refused = replace(view, asks_code=True, pause=paused(until))
            return caller.show(refused, status=429, headers=retry_after(until, call.now))
        case NeedsVerification(max_age=max_age):
            missing = "missing" if max_age == 0 else None
            return caller.show(replace(view, asks_code=True, problem=missing), status=422)


def _act(caller: Caller, kind: AdminActKind, form: Form) -> Act:
    """The act that a form means."""
    match kind:
        case "reset":
            return Reset()
        case "sign_out":
            return SignOut()
        case "end_session":
            return SignOut(form.get("session"))
        case "forget_browser":
            return ForgetBrowser(form.get("browser"))
        case "remove_client":
            return RemoveDevice(form.get("client"))
        case "end_exemption":
            return EndExemption()
        case "exempt":
            return Exempt(end_of_day(form.get("until").strip(), caller.call.services.zone) or NO_DAY)


def _view(caller: Caller, kind: AdminActKind, profile: Profile, fields: Mapping[str, str]) -> AdminAct:
    call, visitor, account = caller.call, caller.visitor, profile.account
    terms, zone = TERMS[_ACTS[kind]], call.services.zone
    latest = call.now + visitor.policy.longest_exemption_seconds
    # The last day that is over before the longest time is.
    last = latest if end_of_day(day_of(latest, zone), zone) == latest else latest - _DAY_SECONDS
    running = is_exempt(account, call.now)
    sessions = session_lines(profile.sessions, visitor.session)
    browsers = browser_lines(profile.browsers, visitor.policy, visitor.held)
    clients = client_lines(profile.devices, visitor.policy)
    return AdminAct(
        act=kind,
        id=account.id,
        name=account.name or account.subject,
        # As it was when the form was made; without one, as it is now.
        revision=fields.get("revision", account.revision),
        session=next((line for line in sessions if line.id == fields.get("session")), None),
        browser=next((line for line in browsers if line.id == fields.get("browser")), None),
        client=next((line for line in clients if line.id == fields.get("client")), None),
        exempt_until=account.exempt_until if running else None,
        until=fields.get("until", ""),
        first_day=day_of(call.now, zone),
        last_day=day_of(last, zone),
        latest=last,
        longest_days=visitor.policy.longest_exemption_seconds // _DAY_SECONDS,
        needs_setup_code=kind == "reset" and call.services.self_service.needs_setup_code(account),
        reason=fields.get("reason", ""),
        asks_code=terms.critical or not visitor.may("administer", call.now, terms.max_age),
    )


def _page(kind: AdminActKind) -> Mapping[str, Handler]:
    return {
        "GET": shows_to(EVERYBODY, lambda caller: _ask(caller, kind)),
        "POST": takes_from(EVERYBODY, lambda caller, form: _do(caller, kind, form), back="admin/users/{id}"),
    }


ACT_PAGES: Mapping[str, Mapping[str, Handler]] = {
    f"/admin/users/{{id}}/{kind.replace('_', '-')}": _page(kind) for kind in get_args(AdminActKind)
}
"""The page of each act, below the mount."""
