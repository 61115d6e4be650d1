"""What administrators and the help desk have the API do for one person: reset, end sessions, make an exception."""

from typing import Annotated, Any

from msgspec import Meta

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.assistance import Act, EndExemption, Exempt, ForgetBrowser, RemoveDevice, Reset, SignOut
from mfa_gate.flows.results import Confirmation, Done, NotAllowed, Rejected
from mfa_gate.flows.visitor import FRESH_SECONDS
from mfa_gate.web.api_admin import REFUSES, no_admin, profile_of, stranger
from mfa_gate.web.api_browser_schema import Handle
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_device_schema import DropDevice
from mfa_gate.web.api_problems import refused
from mfa_gate.web.api_schema import (
    EndSessions,
    GiveCode,
    GiveExemption,
    GiveReason,
    UserProfile,
)


class ForgetTheirBrowsers(GiveReason, frozen=True, kw_only=True):
    """Which browsers of somebody to forget, and why."""

    browser: Annotated[Handle, Meta(description="The `id` of one browser; without it, all.")] | None = None


def _no_resetter(call: Call) -> GateResponse | None:
    return stranger(call, FRESH_SECONDS)


def _assist(call: Call, act: Act, sent: GiveReason, confirm: GiveCode | None = None) -> GateResponse:
    named = call.params["id"]
    confirmation = None
    if confirm is not None:
        if confirm.factor == "access_pass":
            return stranger(call) or refused(call, Rejected())
        confirmation = Confirmation(factor=confirm.factor, code=confirm.code)
    result = call.services.assistance.assist(
        call.visitor,
        act,
        named,
        sent.reason,
        call.now,
        revision=sent.revision,
        confirmation=confirmation,
    )
    match result:
        case Done():
            return profile_of(call, named)
        case NotAllowed(reason="no_such_factor"):
            return refused(call, Rejected())
        case _:
            return refused(call, result, power="administer")


def _reset(call: Call, sent: GiveReason) -> GateResponse:
    return _assist(call, Reset(), sent)


def _sign_out(call: Call, sent: EndSessions) -> GateResponse:
    return _assist(call, SignOut(sent.session), sent)


def _forget_browsers(call: Call, sent: ForgetTheirBrowsers) -> GateResponse:
    return _assist(call, ForgetBrowser(sent.browser), sent)


def _remove_device(call: Call, sent: DropDevice) -> GateResponse:
    return _assist(call, RemoveDevice(sent.device), sent)


def _exempt(call: Call, sent: GiveExemption) -> GateResponse:
    return _assist(call, Exempt(sent.until), sent, sent.confirm)


def _end_exemption(call: Call, sent: GiveReason) -> GateResponse:
    return _assist(call, EndExemption(), sent)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="POST",
        path="/admin/users/{id}/reset",
        name="reset_user",
        summary="Reset somebody's two-step: factors, codes and sessions go, the setup wizard comes next",
        takes=GiveReason,
        answers=UserProfile,
        run=_reset,
        refuses=(*REFUSES, (404, "not_found"), (409, "conflict")),
        guard=_no_resetter,
        example=GiveReason(reason="lost the phone"),
    ),
    Operation(
        method="POST",
        path="/admin/users/{id}/sign-out",
        name="sign_out_user",
        summary="End somebody's sessions, all or one, and forget their browsers; their two-step stays as it is",
        takes=EndSessions,
        answers=UserProfile,
        run=_sign_out,
        refuses=(*REFUSES, (404, "not_found"), (409, "conflict")),
        guard=stranger,
        example=EndSessions(reason="left the laptop on a train"),
    ),
    Operation(
        method="POST",
        path="/admin/users/{id}/forget-browsers",
        name="forget_browsers_of_user",
        summary="Forget somebody's remembered browsers, all or one; sessions opened in them end",
        takes=ForgetTheirBrowsers,
        answers=UserProfile,
        run=_forget_browsers,
        refuses=(*REFUSES, (404, "not_found"), (409, "conflict")),
        guard=stranger,
        example=ForgetTheirBrowsers(reason="used a computer in a hotel"),
    ),
    Operation(
        method="POST",
        path="/admin/users/{id}/remove-device",
        name="remove_device_of_user",
        summary="Remove a registered client of somebody; it is asked for a code again",
        takes=DropDevice,
        answers=UserProfile,
        run=_remove_device,
        refuses=(*REFUSES, (404, "not_found"), (409, "conflict")),
        guard=stranger,
        example=DropDevice(device="5f0c" * 8, reason="left the tablet on a train"),
    ),
    Operation(
        method="POST",
        path="/admin/users/{id}/exemption",
        name="exempt_user",
        summary="Ask somebody for no two-step for a while, or change how long; carries a fresh code",
        takes=GiveExemption,
        answers=UserProfile,
        run=_exempt,
        refuses=(
            *REFUSES,
            (401, "code_rejected"),
            (404, "not_found"),
            (409, "conflict"),
            (429, "paused"),
        ),
        guard=no_admin,
        example=GiveExemption(
            reason="hardware key ordered",
            until=1_800_604_799,
            confirm=GiveCode(factor="totp", code="123456"),
        ),
    ),
    Operation(
        method="POST",
        path="/admin/users/{id}/exemption/end",
        name="end_exemption",
        summary="End somebody's exemption before its time",
        takes=GiveReason,
        answers=UserProfile,
        run=_end_exemption,
        refuses=(*REFUSES, (404, "not_found"), (409, "conflict")),
        guard=no_admin,
        example=GiveReason(reason="the key has arrived"),
    ),
)
