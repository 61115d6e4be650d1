"""The exports of the audit trail and of people by the API: the same critical acts as on their pages."""

from typing import Any

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.exporting import Exported
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.people_export import Extract
from mfa_gate.flows.results import Confirmation, NotAllowed, Rejected
from mfa_gate.web import answers
from mfa_gate.web.api_admin import REFUSES, no_admin, who_of
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_problems import Refusal, refused
from mfa_gate.web.api_schema import ExportedPeople, ExportedTrail, ExportPeople, ExportTrail, GiveCode, given


def _export(call: Call, sent: ExportTrail) -> GateResponse:
    confirmation, confirm = None, sent.confirm
    if confirm is not None:
        if confirm.factor == "access_pass":
            return no_admin(call) or refused(call, Rejected())
        confirmation = Confirmation(factor=confirm.factor, code=confirm.code)
    result = call.services.exporting.export(
        call.visitor,
        Sought(
            account_id=given(sent.user),
            kind=given(sent.kind),
            since=given(sent.since),
            until=given(sent.until),
        ),
        sent.form,
        sent.reason,
        call.now,
        confirmation=confirmation,
    )
    return _file(call, result, "audit")


def _file(call: Call, result: Exported | Refusal, name: str) -> GateResponse:
    match result:
        case Exported(form=form, lines=lines):
            return answers.download(lines, form, f"{name}-{call.now}")
        case NotAllowed(reason="no_such_factor"):
            return refused(call, Rejected())
        case _:
            return refused(call, result, power="administer")


def _export_people(call: Call, sent: ExportPeople) -> GateResponse:
    confirmation, confirm = None, sent.confirm
    if confirm is not None:
        if confirm.factor == "access_pass":
            return no_admin(call) or refused(call, Rejected())
        confirmation = Confirmation(factor=confirm.factor, code=confirm.code)
    wanted = Extract(who=who_of(sent), sort=sent.sort, form=sent.form)
    result = call.services.people_export.export(
        call.visitor, wanted, sent.reason, call.now, confirmation=confirmation
    )
    return _file(call, result, "people")


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="POST",
        path="/admin/audit/export",
        name="export_events",
        summary="The audit trail or a part of it, oldest first, as a file that can be verified; carries a fresh code",
        takes=ExportTrail,
        answers=ExportedTrail,
        media=(answers.MEDIA["jsonl"], answers.MEDIA["csv"]),
        run=_export,
        refuses=(*REFUSES, (401, "code_rejected"), (429, "paused")),
        guard=no_admin,
        example=ExportTrail(
            form="jsonl",
            since=1_798_761_600,
            until=1_801_440_000,
            reason="audit of January",
            confirm=GiveCode(factor="totp", code="123456"),
        ),
    ),
    Operation(
        method="POST",
        path="/admin/users/export",
        name="export_users",
        summary="Exactly the people whom the list shows for the same filter, as a file; carries a fresh code",
        takes=ExportPeople,
        answers=ExportedPeople,
        media=(answers.MEDIA["jsonl"], answers.MEDIA["csv"]),
        run=_export_people,
        refuses=(*REFUSES, (401, "code_rejected"), (429, "paused")),
        guard=no_admin,
        example=ExportPeople(
            status="missing",
            form="csv",
            reason="for the heads of the wards",
            confirm=GiveCode(factor="totp", code="123456"),
        ),
    ),
)
