"""Crashes, full disks, stuck writers, forks and files that change under a running gate."""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.listing import EVERYBODY
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores.contract import NOW, at_once, event, kinds, person, put, session
from tests.stores.disks import Disk, disk
from tests.stores.files import file_of, make, reopen

ROOT = Path(__file__).parents[2]
__all__ = ["disk"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = make(tmp_path)
    yield store
    with suppress(StoreUnavailable):
        store.close()


def integrity(file: Path) -> str:
    with closing(sqlite3.connect(file)) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


# Crashes


class Writer:
    """A process that commits without end to one account, and what it has acknowledged so far."""

    def __init__(self, place: Path, subject: str) -> None:
        self.acknowledged = 0
        self.refusals: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.writer", str(place), subject],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                if line.startswith("refused"):
                    self.refusals.append(line)
                elif line.endswith("\n"):
                    self.acknowledged = int(line)
                self._news.notify_all()

    def wait_for(self, version: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.acknowledged >= version, timeout=120)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()


def test_j07_j10_writers_killed_in_the_middle_lose_nothing_and_hinder_nobody(
    store: SqliteStore, tmp_path: Path, scale: str
) -> None:
    kills = 8 if scale == "small" else 200
    subjects = [f"u{number}" for number in range(8)]
    writers = {subject: Writer(tmp_path, subject) for subject in subjects}
    try:
        for number in range(kills):
            subject = subjects[number % 8]
            victim = writers[subject]
            victim.wait_for(victim.acknowledged + 3 + number % 7)
            victim.kill()
            assert victim.refusals == []
            account = account_of(store, subject)
            # The last commit may have been made and not been told any more.
            assert account.version in {victim.acknowledged, victim.acknowledged + 1}
            assert len(kinds(store, account.id)) == 2 * account.version
            assert len(store.sessions(account.id, NOW)) == min(50, account.version)
            if number + 8 < kills:
                writers[subject] = Writer(tmp_path, subject)
    finally:
        for writer in writers.values():
            writer.kill()
    assert [writer.refusals for writer in writers.values()] == [[]] * 8
    assert store.broken_chain() is None
    assert integrity(file_of(tmp_path)) == "ok"


# Full disks


def test_j08_a_full_disk_refuses_writes_keeps_answering_and_heals(disk: Disk) -> None:
    with closing(make(disk.place)) as store:
        alice, names = person("alice"), [f"k{number}" for number in range(50)]
        for name in names:
            alice = put(store, alice, open_session=session(alice, name))
        disk.fill()
        with pytest.raises(StoreUnavailable, match="disk"):
            commit_for_ever(store, alice)
        disk.fill()  # closing the connection that met the error may have freed the log
        before = kinds(store, alice.id)
        with pytest.raises(StoreUnavailable):
            end_all(store, alice, names)
        ended = 50 - len(store.sessions(alice.id, NOW))  # a few may have fitted
        assert ended < 50
        assert kinds(store, alice.id) == before + ["signed_out"] * ended  # no audit, no act
        alice = account_of(store, "alice")
        disk.free()
        assert put(store, alice).version == alice.version + 1
        assert store.broken_chain() is None
    assert integrity(file_of(disk.place)) == "ok"


def commit_for_ever(store: SqliteStore, account: Account) -> None:
    while True:
        account = put(store, account)


def end_all(store: SqliteStore, account: Account, names: list[str]) -> None:
    for name in names:
        store.end_session(session(account, name), (event("signed_out", account),), NOW)


def account_of(store: SqliteStore, subject: str) -> Account:
    account = store.account(person(subject).id)
    assert account
    return account


# Stuck writers


def test_j02_a_stuck_writer_refuses_writes_in_time_and_readers_go_on(
    store: SqliteStore, tmp_path: Path
) -> None:
    alice = put(store, person("alice"))
    with (tmp_path / "gate.db.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        results = at_once(5, lambda _: put(store, alice))
        assert time.monotonic() - began < 5
        assert [type(each) for each in results] == [StoreUnavailable] * 5
        assert "no turn to write" in str(results[0])
        assert store.account(alice.id) == alice
    assert put(store, alice).version == 2


def test_another_program_in_the_database_refuses_writes_and_says_so(
    store: SqliteStore, tmp_path: Path
) -> None:
    alice = put(store, person("alice"))
    with closing(sqlite3.connect(file_of(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program holds the database"):
            put(store, alice)
        assert store.account(alice.id) == alice
        other.execute("ROLLBACK")
    assert put(store, alice).version == 2


def test_a_deleted_lock_file_is_made_again_and_still_locks(store: SqliteStore, tmp_path: Path) -> None:
    lock_file = tmp_path / "gate.db.lock"
    alice = put(store, person("alice"))
    lock_file.unlink()
    alice = put(store, alice)
    with lock_file.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable):
            put(store, alice)


# Forks


def forker(place: Path, how: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.stores.forker", str(place), how],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_store_is_used_on_both_sides_of_a_fork(store: SqliteStore, tmp_path: Path) -> None:
    process = forker(tmp_path, "share")
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "[0, 0, 0, 0]\n")
    rows = store.people(EVERYBODY, limit=99, now=NOW).rows
    versions = {row.account.subject: row.account.version for row in rows}
    assert versions == {"parent": 21, **{f"child{number}": 10 for number in range(4)}}
    assert store.broken_chain() is None
    assert integrity(file_of(tmp_path)) == "ok"


def test_a_child_holds_no_lock_for_a_parent_that_was_killed_while_writing(
    store: SqliteStore, tmp_path: Path
) -> None:
    process = forker(tmp_path, "killed")
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == "forked\n"
    with pytest.raises(StoreUnavailable):
        put(store, person("alice"))
    process.kill()
    process.wait()
    assert put(store, person("alice")).version == 1
    process.stdin.close()
    process.stdout.close()


# Files that change under a running gate


def test_j01_a_deleted_file_is_never_written_on_as_if_it_were_there(
    store: SqliteStore, tmp_path: Path
) -> None:
    alice = put(store, person("alice"))
    away = tmp_path / "away"
    file_of(tmp_path).rename(away)
    for act in (lambda: store.account(alice.id), lambda: put(store, alice), store.policy):
        with pytest.raises(StoreUnavailable, match="mfa-gate init"):
            act()
    assert not file_of(tmp_path).exists()
    away.rename(file_of(tmp_path))
    assert put(store, alice).version == 2


def test_j12_after_its_log_was_deleted_a_process_refuses_and_another_goes_on(
    store: SqliteStore, tmp_path: Path
) -> None:
    """It would never hear of what others write to the next log: a session that was ended would go on for ever."""
    put(store, person("alice"))
    with closing(sqlite3.connect(file_of(tmp_path))) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert account_of(store, "alice").version == 1
    for name in ("gate.db-wal", "gate.db-shm"):
        (tmp_path / name).unlink()
    other = Writer(tmp_path, "alice")
    try:
        other.wait_for(3)
    finally:
        other.kill()
    for _ in range(2):
        for act in (store.policy, partial(account_of, store, "alice"), partial(put, store, person("bob"))):
            with pytest.raises(StoreUnavailable, match="start them again"):
                act()
        store.close()
    said = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert int(said.stdout) >= 3


READER = """
import sys, pathlib
from tests.stores.contract import person
from tests.stores.files import reopen
print(reopen(pathlib.Path(sys.argv[1])).account(person("alice").id).version)
"""


def test_a_file_put_in_the_place_of_another_is_read_from_then_on(store: SqliteStore, tmp_path: Path) -> None:
    alice = put(store, person("alice"))
    store.close()
    copy = tmp_path / "copy"
    shutil.copy(file_of(tmp_path), copy)
    put(store, alice)
    copy.rename(file_of(tmp_path))
    for name in ("gate.db-wal", "gate.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert store.account(alice.id) == alice  # the older copy: what tells that it is older is the anchor
    other = reopen(tmp_path)
    put(other, alice)
    store.close()  # lets go of the old file, and must not take the new one's log with it
    assert (tmp_path / "gate.db-wal").exists()
    third = reopen(tmp_path)
    assert third.account(alice.id) == other.account(alice.id)
    assert third.broken_chain() is None
    third.close()
    other.close()


def test_another_store_put_in_its_place_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    alice = put(store, person("alice"))
    other = tmp_path / "other"
    other.mkdir()
    make(other, store_id="store-2").close()
    file_of(other).replace(file_of(tmp_path))
    for name in ("gate.db-wal", "gate.db-shm"):
        (tmp_path / name).unlink()
    with pytest.raises(StoreUnavailable, match="store-2, not store-1"):
        store.account(alice.id)


def test_an_emptied_file_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    alice = put(store, person("alice"))
    store.close()
    os.truncate(file_of(tmp_path), 0)
    for act in (
        lambda: store.account(alice.id),
        lambda: put(store, person("alice")),
        lambda: reopen(tmp_path),
    ):
        with pytest.raises(StoreUnavailable):
            act()


def test_j16_a_damaged_file_refuses_again_and_again_and_uses_up_no_files(
    store: SqliteStore, tmp_path: Path
) -> None:
    for number in range(30):
        put(store, person(f"u{number}"))
    store.close()
    with file_of(tmp_path).open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(2 * 4096)
        file.write(b"\xff" * (size - 2 * 4096))
    refusals = [
        type(each) for _ in range(10) for each in at_once(5, lambda _: store.account(person("u1").id))
    ]
    assert refusals == [StoreUnavailable] * 50
    opened = [
        entry
        for entry in Path("/dev/fd").iterdir()
        if entry.is_symlink() and entry.readlink() == file_of(tmp_path)
    ]
    assert len(opened) < 20
