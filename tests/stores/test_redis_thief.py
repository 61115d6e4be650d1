"""Somebody who can write everything in Redis, but has no key, can destroy what is in it and let nobody in.

Each test changes keys by hand, as with `redis-cli`, and says what becomes of it: refused, or found by `broken_chain`.
The stated limits are tests, too.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.ports import Change
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.redis_keys import SHARDS, key, last_key, live_key, shard_of
from tests.stores.contract import NOW, challenge, event, person, put, session, totp
from tests.stores.redis_servers import Servers, make, reopen

ALICE, BOB = person("alice").id, person("bob").id


class Thief:
    """The server, as somebody sees it who has no key."""

    def __init__(self, url: str, client: Any) -> None:  # noqa: ANN401
        self.url = url
        self.client = client

    def run(self, *words: str | bytes | int) -> object:
        answer: object = self.client.execute_command(*words)
        return answer

    def field(self, part: str, account: str) -> bytes | None:
        value: bytes | None = self.client.hget(key(shard_of(account), part), account)
        return value

    def set_field(self, part: str, account: str, value: bytes | str | None) -> object:
        name = last_key(account) if part == "last" else key(shard_of(account), part)
        if value is None:
            return self.run("HDEL", name, account)
        return self.run("HSET", name, account, value)

    def set_shard(self, account: str, field: str, value: bytes | None) -> object:
        name = key(shard_of(account), "shard")
        if value is None:
            return self.run("HDEL", name, field)
        return self.run("HSET", name, field, value)

    def dump(self, *names: str) -> dict[str, bytes | None]:
        return {name: self.client.dump(name) for name in names}

    def put_back(self, dumped: dict[str, bytes | None]) -> None:
        for name, value in dumped.items():
            self.client.delete(name)
            if value is not None:
                self.client.restore(name, 0, value)

    def everything(self) -> dict[str, bytes | None]:
        return self.dump(*(name.decode() for name in self.client.keys("*")))


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.emptied("redis-7").url


@pytest.fixture
def store(url: str) -> Iterator[RedisStore]:
    """Alice is enrolled and signed in, Bob is not enrolled; the policy is on."""
    store = make(url, timeout_seconds=10)
    store.commit_policy(replace(store.policy(), require_two_step=True), (event("policy_changed"),), NOW)
    for subject in ("alice", "bob"):
        account = put(store, person(subject), open_session=session(person(subject), f"{subject}-1"))
        apps = (totp(),) if subject == "alice" else ()
        put(store, replace(account, totps=apps), open_session=session(account, f"{subject}-2"))
    yield store
    store.close()


@pytest.fixture
def thief(store: RedisStore, url: str) -> Iterator[Thief]:
    with redis.Redis.from_url(url) as client:
        yield Thief(url, client)


def read(store: RedisStore, account_id: str) -> Account:
    account = store.account(account_id)
    assert account
    return account


# Sessions and challenges


@pytest.mark.parametrize("sealed", [b"", b"junk", b"v1\x072026-01" + b"\0" * 60])
@pytest.mark.parametrize("prefix", [b"", b"9999999999:", b"x:", b":"])
def test_a_forged_session_does_not_open(
    store: RedisStore, thief: Thief, prefix: bytes, sealed: bytes
) -> None:
    thief.run("HSET", live_key(ALICE), "s:alice-1", prefix + sealed)
    if prefix + sealed:
        with pytest.raises(StoreUnavailable):
            store.facts(ALICE, "alice-1", NOW)
    thief.run("HSET", live_key(ALICE), "s:mine", prefix + sealed)
    assert store.facts(ALICE, "mine", NOW).session is None
    assert read(store, ALICE).version == 2


@pytest.mark.parametrize(("owner", "name"), [(ALICE, "alice-1"), (BOB, "bob-2"), (ALICE, "mine")])
def test_a_session_does_not_open_for_another_account_or_key(
    store: RedisStore, thief: Thief, owner: str, name: str
) -> None:
    bobs = thief.client.hget(live_key(BOB), "s:bob-1")
    assert isinstance(bobs, bytes)
    thief.run("HSET", live_key(owner), f"s:{name}", bobs)
    try:
        assert store.facts(owner, name, NOW).session is None
    except RecordCorrupt:
        pass
    else:
        assert name == "mine"


def test_a_session_lives_no_longer_for_a_later_time_beside_it(store: RedisStore, thief: Thief) -> None:
    value = thief.client.hget(live_key(ALICE), "s:alice-1")
    assert isinstance(value, bytes)
    thief.run("HSET", live_key(ALICE), "s:alice-1", b"%d:%b" % (NOW + 10**6, value.partition(b":")[2]))
    thief.run("PERSIST", live_key(ALICE))
    assert store.facts(ALICE, "alice-1", NOW + 3600).session is None
    store.touch(((ALICE, "alice-1"),), NOW + 3600)
    assert store.sessions(ALICE, NOW + 3600) == ()


def test_a_challenge_lives_no_longer_for_a_later_time_beside_it(store: RedisStore, thief: Thief) -> None:
    bob = put(store, read(store, BOB), open_challenge=challenge(person("bob"), "c1"))
    value = thief.client.hget(live_key(BOB), "c:c1")
    assert isinstance(value, bytes)
    thief.run("HSET", live_key(BOB), "c:c1", b"%d:%b" % (NOW + 10**6, value.partition(b":")[2]))
    assert store.challenge("c1", BOB, NOW + 600) is None
    read(store, BOB)
    with pytest.raises(StaleState):
        store.commit(Change(account=bob, events=(event("verified", bob),), spend="c1"), NOW + 600)


def test_a_deleted_session_only_signs_out(store: RedisStore, thief: Thief) -> None:
    thief.run("HDEL", live_key(ALICE), "s:alice-1")
    assert store.facts(ALICE, "alice-1", NOW).session is None
    assert [each.key for each in store.sessions(ALICE, NOW)] == ["alice-2"]
    assert put(store, read(store, ALICE)).version == 3


@pytest.mark.parametrize("how", ["signed out", "ended by a commit", "a new epoch", "cap"])
def test_a_session_that_has_ended_cannot_be_put_back(store: RedisStore, thief: Thief, how: str) -> None:
    before = thief.dump(live_key(ALICE))
    alice = read(store, ALICE)
    if how == "signed out":
        store.end_session(session(alice, "alice-1"), (event("signed_out", alice),), NOW)
    elif how == "ended by a commit":
        put(store, alice, end_sessions=("alice-1",))
    elif how == "a new epoch":
        put(store, replace(alice, epoch=alice.epoch + 1))
    else:
        for number in range(50):
            alice = put(store, alice, open_session=session(alice, f"new-{number}"))
    thief.put_back(before)
    assert store.facts(ALICE, "alice-1", NOW).session is None
    assert "alice-1" not in [each.key for each in store.sessions(ALICE, NOW)]
    store.end_session(session(alice, "alice-1"), (event("signed_out", alice),), NOW)
    put(store, read(store, ALICE))
    assert store.facts(ALICE, "alice-1", NOW).session is None


def test_a_spent_challenge_cannot_be_put_back(store: RedisStore, thief: Thief) -> None:
    bob = put(store, read(store, BOB), open_challenge=challenge(person("bob"), "c1"))
    before = thief.dump(live_key(BOB))
    bob = put(store, bob, spend="c1")
    thief.put_back(before)
    assert store.challenge("c1", BOB, NOW) is None
    with pytest.raises(StaleState):
        put(store, bob, spend="c1")


def test_a_forged_session_does_not_keep_others_from_being_touched(store: RedisStore, thief: Thief) -> None:
    thief.run("HSET", live_key(BOB), "s:bob-1", b"9999999999:junk")
    thief.set_field("accounts", BOB, None)
    thief.set_field("heads", BOB, None)
    store.touch(((BOB, "bob-1"), (ALICE, "alice-1")), NOW + 60)
    touched = store.facts(ALICE, "alice-1", NOW).session
    assert touched
    assert touched.touched_at == NOW + 60


# Accounts


def refused(store: RedisStore, thief: Thief, account_id: str) -> None:
    """Whoever asks for this account is refused, and cannot enroll as somebody new."""
    with pytest.raises(RecordCorrupt):
        store.account(account_id)
    with pytest.raises(RecordCorrupt):
        store.facts(account_id, "alice-1", NOW)
    for client in (store, reopen(thief.url)):
        with pytest.raises((RecordCorrupt, StaleState)):
            client.commit(Change(account=person("alice")), NOW)
        with pytest.raises(RecordCorrupt):
            client.account(account_id)


TAMPERINGS: dict[str, Callable[[Thief], object]] = {
    "another's document": lambda thief: thief.set_field("accounts", ALICE, thief.field("accounts", BOB)),
    "document deleted": lambda thief: thief.set_field("accounts", ALICE, None),
    "document emptied": lambda thief: thief.set_field("accounts", ALICE, ""),
    "document of another kind": lambda thief: thief.set_field("accounts", ALICE, "none"),
    "version raised": lambda thief: thief.set_field(
        "accounts", ALICE, b"3:" + (thief.field("accounts", ALICE) or b"").partition(b":")[2]
    ),
    "version of nobody": lambda thief: thief.set_field(
        "accounts", ALICE, b"0:" + (thief.field("accounts", ALICE) or b"").partition(b":")[2]
    ),
    "version of no number": lambda thief: thief.set_field(
        "accounts", ALICE, b"9" * 5000 + b":" + (thief.field("accounts", ALICE) or b"").partition(b":")[2]
    ),
    "register deleted": lambda thief: thief.set_field("heads", ALICE, None),
    "another's register": lambda thief: thief.set_field("heads", ALICE, thief.field("heads", BOB)),
    "document and register deleted": lambda thief: (
        thief.set_field("accounts", ALICE, None),
        thief.set_field("heads", ALICE, None),
    ),
    "all documents deleted": lambda thief: thief.run("DEL", *(key(each, "accounts") for each in SHARDS)),
    "all documents and registers deleted": lambda thief: thief.run(
        "DEL", *(key(each, part) for each in SHARDS for part in ("accounts", "heads"))
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_j16_a_tampered_account_is_refused_never_unenrolled(
    store: RedisStore, thief: Thief, name: str
) -> None:
    TAMPERINGS[name](thief)
    refused(store, thief, ALICE)


@pytest.mark.parametrize("version", ["its own", "the newest"])
def test_an_older_document_is_refused(store: RedisStore, thief: Thief, version: str) -> None:
    older = thief.field("accounts", ALICE) or b""
    put(store, read(store, ALICE))
    if version == "the newest":
        older = b"3:" + older.partition(b":")[2]
    thief.set_field("accounts", ALICE, older)
    refused(store, thief, ALICE)


def test_a_document_is_not_written_over_one_that_was_exchanged_since_it_was_read(
    store: RedisStore, thief: Thief
) -> None:
    alice = read(store, ALICE)
    thief.set_field("accounts", ALICE, thief.field("accounts", BOB))
    with pytest.raises(RecordCorrupt):
        put(store, alice)


def test_one_tampered_account_hinders_nobody_else(store: RedisStore, thief: Thief) -> None:
    thief.set_field("accounts", ALICE, b"2:x")
    assert store.facts(BOB, "bob-1", NOW).session
    assert put(store, read(store, BOB)).version == 3


def test_limit_an_older_document_with_its_register_is_believed_until_the_chain_is_recomputed(
    store: RedisStore, thief: Thief
) -> None:
    older = [(part, thief.field(part, ALICE)) for part in ("accounts", "heads")]
    put(store, read(store, ALICE))
    for part, value in older:
        thief.set_field(part, ALICE, value)
    assert read(store, ALICE).version == 2
    assert "older copy" in (store.broken_chain() or "")


def test_limit_an_account_without_any_trace_is_new_until_the_chain_is_recomputed(
    store: RedisStore, thief: Thief
) -> None:
    erase(thief, ALICE)
    assert store.account(ALICE) is None
    assert "whole chains were removed" in (store.broken_chain() or "")


def erase(thief: Thief, account: str) -> None:
    """Take out everything that speaks of an account, but for the ledger, which cannot be computed without the key."""
    shard = shard_of(account)
    for part in ("accounts", "heads", "last"):
        thief.set_field(part, account, None)
    for name, fields in thief.client.xrange(key(shard, "events")):
        if fields[b"a"] == account.encode():
            thief.run("XDEL", key(shard, "events"), name)


def test_the_index_decides_nothing_but_where_somebody_is_looked_for(store: RedisStore, thief: Thief) -> None:
    for account, name in ((BOB, "bob"), (ALICE, "alice")):
        shard = shard_of(account)
        for stands in ("new", "enrolled"):
            thief.run("DEL", key(shard, "names", stands))
        thief.run("ZADD", key(shard, "names", "enrolled"), 0, f"zz {name}\0{account}\0\0{name}\0{0:09x}")
        thief.run("ZADD", key(shard, "names", "enrolled"), 0, f"zzz {name}")
        thief.run("ZADD", key(shard, "times", "enrolled"), 0, f"not a time {name}")
        thief.run("ZADD", key(shard, "until", "paused"), 10**12, account)
    assert store.account(BOB) == replace(person("bob"), version=2)
    found = store.people(Filter(statuses=("enrolled",)), limit=1, now=NOW)
    assert [row.account.subject for row in found.rows] == ["alice"]
    true = {("alice", "enrolled"), ("bob", "missing")}
    by_time = store.people(EVERYBODY, sort="-last_verified", limit=9, now=NOW).rows
    assert {(row.account.subject, row.status) for row in by_time} <= true
    everybody = store.people(EVERYBODY, limit=9, now=NOW)
    assert {(row.account.subject, row.status) for row in everybody.rows} == true


# Policy and shards


POLICIES: dict[str, Callable[[Thief], object]] = {
    "deleted": lambda thief: thief.set_field("accounts", ORG, None),
    "version raised": lambda thief: thief.set_field(
        "accounts", ORG, b"3:" + (thief.field("accounts", ORG) or b"").partition(b":")[2]
    ),
    "another document": lambda thief: thief.set_field("accounts", ORG, thief.field("accounts", BOB)),
    "head deleted": lambda thief: thief.set_field("heads", ORG, None),
    "head of another": lambda thief: thief.set_field("heads", ORG, thief.field("heads", BOB)),
    "everything of it deleted": lambda thief: (
        thief.set_field("accounts", ORG, None),
        thief.set_field("heads", ORG, None),
        thief.set_field("last", ORG, None),
    ),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_tampered_policy_is_refused(store: RedisStore, thief: Thief, name: str) -> None:
    POLICIES[name](thief)
    for client in (store, reopen(thief.url)):
        with pytest.raises(RecordCorrupt):
            client.policy()


def test_an_older_policy_is_refused(store: RedisStore, thief: Thief) -> None:
    older = thief.field("accounts", ORG)
    store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
    thief.set_field("accounts", ORG, older)
    with pytest.raises(RecordCorrupt):
        store.policy()


def test_an_older_policy_with_its_head_is_refused_by_whoever_knows_of_a_newer_one(
    store: RedisStore, thief: Thief
) -> None:
    older = [(part, thief.field(part, ORG)) for part in ("accounts", "heads")]
    store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
    for part, value in older:
        thief.set_field(part, ORG, value)
    new_worker = reopen(thief.url)
    for client in (store, new_worker):  # in the shard stands the newer version, sealed
        with pytest.raises(RecordCorrupt, match="older copy"):
            client.policy()
    thief.put_back({key("0", "shard"): None})
    with pytest.raises(StoreUnavailable):
        new_worker.policy()


def test_limit_shard_0_put_back_whole_is_believed_by_whoever_has_read_no_other(
    store: RedisStore, thief: Thief
) -> None:
    names = [name.decode() for name in thief.client.keys("mfa:{0}:*")]
    older = thief.dump(*names)
    store.commit_policy(replace(store.policy(), require_two_step=False), (event("policy_changed"),), NOW)
    thief.put_back(older)
    with pytest.raises(RecordCorrupt, match="older copy"):
        store.policy()
    new_worker = reopen(thief.url)
    assert new_worker.policy().require_two_step
    new_worker.facts(ALICE, None, NOW)  # shard c tells
    with pytest.raises(RecordCorrupt, match="older copy"):
        new_worker.policy()


@pytest.mark.parametrize("value", [None, b"", b"junk", b"1"])
def test_no_fact_is_told_without_a_sealed_stand(store: RedisStore, thief: Thief, value: bytes | None) -> None:
    thief.set_shard(ALICE, "stand", value)
    with pytest.raises(StoreUnavailable):
        store.facts(ALICE, "alice-1", NOW)
    with pytest.raises(StoreUnavailable):
        store.account(ALICE)


def test_the_stand_of_another_shard_is_refused(store: RedisStore, thief: Thief) -> None:
    other = next(each for each in SHARDS if each not in {shard_of(ALICE), "0"})
    thief.set_shard(ALICE, "stand", thief.client.hget(key(other, "shard"), "stand"))
    with pytest.raises(RecordCorrupt):
        store.facts(ALICE, "alice-1", NOW)


def test_an_older_stand_does_not_bring_an_older_policy(store: RedisStore, thief: Thief) -> None:
    older = {key(each, "shard"): thief.client.dump(key(each, "shard")) for each in SHARDS if each != "0"}
    version = store.commit_policy(store.policy(), (event("policy_changed"),), NOW).version
    thief.put_back(older)
    assert store.facts(ALICE, "alice-1", NOW).policy_version == version
    new_worker = reopen(thief.url)
    assert new_worker.policy().version == version
    assert new_worker.facts(ALICE, "alice-1", NOW).policy_version == version
    assert new_worker.repair() == 15
    assert new_worker.repair() == 0
    assert reopen(thief.url).facts(ALICE, "alice-1", NOW).policy_version == version


def test_nobody_can_claim_that_a_job_was_done(store: RedisStore, thief: Thief) -> None:
    """Else they could keep everybody from comparing what is stored with the trail."""
    store.note_run("checkpoints", NOW)
    older = thief.client.hget(key("0", "jobs"), "checkpoints")
    store.note_run("checkpoints", NOW + 60)
    for name, value in (
        ("checkpoints", older),
        ("examination", older),
        ("expiry", b"9999999999"),
        ("repair", b""),
    ):
        thief.run("HSET", key("0", "jobs"), name, value)
    assert store.last_runs() == {"checkpoints": NOW}


# The trail (J19)


def trail_of(thief: Thief, account: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of one account, oldest first."""
    rows = thief.client.xrange(key(shard_of(account), "events"))
    return [(name, fields) for name, fields in rows if fields[b"a"] == account.encode()]


