"""The WSGI door: the same verdict as the ASGI door, said in PEP 3333; it decides nothing.

Our own pages are the ASGI app behind a bridge, which is made in the process that serves (made before a fork it hangs).
"""

import logging
from collections.abc import Callable, Hashable, Iterable
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING

from mfa_gate.bridge import bridge, refusal
from mfa_gate.core.addresses import client_address
from mfa_gate.core.decision import Visit
from mfa_gate.core.forwarding import sets_cookie_of
from mfa_gate.core.messages import GateRequest, GateResponse, Headers
from mfa_gate.core.paths import OddPath, canonical_wsgi_path
from mfa_gate.core.responses import LOOKED_AT, NEVER_SERVED, method_refused, odd_path, private, unavailable
from mfa_gate.door import REQUEST_KEY, Door, HasParts
from mfa_gate.flows.checking import Verdict
from mfa_gate.flows.facts import CachedFacts
from mfa_gate.flows.recall import Recall
from mfa_gate.watch import PieceWatch, WatchedPieces

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HARMLESS_NAMES = 1_000

log = logging.getLogger("mfa_gate")
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


class _Payload:
    """What the quick way needs of somebody: the environment's changed entries, and those that go."""

    __slots__ = ("changed", "gone")

    def __init__(self, changed: dict[str, str], gone: tuple[str, ...]) -> None:
        self.changed = changed
        self.gone = gone


class GateMiddleware:
    """Puts the gate around a WSGI application: `app.wsgi_app = GateMiddleware(app.wsgi_app, gate)`."""

    def __init__(self, app: "WSGIApplication", gate: HasParts) -> None:
        self._app = app
        self._parts = gate.parts
        self._way: _Way | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """One request."""
        way = self._way
        if way is None or way.door is not self._parts.current:
            way = self._way = _Way(self._app, self._parts.door())
        return way.go(environ, start_response)


