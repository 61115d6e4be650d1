"""Decides who gets to see a page of administration, and what everybody else gets; it knows no page by name.

Who does not administer learns nothing, not even that there is such a page.
"""

import re
from collections.abc import Collection

from mfa_gate.core.messages import GateResponse
from mfa_gate.flows.authority import ADMINS, EVERYBODY, Role
from mfa_gate.flows.results import NeedsVerification, NotAllowed
from mfa_gate.flows.visitor import ADMIN_SECONDS
from mfa_gate.web.callers import Caller
from mfa_gate.web.forms import Form, parse_query
from mfa_gate.web.protect import Act, Gatekeeper, Handler, Page, shows, takes
from mfa_gate.web.proving import freshly_verified
from mfa_gate.web.views import Confirm

__all__ = ["ADMINS", "EVERYBODY", "shows_to", "take_page_confirmation", "takes_from"]

_PAGE = re.compile(r"admin(?:/[a-z0-9-]+)*", re.ASCII)


def shows_to(roles: Collection[Role], page: Page) -> Handler:
    """The handler of a page for these roles, verified within a quarter of an hour."""
    return shows(page, first=_door(roles, fresh=True))


def takes_from(roles: Collection[Role], act: Act, *, back: str) -> Handler:
    """The handler of a form for these roles; how fresh the verification must be, the act says."""
    return takes(act, back=back, first=_door(roles, fresh=False))


def _door(roles: Collection[Role], *, fresh: bool) -> Gatekeeper:
    def stopped(caller: Caller) -> GateResponse | None:
        call, visitor = caller.call, caller.visitor
        admitted = call.services.authority.admits(visitor, call.now)
        if isinstance(admitted, NotAllowed):
            return call.say("not_found")
        if caller.role not in roles:
            return call.say("not_allowed")
        here = caller.leading_here() if fresh else caller
        if not visitor.account.has_factor:
            return here.go("setup")
        if visitor.session is None:
            return here.go("verify")
        if fresh and isinstance(admitted, NeedsVerification):
            return caller.show(_confirm_page(call.below))
        return None

    return stopped


def _open_page(caller: Caller, form: Form) -> GateResponse:
    """A fresh code was given for a page that waits."""
    path, _, query = form.get("page").partition("?")
    if not _PAGE.fullmatch(path):
        return caller.call.say("bad_request")
    fresh = freshly_verified(
        caller, form, _confirm_page(form.get("page")), power="administer", max_age=ADMIN_SECONDS
    )
    return fresh if isinstance(fresh, GateResponse) else fresh.go(path, **parse_query(query))


def _confirm_page(page: str) -> Confirm:
    return Confirm(act="open_page", action="confirm", fields=(("page", page),))


take_page_confirmation = takes_from(EVERYBODY, _open_page, back="admin")
