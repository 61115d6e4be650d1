"""Decides which accounts an SQLite store shows for a filter; its columns are derived and decide nothing else.

A list is a union of ordered and limited searches, each along one index, so that a page costs the same among a million
people. A search by the beginning of a text whose matches are few puts those in order; of many, a walk through
everybody in order soon finds a page.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final

from mfa_gate.core.accounts import Account
from mfa_gate.core.listing import Filter, Place, Sort
from mfa_gate.core.policy import Grace, GraceFrom, Policy, Status, grace_of, standing
from mfa_gate.ports import Groups, Page, Row
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.index import (
    EVERYONE,
    EXEMPT,
    FADING,
    Part,
    Stands,
    counted,
    group_in,
    group_scope,
    groups_of,
    key_of,
    parts_of,
    scopes_of,
)

FEW: Final = 3000
"""Matches of a search that are put in order."""
_LAST: Final = "\U0010ffff"
"""Sorts after every letter: where a range of prefixes ends."""

_OWN: Final[dict[GraceFrom, str]] = {"first_seen": "seen_at", "created": "made_at", "policy": "made_at"}
_BEGINS: Final = (
    "({0}name_key >= :prefix AND {0}name_key < :last OR {0}email_key >= :prefix AND {0}email_key < :last \
OR {0}subject_key >= :prefix AND {0}subject_key < :last)"
)
_NAMES: Final[Mapping[str, str]] = {"name": "name_key >= :prefix AND name_key < :last"}
_OTHERS: Final[Mapping[str, str]] = {
    text: f"{text}_key >= :prefix AND {text}_key < :last AND {text}_shared < :length"
    for text in ("email", "subject")
}
"""Who is found by this text, and not by another one that begins so, too."""

Spot = tuple[int, str, str]
"""(last verified, name key, account id)."""


def people(
    db: sqlite3.Connection,
    documents: Documents,
    policy: Policy,
    who: Filter,
    *,
    sort: Sort,
    after: Place | None,
    limit: int,
    now: int,
) -> Page:
    """One page of accounts, on one state of the store."""
    look = _Look(db, policy, who, sort, now)
    rows: list[tuple[Place, Row]] = []
    while len(rows) <= limit:
        found = look.spots(after, limit + 1)
        for spot, account in _accounts(db, documents, found):
            # The document decides what is shown; the index has only found it.
            stands = standing(account, policy, now).status
            if stands in who.statuses:
                rows.append((_place(sort, spot), Row(account=account, status=stands)))
        if len(found) <= limit:
            break
        after = _place(sort, found[-1])
    shown = rows[:limit]
    return Page(
        rows=tuple(row for _, row in shown),
        first=shown[0][0] if shown else None,
        next=shown[-1][0] if len(rows) > limit else None,
    )


def counts(db: sqlite3.Connection, policy: Policy, who: Filter, now: int) -> dict[Status, int] | None:
    """How many people of a filter's scope have each status; None: that is not known without looking for them."""
    scopes, grace = scopes_of(who), grace_of(policy, now)
    if who.prefix or len(scopes) > 1:
        return None
    given = {"scope": scopes[0], "now": now, "after": grace.after}
    sizes: dict[Stands, int] = dict(
        db.execute("SELECT stands, size FROM tally WHERE scope = :scope", given).fetchall()
    )
    table, scope = ("account", "") if scopes[0] == EVERYONE else ("member", "scope = :scope AND ")

    def number(part: Part, most: int = -1) -> int:
        row = db.execute(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {scope}stands = '{part.stands}'"  # noqa: S608
            f"{_only(part, grace)} LIMIT {most})",
            given,
        ).fetchone()
        return int(row[0])

    def lasting(stands: Stands) -> int:
        # As a rule few are left whose time is over, and those who still have some need not be counted one by one.
        over = number(Part(stands, still=False), FEW)
        return sizes.get(stands, 0) - over if over < FEW else number(Part(stands, still=True))

    still = {stands: lasting(stands) for stands in FADING}
    in_time: dict[Stands, int] = {}
    if grace.own is not None:
        in_time = {
            "exempt_new": number(Part("exempt_new", still=False, in_time=True)),
            "new": number(Part("new", in_time=True)),
        }
    return counted(sizes, still, in_time, grace)


def exempt(
    db: sqlite3.Connection, documents: Documents, policy: Policy, limit: int, now: int
) -> tuple[Account, ...]:
    """Those whose exemption runs, the first to end first."""
    each = " UNION ALL ".join(
        "SELECT * FROM (SELECT until, last_verified_at, name_key, id FROM account INDEXED BY account_by_end "  # noqa: S608
        f"WHERE stands = '{stands}' AND until > :now AND until > 0 ORDER BY until LIMIT :limit)"
        for stands in EXEMPT
    )
    asked = f"SELECT last_verified_at, name_key, id FROM ({each}) ORDER BY until, name_key, id LIMIT :limit"  # noqa: S608
    spots = db.execute(asked, {"now": now, "limit": limit}).fetchall()
    found = (account for _, account in _accounts(db, documents, spots))
    return tuple(account for account in found if standing(account, policy, now).status == "exempt")


def groups(db: sqlite3.Connection, limit: int) -> Groups:
    """Coverage of the groups that have the most people."""
    first, last = group_scope(""), group_scope(_LAST)
    rows = db.execute("SELECT scope, stands, size FROM tally WHERE scope BETWEEN ? AND ?", (first, last))
    return groups_of(((str(group_in(scope)), stands, size) for scope, stands, size in rows), limit)


def _only(part: Part, grace: Grace) -> str:
    """What a part demands, as a condition that follows others."""
    still = "" if part.still is None else f" AND until > 0 AND until {'>' if part.still else '<='} :now"
    own = _OWN[grace.own or "created"]
    in_time = "" if part.in_time is None else f" AND {own} {'>' if part.in_time else '<='} :after"
    return still + in_time


