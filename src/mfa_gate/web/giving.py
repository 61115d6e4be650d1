"""Gives a file to whoever said why and gave a fresh code, on every page of exports; it knows no list."""

from collections.abc import Callable

from msgspec.structs import replace

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.acting import clean_reason
from mfa_gate.flows.exporting import Exported
from mfa_gate.flows.results import Confirmation, NeedsVerification, NotAllowed, ReasonMissing
from mfa_gate.flows.visitor import ADMIN_SECONDS, Visitor
from mfa_gate.web import answers
from mfa_gate.web.admin_views import AdminExport, AdminPeopleExport
from mfa_gate.web.callers import Caller
from mfa_gate.web.dates import day_of
from mfa_gate.web.forms import Form
from mfa_gate.web.policy_views import AdminImpactExport
from mfa_gate.web.proving import freshly_verified, paused, retry_after

Export = Callable[
    [Visitor, Confirmation | None],
    Exported | NotAllowed | NeedsVerification | ReasonMissing | Rejected | Paused,
]


def give(
    caller: Caller,
    form: Form,
    view: AdminExport | AdminPeopleExport | AdminImpactExport,
    export: Export,
    *,
    name: str,
) -> GateResponse:
    """The file that `export` makes, or `view` with what is missing. `name`: the file's, before the day."""
    call = caller.call
    if clean_reason(form.get("reason")) is None:
        # Before a code is spent for nothing.
        return caller.show(replace(view, reason_missing=True), status=422)
    fresh = freshly_verified(caller, form, view, power="administer", max_age=ADMIN_SECONDS)
    if isinstance(fresh, GateResponse):
        return fresh
    # A code that has just been spent on the verification confirms nothing else.
    code = form.get("code").strip() if fresh is caller else ""
    match export(fresh.visitor, Confirmation(factor="totp", code=code) if code else None):
        case Exported(form=kind, lines=lines):
            return answers.download(lines, kind, f"{name}-{day_of(call.now, call.services.zone)}")
        case ReasonMissing():
            return fresh.show(replace(view, reason_missing=True), status=422)
        case NotAllowed(reason="no_such_factor") | Rejected():
            return fresh.show(replace(view, problem="wrong"), status=422)
        case NotAllowed():
            return call.say("not_allowed")
        case Paused(until=until):
            refused = replace(view, pause=paused(until))
            return fresh.show(refused, status=429, headers=retry_after(until, call.now))
        case NeedsVerification():
            return fresh.show(replace(view, problem="missing"), status=422)
