"""Audit, Export: says what will be in the file, asks why and for a fresh code, and gives the file."""

from msgspec.structs import replace

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.acting import clean_reason
from mfa_gate.web.admin_audit_pages import AuditFilter
from mfa_gate.web.admin_views import AdminExport
from mfa_gate.web.admins import ADMINS, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.giving import give


def _ask(caller: Caller) -> GateResponse:
    wanted = AuditFilter.of(caller, caller.call.query)
    return caller.show(_view(caller, wanted, Form({})))


def _give(caller: Caller, form: Form) -> GateResponse:
    call, wanted = caller.call, AuditFilter.of(caller, form.fields)
    view = replace(_view(caller, wanted, form), nobody=wanted.means_nobody)
    if view.nobody:
        # Before a code is spent for nothing.
        missing = clean_reason(form.get("reason")) is None
        return caller.show(replace(view, reason_missing=missing), status=422)
    return give(
        caller,
        form,
        view,
        lambda visitor, confirmation: call.services.exporting.export(
            visitor, wanted.sought, view.form, view.reason, call.now, confirmation=confirmation
        ),
        name="audit",
    )


def _view(caller: Caller, wanted: AuditFilter, form: Form) -> AdminExport:
    return AdminExport(
        person=wanted.person,
        name=wanted.name,
        kind=wanted.kind,
        since=wanted.fields.get("from", ""),
        until=wanted.fields.get("to", ""),
        audit_href=caller.call.url("admin/audit", **wanted.fields),
        form="csv" if form.get("form") == "csv" else "jsonl",
        reason=form.get("reason"),
    )


show_export = shows_to(ADMINS, _ask)
take_export = takes_from(ADMINS, _give, back="admin/audit")
