"""What `topics/server.py` puts behind uvicorn: one small app, bare, in a middleware that does nothing, and gated."""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mfa_gate import Gate, Settings

Scope = MutableMapping[str, Any]
Channel = Callable[..., Awaitable[Any]]


async def hello(_: Request) -> PlainTextResponse:
    """The portal's only page."""
    return PlainTextResponse("Hello")


class Nothing:
    """The least that a middleware can be."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Channel, send: Channel) -> None:
        """Passes everything on."""
        await self._app(scope, receive, send)


def bare() -> Starlette:
    """The app alone."""
    return Starlette(routes=[Route("/files", hello)])


def nothing() -> Nothing:
    """The app in the least middleware."""
    return Nothing(bare())


def gated() -> object:
    """The app behind the gate of the town in `BENCH_PLACE`."""
    place = Path(os.environ["BENCH_PLACE"])
    made = json.loads((place / "settings.json").read_text("utf-8"))
    return Gate(Settings.from_mapping(made["settings"], place, environ=made["environ"])).asgi(bare())
