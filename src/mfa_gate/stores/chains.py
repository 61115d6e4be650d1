"""Decides whether a trail is whole, from its records, registers and ledger; it does not know where they are kept.

Every account's records are read once, in order, and nothing is kept of them but the last link: a trail of ten
million events needs no more memory than one of ten.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby

import msgspec

from mfa_gate.core.checkpoints import Entry
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import ORG, Head
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import Base, Documents, Ledger, Removed


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it lies in the store."""

    account_id: str
    position: int
    record: bytes
    link: bytes


class SealedRegister(msgspec.Struct, frozen=True, kw_only=True):
    """The register of one account, which holds the head of its chain, and what the chain goes on from, if it does."""

    account_id: str
    sealed: bytes | None
    base: bytes | None = None


def first_break(
    keys: AuditKeys,
    documents: Documents,
    links: Iterable[Link],
    registers: Iterable[SealedRegister],
    ledger: Ledger,
    *,
    removed: Removed,
) -> str | None:
    """None if every chain ends where its head says, else a sentence about the first that does not.

    `links` come by account, then by position; `registers` by account, in the same order of accounts. `removed`: what
    has left for the archive.
    """
    chains = events = left = 0
    for account_id, register, chained in _side_by_side(links, registers):
        if register is None or register.sealed is None:
            return without_head(account_id)
        try:
            head = documents.known_register(account_id, register.sealed).head
            base = documents.base(account_id, register.base)
        except RecordCorrupt as error:
            return str(error)
        broken = _break_of(keys, account_id, head, chained, base=base, removed=removed)
        if broken:
            return broken
        chains += 1
        events += head.count - base.count
        left += base.count
    if left != removed.count:
        return not_all_bases(left, removed)
    if Ledger(chains=chains, events=events) != ledger:
        return (
            f"The trail has {events} events in {chains} chains where {ledger.events} in {ledger.chains} were "
            "written: whole chains were removed or put back from an older copy, heads included."
        )
    return None


class Tally:
    """One chain, as far as its records were taken in order."""

    __slots__ = ("broken_at", "count", "key", "last")

    def __init__(self, base: Base | None = None) -> None:
        """`base`: what it goes on from."""
        self.broken_at: int | None = None
        self.count = base.count if base else 0
        self.last = base.link if base else b""
        self.key: bytes | None = None
        """The key that made the last link."""

    def take(self, keys: AuditKeys | bytes, position: int, record: bytes, link: bytes) -> None:
        """The next record."""
        self.count += 1
        if self.broken_at is None:
            self.key = AuditKeys.of(keys).maker_of(self.last, record, link, self.key)
            self.last = link
            if self.key is None:
                self.broken_at = position

    def break_of(self, account_id: str, head: Head) -> str | None:
        """None if the chain ends where its head says, else a sentence about where it does not."""
        whose = _trail(account_id)
        if self.broken_at is not None:
            what = (
                "an event before it was removed"
                if self.count < head.count
                else "it, or one before it, was inserted"
                if self.count > head.count
                else "it was edited, moved or exchanged"
            )
            return f"{whose} breaks at position {self.broken_at}: {what}."
        if self.count < head.count:
            return f"{whose} ends after {self.count} events where {head.count} were written: its end was cut off."
        if self.last != head.link:
            what = (
                "the head is from an older copy"
                if self.count > head.count
                else "it is the chain of somebody else"
            )
            return f"{whose} does not end with the event that its head names: {what}."
        return None


class Followed:
    """The chains of a trail that is read as it was written, without heads: of each account the last link is kept.

    That a chain ends too early, only checkpoints tell. `flows.verifying.Chains`. An account takes about 250 bytes.
    """

    def __init__(self, keys: AuditKeys, *, whole: bool) -> None:
        self._keys = keys
        self._whole = whole
        self._likely: bytes | None = None
        self._links: dict[str, dict[str, bytes]] = {}

    def take(self, shard: str, entry: Entry) -> str | None:
        """The next event; why it does not follow the one before it in its chain, or None."""
        links = self._links.setdefault(shard, {})
        previous = links.get(entry.account_id, b"" if self._whole else None)
        links[entry.account_id] = entry.link
        if previous is None:
            return None
        maker = self._keys.maker_of(previous, entry.record, entry.link, self._likely)
        if maker is not None:
            self._likely = maker
            return None
        return (
            f"{_trail(entry.account_id)} breaks at position {entry.position} (shard {shard}): this event was edited or "
            "put in, or one before it was edited, put in, taken out or moved."
        )

    def lose(self, shard: str | None) -> None:
        """Events of this shard, or of any, are not shown."""
        if shard is None:
            self._links.clear()
        else:
            self._links.pop(shard, None)


