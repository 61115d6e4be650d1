"""A verified visitor's request, warm, through both doors: wrapped minus bare, beside one signature check.

The request is a browser's with 14 headers and 5 cookies, and the gate does all that it always does. Every figure is the
least of many short rounds in which all candidates take turns, so that a busy machine slows them alike.
"""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from itsdangerous import TimestampSigner
from starlette.middleware.sessions import SessionMiddleware

from mfa_gate import Gate
from tests.edges.town import SECRET, Town, starlette_cookie

ROUNDS, CALLS = 80, 300
Row = tuple[str, float, str]
Scope = dict[str, Any]


def measure() -> list[Row]:
    """Rows of (what, microseconds, what it is of which baseline)."""
    with tempfile.TemporaryDirectory() as folder:
        town = Town.found(Path(folder), time.time())
        try:
            return asyncio.run(_measure(town))
        finally:
            town.close()


async def _measure(town: Town) -> list[Row]:
    now = time.time()
    town.enroll("alice", now)
    town.require_two_step(now=now)
    cookies = "; ".join(
        (
            "theme=dark",
            "_ga=GA1.1.1234567.7654321",
            f"session={starlette_cookie({'user': 'alice'}, now)}",
            "lang=en",
            f"mfa_gate={town.session('alice', now)}",
        )
    )
    gate = Gate(town.settings())
    scope, environ = _scope(cookies), _environ(cookies)
    gated, gated_wsgi = gate.asgi(_asgi_app), gate.wsgi(_wsgi_app)
    sessions = SessionMiddleware(_asgi_app, secret_key=SECRET)
    check = TimestampSigner("k" * 32, digest_method=hashlib.sha256)
    token = check.sign("a" * 10)

    async def wsgi(app: Callable[..., Any]) -> None:
        app(dict(environ), lambda *_: None)

    async def unsign() -> None:
        check.unsign(token)

    least = await _least(
        {
            "bare ASGI": lambda: _asgi_app(scope, _receive, _send),
            "gated ASGI": lambda: gated(scope, _receive, _send),
            "SessionMiddleware": lambda: sessions({**scope}, _receive, _send),
            "bare WSGI": lambda: wsgi(_wsgi_app),
            "gated WSGI": lambda: wsgi(gated_wsgi),
            "unsign": unsign,
        }
    )
    asgi = least["gated ASGI"] - least["bare ASGI"]
    wsgi_cost = least["gated WSGI"] - least["bare WSGI"]
    session = least["SessionMiddleware"] - least["bare ASGI"]
    signature = least["unsign"]
    return [
        ("one signature check (TimestampSigner, SHA-256)", signature, "baseline"),
        ("Starlette's SessionMiddleware adds", session, f"{session / signature:.2f} of a check"),
        (
            "the gate adds in ASGI",
            asgi,
            f"{asgi / signature:.2f} of a check, {asgi / session:.2f} of sessions",
        ),
        ("the gate adds in WSGI", wsgi_cost, f"{wsgi_cost / signature:.2f} of a check"),
    ]


async def _least(candidates: Mapping[str, Callable[[], Awaitable[None]]]) -> dict[str, float]:
    least = dict.fromkeys(candidates, float("inf"))
    for _ in range(ROUNDS):
        for name, call in candidates.items():
            await call()
            begun = time.perf_counter()
            for _ in range(CALLS):
                await call()
            least[name] = min(least[name], (time.perf_counter() - begun) / CALLS * 1e6)
    return least


async def _asgi_app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- as ASGI has it
    await send({"type": "http.response.start", "status": 200, "headers": _ANSWER})
    await send({"type": "http.response.body", "body": b"ok"})


def _wsgi_app(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "2")])
    return [b"ok"]


async def _receive() -> Scope:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:  # noqa: ANN401 -- as ASGI has it
    pass


_ANSWER = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
_HEADERS = (
    ("host", "localhost:8000"),
    ("connection", "keep-alive"),
    ("sec-ch-ua", '"Chromium";v="140", "Not=A?Brand";v="24"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("referer", "http://localhost:8000/"),
    ("accept-language", "en-US,en;q=0.9"),
)


def _scope(cookies: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/files",
        "raw_path": b"/files",
        "query_string": b"",
        "root_path": "",
        "headers": [(n.encode(), v.encode()) for n, v in (*_HEADERS, ("cookie", cookies))],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def _environ(cookies: str) -> dict[str, Any]:
    headers = {f"HTTP_{n.upper().replace('-', '_')}": v for n, v in (*_HEADERS, ("cookie", cookies))}
    return headers | {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/files",
        "RAW_URI": "/files",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
