"""The page that asks for a code, at sign-in and where a page wants a fresh one, and where it leads afterwards."""

from typing import get_args

from mfa_gate.core.accounts import FactorKind
from mfa_gate.core.assurance import powers
from mfa_gate.core.messages import GateResponse, is_navigation
from mfa_gate.core.policy import usable_factors
from mfa_gate.core.remembered import remembers
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.factors import recovery
from mfa_gate.flows.results import Admitted, Verified
from mfa_gate.web.ahead import rule_ahead, step_up_for
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.pending import way_back
from mfa_gate.web.protect import shows, takes
from mfa_gate.web.proving import pause_of, paused, retry_after
from mfa_gate.web.views import CodeMethod, CodeProblem, Pause, RecoveryCodeUsed, Verify

FEW_CODES = 3
LONGEST_AGE = 24 * 3600


def bound(caller: Caller) -> Caller:
    """The caller on the way to the address's `next`, if it has one that may be gone to."""
    target = caller.call.query.get("next")
    return caller if target is None else caller.leading_to(_allowed(caller, target))


def _bound_by_form(caller: Caller) -> Caller:
    """The caller on the way that the page had, which this tab showed: the cookie knows only the last one shown."""
    sent = caller.call.sent
    target = sent.get("next") if isinstance(sent, Form) else ""
    return caller.leading_to(_allowed(caller, target)) if target else caller


def _allowed(caller: Caller, target: str) -> str:
    call = caller.call
    places, rule = call.services.places, call.services.checker.rule
    return way_back(target, call.request, public_url=places.public_url, mount=places.mount, rule=rule)


def _show(caller: Caller) -> GateResponse:
    caller = _without_a_code(bound(caller))
    if caller.visitor.session is not None and not _must_step_up(caller):
        return caller.leave()
    wanted = caller.call.query.get("factor")
    return caller.show(_view(caller, next((each for each in get_args(CodeMethod) if each == wanted), None)))


def _without_a_code(caller: Caller) -> Caller:
    """The caller in a browser that is remembered: with a session, where that is enough for what is ahead."""
    visitor, call = caller.visitor, caller.call
    if visitor.session is not None or visitor.held is None or _must_step_up(caller):
        return caller
    match call.services.remembering.admit(visitor, call.now):
        case Admitted(opened=opened, kept=kept):
            return caller.with_session(opened).keeping(kept)
        case Rejected():
            # It may be somebody else's who uses this browser, too: it stays unless another one takes its place.
            return caller


def _verify(caller: Caller, form: Form) -> GateResponse:
    caller = _bound_by_form(caller)
    method = next((each for each in get_args(CodeMethod) if each == form.get("factor")), None)
    if method is None:
        return caller.call.say("bad_request")
    if not form.get("code").strip():
        return caller.show(_view(caller, method, "missing"), status=422)
    if method == "totp" and recovery.normalize(form.get("code")) is not None:
        # Its form alone tells, so nobody learns whether it is one. Where none would do, it is a wrong code like others.
        elsewhere = _view(caller, "recovery_code", "misplaced")
        if elsewhere.method == "recovery_code":
            return caller.show(elsewhere, status=422)
    now = caller.call.now
    match caller.call.services.self_service.verify(
        caller.visitor, method, form.get("code"), now, remember=form.get("remember") == "1"
    ):
        case Verified(opened=opened, recovery_left=left, kept=kept):
            verified = caller.with_session(opened)
            if kept is not None:
                verified = verified.keeping(kept)
            if method == "recovery_code" and left <= FEW_CODES:
                return verified.show(RecoveryCodeUsed(left=left, continue_url=verified.leads_to))
            return verified.leave()
        case Paused(until=until):
            closed = pause_of(caller.visitor, method, now) or paused(until)
            return caller.show(
                _view(caller, method, pause=closed), status=429, headers=retry_after(until, now)
            )
        case _:
            return caller.show(_view(caller, method, "wrong"), status=422)


def _view(
    caller: Caller,
    method: CodeMethod | None,
    problem: CodeProblem | None = None,
    *,
    pause: Pause | None = None,
    stale: bool = False,
) -> Verify:
    visitor = caller.visitor
    again = visitor.session is not None
    usable = tuple(
        kind
        for kind in usable_factors(visitor.account, visitor.policy)
        if not again or "step_up" in powers(kind)
    ) or ("totp",)
    shown = method if method in usable else usable[0]
    return Verify(
        method=shown,
        other_methods=tuple(kind for kind in usable if kind != shown),
        step_up=again,
        step_up_for=step_up_for(caller) if again else None,
        problem=problem,
        pause=pause or pause_of(visitor, shown, caller.call.now),
        stale=stale,
        # Our own pages are kept in the cookie only.
        next=_allowed(caller, caller.pending.next) if caller.pending.next else "",
        remember_seconds=_remember_seconds(caller, shown),
    )


def _remember_seconds(caller: Caller, shown: FactorKind) -> int:
    """For how long this browser would be remembered, where that can be chosen now."""
    visitor = caller.visitor
    known = remembers(visitor.account, visitor.policy, visitor.held, caller.call.now)
    return 0 if known or "remember" not in powers(shown) else visitor.policy.remember_seconds


def _must_step_up(caller: Caller) -> bool:
    """Whether a verified person still has to confirm: the page ahead wants it, or the door that sent them here did."""
    rule = rule_ahead(caller)
    ages = [rule.max_age or LONGEST_AGE] if rule is not None and rule.kind == "step_up" else []
    asked = caller.call.query.get("max_age", "")
    # It can be typed by anybody, and then asks for a code that nobody wanted.
    if asked.isascii() and asked.isdigit() and 0 < len(asked) <= 5:
        ages.append(int(asked))
    return any(not caller.visitor.may("step_up", caller.call.now, age) for age in ages)


def _nothing_to_confirm(caller: Caller) -> GateResponse | None:
    """Who has no two-step is led to set it up where it is asked of them, and else has nothing to do here."""
    if caller.visitor.account.has_factor:
        return None
    caller = bound(caller)
    return caller.go("setup") if caller.visitor.policy.require_two_step else caller.leave()


def _void_by_now(caller: Caller) -> GateResponse | None:
    """Another tab was quicker, and there is nothing left to ask; or the page stood open for too long."""
    caller = _bound_by_form(caller)
    if caller.visitor.session is not None and not _must_step_up(caller):
        return caller.leave()
    if not is_navigation(caller.call.request) or not isinstance(caller.call.sent, Form):
        return None
    wanted = caller.call.sent.get("factor")
    method = next((each for each in get_args(CodeMethod) if each == wanted), None)
    return caller.show(_view(caller, method, stale=True), status=403)


show_verify = shows(_show, first=_nothing_to_confirm)
take_verify = takes(_verify, back="verify", first=_nothing_to_confirm, settled=_void_by_now)
