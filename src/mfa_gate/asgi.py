"""The ASGI door: reads a request, asks for the verdict, and passes on or answers; it decides nothing.

Somebody who was here a moment ago passes without I/O, hashing or a thread. Everything else takes the long way: the
request is judged whole, in a thread if the store must be asked, and its body is not read before the verdict.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import anyio.to_thread

from mfa_gate.core.addresses import client_address
from mfa_gate.core.decision import AllowStranger, Visit
from mfa_gate.core.forwarding import sets_cookie_of
from mfa_gate.core.messages import GateRequest, GateResponse
from mfa_gate.core.paths import OddPath, canonical_path
from mfa_gate.core.responses import LOOKED_AT, NEVER_SERVED, method_refused, odd_path, private
from mfa_gate.door import REQUEST_KEY, AsgiApp, Door, HasDoor, Message, Receive, Scope, Send
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.facts import CachedFacts
from mfa_gate.flows.recall import Recall
from mfa_gate.watch import LoopWatch

CLOSE_CODE = 4401
"""WebSocket close code where a second step is asked for: HTTP's 401 in the range for private use."""
HARMLESS_NAMES = 1_000
_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_ENDS_OF_SOCKETS = frozenset({"websocket.close", "websocket.http.response.body"})


class _Payload:
    """What the quick way needs of somebody: the cookies to pass on, and the headers to add."""

    __slots__ = ("added", "cookie")

    def __init__(self, cookie: bytes, added: list[tuple[bytes, bytes]]) -> None:
        self.cookie = (b"cookie", cookie) if cookie else None
        self.added = added


class GateMiddleware:
    """Puts the gate around an ASGI application; `app.add_middleware(GateMiddleware, gate=gate)` works too."""

    def __init__(self, app: AsgiApp, gate: HasDoor) -> None:
        self._app = app
        self._gate = gate
        self._way: _Way | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection: HTTP and WebSocket are judged, lifespan is passed on, anything else is refused."""
        kind = scope["type"]
        if kind == "http":
            await self._ready().go(scope, receive, send)
        elif kind == "websocket":
            await self._ready().go_long(scope, receive, send)
        elif kind == "lifespan":
            await self._app(scope, receive, send)
        else:
            message = f"The gate serves http and websocket, not {kind!r}."
            raise RuntimeError(message)

    def _ready(self) -> "_Way":
        door = self._gate.door()
        way = self._way
        if way is None or way.door is not door:
            way = self._way = _Way(self._app, door)
        return way


class _Way:
    """The middleware's parts in one process."""

    def __init__(self, app: AsgiApp, door: Door) -> None:
        self._app = app
        self.door = door
        self._recall: Recall[_Payload] = Recall(door.clock, door.monotonic)
        self._query_matters = door.query_matters
        self._keyed = frozenset(name.encode() for name in door.forwarding.source_headers)
        self._limiter = anyio.CapacityLimiter(door.threads)
        self._watches: dict[asyncio.AbstractEventLoop, LoopWatch] = {}
        self._asked = _Harmless(door.forwarding.is_special)
        self._answered = _Harmless(lambda name: name.lower() in LOOKED_AT)

    async def go(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The quick way where it is open, else the long one."""
        known = self._credentials(scope)
        if known is not None:
            place = (scope["path"], scope.get("raw_path"), scope.get("root_path"), scope["method"])
            passing = self._recall.passes(known[0], place)
            if passing is not None:
                scope = dict(scope)
                scope["headers"] = _with_cookie(scope["headers"], known[1], passing.payload)
                scope["mfa_gate"] = passing.told.copy()
                await self._pass(scope, receive, send, passing.visit, passing.facts)
                return
        await self.go_long(scope, receive, send)

    def _credentials(self, scope: Scope) -> tuple[tuple[object, ...], int] | None:
        """Everything that says who asks, raw, and where the cookies stand.

        None where a header is there that deserves a longer look: any name that was not judged harmless before.
        """
        if self._query_matters and scope.get("query_string"):
            return None
        harmless = self._asked.names
        cookie = host = None
        keyed: list[object] = []
        at = 0
        for index, (name, value) in enumerate(scope["headers"]):
            if name in harmless:
                continue
            if name == b"cookie" and cookie is None:
                cookie, at = value, index
            elif name == b"host" and host is None:
                host = value
            elif name in self._keyed:
                keyed.append((name, value))
            elif not self._asked.learn(name):
                return None
        if cookie is None or host is None:
            return None
        if self._keyed:
            return (cookie, host, _peer(scope), *keyed), at
        return (cookie, host), at

    async def go_long(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self.door
        request = self._read(scope)
        if isinstance(request, OddPath):
            await _answer(scope, send, odd_path(request))
            return
        if request.method.upper() in NEVER_SERVED:
            await _answer(scope, send, method_refused())
            return
        if door.is_ours(request.path):
            if scope["type"] == "websocket":
                await _answer(scope, send, method_refused())
                return
            await door.pages()({**scope, REQUEST_KEY: request}, receive, send)
            return
        verdict = door.checker.check_cached(request)
        if verdict is None:
            verdict = await anyio.to_thread.run_sync(door.checker.check, request, limiter=self._limiter)
        response = door.answer(verdict, request)
        if response is not None:
            await _answer(scope, send, response)
            return
        await self._forward(scope, receive, send, request, verdict)

    async def _forward(
        self, scope: Scope, receive: Receive, send: Send, request: GateRequest, verdict: Verdict
    ) -> None:
        forwarding, identity = self.door.forwarding, verdict.visit.identity
        stranger = isinstance(verdict.decision, AllowStranger)
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in forwarding.headers(request, identity, stranger=stranger)
        ]
        judged = dict(scope)
        judged["headers"] = headers
        told = self.door.told(verdict)
        judged["mfa_gate"] = told
        if stranger:
            judged["query_string"] = forwarding.query(request.query).encode("latin-1")
        elif told is not None and scope["type"] == "http":
            known = self._credentials(scope)
            if known is not None:
                cookie = next((value for name, value in headers if name == b"cookie"), b"")
                added = [pair for pair in headers if forwarding.tell and pair[0].startswith(b"remote-")]
                place = (scope["path"], scope.get("raw_path"), scope.get("root_path"), scope["method"])
                self._recall.remember(known[0], place, verdict, dict(told), _Payload(cookie, added))
        await self._pass(judged, receive, send, verdict.visit, verdict.cached)

    async def _pass(
        self, scope: Scope, receive: Receive, send: Send, visit: Visit, facts: CachedFacts | None
    ) -> None:
        """Run the portal. What it sends is cleaned; a long answer is watched, and cut if its visitor may not go on."""
        stream: _Stream | None = None
        task = asyncio.current_task()
        gated = visit.rule.kind != "public"

        def cleaned(message: Message) -> Awaitable[None]:
            nonlocal stream
            kind = message["type"]
            if stream is not None and stream.was_cut:
                raise _Cut
            if kind in _STARTS:
                message = self._clean(message, gated=gated)
            elif stream is None:
                if message.get("more_body"):
                    stream = self._watched(_Stream(self, task, visit, facts))
            elif kind in _ENDS_OF_SOCKETS:
                stream.closed = True
            return send(message)

        if scope["type"] == "websocket":
            stream = self._watched(_Stream(self, task, visit, facts))
        try:
            await self._app(scope, receive, cleaned)
        except asyncio.CancelledError:
            if stream is None or not stream.was_cut or task is None:
                raise
            task.uncancel()
        finally:
            if stream is not None:
                self.watch().remove(stream)
        # An HTTP answer that was cut has no end, so that the server closes the connection.
        if stream is not None and stream.was_cut and scope["type"] == "websocket" and not stream.closed:
            await send({"type": "websocket.close", "code": CLOSE_CODE, "reason": "two_step_code_required"})

    def _clean(self, message: Message, *, gated: bool) -> Message:
        """The portal's answer without cookies of our name, and kept out of shared caches on gated paths."""
        headers = message.get("headers") or ()
        harmless = self._answered.names
        for name, _ in headers:
            if name not in harmless and not self._answered.learn(name):
                break
        else:
            return message
        text = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
        kept = tuple(
            (name, value)
            for name, value in text
            if name != "set-cookie" or not sets_cookie_of(value, self.door.forwarding.our_cookies)
        )
        cleaned = private(kept) if gated else kept
        return {**message, "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in cleaned]}

    def _watched(self, stream: "_Stream") -> "_Stream":
        self.watch().add(stream)
        return stream

    def watch(self) -> LoopWatch:
        """The watch of the running loop."""
        loop = asyncio.get_running_loop()
        watch = self._watches.get(loop)
        if watch is None:
            self._watches = {each: kept for each, kept in self._watches.items() if not each.is_closed()}
            watch = self._watches[loop] = LoopWatch(partial(anyio.to_thread.run_sync, limiter=self._limiter))
        return watch

    def _read(self, scope: Scope) -> GateRequest | OddPath:
        raw_path = scope.get("raw_path")
        root_path = scope.get("root_path") or ""
        raw = raw_path.decode("latin-1") if raw_path else None
        path = canonical_path(scope["path"], raw, root_path)
        if isinstance(path, OddPath):
            return path
        headers = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        )
        peer = _peer(scope)
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
        )


