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
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mfa-gate-feed", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until it has; facts are then used for one second again."""
        self._stopped.set()
        self._thread.join(timeout=5)
        self._cache.alive_until = 0.0

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow(self._connect())
            except StoreUnavailable as error:
                log.warning("change feed lost: %s", printable(str(error)))
            except Exception:
                log.exception("the change feed failed")
            self._cache.alive_until = 0.0
            self._stopped.wait(RETRY_SECONDS)

    def _follow(self, feed: Feed) -> None:
        """Until the feed is lost. Security: what was read before it was there may have changed unheard."""
        heard = False
        while not self._stopped.is_set():
            asked_at = self._monotonic()
            names = feed.poll(POLL_SECONDS)
            if names is None:
                continue
            if not heard or "*" in names:
                self._cache.drop_all()
                heard = True
            for name in names:
                self._cache.drop(name)
            # Only after everything named is forgotten.
            self._cache.alive_until = asked_at + ALIVE_SECONDS
