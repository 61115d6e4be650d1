"""The embedded store: one SQLite file on a local disk, for all processes of one machine.

It decides when a transaction begins and ends; what is written in it stands in the modules beside it.
"""

import sqlite3
from pathlib import Path

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event
from mfa_gate.core.listing import Filter, Place, Sort
from mfa_gate.core.policy import Policy, Status
from mfa_gate.core.reminders import Outcome, ReminderRun, Result
from mfa_gate.core.sessions import Challenge, Session
from mfa_gate.ports import (
    Change,
    Concern,
    Facts,
    Feed,
    Groups,
    Lease,
    Notices,
    Page,
    Recorded,
    Retention,
    Roster,
    Seals,
    Snapshots,
    Stream,
)
from mfa_gate.stores import sqlite_backup as backup
from mfa_gate.stores import sqlite_directory as directory
from mfa_gate.stores import sqlite_health as health
from mfa_gate.stores import sqlite_index as index
from mfa_gate.stores import sqlite_leases as leases
from mfa_gate.stores import sqlite_outbox as outbox
from mfa_gate.stores import sqlite_schema as schema
from mfa_gate.stores import sqlite_trail as trail
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import EVERYTHING, Documents
from mfa_gate.stores.registers import Register
from mfa_gate.stores.retention import archived_before
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite_commits import Kind, Transaction
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.stores.sqlite_feed import SqliteFeed
from mfa_gate.stores.sqlite_notices import SqliteNotices
from mfa_gate.stores.sqlite_retention import SqliteRetention
from mfa_gate.stores.sqlite_roster import SqliteRoster
from mfa_gate.stores.sqlite_seals import SqliteSeals
from mfa_gate.stores.sqlite_snapshots import SqliteSnapshots
from mfa_gate.stores.sqlite_stream import SqliteStream

_VISITOR = """
    SELECT org.sealed, account.version, account.sealed, register.sealed, live.sealed,
        account.id IS NULL AND register.account IS NULL
            AND (EXISTS (SELECT 1 FROM audit WHERE audit.account = :account)
                OR EXISTS (SELECT 1 FROM base WHERE base.account = :account))
    FROM (SELECT 1)
    LEFT JOIN register AS org ON org.account = :org
    LEFT JOIN account ON account.id = :account
    LEFT JOIN register ON register.account = :account
    LEFT JOIN live ON live.account = :account AND live.kind = 'session' AND live.key = :key"""
_POLICY = (
    "SELECT policy.version, policy.sealed, register.sealed FROM (SELECT 1) "
    "LEFT JOIN policy LEFT JOIN register ON register.account = ?"
)
_LIVE = (
    "SELECT live.key, live.sealed, register.sealed FROM live LEFT JOIN register USING (account) "
    "WHERE live.account = ? AND live.kind = ?"
)


