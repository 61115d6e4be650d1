"""The setup wizard: choose, scan and confirm, save the codes, go on. What may come next stands in `core.enrollment`."""

from markupsafe import Markup
from msgspec.structs import replace

from mfa_gate.core.enrollment import State, next_state
from mfa_gate.core.messages import GateResponse, printable
from mfa_gate.core.policy import standing
from mfa_gate.core.throttle import Waiting, throttle
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.factors import recovery, totp
from mfa_gate.flows.results import Enrolled, NeedsVerification, NotAllowed, Started, Unconfirmed
from mfa_gate.web import answers
from mfa_gate.web.ahead import step_up_for
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.notices import tell
from mfa_gate.web.protect import shows, takes
from mfa_gate.web.proving import paused, retry_after
from mfa_gate.web.verify_pages import bound
from mfa_gate.web.views import (
    CodeProblem,
    Confirm,
    Pause,
    SetupChoose,
    SetupCodes,
    SetupDone,
    SetupScan,
    SetupWay,
)

CONFIRM_REPLACING = Confirm(act="replace_way", action="account/replace")


def begin(caller: Caller, setup_code: str) -> GateResponse:
    """Start an enrollment in this browser, and lead to the page that shows its key."""
    call = caller.call
    begun = call.services.self_service.start_enrollment(
        caller.visitor, caller.pending.id, setup_code, call.now
    )
    match begun:
        case Started():
            return caller.enrolling(begun.challenge).go("setup")
        case NotAllowed(reason="setup_code_required"):
            return caller.show(_choose(caller, "missing"), status=422)
        case NotAllowed():
            return call.say("not_allowed")
        case Paused(until=until):
            view = _choose(caller, pause=paused(until))
            return caller.show(view, status=429, headers=retry_after(until, call.now))
        case Rejected():
            return caller.show(_choose(caller, "wrong"), status=422)
        case NeedsVerification():
            return caller.go("verify")


def _show(caller: Caller) -> GateResponse:
    caller = bound(caller)
    begun = _begun(caller)
    if begun is not None:
        return caller.show(_scan(begun))
    caller = caller.enrolling(None)
    if not caller.visitor.account.has_factor:
        return caller.show(_choose(caller))
    return caller.leave() if caller.pending.next else caller.go("account")


def _take_choice(caller: Caller, form: Form) -> GateResponse:
    if next_state(_state(caller), "start") != "scan":
        return caller.go("setup")
    return (
        begin(caller, form.get("setup_code")) if form.get("how") == "totp" else caller.call.say("bad_request")
    )


def _confirm(caller: Caller, form: Form) -> GateResponse:
    call, code, challenge = caller.call, form.get("code"), caller.pending.enrollment
    if challenge is None:
        return _afresh(caller, tries_over=False) if caller.lapsed else caller.go("setup")
    begun = _begun(caller)
    if begun is not None and not code.strip():
        return caller.show(_scan(begun, "missing"), status=422)
    result = call.services.self_service.confirm_enrollment(
        caller.visitor, caller.pending.id, challenge, code, "", call.now
    )
    match result:
        case Enrolled(replaced=True, opened=opened):
            return tell(caller.with_session(opened), "account", "way_replaced")
        case Enrolled(codes=codes, opened=opened):
            return caller.with_session(opened).show(SetupCodes(codes=codes))
        case Unconfirmed(tries_left=left) if left and begun is not None:
            return caller.show(_scan(begun, "wrong"), status=422)
        case _:
            return _afresh(caller, tries_over=isinstance(result, Unconfirmed))


def _afresh(caller: Caller, *, tries_over: bool) -> GateResponse:
    """The secret is void: another, where nothing but a click would be asked for it."""
    call = caller.call
    begun = call.services.self_service.start_enrollment(caller.visitor, caller.pending.id, "", call.now)
    match begun:
        case Started():
            view = replace(_scan(begun), fresh_secret=True, tries_over=tries_over)
            return caller.enrolling(begun.challenge).show(view, status=422)
        case NeedsVerification() if caller.visitor.session is not None:
            return caller.enrolling(None).show(CONFIRM_REPLACING)
        case _:
            return caller.enrolling(None).go("setup")


def _go_back(caller: Caller, _: Form) -> GateResponse:
    caller = caller.enrolling(None)
    return (
        tell(caller, "account", "setup_cancelled")
        if caller.visitor.account.has_factor
        else caller.go("setup")
    )


def _do_later(caller: Caller, _: Form) -> GateResponse:
    call = caller.call
    if isinstance(call.services.self_service.put_off(caller.visitor, call.now), NotAllowed):
        return caller.go("setup")
    caller = caller.enrolling(None)
    if _is_ours(caller, caller.pending.next):
        # It would only lead here again.
        return caller.leading_to("").go("account")
    return caller.leave()


