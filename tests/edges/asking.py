"""One request, put to either door byte for byte as a real server would put it, and the whole answer.

ASGI as uvicorn makes the scope, WSGI as gunicorn makes the environment; no client in between normalizes anything.
"""

import asyncio
import io
import json
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from mfa_gate.door import AsgiApp

DoorName = Literal["asgi", "wsgi"]
HOST = "localhost:8000"
Headers = tuple[tuple[str, str], ...]
NAVIGATION: Headers = (("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "none"))


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request. `target` stands in the request line, `headers` are lines as sent; no `Host` if `host` is None."""

    method: str = "GET"
    target: str = "/files"
    headers: Headers = ()
    host: str | None = HOST
    body: bytes = b""
    peer: str = "192.0.2.7"
    mount: str = ""
    remote_user: str | None = None

    @property
    def lines(self) -> Headers:
        """All headers, `Host` and `Content-Length` included."""
        host = () if self.host is None else (("Host", self.host),)
        length = (("Content-Length", str(len(self.body))),) if self.body else ()
        return (*host, *self.headers, *length)


@dataclass(frozen=True, kw_only=True)
class Got:
    """One answer."""

    status: int
    headers: Headers
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str:
        """The one value of a header; empty if there is none."""
        values = self.values(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:  # noqa: ANN401
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Our `code` of a problem; empty for anything else."""
        problem = self.body and "problem+json" in self.header("content-type")
        return str(self.json()["code"]) if problem else ""


class Unread(Exception):
    """A body was read that must not be."""


def ask_asgi(app: "AsgiApp", ask: Ask, *, may_read: bool = True) -> Got:
    """Put the request to an ASGI application."""
    return asyncio.run(asking(app, ask, may_read=may_read))


async def asking(app: "AsgiApp", ask: Ask, *, may_read: bool = True) -> Got:
    """Put the request to an ASGI application, in a loop that runs already."""
    said: list[MutableMapping[str, Any]] = []
    bodies = [ask.body]

    async def receive() -> MutableMapping[str, Any]:
        if not may_read:
            raise Unread
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    await app(scope_of(ask), receive, send)
    starts = [message for message in said if message["type"] == "http.response.start"]
    assert len(starts) == 1, f"answered {len(starts)} times"
    return Got(
        status=starts[0]["status"],
        headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in starts[0]["headers"]),
        body=b"".join(m.get("body", b"") for m in said if m["type"] == "http.response.body"),
    )


def scope_of(ask: Ask, kind: Literal["http", "websocket"] = "http") -> MutableMapping[str, Any]:
    """The scope that uvicorn makes of the request."""
    raw, _, query = ask.target.partition("?")
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": (ask.peer, 50_000) if ask.peer else None,
        "scheme": "http" if kind == "http" else "ws",
        "root_path": ask.mount,
        "path": ask.mount + unquote(raw),
        "raw_path": (ask.mount + raw).encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in ask.lines],
        "state": {},
    }
    more: dict[str, Any] = {"method": ask.method} if kind == "http" else {"subprotocols": []}
    return scope | more


def ask_wsgi(app: "WSGIApplication", ask: Ask, *, may_read: bool = True) -> Got:
    """Put the request to a WSGI application."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        assert not started or exc_info is not None, "answered twice"
        started[:] = [(status, headers)]
        return written.append

    pieces = app(environ_of(ask, may_read=may_read), start_response)
    try:
        body = b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    status, headers = started[0]
    return Got(status=int(status.partition(" ")[0]), headers=tuple(headers), body=b"".join(written) + body)


def environ_of(ask: Ask, *, may_read: bool = True) -> dict[str, Any]:
    """The environment that gunicorn makes of the request, behind a dispatcher where there is a mount."""
    raw, _, query = ask.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": ask.method,
        "SCRIPT_NAME": unquote_to_bytes(ask.mount).decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "RAW_URI": ask.mount + ask.target,
        "QUERY_STRING": query,
        "REMOTE_ADDR": ask.peer,
        "REMOTE_PORT": "50000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(ask.body) if may_read else _Unreadable(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in ask.lines:
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        # gunicorn joins lines of one name by a comma, and drops names with an underscore; a test that sends one
        # stands for a server that lets them through.
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if ask.remote_user is not None:
        environ["REMOTE_USER"] = ask.remote_user
        environ["AUTH_TYPE"] = "Basic"
    return environ


class _Unreadable(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> int:
        raise Unread
