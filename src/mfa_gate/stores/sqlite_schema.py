"""Decides what the tables of an SQLite store are, and whether a file is a store that this version can use.

A store is made once, by `SqliteStore.create`, and by nothing else: an empty store would know nobody's factors.
"""

import os
import sqlite3
from pathlib import Path

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.stores.sqlite_connection import Connections

_FIRST = (
    # `oldest_reader`: the oldest schema version whose code may go on using the file after this step, so that a
    # step which only adds something does not stop the workers that are still of the version before.
    "CREATE TABLE schema_step (version INTEGER PRIMARY KEY, oldest_reader INTEGER NOT NULL)",
    """CREATE TABLE store (
        one INTEGER PRIMARY KEY CHECK (one = 1), store_id TEXT NOT NULL, proof BLOB NOT NULL, ledger BLOB NOT NULL)""",
    "CREATE TABLE policy (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, sealed BLOB NOT NULL)",
    "CREATE TABLE register (account TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE account (
        id TEXT PRIMARY KEY, version INTEGER NOT NULL, sealed BLOB NOT NULL,
        name_key TEXT NOT NULL, email_key TEXT NOT NULL, subject_key TEXT NOT NULL,
        has_factor INTEGER NOT NULL, paused_until INTEGER NOT NULL, active INTEGER NOT NULL,
        first_seen_at INTEGER NOT NULL, last_verified_at INTEGER NOT NULL, groups TEXT NOT NULL)""",
    # The last three columns spare a filtered search the way to the rows.
    "CREATE INDEX account_by_name ON account (name_key, id, active, has_factor, paused_until)",
    "CREATE INDEX account_by_email ON account (email_key, name_key, id, active, has_factor, paused_until)",
    "CREATE INDEX account_by_subject ON account (subject_key, name_key, id, active, has_factor, paused_until)",
    "CREATE INDEX account_by_state ON account (active, has_factor, name_key, id, paused_until)",
    "CREATE INDEX account_by_pause ON account (paused_until) WHERE paused_until > 0",
    """CREATE TABLE live (
        account TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, expires_at INTEGER NOT NULL,
        sealed BLOB NOT NULL, PRIMARY KEY (account, kind, key)) WITHOUT ROWID""",
    "CREATE INDEX live_by_expiry ON live (expires_at)",
    """CREATE TABLE audit (
        position INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
        record TEXT NOT NULL, link BLOB NOT NULL)""",
    "CREATE INDEX audit_by_account ON audit (account, position)",
    "CREATE INDEX audit_by_kind ON audit (kind, position)",
    "CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL)",
    """CREATE TABLE traffic (
        route TEXT NOT NULL, credential TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (route, credential))
        WITHOUT ROWID""",
)

_LEASES = (
    """CREATE TABLE lease (
        name TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL, token INTEGER NOT NULL) WITHOUT ROWID""",
)

_CHECKPOINTS = (
    """CREATE TABLE checkpoint (
        number INTEGER PRIMARY KEY, body BLOB NOT NULL, key TEXT NOT NULL, signature BLOB NOT NULL)""",
)

_OUTBOX = (
    """CREATE TABLE run (
        id TEXT PRIMARY KEY, version INTEGER NOT NULL, made_at INTEGER NOT NULL, open INTEGER NOT NULL,
        sealed BLOB NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE result (
        number INTEGER PRIMARY KEY, run TEXT NOT NULL, outcome TEXT NOT NULL, account TEXT NOT NULL,
        why TEXT NOT NULL)""",
    "CREATE INDEX result_by_run ON result (run, outcome, number)",
)

_JOBS = ("CREATE TABLE job (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID",)

# `stands`, `until`, `seen_at` and `made_at` are those of an `IndexRow`; '' until `sqlite_index.place_all` was there.
# `member` holds each group of an account and whether it was never seen, `tally` the sizes of all lists ('': everybody).
_LISTS = (
    *(f"DROP INDEX account_by_{key}" for key in ("name", "email", "subject", "state", "pause")),
    *(
        f"ALTER TABLE account DROP COLUMN {column}"
        for column in ("has_factor", "paused_until", "active", "first_seen_at", "groups")
    ),
    "ALTER TABLE account ADD COLUMN stands TEXT NOT NULL DEFAULT ''",
    *(
        f"ALTER TABLE account ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0"
        for column in ("until", "seen_at", "made_at", "email_shared", "subject_shared")
    ),
    # What follows the place of somebody in a list spares a filtered search the way to the rows.
    """CREATE INDEX account_by_name ON account
        (stands, name_key, id, until, seen_at, made_at, last_verified_at, email_key, subject_key)""",
    """CREATE INDEX account_by_time ON account
        (stands, last_verified_at, name_key, id, until, seen_at, made_at, email_key, subject_key)""",
    """CREATE INDEX account_by_email ON account
        (stands, email_key, email_shared, name_key, id, until, seen_at, made_at, last_verified_at)""",
    """CREATE INDEX account_by_subject ON account
        (stands, subject_key, subject_shared, name_key, id, until, seen_at, made_at, last_verified_at)""",
    "CREATE INDEX account_by_end ON account (stands, until, seen_at, made_at) WHERE until > 0",
    """CREATE TABLE member (
        scope TEXT NOT NULL, stands TEXT NOT NULL, name_key TEXT NOT NULL, id TEXT NOT NULL,
        until INTEGER NOT NULL, seen_at INTEGER NOT NULL, made_at INTEGER NOT NULL, last_verified_at INTEGER NOT NULL,
        PRIMARY KEY (scope, stands, name_key, id)) WITHOUT ROWID""",
    "CREATE INDEX member_by_time ON member (scope, stands, last_verified_at, name_key, id, until, seen_at, made_at)",
    "CREATE INDEX member_by_account ON member (id, scope)",
    "CREATE INDEX member_by_end ON member (scope, stands, until, seen_at, made_at) WHERE until > 0",
    *(
        f"CREATE INDEX {table}_by_{own} ON {table} ({scope}stands, {own}_at) WHERE {own}_at > 0"
        for table, scope in (("account", ""), ("member", "scope, "))
        for own in ("seen", "made")
    ),
    """CREATE TABLE tally (
        scope TEXT NOT NULL, stands TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (scope, stands))
        WITHOUT ROWID""",
)

_NOTICES = (
    "CREATE TABLE notices (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, sealed BLOB NOT NULL)",
)

_ROSTER = (
    "CREATE TABLE import (id TEXT PRIMARY KEY, begun_at INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE staged (
        import TEXT NOT NULL, account TEXT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (import, account))
        WITHOUT ROWID""",
)

