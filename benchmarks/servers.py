"""Real servers for a topic, on free ports of this machine; they end with it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import msgspec
import redis

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


class AppServer(msgspec.Struct, frozen=True):
    """uvicorn in a process of its own."""

    process: "subprocess.Popen[bytes]"
    port: int

    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def on_core(which: int) -> Iterator[None]:
    """What is started meanwhile stays on one core of those that this process may use, if there are several."""
    ours = os.sched_getaffinity(0)
    try:
        if len(ours) > 1:
            os.sched_setaffinity(0, {sorted(ours)[which]})
        yield
    finally:
        os.sched_setaffinity(0, ours)


@contextmanager
def uvicorn(place: Path, factory: str) -> Iterator[AppServer]:
    """An app of `benchmarks/served.py` with the fastest that uvicorn has."""
    port = RedisServer.free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", f"benchmarks.served:{factory}"]
    command += ["--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(command, env={**os.environ, "BENCH_PLACE": str(place)})
    try:
        wait_for(port, process)
        yield AppServer(process, port)
    finally:
        process.terminate()
        process.wait()


def scripts_run(client: "redis.Redis") -> int:
    """How many a server of Redis has run so far; the gate reads and writes with nothing else."""
    found = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})
    return int(found["calls"])


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
