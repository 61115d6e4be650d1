"""What people ask of the API about their own mobile and desktop clients: register one, list them, remove one."""

from typing import Any

from mfa_gate.core.accounts import Device
from mfa_gate.core.clients import DEVICE_HEADER
from mfa_gate.core.devices import DeviceToken
from mfa_gate.core.messages import GateRequest, GateResponse
from mfa_gate.core.responses import problem
from mfa_gate.flows.proving import FACTORS
from mfa_gate.flows.results import Confirmation, NotAllowed, Registered, Rejected, Removed
from mfa_gate.web.api_calls import Call, Operation
from mfa_gate.web.api_device_schema import DeviceRegistered, DevicesTold, RegisterDevice
from mfa_gate.web.api_problems import refused, verification_needed
from mfa_gate.web.api_schema import DeviceTold, Nothing, given


def _register(call: Call, sent: RegisterDevice) -> GateResponse:
    factor, code = given(sent.factor), given(sent.code)
    if (factor is None) != (code is None):
        words = "Give factor and code together, or neither."
        return problem(422, "invalid", words, errors={"factor" if factor is None else "code": words})
    confirmation = None
    if factor is not None and code is not None:
        kind = FACTORS.get(factor)
        if kind is None:
            return refused(call, Rejected())
        confirmation = Confirmation(factor=kind, code=code)
    result = call.services.devices.register(
        call.visitor, sent.kind, sent.name, confirmation, _token(call.request), call.now
    )
    match result:
        case Registered():
            return call.answer(
                DeviceRegistered(
                    device_id=result.device.id, device_token=result.token, expires_at=result.expires_at
                )
            )
        case NotAllowed(reason="no_such_factor"):
            # Security: whether somebody has a factor of this kind is not told to who has only the password.
            return refused(call, Rejected())
        case _:
            return refused(call, result, power="register_device")


def _list(call: Call, _: Nothing) -> GateResponse:
    visitor = call.visitor
    if not visitor.is_verified:
        return verification_needed(call, call.visitor.policy.session_ttl_seconds, "register_device")
    return _told(call, call.services.devices.devices(visitor, call.now))


def _told(call: Call, devices: tuple[Device, ...]) -> GateResponse:
    visitor = call.visitor
    return call.answer(
        DevicesTold(
            devices=tuple(DeviceTold.of(device, visitor.policy, visitor.device) for device in devices)
        )
    )


def _remove(call: Call, _: Nothing) -> GateResponse:
    result = call.services.devices.remove(call.visitor, call.params["device"], call.now)
    match result:
        case Removed(left=left):
            # Who has just removed itself is nobody any more who would be told of the others.
            return _told(call, left if call.visitor.session else ())
        case _:
            return refused(call, result, power="register_device")


def _token(request: GateRequest) -> DeviceToken | None:
    tokens = request.values(DEVICE_HEADER)
    return DeviceToken.read(tokens[0]) if len(tokens) == 1 else None


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="POST",
        path="/devices",
        name="register_device",
        summary="Register a mobile or desktop client with a code, or just after one",
        takes=RegisterDevice,
        answers=DeviceRegistered,
        run=_register,
        refuses=(
            (401, "code_rejected"),
            (401, "two_step_code_required"),
            (401, "two_step_setup_required"),
            (409, "conflict"),
            (429, "paused"),
        ),
        example=RegisterDevice(kind="desktop", name="Work laptop", factor="totp", code="123456"),
    ),
    Operation(
        method="GET",
        path="/devices",
        name="list_devices",
        summary="One's own registered clients",
        takes=Nothing,
        answers=DevicesTold,
        run=_list,
        refuses=((401, "two_step_code_required"), (401, "two_step_setup_required")),
    ),
    Operation(
        method="DELETE",
        path="/devices/{device}",
        name="remove_device",
        summary="Remove one's own registered client; answers those that are left",
        takes=Nothing,
        answers=DevicesTold,
        run=_remove,
        refuses=((401, "two_step_code_required"), (401, "two_step_setup_required"), (404, "not_found")),
    ),
)
