"""One Chromium for all tests of a module. Not longer: while it runs, no test in its process can run an event loop."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import browsers
from tests.edges.holdings import Backend
from tests.stores.redis_servers import Servers, servers

__all__ = ["servers"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    with browsers.chromium() as running:
        yield running


@pytest.fixture
def store_url(request: pytest.FixtureRequest, servers: Servers) -> str | None:
    """Where a portal keeps its accounts; a parameter names the kind of store, SQLite is None: a file of its own."""
    backend: Backend = getattr(request, "param", "sqlite")
    return None if backend == "sqlite" else servers.emptied(backend).url
