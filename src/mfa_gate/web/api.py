"""The JSON API's addresses: one route for each path, with every method it has, and 404 for whatever is not there.

Security: a path is one route with a table of methods. Two routes on one path would answer 405 with half an `Allow`.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mfa_gate.core.messages import GateRequest, GateResponse
from mfa_gate.core.responses import problem, unavailable, under
from mfa_gate.web import answers
from mfa_gate.web.api_acts import OPERATIONS as OF_ACTS
from mfa_gate.web.api_admin import OPERATIONS as OF_ADMINISTRATION
from mfa_gate.web.api_bodies import read_body, too_large
from mfa_gate.web.api_browsers import OPERATIONS as OF_BROWSERS
from mfa_gate.web.api_calls import Operation, safely
from mfa_gate.web.api_devices import OPERATIONS as OF_DEVICES
from mfa_gate.web.api_exports import OPERATIONS as OF_EXPORTS
from mfa_gate.web.api_policy import OPERATIONS as OF_THE_POLICY
from mfa_gate.web.api_problems import not_found
from mfa_gate.web.api_reminders import OPERATIONS as OF_REMINDERS
from mfa_gate.web.api_reports import OPERATIONS as OF_REPORTS
from mfa_gate.web.api_roster import OPERATIONS as OF_THE_ROSTER
from mfa_gate.web.api_self import OPERATIONS as OF_ONESELF
from mfa_gate.web.entrance import gate_request, said
from mfa_gate.web.openapi import document
from mfa_gate.web.services import Services
from mfa_gate.web.threads import Threads, from_loop
from mfa_gate.web.uploads import Body

BELOW = "/api/v1"
THREADS = 16
OPERATIONS: tuple[Operation[Any], ...] = (
    *OF_ONESELF,
    *OF_BROWSERS,
    *OF_DEVICES,
    *OF_THE_POLICY,
    *OF_THE_ROSTER,
    *OF_EXPORTS,  # before paths that have an id in the same place
    *OF_ADMINISTRATION,
    *OF_ACTS,
    *OF_REMINDERS,
    *OF_REPORTS,
)

T = TypeVar("T")
Table = Mapping[str, Operation[Any]]


def api_routes(services: Services) -> list[Route]:
    """Every route of the API, below `/api/v1`; the last one takes what no other does."""
    threads = Threads(THREADS)
    tables: dict[str, dict[str, Operation[Any]]] = {}
    for operation in OPERATIONS:
        tables.setdefault(operation.path, {})[operation.method] = operation
    return [
        *(Route(path, _Path(services, table, threads)) for path, table in tables.items()),
        Route("/openapi.json", _Document(services)),
        Route("/{rest:path}", _Nowhere()),
    ]


class _Path:
    """One path: finds the operation of the request's method, and brings its answer back."""

    def __init__(self, services: Services, table: Table, threads: Threads) -> None:
        self._services = services
        self._table = table
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        answer = await self._answer(Request(scope, receive))
        await said(answer, self._threads)(scope, receive, send)

    async def _answer(self, request: Request) -> GateResponse:
        judged = gate_request(request.scope)
        operation = self._table.get(_method(judged))
        if operation is None:
            return _not_this_way(self._table)
        admit = partial(operation.admit, self._services, judged, request.path_params)
        if operation.file:
            call = await self._in_thread(admit)
            if isinstance(call, GateResponse):
                return call
            return await self._in_thread(partial(operation.take, call, Body(from_loop(request.stream()))))
        said = operation.expects(self._services, judged) if operation.takes_body else None
        body = b"" if said is None else await read_body(request.stream())
        if body is None:
            return too_large()

        def answer() -> GateResponse:
            call = admit(said)
            if isinstance(call, GateResponse):
                return call
            return unavailable() if operation.takes_body and said is None else operation.perform(call, body)

        # At once: to change threads takes as long as to ask the store.
        return await self._in_thread(answer)

    async def _in_thread(self, act: Callable[[], GateResponse | T]) -> GateResponse | T:
        return await self._threads.run(partial(safely, act))


class _Document:
    """The OpenAPI document, for anybody: it says what there is, and nothing of who is here."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await said(self._answer(gate_request(scope)))(scope, receive, send)

    def _answer(self, request: GateRequest) -> GateResponse:
        if _method(request) != "GET":
            return _not_this_way({"GET"})
        places = self._services.places
        server = f"{places.public_url}{under(request, places)}{BELOW}"
        return answers.json(document(OPERATIONS, server, self._services.cookie_name))


class _Nowhere:
    """Every other path, whatever the method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await said(not_found())(scope, receive, send)


def _method(request: GateRequest) -> str:
    return "GET" if request.method == "HEAD" else request.method


def _not_this_way(methods: Collection[str]) -> GateResponse:
    """405 with every method that there is."""
    allowed = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
    return problem(405, "invalid", f"There is only {allowed} here.", headers=(("allow", allowed),))
