"""One Chromium for all tests of a module. Not longer: while it runs, no test in its process can run an event loop."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import browsers


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    with browsers.chromium() as running:
        yield running
