"""Real servers with a gated canary, each on a free port of this machine: uvicorn, and gunicorn with forked workers."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.edges.portal import Seen, read_log
from tests.edges.town import PLAIN, Town, starlette_cookie

ServerName = Literal["uvicorn", "gunicorn"]
REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0


@dataclass
class Served:
    """A running server. `town` is its store, written to from outside."""

    name: ServerName
    town: Town
    port: int
    process: subprocess.Popen[bytes]

    @property
    def seen(self) -> list[Seen]:
        """What has reached the portal so far, in all workers."""
        return read_log(self.town.place / "seen.jsonl")

    @property
    def host(self) -> str:
        """The value of `Host`."""
        return f"localhost:{self.port}"

    @property
    def log(self) -> str:
        """What the server said."""
        return (self.town.place / "log").read_text()

    def cookies(self, user: str, *, verified: bool = False) -> str:
        """A new sign-in of somebody, perhaps with a session, as the value of `Cookie`."""
        portal = f"session={starlette_cookie({'user': user}, time.time())}"
        return f"{portal}; mfa_gate={self.town.session(user, time.time())}" if verified else portal

    def connect(self) -> socket.socket:
        """A connection of one's own."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def say(self, *lines: str, body: bytes = b"", close: bool = True) -> bytes:
        """Send one request, byte for byte, and read until the server closes. `Host` is added if there is none."""
        return self.send(request(self, lines, body=body, close=close))

    def send(self, data: bytes) -> bytes:
        """Send bytes, and read until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)


def request(served: Served, lines: Iterable[str], *, body: bytes = b"", close: bool = True) -> bytes:
    """A request with `Host`, and `Connection: close` unless it is to stay open."""
    head = list(lines)
    if not any(line.lower().startswith("host:") for line in head):
        head.append(f"Host: {served.host}")
    if close:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes, or cuts."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            found += piece
    return bytes(found)


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """Everything up to `mark` and what came with it; what there is, if the other side closes before."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while mark not in found and (piece := connection.recv(65_536)):
            found += piece
    return bytes(found)


def status_of(answer: bytes) -> int:
    """The status of the first answer."""
    assert answer.startswith(b"HTTP/1."), answer[:200]
    return int(answer.split(b" ", 2)[1])


@contextlib.contextmanager
def serving(name: ServerName, town: Town, *arguments: str, **settings: Any) -> Iterator[Served]:  # noqa: ANN401
    """A server around the canary on this town's store; `arguments` are the server's own."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        plain = PLAIN | {"store": {"url": town.url}, "public_url": f"http://localhost:{port}"} | settings
        (town.place / "settings.json").write_text(json.dumps(plain))
        log = (town.place / "log").open("wb")
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [*_command(name, descriptor), *arguments],
            cwd=REPOSITORY,
            env=os.environ | {"EDGES_PLACE": str(town.place), "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[descriptor],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    served = Served(name, town, port, process)
    try:
        _wait(served)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def _command(name: ServerName, descriptor: int) -> list[str]:
    if name == "uvicorn":
        return [
            *(sys.executable, "-m", "uvicorn", "tests.edges.served:asgi", "--fd", str(descriptor)),
            *("--no-proxy-headers", "--timeout-graceful-shutdown", "1", "--log-level", "info"),
        ]
    return [
        *(sys.executable, "-m", "gunicorn", "tests.edges.served:wsgi", "--bind", f"fd://{descriptor}"),
        *("--worker-class", "gthread", "--threads", "16", "--graceful-timeout", "1", "--no-control-socket"),
    ]


def _wait(served: Served) -> None:
    """Until it answers; it may not be there yet, but its socket is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if served.process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if served.say("GET /mfa/healthz/live HTTP/1.1").startswith(b"HTTP/1.1 200 "):
                return
    raise AssertionError(f"{served.name} does not answer: {served.log}")
