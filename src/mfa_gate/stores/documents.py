"""What a record looks like inside a store, whatever the store is; it knows no database and decides no policy.

Documents are MessagePack, sealed for their place. Beside each account's document, and outliving it, stands its
sealed register with the head of its chain of events, which names the newest version; the organization's policy
stands beside the register of `ORG` in the same way. Read through here, a document without its register, a register
without its document, or one that is older than the other is `RecordCorrupt`, never "not enrolled".
"""

import hmac
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TypeVar

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import ORG, Event
from mfa_gate.core.notices import NoticeQueue
from mfa_gate.core.policy import Policy
from mfa_gate.core.reminders import ReminderRun
from mfa_gate.core.roster import RosterRow
from mfa_gate.core.sessions import Challenge, Session
from mfa_gate.ports import Resealed
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.registers import Register
from mfa_gate.stores.sealing import Sealer, key_id_of

TRAFFIC_CAP = 500
"""Pairs of (route prefix, kind of credential) that are counted; later ones are not."""

POLICY = "policy"
"""How the change feed names a new policy."""
EVERYTHING = "*"
"""What it names when it can no longer tell what changed."""

T = TypeVar("T")

Place = tuple[str | int, ...]
"""Where a record lies, beside the store's id: its kind, then whose it is."""


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """How many chains and events the store holds: without it a whole chain could be taken out with its head."""

    chains: int = 0
    events: int = 0


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain of one account goes on from: how many of its events have left for the archive, the last link."""

    count: int = 0
    link: bytes = b""


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a shard has left for the archive: up to which position, and how many events."""

    position: int = 0
    count: int = 0


def base_place(account_id: str) -> Place:
    """Where that lies from which the chain of an account goes on."""
    return "base", account_id


def removed_place(shard: str) -> Place:
    """Where that lies which says how much of a shard has left."""
    return "removed", shard


def run_place(run_id: str, version: int) -> Place:
    """Where a run of reminders lies."""
    return "reminders", run_id, version


def notices_place(version: int) -> Place:
    """Where the queue of notices lies."""
    return "notices", version


def staged_place(import_id: str, account_id: str) -> Place:
    """Where a row of a roster lies until its account has been told of it."""
    return "staged", import_id, account_id


_READ_EVENT = msgspec.json.Decoder(Event)


def read_event(record: bytes) -> Event:
    """The event in a chained record. Raises `RecordCorrupt`."""
    try:
        return _READ_EVENT.decode(record)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordCorrupt(
            f"An event of the trail cannot be read ({error}); run `mfa-gate audit verify`."
        ) from error


