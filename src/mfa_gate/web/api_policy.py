"""What administrators ask of the API about the policy: what it is, and changing it."""

from typing import Any

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.results import Confirmation, NotAllowed, PolicyChanged, Rejected
from mfa_gate.web.api_admin import REFUSES, no_admin
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_policy_schema import ChangePolicy, FindVersions, PolicyNow, PolicyThen, PolicyVersions
from mfa_gate.web.api_problems import refused
from mfa_gate.web.api_schema import GiveCode, Nothing, given


def _policy(call: Call, _: Nothing) -> GateResponse:
    return call.answer(PolicyNow.of(call.services.reporting.overview(call.now).policy))


def _change_policy(call: Call, sent: ChangePolicy) -> GateResponse:
    code, changes = sent.confirm, sent.changes()
    confirmation = None
    if code is not None:
        if code.factor == "access_pass":
            return no_admin(call) or refused(call, Rejected())
        confirmation = Confirmation(factor=code.factor, code=code.code)
    result = call.services.administration.set_policy(
        call.visitor,
        changes,
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
)
