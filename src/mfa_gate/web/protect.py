"""Decides whether a form came from one of our own pages and is what it was given out as; it knows no form by name.

Security: every change needs both a token that only the page's holder was given, and an origin that is not another's.
The token alone would do where browsers send no `Origin`; the origin alone would do where they send one (W03).
"""

import hmac
from collections.abc import Callable

from mfa_gate.core.messages import GateResponse
from mfa_gate.core.origins import origin_verdict
from mfa_gate.signing import Csrf
from mfa_gate.web.callers import Call, Caller, identify
from mfa_gate.web.forms import Form, Unreadable

CSRF_SECONDS = 12 * 3600
"""How long a form may stand open in a session; before there is one, the pending cookie says how long."""

Handler = Callable[[Call], GateResponse]
Page = Callable[[Caller], GateResponse]
Act = Callable[[Caller, Form], GateResponse]
Gatekeeper = Callable[[Caller], GateResponse | None]
"""Says what somebody gets in place of what they asked for, or None to let them through."""


def shows(page: Page, *, first: Gatekeeper | None = None) -> Handler:
    """The handler of a page for whoever the portal names."""

    def handle(call: Call) -> GateResponse:
        caller = identify(call)
        if isinstance(caller, GateResponse):
            return caller
        return (first and first(caller)) or page(caller)

    return handle


def takes(
    act: Act, *, back: str, first: Gatekeeper | None = None, settled: Gatekeeper | None = None
) -> Handler:
    """The handler of a form. `back` is the page it stands on, below the mount, with `{names}` of the path in it.

    `settled` has an answer for whoever sends a form that is void because its work is done: by another tab, or before.
    """

    def handle(call: Call) -> GateResponse:
        caller = identify(call)
        if isinstance(caller, GateResponse):
            return caller
        stopped = first and first(caller)
        if stopped:
            return stopped
        form = accepted(caller, back=back.format_map(call.params))
        if not isinstance(form, GateResponse):
            return act(caller, form)
        return (settled and not is_foreign(call) and settled(caller)) or form

    return handle


def accepted(caller: Caller, *, back: str) -> Form | GateResponse:
    """The form that was sent, if this person was given it by us; else what to answer, and nothing was changed."""
    call = caller.call
    form = call.sent
    if isinstance(form, Unreadable):
        return call.say("too_large" if form.status == 413 else "bad_request", status=form.status)
    if is_foreign(call):
        return call.say("form_foreign", retry=back)
    if not _holds(caller, form.get("csrf")):
        return call.say("form_expired", retry=back)
    return form


def is_foreign(call: Call) -> bool:
    """True if a page of another site has sent this, whatever it holds."""
    return origin_verdict(call.request, call.services.places.public_url) == "foreign"


def _holds(caller: Caller, token: str) -> bool:
    call = caller.call
    read = call.services.signers.csrf.read(token, Csrf, call.now, CSRF_SECONDS)
    return read is not None and hmac.compare_digest(read.holder.encode(), caller.holder.encode())
