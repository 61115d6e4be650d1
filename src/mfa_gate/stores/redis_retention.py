"""Decides how what is archived leaves a Redis store, a little of a shard at a time; it must not know whether it is."""

from typing import Final

from mfa_gate.core.checkpoints import Beginning, Entry, Signed
from mfa_gate.core.events import ORG, Event
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import taken_over
from mfa_gate.stores.documents import Documents, Removed, read_event
from mfa_gate.stores.redis_accounts import Accounts
from mfa_gate.stores.redis_commits import LEDGER, Planner, Writes, token
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import SHARDS, key, stream_id_of
from mfa_gate.stores.redis_records import Stored
from mfa_gate.stores.redis_scripts import LET_GO, Call
from mfa_gate.stores.redis_stream import CHECKPOINTS, RedisStream
from mfa_gate.stores.retention import end_of, whole_step

AT_ONCE: Final = 1_000
"""So many events leave in one script, for which everybody else waits."""


class RedisRetention:
    """`ports.Retention` on one server."""

    def __init__(
        self,
        server: Server,
        documents: Documents,
        accounts: Accounts,
        planner: Planner,
        *,
        stream: RedisStream,
        audit_keys: AuditKeys,
    ) -> None:
        self._server = server
        self._documents = documents
        self._accounts = accounts
        self._planner = planner
        self._stream = stream
        self._audit_keys = audit_keys

    def begin(  # the port names a time, which stands in the events
        self,
        known: Beginning,
        to: Beginning,
        events: tuple[Event, ...],
        now: int,  # noqa: ARG002
    ) -> None:
        """Let the trail begin after a later checkpoint, in one commit with the events that say so."""

        def plan(stored: Stored) -> tuple[Writes, None]:
            return self._planner.beginning(stored, known, to, events), None

        self._accounts.write(ORG, plan)

    def let_go(self, limit: int) -> int:
        """Take out the oldest records from before the beginning, about `limit`; how many."""
        beginning = self._stream.beginning()
        if not beginning.number:
            return 0
        signed = self._stream.checkpoint(beginning.number)
        for shard in SHARDS:
            gone = self._take_out(shard, beginning, signed, min(limit, AT_ONCE))
            if gone:
                return gone
        return self._forget_checkpoints(beginning.number, limit)

    def _take_out(self, shard: str, beginning: Beginning, signed: Signed | None, limit: int) -> int:
        end = end_of(beginning, signed, shard)
        name = key(shard, "shard")
        sealed: bytes | None = self._server.ask("HGET", name, "removed")
        removed = self._documents.removed(shard, sealed)
        if removed.count >= end.count:
            return 0
        read = self._stream.entries(shard, None, limit)
        entries = [entry for entry in read if entry.position <= end.position]
        after = whole_step(shard, removed, end, entries)
        ids = list(dict.fromkeys(entry.account_id for entry in entries))
        kept = self._server.ask("HMGET", key(shard, "bases"), *ids)
        bases = {each: self._documents.base(each, base) for each, base in zip(ids, kept, strict=True)}
        taken, makers = taken_over(self._audit_keys, bases, entries)
        call = self._call(shard, sealed, after, entries, makers)
        words = [
            word for each, base in taken.items() for word in (each, self._documents.seal_base(each, base))
        ]
        gone: int = self._server.write(Call(LET_GO, call.keys, (*call.args, *words)))
        # Somebody else took out some at the same moment: there are fewer left, or the next call tells.
        return gone or len(entries)

    def _call(
        self,
        shard: str,
        sealed: bytes | None,
        after: Removed,
        entries: list[Entry],
        makers: tuple[bytes, ...],
    ) -> Call:
        kinds = dict.fromkeys(read_event(entry.record).kind for entry in entries)
        loses = sum(token(maker, entry.link) for maker, entry in zip(makers, entries, strict=True)) % LEDGER
        names = [key(shard, "shard"), key(shard, "events"), key(shard, "bases")]
        names += [key(shard, "kind", kind) for kind in kinds]
        last = stream_id_of(entries[-1].position)
        said = self._documents.seal_removed(shard, after)
        return Call(LET_GO, tuple(names), (sealed or b"", said, last, len(entries), loses))

    def _forget_checkpoints(self, before: int, limit: int) -> int:
        oldest = self._stream.checkpoints(0, limit + 1)
        gone = [signed.number for signed in oldest if signed.number < before][:limit]
        if gone:
            self._server.put_all([("XTRIM", CHECKPOINTS, "MINID", f"{gone[-1] + 1}-0")])
        return len(gone)
