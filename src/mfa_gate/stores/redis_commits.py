"""Decides what a commit to a Redis store writes, from what was read; it sends nothing.

Everything that needs a key is computed here before the script runs: links, seals, the register. The script then
writes it onto exactly the bytes that it was computed from, or tells what is stored now.
"""

import hmac
import struct
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.checkpoints import Beginning
from mfa_gate.core.errors import StaleState
from mfa_gate.core.events import ORG, Actor, Event, canonical, extend
from mfa_gate.core.policy import Policy
from mfa_gate.core.roster import RosterHead
from mfa_gate.core.sessions import Session
from mfa_gate.ports import Change
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import EVERYTHING, POLICY, Documents
from mfa_gate.stores.index import index_of
from mfa_gate.stores.redis_index import Entries, entries_of, size_of
from mfa_gate.stores.redis_keys import EARLIEST, GROUPS, POLICIES, account_keys, feed_channel, key, shard_of
from mfa_gate.stores.redis_records import Stored, expires_at, sealed_in
from mfa_gate.stores.redis_scripts import COMMIT, Call
from mfa_gate.stores.registers import Register, after_change, without_session

LEDGER: Final = 2**48
"""The ledger of a shard is a sum modulo this, which Lua's numbers hold exactly."""
_ENTRY: Final = struct.Struct(">HdI")
_GARBAGE_AFTER: Final = 600
"""How long Redis keeps what has expired, in seconds: whether it is alive is never Redis' to say."""


class Writes(msgspec.Struct, frozen=True, kw_only=True):
    """What is written, and what is stored then. `news` is what the feed is told."""

    after: Stored
    events: tuple[tuple[Event, bytes, int], ...] = ()
    """Each with its link, and what it adds to the ledger."""
    opened: dict[bytes, bytes] = {}
    closed: tuple[bytes, ...] = ()
    seconds: int = 0
    before_entries: Entries = {}
    after_entries: Entries = {}
    stand: bytes = b""
    news: str = ""
    kept_version: int = 0
    """Under which version the document is kept for ever, too; 0: it is not."""


