"""What administrators ask of the API about the policy: what it is, was and would do, and changing it."""

from typing import Any

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.exporting import Exported
from mfa_gate.flows.results import Confirmation, NotAllowed, PolicyChanged, Rejected
from mfa_gate.web import answers
from mfa_gate.web.api_admin import REFUSES, no_admin
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_policy_schema import (
    ChangePolicy,
    ExportedList,
    ExportList,
    FindVersions,
    Impact,
    PolicyNow,
    PolicyThen,
    PolicyVersions,
)
from mfa_gate.web.api_problems import refused
from mfa_gate.web.api_schema import GiveCode, Nothing, given


def _policy(call: Call, _: Nothing) -> GateResponse:
    return call.answer(PolicyNow.of(call.services.reporting.overview(call.now).policy))


def _change_policy(call: Call, sent: ChangePolicy) -> GateResponse:
    confirmation = _confirmation(sent.confirm)
    if isinstance(confirmation, Rejected):
        return no_admin(call) or refused(call, confirmation)
    result = call.services.administration.set_policy(
        call.visitor,
        sent.changes(),
        version=sent.version,
        confirmation=confirmation,
        now=call.now,
        reason=sent.reason,
    )
    match result:
        case PolicyChanged(policy=policy):
            return call.answer(PolicyNow.of(policy))
        case NotAllowed(reason="no_such_factor"):
            return refused(call, Rejected())
        case _:
            return refused(call, result, power="administer")


def _versions(call: Call, sent: FindVersions) -> GateResponse:
    found = call.services.policy_history.versions(before=given(sent.before), limit=sent.limit)
    last = found[-1].policy.version if len(found) == sent.limit else 1
    versions = tuple(PolicyThen.of(each) for each in found)
    return call.answer(PolicyVersions(versions=versions, next=last if last > 1 else None))


def _impact(call: Call, _: Nothing) -> GateResponse:
    return call.answer(Impact.of(call.services.impacts.preview(call.now)))


def _export(call: Call, sent: ExportList) -> GateResponse:
    confirmation = _confirmation(sent.confirm)
    if isinstance(confirmation, Rejected):
        return no_admin(call) or refused(call, confirmation)
    result = call.services.impacts.export(
        call.visitor, sent.list, sent.reason, call.now, confirmation=confirmation, form=sent.form
    )
    match result:
        case Exported(form=form, lines=lines):
            return answers.download(lines, form, f"{sent.list}-{call.now}")
        case NotAllowed(reason="no_such_factor"):
            return refused(call, Rejected())
        case _:
            return refused(call, result, power="administer")


def _confirmation(code: GiveCode | None) -> Confirmation | Rejected | None:
    """The code that goes with a critical act; an access pass confirms none."""
    if code is None:
        return None
    if code.factor == "access_pass":
        return Rejected()
    return Confirmation(factor=code.factor, code=code.code)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="GET",
        path="/admin/policy",
        name="read_policy",
        summary="The organization's policy",
        takes=Nothing,
        answers=PolicyNow,
        run=_policy,
        refuses=REFUSES,
        guard=no_admin,
    ),
    Operation(
        method="PATCH",
        path="/admin/policy",
        name="change_policy",
        summary="Change the policy; what weakens it carries a fresh code",
        takes=ChangePolicy,
        answers=PolicyNow,
        run=_change_policy,
        refuses=(*REFUSES, (401, "code_rejected"), (409, "conflict"), (429, "paused")),
        guard=no_admin,
        example=ChangePolicy(
            require_two_step=False, version=3, confirm=GiveCode(factor="totp", code="123456")
        ),
    ),
    Operation(
        method="GET",
        path="/admin/policy/versions",
        name="list_policy_versions",
        summary="The policy as it was, newest first: who changed what, when and why",
        takes=FindVersions,
        answers=PolicyVersions,
        run=_versions,
        refuses=REFUSES,
        guard=no_admin,
    ),
    Operation(
        method="GET",
        path="/admin/policy/impact",
        name="preview_impact",
        summary="What turning the requirement on would do now",
        takes=Nothing,
        answers=Impact,
        run=_impact,
        refuses=REFUSES,
        guard=no_admin,
    ),
    Operation(
        method="POST",
        path="/admin/policy/impact/export",
        name="export_impact",
        summary="One list of whom or what it would stop, as a table; carries a fresh code",
        takes=ExportList,
        answers=ExportedList,
        media=(answers.MEDIA["csv"],),
        run=_export,
        refuses=(*REFUSES, (401, "code_rejected"), (429, "paused")),
        guard=no_admin,
        example=ExportList(list="stopped", reason="roll-out", confirm=GiveCode(factor="totp", code="123456")),
    ),
)
