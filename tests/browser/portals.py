"""The example portals behind the gate as the demo sets them up, in this process and under a clock that can be moved."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pyotp
import uvicorn
from msgspec.structs import replace
from werkzeug.serving import WSGIRequestHandler, make_server

from examples.flask_app import portal as flask_portal
from examples.starlette_app import portal as starlette_portal
from mfa_gate.cli.demo_site import Site, make_site
from mfa_gate.gate import Gate
from mfa_gate.settings import Mail
from mfa_gate.wiring import Sources
from tests.cli.demos import App


@dataclass
class Clock:
    """The real clock, moved ahead."""

    ahead: float = 0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += seconds


@dataclass(frozen=True, kw_only=True)
class Portal:
    """A gated portal that is being served."""

    url: str
    clock: Clock
    site: Site

    def code(self, key: str) -> str:
        """What an app with this key shows next, after thirty seconds more."""
        self.clock.go(30)
        return pyotp.TOTP(key).at(int(self.clock()))


@contextmanager
def served(
    app: App,
    folder: Path,
    mail: Mail | None = None,
    *,
    store_url: str | None = None,
    clock: Clock | None = None,
    mode: Literal["enforce", "observe"] = "enforce",
) -> Iterator[Portal]:
    """The portal of this kind, with a store of its own, until the block ends; mail goes there or into a folder."""
    clock = clock or Clock()
    sources = Sources(clock=clock)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        site = make_site(folder, app, port=port, store_url=store_url, sources=sources, environ=os.environ)
        if mail is not None:
            site = replace(site, settings=replace(site.settings, mail=mail))
        site = replace(site, settings=replace(site.settings, mode=mode))
        gate = Gate(site.settings, sources=sources)
        serve, stop = (_flask if app == "flask" else _starlette)(gate, site.secret, listener)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Portal(url=site.settings.public_url, clock=clock, site=site)
        finally:
            stop()
            thread.join()


Served = tuple[Callable[[], object], Callable[[], object]]


def _starlette(gate: Gate, secret: str, listener: socket.socket) -> Served:
    app = gate.asgi(starlette_portal.create_app(secret))
    config = uvicorn.Config(
        cast("Any", app), proxy_headers=False, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    return lambda: server.run(sockets=[listener]), stop


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 -- the framework's name
        """Say nothing: the tests tell what went wrong."""


def _flask(gate: Gate, secret: str, listener: socket.socket) -> Served:
    app = flask_portal.create_app(secret)
    host, port = listener.getsockname()
    server = make_server(
        host,
        port,
        gate.wsgi(app.wsgi_app),
        threaded=True,
        request_handler=_Quiet,
        fd=listener.fileno(),
    )
    return server.serve_forever, server.shutdown
