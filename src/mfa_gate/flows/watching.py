"""Looking after what stands beside the store and may change at any time, from one daemon thread for each process.

It decides nothing; a look that fails is told and does not keep the others from theirs.
"""

import logging
import threading
from collections.abc import Callable, Sequence

EVERY_SECONDS = 1.0

log = logging.getLogger("mfa_gate")

Look = Callable[[], object]


class Watch:
    """Calls each of `looks` every second."""

    def __init__(
        self, looks: Sequence[Look], seconds: float = EVERY_SECONDS, name: str = "mfa-gate-watch"
    ) -> None:
        self._looks = tuple(looks)
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until it has."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        # Once the main thread has ended, files are being closed.
        while not self._stopped.wait(self._seconds) and threading.main_thread().is_alive():
            for look in self._looks:
                try:
                    look()
                except Exception:
                    log.exception("looking after the gate failed")
