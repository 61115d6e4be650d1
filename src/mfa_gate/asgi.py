"""The ASGI door: reads a request, asks for the verdict, and passes on or answers; it decides nothing.

Somebody who was here a moment ago passes without I/O, hashing or a thread. Everything else takes the long way: the
request is judged whole, in a thread if the store must be asked, and its body is not read before the verdict.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from functools import partial

from mfa_gate.core.addresses import client_address
from mfa_gate.core.decision import Visit
from mfa_gate.core.forwarding import sets_cookie_of
from mfa_gate.core.messages import GateRequest, GateResponse, is_navigation, printable
from mfa_gate.core.paths import OddPath, canonical_path
from mfa_gate.core.responses import LOOKED_AT, NEVER_SERVED, method_refused, odd_path, private, unavailable
from mfa_gate.door import REQUEST_KEY, AsgiApp, Door, HasParts, Message, Receive, Scope, Send
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.facts import CachedFacts
from mfa_gate.flows.recall import Recall
from mfa_gate.watch import CLOSE_CODE, LoopWatch, Stream
from mfa_gate.web.threads import Threads

HARMLESS_NAMES = 1_000

log = logging.getLogger("mfa_gate")


class _Payload:
    """What the quick way needs of somebody: the cookies to pass on, and the headers to add."""

    __slots__ = ("added", "at", "cookie")

    def __init__(self, headers: list[tuple[bytes, bytes]], sent: list[tuple[bytes, bytes]]) -> None:
        self.at = next((index for index, pair in enumerate(headers) if pair[0] == b"cookie"), -1)
        self.cookie = headers[self.at] if self.at >= 0 else None
        self.added = [pair for pair in headers if pair[0] != b"cookie" and pair not in sent]

    def put_into(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The same headers with the portal's cookies only. They mostly stand where they stood the last time."""
        passed = list(headers)
        at = self.at
        if self.cookie is None or at >= len(passed) or passed[at][0] != b"cookie":
            passed = [pair for pair in passed if pair[0] != b"cookie"]
            if self.cookie is not None:
                passed.append(self.cookie)
        else:
            passed[at] = self.cookie
        if self.added:
            passed += self.added
        return passed


class GateMiddleware:
    """Puts the gate around an ASGI application; `app.add_middleware(GateMiddleware, gate=gate)` works too."""

    def __init__(self, app: AsgiApp, gate: HasParts) -> None:
        self._app = app
        self._parts = gate.parts
        self._way: _Way | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection: HTTP and WebSocket are judged, lifespan is passed on, anything else is refused.

        What the portal sends is cleaned; a long answer is watched, and cut if its visitor may not go on.
        """
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        way = self._way
        if way is None or way.door is not self._parts.current:
            way = self._way = _Way(self._parts.door())
        passage = way.recalled(scope) if kind == "http" else None
        if passage is None:
            passage = await way.judged(scope, receive, send)
            if passage is None:
                return
        scope, visit, facts, lasting = passage
        stream = way.watched(visit, facts) if lasting and kind == "websocket" else None
        task = asyncio.current_task()

        def cleaned(message: Message) -> Awaitable[None]:
            nonlocal stream
            if stream is not None:
                stream.notice(message)
            elif message.get("more_body") and lasting:
                stream = way.watched(visit, facts, task)
            if "headers" in message:
                message = way.cleaned(message, visit)
            return send(message)

        try:
            await self._app(scope, receive, cleaned)
        except asyncio.CancelledError:
            if stream is None or not stream.was_cut:
                raise
            await stream.say_goodbye(send)
        finally:
            if stream is not None:
                stream.forget()


Passage = tuple[Scope, Visit, CachedFacts | None, bool]
"""What goes on to the portal, what a long answer is judged by again, and whether it is: a stranger's needs no proof."""


