"""Admin, Report: how the organization stood at a date, to read, to print, and as signed files."""

from datetime import date

from mfa_gate.core.attested import Form
from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.reports import NotYet
from mfa_gate.web import answers
from mfa_gate.web.admins import ADMINS, shows_to
from mfa_gate.web.callers import Caller
from mfa_gate.web.dates import day_from, day_of
from mfa_gate.web.report_files import file_of, name_of
from mfa_gate.web.report_views import AdminReport, chart_in

FORMS: dict[str, Form] = {"html": "html", "csv": "csv", "json": "json"}


def _report(caller: Caller) -> GateResponse:
    call = caller.call
    asked, today = call.query.get("day", ""), day_of(call.now, call.services.zone)
    day = day_from(asked) if asked else None
    if asked and day is None:
        return caller.show(AdminReport(report=None, today=today, problem="no_day"), status=422)
    found = call.services.reports.at(day, call.now)
    if isinstance(found, NotYet):
        return caller.show(AdminReport(report=None, day=asked, today=today, problem="to_come"), status=422)
    form = FORMS.get(call.query.get("form", ""))
    if form is not None:
        body = file_of(found, form, call.services.sign, call.services.renderer(), call.context())
        return answers.download(iter((body,)), form, name_of(found))
    return caller.show(
        AdminReport(
            report=found,
            chart=chart_in(found),
            day=asked or today,
            today=today,
            never_seen_href=call.url("admin/users", never_seen="1"),
            html_href=_href(caller, day, "html"),
            csv_href=_href(caller, day, "csv"),
            json_href=_href(caller, day, "json"),
        )
    )


def _href(caller: Caller, day: date | None, form: Form) -> str:
    fields = {"day": day.isoformat()} if day else {}
    return caller.call.url("admin/report", **fields, form=form)


show_report = shows_to(ADMINS, _report)
