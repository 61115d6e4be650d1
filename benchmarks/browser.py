"""One request as a browser sends it, with 14 headers and 5 cookies, in the form of either server interface."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

ANSWER = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
HEADERS = (
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
"""All but `cookie`."""

Scope = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


def cookie_line(portal: str, gate: str) -> str:
    """Five cookies, the portal's session and the gate's among them."""
    return f"theme=dark; _ga=GA1.1.1234567.7654321; session={portal}; lang=en; mfa_gate={gate}"


def scope(cookies: str) -> Scope:
    """As an ASGI server hands it over."""
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
        "headers": [(name.encode(), value.encode()) for name, value in (*HEADERS, ("cookie", cookies))],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def parsed_anew(scope: Scope) -> Scope:
    """The same request with headers that are new objects, as a server makes them out of what it has received."""
    made = [(bytes(bytearray(name)), bytes(bytearray(value))) for name, value in scope["headers"]]
    return {**scope, "headers": made}


def environ(cookies: str) -> dict[str, Any]:
    """As a WSGI server hands it over."""
    headers = {f"HTTP_{n.upper().replace('-', '_')}": v for n, v in (*HEADERS, ("cookie", cookies))}
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


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- as ASGI has it
    """The smallest portal."""
    await send({"type": "http.response.start", "status": 200, "headers": ANSWER})
    await send({"type": "http.response.body", "body": b"ok"})


def wsgi_app(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The smallest portal."""
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "2")])
    return [b"ok"]


async def receive() -> Scope:
    """There is no body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:  # noqa: ANN401 -- as ASGI has it
    """To nowhere."""
