"""Decides who may write an SQLite file now, and which connection reads it; it knows no table.

Every write transaction, and every checkpoint and close, happens under an exclusive lock on `<file>.lock`. SQLite
needs no such lock to be correct, except that all versions from 3.7.0 to 3.51.2 may corrupt a file in which a
commit meets another connection's checkpoint (fixed in 3.51.3, March 2026). The lock also hands out turns quicker
than SQLite's own waiting does. Local disks only: neither SQLite nor flock keeps its word on a network file system.
"""

import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.stores.sqlite_handles import ABANDONED, Handle, file_of, file_of_log, keep_for_ever, let_go

WAIT_SECONDS = 0.5
_POLL_SECONDS = 0.0005
_PATIENCE = 4
"""How many times `WAIT_SECONDS` to wait for a turn while others do get theirs: busy is not stuck."""
_SPOILED_KEPT = 8
"""Connections that wait for the next turn to be closed in; a disk that fails must not use up the files."""

_CURES = {
    "SQLITE_BUSY": "another program holds the database; close it",
    "SQLITE_CANTOPEN": "give the gate's user read and write access to the file and its folder",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a backup",
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_IOERR": "the disk fails; look at the system's log",
    "SQLITE_NOTADB": "this is no database of the gate; see [store] url",
    "SQLITE_READONLY": "give the gate's user write access to the file and its folder",
}


