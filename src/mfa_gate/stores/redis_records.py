"""Decides whether what a Redis server answers can be believed, and what it says; it asks nothing.

Each answer names the account it is about, the store, and the sealed version of the policy: an emptied server,
another store, or an answer that was meant for somebody else is `StoreUnavailable`, never "not enrolled".
"""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.core.policy import Policy
from mfa_gate.core.roster import RosterHead
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_keys import shard_of
from mfa_gate.stores.registers import Register
from mfa_gate.stores.sealing import Sealer

_KEPT: Final = 1024
_PARTS: Final = 7
"""Of what the script `read` answers."""
_DIGITS: Final = 20
"""No number of ours is so long."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One account as it lies in the store, judged; for `ORG`, the policy in its place.

    `document` and `sealed_register` are the bytes themselves (empty: none): a commit happens only onto the same bytes.
    `live` holds, by field, until when each session lives (digits), and each challenge and, where it was asked for, one
    session as they are (`expires:record`).
    """

    account_id: str
    document: bytes = b""
    sealed_register: bytes = b""
    account: Account | None = None
    policy: Policy | None = None
    register: Register | None = None
    live: dict[bytes, bytes] = {}

    @property
    def version(self) -> int:
        """The version of the document; 0 if it was never stored."""
        found = self.account or self.policy
        return found.version if found else 0

    def alive(self, kind: str, now: int) -> set[str]:
        """Keys of the sessions (`s:`) or ids of the challenges (`c:`) that have not expired."""
        return {
            field[2:].decode(errors="replace")
            for field, value in self.live.items()
            if field.startswith(kind.encode()) and expires_at(value) > now
        }


class Answer(NamedTuple):
    """What the script `read` says of one account."""

    document: bytes | None
    register: bytes | None
    live: list[Any]
    policy_version: int


class Stand(NamedTuple):
    """What a shard was told of the organization: the version of its policy, and which roster is in force."""

    policy: int
    roster: RosterHead = RosterHead()

    def is_behind(self, newer: "Stand") -> bool:
        """True if there is something that it was not told."""
        return self.policy < newer.policy or self.roster.number < newer.roster.number


