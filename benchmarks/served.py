"""What topics put behind uvicorn: one small app, bare, in a middleware that does nothing, gated, or with a commit."""

import json
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import redis
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
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


def commits_to_redis() -> Starlette:
    """A form that is kept in Redis: one `SET`, with the durability of the server."""
    client = redis.Redis.from_url(os.environ["BENCH_REDIS"])
    return _keeps(lambda text: client.set("document", text))


def commits_to_sqlite() -> Starlette:
    """A form that is kept in SQLite: one transaction, on the disk before it is answered."""
    file, mine = Path(os.environ["BENCH_PLACE"]) / "documents.db", threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(mine, "connection"):
            mine.connection = sqlite3.connect(file, isolation_level=None, timeout=10)
            mine.connection.execute("PRAGMA journal_mode = WAL")
            mine.connection.execute("PRAGMA synchronous = FULL")
            mine.connection.execute("CREATE TABLE IF NOT EXISTS document (text BLOB)")
        found: sqlite3.Connection = mine.connection
        return found

    return _keeps(lambda text: connection().execute("INSERT INTO document VALUES (?)", (text,)))


def _keeps(keep: Callable[[bytes], object]) -> Starlette:
    async def post(request: Request) -> JSONResponse:
        sent = await request.json()
        await run_in_threadpool(keep, json.dumps(sent | {"padding": "x" * 600}).encode())
        return JSONResponse({"kept": True})

    return Starlette(routes=[Route("/mfa/api/v1/verify", post, methods=["POST"])])
