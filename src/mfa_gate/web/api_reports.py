"""The report by the API: the same signed files as on its page."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from mfa_gate.core.attested import Form
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.reports import Report
from mfa_gate.core.responses import problem
from mfa_gate.flows.reports import NotYet
from mfa_gate.web import answers
from mfa_gate.web.api_admin import REFUSES, no_admin
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_schema import Taken, given
from mfa_gate.web.dates import day_from
from mfa_gate.web.report_files import file_of, name_of
from mfa_gate.web.translations import choose_language
from mfa_gate.web.views import PageContext


class AskReport(Taken, frozen=True, kw_only=True):
    """Of which day, and in which form."""

    day: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                description="How it stood when this day ended, in the time zone of the settings; otherwise now.",
            ),
        ]
        | UnsetType
    ) = UNSET
    form: Annotated[Form, Meta(description="Each is signed in its last line.")] = "json"


class SignedReport(Struct, frozen=True, kw_only=True):
    """A file that stands by itself. `mfa-gate report verify` says whether it is as it was made: byte for byte, so keep
    it as it came.
    """

    report: Report
    signature: Annotated[str, Meta(description="The id of the key, a blank, and 64 bytes in base64.")]


def _report(call: Call, sent: AskReport) -> GateResponse:
    asked = given(sent.day)
    day = None if asked is None else day_from(asked)
    if asked is not None and day is None:
        return problem(404, "not_found", "There is no such day.")
    found = call.services.reports.at(day, call.now)
    if isinstance(found, NotYet):
        return problem(404, "not_found", f"That day is to come: today is {found.today}.")
    renderer = call.services.renderer()
    language = choose_language(",".join(call.request.values("accept-language")), renderer.languages)
    page = PageContext(now=call.now, language=language)
    body = file_of(found, sent.form, call.services.sign, renderer, page)
    return answers.download(iter((body,)), sent.form, name_of(found))


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="GET",
        path="/admin/report",
        name="read_report",
        summary="How the organization stood at a date: policy, coverage, exemptions, openings, as a signed file",
        takes=AskReport,
        answers=SignedReport,
        media=tuple(answers.MEDIA[form] for form in ("json", "csv", "html")),
        run=_report,
        refuses=(*REFUSES, (404, "not_found")),
        guard=no_admin,
        example=AskReport(day="2026-03-31"),
    ),
)
