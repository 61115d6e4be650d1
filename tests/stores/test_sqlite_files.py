"""How an SQLite store is made and opened, and what opening refuses."""

import gc
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.core.events import SYSTEM, Actor
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.ports import Store
from mfa_gate.stores import sqlite_schema as schema
from mfa_gate.stores.documents import EVERYTHING
from mfa_gate.stores.sqlite import SqliteStore
from mfa_gate.stores.sqlite_commits import CHANGES_KEPT
from mfa_gate.stores.sqlite_connection import Connections
from tests.stores.contract import NOW, event, person, put, session
from tests.stores.directory_contract import exempt_until
from tests.stores.files import AUDIT_KEY, KEYS, STORE_ID, file_of, make, reopen, sealer


def run(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute(statement)


# Making


def test_it_offers_what_the_port_asks_for(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as made:
        store: Store = made
        assert store.store_id == STORE_ID


def test_only_the_owner_may_read_any_of_its_files(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as store:
        put(store, person("alice"))
        files = sorted(tmp_path.iterdir())
        assert [file.name for file in files] == ["gate.db", "gate.db-shm", "gate.db-wal", "gate.db.lock"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_making_says_who_made_it_and_when(tmp_path: Path) -> None:
    maker = Actor(subject="root", surface="shell")
    store = SqliteStore.create(
        file_of(tmp_path), sealer=sealer(), audit_key=AUDIT_KEY, store_id=STORE_ID, now=NOW, actor=maker
    )
    (made,) = store.events(account_id=None, kind="store_created", before=None, limit=9)
    assert (made.event.actor, made.event.at, made.event.details) == (maker, NOW, {"store": STORE_ID})
    assert (store.policy().changed_by, store.policy().changed_at) == ("root (shell)", NOW)
    store.close()


@pytest.mark.parametrize("content", [b"", b"something"])
def test_making_overwrites_nothing(tmp_path: Path, content: bytes) -> None:
    file_of(tmp_path).write_bytes(content)
    with pytest.raises(StoreUnavailable, match="exists already"):
        make(tmp_path)
    assert file_of(tmp_path).read_bytes() == content


def test_making_where_nothing_can_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        make(tmp_path / "missing")


def test_making_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        make(tmp_path, store_id="\ud800")
    assert not file_of(tmp_path).exists()
    make(tmp_path).close()


# Opening


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"gate\.db is not there; restore it .* `mfa-gate init`"):
        reopen(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"gate\.db is empty or was made by something else"),
        (b"not a database, but long enough to look at" * 99, "no database of the gate"),
    ],
)
def test_a_file_that_is_no_store_is_refused_and_left(tmp_path: Path, content: bytes, sentence: str) -> None:
    file_of(tmp_path).write_bytes(content)
    with pytest.raises(StoreUnavailable, match=sentence):
        reopen(tmp_path)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    file_of(tmp_path).mkdir()
    with pytest.raises(StoreUnavailable):
        reopen(tmp_path)


def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    run(file_of(tmp_path), "CREATE TABLE account (id TEXT)")
    with pytest.raises(StoreUnavailable, match="made by something else"):
        reopen(tmp_path)


def test_what_a_killed_init_leaves_is_refused(tmp_path: Path) -> None:
    run(file_of(tmp_path), "PRAGMA journal_mode = WAL")
    with pytest.raises(StoreUnavailable, match="remove the file and run `mfa-gate init`"):
        reopen(tmp_path)


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "#1.db", "ünï.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    made = SqliteStore.create(
        tmp_path / name, sealer=sealer(), audit_key=AUDIT_KEY, store_id=STORE_ID, now=NOW
    )
    alice = put(made, person("alice"))
    made.close()
    with closing(SqliteStore.open(tmp_path / name, sealer=sealer(), audit_key=AUDIT_KEY)) as again:
        assert again.account(alice.id) == alice


def test_a_store_with_another_id_is_refused(tmp_path: Path) -> None:
    make(tmp_path).close()
    with pytest.raises(StoreUnavailable, match="store-1, not store-2"):
        SqliteStore.open(file_of(tmp_path), sealer=sealer(), audit_key=AUDIT_KEY, store_id="store-2")


