"""Asks for a code where one is due, and says why it was not taken; it must not know what a code is."""

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, FactorKind
from mfa_gate.core.assurance import Power, powers
from mfa_gate.core.messages import GateResponse, Headers
from mfa_gate.core.policy import allowed_factors
from mfa_gate.core.throttle import FOREVER, Free, Strikes, Waiting, throttle
from mfa_gate.core.transitions import Paused
from mfa_gate.factors import recovery
from mfa_gate.flows.results import Verified
from mfa_gate.flows.visitor import FRESH_SECONDS, Visitor
from mfa_gate.web.admin_roster_views import AdminRosterOffer
from mfa_gate.web.admin_views import AdminAct, AdminExport, AdminPeopleExport
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.policy_views import AdminImpactExport
from mfa_gate.web.views import Confirm, Pause


def freshly_verified(
    caller: Caller,
    form: Form,
    confirm: Confirm | AdminAct | AdminExport | AdminPeopleExport | AdminRosterOffer | AdminImpactExport,
    *,
    power: Power,
    max_age: int = FRESH_SECONDS,
) -> Caller | GateResponse:
    """The caller, if their verification is at most `max_age` seconds old or a code came with the form; else `confirm`.

    The page sends the same act again, with the code in it.
    """
    now = caller.call.now
    if caller.visitor.may(power, now, max_age):
        return caller
    if "code" not in form.fields:
        return caller.show(confirm)
    if not form.get("code").strip():
        return caller.show(replace(confirm, problem="missing"), status=422)
    # Who lost the phone may still replace the app; the form of what they type tells which kind it is.
    typed = recovery.normalize(form.get("code"))
    factor: FactorKind = "recovery_code" if typed and power in powers("recovery_code") else "totp"
    match caller.call.services.self_service.verify(caller.visitor, factor, form.get("code"), now):
        case Verified(opened=opened):
            return caller.with_session(opened)
        case Paused(until=until):
            return caller.show(
                replace(confirm, pause=paused(until)), status=429, headers=retry_after(until, now)
            )
        case _:
            return caller.show(replace(confirm, problem="wrong"), status=422)


def paused(until: int, *, others_open: bool = False) -> Pause:
    """A pause as pages tell it."""
    return Pause(until=None if until >= FOREVER else until, others_open=others_open)


def retry_after(until: int, now: int) -> Headers:
    """The header that goes with 429, where waiting helps."""
    return () if until >= FOREVER else (("retry-after", str(max(until - now, 1))),)


def pause_of(visitor: Visitor, kind: FactorKind, now: int) -> Pause | None:
    """Whether codes of this kind are not taken now, and whether others are."""
    until = _closed_until(visitor, kind, now)
    others = (other for other in allowed_factors(visitor.account, visitor.policy) if other != kind)
    return (
        paused(until, others_open=any(not _closed_until(visitor, other, now) for other in others))
        if until
        else None
    )


def _closed_until(visitor: Visitor, kind: FactorKind, now: int) -> int:
    account, known = visitor.account, visitor.is_known
    if account.is_locked and not known:
        return FOREVER
    states = [throttle(strikes, now, known=known) for strikes in _strikes(account, kind)]
    if any(isinstance(state, Free) for state in states):
        return 0
    return min((state.until for state in states if isinstance(state, Waiting)), default=FOREVER)


def _strikes(account: Account, kind: FactorKind) -> tuple[Strikes, ...]:
    if kind == "totp":
        return tuple(totp.strikes for totp in account.totps)
    return (account.recovery.strikes,) if account.recovery and account.recovery.hashes else ()