def taken_over(
    keys: AuditKeys, bases: Mapping[str, Base], entries: Iterable[Entry]
) -> tuple[dict[str, Base], tuple[bytes, ...]]:
    """What chains go on from once these events, the oldest of a shard, have left; and the key of each event.

    Raises `RecordCorrupt` where one does not follow the one before it: what is not whole stays where it is.
    """
    after: dict[str, Base] = {}
    makers: list[bytes] = []
    likely: bytes | None = None
    for entry in entries:
        base = after.get(entry.account_id) or bases.get(entry.account_id) or Base()
        likely = keys.maker_of(base.link, entry.record, entry.link, likely)
        if likely is None:
            raise RecordCorrupt(
                f"{_trail(entry.account_id)} breaks at position {entry.position}; run `mfa-gate audit verify`."
            )
        makers.append(likely)
        after[entry.account_id] = Base(count=base.count + 1, link=entry.link)
    return after, tuple(makers)


def not_all_bases(found: int, removed: Removed) -> str:
    """What is wrong where what chains go on from does not add up to what has left."""
    return (
        f"Chains go on from {found} events where {removed.count} have left for the archive: whole chains were removed, "
        "or what they go on from was put back from an older copy."
    )


def misfit(account_id: str, head: Head | None, newest: bytes | None) -> str | None:
    """Why a head is not the one that was written with the newest event of its chain; None if it is.

    Where every event of it has left for the archive, `newest` is the link that it goes on from.
    """
    if head is None:
        return without_head(account_id) if newest is not None else None
    if head.link == (newest or b""):
        return None
    whose = _trail(account_id)
    if newest is None:
        return f"{whose} is gone: its head counts {head.count} events."
    return f"{whose} ends with another event than its head names: one of the two was put back from an older copy."


def lost_event(account_id: str) -> str:
    """What is wrong with a chain in which an event was read that is not there any more."""
    return f"{_trail(account_id)} has lost an event that was there: record, head and events were put back together."


def without_head(account_id: str) -> str:
    """What is wrong with a chain that has no register."""
    return f"{_trail(account_id)} has events but no chain head: they were inserted, or its head was removed."


def put_back(position: int) -> str:
    """What is wrong with an event that stands where all have left."""
    return (
        f"The event at position {position} stands before the beginning of the trail, from where all have left for the "
        "archive: it was put in."
    )


def _break_of(
    keys: AuditKeys, account_id: str, head: Head, chained: Iterator[Link], *, base: Base, removed: Removed
) -> str | None:
    tally = Tally(base)
    for link in chained:
        if removed.count and link.position <= removed.position:
            return put_back(link.position)
        tally.take(keys, link.position, link.record, link.link)
    return tally.break_of(account_id, head)


def _side_by_side(
    links: Iterable[Link], registers: Iterable[SealedRegister]
) -> Iterator[tuple[str, SealedRegister | None, Iterator[Link]]]:
    """Each account's head and records; either may be missing."""
    rest = iter(registers)
    head = next(rest, None)
    for account_id, chained in groupby(links, key=lambda link: link.account_id):
        while head is not None and head.account_id < account_id:
            yield head.account_id, head, iter(())
            head = next(rest, None)
        if head is not None and head.account_id == account_id:
            yield account_id, head, chained
            head = next(rest, None)
        else:
            yield account_id, None, chained
    for left in chain([head] if head is not None else [], rest):
        yield left.account_id, left, iter(())


def _trail(account_id: str) -> str:
    return "The trail of the organization" if account_id == ORG else f"The trail of account {account_id}"
