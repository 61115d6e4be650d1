"""Decides how a small file is written whole or not at all, and notices that it was replaced; it knows no content.

For what the gate keeps beside its store: keys, anchor, grants. Whoever reads such a file sees the old one or the new
one, never a half, also after a power cut.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Mark = tuple[int, int, int, int]
"""What tells one state of a file from the next: device, inode, size, last change of content, mode or owner."""


def replace_file(path: Path, content: bytes, *, mode: int = 0o600, like: Path | None = None) -> None:
    """Put `content` in the place of whatever `path` names, durably. Raises `OSError`; then the old file stands.

    A file that was there keeps its owner, and a new one gets that of `like`: so a gate with a user of its own can read
    what root wrote.
    """
    path = path.resolve()  # a link stays a link
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "wb") as out:
            os.fchmod(handle, mode)
            with suppress(FileNotFoundError):
                _give_to_owner_of(path if path.exists() or like is None else like, handle)
            out.write(content)
            out.flush()
            os.fsync(handle)
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def append_line(path: Path, line: bytes, *, like: Path | None = None) -> None:
    """Add one line at the end, durably; a new file gets the owner of `like`. Raises `OSError`."""
    is_new = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if is_new and like is not None:
            with suppress(FileNotFoundError):
                _give_to_owner_of(like, handle)
        # One write: lines of two processes do not mix.
        os.write(handle, line + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the one right to change a file that is replaced, through `<path>.lock`. Raises `OSError`."""
    handle = open_lock(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def open_lock(path: Path) -> int:
    """Open `<path>.lock`. It belongs to whom the file belongs, or else the folder: root must lock nobody out."""
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            _give_to_owner_of(path if path.exists() else path.parent, handle)
    except BaseException:
        os.close(handle)
        raise
    return handle


def sync_folder(folder: Path) -> None:
    """Make names durable that were given or taken in a folder. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mark_of(path: Path) -> Mark | None:
    """The state of a file; None while it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns


class Followed:
    """A file that others may replace at any time; whoever asks is told once of each new state."""

    def __init__(self, path: Path, reread: Callable[[], None]) -> None:
        self._path = path
        self._reread = reread
        self._seen = mark_of(path)

    def look(self) -> bool:
        """Read the file again if it changed; True if it did. Raises what reading raises, once for each state."""
        mark = mark_of(self._path)
        if mark == self._seen:
            return False
        self._seen = mark
        self._reread()
        return True


def _give_to_owner_of(path: Path, handle: int) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        os.fchown(handle, found.st_uid, found.st_gid)
