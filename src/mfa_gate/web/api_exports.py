"""The export of the audit trail by the API: the same critical act as on its page."""

from typing import Any

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.exporting import Exported
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.results import Confirmation, NotAllowed, Rejected
from mfa_gate.web import answers
from mfa_gate.web.api_admin import REFUSES, no_admin
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_problems import refused
from mfa_gate.web.api_schema import ExportedTrail, ExportTrail, GiveCode, given


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
    match result:
        case Exported(form=form, lines=lines):
            return answers.download(lines, form, f"audit-{call.now}")
        case NotAllowed(reason="no_such_factor"):
            return refused(call, Rejected())
        case _:
            return refused(call, result, power="administer")


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
)
