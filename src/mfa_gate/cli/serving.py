"""Runs a portal on sockets that listen already, until a signal ends it; it must not know which portal it is."""

import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from mfa_gate.door import AsgiApp

GRACE_SECONDS: Final = 2
"""How long answers that are under way may take after SIGTERM; everything ends within five."""
THREADS: Final = 16


def end_on_signals() -> None:
    """From now on SIGTERM and Ctrl+C end the program as they should: with code 0, and without a word.

    Both servers put their own handlers in place. gunicorn ends by itself; uvicorn, once everything is finished, raises
    the signal anew for whoever had it before. Nothing is left to be done then, and the store needs no farewell.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(*_: object) -> None:
    # Not `sys.exit`: raised while the interpreter runs a finalizer, SystemExit is printed and forgotten.
    with suppress(RuntimeError):  # the signal may have come in the middle of a print
        sys.stdout.flush()
    os._exit(0)


def serve_asgi(app: "AsgiApp", sockets: tuple[socket.socket, ...]) -> None:
    """Serve an ASGI application by uvicorn, in this process. Ends the process with code 0."""
    import uvicorn

    config = uvicorn.Config(
        cast("Any", app),
        # Security: no proxy stands in front, so no header says who the client is.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=list(sockets))


def serve_wsgi(app: "WSGIApplication", sockets: tuple[socket.socket, ...]) -> None:
    """Serve a WSGI application by gunicorn, in one worker with threads. Ends by `SystemExit(0)`."""
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # it ships no types

    class Server(BaseApplication):  # type: ignore[misc]  # for the same reason
        def load_config(self) -> None:
            for key, value in _gunicorn_settings(sockets).items():
                self.cfg.set(key, value)

        def load(self) -> "WSGIApplication":
            return app

    Server().run()


def _gunicorn_settings(sockets: tuple[socket.socket, ...]) -> dict[str, object]:
    return {
        "bind": [f"fd://{each.detach()}" for each in sockets],
        "workers": 1,
        "worker_class": "gthread",
        "threads": THREADS,
        # As `gunicorn --preload` does: the gate is made before the fork.
        "preload_app": True,
        "graceful_timeout": GRACE_SECONDS,
        "loglevel": "warning",
        # It would be a socket in the home folder, by which the server could be steered.
        "control_socket_disable": True,
        # Security: no proxy stands in front, so no header says who the client is.
        "forwarded_allow_ips": "",
    }