class Planner:
    """Plans the writes of one store; every method plans all of them or raises."""

    def __init__(self, documents: Documents, audit_keys: AuditKeys, store_id: str) -> None:
        self._documents = documents
        self._audit_keys = audit_keys
        self.store_id = store_id

    def commit(self, stored: Stored, change: Change, now: int) -> tuple[Writes, Account]:
        """One account with everything that `change` brings. Raises `StaleState`."""
        if stored.version != change.account.version:
            raise StaleState(
                f"Account {stored.account_id} has version {stored.version}, not {change.account.version}."
            )
        if change.spend is not None:
            self._refuse_spent(stored, change.spend, now)
        account = replace(change.account, version=change.account.version + 1)
        register = after_change(
            stored.register or Register(),
            change,
            new_epoch=stored.account is not None and stored.account.epoch != account.epoch,
            live_sessions=stored.alive("s:", now),
            live_challenges=stored.alive("c:", now),
        )
        opened = self._opened(account, change)
        listed = {f"s:{key}".encode() for key in register.sessions}
        listed |= {f"c:{name}".encode() for name in register.challenges}
        live = {field: value for field, value in (stored.live | opened).items() if field in listed}
        document = b"%d:%b" % (account.version, self._documents.seal_account(account))
        after, links = self._chained(stored, register, change.events, account.version)
        writes = Writes(
            after=replace(after, document=document, account=account, live=live),
            events=links,
            opened=opened,
            closed=tuple(field for field in stored.live if field not in listed),
            seconds=_lifetime(live, now) if opened else 0,
            before_entries=entries_of(account.id, index_of(stored.account) if stored.account else None),
            after_entries=entries_of(account.id, index_of(account)),
            news=account.id,
        )
        return writes, account

    def end_session(
        self, stored: Stored, session: Session, events: tuple[Event, ...], now: int
    ) -> Writes | None:
        """One session ends, with its events; None if it is dead already."""
        register = stored.register
        if (
            register is None
            or session.key not in register.sessions
            or session.key not in stored.alive("s:", now)
        ):
            return None
        field = f"s:{session.key}".encode()
        after, links = self._chained(stored, without_session(register, session.key), events, stored.version)
        live = {name: value for name, value in stored.live.items() if name != field}
        return Writes(after=replace(after, live=live), events=links, closed=(field,), news=session.account_id)

    def policy(
        self, stored: Stored, policy: Policy, events: tuple[Event, ...], stand: bytes
    ) -> tuple[Writes, Policy]:
        """The next policy, with its events and the stand of the shard. Raises `StaleState`."""
        if stored.version != policy.version:
            raise StaleState(f"The policy has version {stored.version}, not {policy.version}.")
        written = replace(policy, version=policy.version + 1)
        register = self._documents.known_register(ORG, stored.sealed_register or None)
        after, links = self._chained(stored, register, events, written.version)
        document = b"%d:%b" % (written.version, self._documents.seal_policy(written))
        after = replace(after, document=document, policy=written)
        writes = Writes(after=after, events=links, stand=stand, news=POLICY, kept_version=written.version)
        return writes, written

    def roster(
        self, stored: Stored, head: RosterHead, events: tuple[Event, ...], stand: bytes
    ) -> tuple[Writes, RosterHead]:
        """Another import in force, with its events and the stand of the shard. Raises `StaleState`."""
        register = self._documents.known_register(ORG, stored.sealed_register or None)
        if register.roster.number != head.number:
            raise StaleState(f"The roster has number {register.roster.number}, not {head.number}.")
        moved = replace(head, number=head.number + 1)
        after, links = self._chained(stored, replace(register, roster=moved), events, stored.version)
        return Writes(after=after, events=links, stand=stand, news=EVERYTHING), moved

    def beginning(self, stored: Stored, known: Beginning, to: Beginning, events: tuple[Event, ...]) -> Writes:
        """A later beginning of the trail, with its events. Raises `StaleState`."""
        register = self._documents.known_register(ORG, stored.sealed_register or None)
        if register.begins != known:
            raise StaleState(
                f"The trail begins after checkpoint {register.begins.number}, not {known.number}."
            )
        after, links = self._chained(stored, replace(register, begins=to), events, stored.version)
        return Writes(after=after, events=links)

    def found(self, now: int, actor: Actor, stand: bytes) -> Writes:
        """The first policy, which is off, and the first event."""
        policy = Policy(version=1, changed_at=now, changed_by=actor.shown)
        made = Event(
            kind="store_created",
            account_id=ORG,
            subject="",
            at=now,
            actor=actor,
            details={"store": self.store_id},
        )
        after, links = self._chained(Stored(account_id=ORG), Register(), (made,), policy.version)
        document = b"%d:%b" % (policy.version, self._documents.seal_policy(policy))
        after = replace(after, document=document, policy=policy)
        return Writes(after=after, events=links, stand=stand, kept_version=policy.version)

    def events(self, stored: Stored, events: tuple[Event, ...]) -> Writes:
        """Events that change no document; their chain must exist."""
        register = self._documents.known_register(stored.account_id, stored.sealed_register or None)
        after, links = self._chained(stored, register, events, stored.version)
        return Writes(after=after, events=links)

    def call(self, changes: Sequence[tuple[Stored, Writes]]) -> Call:
        """The script that does it, each onto what was read: changes of accounts of one shard, or the organization."""
        first, _ = changes[0]
        shard, kept = shard_of(first.account_id), changes[0][1].kept_version
        sets: dict[str, None] = {}
        kinds: dict[str, None] = {}
        moves: list[tuple[list[tuple[str, str]], list[tuple[tuple[str, str], int]]]] = []
        for _, writes in changes:
            gone = [entry for entry in writes.before_entries if entry not in writes.after_entries]
            new = [
                (entry, score)
                for entry, score in writes.after_entries.items()
                if writes.before_entries.get(entry) != score
            ]
            sets |= dict.fromkeys([name for name, _ in gone] + [name for (name, _), _ in new])
            kinds |= dict.fromkeys(event.kind for event, *_ in writes.events)
            moves.append((gone, new))
        keys = [*account_keys(first.account_id), key(shard, "events"), key(shard, GROUPS)]
        keys += [each for stored, _ in changes[1:] for each in account_keys(stored.account_id)[3:]]
        at = {name: len(keys) + 1 + number for number, name in enumerate([*sets, *kinds])}
        keys += [key(shard, name) for name in sets]
        keys += [key(shard, "kind", kind) for kind in kinds]
        keys += [key(shard, POLICIES)] if kept else []
        whole = (self.store_id, feed_channel(self.store_id), len(sets), kept, changes[0][1].stand, EARLIEST)
        touched = [(at[name], size) for name in sets if (size := size_of(name)) is not None]
        parts = [_packed(*whole, len(touched), *(part for pair in touched for part in pair), len(changes))]
        parts += [
            _packed(stored.account_id, stored.document, stored.sealed_register) for stored, _ in changes
        ]
        for (stored, writes), (gone, new) in zip(changes, moves, strict=True):
            after = writes.after
            parts.append(_packed(len(writes.events)))
            parts += [
                _packed(at[event.kind], event.kind, canonical(event), link)
                for event, link, _ in writes.events
            ]
            parts.append(
                _packed(
                    b"" if after.document == stored.document else after.document,
                    after.sealed_register,
                    len(writes.closed),
                    *writes.closed,
                    len(writes.opened),
                    *(part for pair in writes.opened.items() for part in pair),
                    writes.seconds,
                    sum(tokens for *_, tokens in writes.events) % LEDGER,
                    writes.news,
                    len(gone),
                    len(new),
                )
            )
            parts += [_entry(at[name], 0, member) for name, member in gone]
            parts += [_entry(at[name], score, member) for (name, member), score in new]
        return Call(COMMIT, tuple(keys), (b"".join(parts),))

    def _chained(
        self, stored: Stored, register: Register, events: tuple[Event, ...], version: int
    ) -> tuple[Stored, tuple[tuple[Event, bytes, int], ...]]:
        """What is stored once events have joined the chain, and each with its link."""
        for event in events:
            if event.account_id != stored.account_id:
                raise ValueError(
                    f"An event of {event.account_id} cannot join the chain of {stored.account_id}."
                )
        audit_key = self._audit_keys.newest
        head, links = extend(audit_key, register.head, events, version)
        register = replace(register, head=head)
        sealed = self._documents.seal_register(stored.account_id, register)
        after = replace(stored, register=register, sealed_register=sealed)
        tokens = (token(audit_key, link) for link in links)
        return after, tuple(zip(events, links, tokens, strict=True))

    def _opened(self, account: Account, change: Change) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        if (session := change.open_session) is not None:
            _refuse_foreign(account, session.account_id)
            sealed = self._documents.seal_session(session)
            found[f"s:{session.key}".encode()] = live_value(session.expires_at, sealed)
        if (challenge := change.open_challenge) is not None:
            _refuse_foreign(account, challenge.account_id)
            sealed = self._documents.seal_challenge(challenge)
            found[f"c:{challenge.id}".encode()] = live_value(challenge.expires_at, sealed)
        return found

    def _refuse_spent(self, stored: Stored, challenge_id: str, now: int) -> None:
        value = stored.live.get(f"c:{challenge_id}".encode())
        if value is None or stored.register is None or challenge_id not in stored.register.challenges:
            raise StaleState("The challenge is spent or was never there.")
        found = self._documents.challenge(stored.account_id, challenge_id, sealed_in(value))
        if found.expires_at <= now:
            raise StaleState("The challenge has expired.")


def _packed(*words: str | bytes | int) -> bytes:
    """Words for a script as one, each behind its length."""
    raw = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"".join([part for word in raw for part in (len(word).to_bytes(4), word)])


def _entry(at: int, score: int, member: str) -> bytes:
    """An entry of the sorted set with this number for a script."""
    raw = member.encode()
    return _ENTRY.pack(at, score, len(raw)) + raw


def token(audit_key: bytes, link: bytes) -> int:
    """What a link adds to the ledger of its shard: without the key, nobody can take it out of the sum again."""
    return int.from_bytes(hmac.digest(audit_key, b"ledger" + link, "sha256")[:6])


def live_value(expires: int, sealed: bytes) -> bytes:
    """A live field: until when the store keeps it, and the record."""
    return b"%d:%b" % (expires, sealed)


def _lifetime(live: dict[bytes, bytes], now: int) -> int:
    longest = max(expires_at(value) for value in live.values())
    return max(0, longest - now) + _GARBAGE_AFTER


def _refuse_foreign(account: Account, owner: str) -> None:
    if owner != account.id:
        raise ValueError(f"What belongs to account {owner} cannot be opened in a commit of {account.id}.")
