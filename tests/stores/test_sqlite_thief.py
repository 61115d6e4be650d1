"""Somebody who can write the SQLite file, but has no key, can destroy what is in it and let nobody in.

Each test changes rows by hand, as with the `sqlite3` shell, and says what becomes of it: refused, or found by
`broken_chain`. The stated limits are tests, too.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.ports import Change
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores.contract import NOW, challenge, event, person, put, session, totp
from tests.stores.files import file_of, make, reopen

ALICE, BOB = person("alice").id, person("bob").id


class Rows:
    """The file, as somebody sees it who has no key."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def run(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self._file, isolation_level=None)) as db:
            return db.execute(statement, values).fetchall()

    def copy(self, table: str, account: str) -> list[tuple[object, ...]]:
        column = "id" if table == "account" else "account"
        return self.run(f"SELECT * FROM {table} WHERE {column} = ?", account)

    def put_back(self, table: str, rows: list[tuple[object, ...]]) -> None:
        for row in rows:
            self.run(f"REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", *row)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Alice is enrolled and signed in, Bob is not enrolled; the policy is on."""
    store = make(tmp_path)
    store.commit_policy(replace(store.policy(), require_two_step=True), (event("policy_changed"),), NOW)
    for subject in ("alice", "bob"):
        account = put(store, person(subject), open_session=session(person(subject), f"{subject}-1"))
        apps = (totp(),) if subject == "alice" else ()
        put(store, replace(account, totps=apps), open_session=session(account, f"{subject}-2"))
    yield store
    store.close()


@pytest.fixture
def rows(store: SqliteStore, tmp_path: Path) -> Rows:
    return Rows(file_of(tmp_path))


def read(store: SqliteStore, account_id: str) -> Account:
    account = store.account(account_id)
    assert account
    return account


# Sessions and challenges


@pytest.mark.parametrize("sealed", [b"", b"junk", b"v1\x072026-01" + b"\0" * 60, "text", 7])
def test_a_forged_session_does_not_open(store: SqliteStore, rows: Rows, sealed: object) -> None:
    rows.run("REPLACE INTO live VALUES (?, 'session', 'alice-1', ?, ?)", ALICE, NOW + 9999, sealed)
    with pytest.raises(StoreUnavailable):
        store.facts(ALICE, "alice-1", NOW)
    rows.run("INSERT INTO live VALUES (?, 'session', 'mine', ?, ?)", ALICE, NOW + 9999, sealed)
    assert store.facts(ALICE, "mine", NOW).session is None


@pytest.mark.parametrize(("owner", "key"), [(ALICE, "alice-1"), (BOB, "bob-2"), (ALICE, "mine")])
def test_a_session_does_not_open_for_another_account_or_key(
    store: SqliteStore, rows: Rows, owner: str, key: str
) -> None:
    rows.run(
        "REPLACE INTO live SELECT ?, kind, ?, expires_at, sealed FROM live WHERE key = 'bob-1'", owner, key
    )
    try:
        assert store.facts(owner, key, NOW).session is None
    except RecordCorrupt:
        pass
    else:
        assert key == "mine"


def test_a_session_lives_no_longer_for_a_later_time_in_its_row(store: SqliteStore, rows: Rows) -> None:
    rows.run("UPDATE live SET expires_at = ?", NOW + 10**6)
    assert store.facts(ALICE, "alice-1", NOW + 3600).session is None
    store.touch(((ALICE, "alice-1"),), NOW + 3600)
    assert store.sessions(ALICE, NOW + 3600) == ()


def test_a_deleted_session_only_signs_out(store: SqliteStore, rows: Rows) -> None:
    rows.run("DELETE FROM live WHERE key = 'alice-1'")
    assert store.facts(ALICE, "alice-1", NOW).session is None
    assert [each.key for each in store.sessions(ALICE, NOW)] == ["alice-2"]
    assert put(store, read(store, ALICE)).version == 3


@pytest.mark.parametrize("how", ["signed out", "ended by a commit", "a new epoch", "cap"])
def test_a_session_that_has_ended_cannot_be_put_back(store: SqliteStore, rows: Rows, how: str) -> None:
    before = rows.copy("live", ALICE)
    alice = read(store, ALICE)
    if how == "signed out":
        store.end_session(session(alice, "alice-1"), (event("signed_out", alice),), NOW)
    elif how == "ended by a commit":
        put(store, alice, end_sessions=("alice-1",))
    elif how == "a new epoch":
        put(store, replace(alice, epoch=alice.epoch + 1))
    else:
        for number in range(50):
            alice = put(store, alice, open_session=session(alice, f"new-{number}"))
    rows.put_back("live", before)
    assert store.facts(ALICE, "alice-1", NOW).session is None
    assert "alice-1" not in [each.key for each in store.sessions(ALICE, NOW)]
    store.end_session(session(alice, "alice-1"), (event("signed_out", alice),), NOW)
    put(store, read(store, ALICE))
    assert store.facts(ALICE, "alice-1", NOW).session is None


def test_a_spent_challenge_cannot_be_put_back(store: SqliteStore, rows: Rows) -> None:
    bob = put(store, read(store, BOB), open_challenge=challenge(person("bob"), "c1"))
    before = rows.copy("live", BOB)
    bob = put(store, bob, spend="c1")
    rows.put_back("live", before)
    assert store.challenge("c1", BOB, NOW) is None
    with pytest.raises(StaleState):
        put(store, bob, spend="c1")


def test_a_forged_session_does_not_keep_others_from_being_touched(store: SqliteStore, rows: Rows) -> None:
    rows.run("UPDATE live SET sealed = x'00' WHERE key = 'bob-1'")
    store.touch(((BOB, "bob-1"), (ALICE, "alice-1")), NOW + 60)
    touched = store.facts(ALICE, "alice-1", NOW).session
    assert touched
    assert touched.touched_at == NOW + 60


# Accounts


def refused(store: SqliteStore, account_id: str) -> None:
    """Whoever asks for this account is refused, and cannot enroll as somebody new."""
    with pytest.raises(RecordCorrupt):
        store.account(account_id)
    with pytest.raises(RecordCorrupt):
        store.facts(account_id, "alice-1", NOW)
    with pytest.raises(RecordCorrupt):
        store.commit(Change(account=person("alice")), NOW)


TAMPERINGS: dict[str, Callable[[Rows], object]] = {
    "another's document": lambda rows: rows.run(
        "UPDATE account SET sealed = (SELECT sealed FROM account WHERE id = ?) WHERE id = ?", BOB, ALICE
    ),
    "documents exchanged": lambda rows: rows.run(
        "UPDATE account SET sealed = (SELECT sealed FROM account AS other WHERE other.id <> account.id)"
    ),
    "document deleted": lambda rows: rows.run("DELETE FROM account WHERE id = ?", ALICE),
    "document emptied": lambda rows: rows.run("UPDATE account SET sealed = x'' WHERE id = ?", ALICE),
    "document of another type": lambda rows: rows.run(
        "UPDATE account SET sealed = 'none' WHERE id = ?", ALICE
    ),
    "version raised": lambda rows: rows.run("UPDATE account SET version = version + 1 WHERE id = ?", ALICE),
    "version of nobody": lambda rows: rows.run("UPDATE account SET version = 0 WHERE id = ?", ALICE),
    "register deleted": lambda rows: rows.run("DELETE FROM register WHERE account = ?", ALICE),
    "another's register": lambda rows: rows.run(
        "UPDATE register SET sealed = (SELECT sealed FROM register WHERE account = ?) WHERE account = ?",
        BOB,
        ALICE,
    ),
    "document and register deleted": lambda rows: (
        rows.run("DELETE FROM account WHERE id = ?", ALICE),
        rows.run("DELETE FROM register WHERE account = ?", ALICE),
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_j16_a_tampered_account_is_refused_never_unenrolled(
    store: SqliteStore, rows: Rows, name: str
) -> None:
    TAMPERINGS[name](rows)
    refused(store, ALICE)


@pytest.mark.parametrize("version", ["its own", "the newest"])
def test_an_older_document_is_refused(store: SqliteStore, rows: Rows, version: str) -> None:
    older = rows.copy("account", ALICE)
    put(store, read(store, ALICE))
    rows.put_back("account", older)
    if version == "the newest":
        rows.run("UPDATE account SET version = version + 1 WHERE id = ?", ALICE)
    refused(store, ALICE)


def test_one_tampered_account_hinders_nobody_else(store: SqliteStore, rows: Rows) -> None:
    rows.run("UPDATE account SET sealed = x'00' WHERE id = ?", ALICE)
    assert store.facts(BOB, "bob-1", NOW).session
    assert put(store, read(store, BOB)).version == 3


def test_limit_an_older_document_with_its_register_is_believed_until_the_chain_is_recomputed(
    store: SqliteStore, rows: Rows
) -> None:
    older = [(table, rows.copy(table, ALICE)) for table in ("account", "register")]
    put(store, read(store, ALICE))
    for table, copied in older:
        rows.put_back(table, copied)
    assert read(store, ALICE).version == 2
    assert "older copy" in (store.broken_chain() or "")


def test_limit_an_account_without_any_trace_is_new_until_the_chain_is_recomputed(
    store: SqliteStore, rows: Rows
) -> None:
    rows.run("DELETE FROM account WHERE id = ?", ALICE)
    for table in ("register", "audit"):
        rows.run(f"DELETE FROM {table} WHERE account = ?", ALICE)
    assert store.account(ALICE) is None
    assert "whole chains were removed" in (store.broken_chain() or "")


def test_the_index_decides_nothing_but_where_somebody_is_looked_for(store: SqliteStore, rows: Rows) -> None:
    rows.run("UPDATE account SET stands = 'enrolled', until = 0, name_key = 'zzz'")
    assert store.account(BOB) == replace(person("bob"), version=2)
    found = store.people(Filter(statuses=("enrolled",)), limit=1, now=NOW)
    assert [row.account.subject for row in found.rows] == ["alice"]
    everybody = store.people(EVERYBODY, limit=9, now=NOW)
    assert {row.account.subject: row.status for row in everybody.rows} == {
        "alice": "enrolled",
        "bob": "missing",
    }


# Policy


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM policy",
        "UPDATE policy SET version = version + 1",
        "UPDATE policy SET sealed = (SELECT sealed FROM account LIMIT 1)",
        "DELETE FROM register WHERE account = 'org'",
    ],
)
def test_a_tampered_policy_is_refused(store: SqliteStore, rows: Rows, statement: str) -> None:
    rows.run(statement)
    with pytest.raises(RecordCorrupt):
        store.policy()


def test_an_older_policy_is_refused(store: SqliteStore, rows: Rows) -> None:
    older = rows.run("SELECT * FROM policy")
    store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
    rows.put_back("policy", older)
    with pytest.raises(RecordCorrupt):
        store.policy()


def test_limit_an_older_policy_with_its_register_is_believed_until_the_chain_is_recomputed(
    store: SqliteStore, rows: Rows
) -> None:
    policy, register = rows.run("SELECT * FROM policy"), rows.copy("register", ORG)
    store.commit_policy(replace(store.policy(), require_two_step=False), (event("policy_changed"),), NOW)
    rows.put_back("policy", policy)
    rows.put_back("register", register)
    assert store.policy().require_two_step
    assert "organization" in (store.broken_chain() or "")


def test_no_fact_is_told_without_the_policy_version(store: SqliteStore, rows: Rows) -> None:
    rows.run("DELETE FROM register WHERE account = 'org'")
    with pytest.raises(RecordCorrupt):
        store.facts(ALICE, "alice-1", NOW)


def test_nobody_can_claim_that_a_job_was_done(store: SqliteStore, rows: Rows) -> None:
    """Else they could keep everybody from comparing what is stored with the trail."""
    store.note_run("checkpoints", NOW)
    ((older,),) = rows.run("SELECT sealed FROM job")
    store.note_run("checkpoints", NOW + 60)
    for name, value in (
        ("checkpoints", older),
        ("examination", older),
        ("expiry", 9_999_999_999),
        ("repair", b""),
    ):
        rows.run("REPLACE INTO job VALUES (?, ?)", name, value)
    assert store.last_runs() == {"checkpoints": NOW}


# The trail (J19)

# Positions: 1 store_created, 2 policy_changed (organization); 3 and 4 alice; 5 and 6 bob.
BREAKS: dict[str, tuple[list[str], str]] = {
    "edited": (
        ["UPDATE audit SET record = replace(record, 'alice', 'mallo') WHERE position = 3"],
        "position 3: it was edited",
    ),
    "edited by a space": (
        ["UPDATE audit SET record = record || ' ' WHERE position = 4"],
        "position 4: it was edited",
    ),
    "link edited": (["UPDATE audit SET link = x'00' WHERE position = 3"], "position 3: it was edited"),
    "removed": (["DELETE FROM audit WHERE position = 3"], "position 4: an event before it was removed"),
    "inserted": (
        [
            "UPDATE audit SET position = position + 1000 WHERE position > 3",
            "INSERT INTO audit SELECT 500, account, kind, at, record, link FROM audit WHERE position = 3",
        ],
        "position 500: it, or one before it, was inserted",
    ),
    "reordered": (
        [
            "UPDATE audit SET position = -1 WHERE position = 3",
            "UPDATE audit SET position = 3 WHERE position = 4",
            "UPDATE audit SET position = 4 WHERE position = -1",
        ],
        "position 3: it was edited, moved or exchanged",
    ),
    "end cut off": (["DELETE FROM audit WHERE position = 4"], "ends after 1 events where 2 were written"),
    "begin cut off": (["DELETE FROM audit WHERE position = 1"], "position 2: an event before it was removed"),
    "emptied": (["DELETE FROM audit WHERE account = 'org'"], "ends after 0 events where 2 were written"),
    "last account emptied": (
        ["DELETE FROM audit WHERE position > 4"],
        "ends after 0 events where 2 were written",
    ),
    "moved to another account": (
        [f"UPDATE audit SET account = '{BOB}' WHERE position = 4"],
        "breaks at position 4: it, or one before it, was inserted",
    ),
    "moved to nobody": (["UPDATE audit SET account = 'nobody' WHERE position = 6"], "ends after 1 events"),
    "moved to nobody, who comes first": (
        ["UPDATE audit SET account = '' WHERE position = 6"],
        "has events but no chain head",
    ),
    "appended": (
        ["INSERT INTO audit SELECT 7, account, kind, at, record, link FROM audit WHERE position = 2"],
        "position 7: it, or one before it, was inserted",
    ),
    "chain exchanged for another's": (
        [
            f"UPDATE audit SET account = 'x' WHERE account = '{ALICE}'",
            f"UPDATE audit SET account = '{ALICE}' WHERE account = '{BOB}'",
            f"UPDATE audit SET account = '{BOB}' WHERE account = 'x'",
        ],
        "it is the chain of somebody else",
    ),
    "head removed": (["DELETE FROM register WHERE account = 'org'"], "has events but no chain head"),
    "head forged": ([f"UPDATE register SET sealed = x'00' WHERE account = '{BOB}'"], "no sealed record"),
    "chain removed with its head": (
        [f"DELETE FROM {table} WHERE account = '{BOB}'" for table in ("audit", "register")],
        "whole chains were removed",
    ),
    "ledger forged": (["UPDATE store SET ledger = x'00'"], "no sealed record"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_j19_a_tampered_trail_is_found_and_named(store: SqliteStore, rows: Rows, name: str) -> None:
    assert store.broken_chain() is None
    statements, sentence = BREAKS[name]
    for statement in statements:
        rows.run(statement)
    assert sentence in (store.broken_chain() or "")


def test_an_older_ledger_is_found(store: SqliteStore, rows: Rows) -> None:
    older = rows.run("SELECT * FROM store")
    put(store, read(store, BOB))
    rows.put_back("store", older)
    assert "whole chains" in (store.broken_chain() or "")


def test_d_no_audit_no_act(store: SqliteStore, rows: Rows) -> None:
    """Where the trail cannot be continued, nothing is written."""
    rows.run("UPDATE store SET ledger = x'00'")
    with pytest.raises(StoreUnavailable):
        put(store, read(store, ALICE))
    assert read(store, ALICE).version == 2
    rows.run("DROP TABLE audit")
    with pytest.raises(StoreUnavailable):
        put(store, read(store, BOB))


# The whole file


def test_another_store_id_makes_nothing_open(store: SqliteStore, rows: Rows, tmp_path: Path) -> None:
    rows.run("UPDATE store SET store_id = 'store-2'")
    with pytest.raises(StoreUnavailable, match="store-2, not store-1"):
        reopen(tmp_path)


def test_rows_of_another_store_do_not_open(store: SqliteStore, rows: Rows, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with closing(make(other, store_id="store-2")) as another:
        put(another, person("alice"))
    for table in ("account", "register"):
        rows.put_back(table, Rows(file_of(other)).copy(table, ALICE))
    refused(store, ALICE)
