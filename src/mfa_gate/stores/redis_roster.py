"""Decides how the rows of an import lie in a Redis store until it is in force and every account has been told.

The rows of one shard are one hash, and stay as they are from the moment the import is in force: a reader who has read
an account first and its row after that has not missed anything in between.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import StaleState
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.roster import RosterHead, RosterRow, listed
from mfa_gate.ports import Plan
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_accounts import Accounts
from mfa_gate.stores.redis_commits import Planner, Writes
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import FIRST, SHARDS, key, shard_of
from mfa_gate.stores.redis_records import Answers, Stand, Stored, pairs, roster_in

IMPORTS: Final = key(FIRST, "imports")
AT_ONCE: Final = 50
"""Accounts that one script writes: others wait for some milliseconds, and no answer takes as long as the time-out."""


class RedisRoster:
    """`ports.Roster` on one server. `tell` brings every shard what was written."""

    def __init__(
        self,
        server: Server,
        documents: Documents,
        answers: Answers,
        accounts: Accounts,
        *,
        planner: Planner,
        tell: Callable[[], None],
    ) -> None:
        self._server = server
        self._documents = documents
        self._answers = answers
        self._accounts = accounts
        self._planner = planner
        self._tell = tell

    def head(self) -> RosterHead:
        """Which import is in force."""
        return roster_in(self._accounts.read(ORG))

    def stage(self, import_id: str, rows: tuple[RosterRow, ...], now: int) -> None:
        """Add rows to an import that is not in force yet."""
        shards: dict[str, list[str | bytes | int]] = {}
        for row in rows:
            account_id = row.account_id
            sealed = self._documents.seal_row(import_id, row)
            shards.setdefault(shard_of(account_id), []).extend((account_id, sealed))
        self._server.put_all(
            [
                ("HSETNX", IMPORTS, import_id, now),
                *(("HSET", _staged(shard, import_id), *words) for shard, words in shards.items()),
            ]
        )

    def staged(
        self, import_id: str, after: str | None, limit: int
    ) -> tuple[str | None, tuple[RosterRow, ...]]:
        """Some rows of an import, and where to go on."""
        shard, _, cursor = (after or f"{FIRST} 0").partition(" ")
        following, part = self._server.ask("HSCAN", _staged(shard, import_id), cursor, "COUNT", limit)
        rows = tuple(
            self._documents.row(import_id, account_id.decode(errors="replace"), sealed)
            for account_id, sealed in _fields(part)
        )
        if int(following):
            return f"{shard} {int(following)}", rows
        rest = SHARDS[SHARDS.index(shard) + 1 :]
        return (f"{rest[0]} 0" if rest else None), rows

    def stagings(self) -> dict[str, int]:
        """All imports of which there are rows, and when each was begun."""
        found = self._server.ask("HGETALL", IMPORTS)
        return {name.decode(errors="replace"): int(at) if at.isdigit() else 0 for name, at in _fields(found)}

    def drop(self, import_id: str) -> None:
        """Forget the rows of an import; the server frees their memory beside its other work."""
        if self.head().import_id == import_id:
            raise StaleState(f"The import {import_id} is in force, and not every account has been told.")
        self._server.put_all([("UNLINK", _staged(shard, import_id)) for shard in SHARDS])
        self._server.put_all([("HDEL", IMPORTS, import_id)])

    def move(self, head: RosterHead, events: tuple[Event, ...], now: int) -> RosterHead:  # noqa: ARG002  # the port's
        """Let another import be in force, with its events, or raise `StaleState`."""
        moved = self._accounts.write(ORG, lambda stored: self._plan(stored, head, events))
        self._tell()
        return moved

    def accounts(self, account_ids: tuple[str, ...]) -> dict[str, Account]:
        """Those of these accounts that are stored."""
        shards = list(_by_shard(account_ids).items())
        commands = [
            ("HMGET", key(shard, kind), *ids) for shard, ids in shards for kind in ("accounts", "heads")
        ]
        answers = iter(self._server.ask_all(commands))
        found = {}
        for _, ids in shards:
            for account_id, document, sealed in zip(ids, next(answers), next(answers), strict=True):
                register = self._answers.register(account_id, sealed)
                account = self._answers.account(account_id, document, register)
                if account is not None:
                    found[account_id] = account
        return found

    def rewrite_each(self, account_ids: tuple[str, ...], plan: Plan, now: int) -> tuple[str, ...]:
        """Read many accounts and commit what `plan` makes of each; ids of those that somebody else has changed."""
        parts = [
            tuple(ids[at : at + AT_ONCE])
            for ids in _by_shard(account_ids).values()
            for at in range(0, len(ids), AT_ONCE)
        ]

        def rewrite(part: tuple[str, ...]) -> tuple[str, ...]:
            return self._accounts.write_each(part, partial(self._planned, plan, now))

        if len(parts) < 2:
            return tuple(refused for part in parts for refused in rewrite(part))
        # While the server writes the one, the next is sealed here.
        with ThreadPoolExecutor(2) as pool:
            return tuple(refused for part in pool.map(rewrite, parts) for refused in part)

    def _planned(self, plan: Plan, now: int, stored: Stored) -> Writes | None:
        change = plan(stored.account_id, stored.account)
        return None if change is None else self._planner.commit(stored, change, now)[0]

    def _plan(self, stored: Stored, head: RosterHead, events: tuple[Event, ...]) -> tuple[Writes, RosterHead]:
        stand = Stand(stored.version, replace(head, number=head.number + 1))
        return self._planner.roster(stored, head, events, self._answers.seal_stand(FIRST, stand))

    def told(self, account_id: str, account: Account | None, now: int) -> Account | None:
        """The account as the newest import that was heard of has it, where it has not been told yet."""
        head = self._answers.roster
        if not head.import_id:
            return account
        sealed: bytes | None = self._server.ask(
            "HGET", _staged(shard_of(account_id), head.import_id), account_id
        )
        if sealed is None:
            return account
        return listed(
            account, self._documents.row(head.import_id, account_id, sealed), head.number, SYSTEM, now
        )[0]


def _staged(shard: str, import_id: str) -> str:
    return key(shard, "staged", import_id)


def _fields(answer: Any) -> Iterable[tuple[bytes, bytes]]:  # noqa: ANN401 - a map, or a row, by the protocol
    return (answer if isinstance(answer, dict) else pairs(answer)).items()


def _by_shard(account_ids: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for account_id in account_ids:
        found.setdefault(shard_of(account_id), []).append(account_id)
    return found
