"""Where calls come in and answers go out: behind a door of the gate, below the mount, and never with a trace.

It knows no page. The door has judged the request and left it in the scope; nothing here is read from the scope again.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mfa_gate.core.messages import GateRequest, GateResponse, is_navigation, printable
from mfa_gate.core.responses import problem
from mfa_gate.web import answers
from mfa_gate.web.callers import Call
from mfa_gate.web.services import Services
from mfa_gate.web.threads import Threads

log = logging.getLogger("mfa_gate")

PIECE_BYTES = 64 * 1024
REQUEST_KEY = "mfa_gate.request"
"""Where a door leaves the judged request: in the ASGI scope, or in the WSGI environment that a bridge puts there."""


def gate_request(scope: Scope) -> GateRequest:
    """The request as the door judged it."""
    environ: dict[str, Any] = scope.get("wsgi_environ") or {}
    found = scope.get(REQUEST_KEY) or environ.get(REQUEST_KEY)
    if not isinstance(found, GateRequest):
        message = "The gate's own pages are reached through the gate only: wrap the portal with gate.asgi or gate.wsgi."
        raise TypeError(message)
    return found


def said(answer: GateResponse, threads: Threads | None = None) -> Response:
    """An answer in the framework's form. What is made while it is sent is made in one of `threads`."""
    response = (
        StreamingResponse(_streamed(answer.pieces, threads), answer.status)
        if isinstance(answer, answers.Download) and threads is not None
        else Response(answer.body, answer.status)
    )
    response.raw_headers.extend(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers
    )
    return response


async def _streamed(pieces: Iterator[bytes], threads: Threads) -> AsyncIterator[bytes]:
    """The same in larger pieces, each made when the one before was taken."""

    def more() -> bytes:
        piece = bytearray()
        for each in pieces:
            piece += each
            if len(piece) >= PIECE_BYTES:
                break
        return bytes(piece)

    while piece := await threads.run(more):
        yield piece


class Entrance:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call; routes see its path below the mount."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = gate_request(scope)
        below = request.path.removeprefix(self._services.places.mount) or "/"
        inner = {**scope, "path": below, "root_path": "", REQUEST_KEY: request}
        exit_ = _Exit(send, headless=request.method == "HEAD")
        try:
            await self._app(inner, receive, exit_)
        except ClientDisconnect:
            log.info("a client left while it sent %s", printable(request.path))
        except Exception:
            reference = self._services.random(6).hex()
            log.exception("request %s failed", reference)
            if exit_.begun:
                raise
            await said(self._last_resort(request, reference))(inner, receive, exit_)

    def _last_resort(self, request: GateRequest, reference: str) -> GateResponse:
        """500 with nothing in it but a reference, under which the log says more (W23)."""
        if is_navigation(request):
            call = Call(services=self._services, request=request, now=int(self._services.clock()), params={})
            try:
                return call.say("unavailable", status=500, reference=reference)
            except Exception:
                log.exception("the page that says so failed too")
                return answers.text(f"Something went wrong here. Reference: {reference}\n", status=500)
        return problem(500, "unavailable", f"Something went wrong here. Reference: {reference}")


class _Exit:
    """What is sent; to a HEAD request without its body."""

    def __init__(self, send: Send, *, headless: bool) -> None:
        self._send = send
        self._headless = headless
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        if self._headless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)
