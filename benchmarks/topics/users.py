"""The list of people with one filter, beside a group or a search, in two orders and both directions, a page of 50 and
the one after it; the counters above it; and a reset. It is CPU time, of the gate and of the server, since the machine
has other work: a million people in Redis beside ten thousand, a hundred thousand in SQLite beside ten thousand. Names
are few and searches are short, so that many fit. Each figure is the 95th percentile.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Final

from benchmarks.crowd import NOW, fill_redis, fill_sqlite, people
from benchmarks.rows import Row, at_most
from benchmarks.servers import redis_server
from mfa_gate.core.administering import was_reset
from mfa_gate.core.events import SYSTEM
from mfa_gate.core.listing import ACTIVE, EVERYBODY, SORTS, Filter
from mfa_gate.ports import Change, Store
from mfa_gate.settings.store_urls import redis_address
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.sqlite_connection import Connections
from tests.stores import files, redis_servers

PLACE = 60
TITLE = "The list of people"
PARTS = ("redis",)
FEW: Final = 10_000
FILTERS: Final = (
    Filter(statuses=ACTIVE),
    *(Filter(statuses=(status,)) for status in ("enrolled", "missing", "paused", "exempt")),
    Filter(statuses=ACTIVE, never_seen=True),
    *(
        Filter(statuses=statuses, group=group)
        for statuses in (ACTIVE, ("missing",), ("paused",))
        for group in ("nurses", "ward 7")
    ),
    *(Filter(statuses=("enrolled",), prefix=prefix) for prefix in ("al", "ali", "alice m", "az", "qq")),
    *(Filter(statuses=("missing",), prefix=prefix) for prefix in ("moreau", "z")),
    Filter(statuses=ACTIVE, prefix="alice moreau"),
)
Cpu = Callable[[], float]


def measure() -> Iterator[Row]:
    """Both stores, with few people and with many."""
    few, many = _redis(FEW), _redis(1_000_000)
    yield from _rows("Redis, a million", few, many)
    few, many = _sqlite(FEW), _sqlite(100_000)
    yield from _rows("SQLite, a hundred thousand", few, many)


def _rows(where: str, few: dict[str, float], many: dict[str, float]) -> Iterator[Row]:
    for what, limit in (("page", 10.0), ("counters", 2.0), ("reset", 5.0)):
        yield Row(what=f"{where}: {what}", figure=many[what], unit="ms", target=at_most(limit))
        yield Row(
            what=f"{where}: {what}, beside ten thousand",
            figure=many[what],
            unit="ms",
            ratio=many[what] / few[what],
            of="of ten thousand",
            target=at_most(1.5),
            drawn=False,
        )


def _redis(number: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store = redis_servers.make(server.url, timeout_seconds=30)
        documents = Documents(files.sealer(), files.STORE_ID)
        fill_redis(Server(redis_address(server.url), 30), documents, people(number))
        with server.client() as client:

            def cpu() -> float:
                used = client.info("cpu")
                return time.thread_time() + float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

            return _measured(store, cpu)


def _sqlite(number: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = files.make(Path(folder))
        documents = Documents(files.sealer(), files.STORE_ID)
        connections = Connections(files.file_of(Path(folder)), lambda _: None)
        fill_sqlite(connections, documents, people(number))
        connections.close()
        try:
            return _measured(store, time.thread_time)
        finally:
            store.close()


def _measured(store: Store, cpu: Cpu) -> dict[str, float]:
    """Milliseconds, 95th percentile."""
    pages: list[float] = []
    for who, sort in itertools.product(FILTERS, SORTS):
        after = store.people(who, sort=sort, limit=50, now=NOW).next
        for place in dict.fromkeys((None, after)):
            page = partial(store.people, who, sort=sort, after=place, limit=50, now=NOW)
            pages += _times(cpu, page, 5)
    counters = _times(cpu, lambda: store.counts(EVERYBODY, NOW), 40)
    targets = iter(store.people(Filter(group="ward 9", statuses=("enrolled",)), limit=41, now=NOW).rows)

    def reset() -> None:
        account = store.account(next(targets).account.id)
        assert account is not None
        after, events = was_reset(account, SYSTEM, "lost the phone", NOW)
        store.commit(Change(account=after, events=events, end_sessions="all"), NOW)

    return {"page": _p95(pages), "counters": _p95(counters), "reset": _p95(_times(cpu, reset, 40))}


def _times(cpu: Cpu, act: Callable[[], object], number: int) -> list[float]:
    act()
    found = []
    for _ in range(number):
        begun = cpu()
        act()
        found.append((cpu() - begun) * 1e3)
    return found


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]
