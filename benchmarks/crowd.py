"""Fills stores with people by the thousand, in pipelines: records, chain heads and lists as a store itself writes them.

Who they are is the same in every run. Their chains are empty: what was never written need not be read for a list.
"""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption, RecoveryCodes, Totp, account_id
from mfa_gate.core.throttle import Strikes
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.index import EVERYONE, index_of
from mfa_gate.stores.redis_connection import Server, Words
from mfa_gate.stores.redis_index import entries_of
from mfa_gate.stores.redis_keys import key, shard_of
from mfa_gate.stores.registers import Register
from mfa_gate.stores.sqlite_connection import Connections

NOW: Final = 1_800_000_000
AT_ONCE: Final = 5000
# fmt: off
FIRST: Final = (
    "Ada", "Aisha", "Alan", "Alice", "Amir", "Anna", "Ben", "Bea", "Carla", "Chen", "Dana", "David", "Elena",
    "Emil", "Fatima", "Finn", "Grace", "Hugo", "Ines", "Ivan", "Jana", "Jonas", "Kim", "Lars", "Lea", "Mara",
    "Mehmet", "Nina", "Noah", "Olga", "Omar", "Paula", "Pia", "Quentin", "Rosa", "Ruben", "Sara", "Sven",
    "Tara", "Tom", "Uma", "Victor", "Wanda", "Xenia", "Yusuf", "Zoe",
)
LAST: Final = (
    "Adams", "Bauer", "Becker", "Brown", "Castro", "Chen", "Costa", "Diaz", "Eriksen", "Evans", "Fischer",
    "Garcia", "Haas", "Ito", "Jansen", "Keller", "Khan", "Kim", "Lang", "Lopez", "Meyer", "Moreau",
    "Nakamura", "Novak", "Okafor", "Olsen", "Park", "Patel", "Quist", "Rossi", "Roth", "Sato", "Schmidt",
    "Silva", "Smith", "Tanaka", "Ueda", "Vogel", "Wang", "Weber", "Xu", "Young", "Zhou",
)
# fmt: on
WARDS: Final = tuple(f"ward {number}" for number in range(200))
PROFESSIONS: Final = ("nurses", "doctors", "staff", "students")


def people(number: int, now: int = NOW) -> Iterator[Account]:
    """So many as of `now`: four of five have set it up, one in a thousand is paused, one in two hundred exempt."""
    choose = random.Random(7)
    for each in range(number):
        first, last, kind = choose.choice(FIRST), choose.choice(LAST), choose.random()
        subject = f"{first[0]}{last}{each}".lower()
        enrolled = kind < 0.8
        # Somebody is paused if every way is.
        strikes = Strikes(paused_until=now + 600) if kind < 0.001 else Strikes()
        app = Totp(id="t1", name="Phone", secret=b"s" * 20, added_at=now, strikes=strikes)
        codes = RecoveryCodes(made_at=now, hashes=(b"h" * 32,) * 10, total=10, strikes=strikes)
        exemption = Exemption(reason="No phone", approved_by="root", given_at=now, until=now + 600)
        yield Account(
            id=account_id("portal", subject),
            realm="portal",
            subject=subject,
            name=f"{first} {last}",
            email=f"{first}.{last}{each}@example.test".lower(),
            groups=(choose.choice(WARDS), choose.choice(PROFESSIONS)),
            version=1,
            active=kind < 0.99,
            first_seen_at=0 if kind > 0.97 else now - choose.randrange(10**8),
            last_verified_at=now - choose.randrange(10**7) if enrolled else 0,
            totps=(app,) if enrolled else (),
            recovery=codes if enrolled else None,
            exemption=exemption if 0.8 <= kind < 0.805 else None,
        )


def fill_redis(server: Server, documents: Documents, accounts: Iterable[Account]) -> None:
    """Put people into a store that `RedisStore.create` has made."""
    for part in _parts(accounts):
        hashes, sets = defaultdict[str, list[str | bytes]](list), defaultdict[str, list[str | int]](list)
        for account in part:
            shard = shard_of(account.id)
            document = b"1:" + documents.seal_account(account)
            hashes[key(shard, "accounts")] += (account.id, document)
            hashes[key(shard, "heads")] += (account.id, documents.seal_register(account.id, _register()))
            for (name, member), score in entries_of(account.id, index_of(account)).items():
                sets[key(shard, name)] += (score, member)
        commands: list[Words] = [("HSET", name, *fields) for name, fields in hashes.items()]
        commands += [("ZADD", name, *members) for name, members in sets.items()]
        for at in range(0, len(commands), 500):
            server.put_all(commands[at : at + 500])


def fill_sqlite(connections: Connections, documents: Documents, accounts: Iterable[Account]) -> None:
    """Put people into a store that `SqliteStore.create` has made."""
    for part in _parts(accounts):
        rows, registers, members, tally = [], [], [], Counter[tuple[str, str]]()
        for account in part:
            row = index_of(account)
            times = (row.until, row.seen_at, row.made_at)
            texts = (row.name_key, row.email_key, row.subject_key)
            rows.append(
                (
                    account.id,
                    1,
                    documents.seal_account(account),
                    *texts,
                    row.last_verified_at,
                    row.stands,
                    *times,
                    row.email_shared,
                    row.subject_shared,
                )
            )
            registers.append((account.id, documents.seal_register(account.id, _register())))
            members += [
                (scope, row.stands, row.name_key, account.id, *times, row.last_verified_at)
                for scope in row.scopes
            ]
            tally.update((scope, row.stands) for scope in (EVERYONE, *row.scopes))
        with connections.writing() as db:
            db.executemany("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            db.executemany("INSERT INTO register VALUES (?, ?)", registers)
            db.executemany("INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?)", members)
            db.executemany(
                "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET size = size + excluded.size",
                [(*each, size) for each, size in tally.items()],
            )


def _register() -> Register:
    empty = Register()
    return replace(empty, head=replace(empty.head, version=1))


def _parts(accounts: Iterable[Account]) -> Iterator[list[Account]]:
    remaining = iter(accounts)
    while part := list(itertools.islice(remaining, AT_ONCE)):
        yield part
