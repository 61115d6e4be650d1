"""Decides which accounts a Redis store shows for a filter; its sorted sets are derived and decide nothing else."""

from collections.abc import Iterator
from typing import Final, get_args

from mfa_gate.core.accounts import Account, fold_subject
from mfa_gate.core.policy import Policy, Status, standing
from mfa_gate.ports import Page, Row
from mfa_gate.stores.documents import cursor_at, position_of
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_index import OF_STATUS, PAUSED, STANDS, TEXTS, Stands, place_in, sortable
from mfa_gate.stores.redis_keys import SHARDS, key, shard_of
from mfa_gate.stores.redis_pages import Part, Want, first_of
from mfa_gate.stores.redis_records import Answers
from mfa_gate.stores.redis_scripts import COUNTS, MATCHES, NAMES, Call

FEW: Final = 256
"""Matches of a search in one shard that are fetched and put in order here.

Where there are more, the names are walked through in order until the page is full: with many matches that is soon.
"""
_END: Final = b"\xff"
"""Sorts after every character of UTF-8."""

Place = tuple[bytes, bytes]
"""(name, account id)."""


class Directory:
    """The lists of one store."""

    def __init__(self, server: Server, answers: Answers) -> None:
        self._server = server
        self._answers = answers

    def people(
        self, policy: Policy, *, status: Status | None, prefix: str, after: str | None, limit: int, now: int
    ) -> Page:
        """One page of accounts in name order."""
        rows: list[tuple[str, Row]] = []
        place = _place_of(after)
        text = sortable(fold_subject(prefix))
        while len(rows) <= limit:
            found = self._places(status, text, place, limit + 1, now)
            for (name, _), account in zip(found, self._accounts(found), strict=True):
                if account is None:
                    continue
                # The document decides what is shown; the index has only found it.
                stands = standing(account, policy, now).status
                if status in (None, stands):
                    cursor = cursor_at(name.decode(errors="replace"), account.id)
                    rows.append((cursor, Row(account=account, status=stands)))
            if len(found) <= limit:
                break
            place = found[-1]
        shown = rows[:limit]
        return Page(rows=tuple(row for _, row in shown), next=shown[-1][0] if len(rows) > limit else None)

    def counts(self, now: int) -> dict[Status, int]:
        """How many people have each status."""
        calls = [
            Call(COUNTS, (key(shard, PAUSED), *(key(shard, "name", each) for each in STANDS)), (now,))
            for shard in SHARDS
        ]
        sums = [sum(column) for column in zip(*self._server.read_all(calls), strict=True)]
        paused, sizes = sums[0], dict(zip(STANDS, sums[1:], strict=True))
        found: dict[Status, int] = dict.fromkeys(get_args(Status), 0)
        found["inactive"], found["missing"], found["paused"] = sizes["inactive"], sizes["missing"], paused
        found["enrolled"] = sizes["enrolled"] + sizes["paused"] - paused
        return found

    def _places(
        self, status: Status | None, prefix: str, after: Place | None, limit: int, now: int
    ) -> list[Place]:
        stands = OF_STATUS.get(status, ())
        if prefix:
            matches = self._matches(stands, prefix)
            if matches is not None:
                return sorted(each for each in matches if after is None or each > after)[:limit]
        without = {"paused": "open", "enrolled": "paused"}

        def fetch(wants: list[Want[tuple[str, Stands], Place]]) -> list[Part[Place]]:
            calls = [
                Call(
                    NAMES,
                    (key(shard, "name", each), key(shard, PAUSED)),
                    (
                        _beginning(reached or after),
                        number,
                        without.get(status or "", "") if each == "paused" else "",
                        now,
                        prefix,
                    ),
                )
                for (shard, each), reached, number in wants
            ]
            answers = self._server.read_all(calls)
            return [
                _part(want.reached, end, members) for want, (end, members) in zip(wants, answers, strict=True)
            ]

        return first_of([(shard, each) for shard in SHARDS for each in stands], fetch, limit)

    def _matches(self, stands: tuple[Stands, ...], prefix: str) -> set[Place] | None:
        """Everybody who fits a prefix; None if they are many."""
        start = prefix.encode()
        sets = [(text, each) for text in TEXTS for each in stands]
        calls = [
            Call(
                MATCHES,
                tuple(key(shard, *each) for each in sets),
                (b"[" + start, b"[" + start + _END, FEW),
            )
            for shard in SHARDS
        ]
        answers = self._server.read_all(calls) if sets else []
        if None in answers:
            return None
        return {
            place_in(text, member)
            for answer in answers
            for (text, _), members in zip(sets, answer, strict=True)
            for member in _split(members)
        }

    def _accounts(self, places: list[Place]) -> Iterator[Account | None]:
        """The accounts of some places, in their order."""
        ids = [account_id.decode(errors="replace") for _, account_id in places]
        shards: dict[str, list[str]] = {}
        for account_id in ids:
            shards.setdefault(shard_of(account_id), []).append(account_id)
        found: dict[str, tuple[bytes | None, bytes | None]] = {}
        kinds = ("accounts", "heads")
        commands = [
            ("HMGET", key(shard, kind), *wanted) for shard, wanted in shards.items() for kind in kinds
        ]
        values = iter(self._server.ask_all(commands) if commands else [])
        for wanted in shards.values():
            for account_id, *both in zip(wanted, next(values), next(values), strict=True):
                found[account_id] = (both[0], both[1])
        for account_id in ids:
            document, sealed = found[account_id]
            register = self._answers.register(account_id, sealed)
            yield self._answers.account(account_id, document, register)


def _place_of(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    name, account_id = position_of(cursor)
    return sortable(name).encode(), sortable(account_id).encode()


def _beginning(after: Place | None) -> bytes:
    """Where a range of names begins: past everything that this account may have in its member."""
    return b"-" if after is None else b"(" + after[0] + b"\0" + after[1] + b"\0" + _END


def _part(before: Place | None, end: bytes, members: bytes) -> Part[Place]:
    reached = place_in("name", end) if end else None
    if reached is not None and before is not None and reached <= before:
        reached = (
            None  # a member that no name of ours makes: lists end here, but they do not go round in circles
        )
    return Part([place_in("name", member) for member in _split(members)], reached)


def _split(members: bytes) -> list[bytes]:
    return members.split(_END) if members else []
