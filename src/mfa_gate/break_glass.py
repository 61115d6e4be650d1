"""Keeps break-glass grants in a file of the server, and what was done with them in a log beside it.

It decides which grants are ours and good now; the verdict on a request is not made here. Both files work without the
store: the log is joined to the audit trail once the store answers.
"""

import fcntl
import logging
import os
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from mfa_gate.core.accounts import Identity
from mfa_gate.core.errors import KeysError
from mfa_gate.core.events import Event
from mfa_gate.core.grants import Grant, SignedGrant, is_good, names
from mfa_gate.core.messages import printable
from mfa_gate.files import Followed, append_line, locked, open_lock, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTE_EVERY_SECONDS: Final = 60
_AT_ONCE: Final = 100

log = logging.getLogger("mfa_gate")


class GrantFile:
    """The grants in one file, which is replaced whole. `like` is the file whose owner may read it: the key file."""

    def __init__(self, path: Path, like: Path | None = None) -> None:
        self.path = path
        self._like = like

    def read(self) -> tuple[SignedGrant, ...]:
        """What the file holds, ours or not; none if there is no file. Raises `KeysError`."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=tuple[SignedGrant, ...])
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise KeysError(
                f'grants "{self.path}": {error.strerror}. Let the gate\'s user read the file.'
            ) from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise KeysError(
                f'grants "{self.path}" are damaged ({error}). Remove the file; whoever needs a grant gets a new one.'
            ) from error

    def change(self, plan: Callable[[tuple[SignedGrant, ...]], tuple[SignedGrant, ...]]) -> None:
        """Replace what the file holds by what `plan` makes of it. Raises `KeysError`."""
        try:
            with locked(self.path):
                replace_file(
                    self.path,
                    msgspec.json.format(msgspec.json.encode(plan(self.read()))) + b"\n",
                    like=self._like,
                )
        except OSError as error:
            raise KeysError(
                f'grants "{self.path}": {error.strerror}. Let the user who runs this write its folder.'
            ) from error


class GrantLog:
    """What was granted and used, one event a line, until it has joined the trail. Nothing in it is ever changed."""

    def __init__(self, path: Path, like: Path | None = None) -> None:
        self.path = path
        self._like = like
        self._joined = path.with_name(f"{path.name}.joined")

    def append(self, event: Event) -> None:
        """Add an event, durably. Raises `OSError`."""
        append_line(self.path, msgspec.json.encode(event), like=self._like)

    def join(self, record: Callable[[tuple[Event, ...]], None]) -> int:
        """Hand what has not joined yet to the trail; how many events. `record` raises if the store does not answer.

        If the machine stops in between, events may join twice: each has an `entry` of its own to tell by.
        """
        if self._size() <= self._position():
            return 0
        with self._turn() as mine:
            return self._join(record) if mine else 0

    def _join(self, record: Callable[[tuple[Event, ...]], None]) -> int:
        joined, position = 0, self._position()
        with self.path.open("rb") as file:
            file.seek(position)
            while lines := [
                line for line in file.readlines(_AT_ONCE * 200)[:_AT_ONCE] if line.endswith(b"\n")
            ]:
                position += sum(map(len, lines))
                file.seek(position)
                events = tuple(event for line in lines if (event := _event(line)) is not None)
                if events:
                    record(events)
                joined += len(events)
                replace_file(self._joined, str(position).encode(), like=self._like)
        return joined

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _position(self) -> int:
        try:
            text = self._joined.read_bytes()
        except OSError:
            return 0
        return int(text) if text.isdigit() else 0

    @contextmanager
    def _turn(self) -> "Iterator[bool]":
        """The one right to join; False if another process is at it."""
        handle = open_lock(self.path)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(handle)


class LiveGrants:
    """`ports.Grants`: the grants that are ours, as the file says them; it is looked at every second.

    Raises nothing: a file that cannot be read holds no grant.
    """

    def __init__(
        self,
        file: GrantFile,
        grant_log: GrantLog,
        is_ours: Callable[[SignedGrant], bool],
        public_url: str,
    ) -> None:
        self._file = file
        self._log = grant_log
        self._is_ours = is_ours
        self._public_url = public_url
        self._grants: tuple[Grant, ...] = ()
        self._noted: dict[str, int] = {}
        self._followed = Followed(file.path, self._reread)
        self._read_at_first()

    def look(self) -> None:
        """Read the file again if it was replaced."""
        try:
            self._followed.look()
        except KeysError as error:
            self._grants = ()
            log.error("break-glass: %s", printable(str(error), 1_000))  # noqa: TRY400 (the sentence says it all)

    def find(self, identity: Identity, now: int) -> Grant | None:
        """A grant that is good for this person now."""
        for grant in self._grants:
            if names(grant, identity) and is_good(grant, self._public_url, now):
                return grant
        return None

    def is_noted(self, grant: Grant, now: int) -> bool:
        """True if its use was written down within the last minute."""
        return 0 <= now - self._noted.get(grant.id, -NOTE_EVERY_SECONDS) < NOTE_EVERY_SECONDS

    def note(self, grant: Grant, used: Event, now: int) -> bool:
        """Write its use down and say it aloud; False if that is not possible, and the grant must not be honored."""
        try:
            self._log.append(used)
        except OSError as error:
            log.error("break-glass: its use cannot be written down (%s), so that nobody passes by it", error)  # noqa: TRY400
            return False
        log.error(
            "break-glass: %s passes without the second step (grant %s by %s: %s)",
            printable(grant.subject),
            grant.id,
            printable(grant.by),
            printable(grant.reason),
        )
        self._noted = {each.id: self._noted[each.id] for each in self._grants if each.id in self._noted}
        self._noted[grant.id] = now
        return True

    def join(self, record: Callable[[tuple[Event, ...]], None]) -> None:
        """Hand what was written down to the trail. Raises what `record` raises."""
        with suppress(OSError):
            self._log.join(record)

    def _read_at_first(self) -> None:
        try:
            self._reread()
        except KeysError as error:
            log.error("break-glass: %s", printable(str(error), 1_000))  # noqa: TRY400 (the sentence says it all)

    def _reread(self) -> None:
        found = [signed for signed in self._file.read() if self._is_ours(signed)]
        self._grants = tuple(grant for signed in found if (grant := signed.read()) is not None)


def _event(line: bytes) -> Event | None:
    try:
        return msgspec.json.decode(line, type=Event)
    except (msgspec.MsgspecError, ValueError):
        log.error("break-glass: a line of the log is no event of ours: %s", printable(repr(line), 200))  # noqa: TRY400
        return None
