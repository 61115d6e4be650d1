"""Decides which ring this process uses now: the key file is read again when it was replaced.

A running process never ends up without keys: a file that cannot be used, or that holds another gate's keys, is told
and left alone until it is mended. Whoever starts anew is refused by it.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from mfa_gate.core.errors import KeysError
from mfa_gate.files import Followed
from mfa_gate.keys.ring import PURPOSES, VARIABLE, KeyRing

POLL_SECONDS = 1.0
"""How long a process may take to notice a new key file."""

log = logging.getLogger("mfa_gate")


class LiveKeys:
    """The ring in use. Raises `KeysError` when made, if there is none to begin with."""

    def __init__(
        self, file: Path | None, environ: Mapping[str, str], monotonic: Callable[[], float] | None = None
    ) -> None:
        self._file = None if environ.get(VARIABLE) else file
        # Before the first reading: what is put there meanwhile is noticed at the next look.
        self._followed = None if self._file is None else Followed(self._file, self._reread)
        self.ring = KeyRing.find(file, environ)
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._users: list[Callable[[KeyRing], None]] = []
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._renew_lock)

    @classmethod
    def fixed(cls, ring: KeyRing) -> "LiveKeys":
        """A ring that stays as it is, for a command that ends soon."""
        return cls(None, {VARIABLE: ring.text().decode()})

    def serve(self, use: Callable[[KeyRing], None]) -> None:
        """Call `use` with the ring, now and whenever it changes."""
        with self._lock:
            self._users.append(use)
            use(self.ring)

    def look(self) -> bool:
        """Read the key file if it was replaced; True if the ring is another one now. Never raises."""
        if self._followed is None:
            return False
        before = self.ring
        with self._lock:
            try:
                self._followed.look()
            except KeysError as error:
                log.error("keys: %s The gate goes on with the keys it has.", error)  # noqa: TRY400 (a sentence)
        return self.ring is not before

    def look_again(self) -> bool:
        """The same for somebody who met a key that they do not know; at most once a second, whoever asks."""
        now = self._monotonic() if self._monotonic is not None else 0.0
        if self._monotonic is None or now - self._looked_at < POLL_SECONDS:
            return False
        self._looked_at = now
        return self.look()

    def _reread(self) -> None:
        if self._file is None:
            return
        found = KeyRing.load(self._file)
        _refuse_another_gate(self.ring, found, self._file)
        self.ring = found
        for use in self._users:
            use(found)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()


def _refuse_another_gate(known: KeyRing, found: KeyRing, file: Path) -> None:
    for purpose in PURPOSES:
        secrets = {key.secret for key in known.reading(purpose)}
        if not secrets & {key.secret for key in found.reading(purpose)}:
            raise KeysError(
                f'key file "{file}" holds no {purpose} key that was in use: it is another gate\'s. Put back its own.'
            )
