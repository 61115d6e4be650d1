"""What people ask of the API about browsers that are remembered: a session without a code, a list, to forget them."""

from typing import Annotated, Any

from msgspec import Meta

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.results import Admitted, Forgotten, NeedsVerification
from mfa_gate.flows.visitor import FRESH_SECONDS
from mfa_gate.web.api_browser_schema import BrowserNow, Browsers, BrowsersForgotten, Handle
from mfa_gate.web.api_calls import Call, Operation, proof
from mfa_gate.web.api_problems import refused
from mfa_gate.web.api_schema import Nothing, Taken, Verification


class ForgetBrowsers(Taken, frozen=True, kw_only=True):
    """Which of one's own browsers to forget."""

    browser: Annotated[Handle, Meta(description="The `id` of one browser; without it, all.")] | None = None


def _verify_by_browser(call: Call, _: Nothing) -> GateResponse:
    result = call.services.remembering.admit(call.visitor, call.now)
    if not isinstance(result, Admitted):
        return refused(call, result)
    said = Verification(session=proof(result.opened), remembered_until=result.kept.until)
    return call.answer(said, opened=result.opened, kept=result.kept)


def _list(call: Call, _: Nothing) -> GateResponse:
    found = call.services.remembering.browsers(call.visitor, call.now)
    policy, held = call.visitor.policy, call.visitor.held
    return call.answer(Browsers(browsers=tuple(BrowserNow.of(each, policy, held) for each in found)))


def _forget(call: Call, sent: ForgetBrowsers) -> GateResponse:
    result = call.services.remembering.forget(call.visitor, sent.browser, call.now)
    if not isinstance(result, Forgotten):
        return refused(call, result)
    return call.answer(BrowsersForgotten(forgotten=result.browsers))


def _unverified(call: Call) -> GateResponse | None:
    if call.visitor.session is not None:
        return None
    return refused(call, NeedsVerification(max_age=FRESH_SECONDS))


_REFUSES = ((401, "two_step_setup_required"), (401, "two_step_code_required"))

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="POST",
        path="/verify/browser",
        name="verify_by_browser",
        summary="Get a session without a code, in a browser that is remembered",
        takes=Nothing,
        answers=Verification,
        run=_verify_by_browser,
        refuses=((401, "code_rejected"),),
        example=Nothing(),
    ),
    Operation(
        method="GET",
        path="/browsers",
        name="list_browsers",
        summary="One's own remembered browsers",
        takes=Nothing,
        answers=Browsers,
        run=_list,
        refuses=_REFUSES,
        guard=_unverified,
    ),
    Operation(
        method="POST",
        path="/browsers/forget",
        name="forget_browsers",
        summary="Forget one's own remembered browsers, all or one; other sessions opened in them end",
        takes=ForgetBrowsers,
        answers=BrowsersForgotten,
        run=_forget,
        refuses=(*_REFUSES, (404, "not_found")),
        guard=_unverified,
        example=ForgetBrowsers(),
    ),
)
