"""Users, Export: says whom the file will name, asks why and for a fresh code, and gives the file."""

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.people_export import Extract
from mfa_gate.web.admin_users_pages import Wanted, wanted_of
from mfa_gate.web.admin_views import AdminPeopleExport
from mfa_gate.web.admins import ADMINS, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.giving import give


def _ask(caller: Caller) -> GateResponse:
    return caller.show(_view(caller, wanted_of(dict(caller.call.query)), Form({})))


def _give(caller: Caller, form: Form) -> GateResponse:
    call, wanted = caller.call, wanted_of(dict(form.fields))
    view = _view(caller, wanted, form)
    extract = Extract(who=wanted.who, sort=wanted.sort, form=view.form)
    return give(
        caller,
        form,
        view,
        lambda visitor, confirmation: call.services.people_export.export(
            visitor, extract, view.reason, call.now, confirmation=confirmation
        ),
        name="people",
    )


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