class _Look:
    """One question: whom to look for, where, and in which order."""

    def __init__(self, db: sqlite3.Connection, policy: Policy, who: Filter, sort: Sort, now: int) -> None:
        self._db = db
        grace = grace_of(policy, now)
        self._parts = [(part.stands, _only(part, grace)) for part in parts_of(who.statuses, grace)]
        self._prefix = key_of(who.prefix)
        scopes = scopes_of(who)
        self._everyone = scopes[0] == EVERYONE
        by_time, descending = sort.endswith("last_verified"), sort.startswith("-")
        keys = ("last_verified_at", "name_key", "id") if by_time else ("name_key", "id")
        self._order = ", ".join(key + (" DESC" if descending else "") for key in keys)
        self._past = (
            f"({', '.join(keys)}) {'<' if descending else '>'} ({', '.join(f':{key}' for key in keys)})"
        )
        self._index = "time" if by_time else "name"
        self._given: dict[str, object] = {
            "now": now,
            "after": grace.after,
            "prefix": self._prefix,
            "last": self._prefix + _LAST,
            "length": len(self._prefix),
            **{f"scope{number}": scope for number, scope in enumerate(scopes)},
        }
        self._further = "".join(
            f" AND EXISTS (SELECT 1 FROM member AS also WHERE also.id = hit.id AND also.scope = :scope{number})"  # noqa: S608
            for number in range(len(scopes))
            if number or self._prefix
        )
        if self._everyone:
            self._further = ""

    def spots(self, after: Place | None, limit: int) -> list[Spot]:
        """The first places after one."""
        if not self._parts:
            return []
        past = ""
        if after is not None:
            self._given |= {
                "last_verified_at": after.last_verified_at,
                "name_key": after.name_key,
                "id": after.account_id,
            }
            past = f" AND {self._past}"
        self._given["limit"] = limit
        searches = self._walks(past)
        if self._prefix and self._are_few(_OTHERS):
            # Whose names begin so stand together in the order of names; of another order they have to be few, too.
            if self._index == "name":
                searches = self._walks(past, names_only=True) + self._matches(past, _OTHERS)
            elif self._are_few(_NAMES):
                searches = self._matches(past, {**_NAMES, **_OTHERS})
        union = " UNION ALL ".join(searches)
        return self._db.execute(
            f"SELECT DISTINCT last_verified_at, name_key, id FROM ({union}) ORDER BY {self._order} LIMIT :limit",  # noqa: S608
            self._given,
        ).fetchall()

    def _walks(self, past: str, *, names_only: bool = False) -> list[str]:
        """Everybody who stands as wanted, in order."""
        table, scope = ("account", "") if self._everyone else ("member", " AND scope = :scope0")
        index = f"account_by_{self._index}"
        if not self._everyone:
            index = "member_by_time" if self._index == "time" else ""
        fits = ""
        if names_only:
            fits = f" AND {_NAMES['name']}"
        elif self._prefix and self._everyone:
            fits = f" AND {_BEGINS.format('')}"
        elif self._prefix:
            begins = _BEGINS.format("account.")
            fits = f" AND EXISTS (SELECT 1 FROM account WHERE account.id = hit.id AND {begins})"  # noqa: S608
        by = f" INDEXED BY {index}" if index else ""
        further = self._further
        return [
            f"SELECT * FROM (SELECT last_verified_at, name_key, id FROM {table} AS hit{by} "  # noqa: S608
            f"WHERE stands = '{stands}'{scope}{only}{past}{fits}{further} "
            f"ORDER BY {self._order} LIMIT :limit)"
            for stands, only in self._parts
        ]

    def _matches(self, past: str, texts: Mapping[str, str]) -> list[str]:
        """Everybody with a text that begins so, in no order."""
        return [
            f"SELECT last_verified_at, name_key, id FROM account AS hit INDEXED BY account_by_{text} "  # noqa: S608
            f"WHERE stands = '{stands}' AND {begins}{only}{past}{self._further}"
            for stands, only in self._parts
            for text, begins in texts.items()
        ]

    def _are_few(self, texts: Mapping[str, str]) -> bool:
        each = " UNION ALL ".join(
            f"SELECT * FROM (SELECT 1 FROM account INDEXED BY account_by_{text} WHERE stands = '{stands}' "  # noqa: S608
            f"AND {begins} LIMIT {FEW})"
            for stands in dict.fromkeys(stands for stands, _ in self._parts)
            for text, begins in texts.items()
        )
        (found,) = self._db.execute(f"SELECT COUNT(*) FROM ({each})", self._given).fetchone()  # noqa: S608
        return bool(found < FEW)


def _place(sort: Sort, spot: Spot) -> Place:
    at, name_key, account_id = spot
    at = at if sort.endswith("last_verified") else 0
    return Place(sort=sort, last_verified_at=at, name_key=name_key, account_id=account_id)


def _accounts(
    db: sqlite3.Connection, documents: Documents, spots: list[Spot]
) -> Iterator[tuple[Spot, Account]]:
    """The accounts of some places, in their order."""
    marks = ", ".join("?" * len(spots))
    rows = db.execute(
        "SELECT account.id, account.version, account.sealed, register.sealed FROM account "  # noqa: S608
        f"LEFT JOIN register ON register.account = account.id WHERE account.id IN ({marks})",
        [account_id for *_, account_id in spots],
    )
    records = {account_id: record for account_id, *record in rows}
    for spot in spots:
        if (record := records.get(spot[2])) is None:
            continue
        version, sealed, register = record
        account = documents.account(spot[2], version, sealed, documents.register(spot[2], register))
        if account is not None:
            yield spot, account
