"""Our own pages, an ASGI app, behind WSGI: which requests may cross, and that none of them waits or turns for ever.

It knows no page. The pages read nothing but the judged request and the body, so nothing else crosses.
"""

from typing import TYPE_CHECKING, Any, cast

from mfa_gate.core.messages import GateRequest, GateResponse
from mfa_gate.core.responses import problem
from mfa_gate.door import REQUEST_KEY, AsgiApp, Message, Receive, Scope, Send
from mfa_gate.web.forms import MAX_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_UNSAID = "mfa_gate.unsaid_length"
"""In the bridge's environment: True where the server knows where a body ends, and no length was said."""


def refusal(environ: "WSGIEnvironment") -> GateResponse | None:
    """What to answer where it cannot be told how long the body is; None if it may be read."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return problem(400, "invalid", "The length of the body is not a number.")
    if len(length) > 18:
        return problem(413, "invalid", f"The body is larger than {MAX_BYTES} bytes.")
    if (
        "HTTP_TRANSFER_ENCODING" in environ
        and not environ.get("CONTENT_LENGTH")
        and not _ends_itself(environ)
    ):
        return problem(411, "invalid", "Send `Content-Length`.")
    return None


def bridge(pages: AsgiApp) -> "WSGIApplication":
    """The pages as a WSGI application, for requests that a door left in the environment. Make it after a fork."""
    from a2wsgi import ASGIMiddleware  # noqa: PLC0415 (its loop thread starts with it)

    inner = cast("WSGIApplication", ASGIMiddleware(cast("Any", _Bridged(pages))))

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:  # noqa: ANN401
        return inner(_crossing(environ), start_response)

    return application


def _ends_itself(environ: "WSGIEnvironment") -> bool:
    return bool(environ.get("wsgi.input_terminated"))


def _crossing(environ: "WSGIEnvironment") -> "WSGIEnvironment":
    """An environment of which nothing can go wrong on the other side; the client wrote no part of it."""
    length, unsaid = environ.get("CONTENT_LENGTH") or "0", False
    if "HTTP_TRANSFER_ENCODING" in environ and length == "0":
        # One byte more than any page takes tells that it is too much.
        length, unsaid = str(MAX_BYTES + 1), True
    request: GateRequest = environ[REQUEST_KEY]
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": length,
        "wsgi.url_scheme": "http",
        "wsgi.input": environ["wsgi.input"],
        REQUEST_KEY: request,
        _UNSAID: unsaid,
    }


class _Bridged:
    """The pages, with a body that ends and an answer that comes."""

    def __init__(self, pages: AsgiApp) -> None:
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = scope["wsgi_environ"]
        scope[REQUEST_KEY] = environ[REQUEST_KEY]
        begun = False

        async def received() -> Message:
            message = await receive()
            if message.get("more_body") and not message.get("body"):
                # Security: the client left before its body was whole. The bridge would ask for more without end.
                return {**message, "more_body": False} if environ[_UNSAID] else {"type": "http.disconnect"}
            return message

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        await self._pages(scope, received, sent)
        if not begun:
            # Nobody is there to read it, but the server's thread waits for an answer.
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b""})
