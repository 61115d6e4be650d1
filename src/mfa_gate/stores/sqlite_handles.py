"""Decides which file and log a connection to SQLite belongs to, and whether it may be closed; it reads no table."""

import ctypes
import sqlite3
from contextlib import suppress
from pathlib import Path

FileId = tuple[int, int]
"""Device and inode."""

ABANDONED: set[FileId] = set()
"""Files on which this process holds a connection to a log that is there no more."""


class Handle(sqlite3.Connection):
    """One connection, and which file and log it was opened on: their paths may come to name other files.

    `log` is None as long as there is none, which is so before the first write to a new file.
    """

    file: FileId
    log: FileId | None


def file_of(path: Path) -> FileId:
    """Which file a path names now."""
    status = path.stat()
    return status.st_dev, status.st_ino


def file_of_log(path: Path) -> FileId | None:
    """Which log lies beside a database now."""
    try:
        return file_of(path.with_name(f"{path.name}-wal"))
    except FileNotFoundError:
        return None


def let_go(path: Path, db: Handle) -> None:
    """Close a connection to the database at `path`, if that harms nobody."""
    # Security: the last connection to a file deletes the log beside it by its name. If the file or the log was
    # replaced, that is the new one's log, with commits in it.
    with suppress(OSError):
        if db.file == file_of(path):
            if db.log == file_of_log(path):
                with suppress(sqlite3.Error):
                    db.close()
                return
            ABANDONED.add(db.file)
    keep_for_ever(db)


def keep_for_ever(db: Handle) -> None:
    """Let not even the end of the interpreter close this connection."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))
