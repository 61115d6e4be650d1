"""The WSGI door: the same verdict as the ASGI door, said in PEP 3333; it decides nothing.

Our own pages are the ASGI app behind a bridge, which is made in the process that serves (made before a fork it hangs).
"""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from mfa_gate.bridge import bridge, refusal
from mfa_gate.core.addresses import client_address
from mfa_gate.core.messages import GateRequest, GateResponse, Headers
from mfa_gate.core.paths import OddPath, canonical_wsgi_path
from mfa_gate.core.responses import NEVER_SERVED, method_refused, odd_path, unavailable
from mfa_gate.door import REQUEST_KEY, Door, HasParts, Parts
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.recall import Basis
from mfa_gate.wsgi.answers import Answer, Answers
from mfa_gate.wsgi.quick import Payload, QuickWay

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("mfa_gate")


class GateMiddleware:
    """Puts the gate around a WSGI application: `app.wsgi_app = GateMiddleware(app.wsgi_app, gate)`."""

    def __init__(self, app: "WSGIApplication", gate: HasParts) -> None:
        self._app = app
        self._parts = gate.parts
        self._way: _Way | None = None
        self._quick: Callable[[WSGIEnvironment, StartResponse], Answer | None] = _unknown

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """One request. A long answer is judged again between its pieces."""
        answer = self._quick(environ, start_response)
        if answer is None:
            said = self._long(environ, start_response)
            if not isinstance(said, Answer):
                return said
            answer = said
        result = self._app(environ, answer.start)
        return result if isinstance(result, list | tuple) else answer.pieces(result)

    def _long(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Answer | Iterable[bytes]:
        """The long way: where the portal's answer goes, or the gate's own."""
        way = self._way
        if way is None or way.door is not self._parts.current:
            way = self._way = _Way(self._parts)
            self._quick = way.quick
        return way.judged(environ, start_response)


def _unknown(_: "WSGIEnvironment", __: "StartResponse") -> None:
    """The quick way before anybody was here."""


class _Way:
    """The middleware's parts in one process."""

    def __init__(self, parts: Parts) -> None:
        self.door = parts.door()
        self.answers = Answers(self.door)
        self._quick = QuickWay(self.door, parts, self.answers)
        self.quick = self._quick.answer
        self._pages: WSGIApplication | None = None

    def judged(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Answer | Iterable[bytes]:
        """The long way: the whole request is judged."""
        begun_at = self.door.monotonic()
        try:
            answer = self._judge(environ)
        except Exception:
            # Security: whatever goes wrong before the portal is asked is never a pass.
            log.exception("a request could not be judged")
            answer = unavailable()
        if isinstance(answer, GateResponse):
            if answer.status >= 400:
                answer = self.door.for_people(answer, _outline(environ, self.door))
            return _answer(environ, start_response, answer)
        if isinstance(answer, GateRequest):
            environ[REQUEST_KEY] = answer
            return self._bridge()(environ, start_response)
        _, stranger = self.door.passage(answer)
        return Answer(
            start_response, self.answers, Basis(answer.visit, answer.cached, not stranger), begun_at
        )

    def _judge(self, environ: "WSGIEnvironment") -> Verdict | GateResponse | GateRequest:
        """The verdict on what goes on to the portal, the gate's own answer, or the request for one of our pages."""
        door = self.door
        request = self._read(environ)
        if isinstance(request, OddPath):
            return odd_path(request)
        if request.method.upper() in NEVER_SERVED:
            return method_refused()
        if door.is_ours(request.path):
            return refusal(environ) or request
        verdict = door.checker.check(request)
        answer = door.answer(verdict, request)
        if answer is None:
            self._prepare(environ, request, verdict)
        return answer or verdict

    def _prepare(self, environ: "WSGIEnvironment", request: GateRequest, verdict: Verdict) -> None:
        """Leave in the environment what the portal is to see."""
        forwarding, stranger = self.door.passage(verdict)
        told = self.door.told(verdict)
        credentials = None if told is None else self._quick.credentials(environ)
        changed, gone = _rewrite(
            environ, forwarding.headers(request, verdict.visit.identity, stranger=stranger)
        )
        if credentials is not None and told is not None:
            self._quick.remember(credentials, environ, verdict, dict(told), Payload(changed, gone))
        if stranger:
            changed |= _without_fields(environ, forwarding.query(request.query))
            gone = (*gone, "REMOTE_USER", "AUTH_TYPE")
        environ.update(changed)
        for name in gone:
            environ.pop(name, None)
        environ["mfa_gate"] = told

    def _bridge(self) -> "WSGIApplication":
        """Our own pages behind the bridge, made when first asked for in this process."""
        if self._pages is None:
            self._pages = bridge(self.door.pages())
        return self._pages

    def _read(self, environ: "WSGIEnvironment") -> GateRequest | OddPath:
        root_path = environ.get("SCRIPT_NAME", "")
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        path = canonical_wsgi_path(root_path, environ.get("PATH_INFO", ""), target)
        if isinstance(path, OddPath):
            return path
        headers = _headers(environ) + tuple(
            (name.replace("_", "-").lower(), environ[name])
            for name in ("CONTENT_TYPE", "CONTENT_LENGTH")
            if environ.get(name)
        )
        peer = environ.get("REMOTE_ADDR", "")
        trusted = self.door.trusted
        forwarded = tuple(value for name, value in headers if name == "x-forwarded-for")
        return GateRequest(
            method=environ["REQUEST_METHOD"],
            path=path,
            raw_path=(target or "").partition("?")[0],
            root_path=root_path.encode("latin-1").decode("utf-8", "replace"),
            query=environ.get("QUERY_STRING", ""),
            headers=headers,
            peer=peer,
            peer_trusted=peer in trusted,
            client_address=client_address(peer, forwarded, trusted),
            remote_user=environ.get("REMOTE_USER") or None,
            client=self.door.client(path, headers),
        )


def _outline(environ: "WSGIEnvironment", door: Door) -> GateRequest:
    """A request as far as it can be read whatever is wrong with it: enough to tell who asks, and in which language."""
    headers = _headers(environ)
    return GateRequest(
        path="/",
        method=environ["REQUEST_METHOD"],
        root_path=environ.get("SCRIPT_NAME", "").encode("latin-1").decode("utf-8", "replace"),
        headers=headers,
        client=door.client(environ.get("PATH_INFO", ""), headers),
    )


def _headers(environ: "WSGIEnvironment") -> Headers:
    return tuple(
        (name[5:].replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    )


def _rewrite(environ: "WSGIEnvironment", headers: Headers) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which `HTTP_*` entries change and which go, so that the portal sees exactly `headers`."""
    wanted = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers}
    gone = tuple(name for name in environ if name.startswith("HTTP_") and name not in wanted)
    changed = {
        name: value
        for name, value in wanted.items()
        if environ.get(name) != value and name not in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}
    }
    return changed, gone


def _without_fields(environ: "WSGIEnvironment", query: str) -> dict[str, str]:
    """The query, wherever it stands, as a stranger's."""
    suffix = f"?{query}" if query else ""
    targets = {
        name: environ[name].partition("?")[0] + suffix
        for name in ("RAW_URI", "REQUEST_URI")
        if environ.get(name)
    }
    return {"QUERY_STRING": query, **targets}


def _answer(
    environ: "WSGIEnvironment", start_response: "StartResponse", response: GateResponse
) -> Iterable[bytes]:
    """Say the gate's own answer. The body of the request is not read."""
    headers = [*response.headers, ("content-length", str(len(response.body)))]
    start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body]
