"""Settings, Policies, Export: who or what the switch would stop, as a file."""

from typing import Final

from mfa_gate.core.impact import LISTS
from mfa_gate.core.messages import GateResponse
from mfa_gate.web.admins import ADMINS, shows_to, takes_from
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form
from mfa_gate.web.giving import give
from mfa_gate.web.policy_views import AdminImpactExport

PAGE: Final = "admin/settings/policies"


def _ask(caller: Caller) -> GateResponse:
    return caller.show(_view(caller, Form({"list": caller.call.query.get("list", "")})))


def _give(caller: Caller, form: Form) -> GateResponse:
    call, view = caller.call, _view(caller, form)
    return give(
        caller,
        form,
        view,
        lambda visitor, confirmation: call.services.impacts.export(
            visitor, view.list, view.reason, call.now, confirmation=confirmation, form=view.form
        ),
        name=view.list.replace("_", "-"),
    )


def _view(caller: Caller, form: Form) -> AdminImpactExport:
    return AdminImpactExport(
        list=next((name for name in LISTS if name == form.get("list")), "stopped"),
        policies_href=caller.call.url(PAGE),
        form="jsonl" if form.get("form") == "jsonl" else "csv",
        reason=form.get("reason"),
    )


show_impact_export = shows_to(ADMINS, _ask)
take_impact_export = takes_from(ADMINS, _give, back=PAGE)
