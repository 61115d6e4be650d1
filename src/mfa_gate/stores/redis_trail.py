"""Decides how the trail of a Redis store is read, and whether it is whole; it writes nothing."""

from collections.abc import Sequence
from typing import Any, Final

from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.ports import Recorded
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import Tally, not_all_bases, put_back, without_head
from mfa_gate.stores.documents import Documents, read_event
from mfa_gate.stores.redis_commits import LEDGER, token
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import SHARDS, key, last_key, position_of, shard_of, stream_id_before
from mfa_gate.stores.redis_links import AT_ONCE, links_between
from mfa_gate.stores.redis_pages import Piece, Want, first_of
from mfa_gate.stores.redis_scripts import EVENTS, HISTORY, SNAPSHOT, WHEN, Call

_ATTEMPTS: Final = 5

Found = tuple[int, str, bytes, bytes]
"""(position below zero, shard, record, link): what is newest sorts first."""


class Trail:
    """The trail of one store."""

    def __init__(self, server: Server, documents: Documents, audit_keys: AuditKeys) -> None:
        self._server = server
        self._documents = documents
        self._audit_keys = audit_keys

    def events(
        self, *, account_id: str | None, kind: str | None, before: int | None, after: int, limit: int
    ) -> tuple[Recorded, ...]:
        """Newest first, below position `before` and above `after`."""
        if account_id is not None:
            found = self._history(account_id, kind, before, after, limit)
        else:
            kinds = () if kind is None else (kind,)
            found = first_of(SHARDS, lambda wants: self._parts(wants, kinds, before, after), limit)
        return _recorded(found)

    def latest(self, kinds: tuple[str, ...], limit: int) -> tuple[Recorded, ...]:
        """The newest events of any of these kinds, newest first."""
        return _recorded(first_of(SHARDS, lambda wants: self._parts(wants, kinds, None, 0), limit))

    def position_at(self, at: int) -> int | None:
        """The position of the first event that was written at `at` or later.

        Positions of all shards rise with the server's clock: what is the first of any is about the first of all.
        """
        calls = [Call(WHEN, (key(shard, "events"),), (at,)) for shard in SHARDS]
        found = zip(SHARDS, self._server.read_all(calls), strict=True)
        return min((position_of(name, shard) for shard, name in found if name), default=None)

    def broken_chain(self) -> str | None:
        """Recompute every chain, shard by shard, also while others write."""
        return next((broken for shard in SHARDS if (broken := self._broken_in(shard)) is not None), None)

    def _parts(
        self, wants: Sequence[Want[str, Found]], kinds: tuple[str, ...], before: int | None, after: int
    ) -> list[Piece[Found]]:
        calls = []
        for shard, reached, count in wants:
            below = before if reached is None else -reached[0]
            last = "+" if below is None else stream_id_before(below, shard)
            keys = (key(shard, "events"), *(key(shard, "kind", kind) for kind in kinds))
            calls.append(Call(EVENTS, keys, (last, count, _first_id(after, shard))))
        parts = []
        for (shard, _, count), rows in zip(wants, self._server.read_all(calls), strict=True):
            found = _found(shard, rows)
            parts.append(
                Piece([each for each in found if each[2]], found[-1] if len(found) == count else None)
            )
        return parts

    def _history(
        self, account_id: str, kind: str | None, before: int | None, after: int, limit: int
    ) -> list[Found]:
        shard = shard_of(account_id)
        first = _first_id(after, shard)
        last = "+" if before is None else stream_id_before(before, shard)
        above = "" if before is None or SHARDS[before % len(SHARDS)] != shard else str(int(last) + 1)
        keys = (key(shard, "events"), last_key(account_id))
        found: list[Found] = []
        at = b""
        while len(found) < limit:
            wanted = limit - len(found)
            at, *rows = self._server.read(
                Call(HISTORY, keys, (account_id, last, wanted, kind or "", at, above, first))
            )
            found += _found(shard, rows)
            if not at:
                break
        return found[:limit]

    def _broken_in(self, shard: str) -> str | None:
        for _ in range(_ATTEMPTS):
            left: bytes | None = self._server.ask("HGET", key(shard, "shard"), "removed")
            broken = self._judged_in(shard, left)
            # What leaves for the archive while it is read is missing, and nobody has taken it out by hand.
            if broken is None or self._server.ask("HGET", key(shard, "shard"), "removed") == left:
                return broken
        raise StoreUnavailable("The trail leaves for the archive while it is read. Try again later.")

    def _judged_in(self, shard: str, left: bytes | None) -> str | None:
        try:
            removed = self._documents.removed(shard, left)
            tallies = self._going_on(shard)
        except RecordCorrupt as error:
            return str(error)
        gone = sum(tally.count for tally in tallies.values())
        if gone != removed.count:
            return not_all_bases(gone, removed)
        first = self._server.ask("XRANGE", key(shard, "events"), "-", "+", "COUNT", 1)
        if removed.count and first and position_of(first[0][0], shard) <= removed.position:
            return put_back(position_of(first[0][0], shard))
        end, sum_of_tokens = self._read_on(shard, tallies, "-", "+")
        doubtful = set(tallies)
        for part in self._server.scan("HSCAN", key(shard, "heads")):
            for raw, sealed in dict(part).items():
                account_id = raw.decode(errors="replace")
                tally = tallies.setdefault(account_id, Tally())
                try:
                    broken = self._break_of(account_id, tally, sealed)
                except RecordCorrupt as error:
                    return str(error)
                if broken is None:
                    doubtful.discard(account_id)
                else:
                    doubtful.add(account_id)
        # What was written meanwhile is told apart from what was tampered with by looking once more, at one moment.
        ids = sorted(doubtful)
        keys = (key(shard, "shard"), key(shard, "heads"), key(shard, "events"))
        last, ledger, *registers = self._server.read(Call(SNAPSHOT, keys, tuple(ids)))
        sum_of_tokens += self._read_on(shard, tallies, f"({end}", last.decode())[1]
        for account_id, sealed in zip(ids, registers, strict=True):
            if sealed is None:
                return without_head(account_id)
            broken = self._break_of(account_id, tallies[account_id], sealed)
            if broken is not None:
                return broken
        if str(sum_of_tokens % LEDGER).encode() != ledger:
            return (
                f"The trail of shard {shard} does not add up to its ledger: whole chains were removed or put back "
                "from an older copy, heads included."
            )
        return None

    def _going_on(self, shard: str) -> dict[str, Tally]:
        """The chains of which something has left, at what they go on from."""
        tallies: dict[str, Tally] = {}
        for part in self._server.scan("HSCAN", key(shard, "bases")):
            for raw, sealed in dict(part).items():
                account_id = raw.decode(errors="replace")
                tallies[account_id] = Tally(self._documents.base(account_id, sealed))
        return tallies

    def _break_of(self, account_id: str, tally: Tally, sealed: bytes) -> str | None:
        return tally.break_of(account_id, self._documents.known_register(account_id, sealed).head)

    def _read_on(self, shard: str, tallies: dict[str, Tally], begin: str, end: str) -> tuple[str, int]:
        """Take the events of a range into their tallies; the last stream id, and what they add to the ledger."""
        last, tokens = begin.lstrip("(-") or "0", 0
        while True:
            linked = links_between(self._server, shard, begin, end)
            for name, account, record, link in linked:
                tally = tallies.get(account)
                if tally is None:
                    tally = tallies[account] = Tally()
                tally.take(self._audit_keys, position_of(name, shard), record, link)
                tokens += token(tally.key, link) if tally.key else 0
            if linked:
                last = linked[-1][0].decode()
            if len(linked) < AT_ONCE:
                return last, tokens
            begin = f"({last}"


def _first_id(after: int, shard: str) -> str:
    """The first stream id of a shard that can stand above a position."""
    return str(int(stream_id_before(after + 1, shard)) + 1) if after else "0"


def _recorded(found: list[Found]) -> tuple[Recorded, ...]:
    return tuple(
        Recorded(position=-position, event=read_event(record), link=link)
        for position, _, record, link in found
    )


def _found(shard: str, rows: list[Any]) -> list[Found]:
    return [
        (-position_of(name, shard), shard, record, link)
        for name, record, link in zip(rows[::3], rows[1::3], rows[2::3], strict=True)
    ]
