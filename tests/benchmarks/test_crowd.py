"""The people whom benchmarks put into stores in pipelines are listed and counted as if they had come one by one."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.crowd import NOW, fill_redis, fill_sqlite, people
from benchmarks.topics.users import FILTERS
from mfa_gate.core.listing import EVERYBODY, SORTS
from mfa_gate.ports import Store
from mfa_gate.settings.store_urls import redis_address
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.sqlite_connection import Connections
from tests.stores import files, redis_servers
from tests.stores.contract import put
from tests.stores.redis_servers import Servers, servers

__all__ = ["servers"]


def seen(store: Store) -> list[object]:
    pages = [store.people(who, sort=sort, limit=5, now=NOW) for who in FILTERS for sort in SORTS]
    return [[row.account.subject for row in page.rows] for page in pages] + [store.counts(EVERYBODY, NOW)]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_crowd_is_like_people_who_came_one_by_one(kind: str, tmp_path: Path, servers: Servers) -> None:
    documents = Documents(files.sealer(), files.STORE_ID)
    (tmp_path / "one").mkdir()
    singly = files.make(tmp_path / "one")
    for account in people(80):
        put(singly, replace(account, version=0))
    if kind == "sqlite":
        store: Store = files.make(tmp_path)
        fill_sqlite(Connections(files.file_of(tmp_path), lambda _: None), documents, people(80))
    else:
        url = servers.emptied("redis-7").url
        store = redis_servers.make(url, timeout_seconds=10)
        fill_redis(Server(redis_address(url), 10), documents, people(80))
    assert seen(store) == seen(singly)
    store.close()
    singly.close()
