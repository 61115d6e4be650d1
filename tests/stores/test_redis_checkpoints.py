"""Checkpoints, comparison and anchor over the sixteen shards of a Redis store."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mfa_gate.anchors import AnchorFile
from mfa_gate.core.checkpoints import Signed, to_sign
from mfa_gate.core.errors import RolledBack, StoreUnavailable
from mfa_gate.core.events import ORG, Actor
from mfa_gate.flows.anchoring import AnchorKeeper, first_anchor
from mfa_gate.flows.checkpoints import Checkpointer
from mfa_gate.flows.restoring import begin_afresh
from mfa_gate.flows.trails import live
from mfa_gate.flows.verifying import verify
from mfa_gate.keys import Key
from mfa_gate.keys.signatures import is_signed, public_of, sign
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.redis_keys import key, shard_of
from tests.stores.contract import NOW, event, person, put, session, totp
from tests.stores.files import STORE_ID
from tests.stores.redis_servers import RedisServer, Servers, make, reopen

KEY = Key(id="c1", secret=bytes(range(32)))
ALICE = person("alice")


def is_ours(signed: Signed) -> bool:
    return signed.key == KEY.id and is_signed(to_sign(signed.body), signed.signature, public_of(KEY))


class Bench:
    """A store that is checkpointed, and somebody with a shell at its server."""

    def __init__(self, server: RedisServer, place: Path) -> None:
        self.server = server
        self.now = NOW
        self.store: RedisStore = make(server.url)
        self.anchors = AnchorFile(place / "anchor")
        self.keeper = AnchorKeeper(self.store.stream, self.anchors, is_ours)
        self.job = Checkpointer(
            self.store, self.keeper, lambda message: (KEY.id, sign(KEY, message)), is_ours
        )

    def minute(self, *subjects: str) -> Signed | None:
        for subject in subjects:
            put(self.store, self.store.account(person(subject).id) or person(subject))
        self.now += 60
        return self.job.tick(self.now)

    def broken(self) -> str | None:
        return verify(live(self.store.stream), is_ours, STORE_ID).broken

    def alarms(self) -> list[str]:
        found = self.store.events(account_id=ORG, kind="tampering_noticed", before=None, limit=99)
        return [each.event.details["what"] for each in reversed(found)]

    def copy(self) -> dict[bytes, Any]:
        """Everything, as it is now."""
        with self.server.client() as client:
            return {name: client.dump(name) for name in client.keys("mfa:*")}

    def put_back(self, copied: dict[bytes, Any]) -> None:
        with self.server.client() as client:
            client.flushall()
            for name, content in copied.items():
                client.restore(name, 0, content)


@pytest.fixture
def bench(servers: Servers, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(servers.emptied("redis-8"), tmp_path)
    with closing(bench.store):
        yield bench


PEOPLE = tuple(f"user-{number}" for number in range(40))


def test_all_shards_are_signed(bench: Bench) -> None:
    signed = bench.minute(*PEOPLE)
    assert signed
    marks = {mark.shard: mark.count for mark in signed.read().marks}
    assert marks.keys() == set("0123456789abcdef")
    assert sum(marks.values()) == 41
    assert bench.minute(*PEOPLE[:5])
    assert bench.minute() is None
    assert bench.broken() is None
    anchor = bench.anchors.read()
    assert anchor
    assert anchor.number == 2
    assert len(anchor.positions) == 16


def test_j19_what_was_taken_out_of_one_shard_is_found(bench: Bench) -> None:
    bench.minute(*PEOPLE)
    bench.minute(*PEOPLE)
    shard = shard_of(person(PEOPLE[0]).id)
    with bench.server.client() as client:
        name = client.xrevrange(key(shard, "events"), count=1)[0][0]
        client.xdel(key(shard, "events"), name)
    said = bench.broken() or ""
    assert "Between checkpoint 1" in said
    assert f"in shard {shard} there are 1 fewer" in said
    assert bench.job.examine(bench.now)
    assert bench.alarms()


def test_one_account_put_back_is_alarmed_within_a_minute(bench: Bench) -> None:
    bench.minute("alice")
    shard = shard_of(ALICE.id)
    with bench.server.client() as client:
        older = {part: client.hget(key(shard, part), ALICE.id) for part in ("accounts", "heads")}
    put(bench.store, replace(ALICE, version=1, totps=(totp(),)))
    bench.minute()
    with bench.server.client() as client:
        for part, value in older.items():
            client.hset(key(shard, part), ALICE.id, value)
    bench.minute()
    (text,) = bench.alarms()
    assert ALICE.id in text


def test_j16_a_server_put_back_whole_is_refused_until_the_loss_is_accepted(bench: Bench) -> None:
    put(bench.store, ALICE, open_session=session(ALICE, "s1"))
    bench.minute()
    older = bench.copy()
    bench.minute("alice", "bob")
    bench.store.commit_policy(bench.store.policy(), (event("policy_changed"),), NOW)
    bench.minute()
    bench.put_back(older)
    with pytest.raises(RolledBack):
        bench.minute()
    with closing(reopen(bench.server.url)) as again:
        keeper = AnchorKeeper(again.stream, bench.anchors, is_ours)
        with pytest.raises(RolledBack, match="Rollback detected"):
            keeper.refuse_older()
        known = bench.anchors.read()
        policy = begin_afresh(again, known, Actor(subject="root", surface="shell"), "tested", bench.now)
        assert known
        assert policy.version > known.policy_version
        bench.anchors.accept(first_anchor(again.stream.reached(), bench.now))
        keeper.refuse_older()
        assert again.facts(ALICE.id, "s1", NOW).policy_version == policy.version
    assert bench.minute("alice")
    assert bench.broken() is None
    assert bench.store.broken_chain() is None


def test_an_emptied_server_is_refused(bench: Bench) -> None:
    bench.minute(*PEOPLE)
    with bench.server.client() as client:
        client.flushall()
    with pytest.raises(StoreUnavailable):
        bench.keeper.refuse_older()


Rows = list[tuple[bytes, dict[bytes, bytes]]]


def _swap(rows: Rows, one: int, other: int, *fields: bytes) -> None:
    for field in fields:
        rows[one][1][field], rows[other][1][field] = rows[other][1][field], rows[one][1][field]


def _put(rows: Rows, at: int, field: bytes, value: bytes) -> None:
    rows[at][1][field] = value


EVENTS: dict[str, Callable[[Rows], object]] = {
    "the first taken out": lambda rows: rows.pop(0),
    "one in the middle taken out": lambda rows: rows.pop(2),
    "all taken out": lambda rows: rows.clear(),
    "the first interval taken out": lambda rows: rows.__delitem__(slice(0, 2)),
    "one edited": lambda rows: _put(rows, 1, b"r", rows[1][1][b"r"].replace(b"user", b"nobo")),
    "one edited by a space": lambda rows: _put(rows, 1, b"r", rows[1][1][b"r"] + b" "),
    "a link edited": lambda rows: _put(rows, 2, b"l", b"x" * 32),
    "one given to somebody else": lambda rows: _put(rows, 2, b"a", ALICE.id.encode()),
    "two exchanged": lambda rows: _swap(rows, 0, 3, b"a", b"r", b"l", b"k"),
    "one put in": lambda rows: rows.insert(1, (rows[0][0].replace(b"-0", b"-1"), dict(rows[0][1]))),
    "one dated back": lambda rows: rows.__setitem__(1, (rows[0][0].replace(b"-0", b"-9"), rows[1][1])),
}
SIGNED: dict[str, Callable[[Rows], object]] = {
    "the first checkpoint taken out": lambda rows: rows.pop(0),
    "a checkpoint taken out": lambda rows: rows.pop(1),
    "a checkpoint edited": lambda rows: _put(rows, 0, b"b", rows[0][1][b"b"].replace(b":1,", b":2,")),
    "two checkpoints exchanged": lambda rows: _swap(rows, 0, 1, b"b", b"k", b"s"),
    "a signature exchanged": lambda rows: _swap(rows, 0, 1, b"s"),
    "a key that nobody has": lambda rows: _put(rows, 2, b"k", b"x"),
}


def test_j19_what_is_done_by_hand_in_a_dozen_ways_is_found_with_the_public_key_alone(bench: Bench) -> None:
    for _ in range(3):
        bench.minute(*PEOPLE[:20])
    shard = max("0123456789abcdef", key=lambda each: len(bench.store.stream.entries(each, None, 99)))
    assert len(bench.store.stream.entries(shard, None, 99)) >= 6
    assert bench.broken() is None
    untouched = bench.copy()
    for part, ways in ((key(shard, "events"), EVENTS), (key("0", "checkpoints"), SIGNED)):
        for how, change in ways.items():
            with bench.server.client() as client:
                rows = [(name, dict(fields)) for name, fields in client.xrange(part)]
                change(rows)
                client.delete(part)
                for name, fields in rows:
                    client.xadd(part, fields, id=name)
            assert bench.broken(), how
            bench.put_back(untouched)
    assert bench.broken() is None
