"""Users, Export: says whom the file will name, asks why and for a fresh code, and gives the file."""

from msgspec.structs import replace

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.acting import clean_reason
from mfa_gate.flows.exporting import Exported
from mfa_gate.flows.people_export import Extract
from mfa_gate.flows.results import Confirmation, NeedsVerification, NotAllowed, ReasonMissing
from mfa_gate.flows.visitor import ADMIN_SECONDS
from mfa_gate.web import answers
from mfa_gate.web.admin_users_pages import Wanted, wanted_of
from mfa_gate.web.admin_views import AdminPeopleExport
from mfa_gate.web.admins import ADMINS, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.dates import day_of
from mfa_gate.web.forms import Form
from mfa_gate.web.proving import freshly_verified, paused, retry_after


def _ask(caller: Caller) -> GateResponse:
    return caller.show(_view(caller, wanted_of(dict(caller.call.query)), Form({})))


def _give(caller: Caller, form: Form) -> GateResponse:
    call, wanted = caller.call, wanted_of(dict(form.fields))
    view = _view(caller, wanted, form)
    if clean_reason(form.get("reason")) is None:
        # Before a code is spent for nothing.
        return caller.show(replace(view, reason_missing=True), status=422)
    fresh = freshly_verified(caller, form, view, power="administer", max_age=ADMIN_SECONDS)
    if isinstance(fresh, GateResponse):
        return fresh
    # A code that has just been spent on the verification confirms nothing else.
    code = form.get("code").strip() if fresh is caller else ""
    result = call.services.people_export.export(
        fresh.visitor,
        Extract(who=wanted.who, sort=wanted.sort, form=view.form),
        form.get("reason"),
        call.now,
        confirmation=Confirmation(factor="totp", code=code) if code else None,
    )
    match result:
        case Exported(form=kind, lines=lines):
            return answers.download(lines, kind, f"people-{day_of(call.now, call.services.zone)}")
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


def _view(caller: Caller, wanted: Wanted, form: Form) -> AdminPeopleExport:
    return AdminPeopleExport(
        fields=tuple(wanted.words.items()),
        query=wanted.query,
        group=wanted.group,
        status=wanted.status,
        never_seen=wanted.never_seen,
        users_href=caller.call.url("admin/users", **wanted.words),
        form="jsonl" if form.get("form") == "jsonl" else "csv",
        reason=form.get("reason"),
    )


show_people_export = shows_to(ADMINS, _ask)
take_people_export = takes_from(ADMINS, _give, back="admin/users")