def test_a_store_that_lost_its_id_is_refused(tmp_path: Path) -> None:
    make(tmp_path).close()
    run(file_of(tmp_path), "DELETE FROM store")
    with pytest.raises(StoreUnavailable, match="lost its own id"):
        reopen(tmp_path)


# Keys


@pytest.mark.parametrize(
    ("keys", "audit_key"),
    [({"2026-01": b"x" * 32}, AUDIT_KEY), ({"other": b"k" * 32}, AUDIT_KEY), (KEYS, b"x" * 32)],
)
def test_j16_wrong_keys_do_not_open_a_store(tmp_path: Path, keys: dict[str, bytes], audit_key: bytes) -> None:
    make(tmp_path).close()
    with pytest.raises(StoreUnavailable, match=r"\[keys\] file"):
        SqliteStore.open(file_of(tmp_path), sealer=sealer(keys, next(iter(keys))), audit_key=audit_key)


def test_j15_a_new_key_writes_while_the_old_one_is_readable(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as store:
        alice, bob = (
            put(store, person("alice"), open_session=session(person("alice"), "k1")),
            put(store, person("bob")),
        )
        both = KEYS | {"2026-02": b"n" * 32}
        with closing(
            SqliteStore.open(file_of(tmp_path), sealer=sealer(both, "2026-02"), audit_key=AUDIT_KEY)
        ) as rotated:
            assert rotated.facts(alice.id, "k1", NOW).session
            alice = put(rotated, alice)
            assert rotated.account(bob.id) == bob
            assert rotated.broken_chain() is None
        with pytest.raises(RecordCorrupt, match="no key of ours"):
            store.account(alice.id)  # a process that has not read the new key yet refuses
        assert store.account(bob.id) == bob


# Schema


def test_a_step_that_older_code_can_live_with_is_lived_with(tmp_path: Path) -> None:
    make(tmp_path).close()
    run(file_of(tmp_path), f"INSERT INTO schema_step VALUES ({len(schema.STEPS) + 1}, {len(schema.STEPS)})")
    reopen(tmp_path).close()


def test_j17_a_newer_schema_is_refused_also_while_running(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.close()
    run(
        file_of(tmp_path),
        f"INSERT INTO schema_step VALUES ({len(schema.STEPS) + 1}, {len(schema.STEPS) + 1})",
    )
    with pytest.raises(StoreUnavailable, match=r"newer mfa_gate .* install that version"):
        reopen(tmp_path)
    with pytest.raises(StoreUnavailable, match="newer mfa_gate"):
        store.policy()


def test_an_older_schema_is_brought_up_to_date_once_and_keeps_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(make(tmp_path)) as store:
        alice = put(store, person("alice"))
        monkeypatch.setattr(
            schema, "STEPS", (*schema.STEPS, (6, ("CREATE TABLE later (x)", "INSERT INTO later VALUES (1)")))
        )
        for _ in range(2):
            with closing(reopen(tmp_path)) as newer:
                assert newer.account(alice.id) == alice
        assert store.account(alice.id) == alice  # opened before, and able to live with the step
    with closing(sqlite3.connect(file_of(tmp_path))) as db:
        assert db.execute("SELECT * FROM later").fetchall() == [(1,)]
        steps = db.execute("SELECT * FROM schema_step").fetchall()
        assert steps == [(version, oldest) for version, (oldest, _) in enumerate(schema.STEPS, start=1)]


_BEFORE_LISTS = (
    *(f"DROP INDEX account_by_{key}" for key in ("name", "time", "email", "subject", "end")),
    *(f"DROP INDEX account_by_{key}" for key in ("seen", "made")),
    *(f"DROP TABLE {table}" for table in ("member", "tally", "base", "removed")),
    *(
        f"ALTER TABLE account DROP COLUMN {column}"
        for column in ("stands", "until", "seen_at", "made_at", "email_shared", "subject_shared")
    ),
    *(
        f"ALTER TABLE account ADD COLUMN {column} NOT NULL DEFAULT 0"
        for column in ("has_factor", "paused_until", "active", "first_seen_at", "groups")
    ),
    *(
        f"CREATE INDEX account_by_{key} ON account (active)"
        for key in ("name", "email", "subject", "state", "pause")
    ),
    *(f"DROP TABLE {table}" for table in ("notices", "import", "staged", "policy_version", "snapshot")),
    "DELETE FROM schema_step WHERE version >= 6",
)


def test_j17_a_store_from_before_the_lists_is_put_into_them(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as store:
        alice = put(store, person("alice", groups=("nurses",), last_verified_at=7))
        bob = put(store, person("bob", exemption=exempt_until(NOW + 9), groups=("nurses",)))
        broken = put(store, person("carol"))
    for statement in _BEFORE_LISTS:
        run(file_of(tmp_path), statement)
    run(file_of(tmp_path), f"UPDATE account SET sealed = x'00' WHERE id = '{broken.id}'")
    for _ in range(2):
        with closing(reopen(tmp_path)) as newer:
            found = newer.people(Filter(group="nurses"), sort="-last_verified", limit=9, now=NOW).rows
            assert [row.account for row in found] == [alice, bob]
            counts = newer.counts(EVERYBODY, NOW) or {}
            assert (counts["missing"], counts["exempt"], sum(counts.values())) == (1, 1, 2)
            assert newer.account(alice.id) == alice
            assert newer.policy_versions(None, 9) == (newer.policy(),)
            with pytest.raises(RecordCorrupt):
                newer.account(broken.id)


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path).close()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", (*schema.STEPS, (2, ("CREATE TABLE later (x)", "no such statement"))))
        with pytest.raises(StoreUnavailable):
            reopen(tmp_path)
    with closing(reopen(tmp_path)) as store:
        assert put(store, person("alice")).version == 1
    with closing(sqlite3.connect(file_of(tmp_path))) as db:
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'later'").fetchall()


# Durability, and letting go


def test_every_connection_writes_through_to_the_disk(tmp_path: Path) -> None:
    make(tmp_path).close()
    run(file_of(tmp_path), "PRAGMA journal_mode = DELETE")
    with closing(Connections(file_of(tmp_path), lambda _: None)) as connections:
        for opened in (connections.reading, connections.writing):
            with opened() as db:
                assert db.execute("PRAGMA synchronous").fetchone() == (2,)
                assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_exception_in_a_transaction_undoes_it(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as store:
        alice = put(store, person("alice"))
        with pytest.raises(UnicodeEncodeError):
            store.commit_policy(replace(store.policy(), changed_by="\ud800"), (event("policy_changed"),), NOW)
        assert store.policy().version == 1
        assert put(store, alice).version == 2


def test_closing_leaves_one_file_that_holds_everything(tmp_path: Path) -> None:
    store = make(tmp_path)
    alice = put(store, person("alice"))
    store.close()
    store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gate.db", "gate.db.lock"]
    assert store.account(alice.id) == alice  # and is opened again by the next call
    del store
    gc.collect()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gate.db", "gate.db.lock"]


def test_a_process_that_ends_without_closing_leaves_no_warning(tmp_path: Path) -> None:
    make(tmp_path).close()
    code = (
        "import sys; from pathlib import Path; from tests.stores.files import reopen;"
        "store = reopen(Path(sys.argv[1])); store.policy()"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ended.stderr == ""
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gate.db", "gate.db.lock"]


def test_the_change_table_is_bounded_and_says_when_it_cannot_tell(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as store:
        alice = put(store, person("alice"))
        run(
            file_of(tmp_path),
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100) "
            "INSERT INTO change (account) SELECT 'x' FROM n",
        )
        put(store, alice)
        newest = store.last_change()
        assert newest == 10_102
        assert store.changes(0) == (newest, (EVERYTHING,))
        assert store.changes(newest - CHANGES_KEPT) == (newest, (EVERYTHING,))
        assert store.changes(newest - CHANGES_KEPT + 1) == (newest, ("x", alice.id))


def test_the_first_changes_are_named(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as store:
        assert store.changes(0) == (0, ())
        alice = put(store, person("alice"))
        assert store.changes(0) == (1, (alice.id,))


def test_made_by_the_gate_itself_unless_told(tmp_path: Path) -> None:
    with closing(make(tmp_path)) as store:
        assert store.events(account_id=None, kind=None, before=None, limit=1)[0].event.actor == SYSTEM