def rewrite(
    thief: Thief, account: str, change: Callable[[list[tuple[bytes, dict[bytes, bytes]]]], object]
) -> None:
    """Write the trail of a shard anew, its rows changed by hand."""
    name = key(shard_of(account), "events")
    rows: list[tuple[bytes, dict[bytes, bytes]]] = thief.client.xrange(name)
    change(rows)
    thief.run("DEL", name)
    for at, fields in rows:
        thief.run("XADD", name, at, *(word for pair in fields.items() for word in pair))


def of(rows: list[tuple[bytes, dict[bytes, bytes]]], account: str) -> list[int]:
    return [at for at, (_, fields) in enumerate(rows) if fields[b"a"] == account.encode()]


def edited(thief: Thief, number: int, field: bytes, value: Callable[[bytes], bytes]) -> None:
    def change(rows: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        fields = rows[of(rows, ALICE)[number]][1]
        fields[field] = value(fields[field])

    rewrite(thief, ALICE, change)


def removed(thief: Thief, account: str, *numbers: int) -> None:
    def change(rows: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for at in sorted((of(rows, account)[number] for number in numbers), reverse=True):
            del rows[at]

    rewrite(thief, account, change)


def inserted(thief: Thief, number: int) -> None:
    def change(rows: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        at = of(rows, ALICE)[number]
        name = int(rows[at][0].partition(b"-")[0])
        rows.insert(at + 1, (b"%d-7" % name, dict(rows[at][1])))

    rewrite(thief, ALICE, change)


def exchanged(thief: Thief) -> None:
    def change(rows: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        first, second = of(rows, ALICE)
        a, b = rows[first][1], rows[second][1]
        rows[first], rows[second] = (rows[first][0], b), (rows[second][0], a)

    rewrite(thief, ALICE, change)


def renamed(thief: Thief, account: str) -> None:
    edited(thief, 1, b"a", lambda _: account.encode())


NEIGHBOR = ALICE[0] + "0" * 31
"""Somebody in Alice's shard who was never seen."""

BREAKS: dict[str, tuple[Callable[[Thief], object], str]] = {
    "edited": (
        lambda thief: edited(thief, 0, b"r", lambda old: old.replace(b"alice", b"mallo")),
        "it was edited",
    ),
    "edited by a space": (lambda thief: edited(thief, 1, b"r", lambda old: old + b" "), "it was edited"),
    "link edited": (lambda thief: edited(thief, 0, b"l", lambda _: b"x" * 32), "it was edited"),
    "record emptied": (lambda thief: edited(thief, 0, b"r", lambda _: b""), "it was edited"),
    "removed": (lambda thief: removed(thief, ALICE, 0), "an event before it was removed"),
    "inserted": (lambda thief: inserted(thief, 0), "inserted"),
    "appended": (lambda thief: inserted(thief, 1), "inserted"),
    "reordered": (exchanged, "it was edited, moved or exchanged"),
    "end cut off": (lambda thief: removed(thief, ALICE, 1), "ends after 1 events where 2 were written"),
    "begin cut off": (lambda thief: removed(thief, ORG, 0), "an event before it was removed"),
    "emptied": (lambda thief: removed(thief, ORG, 0, 1), "ends after 0 events where 2 were written"),
    "all emptied": (
        lambda thief: thief.run("DEL", *(key(each, "events") for each in SHARDS)),
        "ends after 0 events",
    ),
    "moved to another": (lambda thief: renamed(thief, NEIGHBOR), "no chain head"),
    "head removed": (lambda thief: thief.set_field("heads", ORG, None), "no chain head"),
    "head forged": (lambda thief: thief.set_field("heads", BOB, b"x"), "no sealed record"),
    "chain removed with its head": (lambda thief: erase(thief, BOB), "whole chains were removed"),
    "ledger forged": (lambda thief: thief.set_shard(ALICE, "ledger", b"0"), "does not add up"),
    "ledger removed": (lambda thief: thief.set_shard(ALICE, "ledger", None), "does not add up"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_j19_a_tampered_trail_is_found_and_named(store: RedisStore, thief: Thief, name: str) -> None:
    assert store.broken_chain() is None
    tamper, told = BREAKS[name]
    tamper(thief)
    found = store.broken_chain()
    assert found
    assert told in found


def test_the_position_in_a_break_is_that_of_the_event(store: RedisStore, thief: Thief) -> None:
    newest = store.events(account_id=ALICE, kind=None, before=None, limit=1)[0]
    edited(thief, 1, b"r", lambda old: old.replace(b"alice", b"mallo"))
    assert f"position {newest.position}:" in (store.broken_chain() or "")


def test_an_event_that_cannot_be_read_is_told(store: RedisStore, thief: Thief) -> None:
    edited(thief, 1, b"r", lambda _: b"{}")
    with pytest.raises(RecordCorrupt, match="audit verify"):
        store.events(account_id=ALICE, kind=None, before=None, limit=9)


@pytest.mark.parametrize("value", [b"", b"x", b"9" * 30, b"0", b"1"])
def test_history_that_leads_astray_ends(store: RedisStore, thief: Thief, value: bytes) -> None:
    edited(thief, 1, b"p", lambda _: value)
    found = store.events(account_id=ALICE, kind=None, before=None, limit=9)
    assert [recorded.event.kind for recorded in found] == ["verified"]
    thief.set_field("last", ALICE, value)
    assert store.events(account_id=ALICE, kind=None, before=None, limit=9) == ()


def test_events_after_tampering_still_rise(store: RedisStore, thief: Thief) -> None:
    thief.run("XSETID", key(shard_of(ALICE), "events"), "4000000000000000-0")
    put(store, read(store, ALICE))
    found = store.events(account_id=ALICE, kind=None, before=None, limit=9)
    assert [recorded.event.kind for recorded in found] == ["verified", "verified", "account_seen"]
    assert store.broken_chain() is None