class _Way:
    """The middleware's parts in one process."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._recall: Recall[_Payload] = Recall(door.cache, door.clock, door.monotonic)
        self._query_matters = door.query_matters
        self._keyed = frozenset(name.encode() for name in door.forwarding.source_headers)
        self._threads = Threads(door.threads)
        self._watches: dict[asyncio.AbstractEventLoop, LoopWatch] = {}
        self._asked = _Harmless(door.forwarding.is_special)
        self._answered = _Harmless(lambda name: name.lower() in LOOKED_AT)

    def recalled(self, scope: Scope) -> Passage | None:
        """The quick way: somebody who was here a moment ago, with nothing unusual.

        One loop over the headers and two look-ups: nearly all that a verified request costs.
        """
        headers = scope["headers"]
        harmless = self._asked.names
        cookie = host = None
        for name, value in headers:
            if name in harmless:
                continue
            if name == b"cookie" and cookie is None:
                cookie = value
            elif name == b"host" and host is None:
                host = value
            elif not self._is_plain(name, scope):
                return None
        if self._query_matters and scope.get("query_string"):
            return None
        passing = self._recall.passes(
            (cookie, host, self._keyed and self._keyed_by(scope)),
            (scope["path"], scope.get("raw_path"), scope.get("root_path"), scope["method"]),
        )
        if passing is None:
            return None
        passed = {**scope, "headers": passing.payload.put_into(headers), "mfa_gate": passing.told.copy()}
        return passed, passing.visit, passing.facts, True

    def _remember(
        self, scope: Scope, verdict: Verdict, told: dict[str, object], headers: list[tuple[bytes, bytes]]
    ) -> None:
        if self._query_matters and scope.get("query_string"):
            return
        payload = _Payload(headers, scope["headers"])
        # Security: where the quick way would pass on anything else than was passed on now (a header that names
        # somebody, from a peer that nobody trusts), it is not taken.
        if payload.put_into(scope["headers"]) != headers:
            return
        names = [name for name, _ in scope["headers"]]
        if not all(name in {b"cookie", b"host"} or self._is_plain(name, scope) for name in names):
            return
        if names.count(b"cookie") != 1 or names.count(b"host") != 1:
            return
        sent = dict(scope["headers"])
        credentials = (sent[b"cookie"], sent[b"host"], self._keyed and self._keyed_by(scope))
        place = (scope["path"], scope.get("raw_path"), scope.get("root_path"), scope["method"])
        self._recall.remember(credentials, place, verdict, told, payload)

    def _is_plain(self, name: bytes, scope: Scope) -> bool:
        """True if the header goes on as it is: a harmless one, or an identity source's from a trusted peer."""
        if name in self._keyed:
            return _peer(scope) in self.door.trusted
        return name in self._asked.names or self._asked.learn(name)

    def _keyed_by(self, scope: Scope) -> Hashable:
        """What attributes beside the cookies: the peer, and the headers of an identity source."""
        return _peer(scope), *(pair for pair in scope["headers"] if pair[0] in self._keyed)

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
        outline = _outline(scope)
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
        verdict = door.checker.check_cached(request)
        if verdict is None:
            verdict = await self._threads.run(partial(door.checker.check, request))
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
            self._remember(scope, verdict, dict(told), headers)
        return passed, verdict.visit, verdict.cached, not stranger

    def cleaned(self, message: Message, visit: Visit) -> Message:
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
        cleaned = kept if visit.rule.kind == "public" else private(kept)
        return {**message, "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in cleaned]}

    def watched(
        self, visit: Visit, facts: CachedFacts | None, task: "asyncio.Task[object] | None" = None
    ) -> "Stream":
        """Watch a long answer (`task` is None for a socket, which is watched from its first moment)."""
        loop = asyncio.get_running_loop()
        watch = self._watches.get(loop)
        if watch is None:
            self._watches = {each: kept for each, kept in self._watches.items() if not each.is_closed()}
            watch = self._watches[loop] = LoopWatch(self._threads.run)
        stream = Stream(
            watch,
            still=partial(self.door.checker.again, visit, facts),
            task=task or asyncio.current_task(),
            is_socket=task is None,
        )
        watch.add(stream)
        return stream

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


def _outline(scope: Scope) -> GateRequest:
    """A request as far as it can be read whatever is wrong with it: enough to tell who asks, and in which language."""
    return GateRequest(
        path="/",
        method=scope.get("method", "GET"),
        root_path=scope.get("root_path") or "",
        headers=tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ),
    )


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


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
