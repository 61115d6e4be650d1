"""One gate in one process: makes the parts when they are first needed, and looks after what stands beside the store.

It chooses nothing. A store that cannot be opened, or falls behind its anchor, is 503 for everybody until it is mended.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from mfa_gate.background import background
from mfa_gate.core.errors import RolledBack, StoreUnavailable
from mfa_gate.core.messages import printable
from mfa_gate.door import Door
from mfa_gate.flows.feed import Follower
from mfa_gate.flows.jobs import Jobs
from mfa_gate.flows.timekeeping import Timekeeper
from mfa_gate.flows.watching import Look, Watch
from mfa_gate.keys import LiveKeys
from mfa_gate.opening import anchor_keeper, live_grants, open_store
from mfa_gate.ports import Store
from mfa_gate.settings import Settings
from mfa_gate.wiring import Sources, build_door

if TYPE_CHECKING:
    from mfa_gate.break_glass import LiveGrants
    from mfa_gate.flows.anchoring import AnchorKeeper
    from mfa_gate.keyed import Keyed

log = logging.getLogger("mfa_gate")

REOPEN_SECONDS = 1.0


class _NoStore:
    """Stands where a store could not be opened: whatever is asked of it is `StoreUnavailable`."""

    store_id = ""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Callable[..., object]:
        def unavailable(*_: object, **__: object) -> object:
            raise StoreUnavailable(self._reason)

        return unavailable


class Helper(Protocol):
    """A thread that goes on beside the requests."""

    def start(self) -> None:
        """Begin; once."""

    def stop(self) -> None:
        """End, and wait until it has."""


class PerProcess:
    """Makes the parts of one gate when a process first needs them. Raises `KeysError` if the keys cannot be used."""

    def __init__(self, settings: Settings, sources: Sources) -> None:
        self.settings = settings
        self.sources = sources
        self._live = LiveKeys(settings.keys.file, os.environ, sources.monotonic)
        self._keyed: Keyed | None = None
        self.current: Door | None = None
        self._provisional: Door | None = None
        self._reopen_at = 0.0
        self._store: Store | None = None
        self._keeper: AnchorKeeper | None = None
        self._watch: Watch | None = None
        self._helpers: tuple[Helper, ...] = ()
        self._grants: LiveGrants | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._begin_anew)

    def door(self) -> Door:
        """This process's parts; a store that could not be opened is tried again every second."""
        with self._lock:
            if self._watch is None:
                self._begin_watch()
            if self.current is not None:
                return self.current
            if self._provisional is not None and self.sources.monotonic() < self._reopen_at:
                return self._provisional
            return self._make()

    def close(self) -> None:
        """End the thread that looks on, and release the store; whoever asks for the door again has all anew."""
        with self._lock:
            watch, helpers, store, door = self._watch, self._helpers, self._store, self.current
            self._begin_anew()
        if watch is not None:
            watch.stop()
        for helper in helpers:
            helper.stop()
        if store is not None:
            if door is not None:
                self._bring_traffic(door.traffic.flush)
            _let_go(store)

    def _begin_anew(self) -> None:
        self.current = self._provisional = None
        self._store = self._keeper = self._watch = None
        self._helpers = ()
        self._lock = threading.Lock()

    def _begin_watch(self) -> None:
        looks: list[Look] = [self._live.look, self._look_at_anchor]
        self._grants = live_grants(self.settings, self._key(), self.sources)
        if self._grants is not None:
            looks += [self._grants.look, self._join_grants]
        self._watch = Watch(looks)
        self._watch.start()

    def _make(self) -> Door:
        keyed = self._key()
        try:
            store = open_store(self.settings, keyed, self.sources)
        except StoreUnavailable as error:
            return self._without_store(error)
        self._store, self._keeper = store, anchor_keeper(self.settings, keyed, store, self.sources)
        self.current = build_door(self.settings, keyed, store, self.sources, self._grants)
        self._provisional = None
        self._helpers = self._help(store, self.current)
        for helper in self._helpers:
            helper.start()
        return self.current

    def _help(self, store: Store, door: Door) -> tuple[Helper, ...]:
        """What goes on beside the requests of this process, each in a thread of its own."""
        quick, slow, mail, *sinks = background(self.settings, self._key(), store, self.sources)

        def turn(jobs: Jobs) -> None:
            jobs.turn(int(self.sources.clock()))

        return (
            Follower(store.feed, door.cache, self.sources.monotonic),
            Watch(
                [
                    partial(turn, quick),
                    partial(self._bring_traffic, door.traffic.flush_due),
                    partial(_keep_time, door.timekeeper),
                ],
                name="mfa-gate-jobs",
            ),
            Watch([partial(turn, slow)], name="mfa-gate-examination"),
            Watch([partial(turn, mail)], name="mfa-gate-mail"),
            *(Watch([partial(turn, sink)], name="mfa-gate-sink") for sink in sinks),
        )

    def _bring_traffic(self, flush: Callable[[int], None]) -> None:
        """Add the counters of this process to the store's."""
        try:
            flush(int(self.sources.clock()))
        except StoreUnavailable as error:
            log.warning("unattributed traffic: %s", printable(str(error), 1_000))

    def _without_store(self, error: StoreUnavailable) -> Door:
        log.error("store: %s", printable(str(error), 1_000))
        self._reopen_at = self.sources.monotonic() + REOPEN_SECONDS
        nothing = cast("Store", _NoStore(str(error)))
        self._provisional = build_door(self.settings, self._key(), nothing, self.sources, self._grants)
        return self._provisional

    def _key(self) -> "Keyed":
        if self._keyed is None:
            from mfa_gate.keyed import Keyed  # noqa: PLC0415 (cryptography is slow to import)

            self._keyed = Keyed(self._live, self.sources.random)
        return self._keyed

    def _join_grants(self) -> None:
        """Bring what was written down about grants into the trail, as soon as the store is there."""
        store, grants = self._store, self._grants
        if store is None or grants is None:
            return
        now = int(self.sources.clock())
        try:
            grants.join(lambda events: store.record(events, now))
        except StoreUnavailable as error:
            log.warning("break-glass: %s", printable(str(error), 1_000))

    def _look_at_anchor(self) -> None:
        """Go on with the anchor, or, if the store has fallen behind it, without the store."""
        store, keeper = self._store, self._keeper
        if store is None or keeper is None:
            return
        try:
            keeper.advance(int(self.sources.clock()))
        except RolledBack as error:
            with self._lock:
                if self._store is not store:
                    return
                helpers = self._helpers
                self._store = self._keeper = None
                self._helpers = ()
                self._without_store(error)
                self.current = None
            for helper in helpers:
                helper.stop()
            _let_go(store)
        except StoreUnavailable as error:
            log.warning("anchor: %s", printable(str(error), 1_000))


def _keep_time(timekeeper: Timekeeper) -> None:
    """What an absent store keeps from being known is asked again before a code is judged."""
    with suppress(StoreUnavailable):
        timekeeper.look()


def _let_go(store: Store) -> None:
    with suppress(StoreUnavailable):
        store.close()
