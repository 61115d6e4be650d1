"""The canary behind the gate, for real servers: `uvicorn tests.edges.served:asgi`, `gunicorn tests.edges.served:wsgi`.

The folder in `EDGES_PLACE` holds keys, store and settings; whatever reaches the portal is a line of `seen.jsonl` there.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from mfa_gate.gate import Gate
from mfa_gate.settings import Settings
from tests.edges.portal import Canary, Receive, Scope, Send
from tests.edges.town import SECRET

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PLACE = Path(os.environ["EDGES_PLACE"])
EVERY_SECONDS = 0.1

_settings = Settings.from_mapping(
    json.loads((PLACE / "settings.json").read_text()), PLACE, environ={"PORTAL_SECRET": SECRET}
)
_canary = Canary(log=PLACE / "seen.jsonl")
_gate = Gate(_settings)


async def _asgi_portal(scope: Scope, receive: Receive, send: Send) -> None:
    """The canary, and `/events` and `/static/events`, which never end by themselves."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] != "http" or not scope["path"].endswith("/events"):
        await _canary.asgi(scope, receive, send)
        return
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/event-stream")],
        }
    )
    while True:
        await send({"type": "http.response.body", "body": b"data: confidential\n\n", "more_body": True})
        await anyio.sleep(EVERY_SECONDS)


def _wsgi_portal(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if not environ["PATH_INFO"].endswith("/events"):
        return _canary.wsgi(environ, start_response)
    start_response("200 OK", [("content-type", "text/event-stream")])
    return _events()


def _events() -> Iterator[bytes]:
    while True:
        yield b"data: confidential\n\n"
        time.sleep(EVERY_SECONDS)


asgi = _gate.asgi(_asgi_portal)
wsgi = _gate.wsgi(_wsgi_portal)
