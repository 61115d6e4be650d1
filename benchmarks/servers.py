"""Real servers for a topic, on free ports of this machine; they end with it."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from benchmarks.rows import Missing
from tests.stores.redis_servers import RedisServer

DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec")


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Debian's Redis; it forgets, if the options do not say otherwise."""
    need("redis-server", "apt-get install redis-server")
    server = RedisServer("redis-7", folder, *options)
    try:
        yield server
    finally:
        server.kill()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until somebody listens there."""
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def need(program: str, cure: str) -> str:
    """Where a program is. Raises `Missing`."""
    found = which(program)
    if found is None:
        raise Missing(f"{program} is not installed; {cure}")
    return found
