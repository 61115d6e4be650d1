"""Our own pages as one ASGI app: which address is which page, and what does the work.

Every path has one route with a table of its methods, so that whatever is not in the table is 405. Pages are
synchronous and run in threads of their own: the portal's are never used up.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.messages import GateResponse, printable, speaks_html
from mfa_gate.core.responses import problem, redirect
from mfa_gate.web import (
    account_pages,
    admin_act_pages,
    admin_audit_pages,
    admin_export_pages,
    admin_impact_pages,
    admin_pages,
    admin_people_export_pages,
    admin_policy_pages,
    admin_reminder_pages,
    admin_report_pages,
    admin_roster_pages,
    admin_user_pages,
    admin_users_pages,
    admins,
    setup_pages,
    statics,
    verify_pages,
)
from mfa_gate.web.callers import Call
from mfa_gate.web.entrance import Entrance, gate_request, said
from mfa_gate.web.forms import NOTHING, read_form
from mfa_gate.web.protect import Handler
from mfa_gate.web.services import Services
from mfa_gate.web.threads import Threads, from_loop
from mfa_gate.web.uploads import Body, is_multipart

log = logging.getLogger("mfa_gate")

THREADS = 16
Table = Mapping[str, Handler]
"""The methods of one path; GET answers HEAD too."""


def _front(call: Call) -> GateResponse:
    return redirect(call.url("account"))


PAGES: Mapping[str, Table] = {
    "/": {"GET": _front},
    "/setup": {"GET": setup_pages.show_setup},
    "/setup/choose": {"POST": setup_pages.take_choice},
    "/setup/confirm": {"POST": setup_pages.take_confirm},
    "/setup/back": {"POST": setup_pages.take_back},
    "/setup/later": {"POST": setup_pages.take_later},
    "/setup/saved": {"POST": setup_pages.take_saved},
    "/setup/codes.txt": {"POST": setup_pages.take_download},
    "/verify": {"GET": verify_pages.show_verify, "POST": verify_pages.take_verify},
    "/account": {"GET": account_pages.show_account},
    "/account/recovery-codes": {"POST": account_pages.take_new_codes},
    "/account/recovery-codes/saved": {"POST": account_pages.take_codes_saved},
    "/account/replace": {"POST": account_pages.take_replacing},
    "/account/turn-off": {"POST": account_pages.take_turning_off},
    "/account/sessions/end": {"POST": account_pages.take_session_end},
    "/account/clients/remove": {"POST": account_pages.take_client_removal},
    "/account/sessions/end-others": {"POST": account_pages.take_others_end},
    "/account/browsers/forget": {"POST": account_pages.take_forgetting},
    "/account/browsers/forget-all": {"POST": account_pages.take_forgetting_all},
    "/signout": {"POST": account_pages.take_sign_out},
    "/sign-in": {"GET": statics.show_sign_in},
    "/confirm": {"POST": admins.take_page_confirmation},
    "/admin": {"GET": admin_pages.show_overview},
    "/admin/report": {"GET": admin_report_pages.show_report},
    "/admin/settings/policies": {
        "GET": admin_policy_pages.show_policies,
        "POST": admin_policy_pages.take_policies,
    },
    "/admin/settings/policies/export": {
        "GET": admin_impact_pages.show_impact_export,
        "POST": admin_impact_pages.take_impact_export,
    },
    "/admin/settings/policies/history": {"GET": admin_policy_pages.show_history},
    "/admin/users": {"GET": admin_users_pages.show_users},
    "/admin/users/export": {
        "GET": admin_people_export_pages.show_people_export,
        "POST": admin_people_export_pages.take_people_export,
    },
    "/admin/users/import": {
        "GET": admin_roster_pages.show_roster,
        "POST": admin_roster_pages.take_roster,
    },
    "/admin/users/import/confirm": {"POST": admin_roster_pages.take_confirmation},
    "/admin/reminders": {
        "GET": admin_reminder_pages.show_reminders,
        "POST": admin_reminder_pages.take_reminders,
    },
    "/admin/reminders/{run}": {"GET": admin_reminder_pages.show_run},
    "/admin/users/{id}": {"GET": admin_user_pages.show_user},
    **admin_act_pages.ACT_PAGES,
    "/admin/audit": {"GET": admin_audit_pages.show_audit},
    "/admin/audit/export": {
        "GET": admin_export_pages.show_export,
        "POST": admin_export_pages.take_export,
    },
    "/healthz/live": {"GET": statics.show_live},
    "/healthz/ready": {"GET": statics.show_ready},
}

BRING_FILES = frozenset({"/admin/users/import"})
"""Pages to which a form may bring a file, which their handlers read as it comes."""


_PAGES_ONLY = problem(
    404, "not_found", "This is a page for browsers. What clients need is in the API, under api/v1 beside it."
)


def create_web_app(services: Services) -> Starlette:
    """The app behind the doors: it takes calls whose path is below the mount, with the judged request beside them."""
    from mfa_gate.web.api import api_routes  # noqa: PLC0415 -- a portal without API clients starts without it

    services = replace(services, renderer=cache(services.renderer))
    desk = _Desk(services)
    app = Starlette(
        routes=[
            # First: its paths begin as no page's do, and most calls are for it.
            Mount("/api/v1", routes=api_routes(services)),
            *(
                desk.route(path, table, for_browsers=not path.startswith("/healthz/"))
                for path, table in PAGES.items()
            ),
            desk.route("/logo", {"GET": statics.logo_from(services.logo)}),
            desk.route("/static/theme.css", {"GET": statics.show_theme}, quick=True),
            desk.route("/static/{name:path}", {"GET": statics.show_asset}, quick=True),
        ],
        middleware=[Middleware(Entrance, services)],
        exception_handlers={HTTPException: desk.refuse},
    )
    # Security: the framework would send `/account/` to `/account` at whatever host the request names (W06).
    app.router.redirect_slashes = False
    return app


class _Desk:
    """Brings calls to handlers, and answers back."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._threads = Threads(THREADS)

    def route(self, path: str, table: Table, *, quick: bool = False, for_browsers: bool = False) -> Route:
        """The one route of a path. `quick`: its handlers wait for nothing, and need no thread.

        `for_browsers`: no other client is let in, since nothing here speaks its language.
        """

        async def answer(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            if for_browsers and not speaks_html(gate_request(request.scope)):
                return said(_PAGES_ONLY)
            call = await self._call(request)
            return said(
                _answered(table[method], call) if quick else await self._in_thread(table[method], call),
                self._threads,
            )

        return Route(path, answer, methods=list(table))

    async def refuse(self, request: Request, error: Exception) -> Response:
        """There is no such page, or not with this method."""
        call = Call(
            services=self._services,
            request=gate_request(request.scope),
            now=int(self._services.clock()),
            params={},
        )
        if isinstance(error, HTTPException) and error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            refused = await self._in_thread(
                partial(Call.say, kind="bad_request", status=405, retry=_page_above(call.below)), call
            )
            refused_with = (("allow", ", ".join(sorted(allowed.split(", ")))), *refused.headers)
            return said(GateResponse(status=405, headers=refused_with, body=refused.body))
        return said(await self._in_thread(partial(Call.say, kind="not_found"), call))

    async def _call(self, request: Request) -> Call:
        judged = gate_request(request.scope)
        posted = judged.method == "POST"
        brings = posted and request.scope["path"] in BRING_FILES and is_multipart(judged)
        return Call(
            services=self._services,
            request=judged,
            now=int(self._services.clock()),
            sent=await read_form(judged, request.stream()) if posted and not brings else NOTHING,
            body=Body(from_loop(request.stream())) if brings else None,
            params=request.path_params,
        )

    async def _in_thread(self, handler: Handler, call: Call) -> GateResponse:
        return await self._threads.run(partial(_answered, handler, call))


def _answered(handler: Handler, call: Call) -> GateResponse:
    """What the handler answers. Security: a store that is away is said, and never a pass."""
    try:
        return handler(call)
    except StoreUnavailable as error:
        log.warning("store unavailable: %s", printable(str(error)))
        return call.say("unavailable", retry=call.below if call.request.method != "POST" else None)


def _page_above(below: str) -> str:
    """The page that a form stands on; for somebody who asks for the form's address."""
    path = f"/{below}".partition("?")[0]
    while path := path.rpartition("/")[0]:
        if "GET" in PAGES.get(path, {}):
            return path[1:]
    return "account"
