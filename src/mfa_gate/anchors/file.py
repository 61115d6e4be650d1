"""Keeps the anchor in a file outside the store; it decides nothing about a store.

Further places that only listen, and are never read, get each new anchor, too.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from mfa_gate.core.checkpoints import ANCHOR_FORMAT, Anchor
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.files import locked, replace_file

Listener = Callable[[Anchor], None]


class AnchorFile:
    """`ports.Anchors` in one file, which is replaced whole. `listeners` must not block."""

    def __init__(self, path: Path, listeners: Sequence[Listener] = ()) -> None:
        self._path = path
        self._listeners = listeners

    def read(self) -> Anchor | None:
        """What the file says; None if there is none. Raises `StoreUnavailable`."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(
                f"The anchor {self._path} cannot be read ({error.strerror}). Let the gate's user read it."
            ) from error
        try:
            anchor = msgspec.json.decode(text, type=Anchor)
        except (msgspec.MsgspecError, ValueError) as error:
            # Security: a damaged anchor is not a missing one, or damaging it would be the way around it.
            raise StoreUnavailable(
                f"The anchor {self._path} is damaged ({error}). If the store is the newest, run "
                "`mfa-gate restore --accept-loss`."
            ) from error
        if anchor.format > ANCHOR_FORMAT:
            raise StoreUnavailable(
                f"The anchor {self._path} was written by a newer mfa_gate; install that again."
            )
        return anchor

    def move(self, known: Anchor | None, anchor: Anchor) -> bool:
        """Put `anchor` in the place of `known`; False if somebody else has moved it meanwhile."""
        try:
            with locked(self._path):
                if self.read() != known:
                    return False
                self._write(anchor)
        except OSError as error:
            raise StoreUnavailable(
                f"The anchor {self._path} cannot be written ({error.strerror}). Make its folder, writable by the gate."
            ) from error
        return True

    def accept(self, anchor: Anchor) -> None:
        """Put `anchor` in the place of whatever stands there, as only somebody on the server's shell may."""
        try:
            with locked(self._path):
                self._write(anchor)
        except OSError as error:
            raise StoreUnavailable(
                f"The anchor {self._path} cannot be written ({error.strerror}). Make its folder, writable by you."
            ) from error

    def _write(self, anchor: Anchor) -> None:
        replace_file(self._path, msgspec.json.format(msgspec.json.encode(anchor)) + b"\n")
        for listener in self._listeners:
            listener(anchor)
