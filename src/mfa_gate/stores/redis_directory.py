"""Decides which accounts a Redis store shows for a filter; its sorted sets are derived and decide nothing else."""

import re
from collections.abc import Iterator
from typing import Final

from mfa_gate.core.accounts import Account
from mfa_gate.core.listing import Filter, Place, Sort
from mfa_gate.core.policy import Policy, Status, grace_of, standing
from mfa_gate.ports import Groups, Page, Row
from mfa_gate.stores.index import (
    EVERYONE,
    EXEMPT,
    FADING,
    NEW,
    STANDS,
    Part,
    counted,
    groups_of,
    key_of,
    parts_of,
    scopes_of,
)
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_index import MOST_SHARED, STARTS, TIME, set_of
from mfa_gate.stores.redis_keys import GROUPS, SHARDS, key, shard_of
from mfa_gate.stores.redis_pages import Piece, Want, first_of
from mfa_gate.stores.redis_records import Answers
from mfa_gate.stores.redis_scripts import COUNTS, SIZES, WALK, Call

FEW: Final = 400
"""People of a shard who are all looked at where they are found by a time that has come."""
_HEX: Final = re.compile(rb"[0-9a-f]+")
_END: Final = b"\xff"
"""Sorts after every character of UTF-8."""

Spot = tuple[bytes, bytes, bytes]
"""(time, or nothing where names alone are sorted; name; account id)."""


class Directory:
    """The lists of one store."""

    def __init__(self, server: Server, answers: Answers) -> None:
        self._server = server
        self._answers = answers

    def people(
        self, policy: Policy, who: Filter, *, sort: Sort, after: Place | None, limit: int, now: int
    ) -> Page:
        """One page of accounts."""
        look = _Look(policy, who, sort, now)
        rows: list[tuple[Place, Row]] = []
        spot = None if after is None else look.spot_of(after)
        while len(rows) <= limit:
            found = self._spots(look, spot, limit + 1)
            for at, account in zip(found, self._accounts(found), strict=True):
                if account is None:
                    continue
                # The document decides what is shown; the index has only found it.
                stands = standing(account, policy, now).status
                if stands in who.statuses:
                    rows.append((look.place_of(at), Row(account=account, status=stands)))
            if len(found) <= limit:
                break
            spot = found[-1]
        shown = rows[:limit]
        return Page(
            rows=tuple(row for _, row in shown),
            first=shown[0][0] if shown else None,
            next=shown[-1][0] if len(rows) > limit else None,
        )

    def counts(self, policy: Policy, who: Filter, now: int) -> dict[Status, int] | None:
        """How many people of a filter's scope have each status; None: that is not known without looking for them."""
        scopes = scopes_of(who)
        if who.prefix or len(scopes) > 1:
            return None
        grace = grace_of(policy, now)
        sets = [("names", stands) for stands in STANDS] + [("until", stands) for stands in FADING]
        sets += [(grace.own, stands) for stands in NEW if grace.own is not None]
        calls = [
            Call(
                COUNTS,
                tuple(key(shard, set_of(*each, scopes[0])) for each in sets),
                (len(STANDS), len(FADING), now, grace.after),
            )
            for shard in SHARDS
        ]
        sums = iter([sum(column) for column in zip(*self._server.read_all(calls), strict=True)])
        sizes, still = dict(zip(STANDS, sums, strict=False)), dict(zip(FADING, sums, strict=False))
        return counted(sizes, still, dict(zip(NEW, sums, strict=False)), grace)

    def exempt(self, policy: Policy, limit: int, now: int) -> tuple[Account, ...]:
        """Those whose exemption runs, the first to end first."""
        commands = [
            (
                "ZRANGEBYSCORE",
                key(shard, set_of("until", stands)),
                f"({now}",
                "+inf",
                "WITHSCORES",
                "LIMIT",
                0,
                limit,
            )
            for shard in SHARDS
            for stands in EXEMPT
        ]
        found = [
            (until, *member.partition(b"\0")[::2])
            for part in self._server.ask_all(commands)
            for member, until in part
        ]
        first = sorted(found)[:limit]
        accounts = self._accounts([(b"", name, account_id) for _, name, account_id in first])
        return tuple(each for each in accounts if each and standing(each, policy, now).status == "exempt")

    def groups(self, limit: int) -> Groups:
        """Coverage of the groups that have the most people."""
        answers = self._server.read_all([Call(SIZES, (key(shard, GROUPS),)) for shard in SHARDS])
        return groups_of(_sizes(answers), limit)

    def _spots(self, look: "_Look", after: Spot | None, limit: int) -> list[Spot]:
        def fetch(wants: list[Want[str, Spot]]) -> list[Piece[Spot]]:
            answers = self._server.read_all(
                [look.walk(want.source, want.reached or after, want.number) for want in wants]
            )
            return [
                look.found(want.reached or after, end, members)
                for want, (end, members) in zip(wants, answers, strict=True)
            ]

        return first_of(SHARDS, fetch, limit, descending=look.descending)

    def _accounts(self, spots: list[Spot]) -> Iterator[Account | None]:
        """The accounts of some places, in their order."""
        ids = [account_id.decode(errors="replace") for *_, account_id in spots]
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


