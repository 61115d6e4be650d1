"""Decides which accounts an SQLite store shows for a filter; its columns are derived and decide nothing else."""

import sqlite3
from typing import get_args

from mfa_gate.core.accounts import Account, fold_subject
from mfa_gate.core.policy import Policy, Status, standing
from mfa_gate.ports import Page, Row
from mfa_gate.stores.documents import Documents, cursor_at, position_of

_LAST = "\U0010ffff"
"""Sorts after every letter: where a range of prefixes ends."""

# What `core.policy.standing` says, as ranges over the index columns; `exempt` and `grace` do not occur yet.
_STATUS: dict[Status, str] = {
    "inactive": "active = 0",
    "paused": "+active = 1 AND paused_until > 0 AND paused_until > :now",  # few: found by the index of pauses
    "enrolled": "active = 1 AND has_factor = 1 AND paused_until <= :now",
    "missing": "active = 1 AND has_factor = 0",
}

_PREFIX = tuple(
    f"INDEXED BY account_by_{word} WHERE {word}_key >= :prefix AND {word}_key < :last"
    for word in ("name", "email", "subject")
)


def people(
    db: sqlite3.Connection,
    documents: Documents,
    policy: Policy,
    *,
    status: Status | None,
    prefix: str,
    after: str | None,
    limit: int,
    now: int,
) -> Page:
    """One page of accounts in name order, on one state of the store."""
    rows: list[tuple[str, Row]] = []
    while len(rows) <= limit:
        found = _accounts(
            db, documents, status=status, prefix=fold_subject(prefix), after=after, limit=limit + 1, now=now
        )
        for cursor, account in found:
            # The document decides what is shown; the index has only found it.
            stands = standing(account, policy, now).status
            if status in (None, stands):
                rows.append((cursor, Row(account=account, status=stands)))
        if len(found) <= limit:
            break
        after = found[-1][0]
    shown = rows[:limit]
    return Page(rows=tuple(row for _, row in shown), next=shown[-1][0] if len(rows) > limit else None)


def counts(db: sqlite3.Connection, now: int) -> dict[Status, int]:
    """How many people have each status, on one state of the store."""

    def count(condition: str) -> int:
        row = db.execute(f"SELECT COUNT(*) FROM account WHERE {condition}", {"now": now}).fetchone()  # noqa: S608
        return int(row[0])

    inactive, paused = count(_STATUS["inactive"]), count(_STATUS["paused"])
    enrolled = count("active = 1 AND has_factor = 1") - paused
    missing = count("1") - inactive - paused - enrolled
    found: dict[Status, int] = dict.fromkeys(get_args(Status), 0)
    return found | {"inactive": inactive, "paused": paused, "enrolled": enrolled, "missing": missing}


def _accounts(
    db: sqlite3.Connection,
    documents: Documents,
    *,
    status: Status | None,
    prefix: str,
    after: str | None,
    limit: int,
    now: int,
) -> list[tuple[str, Account]]:
    conditions = ["1"] if status is None else [_STATUS.get(status, "0")]
    place = position_of(after or "")
    if after is not None:
        conditions.append("(name_key, id) > (:name_key, :id)")
    # One ordered and limited search for each index, so that a page costs the same among a million people.
    searches = " UNION ".join(
        f"SELECT * FROM (SELECT name_key, id FROM account {where} AND {' AND '.join(conditions)}"  # noqa: S608
        " ORDER BY name_key, id LIMIT :limit)"
        for where in (_PREFIX if prefix else ("WHERE 1",))
    )
    found = db.execute(
        "SELECT hit.name_key, account.id, account.version, account.sealed, register.sealed "  # noqa: S608
        f"FROM (SELECT * FROM ({searches}) ORDER BY name_key, id LIMIT :limit) AS hit "
        "JOIN account ON account.id = hit.id LEFT JOIN register ON register.account = hit.id "
        "ORDER BY hit.name_key, hit.id",
        {
            "now": now,
            "prefix": prefix,
            "last": prefix + _LAST,
            "name_key": place[0],
            "id": place[1],
            "limit": limit,
        },
    ).fetchall()
    shown = []
    for key, account_id, version, sealed, register in found:
        account = documents.account(account_id, version, sealed, documents.register(account_id, register))
        if account is not None:
            shown.append((cursor_at(key, account_id), account))
    return shown
