"""Follows the change table of an SQLite file; it decides only how often to look."""

import threading
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 0.1
"""How long to wait between two looks; one takes microseconds."""


class SqliteFeed:
    """`ports.Feed` on `changes(after)`, which gives the newest number and the names of what changed after another."""

    def __init__(self, changes: Callable[[int], tuple[int, tuple[str, ...]]], newest: int) -> None:
        self._changes = changes
        self._newest = newest
        self._woken = threading.Event()

    def poll(self, timeout_seconds: float) -> tuple[str, ...] | None:
        """Names of what changed since the last call; `()` is a sign of life without news."""
        left = timeout_seconds
        while True:
            self._newest, names = self._changes(self._newest)
            if names or left <= 0 or self._woken.wait(min(LOOK_SECONDS, left)):
                return names
            left -= LOOK_SECONDS

    def wake(self) -> None:
        """Let a call that waits return at once."""
        self._woken.set()
