"""Following the store's change feed, so that the facts cache of this process forgets at once what others change.

One daemon thread per process. It decides nothing: facts that it failed to drop are too old within a second.
"""

import logging
import threading
from collections.abc import Callable

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.messages import printable
from mfa_gate.flows.facts import FactsCache
from mfa_gate.ports import Feed

POLL_SECONDS = 0.25
ALIVE_SECONDS = 0.75
"""For how long one sign of life is believed."""
RETRY_SECONDS = 0.25

log = logging.getLogger("mfa_gate")


class Follower:
    """Keeps `cache` true. `connect` opens the feed anew; it and the feed may raise `StoreUnavailable`."""

    def __init__(
        self, connect: Callable[[], Feed], cache: FactsCache, monotonic: Callable[[], float]
    ) -> None:
        self._connect = connect
        self._cache = cache
        self._monotonic = monotonic
        self._told = False
        self._feed: Feed | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mfa-gate-feed", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until it has; facts are then used for one second again."""
        self._stopped.set()
        if self._feed is not None:
            self._feed.wake()
        self._thread.join(timeout=5)
        self._cache.alive_until = 0.0

    def _run(self) -> None:
        while self._goes_on():
            try:
                self._feed = self._connect()
                self._follow(self._feed)
            except StoreUnavailable as error:
                if not self._told:
                    log.warning(
                        "change feed lost, facts are used for one second: %s", printable(str(error), 1_000)
                    )
                self._told = True
            except Exception:
                log.exception("the change feed failed")
            self._cache.alive_until = 0.0
            self._stopped.wait(RETRY_SECONDS)

    def _goes_on(self) -> bool:
        # Once the main thread has ended, files are being closed.
        return not self._stopped.is_set() and threading.main_thread().is_alive()

    def _follow(self, feed: Feed) -> None:
        """Until the feed is lost. Security: what was read before it was there may have changed unheard."""
        heard = False
        while self._goes_on():
            asked_at = self._monotonic()
            names = feed.poll(POLL_SECONDS)
            if names is None:
                continue
            if not heard or "*" in names:
                self._cache.drop_all()
                heard, self._told = True, False
            for name in names:
                self._cache.drop(name)
            # Only after everything named is forgotten.
            self._cache.alive_until = asked_at + ALIVE_SECONDS
