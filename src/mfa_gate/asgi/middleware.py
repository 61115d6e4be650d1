"""The ASGI door: reads a request, asks for the verdict, and passes on or answers; it decides nothing.

Somebody who was here a moment ago passes without I/O, hashing or a thread. Everything else takes the long way: the
request is judged whole, in a thread if the store must be asked, and its body is not read before the verdict.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache, partial

from mfa_gate.asgi.answers import Answer, Answers
from mfa_gate.asgi.quick import QuickWay, peer_of
from mfa_gate.core.addresses import client_address
from mfa_gate.core.messages import GateRequest, GateResponse, Headers, is_navigation, printable
from mfa_gate.core.paths import OddPath, canonical_path
from mfa_gate.core.responses import NEVER_SERVED, method_refused, odd_path, unavailable
from mfa_gate.door import REQUEST_KEY, AsgiApp, Door, HasParts, Parts, Receive, Scope, Send
from mfa_gate.flows.checking import Said, Verdict
from mfa_gate.flows.recall import Basis
from mfa_gate.watch import CLOSE_CODE
from mfa_gate.web.threads import Threads

log = logging.getLogger("mfa_gate")

NAME_BYTES = 64
"""A name that is worth remembering."""


class GateMiddleware:
    """Puts the gate around an ASGI application; `app.add_middleware(GateMiddleware, gate=gate)` works too."""

    def __init__(self, app: AsgiApp, gate: HasParts) -> None:
        self._app = app
        self._parts = gate.parts
        self._way: _Way | None = None
        self._quick: Callable[[Scope, Send], Answer | None] = _unknown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection: HTTP and WebSocket are judged, lifespan is passed on, anything else is refused.

        What the portal sends is cleaned; a long answer is watched, and cut if its visitor may not go on.
        """
        answer = self._quick(scope, send) or await self._long(scope, receive, send)
        if answer is None:
            return
        try:
            await self._app(answer.scope, receive, answer.send)
        except asyncio.CancelledError:
            if answer.stream is None or not answer.stream.was_cut:
                raise
            await answer.stream.say_goodbye(send)
        finally:
            if answer.stream is not None:
                answer.stream.forget()

    async def _long(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """The long way; None if somebody else has answered."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return None
        way = self._way
        if way is None or way.door is not self._parts.current:
            way = self._way = _Way(self._parts)
            self._quick = way.quick
        passage = await way.judged(scope, receive, send)
        if passage is None:
            return None
        passed, basis = passage
        answer = Answer(passed, send, way.answers, basis, way.answers.running_task())
        if basis.lasting and scope["type"] == "websocket":
            answer.watch(is_socket=True)
        return answer


def _unknown(_: Scope, __: Send) -> None:
    """The quick way before anybody was here."""


Passage = tuple[Scope, Basis]
"""What goes on to the portal, and what a long answer to it is judged by again."""


class _Way:
    """The middleware's parts in one process."""

    def __init__(self, parts: Parts) -> None:
        self.door = parts.door()
        self._threads = Threads(self.door.threads)
        self.answers = Answers(self.door, self._threads)
        self._quick = QuickWay(self.door, parts, self.answers)
        self.quick = self._quick.answer

    async def judged(self, scope: Scope, receive: Receive, send: Send) -> Passage | None:
        """The long way: the whole request is judged. None if the gate itself has answered it."""
        if scope["type"] not in {"http", "websocket"}:
            log.warning(
                "refused a connection of a kind that nobody can judge: %s", printable(str(scope["type"]))
            )
            return None
        try:
            answer = await self._judge(scope)
        except Exception:
            # Security: whatever goes wrong before the portal is asked is never a pass.
            log.exception("a request could not be judged")
            answer = unavailable()
        if isinstance(answer, GateResponse):
            await _answer(scope, send, await self._for_people(scope, answer))
        elif isinstance(answer, GateRequest):
            await self.door.pages()({**scope, REQUEST_KEY: answer}, receive, send)
        else:
            return answer
        return None

    async def _for_people(self, scope: Scope, answer: GateResponse) -> GateResponse:
        """A refusal as a page, where a browser is about to show it."""
        if answer.status < 400 or scope["type"] != "http":
            return answer
        outline = _outline(scope, self.door)
        if not is_navigation(outline):
            return answer
        return await self._threads.run(partial(self.door.for_people, answer, outline))

    async def _judge(self, scope: Scope) -> Passage | GateResponse | GateRequest:
        """What goes on to the portal, the gate's own answer, or the request for one of our pages."""
        door = self.door
        request = self._read(scope)
        if isinstance(request, OddPath):
            return odd_path(request)
        if request.method.upper() in NEVER_SERVED:
            return method_refused()
        if door.is_ours(request.path):
            return request if scope["type"] == "http" else method_refused()
        found = door.checker.check_cached(request)
        if isinstance(found, Said):
            verdict = await self._threads.run(partial(door.checker.check, request, found))
        else:
            verdict = found
        return door.answer(verdict, request) or self._passage(scope, request, verdict)

    def _passage(self, scope: Scope, request: GateRequest, verdict: Verdict) -> Passage:
        forwarding, stranger = self.door.passage(verdict)
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in forwarding.headers(request, verdict.visit.identity, stranger=stranger)
        ]
        told = self.door.told(verdict)
        passed = {**scope, "headers": headers, "mfa_gate": told}
        if stranger:
            passed["query_string"] = forwarding.query(request.query).encode("latin-1")
            if not any(name == b"sec-websocket-protocol" for name, _ in headers):
                passed.pop("subprotocols", None)
        elif told is not None and scope["type"] == "http":
            self._quick.remember(scope, verdict, dict(told), headers)
        return passed, Basis(verdict.visit, verdict.cached, not stranger)

    def _read(self, scope: Scope) -> GateRequest | OddPath:
        raw_path = scope.get("raw_path")
        root_path = scope.get("root_path") or ""
        raw = raw_path.decode("latin-1") if raw_path else None
        path = canonical_path(scope["path"], raw, root_path)
        if isinstance(path, OddPath):
            return path
        headers = _headers(scope)
        peer = peer_of(scope)
        trusted = self.door.trusted
        forwarded = tuple(value for name, value in headers if name == "x-forwarded-for")
        return GateRequest(
            kind=scope["type"],
            method=scope.get("method", "GET"),
            path=path,
            raw_path=raw or "",
            root_path=root_path,
            query=(scope.get("query_string") or b"").decode("latin-1"),
            headers=headers,
            peer=peer,
            peer_trusted=peer in trusted,
            client_address=client_address(peer, forwarded, trusted),
            client=self.door.client(path, headers),
        )


