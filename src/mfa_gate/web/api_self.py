"""What people ask of the API about themselves: where they stand, setting up an app, giving a code."""

from typing import Annotated

from msgspec import UNSET, Meta

from mfa_gate.core.devices import lives_until
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import standing, usable_factors
from mfa_gate.core.throttle import FOREVER
from mfa_gate.factors.totp import qr_svg
from mfa_gate.flows.results import Enrolled, NotAllowed, Rejected, Started, Verified
from mfa_gate.flows.visitor import Visitor
from mfa_gate.web.api_calls import Call, Operation, proof
from mfa_gate.web.api_problems import refused, setup_code_missing
from mfa_gate.web.api_schema import (
    Asked,
    ConfirmTotp,
    DeviceNow,
    GiveCode,
    Nothing,
    Stage,
    StartTotp,
    State,
    TotpConfirmed,
    TotpStarted,
    Verification,
)


class Verify(GiveCode, frozen=True, kw_only=True):
    """One code of one factor, for a session."""

    remember: Annotated[
        bool,
        Meta(
            description="Remember this browser for `remember_seconds` of `status`: it asks for no code at sign-in. "
            "Done where the policy allows it and the factor is no recovery code; its cookie comes with the answer."
        ),
    ] = False


def _status(call: Call, _: Nothing) -> GateResponse:
    visitor = call.visitor
    account, device = visitor.account, visitor.device
    stands = standing(account, visitor.policy, call.now)
    wait = account.opens_at - call.now if not visitor.is_verified and account.is_paused(call.now) else None
    return call.answer(
        State(
            subject=account.subject,
            client=visitor.client,
            state=_state(visitor, required=stands.required),
            factors=usable_factors(account, visitor.policy),
            policy=Asked(
                required=stands.required,
                deadline=stands.deadline,
                remember_seconds=visitor.policy.remember_seconds or UNSET,
            ),
            device=None
            if device is None
            else DeviceNow(id=device.id, name=device.name, expires_at=lives_until(device, visitor.policy)),
            # A pause that only help ends has no seconds to wait.
            retry_after=wait if wait is not None and wait < FOREVER - call.now else None,
        )
    )


def _state(visitor: Visitor, *, required: bool) -> Stage:
    if visitor.is_verified:
        return "verified"
    if visitor.account.has_factor:
        return "code_required"
    return "setup_required" if required else "not_required"


def _start_totp(call: Call, sent: StartTotp) -> GateResponse:
    begun = call.services.self_service.start_enrollment(
        call.visitor, _holder(call.visitor), sent.setup_code, call.now
    )
    match begun:
        case Started():
            return call.answer(
                TotpStarted(
                    enrollment=begun.challenge,
                    secret=begun.secret,
                    otpauth_uri=begun.uri,
                    qr_svg=qr_svg(begun.uri),
                    expires_at=begun.expires_at,
                )
            )
        case NotAllowed(reason="setup_code_required"):
            return setup_code_missing()
        case _:
            return refused(call, begun)


def _confirm_totp(call: Call, sent: ConfirmTotp) -> GateResponse:
    result = call.services.self_service.confirm_enrollment(
        call.visitor, _holder(call.visitor), sent.enrollment, sent.code, sent.name, call.now
    )
    if isinstance(result, Enrolled):
        confirmed = TotpConfirmed(recovery_codes=result.codes, session=proof(result.opened))
        return call.answer(confirmed, opened=result.opened)
    return refused(call, result)


def _holder(visitor: Visitor) -> str:
    """Whose an enrollment is: of this portal sign-in, where it has a name.

    # Security: a client without cookies has nothing else to be known by than the enrollment's id, 256 random bits that
    were told to it alone. Another client with the same password does not know them, and no page takes them (J11, E01).
    """
    return f"api {visitor.identity.session_id or ''}"


def _verify(call: Call, sent: Verify) -> GateResponse:
    result = call.services.self_service.verify(
        call.visitor, sent.factor, sent.code, call.now, remember=sent.remember
    )
    match result:
        case Verified(opened=opened, kept=kept):
            said = Verification(session=proof(opened), remembered_until=kept.until if kept else UNSET)
            return call.answer(said, opened=opened, kept=kept)
        case NotAllowed(reason="no_such_factor"):
            # Security: whether somebody has a factor of this kind is not told to who has only the password.
            return refused(call, Rejected())
        case _:
            return refused(call, result)


OPERATIONS: tuple[
    Operation[Nothing] | Operation[StartTotp] | Operation[ConfirmTotp] | Operation[Verify], ...
] = (
    Operation(
        method="GET",
        path="/status",
        name="status",
        summary="Where the visitor stands, and what helps",
        takes=Nothing,
        answers=State,
        run=_status,
    ),
    Operation(
        method="POST",
        path="/totp",
        name="start_totp",
        summary="Begin to set up an authenticator app, or to replace it",
        takes=StartTotp,
        answers=TotpStarted,
        run=_start_totp,
        refuses=(
            (401, "two_step_code_required"),
            (401, "code_rejected"),
            (429, "paused"),
        ),
        example=StartTotp(),
    ),
    Operation(
        method="POST",
        path="/totp/confirm",
        name="confirm_totp",
        summary="Finish setting up an authenticator app with its first code",
        takes=ConfirmTotp,
        answers=TotpConfirmed,
        run=_confirm_totp,
        refuses=((401, "code_rejected"), (401, "two_step_code_required"), (404, "not_found")),
        example=ConfirmTotp(enrollment="5f0c" * 16, code="123456"),
    ),
    Operation(
        method="POST",
        path="/verify",
        name="verify",
        summary="Give a code, and get a session",
        takes=Verify,
        answers=Verification,
        run=_verify,
        refuses=((401, "code_rejected"), (429, "paused")),
        example=Verify(factor="totp", code="123456"),
    ),
)
