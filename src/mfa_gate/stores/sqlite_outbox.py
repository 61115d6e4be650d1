"""Decides how runs of reminders and their results lie in an SQLite store; it begins and ends no transaction."""

import sqlite3

from msgspec.structs import replace

from mfa_gate.core.errors import StaleState
from mfa_gate.core.reminders import Outcome, ReminderRun, Result
from mfa_gate.stores.documents import Documents


def runs(db: sqlite3.Connection, documents: Documents, *, open_only: bool) -> tuple[ReminderRun, ...]:
    """Those that still have something to do, or all; oldest first."""
    rows = db.execute(
        "SELECT id, version, sealed FROM run WHERE open OR NOT ? ORDER BY made_at, id", (open_only,)
    )
    return tuple(documents.run(run_id, version, sealed) for run_id, version, sealed in rows.fetchall())


def run(db: sqlite3.Connection, documents: Documents, run_id: str) -> ReminderRun | None:
    """The run of this id."""
    row = db.execute("SELECT version, sealed FROM run WHERE id = ?", (run_id,)).fetchone()
    return None if row is None else documents.run(run_id, row[0], row[1])


def save(
    db: sqlite3.Connection, documents: Documents, changed: ReminderRun, results: tuple[Result, ...]
) -> ReminderRun:
    """Write a run and add results. Raises `StaleState`."""
    stored = run(db, documents, changed.id)
    found = 0 if stored is None else stored.version
    if found != changed.version:
        raise StaleState(f"The run {changed.id} has version {found}, not {changed.version}.")
    written = replace(changed, version=changed.version + 1)
    db.execute(
        "REPLACE INTO run VALUES (?, ?, ?, ?, ?)",
        (written.id, written.version, written.made_at, written.is_open, documents.seal_run(written)),
    )
    db.executemany(
        "INSERT INTO result (run, outcome, account, why) VALUES (?, ?, ?, ?)",
        [(written.id, each.outcome, each.account_id, each.why) for each in results],
    )
    return written


def results(
    db: sqlite3.Connection, run_id: str, outcome: Outcome, after: int, limit: int
) -> tuple[Result, ...]:
    """The results of one outcome, but for the first `after`."""
    rows = db.execute(
        "SELECT account, why FROM result WHERE run = ? AND outcome = ? ORDER BY number LIMIT ? OFFSET ?",
        (run_id, outcome, limit, after),
    ).fetchall()
    return tuple(Result(account_id=str(account), outcome=outcome, why=str(why)) for account, why in rows)


def drop(db: sqlite3.Connection, run_id: str) -> None:
    """Forget a run and its results."""
    db.execute("DELETE FROM run WHERE id = ?", (run_id,))
    db.execute("DELETE FROM result WHERE run = ?", (run_id,))
