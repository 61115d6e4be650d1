"""The list of people with one filter, beside a group or a search, in two orders and both directions, a page of 50 and
the one after it; the counters above it; a reset; and the pages that show them, from the request to the last byte of
HTML, but for HTTP itself. It is CPU time, of the gate and of the server, since the machine has other work: a million
people in Redis beside ten thousand, a hundred thousand in SQLite beside ten thousand. Names are few and searches are
short, so that many fit; addresses and account names are made from names, so that they begin alike. Each figure is the
95th percentile. What is set beside ten thousand is medians, and of lists those of which both have a whole page.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Final, NamedTuple

from benchmarks.crowd import NOW, fill_redis, fill_sqlite, people
from benchmarks.office import Office
from benchmarks.rows import Row, at_most
from benchmarks.servers import redis_server
from mfa_gate.core.administering import was_reset
from mfa_gate.core.events import SYSTEM
from mfa_gate.core.listing import ACTIVE, EVERYBODY, SORTS, Filter, Sort
from mfa_gate.ports import Change
from mfa_gate.settings.store_urls import redis_address
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite_connection import Connections
from tests.edges.holdings import SQLITE
from tests.edges.town import STORE_ID, Town

PLACE = 60
TITLE = "The list of people"
PARTS = ("redis",)
FEW: Final = 10_000
FILTERS: Final = (
    Filter(statuses=ACTIVE),
    *(Filter(statuses=(status,)) for status in ("enrolled", "missing", "paused", "exempt")),
    Filter(statuses=ACTIVE, never_seen=True),
    *(
        Filter(statuses=statuses, group=group, never_seen=never_seen)
        for statuses, never_seen in (
            (ACTIVE, False),
            (("missing",), False),
            (("paused",), False),
            (ACTIVE, True),
        )
        for group in ("nurses", "ward 7")
    ),
    *(
        Filter(statuses=("enrolled",), prefix=prefix)
        for prefix in ("a", "al", "ali", "alice m", "alice.m", "az", "qq")
    ),
    *(Filter(statuses=("missing",), prefix=prefix) for prefix in ("al", "moreau", "z")),
    *(Filter(statuses=ACTIVE, prefix=prefix) for prefix in ("al", "alice moreau")),
    Filter(statuses=ACTIVE, prefix="al", never_seen=True),
)
PAGES: Final = (
    "status=missing",
    "status=missing&group=nurses",
    "status=enrolled&q=al&sort=-last_verified",
    "never_seen=1&sort=last_verified",
)
Cpu = Callable[[], float]


def measure() -> Iterator[Row]:
    """Both stores, with few people and with many."""
    few, many = _redis(FEW), _redis(1_000_000)
    yield from _rows("Redis, a million", few, many)
    few, many = _sqlite(FEW), _sqlite(100_000)
    yield from _rows("SQLite, a hundred thousand", few, many)


class Measured(NamedTuple):
    """Milliseconds: of each list the median, and None where it is no whole page; and all of what is named."""

    lists: dict[tuple[Filter, Sort, bool], float | None]
    named: dict[str, list[float]]


def _rows(where: str, few: Measured, many: Measured) -> Iterator[Row]:
    limits = {"list": 10.0, "counters": 2.0, "reset": 5.0, "page of the list": None, "overview": 20.0}
    for what, limit in limits.items():
        target = None if limit is None else at_most(limit)
        figure = _p95(many.named[what])
        yield Row(what=f"{where}: {what}", figure=figure, unit="ms", target=target)
        ratio = median(many.named[what]) / median(few.named[what])
        if what == "list":
            pairs = ((many.lists[each], few.lists.get(each)) for each in many.lists)
            ratio = median(one / other for one, other in pairs if one and other)
        yield Row(
            what=f"{where}: {what}, beside ten thousand",
            figure=figure,
            unit="ms",
            ratio=ratio,
            of="of ten thousand",
            target=at_most(1.5) if what in {"list", "counters", "reset"} else None,
            drawn=False,
        )


def _redis(number: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        town, documents = _founded(Path(folder), server.url)
        fill_redis(Server(redis_address(server.url), 30), documents, people(number))
        with server.client() as client:

            def cpu() -> float:
                used = client.info("cpu")
                return time.thread_time() + float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

            return _measured(town, cpu)


def _sqlite(number: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        town, documents = _founded(Path(folder), SQLITE)
        connections = Connections(Path(folder) / "gate.db", lambda _: None)
        fill_sqlite(connections, documents, people(number))
        connections.close()
        return _measured(town, time.thread_time)


def _founded(folder: Path, url: str) -> tuple[Town, Documents]:
    town = Town.found(folder, NOW, url)
    town.enroll("root", NOW)
    town.require_two_step(now=NOW)
    sealer = Sealer({key.id: key.secret for key in town.keys.seal}, town.keys.seal[-1].id, os.urandom)
    return town, Documents(sealer, STORE_ID)


def _measured(town: Town, cpu: Cpu) -> Measured:
    store, lists = town.store, dict[tuple[Filter, Sort, bool], list[float]]()
    full = set()
    for who, sort in itertools.product(FILTERS, SORTS):
        after = store.people(who, sort=sort, limit=50, now=NOW).next
        for place in dict.fromkeys((None, after)):
            page = partial(store.people, who, sort=sort, after=place, limit=50, now=NOW)
            lists[who, sort, place is not None] = _times(cpu, page, 5)
            if len(page().rows) == 50:
                full.add((who, sort, place is not None))
    counters = _times(cpu, lambda: store.counts(EVERYBODY, NOW), 40)
    targets = iter(store.people(Filter(group="nurses", statuses=("enrolled",)), limit=41, now=NOW).rows)

    def reset() -> None:
        account = store.account(next(targets).account.id)
        assert account is not None
        after, events = was_reset(account, SYSTEM, "lost the phone", NOW)
        store.commit(Change(account=after, events=events, end_sessions="all"), NOW)

    resets = _times(cpu, reset, 40)
    office = Office(town, NOW)
    pages = [_times(cpu, partial(office.page, "/admin/users", query), 10) for query in PAGES]
    named = {
        "list": list(itertools.chain(*lists.values())),
        "counters": counters,
        "reset": resets,
        "page of the list": list(itertools.chain(*pages)),
        "overview": _times(cpu, partial(office.page, "/admin"), 20),
    }
    town.close()
    return Measured(
        {each: median(times) if each in full else None for each, times in lists.items()},
        named,
    )


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
