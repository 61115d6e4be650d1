"""The change table under the feed of an SQLite store, and what its file is checked for."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mfa_gate.stores.sqlite import SqliteStore
from tests.stores.contract import NOW, event, person, put, session
from tests.stores.files import file_of, make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(make(tmp_path)) as store:
        yield store


def test_changes_are_numbered(store: SqliteStore) -> None:
    start = store.last_change()
    assert store.changes(start) == (start, ())
    alice = put(store, person("alice"), open_session=session(person("alice"), "k1"))
    bob = put(store, person("bob"))
    put(store, alice)
    newest, names = store.changes(start)
    assert set(names) == {alice.id, bob.id}
    assert newest == store.last_change()
    assert store.changes(newest) == (newest, ())


def test_whoever_read_what_is_not_there_is_told_that_everything_changed(store: SqliteStore) -> None:
    put(store, person("alice"))
    newest = store.last_change()
    assert store.changes(newest + 5) == (newest, ("*",))
    store.record((event("act_refused"),), NOW)
    assert store.changes(newest) == (newest, ())


def test_the_feed_waits_no_longer_than_it_is_told(store: SqliteStore) -> None:
    feed = store.feed()
    begun = time.monotonic()
    assert feed.poll(0.25) == ()
    assert 0.2 < time.monotonic() - begun < 5


def test_a_sound_file_worries_nobody(store: SqliteStore) -> None:
    assert store.health(NOW) == ()


def test_a_file_that_others_can_read_is_told(store: SqliteStore, tmp_path: Path) -> None:
    file_of(tmp_path).chmod(0o644)
    assert [(each.severity, each.about) for each in store.health(NOW)] == [("warning", "store")]
    assert "chmod 600" in store.health(NOW)[0].text


def test_a_damaged_file_is_told(store: SqliteStore, tmp_path: Path) -> None:
    for number in range(200):
        put(store, person(f"u{number}"))
    store.close()
    with file_of(tmp_path).open("r+b") as file:
        file.seek(-4096 * 20, 2)
        file.write(b"\xff" * 4096)
    found = store.health(NOW)
    assert [each.severity for each in found] == ["error"]
    assert "damaged" in found[0].text
