"""Real servers for a topic, on free ports of this machine; they end with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from benchmarks.rows import Missing
from tests.stores.redis_servers import RedisServer


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Debian's Redis; it forgets, if the options do not say otherwise."""
    need("redis-server", "apt-get install redis-server")
    server = RedisServer("redis-7", folder, *options)
    try:
        yield server
    finally:
        server.kill()


def need(program: str, cure: str) -> str:
    """Where a program is. Raises `Missing`."""
    found = which(program)
    if found is None:
        raise Missing(f"{program} is not installed; {cure}")
    return found