class _Stream:
    """A long answer or an open socket, as its watch sees it."""

    __slots__ = ("_facts", "_task", "_visit", "_way", "closed", "was_cut")

    def __init__(
        self, way: _Way, task: "asyncio.Task[object] | None", visit: Visit, facts: CachedFacts | None
    ) -> None:
        self.was_cut = False
        self.closed = False
        self._way = way
        self._task = task
        self._visit = visit
        self._facts = facts

    def still(self) -> bool:
        """Whether the visitor would still pass; may block."""
        return self._way.door.checker.again(self._visit, self._facts)

    def cut(self) -> None:
        """End the portal's work on this request; what it sends from now on goes nowhere."""
        self.was_cut = True
        if self._task is not None:
            self._task.cancel()


class _Cut(OSError):
    """The visitor may no longer see what the portal sends."""


class _Harmless:
    """Header names that were judged once and need no further look; a name that was never judged is not among them."""

    def __init__(self, is_special: Callable[[str], bool]) -> None:
        self.names: set[bytes] = set()
        self._is_special = is_special

    def learn(self, name: bytes) -> bool:
        """Judge a name; True if it is harmless."""
        if self._is_special(name.decode("latin-1")):
            return False
        if len(self.names) < HARMLESS_NAMES:
            self.names.add(bytes(name))
        return True


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _with_cookie(headers: list[tuple[bytes, bytes]], at: int, payload: _Payload) -> list[tuple[bytes, bytes]]:
    passed = list(headers)
    if payload.cookie is None:
        del passed[at]
    else:
        passed[at] = payload.cookie
    if payload.added:
        passed += payload.added
    return passed


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
