"""Settings, Policies, Security: the switch, what it would do, and saving it."""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec.structs import replace

from mfa_gate.core.events import SYSTEM
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy_changes import PolicyChanges, Unfit
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.results import Confirmation, Conflict, NeedsVerification, NotAllowed, PolicyChanged
from mfa_gate.flows.visitor import ADMIN_SECONDS
from mfa_gate.web.admin_views import AdminPolicies, PolicyEffect, TrafficLine
from mfa_gate.web.admins import ADMINS, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.notices import tell, told
from mfa_gate.web.proving import freshly_verified, paused, retry_after
from mfa_gate.web.views import Confirm

FIRST_VERSION = 1
PAGE = "admin/settings/policies"
Saved = Literal["turned_on", "turned_off", "unchanged"]


def _show(caller: Caller) -> GateResponse:
    return caller.show(_view(caller))


def _save(caller: Caller, form: Form) -> GateResponse:
    wanted, version = form.get("require_two_step") == "1", form.get("version")
    if not (version.isascii() and version.isdigit() and len(version) < 19):
        return caller.call.say("bad_request")
    fields = (("version", version), *((("require_two_step", "1"),) if wanted else ()))
    confirm = Confirm(act="open_page", action=PAGE, fields=fields, back=PAGE)
    fresh = freshly_verified(caller, form, confirm, power="administer", max_age=ADMIN_SECONDS)
    if isinstance(fresh, GateResponse):
        return fresh
    # A code that has just been spent on the verification confirms nothing else.
    code = form.get("code").strip() if fresh is caller else ""
    result = fresh.call.services.administration.set_policy(
        fresh.visitor,
        PolicyChanges(require_two_step=wanted),
        version=int(version),
        confirmation=Confirmation(factor="totp", code=code) if code else None,
        now=fresh.call.now,
    )
    if isinstance(result, PolicyChanged):
        return tell(fresh, PAGE, _word(result))
    return _asked_back(fresh, result, confirm, ticked=wanted)


def _asked_back(
    caller: Caller,
    result: Conflict | Unfit | NeedsVerification | NotAllowed | Rejected | Paused,
    confirm: Confirm,
    *,
    ticked: bool,
) -> GateResponse:
    """Nothing was saved: the page again, as it was sent, and why."""
    view, now = replace(_view(caller), ticked=ticked), caller.call.now
    match result:
        case Conflict():
            return caller.show(replace(view, refused="stale", ticked=view.require), status=409)
        case Unfit():
            return caller.call.say("bad_request")
        case NeedsVerification(max_age=0):
            return caller.show(replace(view, code_problem="missing"), status=422)
        case NeedsVerification():
            return caller.show(confirm)
        case NotAllowed(reason="not_allowed"):
            return caller.call.say("not_allowed")
        case Paused(until=until):
            return caller.show(
                replace(view, pause=paused(until)), status=429, headers=retry_after(until, now)
            )
        case NotAllowed() | Rejected():
            return caller.show(replace(view, code_problem="wrong"), status=422)


def _word(changed: PolicyChanged) -> Saved:
    if changed.policy == changed.before:
        return "unchanged"
    return "turned_on" if changed.policy.require_two_step else "turned_off"


def _traffic_lines(counts: Mapping[tuple[str, str], int]) -> tuple[TrafficLine, ...]:
    """Counted under "none" is what brings no credential at all."""
    return tuple(
        TrafficLine(place=place, credentials=None if kind == "none" else kind, count=count)
        for (place, kind), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _view(caller: Caller) -> AdminPolicies:
    call = caller.call
    overview, impact = call.services.reporting.overview(call.now), call.services.reporting.impact(call.now)
    policy = overview.policy
    return AdminPolicies(
        require=policy.require_two_step,
        ticked=policy.require_two_step,
        version=policy.version,
        effect=PolicyEffect(
            asked_to_set_up=impact.asked_to_set_up,
            unattributed=_traffic_lines(impact.unattributed),
            asked_href=call.url("admin/users", status="missing"),
        ),
        enrolled=overview.covered,
        missing=overview.counts.get("missing", 0),
        missing_href=call.url("admin/users", status="missing"),
        exempt=overview.counts.get("exempt", 0),
        exempt_href=call.url("admin/users", status="exempt"),
        saved=told(caller, get_args(Saved)),
        # What the store was made with, nobody has changed.
        changed_at=policy.changed_at if policy.version > FIRST_VERSION else None,
        changed_by=None if policy.changed_by in {"", SYSTEM.subject} else policy.changed_by,
    )


show_policies = shows_to(ADMINS, _show)
take_policies = takes_from(ADMINS, _save, back=PAGE)
