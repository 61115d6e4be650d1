"""Decides how the trail of a Redis store is read from end to end, and keeps what is signed about it."""

import time
from collections.abc import Mapping
from typing import Any, Final

from mfa_gate.core.checkpoints import Beginning, Entry, Reached, Signed
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.ports import Misfit
from mfa_gate.stores.chains import lost_event, misfit
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import (
    FIRST,
    SHARDS,
    account_keys,
    key,
    position_of,
    shard_of,
    stream_id_before,
)
from mfa_gate.stores.redis_links import links_between
from mfa_gate.stores.redis_records import Answers
from mfa_gate.stores.redis_scripts import CHECKPOINT, JUDGED, MARK, Call

CHECKPOINTS: Final = key(FIRST, "checkpoints")
_ORGANIZATION: Final = ("HGET", key(FIRST, "heads"), ORG)
_BACK: Final = 1000
"""How many events of one account may come between two looks; more are taken for an event that is lost."""
_WAIT_MILLISECONDS: Final = 150
"""Below the time-out of an answer."""
_WAITS: Final = 20
_EVERYSEC: Final = 2.0
"""With `appendfsync everysec` Redis is at most two seconds behind its disk."""


class RedisStream:
    """`ports.Stream` on one server."""

    shards: tuple[str, ...] = tuple(SHARDS)

    def __init__(self, server: Server, documents: Documents, answers: Answers, store_id: str) -> None:
        self._server = server
        self._documents = documents
        self._answers = answers
        self._store_id = store_id

    def entries(self, shard: str, after: int | None, limit: int) -> tuple[Entry, ...]:
        """The oldest events of a shard above position `after`, in order, at most `limit`."""
        begin = "-" if after is None else f"({stream_id_before(after + len(SHARDS), shard)}"
        return tuple(
            Entry(position=position_of(name, shard), account_id=account, record=record, link=link)
            for name, account, record, link in links_between(self._server, shard, begin, "+", limit)
        )

    def reached(self) -> Reached:
        """How far the store has come; the checkpoint is read first, so that nothing is behind it."""
        ends = [("XREVRANGE", key(shard, "events"), "+", "-", "COUNT", 1) for shard in SHARDS]
        left = [("HGET", key(shard, "shard"), "removed") for shard in SHARDS]
        stand = ("HMGET", key(FIRST, "shard"), "store", "stand")
        newest, (store, sealed), register, *found = self._server.ask_all(
            [("XREVRANGE", CHECKPOINTS, "+", "-", "COUNT", 1), stand, _ORGANIZATION, *ends, *left]
        )
        newest_of, removed_of = found[: len(SHARDS)], found[len(SHARDS) :]
        return Reached(
            store=(store or b"").decode(errors="replace"),
            positions={
                # Where all have left for the archive, the shard has come as far as they had.
                shard: position_of(rows[0][0], shard)
                if rows
                else self._documents.removed(shard, removed).position
                for shard, rows, removed in zip(SHARDS, newest_of, removed_of, strict=True)
            },
            policy_version=self._answers.stand(FIRST, sealed).policy,
            checkpoint=_signed(newest[0]) if newest else None,
            beginning=self._documents.known_register(ORG, register).begins,
        )

    def beginning(self) -> Beginning:
        """After which checkpoint the trail begins."""
        return self._documents.known_register(ORG, self._server.ask(*_ORGANIZATION)).begins

    def checkpoint(self, number: int) -> Signed | None:
        """The checkpoint of this number."""
        rows = self._server.ask("XRANGE", CHECKPOINTS, f"{number}-0", f"{number}-0")
        return _signed(rows[0]) if rows else None

    def checkpoints(self, after: int, limit: int) -> tuple[Signed, ...]:
        """Checkpoints above number `after`, in order, at most `limit`."""
        rows = self._server.ask("XRANGE", CHECKPOINTS, f"({after}-0" if after else "-", "+", "COUNT", limit)
        return tuple(_signed(row) for row in rows)

    def add_checkpoint(self, signed: Signed) -> None:
        """Keep the next checkpoint. Raises `StaleState` unless its number is the newest plus one."""
        words = (signed.number, signed.body, signed.key, signed.signature)
        if not self._server.write(Call(CHECKPOINT, (CHECKPOINTS, key(FIRST, "shard")), words)):
            raise StaleState(f"Checkpoint {signed.number} does not follow the newest.")
        self._settle(signed.number)

    def misfits(self, seen: Mapping[str, bytes | None]) -> tuple[Misfit, ...]:
        """Those whose record or chain head is not what their newest event belongs to."""
        calls = [
            Call(
                JUDGED,
                (
                    *account_keys(account_id),
                    key(shard_of(account_id), "events"),
                    key(shard_of(account_id), "bases"),
                ),
                (account_id, 1 if link is None else _BACK),
            )
            for account_id, link in seen.items()
        ]
        found = []
        for (account_id, link), (state, links, base) in zip(
            seen.items(), self._server.read_all(calls), strict=True
        ):
            text = self._judged(account_id, state, links, base)
            if text is None and link is not None and link not in links:
                text = lost_event(account_id)
            if text is not None:
                found.append(Misfit(account_id=account_id, text=text))
        return tuple(found)

    def account_ids(self, after: str | None, limit: int) -> tuple[str | None, tuple[str, ...]]:
        """Some ids of accounts that have a chain, and where to go on."""
        shard, _, cursor = (after or f"{FIRST} 0").partition(" ")
        following, part = self._server.ask("HSCAN", key(shard, "heads"), cursor, "COUNT", limit)
        ids = tuple(
            name.decode(errors="replace") for name in list(part)[:: 1 if isinstance(part, dict) else 2]
        )
        if int(following):
            return f"{shard} {int(following)}", ids
        rest = SHARDS[SHARDS.index(shard) + 1 :]
        return (f"{rest[0]} 0" if rest else None), ids

    def _judged(
        self, account_id: str, state: list[Any], links: list[bytes], base: bytes | None
    ) -> str | None:
        try:
            found = self._answers.about(account_id, state)
            register = self._answers.register(account_id, found.register)
            if account_id == ORG:
                self._answers.policy(found.document, register, 0)
            else:
                self._answers.account(account_id, found.document, register)
            newest = links[0] if links else None
            if not newest and base is not None:
                newest = self._documents.base(account_id, base).link
        except RecordCorrupt as error:
            return str(error)
        return misfit(account_id, None if register is None else register.head, newest)

    def _settle(self, number: int) -> None:
        """Wait until the server's disk has it, and a replica where there are any.

        # Security: what is anchored must not be lost by a power cut, or the store would have fallen behind its anchor.
        """
        # In one go, since WAITAOF speaks of what this very connection has written; many short waits, since an answer
        # must not take longer than the time-out.
        mark = ("EVAL", MARK.text, 1, key(FIRST, "shard"), number)
        waits = [("WAITAOF", 1, 0, _WAIT_MILLISECONDS)] * _WAITS
        try:
            told = self._server.put_all([mark, *waits])
        except StoreUnavailable as error:
            if "appendonly is disabled" in str(error):
                return
            if not any(word in str(error) for word in ("unknown command", "NOPERM", "no permissions")):
                raise
            self._let_pass()
            return
        if told[-1][0] < 1:
            raise StoreUnavailable(
                f"The store {self._server.address} does not bring its records to disk (checkpoint {number} is not "
                "there yet). Look at the server's log."
            )

    def _let_pass(self) -> None:
        """Wait as long as a server may need that cannot be asked (Redis 7.0)."""
        if "aof_enabled:0" not in str(self._server.ask("INFO", "persistence")).replace("'", "").replace(
            ": ", ":"
        ):
            time.sleep(_EVERYSEC)


def _signed(row: Any) -> Signed:  # noqa: ANN401 - what a stream holds
    name, fields = row
    found = dict(zip(fields[::2], fields[1::2], strict=True)) if isinstance(fields, list) else fields
    return Signed(
        number=int(name.partition(b"-")[0]),
        body=found.get(b"b", b""),
        key=found.get(b"k", b"").decode(errors="replace"),
        signature=found.get(b"s", b""),
    )
