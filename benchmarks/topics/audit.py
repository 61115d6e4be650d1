"""A trail of half a million events of five thousand people, signed every thousand events, is exported and verified:
in a file of SQLite, and on a Redis server of its own. Verifying a store recomputes every chain with the audit key and
every checkpoint; verifying a file does both in one pass. Each is done by a process of its own. What counts is the time
of the processor, that of the Redis server included, since on a busy machine one waits for others; the memory is the
most that the process ever had.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.rows import Row, at_least, at_most
from benchmarks.trails import EVENTS, Took, fill, took
from tests.stores.files import file_of, make
from tests.stores.redis_servers import RedisServer
from tests.stores.redis_servers import make as make_on

PLACE = 60
TITLE = "Export and verify the audit trail"
PARTS = ("redis",)
ENOUGH = 20_000
MOST_MIB = 256


def measure() -> Iterator[Row]:
    """Both stores, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with_file = make(place)
        fill(with_file)
        with_file.close()
        yield from _rows("SQLite", str(file_of(place)), place / "export", lambda: 0.0)
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer("redis-8", Path(folder))
        try:
            on_server = make_on(server.url)
            fill(on_server)
            on_server.close()
            yield from _rows("Redis", server.url, Path(folder) / "export", lambda: _spent(server))
        finally:
            server.kill()


def _rows(store: str, url: str, file: Path, spent: Callable[[], float]) -> Iterator[Row]:
    most = 0.0
    for work, words in (
        ("export", f"Export, {store}"),
        ("verify", f"Verify, {store}"),
        ("verify a file", f"Verify the export of {store}"),
    ):
        before = spent()
        found: Took = took(url, work, file)
        seconds = found.seconds + spent() - before
        most = max(most, found.peak_mib)
        yield Row(what=words, figure=EVENTS / seconds, unit="events/s", target=at_least(ENOUGH))
    yield Row(what=f"Memory at most, {store}", figure=most, unit="MiB", target=at_most(MOST_MIB))


def _spent(server: RedisServer) -> float:
    with server.client() as client:
        found = client.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])