class _Way:
    """The middleware's parts in one process."""

    def __init__(self, app: "WSGIApplication", door: Door) -> None:
        self._app = app
        self.door = door
        self._recall: Recall[_Payload] = Recall(door.cache, door.clock, door.monotonic)
        self._harmless: set[str] = set()
        self._keyed = tuple(
            "HTTP_" + name.upper().replace("-", "_") for name in sorted(door.forwarding.source_headers)
        )
        self._pages: WSGIApplication | None = None

    def go(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The quick way where it is open, else the long one."""
        credentials = self._credentials(environ)
        if credentials is not None:
            passing = self._recall.passings.get((*credentials, self._recall.places.get(_place(environ))))
            if passing is not None and self.door.cache.is_good(passing.facts, self.door.monotonic()):
                environ.update(passing.payload.changed)
                for name in passing.payload.gone:
                    environ.pop(name, None)
                environ["mfa_gate"] = passing.told.copy()
                return self._pass(environ, start_response, passing.basis.visit, passing.basis.facts)
        return self._long(environ, start_response)

    def _credentials(self, environ: "WSGIEnvironment") -> tuple[Hashable, Hashable, Hashable] | None:
        """Everything that says who asks, raw; None where a header is there that deserves a longer look."""
        if self.door.query_matters and environ.get("QUERY_STRING"):
            return None
        if not environ.keys() <= self._harmless:
            for name in environ.keys() - self._harmless:
                if not self._is_harmless(name):
                    return None
        cookie = environ.get("HTTP_COOKIE")
        if cookie is None:
            return None
        if (
            any(name in environ for name in self._keyed)
            and environ.get("REMOTE_ADDR", "") not in self.door.trusted
        ):
            return None
        if self._keyed or self.door.reads_remote_user:
            keyed = tuple(environ.get(name) for name in (*self._keyed, "REMOTE_USER", "REMOTE_ADDR"))
            return cookie, environ.get("HTTP_HOST"), keyed
        return cookie, environ.get("HTTP_HOST"), None

    def _is_harmless(self, name: str) -> bool:
        """Learn names one by one; a name that was never judged is never harmless."""
        if name in _READ_ANYWAY or name in self._keyed:
            pass
        elif name.startswith("HTTP_") and self.door.forwarding.is_special(name[5:]):
            return False
        if len(self._harmless) < HARMLESS_NAMES:
            self._harmless.add(name)
        return True

    def _long(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            answer = self._judge(environ)
        except Exception:
            # Security: whatever goes wrong before the portal is asked is never a pass.
            log.exception("a request could not be judged")
            answer = unavailable()
        if isinstance(answer, GateResponse):
            if answer.status >= 400:
                answer = self.door.for_people(answer, _outline(environ))
            return _answer(environ, start_response, answer)
        if isinstance(answer, GateRequest):
            environ[REQUEST_KEY] = answer
            return self._bridge()(environ, start_response)
        _, stranger = self.door.passage(answer)
        return self._pass(environ, start_response, answer.visit, answer.cached, lasting=not stranger)

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
        credentials = None if told is None else self._credentials(environ)
        changed, gone = _rewrite(
            environ, forwarding.headers(request, verdict.visit.identity, stranger=stranger)
        )
        if credentials is not None and told is not None:
            self._recall.remember(credentials, _place(environ), verdict, dict(told), _Payload(changed, gone))
        if stranger:
            changed |= _without_fields(environ, forwarding.query(request.query))
            gone = (*gone, "REMOTE_USER", "AUTH_TYPE")
        environ.update(changed)
        for name in gone:
            environ.pop(name, None)
        environ["mfa_gate"] = told

    def _pass(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        visit: Visit,
        facts: CachedFacts | None,
        *,
        lasting: bool = True,
    ) -> Iterable[bytes]:
        """Run the portal; a long answer is judged again between its pieces, unless it is a stranger's (`lasting`)."""
        gated = visit.rule.kind != "public"
        cookies = self.door.forwarding.our_cookies

        def cleaned(
            status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None
        ) -> Callable[[bytes], object]:
            if any(name.lower() in LOOKED_AT for name, _ in headers):
                headers = _clean(headers, cookies, gated=gated)
            told = () if exc_info is None else (exc_info,)
            write = start_response(status, headers, *told)
            return watch.over(write) if lasting else write

        watch = PieceWatch(lambda: self.door.checker.again(visit, facts), self.door.monotonic)
        result = self._app(environ, cleaned)
        if not lasting or isinstance(result, (list, tuple)):
            return result
        return WatchedPieces(result, watch)

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
        )


def _outline(environ: "WSGIEnvironment") -> GateRequest:
    """A request as far as it can be read whatever is wrong with it: enough to tell who asks, and in which language."""
    return GateRequest(
        path="/",
        method=environ["REQUEST_METHOD"],
        root_path=environ.get("SCRIPT_NAME", "").encode("latin-1").decode("utf-8", "replace"),
        headers=_headers(environ),
    )


def _headers(environ: "WSGIEnvironment") -> Headers:
    return tuple(
        (name[5:].replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    )


_READ_ANYWAY = frozenset({"HTTP_COOKIE", "HTTP_HOST", "REMOTE_USER"})


def _place(environ: "WSGIEnvironment") -> tuple[object, ...]:
    """What the rule depends on; where it depends on the query too, nobody who sends one takes the quick way."""
    return (
        environ.get("PATH_INFO"),
        (environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition("?")[0],
        environ.get("SCRIPT_NAME"),
        environ["REQUEST_METHOD"],
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


def _clean(
    headers: list[tuple[str, str]], our_cookies: tuple[str, ...], *, gated: bool
) -> list[tuple[str, str]]:
    kept = tuple(
        (name.lower(), value)
        for name, value in headers
        if name.lower() != "set-cookie" or not sets_cookie_of(value, our_cookies)
    )
    return list(private(kept)) if gated else list(kept)


def _answer(
    environ: "WSGIEnvironment", start_response: "StartResponse", response: GateResponse
) -> Iterable[bytes]:
    """Say the gate's own answer. The body of the request is not read."""
    headers = [*response.headers, ("content-length", str(len(response.body)))]
    start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body]