class _Look:
    """One question: whom to look for, where, and in which order."""

    def __init__(self, policy: Policy, who: Filter, sort: Sort, now: int) -> None:
        self._prefix = key_of(who.prefix)
        self.descending = sort.startswith("-")
        grace = grace_of(policy, now)
        self._parts = parts_of(who.statuses, grace)
        self._own, self._after = grace.own or "created", grace.after
        self._sort = sort
        self._time = TIME if sort.endswith("last_verified") else 0
        self._scopes = scopes_of(who)
        self._now = now

    def walk(self, shard: str, after: Spot | None, number: int) -> Call:
        """What to ask of a shard for the next of its people."""
        scope = self._scopes[0]
        sets = [("until", scope), (self._own, scope)]
        sets += [(text, EVERYONE) for text in ("names", "emails", "logins")]
        sets += [(kind, self._prefix[:STARTS]) for kind in ("starts", "others")]
        # Who is found by a text is in everybody's set of texts, and has to be looked for in the scope.
        further = self._scopes[(0 if self._prefix and scope != EVERYONE else 1) :]
        sets += [("names", each) for each in further]
        return Call(
            WALK,
            tuple(
                key(shard, set_of(each, part.stands, of))
                for part in self._parts
                for each, of in [(self._kind(part), scope), *sets]
            ),
            (
                "down" if self.descending else "up",
                self._beginning(after),
                number,
                self._now,
                self._after,
                self._prefix,
                min(len(self._prefix) - 1, MOST_SHARED),
                self._time,
                int(scope == EVERYONE),
                FEW,
                1 + len(sets),
                *(said for part in self._parts for said in (*_says(part), int(part.stands in NEW))),
            ),
        )

    def _kind(self, part: Part) -> str:
        """In which sets a part is in order. Nobody who is new was ever verified."""
        return "times" if self._time and part.stands not in NEW else "names"

    def found(self, before: Spot | None, end: bytes, members: bytes) -> Piece[Spot]:
        """What a source has answered."""
        reached = self.spot_in(end) if end else None
        if reached is not None and before is not None and not self.is_past(reached, before):
            # A member that no name of ours makes: lists end here, but they do not go round in circles.
            reached = None
        return Piece([self.spot_in(member) for member in _split(members)], reached)

    def is_past(self, spot: Spot, other: Spot) -> bool:
        """True if `spot` comes later in the list."""
        return spot < other if self.descending else spot > other

    def spot_in(self, member: bytes) -> Spot:
        """The place in what a script says; whatever was put into a set by hand has some place, too."""
        name, _, account_id = member[self._time :].partition(b"\0")
        return member[: self._time], name, account_id

    def spot_of(self, place: Place) -> Spot:
        """A place as it is compared here."""
        time = f"{place.last_verified_at:0{TIME}x}".encode() if self._time else b""
        name, account_id = (text.replace("\0", "\1").encode() for text in (place.name_key, place.account_id))
        return time, name, account_id

    def place_of(self, spot: Spot) -> Place:
        """The same for whoever goes on from there."""
        time, name, account_id = spot
        at = int(time, 16) if _HEX.fullmatch(time) else 0
        return Place(
            sort=self._sort,
            last_verified_at=at,
            name_key=name.decode(errors="replace"),
            account_id=account_id.decode(errors="replace"),
        )

    def _beginning(self, after: Spot | None) -> bytes:
        """Where a range begins: past everything that this account may have in its member."""
        if after is None:
            return b"+" if self.descending else b"-"
        time, name, account_id = after
        return b"(" + time + name + b"\0" + account_id + (b"" if self.descending else b"\0" + _END)


def _sizes(answers: list[bytes]) -> Iterator[tuple[str, str, int]]:
    sums: dict[bytes, int] = {}
    for words in map(_split, answers):
        for field, size in zip(words[::2], words[1::2], strict=False):
            sums[field] = sums.get(field, 0) + (int(size) if size.isdigit() else 0)
    for field, total in sums.items():
        stands, _, group = field.decode(errors="replace").partition(":")
        yield group, stands, total


def _says(part: Part) -> tuple[str, str]:
    still, in_time = ("" if wanted is None else str(int(wanted)) for wanted in (part.still, part.in_time))
    return still, in_time


def _split(members: bytes) -> list[bytes]:
    return members.split(_END) if members else []