class Memory:
    """What this process read or wrote last of each account, so that reading and committing are two round trips.

    Without a lock, which a fork could leave held: each step is one that the interpreter does not divide.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Stored] = OrderedDict()

    def get(self, account_id: str) -> Stored | None:
        """What is known; the store may have moved on."""
        return self._kept.get(account_id)

    def put(self, stored: Stored) -> None:
        """Keep it; the oldest goes."""
        self._kept.pop(stored.account_id, None)
        self._kept[stored.account_id] = stored
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def forget(self, account_id: str) -> None:
        """It is not known any more what is stored."""
        self._kept.pop(account_id, None)


class Answers:
    """Judges the answers about one store. `place` names it in errors."""

    def __init__(self, sealer: Sealer, documents: Documents, store_id: str, place: str) -> None:
        self.policy_version = 0
        """The highest that was ever seen."""
        self.roster = RosterHead()
        """The newest that was ever seen."""
        self._sealer = sealer
        self._documents = documents
        self._store_id = store_id
        self._place = place
        self._stands: dict[str, tuple[bytes, Stand]] = {}

    def seal_stand(self, shard: str, stand: Stand) -> bytes:
        """What stands in a shard: the store's id, the policy's version and which roster is in force."""
        words = str(stand.policy) if not stand.roster.number else f"{stand.policy} {_words(stand.roster)}"
        return self._sealer.seal(words.encode(), self._store_id, "stand", shard)

    def stand(self, shard: str, sealed: bytes | None) -> Stand:
        """What a shard was told."""
        known, stand = self._stands.get(shard, (None, Stand(0)))
        if sealed is None or sealed != known:
            if sealed is None:
                raise self._lost(shard)
            stand = _stand(self._sealer.open(sealed, self._store_id, "stand", shard))
            self._stands[shard] = (sealed, stand)
        self.policy_version = max(self.policy_version, stand.policy)
        self.roster = max(self.roster, stand.roster, key=lambda head: head.number)
        return stand

    def about(self, account_id: str, answer: object) -> Answer:
        """An answer, if it is ours. An account of which only events are left raises.

        # Security: answers that got mixed up on a connection must not tell one person about another, nor that
        # somebody is not enrolled (compare CVE-2023-28858).
        """
        if not isinstance(answer, list) or len(answer) != _PARTS:
            raise self.senseless()
        about, store, stand, document, register, newest, live = answer
        if about != account_id.encode():
            raise StoreUnavailable(
                f"The store {self._place} gave an answer that was meant for somebody else."
            )
        shard = shard_of(account_id)
        if store is None:
            raise self._lost(shard)
        if store != self._store_id.encode():
            raise StoreUnavailable(
                f"{self._place} is the store {store.decode(errors='replace')}, not {self._store_id}; "
                "put the right one back."
            )
        version = self.stand(shard, stand).policy
        if document is None and register is None and newest is not None:
            # Security: somebody who was seen and whose record was deleted is not somebody new, who may enroll.
            raise RecordCorrupt(f"Account {account_id} has events but no record; restore it from a backup.")
        return Answer(document, register, live, version)

    def account(self, account_id: str, document: bytes | None, register: Register | None) -> Account | None:
        """The account of a document and its register (both None: never stored)."""
        version, sealed = versioned(document)
        return self._documents.account(account_id, version, sealed, register)

    def register(self, account_id: str, sealed: bytes | None) -> Register | None:
        """The register of one account, if there is one."""
        return self._documents.register(account_id, sealed)

    def policy(self, document: bytes | None, register: Register | None, seen: int) -> Policy:
        """The policy. One that is older than what was seen before it was asked for is from an older copy."""
        version, sealed = versioned(document)
        policy = self._documents.policy(version, sealed, register)
        if policy.version < seen:
            raise RecordCorrupt(
                f"The policy has version {policy.version} where {seen} was seen: the store {self._place} was put "
                "back from an older copy."
            )
        return policy

    def stored(self, account_id: str, answer: object) -> Stored:
        """Everything of one account, for a commit."""
        found = self.about(account_id, answer)
        register = self.register(account_id, found.register)
        organization = account_id == ORG
        return Stored(
            account_id=account_id,
            document=found.document or b"",
            sealed_register=found.register or b"",
            account=None if organization else self.account(account_id, found.document, register),
            policy=self.policy(found.document, register, found.policy_version) if organization else None,
            register=register,
            live=pairs(found.live),
        )

    def each(self, answer: object, number: int) -> list[Any]:
        """The parts of an answer about so many accounts."""
        if not isinstance(answer, list) or len(answer) != number:
            raise self.senseless()
        return answer

    def mixed_up(self) -> StoreUnavailable:
        """What to raise for an answer that is not ours."""
        return StoreUnavailable(f"The store {self._place} gave an answer that was meant for somebody else.")

    def senseless(self) -> StoreUnavailable:
        """What to raise for an answer that is none."""
        return StoreUnavailable(f"What answers at {self._place} is no Redis; correct [store] url.")

    def _lost(self, shard: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"The store {self._place} is empty or has lost shard {shard}; restore it from a backup, correct "
            "[store] url or, on a new server, make it with `mfa-gate init`."
        )


def roster_in(organization: Stored) -> RosterHead:
    """Which roster the organization's register says to be in force."""
    return organization.register.roster if organization.register else RosterHead()


def _words(head: RosterHead) -> str:
    return f"{head.number} {head.rows} {head.import_id}"


def _stand(plain: bytes) -> Stand:
    policy, *roster = plain.decode().split(" ")
    if not roster:
        return Stand(int(policy))
    number, rows, import_id = roster
    return Stand(int(policy), RosterHead(number=int(number), rows=int(rows), import_id=import_id))


def pairs(row: list[Any]) -> dict[bytes, bytes]:
    """Fields and values that come in one row."""
    return dict(zip(row[::2], row[1::2], strict=True))


def expires_at(value: bytes) -> int:
    """When what is alive ends, as the store may go by; the sealed record decides."""
    return _number(value.partition(b":")[0])


def sealed_in(value: bytes) -> bytes:
    """The record in a live field or document."""
    return value.partition(b":")[2]


def versioned(document: bytes | None) -> tuple[int | None, bytes | None]:
    """The version of a document, and the record; both None if there is none."""
    if document is None:
        return None, None
    version, _, sealed = document.partition(b":")
    return _number(version), sealed


def _number(digits: bytes) -> int:
    return int(digits) if digits.isdigit() and len(digits) < _DIGITS else 0