class Documents:
    """Seals and opens the documents of one store, each for its own place."""

    def __init__(self, sealer: Sealer, store_id: str) -> None:
        self._sealer = sealer
        self._store_id = store_id
        self._encoder = msgspec.msgpack.Encoder()

    def seal_account(self, account: Account) -> bytes:
        """The account's document, for its own id and version."""
        return self._seal(account, "account", account.id, account.version)

    def account(
        self, account_id: str, version: int | None, sealed: bytes | None, register: Register | None
    ) -> Account | None:
        """The account of a document and its register (both None: never stored)."""
        if sealed is None and register is None:
            return None
        newest = self._newest(account_id, version, sealed, register)
        return self._open(Account, newest, "account", account_id, version or 0)

    def seal_policy(self, policy: Policy) -> bytes:
        """The policy's document, for its version."""
        return self._seal(policy, "policy", ORG, policy.version)

    def policy(self, version: int | None, sealed: bytes | None, register: Register | None) -> Policy:
        """The policy of a document and the register of `ORG`; a store without a policy has lost it."""
        newest = self._newest(ORG, version, sealed, register)
        return self._open(Policy, newest, "policy", ORG, version or 0)

    def policy_version(self, version: int, sealed: bytes) -> Policy:
        """The policy as it was in this version."""
        return self._open(Policy, sealed, "policy", ORG, version)

    def seal_register(self, account_id: str, register: Register) -> bytes:
        """The register of one account, or of the organization."""
        return self._seal(register, "register", account_id)

    def register(self, account_id: str, sealed: bytes | None) -> Register | None:
        """The register of one account, if there is one."""
        return None if sealed is None else self._open(Register, sealed, "register", account_id)

    def known_register(self, account_id: str, sealed: bytes | None) -> Register:
        """The register of one account, which must be there."""
        register = self.register(account_id, sealed)
        if register is None:
            raise RecordCorrupt(
                f"The chain head of {_whose(account_id)} is missing; restore it from a backup."
            )
        return register

    def seal_session(self, session: Session) -> bytes:
        """A session, for its account and key."""
        return self._seal(session, "session", session.account_id, session.key)

    def session(self, account_id: str, key: str, sealed: bytes) -> Session:
        """The session of this account and key."""
        return self._open(Session, sealed, "session", account_id, key)

    def seal_challenge(self, challenge: Challenge) -> bytes:
        """A challenge, for its account and id."""
        return self._seal(challenge, "challenge", challenge.account_id, challenge.id)

    def challenge(self, account_id: str, challenge_id: str, sealed: bytes) -> Challenge:
        """The challenge of this account and id."""
        return self._open(Challenge, sealed, "challenge", account_id, challenge_id)

    def seal_ledger(self, ledger: Ledger) -> bytes:
        """The store's ledger."""
        return self._seal(ledger, "ledger")

    def ledger(self, sealed: bytes | None) -> Ledger:
        """The store's ledger, which must be there."""
        if sealed is None:
            raise RecordCorrupt("The store's ledger is missing; restore the store from a backup.")
        return self._open(Ledger, sealed, "ledger")

    def seal_base(self, account_id: str, base: Base) -> bytes:
        """What the chain of an account goes on from."""
        return self._seal(base, *base_place(account_id))

    def base(self, account_id: str, sealed: bytes | None) -> Base:
        """The same; of an account of which nothing has left, the beginning of every chain."""
        return Base() if sealed is None else self._open(Base, sealed, *base_place(account_id))

    def seal_removed(self, shard: str, removed: Removed) -> bytes:
        """How much of a shard has left."""
        return self._seal(removed, *removed_place(shard))

    def removed(self, shard: str, sealed: bytes | None) -> Removed:
        """The same; nothing, if that is nowhere said."""
        return Removed() if sealed is None else self._open(Removed, sealed, *removed_place(shard))

    def seal_run(self, run: ReminderRun) -> bytes:
        """A run of reminders, for its id and version."""
        return self._seal(run, *run_place(run.id, run.version))

    def run(self, run_id: str, version: int, sealed: bytes) -> ReminderRun:
        """The run of this id and version."""
        return self._open(ReminderRun, sealed, *run_place(run_id, version))

    def seal_job(self, name: str, at: int) -> bytes:
        """When a job was last done, for its name."""
        return self._seal(at, "job", name)

    def job(self, name: str, sealed: bytes) -> int:
        """When the job of this name was last done."""
        return self._open(int, sealed, "job", name)

    def last_runs(self, kept: Iterable[tuple[str, bytes]]) -> dict[str, int]:
        """When each job was last done; what does not open, under a key that was retired for example, is unknown."""
        found = {}
        for name, sealed in kept:
            with suppress(RecordCorrupt):
                found[name] = self.job(name, sealed)
        return found

    def seal_notices(self, queue: NoticeQueue) -> bytes:
        """The queue of notices, for its version."""
        return self._seal(queue, *notices_place(queue.version))

    def notices(self, version: int, sealed: bytes) -> NoticeQueue:
        """The queue of this version."""
        return self._open(NoticeQueue, sealed, *notices_place(version))

    def seal_row(self, import_id: str, row: RosterRow) -> bytes:
        """A staged row of a roster, for its import and account."""
        return self._seal(row, *staged_place(import_id, row.account_id))

    def row(self, import_id: str, account_id: str, sealed: bytes) -> RosterRow:
        """The staged row of this import and account."""
        return self._open(RosterRow, sealed, *staged_place(import_id, account_id))

    def seal_proof(self, audit_key: bytes) -> bytes:
        """What a store keeps to tell, before anything else, whether the keys are its own."""
        return self._seal(self._proof(audit_key), "proof")

    def is_proof(self, sealed: bytes, audit_key: AuditKeys | bytes) -> bool:
        """True if the store was made with these keys. Raises `RecordCorrupt` if not even the seal fits."""
        found = self._open(bytes, sealed, "proof")
        return any(hmac.compare_digest(found, self._proof(key)) for key in AuditKeys.of(audit_key))

    def resealed(self, sealed: object, place: Place) -> bytes | None:
        """The same record under the key that seals now; None if it is already. Raises `RecordCorrupt`."""
        plain = self._sealer.open(sealed, self._store_id, *place)
        if isinstance(sealed, bytes) and self._sealer.is_current(sealed):
            return None
        return self._sealer.seal(plain, self._store_id, *place)

    def _proof(self, audit_key: bytes) -> bytes:
        return hmac.digest(audit_key, b"store " + self._store_id.encode(), "sha256")

    def _newest(
        self, account_id: str, version: int | None, sealed: bytes | None, register: Register | None
    ) -> bytes:
        # Security: the register outlives the document. Were a lone one read as "never stored", whoever can delete a
        # row would send an enrolled user back to the setup wizard.
        whose = _whose(account_id)
        if sealed is None or register is None:
            raise RecordCorrupt(f"Of the record and the chain head of {whose} only one is there; restore it.")
        if version != register.head.version:
            raise RecordCorrupt(
                f"The record of {whose} has version {version} where its chain head says {register.head.version}."
            )
        return sealed

    def _seal(self, value: object, *place: str | int) -> bytes:
        plain = self._encoder.encode(value)
        # What is written must be readable: a slip of a caller's is a refused commit, not a person locked out for ever.
        msgspec.msgpack.decode(plain, type=type(value))
        return self._sealer.seal(plain, self._store_id, *place)

    def _open(self, kind: type[T], sealed: bytes, *place: str | int) -> T:
        plain = self._sealer.open(sealed, self._store_id, *place)
        try:
            return msgspec.msgpack.decode(plain, type=kind)
        except msgspec.MsgspecError as error:
            raise RecordCorrupt(
                f"The record {' / '.join(map(str, place))} was written by another version of mfa_gate ({error})."
            ) from error


class Reseal:
    """One step of sealing records anew, or of looking which seal keys are needed."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._changed = 0
        self._needed: Counter[str] = Counter()
        self._broken: list[str] = []

    def fresh(self, sealed: object, place: Place) -> bytes | None:
        """What to write in the place of a record; None: nothing."""
        try:
            fresh = self._documents.resealed(sealed, place)
        except RecordCorrupt as error:
            self._broken.append(str(error))
            return None
        self._changed += fresh is not None
        return fresh

    def look(self, sealed: object, place: Place) -> None:
        """Count the key that a record needs."""
        try:
            self._documents.resealed(sealed, place)
        except RecordCorrupt as error:
            self._broken.append(str(error))
        else:
            self._needed[key_id_of(sealed)] += 1

    def done(self, following: str | None) -> Resealed:
        """What came of the step."""
        return Resealed(
            next=following, changed=self._changed, needed=dict(self._needed), broken=tuple(self._broken)
        )


def _whose(account_id: str) -> str:
    return "the organization" if account_id == ORG else f"account {account_id}"
