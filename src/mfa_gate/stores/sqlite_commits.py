"""Decides whether a commit to an SQLite store may happen, and writes all of it; it begins and ends no transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.checkpoints import Beginning
from mfa_gate.core.errors import RecordCorrupt, StaleState
from mfa_gate.core.events import ORG, Actor, Event, canonical, extend
from mfa_gate.core.policy import Policy
from mfa_gate.core.roster import RosterHead
from mfa_gate.core.sessions import Session
from mfa_gate.ports import Change
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import EVERYTHING, POLICY, TRAFFIC_CAP, Documents, Ledger
from mfa_gate.stores.index import index_of
from mfa_gate.stores.registers import Register, after_change, without_session
from mfa_gate.stores.sqlite_index import (
    WRITE_ACCOUNT,
    WRITE_MEMBER,
    Tally,
    columns_of,
    count_in,
    members_of,
    take_away,
    write_tally,
)
from mfa_gate.stores.sqlite_trail import ledger_of, orphaned, register_of

CHANGES_KEPT = 10_000
_HAS_EVENTS = (
    "SELECT 1 FROM audit WHERE account = :account UNION SELECT 1 FROM base WHERE account = :account LIMIT 1"
)

Kind = Literal["session", "challenge"]

Held = tuple[Account | None, Register | None]
"""What is stored of one account: both, or neither."""


class Transaction:
    """What may be written inside one transaction; every method writes all of it or raises."""

    def __init__(self, db: sqlite3.Connection, documents: Documents, audit_keys: AuditKeys) -> None:
        self._db = db
        self._documents = documents
        self._audit_keys = audit_keys
        self._together: _Together | None = None

    def found(self, store_id: str, now: int, actor: Actor) -> None:
        """Write what a store has from its first moment: its id, the proof of its keys, and a policy that is off."""
        proof, ledger = (
            self._documents.seal_proof(self._audit_keys.newest),
            self._documents.seal_ledger(Ledger()),
        )
        self._db.execute("INSERT INTO store VALUES (1, ?, ?, ?)", (store_id, proof, ledger))
        self._write_policy(Policy(version=1, changed_at=now, changed_by=actor.shown))
        made = Event(
            kind="store_created", account_id=ORG, subject="", at=now, actor=actor, details={"store": store_id}
        )
        self._append(ORG, None, Register(), (made,), version=1)

    def commit_all(self, held: Iterable[tuple[Held, Change]], now: int) -> None:
        """Commit many accounts as they were read in this transaction; what they have in common is written once."""
        together = self._together = _Together(ledger_of(self._db, self._documents))
        for (stored, register), change in held:
            self._commit(stored, register, change, now)
        self._together = None
        for statement, rows in together.rows.items():
            self._db.executemany(statement, rows)
        if together.rows:
            self._write_ledger(together.ledger)
            write_tally(self._db, together.tally)
            self._trim()

    def commit(self, change: Change, now: int) -> Account:
        """Write one account with everything that `change` brings. Raises `StaleState`."""
        stored, register = self._agreed(change.account)
        return self._commit(stored, register, change, now)

    def _commit(self, stored: Account | None, register: Register | None, change: Change, now: int) -> Account:
        if change.spend is not None:
            self._spend(change.account.id, change.spend, register, now)
        account = replace(change.account, version=change.account.version + 1)
        self._write_account(account, is_new=stored is None)
        after = after_change(
            register or Register(),
            change,
            new_epoch=stored is not None and stored.epoch != account.epoch,
            live_sessions=self._live("session", account.id, now) if register else (),
            live_challenges=self._live("challenge", account.id, now) if register else (),
        )
        if register:
            self._clear("session", account.id, after.sessions)
            self._clear("challenge", account.id, after.challenges)
        if (session := change.open_session) is not None:
            _refuse_foreign(account, session.account_id)
            sealed = self._documents.seal_session(session)
            self._open("session", account.id, session.key, session.expires_at, sealed)
        if (challenge := change.open_challenge) is not None:
            _refuse_foreign(account, challenge.account_id)
            sealed = self._documents.seal_challenge(challenge)
            self._open("challenge", account.id, challenge.id, challenge.expires_at, sealed)
        self._append(account.id, register, after, change.events, version=account.version)
        self._announce(account.id)
        return account

    def commit_policy(self, policy: Policy, events: tuple[Event, ...]) -> Policy:
        """Write `policy` as the next version. Raises `StaleState`."""
        register = self._register(ORG)
        if policy.version != register.head.version:
            raise StaleState(f"The policy has version {register.head.version}, not {policy.version}.")
        written = replace(policy, version=policy.version + 1)
        self._write_policy(written)
        self._append(ORG, register, register, events, version=written.version)
        self._announce(POLICY)
        return written

    def move_roster(self, head: RosterHead, events: tuple[Event, ...]) -> RosterHead:
        """Let another import be in force. Raises `StaleState`."""
        register = self._register(ORG)
        if head.number != register.roster.number:
            raise StaleState(f"The roster has number {register.roster.number}, not {head.number}.")
        moved = replace(head, number=head.number + 1)
        after = replace(register, roster=moved)
        self._append(ORG, register, after, events, version=register.head.version)
        self._announce(EVERYTHING)
        return moved

    def move_beginning(self, known: Beginning, to: Beginning, events: tuple[Event, ...]) -> None:
        """Let the trail begin later. Raises `StaleState`."""
        register = self._register(ORG)
        if register.begins != known:
            raise StaleState(
                f"The trail begins after checkpoint {register.begins.number}, not {known.number}."
            )
        self._append(ORG, register, replace(register, begins=to), events, version=register.head.version)

    def record(self, events: tuple[Event, ...]) -> None:
        """Append events, each to the chain it names, and change no document."""
        chains: dict[str, tuple[Event, ...]] = {}
        for event in events:
            chains[event.account_id] = (*chains.get(event.account_id, ()), event)
        for account_id, chained in chains.items():
            register = self._register(account_id)
            self._append(account_id, register, register, chained, version=register.head.version)

    def end_session(self, session: Session, events: tuple[Event, ...], now: int) -> None:
        """End one session if it is alive, and record why."""
        account_id, key = session.account_id, session.key
        if key not in self._live("session", account_id, now):
            return
        register = self._register(account_id)
        if key not in register.sessions:
            return
        after = without_session(register, key)
        self._clear("session", account_id, after.sessions)
        self._append(account_id, register, after, events, version=register.head.version)
        self._announce(account_id)

    def touch(self, keys: tuple[tuple[str, str], ...], now: int) -> None:
        """Move the idle clocks of live sessions forward.

        # Security: the time lies in the sealed document. In a column, whoever can write rows could keep one awake.
        """
        for account_id, key in keys:
            sealed = self._sealed("session", account_id, key)
            if sealed is None:
                continue
            with suppress(RecordCorrupt):  # a forged row must not keep everybody else's from being touched
                session = self._documents.session(account_id, key, sealed)
                if session.touched_at < now < session.expires_at:
                    touched = self._documents.seal_session(replace(session, touched_at=now))
                    self._open("session", account_id, key, session.expires_at, touched)

    def count_traffic(self, counts: dict[tuple[str, str], int]) -> None:
        """Add to the counters; beyond the cap a new pair is not counted."""
        for pair, count in counts.items():
            done = self._db.execute(
                "UPDATE traffic SET count = count + ? WHERE route = ? AND credential = ?", (count, *pair)
            )
            if done.rowcount:
                continue
            if self._db.execute("SELECT COUNT(*) FROM traffic").fetchone()[0] < TRAFFIC_CAP:
                self._db.execute("INSERT INTO traffic VALUES (?, ?, ?)", (*pair, count))

    def _agreed(self, read: Account) -> Held:
        """What is stored, if it still has the version that was read."""
        register = self._documents.register(read.id, register_of(self._db, read.id))
        row = self._db.execute("SELECT version, sealed FROM account WHERE id = ?", (read.id,)).fetchone()
        found, sealed = row or (None, None)
        stored = self._documents.account(read.id, found, sealed, register)
        version = 0 if stored is None else stored.version
        if version != read.version:
            raise StaleState(f"Account {read.id} has version {version}, not {read.version}.")
        if stored is None:
            self.refuse_orphan(read.id)
        return stored, register

    def refuse_orphan(self, account_id: str) -> None:
        """Raise `RecordCorrupt` if there are events of an account that is not stored."""
        if self._db.execute(_HAS_EVENTS, {"account": account_id}).fetchone():
            raise orphaned(account_id)

    def _register(self, account_id: str) -> Register:
        return self._documents.known_register(account_id, register_of(self._db, account_id))

    def _spend(self, account_id: str, challenge_id: str, register: Register | None, now: int) -> None:
        sealed = self._sealed("challenge", account_id, challenge_id)
        if sealed is None or register is None or challenge_id not in register.challenges:
            raise StaleState("The challenge is spent or was never there.")
        if self._documents.challenge(account_id, challenge_id, sealed).expires_at <= now:
            raise StaleState("The challenge has expired.")

    def _write_account(self, account: Account, *, is_new: bool) -> None:
        sealed = self._documents.seal_account(account)
        row = index_of(account)
        tally: Tally = self._together.tally if self._together else Counter()
        if not is_new:
            take_away(self._db, account.id, tally)
        self._put(WRITE_ACCOUNT, [(account.id, account.version, sealed, *columns_of(row))])
        self._put(WRITE_MEMBER, members_of(account.id, row))
        count_in(tally, row)
        if not self._together:
            write_tally(self._db, tally)

    def _put(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        """Write rows, or have them written together with those of the other accounts."""
        if self._together:
            self._together.rows.setdefault(statement, []).extend(rows)
        else:
            self._db.executemany(statement, rows)

    def _write_policy(self, policy: Policy) -> None:
        sealed = self._documents.seal_policy(policy)
        self._db.execute("REPLACE INTO policy VALUES (1, ?, ?)", (policy.version, sealed))
        self._db.execute("INSERT INTO policy_version VALUES (?, ?)", (policy.version, sealed))

    def _sealed(self, kind: Kind, account_id: str, key: str) -> bytes | None:
        row = self._db.execute(
            "SELECT sealed FROM live WHERE account = ? AND kind = ? AND key = ?", (account_id, kind, key)
        ).fetchone()
        return None if row is None else row[0]

    def _live(self, kind: Kind, account_id: str, now: int) -> set[str]:
        rows = self._db.execute(
            "SELECT key FROM live WHERE account = ? AND kind = ? AND expires_at > ?", (account_id, kind, now)
        )
        return {row[0] for row in rows}

    def _open(self, kind: Kind, account_id: str, key: str, expires_at: int, sealed: bytes) -> None:
        self._db.execute(
            "REPLACE INTO live VALUES (?, ?, ?, ?, ?)", (account_id, kind, key, expires_at, sealed)
        )

    def _clear(self, kind: Kind, account_id: str, keep: tuple[str, ...]) -> None:
        """Remove every row that the register does not list."""
        rows = self._db.execute(
            "SELECT key FROM live WHERE account = ? AND kind = ?", (account_id, kind)
        ).fetchall()
        self._db.executemany(
            "DELETE FROM live WHERE account = ? AND kind = ? AND key = ?",
            [(account_id, kind, key) for (key,) in rows if key not in keep],
        )

    def _append(
        self,
        account_id: str,
        before: Register | None,
        after: Register,
        events: tuple[Event, ...],
        *,
        version: int,
    ) -> None:
        """Add events to a chain (`before` None: a new one), and write its register and the ledger."""
        for event in events:
            if event.account_id != account_id:
                raise ValueError(f"An event of {event.account_id} cannot join the chain of {account_id}.")
        head, links = extend(self._audit_keys.newest, after.head, events, version)
        self._put(
            "INSERT INTO audit (account, kind, at, record, link) VALUES (?, ?, ?, ?, ?)",
            [
                (account_id, event.kind, event.at, canonical(event).decode(), link)
                for event, link in zip(events, links, strict=True)
            ],
        )
        sealed = self._documents.seal_register(account_id, replace(after, head=head))
        self._put("REPLACE INTO register VALUES (?, ?)", [(account_id, sealed)])
        if events or before is None:
            known = self._together.ledger if self._together else ledger_of(self._db, self._documents)
            ledger = Ledger(chains=known.chains + (before is None), events=known.events + len(events))
            if self._together:
                self._together.ledger = ledger
            else:
                self._write_ledger(ledger)

    def _write_ledger(self, ledger: Ledger) -> None:
        self._db.execute("UPDATE store SET ledger = ?", (self._documents.seal_ledger(ledger),))

    def _announce(self, name: str) -> None:
        """Tell the feed what changed."""
        self._put("INSERT INTO change (account) VALUES (?)", [(name,)])
        if not self._together:
            self._trim()

    def _trim(self) -> None:
        """Old lines of the feed go; who reads too late is told that everything changed."""
        self._db.execute("DELETE FROM change WHERE seq <= (SELECT MAX(seq) FROM change) - ?", (CHANGES_KEPT,))


class _Together:
    """What many commits in one transaction write at its end."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.tally: Tally = Counter()
        self.rows: dict[str, list[tuple[object, ...]]] = {}
        """By statement."""


def _refuse_foreign(account: Account, owner: str) -> None:
    if owner != account.id:
        raise ValueError(f"What belongs to account {owner} cannot be opened in a commit of {account.id}.")