_POLICIES = (
    "CREATE TABLE policy_version (version INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
    "INSERT INTO policy_version SELECT version, sealed FROM policy",
)

_SNAPSHOTS = (
    "CREATE TABLE snapshot (day INTEGER PRIMARY KEY, body BLOB NOT NULL, key TEXT NOT NULL, signature BLOB NOT NULL)",
)

_RETENTION = (
    "CREATE TABLE base (account TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE removed (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL)",
)

STEPS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, _FIRST),
    (1, _LEASES),
    (1, _CHECKPOINTS),
    (1, _OUTBOX),
    (1, _JOBS),
    (6, _LISTS),
    (6, _NOTICES),
    (6, _ROSTER),
    (6, _POLICIES),
    (6, _SNAPSHOTS),
    (6, _RETENTION),
)
"""(oldest reader, statements) of each step; the n-th leads from schema version n - 1 to n."""


def make_file(path: Path) -> None:
    """Make an empty file that only its owner can read, or refuse if there is one."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise StoreUnavailable(
            f"The store {path} exists already and is not overwritten; to forget everybody and begin anew, move it away."
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"The store {path} cannot be made: {error}.") from error


def take_away(path: Path) -> None:
    """Remove what `make_file` began and nobody could finish."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)


def bring_up_to_date(connections: Connections) -> None:
    """Bring an existing store to this version's schema."""
    with connections.reading() as db:
        steps = _version(db)
    if steps < len(STEPS):
        with connections.writing() as db:
            upgrade(db)


def upgrade(db: sqlite3.Connection) -> None:
    """Run the steps that the file has not seen, inside the caller's transaction."""
    for version in range(_version(db) + 1, len(STEPS) + 1):
        oldest_reader, statements = STEPS[version - 1]
        for statement in statements:
            db.execute(statement)
        db.execute("INSERT INTO schema_step VALUES (?, ?)", (version, oldest_reader))


def identify(db: sqlite3.Connection) -> str:
    """The store id in this file. Raises `StoreUnavailable` if it is no store, or one for newer code."""
    _refuse_stranger(db)
    row = db.execute("SELECT store_id FROM store").fetchone()
    if row is None:
        raise StoreUnavailable("The store has lost its own id; restore it from a backup.")
    return str(row[0])


def _refuse_stranger(db: sqlite3.Connection) -> None:
    if not _version(db):
        raise StoreUnavailable(
            f"The store {_file(db)} is empty or was made by something else; restore it from a backup, correct "
            "[store] url, or remove the file and run `mfa-gate init`, which forgets everybody."
        )
    (needed,) = db.execute("SELECT oldest_reader FROM schema_step ORDER BY version DESC LIMIT 1").fetchone()
    if needed > len(STEPS):
        raise StoreUnavailable(
            f"The store {_file(db)} was written by a newer mfa_gate (it wants schema {needed}, this version has "
            f"{len(STEPS)}); install that version again."
        )


def _version(db: sqlite3.Connection) -> int:
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_step'").fetchone() is None:
        return 0
    return int(db.execute("SELECT COALESCE(MAX(version), 0) FROM schema_step").fetchone()[0])


def _file(db: sqlite3.Connection) -> str:
    return str(db.execute("PRAGMA database_list").fetchone()[2])
