"""Decides how an SQLite store is copied while it is in use, and how a copy takes its place; it judges no copy.

A copy holds everything but the keys. In the store's place it is taken up by running processes at their next step:
they notice that the path names another file.
"""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.files import sync_folder
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.stores.sqlite_schema import take_away

_WITH_IT: Final = ("", "-wal", "-shm")
_WAIT_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.01


def back_up(connections: Connections, target: Path) -> None:
    """Write what the store holds at this moment into a new file, durably. Raises `StoreUnavailable`."""
    try:
        # Security: nobody else may read it, from the first byte on; an empty file is one that VACUUM may fill.
        handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"The copy {target} cannot be made: {error.strerror}. Name another file."
        ) from error
    try:
        with connections.reading() as db:
            db.execute("VACUUM INTO ?", (str(target),))
        os.fsync(handle)
        sync_folder(target.parent)
    except BaseException:
        take_away(target)
        raise
    finally:
        os.close(handle)


def stage(copy: Path, path: Path) -> Path:
    """A copy of a copy beside the store, to be judged and put in its place. Raises `StoreUnavailable`."""
    staged = path.with_name(f".{path.name}.restoring")
    take_away(staged)
    try:
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with copy.open("rb") as source, os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(handle)
    except OSError as error:
        take_away(staged)
        raise StoreUnavailable(f"{copy} cannot be copied beside the store: {error.strerror}.") from error
    return staged


def put_in_place(staged: Path, path: Path, now: int) -> Path | None:
    """Let the staged file be the store; where the one before is kept, if there was one. Raises `StoreUnavailable`."""
    try:
        with _turn(path):
            owner = path if path.exists() else path.parent
            found = owner.stat()
            if found.st_uid != os.geteuid():
                os.chown(staged, found.st_uid, found.st_gid)
            kept = _put_aside(path, now)
            # Security: a log that stayed would be played into the new file.
            staged.rename(path)
            sync_folder(path.parent)
    except OSError as error:
        raise StoreUnavailable(f"The store {path} cannot be replaced: {error.strerror}.") from error
    return kept


def whole(path: Path) -> str | None:
    """None if SQLite finds the file whole, else what it finds."""
    try:
        db = sqlite3.connect(path)
        try:
            (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        finally:
            db.close()
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else str(found)


def _put_aside(path: Path, now: int) -> Path | None:
    if not path.exists():
        for suffix in _WITH_IT[1:]:
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return None
    kept = path.with_name(f"{path.name}.before-{now}")
    number = 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.before-{now}-{number}")
    for suffix in reversed(_WITH_IT):
        found = Path(f"{path}{suffix}")
        if found.exists():
            found.rename(f"{kept}{suffix}")
    return kept


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """The one right to write, as `sqlite_connection` takes it."""
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(int(_WAIT_SECONDS / _POLL_SECONDS)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_POLL_SECONDS)
                continue
            yield
            return
        raise StoreUnavailable(f"The store {path} is busy: no turn to write within {_WAIT_SECONDS} s.")
    finally:
        os.close(handle)