def _take_saved(caller: Caller, _: Form) -> GateResponse:
    return _done(caller) if next_state(_state(caller), "saved") == "done" else caller.go("setup")


def _download(caller: Caller, form: Form) -> GateResponse:
    """What the page shows, as a file. The codes are not kept anywhere, so the page sends them back.

    Security: nothing but codes comes back, so this is no way to make the portal's origin serve somebody's text.
    """
    codes = form.get("codes").split()
    if not 0 < len(codes) <= recovery.CODES or any(recovery.normalize(code) != code for code in codes):
        return caller.call.say("bad_request")
    disposition = ("content-disposition", 'attachment; filename="recovery-codes.txt"')
    return answers.text("".join(f"{code}\n" for code in codes), headers=(disposition,))


def _done(caller: Caller, *, elsewhere: bool = False) -> GateResponse:
    """The end of the wizard. `elsewhere`: another tab may still show the codes, and then leads to the same page."""
    place = caller.pending.next.partition("?")[0]
    # Our own pages have no address that says anything to the person.
    words = "" if _is_ours(caller, place) else printable(place, 60) or None
    view = SetupDone(continue_url=caller.leads_to, continue_text=words)
    caller = caller.enrolling(None)
    return (caller if elsewhere else caller.leading_to("")).show(view)


def _begun(caller: Caller) -> Started | None:
    """The enrollment that this browser is on, while it can be confirmed."""
    call = caller.call
    shown = call.services.self_service.shown_enrollment(
        caller.visitor, caller.pending.id, caller.pending.enrollment or "", call.now
    )
    return shown if isinstance(shown, Started) else None


def _state(caller: Caller) -> State:
    if _begun(caller) is not None:
        return "scan"
    return "codes" if caller.visitor.account.has_factor else "choose"


def _choose(caller: Caller, problem: CodeProblem | None = None, *, pause: Pause | None = None) -> SetupChoose:
    account, now = caller.visitor.account, caller.call.now
    stands = standing(account, caller.visitor.policy, now)
    ahead = step_up_for(caller) if stands.by_exemption else None
    state = throttle(account.setup_code.strikes, now) if account.setup_code else None
    return SetupChoose(
        ways=(SetupWay(kind="totp"),),
        required=stands.applies,
        confirms_for=ahead,
        # Later would only lead here again.
        deadline=None if ahead else stands.deadline,
        may_wait=not stands.required and not ahead,
        asks_setup_code=caller.call.services.self_service.asks_setup_code(account),
        setup_code_problem=problem,
        pause=pause or (paused(state.until) if isinstance(state, Waiting) else None),
        for_admin=_is_ours(caller, caller.pending.next),
    )


def _scan(begun: Started, problem: CodeProblem | None = None) -> SetupScan:
    return SetupScan(
        qr_svg=Markup(totp.qr_svg(begun.uri)),  # noqa: S704 -- squares of our own, with none of the person's text
        key_groups=totp.groups_of_four(begun.secret),
        otpauth_uri=begun.uri,
        problem=problem,
        may_go_back=True,
    )


def _is_ours(caller: Caller, place: str) -> bool:
    """Whether a way leads to one of our own pages; before there is two-step, that is one of administration."""
    return place == caller.call.mount or place.startswith(f"{caller.call.mount}/")


def _unverified(caller: Caller) -> GateResponse | None:
    """Whoever has two-step, and has not confirmed, gets nothing of the wizard."""
    stands_outside = caller.visitor.account.has_factor and caller.visitor.session is None
    return bound(caller).go("verify") if stands_outside else None


def _not_enrolled(caller: Caller) -> GateResponse | None:
    return _unverified(caller) or (None if caller.visitor.account.has_factor else caller.go("setup"))


def _void_by_now(caller: Caller) -> GateResponse | None:
    """The page with the codes was loaded again, or another tab was quicker: they are set up. Or it took too long."""
    if caller.visitor.account.has_factor:
        return _done(caller, elsewhere=True) if caller.pending.enrollment is None else None
    return _afresh(caller, tries_over=False) if caller.lapsed else None


show_setup = shows(_show, first=_unverified)
take_choice = takes(_take_choice, back="setup", first=_unverified)
take_confirm = takes(_confirm, back="setup", first=_unverified, settled=_void_by_now)
take_back = takes(_go_back, back="setup", first=_unverified)
take_later = takes(_do_later, back="setup", first=_unverified)
take_saved = takes(_take_saved, back="account", first=_not_enrolled)
take_download = takes(_download, back="account", first=_not_enrolled)