class _Process:
    """What one process has open. A child of a fork gets one of its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.turn = threading.Lock()
        self.turns = 0
        self.lock_file = -1
        self.free: list[Handle] = []
        self.spoiled: list[Handle] = []


class Connections:
    """The connections to one database file, which must exist.

    A connection serves one thread at a time and never crosses a fork. `check(db)` judges each new one before it is
    used; it raises `StoreUnavailable` if this is not the store that it should be.
    """

    def __init__(self, path: Path, check: Callable[[sqlite3.Connection], None]) -> None:
        self._path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._log_path = path.with_name(f"{path.name}-wal")
        self._check = check
        self._process = _Process()
        # Security: a child that kept the lock file open would hold the lock on behalf of a parent killed while writing.
        os.register_at_fork(after_in_child=_Forked(self))
        self._finalize = weakref.finalize(self, _let_go_at_exit, path, self._process)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with. For more than one statement on the same state, `BEGIN` first."""
        with self._explained():
            process = self._here()
            db = self._borrow(process)
            try:
                yield db
                if db.in_transaction:
                    db.execute("COMMIT")
            except BaseException as error:
                self._take_back(process, db, error)
                if len(process.spoiled) > _SPOILED_KEPT:
                    self.close()
                raise
            self._give_back(process, db)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a write transaction: committed at the end, rolled back on any exception."""
        with self._explained():
            process = self._here()
            with self._turn(process):
                db = self._borrow(process)
                try:
                    db.execute("BEGIN IMMEDIATE")
                    yield db
                    db.execute("COMMIT")
                except BaseException as error:
                    self._take_back(process, db, error)
                    raise
                self._give_back(process, db)

    def close(self) -> None:
        """Close what is not in use. The next call opens anew."""
        with self._explained():
            process = self._here()
            with self._turn(process):
                process.spoiled += process.free
                process.free.clear()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            cure = next(
                (cure for code, cure in _CURES.items() if name.startswith(code)), "see the system's log"
            )
            raise StoreUnavailable(f"The store {self._path} does not answer ({error}): {cure}.") from error
        except FileNotFoundError as error:
            raise StoreUnavailable(
                f"The store {self._path} is not there; restore it from a backup, correct [store] url, "
                "or, on a new machine, make it with `mfa-gate init`."
            ) from error
        except OSError as error:
            raise StoreUnavailable(f"The store {self._path} cannot be used: {error}.") from error

    def _here(self) -> _Process:
        if self._process.pid != os.getpid():
            self.leave_parent()
        return self._process

    def leave_parent(self) -> None:
        """In the child of a fork: touch nothing of the parent's again, not even to close a connection of it."""
        parent, self._process = self._process, _Process()
        if parent.lock_file >= 0:
            os.close(parent.lock_file)
        for db in parent.free + parent.spoiled:
            keep_for_ever(db)
        self._finalize.detach()
        self._finalize = weakref.finalize(self, _let_go_at_exit, self._path, self._process)

    def _borrow(self, process: _Process) -> Handle:
        # Security: SQLite goes on with a file that was deleted or replaced, and what it acknowledges then is lost.
        file = file_of(self._path)
        while True:
            try:
                db = process.free.pop()
            except IndexError:
                return self._open(file)
            if db.file != file:
                process.spoiled.append(db)
            elif db.log == file_of_log(self._path):
                return db
            else:
                process.free.append(db)
                raise self._without_log()

    def _give_back(self, process: _Process, db: Handle) -> None:
        self._note_log(db)
        process.free.append(db)

    def _note_log(self, db: Handle) -> None:
        if db.log is None:
            # It has just made the log, or has met the one that another made since.
            db.log = file_of_log(self._path)

    def _without_log(self) -> StoreUnavailable:
        # Security: SQLite goes on with a log that was deleted, and never hears of what others write to the next one:
        # somebody whose session was ended would pass for ever. It shares what it knows of a log with every later
        # connection of the process to the same file, so that only a new process is free of it.
        return StoreUnavailable(
            f"The log {self._log_path} was deleted or replaced while the store was in use; stop every process of "
            "the gate, then start them again."
        )

    def _open(self, file: tuple[int, int]) -> Handle:
        if file in ABANDONED:
            raise self._without_log()
        db = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw",  # never creates
            uri=True,
            timeout=WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=Handle,
        )
        try:
            db.file = file
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA journal_mode = WAL")
            self._check(db)
            db.log = file_of_log(self._path)  # None where there is none before the first write
        except BaseException:
            db.close()
            raise
        return db

    def _take_back(self, process: _Process, db: Handle, error: BaseException) -> None:
        """After an exception: a connection that met an error of SQLite is not used again, so that faults heal."""
        with suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        if db.in_transaction or isinstance(error, sqlite3.Error):
            self._note_log(db)
            process.spoiled.append(db)
        else:
            self._give_back(process, db)

    @contextmanager
    def _turn(self, process: _Process) -> Iterator[None]:
        """The only writer of all threads and processes, or `StoreUnavailable` after `WAIT_SECONDS`."""
        self._queue(process)
        try:
            self._lock(process)
            try:
                yield
            finally:
                while process.spoiled:
                    let_go(self._path, process.spoiled.pop())
                lock_file, process.lock_file = process.lock_file, -1
                fcntl.flock(lock_file, fcntl.LOCK_UN)
                os.close(lock_file)
        finally:
            process.turn.release()

    def _queue(self, process: _Process) -> None:
        """Wait for the other threads of this process; an flock belongs to all of them alike."""
        for _ in range(_PATIENCE):
            before = process.turns
            if process.turn.acquire(timeout=WAIT_SECONDS):
                process.turns += 1
                return
            if process.turns == before:
                break
        raise self._busy()

    def _lock(self, process: _Process) -> None:
        """Wait for the other processes; as long as the log is written to, they do go on."""
        for _ in range(_PATIENCE):
            before = self._log_written_at()
            for _ in range(int(WAIT_SECONDS / _POLL_SECONDS)):
                if self._try_lock(process):
                    return
                time.sleep(_POLL_SECONDS)
            if self._log_written_at() == before:
                break
        raise self._busy()

    def _try_lock(self, process: _Process) -> bool:
        lock_file = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # If somebody deleted the lock file meanwhile, others may be locking a new one.
            if os.path.samestat(self._lock_path.stat(), os.fstat(lock_file)):
                process.lock_file = lock_file
                return True
        os.close(lock_file)
        return False

    def _log_written_at(self) -> int:
        try:
            return self._log_path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _busy(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"The store {self._path} is busy: no turn to write within {WAIT_SECONDS} s. "
            "If it stays so, a process that holds the lock is stopped, or the disk is too slow."
        )


class _Forked:
    """Tells a live `Connections` that it woke up in a child process; holds nothing alive."""

    def __init__(self, connections: Connections) -> None:
        self._connections = weakref.ref(connections)

    def __call__(self) -> None:
        connections = self._connections()
        if connections is not None:
            connections.leave_parent()


def _let_go_at_exit(path: Path, process: _Process) -> None:
    if process.pid == os.getpid():
        for db in process.free + process.spoiled:
            let_go(path, db)