def _outline(scope: Scope, door: Door) -> GateRequest:
    """A request as far as it can be read whatever is wrong with it: enough to tell who asks, and in which language."""
    headers = _headers(scope)
    return GateRequest(
        path="/",
        method=scope.get("method", "GET"),
        root_path=scope.get("root_path") or "",
        headers=headers,
        client=door.client(scope["path"], headers),
    )


def _headers(scope: Scope) -> Headers:
    return tuple([(_name(name), value.decode("latin-1")) for name, value in scope["headers"]])


def _name(name: bytes) -> str:
    return _read_before(name) if len(name) <= NAME_BYTES else _read(name)


def _read(name: bytes) -> str:
    return name.decode("latin-1").lower()


_read_before = lru_cache(2_048)(_read)
"""The same names come with every request; what is read of them, too, is then the same object, quickly found again."""


async def _answer(scope: Scope, send: Send, response: GateResponse) -> None:
    """Say the gate's own answer; a WebSocket is refused before it is accepted."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    prefix = "http"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": CLOSE_CODE})
            return
        prefix = "websocket.http"
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": f"{prefix}.response.start", "status": response.status, "headers": headers})
    body = b"" if scope.get("method") == "HEAD" else response.body
    await send({"type": f"{prefix}.response.body", "body": body})
