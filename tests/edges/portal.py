"""A canary portal: it remembers whatever reached it, as bytes, and answers what a test told it to."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SECRET_TEXT = b"confidential"
READS_BODY = "/upload"


@dataclass(frozen=True)
class Seen:
    """One request as it came out of the gate. `body` is None where the portal did not read it.

    `target` is the request line's, where the server tells it with the query in it; else the query.
    """

    kind: str
    method: str
    path: str
    raw: str
    root: str
    query: str
    headers: tuple[tuple[str, str], ...]
    told: dict[str, Any] | None
    remote_user: str | None = None
    body: int | None = None
    target: str = ""

    def values(self, name: str) -> list[str]:
        """Every value of a header, whatever its spelling."""
        return [value for key, value in self.headers if key.lower().replace("_", "-") == name]


@dataclass(frozen=True)
class Answer:
    """What the portal says on one path."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/plain"),)
    body: tuple[bytes, ...] = (SECRET_TEXT,)


@dataclass
class Canary:
    """The portal. With `log` it also writes each request to a file, a line each, for tests in another process."""

    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    log: Path | None = None

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The portal as an ASGI application."""
        if scope["type"] == "websocket":
            self._remember(_of_scope(scope, None))
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "confidential"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        path = _below(scope)
        body = await _drained(receive) if path.startswith(READS_BODY) else None
        self._remember(_of_scope(scope, body))
        answer = self.answers.get(path, Answer())
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        pieces = () if scope["method"] == "HEAD" else answer.body
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def wsgi(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The portal as a WSGI application."""
        body = None
        if environ["PATH_INFO"].startswith(READS_BODY):
            body = 0
            while piece := environ["wsgi.input"].read(65_536):
                body += len(piece)
        self._remember(_of_environ(environ, body))
        answer = self.answers.get(environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"), Answer())
        start_response(f"{answer.status} Said", list(answer.headers))
        return () if environ["REQUEST_METHOD"] == "HEAD" else list(answer.body)

    @property
    def wsgi_app(self) -> "WSGIApplication":
        """The portal as type checkers want to see it."""
        return self.wsgi

    def _remember(self, seen: Seen) -> None:
        self.seen.append(seen)
        if self.log is not None:
            with self.log.open("a") as out:
                out.write(json.dumps(asdict(seen)) + "\n")


def read_log(log: Path) -> list[Seen]:
    """What a portal in another process has seen so far."""
    if not log.exists():
        return []
    lines = log.read_text().splitlines()
    return [
        Seen(**{**found, "headers": tuple((name, value) for name, value in found["headers"])})
        for found in map(json.loads, lines)
    ]


def _below(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path") or "") or "/"


async def _drained(receive: Receive) -> int:
    total = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return total
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            return total


def _of_scope(scope: Scope, body: int | None) -> Seen:
    return Seen(
        kind=scope["type"],
        method=scope.get("method", "GET"),
        path=scope["path"],
        raw=(scope.get("raw_path") or b"").decode("latin-1"),
        root=scope.get("root_path") or "",
        query=(scope.get("query_string") or b"").decode("latin-1"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        told=scope.get("mfa_gate"),
        body=body,
        target=(scope.get("query_string") or b"").decode("latin-1"),
    )


def _of_environ(environ: "WSGIEnvironment", body: int | None) -> Seen:
    return Seen(
        kind="http",
        method=environ["REQUEST_METHOD"],
        path=(environ["SCRIPT_NAME"] + environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace"),
        raw=environ.get("RAW_URI", "").partition("?")[0],
        target=environ.get("RAW_URI", ""),
        root=environ["SCRIPT_NAME"],
        query=environ.get("QUERY_STRING", ""),
        headers=tuple(
            (name[5:].replace("_", "-").lower(), value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ),
        told=environ.get("mfa_gate"),
        remote_user=environ.get("REMOTE_USER"),
        body=body,
    )
