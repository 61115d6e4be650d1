"""How the API says that something was not done: one problem of the contract for each answer of the flows."""

from mfa_gate.core.assurance import Power, powers
from mfa_gate.core.messages import GateResponse
from mfa_gate.core.policy import usable_factors
from mfa_gate.core.policy_changes import Unfit
from mfa_gate.core.responses import paused, problem, under
from mfa_gate.flows.results import (
    Busy,
    Conflict,
    EndRefused,
    NeedsVerification,
    NotAllowed,
    NotFound,
    Overtaken,
    Paused,
    ReasonMissing,
    Rejected,
    Why,
)
from mfa_gate.web.api_calls import Call

Refusal = (
    Busy
    | Conflict
    | EndRefused
    | NeedsVerification
    | NotAllowed
    | NotFound
    | Overtaken
    | Paused
    | ReasonMissing
    | Rejected
    | Unfit
)

_NOT_ALLOWED: dict[Why, str] = {
    "inactive": "This account is not active.",
    "no_such_factor": "The policy does not take this kind of factor.",
    "yourself": "Nobody does this to themselves: another administrator has to.",
    "administrator": "The help desk does not act on administrators.",
    "closed_client": "Your organization does not take this kind of client.",
    "other_client": "This client is of another kind: by the gate's settings, or by the token that it sent along.",
    "no_mail": "The settings name no way for mail.",
}
_NOTHING_TO_DO: dict[Why, str] = {
    "nothing_set_up": "There is no two-step to reset.",
    "already_set_up": "Who has set up two-step is not exempt. Reset it first.",
    "nothing_remembered": "No browser is remembered.",
    "no_device": "No mobile or desktop client is registered.",
    "not_exempt": "There is no exemption to end.",
    "too_many_devices": "As many clients are registered as may be. Remove one first: GET devices names them.",
}


def refused(call: Call, refusal: Refusal, *, power: Power = "replace_factor") -> GateResponse:
    """The problem that says `refusal`. `power` is what a verification, if one is missing, has to be good for."""
    match refusal:
        case Rejected():
            return problem(401, "code_rejected", "The code was not accepted.")
        case Paused(until=until):
            return paused(until, call.now)
        case NeedsVerification(max_age=max_age):
            return verification_needed(call, max_age, power)
        case NotAllowed(reason=reason) if reason in _NOTHING_TO_DO:
            return problem(409, "conflict", _NOTHING_TO_DO[reason])
        case NotAllowed(reason=reason):
            detail = _NOT_ALLOWED.get(reason, "This is not open to this account.")
            return problem(403, "not_allowed", detail)
        case NotFound():
            return not_found()
        case ReasonMissing():
            words = "Say why in 3 to 500 characters."
            return problem(422, "invalid", words, errors={"reason": words})
        case EndRefused(latest=latest):
            words = f"Say a moment ahead, at {latest} (UTC seconds) at the latest."
            return problem(422, "invalid", words, errors={"until": words})
        case Unfit(field=field, why=why):
            return problem(422, "invalid", f"Mend the request: {field}.", errors={field: why})
        case Busy():
            return problem(409, "conflict", "Enough of this is under way. Wait until it is done.")
        case Conflict() | Overtaken():
            return problem(409, "conflict", "Somebody else changed it first. Read it again.")


def not_found() -> GateResponse:
    """404: unknown, expired, spent, or somebody else's."""
    return problem(404, "not_found", "There is nothing of that name, or not any more.")


def no_such_cursor() -> GateResponse:
    """422: no list in this order has made this cursor."""
    words = "Give what `next` was, with the same `sort`; without it the list begins anew."
    return problem(422, "invalid", words, errors={"after": words})


def setup_code_missing() -> GateResponse:
    """422: an administrator's first enrollment carries a code from the shell."""
    words = "Administrators need the one-time code that `mfa-gate init` or `mfa-gate admin-code` prints."
    return problem(422, "invalid", words, errors={"setup_code": words})


def verification_needed(call: Call, max_age: int, power: Power) -> GateResponse:
    """401: a code at most `max_age` seconds old; 0 where it has to come in the same request as `confirm`."""
    account, places = call.visitor.account, call.services.places
    if not account.has_factor:
        return problem(
            401,
            "two_step_setup_required",
            "This needs two-step authentication. Set it up first.",
            setup_url=f"{places.public_url}{under(call.request, places)}/setup",
        )
    usable = usable_factors(account, call.visitor.policy)
    return problem(
        401,
        "two_step_code_required",
        "Confirm that it is you with a fresh code." if max_age else "Send a fresh code along, as `confirm`.",
        factors=[kind for kind in usable if power in powers(kind)],
        max_age=max_age,
    )
