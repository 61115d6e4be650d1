"""How a test waits for what another thread or process does: until it has happened, and not for ever."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 30.0
"""A machine that is busy with other tests takes its time; one on which nothing happens is found out all the same."""


def until(happened: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Come back as soon as `happened` is true."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