class SqliteStore:
    """`ports.Store` in one SQLite file; may be used by any number of threads, and on both sides of a fork."""

    store_id: str

    def __init__(
        self, path: Path, *, sealer: Sealer, audit_key: AuditKeys | bytes, store_id: str | None
    ) -> None:
        """Use `create` or `open`."""
        self._path = path
        self._expected = store_id
        self._audit_keys = AuditKeys.of(audit_key)
        self._connections = Connections(path, self._refuse_another)
        schema.bring_up_to_date(self._connections)
        with self._connections.reading() as db:
            self._expected = self.store_id = schema.identify(db)
            (proof,) = db.execute("SELECT proof FROM store").fetchone()
        self._documents = Documents(sealer, self.store_id)
        self.stream: Stream = SqliteStream(self._connections, self._documents, self.store_id)
        self.seals: Seals = SqliteSeals(self._connections, self._documents, self._audit_keys)
        self.snapshots: Snapshots = SqliteSnapshots(self._connections)
        self.retention: Retention = SqliteRetention(self._connections, self._documents, self._audit_keys)
        self.notices: Notices = SqliteNotices(self._connections, self._documents)
        self._roster = SqliteRoster(self._connections, self._documents, self._audit_keys)
        self.roster: Roster = self._roster
        try:
            fits = self._documents.is_proof(proof, audit_key)
        except RecordCorrupt:
            fits = False
        if not fits:
            raise StoreUnavailable(
                f"The keys of [keys] file are not those that the store {path} was made with; put its own key file back."
            )
        index.place_all(self._connections, self._documents)

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        sealer: Sealer,
        audit_key: AuditKeys | bytes,
        store_id: str,
        now: int,
        actor: Actor = SYSTEM,
    ) -> "SqliteStore":
        """Make a new store and open it, as only `init` may. Raises `StoreUnavailable` if there is a file already."""
        schema.make_file(path)
        founding = Connections(path, lambda _: None)
        try:
            with founding.writing() as db:
                schema.upgrade(db)
                Transaction(db, Documents(sealer, store_id), AuditKeys.of(audit_key)).found(
                    store_id, now, actor
                )
            founding.close()
        except BaseException:
            schema.take_away(path)
            raise
        return cls.open(path, sealer=sealer, audit_key=audit_key, store_id=store_id)

    @classmethod
    def open(
        cls, path: Path, *, sealer: Sealer, audit_key: AuditKeys | bytes, store_id: str | None = None
    ) -> "SqliteStore":
        """Open a store that exists, with this id if one is given; else `StoreUnavailable` says how to cure it."""
        return cls(path, sealer=sealer, audit_key=audit_key, store_id=store_id)

    def back_up(self, target: Path) -> None:
        """Write what the store holds at this moment into a new file. The keys are not in it."""
        backup.back_up(self._connections, target)

    def close(self) -> None:
        """Release files and connections; the next call opens them again."""
        self._connections.close()

    def facts(
        self,
        account_id: str,
        session_key: str | None,
        now: int,
        *,
        to_change: bool = False,  # noqa: ARG002  # the port's
    ) -> Facts:
        """Account, session and policy version in one statement; an expired session is None."""
        with self._connections.reading() as db:
            read, organization = self._facts(db, account_id, session_key, now)
            account = self._roster.told(db, organization, account_id, read.account, now)
        return read if account is read.account else replace(read, account=account)

    def account(self, account_id: str) -> Account | None:
        """The account, or None if it was never stored."""
        with self._connections.reading() as db:
            return self._facts(db, account_id, None, 0)[0].account

    def recall(self, account_id: str) -> None:  # the port's
        """Nothing is remembered: to look into the file takes no round trip."""

    def policy(self) -> Policy:
        """The newest policy."""
        with self._connections.reading() as db:
            return self._policy(db)

    def policy_versions(self, before: int | None, limit: int) -> tuple[Policy, ...]:
        """The policy as it was, newest first, below version `before`."""
        with self._connections.reading() as db:
            rows = db.execute(
                "SELECT version, sealed FROM policy_version WHERE version < ? ORDER BY version DESC LIMIT ?",
                (2**62 if before is None else before, limit),
            ).fetchall()
        return tuple(self._documents.policy_version(version, sealed) for version, sealed in rows)

    def challenge(self, challenge_id: str, account_id: str, now: int) -> Challenge | None:
        """A live, unspent challenge of this account."""
        register, rows = self._live(account_id, "challenge")
        if challenge_id not in register.challenges or challenge_id not in rows:
            return None
        found = self._documents.challenge(account_id, challenge_id, rows[challenge_id])
        return found if now < found.expires_at else None

    def sessions(self, account_id: str, now: int) -> tuple[Session, ...]:
        """Live sessions of one account, newest first."""
        register, rows = self._live(account_id, "session")
        found = [
            self._documents.session(account_id, key, rows[key])
            for key in reversed(register.sessions)
            if key in rows
        ]
        return tuple(session for session in found if now < session.expires_at)

    def commit(self, change: Change, now: int) -> Account:
        """Write everything in `change` or nothing; returns the account as stored. Raises `StaleState`."""
        with self._connections.writing() as db:
            return self._transaction(db).commit(change, now)

    def end_session(self, session: Session, events: tuple[Event, ...], now: int) -> None:
        """End one session and record why; ending a dead one is no error (and records nothing)."""
        with self._connections.writing() as db:
            self._transaction(db).end_session(session, events, now)

    def touch(self, keys: tuple[tuple[str, str], ...], now: int) -> None:
        """Move the idle clock of (account_id, session_key) pairs forward, never back, in one batch."""
        with self._connections.writing() as db:
            self._transaction(db).touch(keys, now)

    def commit_policy(self, policy: Policy, events: tuple[Event, ...], now: int) -> Policy:  # noqa: ARG002  # the port's
        """Write `policy` as version + 1 with its events, or raise `StaleState`."""
        with self._connections.writing() as db:
            return self._transaction(db).commit_policy(policy, events)

    def repair(self) -> int:
        """Nothing: the policy's version stands in one place."""
        return 0

    def record(self, events: tuple[Event, ...], now: int) -> None:  # noqa: ARG002  # the port's
        """Append events that change no document, each to the chain it names, which must exist."""
        with self._connections.writing() as db:
            self._transaction(db).record(events)

    def people(
        self, who: Filter, *, sort: Sort = "name", after: Place | None = None, limit: int, now: int
    ) -> Page:
        """One page of the accounts that fit a filter."""
        with self._connections.reading() as db:
            db.execute("BEGIN")
            return directory.people(
                db, self._documents, self._policy(db), who, sort=sort, after=after, limit=limit, now=now
            )

    def counts(self, who: Filter, now: int) -> dict[Status, int] | None:
        """How many people of a filter's group have each status; None: not known without looking for them."""
        with self._connections.reading() as db:
            db.execute("BEGIN")
            return directory.counts(db, self._policy(db), who, now)

    def exempt(self, limit: int, now: int) -> tuple[Account, ...]:
        """Those whose exemption runs, the first to end first."""
        with self._connections.reading() as db:
            return directory.exempt(db, self._documents, self._policy(db), limit, now)

    def groups(self, limit: int) -> Groups:
        """Coverage of the groups that have the most people, at most `limit` of them."""
        with self._connections.reading() as db:
            return directory.groups(db, limit)

    def count_traffic(self, counts: dict[tuple[str, str], int], now: int) -> None:  # noqa: ARG002  # the port's
        """Add to the counters of (route prefix, kind of credential)."""
        with self._connections.writing() as db:
            self._transaction(db).count_traffic(counts)

    def traffic(self) -> dict[tuple[str, str], int]:
        """The counters."""
        with self._connections.reading() as db:
            rows = db.execute("SELECT route, credential, count FROM traffic").fetchall()
        return {(route, credential): count for route, credential, count in rows}

    def events(
        self, *, account_id: str | None, kind: str | None, before: int | None, limit: int, after: int = 0
    ) -> tuple[Recorded, ...]:
        """Newest first, below position `before` and above `after`."""
        with self._connections.reading() as db:
            return trail.events(db, account_id=account_id, kind=kind, before=before, after=after, limit=limit)

    def latest(self, kinds: tuple[str, ...], limit: int) -> tuple[Recorded, ...]:
        """The newest events of any of these kinds, newest first."""
        with self._connections.reading() as db:
            return trail.latest(db, kinds, limit)

    def position_at(self, at: int) -> int | None:
        """The position of the first event that was written at `at` or later."""
        with self._connections.reading() as db:
            return trail.position_at(db, at)

    def archived_before(self) -> int | None:
        """Until when what was written has left for the archive."""
        return archived_before(self.stream)

    def broken_chain(self) -> str | None:
        """Recompute every chain; None if whole, else a sentence that names the first break."""
        with self._connections.reading() as db:
            return trail.broken_chain(db, self._documents, self._audit_keys)

    def expire(self, now: int) -> int:
        """Remove sessions and challenges whose time is over; how many. They are dead before that, too."""
        with self._connections.writing() as db:
            return db.execute("DELETE FROM live WHERE expires_at <= ?", (now,)).rowcount

    def lease(self, name: str, holder: str, seconds: int, now: int) -> Lease | None:
        """Take or renew a lease; None while somebody else holds it."""
        with self._connections.writing() as db:
            return leases.take(db, name, holder, now + seconds, now)

    def still_holds(self, lease: Lease, now: int) -> bool:  # noqa: ARG002  # the port's
        """True while nobody else has taken the lease."""
        with self._connections.reading() as db:
            return leases.is_newest(db, lease)

    def note_run(self, name: str, at: int) -> None:
        """Keep that a job was done well at `at`."""
        with self._connections.writing() as db:
            db.execute("REPLACE INTO job VALUES (?, ?)", (name, self._documents.seal_job(name, at)))

    def last_runs(self) -> dict[str, int]:
        """When each job was last done well."""
        with self._connections.reading() as db:
            return self._documents.last_runs(db.execute("SELECT name, sealed FROM job").fetchall())

    def runs(self, *, open_only: bool) -> tuple[ReminderRun, ...]:
        """Runs of reminders that still have something to do, or all; oldest first."""
        with self._connections.reading() as db:
            return outbox.runs(db, self._documents, open_only=open_only)

    def run(self, run_id: str) -> ReminderRun | None:
        """The run of this id."""
        with self._connections.reading() as db:
            return outbox.run(db, self._documents, run_id)

    def save_run(self, run: ReminderRun, results: tuple[Result, ...] = ()) -> ReminderRun:
        """Write a run as version + 1 and add results, or raise `StaleState`."""
        with self._connections.writing() as db:
            return outbox.save(db, self._documents, run, results)

    def results(self, run_id: str, outcome: Outcome, after: int, limit: int) -> tuple[Result, ...]:
        """The results of one outcome in the order in which they were added, but for the first `after`."""
        with self._connections.reading() as db:
            return outbox.results(db, run_id, outcome, after, limit)

    def drop_run(self, run_id: str) -> None:
        """Forget a run and its results; one that is not there is no error."""
        with self._connections.writing() as db:
            outbox.drop(db, run_id)

    def health(self, now: float) -> tuple[Concern, ...]:  # noqa: ARG002  # the port's
        """What somebody should mend at the file, or know."""
        with self._connections.reading() as db:
            return tuple(health.concerns(db, self._path))

    def server_time(self) -> None:
        """A file has no clock of its own."""

    def feed(self) -> Feed:
        """Begin to follow what others change."""
        return SqliteFeed(self.changes, self.last_change())

    def last_change(self) -> int:
        """The newest number of the change feed."""
        with self._connections.reading() as db:
            return trail.last_change(db)

    def changes(self, after: int) -> tuple[int, tuple[str, ...]]:
        """The newest number, and the accounts (or `POLICY`, or `EVERYTHING`) that changed after number `after`."""
        with self._connections.reading() as db:
            rows = db.execute(
                "SELECT seq, account FROM change WHERE seq >= ? ORDER BY seq", (after,)
            ).fetchall()
            newest = rows[-1][0] if rows else trail.last_change(db)
        known = [(0, ""), *rows] if not after else rows
        if not known or known[0][0] != after or (not after and rows and rows[0][0] != 1):
            return newest, (EVERYTHING,)
        return newest, tuple(dict.fromkeys(account for _, account in known[1:]))

    def _facts(
        self, db: sqlite3.Connection, account_id: str, session_key: str | None, now: int
    ) -> tuple[Facts, Register]:
        """What is stored, and the organization's register."""
        row = db.execute(_VISITOR, {"org": ORG, "account": account_id, "key": session_key}).fetchone()
        org, version, sealed, sealed_register, sealed_session, orphaned = row
        if orphaned:
            raise trail.orphaned(account_id)
        register = self._documents.register(account_id, sealed_register)
        session = None
        # Security: what the register does not list has ended, also if its row was put back.
        listed = register is not None and session_key in register.sessions
        if listed and session_key is not None and sealed_session is not None:
            session = self._documents.session(account_id, session_key, sealed_session)
        organization = self._documents.known_register(ORG, org)
        read = Facts(
            account=self._documents.account(account_id, version, sealed, register),
            session=session if session is not None and now < session.expires_at else None,
            policy_version=organization.head.version,
        )
        return read, organization

    def _policy(self, db: sqlite3.Connection) -> Policy:
        version, sealed, register = db.execute(_POLICY, (ORG,)).fetchone()
        return self._documents.policy(version, sealed, self._documents.register(ORG, register))

    def _live(self, account_id: str, kind: Kind) -> tuple[Register, dict[str, bytes]]:
        """The register, and the rows of one kind; what the register does not list is dead."""
        with self._connections.reading() as db:
            rows = db.execute(_LIVE, (account_id, kind)).fetchall()
        register = self._documents.register(account_id, rows[0][2] if rows else None)
        return register or Register(), {key: sealed for key, sealed, _ in rows}

    def _transaction(self, db: sqlite3.Connection) -> Transaction:
        return Transaction(db, self._documents, self._audit_keys)

    def _refuse_another(self, db: sqlite3.Connection) -> None:
        found = schema.identify(db)
        if self._expected not in {None, found}:
            raise StoreUnavailable(
                f"The file {self._path} is the store {found}, not {self._expected}; put the right one back."
            )
