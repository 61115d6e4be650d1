"""Servers that are killed, hang, are emptied, demoted, full or refuse: unavailable within a second, then well again."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.checkpoints import Signed
from mfa_gate.core.errors import MfaGateError, StaleState, StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.ports import Change
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.redis_keys import SHARDS, key, last_key, live_key, shard_of
from mfa_gate.stores.redis_scripts import MARK
from mfa_gate.stores.sealing import Sealer
from tests.stores.contract import NOW, challenge, event, kinds, person, put, session, totp
from tests.stores.files import sealer
from tests.stores.redis_servers import KINDS, RedisServer, make, reopen
from tests.waiting import until

ALICE = person("alice").id
Act = Callable[[], object]
Shell = Any
"""Somebody with a shell at the server; redis leaves half of its verbs untyped."""


def enrolled(store: RedisStore) -> Account:
    """Alice is enrolled and signed in."""
    return put(store, person("alice", totps=(totp(),)), open_session=session(person("alice"), "k1"))


@pytest.fixture
def store(own_server: RedisServer) -> Iterator[RedisStore]:
    store = make(own_server.url)
    enrolled(store)
    yield store
    store.close()


@pytest.fixture
def server(own_server: RedisServer) -> RedisServer:
    return own_server


@pytest.fixture
def shell(server: RedisServer) -> Iterator[Any]:
    """Somebody with a shell at the server."""
    with server.client() as client:
        yield client


def everything(store: RedisStore) -> tuple[Act, ...]:
    alice = person("alice", version=1)
    return (
        lambda: store.facts(ALICE, "k1", NOW),
        lambda: store.facts(person("nobody").id, None, NOW),
        lambda: store.account(ALICE),
        store.policy,
        lambda: store.sessions(ALICE, NOW),
        lambda: store.challenge("c1", ALICE, NOW),
        lambda: put(store, person("nobody")),
        lambda: put(store, alice),
        lambda: store.end_session(session(alice, "k1"), (event("signed_out", alice),), NOW),
        lambda: store.touch(((ALICE, "k1"),), NOW + 60),
        lambda: store.commit_policy(replace(store.policy(), require_two_step=True), (), NOW),
        lambda: store.record((event("act_refused"),), NOW),
    )


def refused_within(seconds: float, act: Act) -> None:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        act()
    assert time.monotonic() - begun < seconds


def well_within(seconds: float, act: Act) -> None:
    """`act` succeeds again before so many seconds have passed."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            act()
        except StoreUnavailable:
            assert time.monotonic() < deadline
        else:
            return


# Down, hung, emptied, replaced


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
def test_j01_a_killed_server_is_unavailable_at_once_and_heals(
    store: RedisStore, server: RedisServer, shell: Shell
) -> None:
    shell.config_set("appendonly", "yes")
    until(lambda: shell.info("persistence")["aof_rewrite_in_progress"] == 0)
    server.options = ("--appendonly", "yes")
    alice = put(store, replace(person("alice", totps=(totp(),)), version=1))
    server.kill()
    for act in everything(store):
        refused_within(1, act)
    refused_within(1, lambda: reopen(server.url))
    server.start_again()
    well_within(2, lambda: store.facts(ALICE, "k1", NOW))
    assert store.account(ALICE) == alice
    assert put(store, alice).version == 3
    assert store.broken_chain() is None


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
def test_j02_a_hung_server_is_unavailable_within_a_second_and_usable_within_two(
    store: RedisStore, server: RedisServer
) -> None:
    store.account(ALICE)
    server.freeze()
    for act in everything(store):
        refused_within(1, act)
    refused_within(1, lambda: reopen(server.url))
    server.thaw()
    well_within(2, lambda: store.facts(ALICE, "k1", NOW))
    # What was sent while it hung may have been done, whole: its outcome was unknown.
    alice = store.account(ALICE)
    assert alice
    assert put(store, alice).version == alice.version + 1
    assert store.broken_chain() is None


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
def test_an_emptied_server_is_unavailable_and_nobody_is_new_there(
    store: RedisStore, server: RedisServer, shell: Shell
) -> None:
    saved = {name: shell.dump(name) for name in shell.keys("*")}
    shell.flushall()
    for act in everything(store):
        with pytest.raises(StoreUnavailable):
            act()
    assert shell.dbsize() == 0
    with pytest.raises(StoreUnavailable, match="mfa-gate init"):
        reopen(server.url)
    for name, value in saved.items():
        shell.restore(name, 0, value)
    assert store.facts(ALICE, "k1", NOW).session
    assert store.broken_chain() is None


def test_a_checkpoint_that_was_on_its_way_leaves_nothing_in_an_emptied_server(
    store: RedisStore, server: RedisServer, shell: Shell
) -> None:
    """Or `init` would find what is left of a store."""
    first, second = (
        Signed(number=number, body=b"body", key="c1", signature=b"signature") for number in (1, 2)
    )
    store.stream.add_checkpoint(first)
    assert shell.hget(key("0", "shard"), "checkpoint") == b"1"
    shell.flushall()
    for each in (first, second):
        with pytest.raises(StaleState):
            store.stream.add_checkpoint(each)
    shell.execute_command("EVAL", MARK.text, 1, key("0", "shard"), 1)
    assert shell.dbsize() == 0
    assert not RedisStore.exists(server.url)


def test_a_store_that_lost_one_shard_is_unavailable_there(store: RedisStore, shell: Shell) -> None:
    shell.delete(*shell.keys(key(shard_of(ALICE), "*")))
    neighbor = ALICE[0] + "0" * 31
    for act in (
        lambda: store.facts(ALICE, "k1", NOW),
        lambda: store.facts(neighbor, None, NOW),
        lambda: store.commit(Change(account=replace(person("x"), id=neighbor)), NOW),
    ):
        with pytest.raises(StoreUnavailable, match="lost shard"):
            act()
    assert not shell.keys(key(shard_of(ALICE), "*"))
    assert store.policy().version == 1


def test_another_store_in_its_place_is_refused(store: RedisStore, server: RedisServer, shell: Shell) -> None:
    shell.flushall()
    other = make(server.url, store_id="store-2")
    enrolled(other)
    for act in everything(store):
        with pytest.raises(StoreUnavailable):
            act()
    with pytest.raises(StoreUnavailable, match="store-2, not store-1"):
        store.facts(ALICE, "k1", NOW)
    with pytest.raises(StoreUnavailable, match="store-2, not store-1"):
        reopen(server.url)
    assert kinds(other, ALICE) == ["account_seen"]


def test_an_older_copy_is_refused_by_whoever_knows_of_a_newer_policy(
    store: RedisStore, server: RedisServer, shell: Shell, tmp_path: Path
) -> None:
    shell.save()
    shutil.copy(tmp_path / "dump.rdb", tmp_path / "older.rdb")
    store.commit_policy(replace(store.policy(), require_two_step=True), (event("policy_changed"),), NOW)
    server.kill()
    shutil.copy(tmp_path / "older.rdb", tmp_path / "dump.rdb")
    server.start_again()
    with pytest.raises(StoreUnavailable, match="older copy"):
        store.policy()
    assert store.facts(ALICE, "k1", NOW).policy_version == 2
    assert reopen(server.url).policy().version == 1  # the limit: what tells a new worker is the anchor


def test_writers_on_a_server_that_is_killed_lose_nothing_that_was_acknowledged(
    store: RedisStore, server: RedisServer, shell: Shell, scale: str
) -> None:
    server.options = ("--appendonly", "yes", "--appendfsync", "always")
    shell.config_set("appendfsync", "always")
    shell.config_set("appendonly", "yes")
    until(lambda: shell.info("persistence")["aof_rewrite_in_progress"] == 0)
    acknowledged = dict.fromkeys(range(4), 0)
    for _ in range(3 if scale == "small" else 30):
        stop = threading.Event()
        writers = [
            threading.Thread(target=_write, args=(store, number, acknowledged, stop))
            for number in acknowledged
        ]
        for writer in writers:
            writer.start()
        begun = acknowledged[0]
        until(lambda begun=begun: acknowledged[0] >= begun + 20)  # type: ignore[misc]
        server.kill()
        stop.set()
        for writer in writers:
            writer.join()
        server.start_again()
        well_within(10, store.policy)
        for number, version in acknowledged.items():
            account = store.account(person(f"u{number}").id)
            assert account
            # The last commit may have been made and not been told any more.
            assert account.version in {version, version + 1}
            assert len(kinds(store, account.id)) == 2 * account.version
            assert len(store.sessions(account.id, NOW)) == min(50, account.version)
            acknowledged[number] = account.version
        assert store.broken_chain() is None


def _write(store: RedisStore, number: int, acknowledged: dict[int, int], stop: threading.Event) -> None:
    while not stop.is_set():
        account = person(f"u{number}", version=acknowledged[number])
        change = Change(
            account=account,
            events=(event("verified", account), event("code_rejected", account)),
            open_session=session(account, f"key-{account.version}"),
        )
        try:
            acknowledged[number] = store.commit(change, NOW).version
        except MfaGateError:
            return


# A server that refuses


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
def test_j03_a_replica_is_refused_also_for_reading(
    store: RedisStore, server: RedisServer, shell: Shell
) -> None:
    other = reopen(server.url)
    other.facts(ALICE, "k1", NOW)
    feed = other.feed()
    feed.poll(0)
    shell.replicaof("127.0.0.1", 9)  # whose master is gone: it would answer for ever with what was true then
    with pytest.raises(StoreUnavailable, match="replica"):
        put(store, person("alice", version=1))
    with pytest.raises(StoreUnavailable, match="replica"):  # found by a commit
        store.facts(ALICE, "k1", NOW)
    with pytest.raises(StoreUnavailable, match="replica"):  # found by the feed
        feed.poll(0)
    with pytest.raises(StoreUnavailable, match="replica"):
        other.facts(ALICE, "k1", NOW)
    with pytest.raises(StoreUnavailable, match="replica"):
        reopen(server.url)
    shell.replicaof("NO", "ONE")
    for client in (store, other):
        assert client.facts(ALICE, "k1", NOW).session
    assert put(store, person("alice", version=1)).version == 2


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
def test_d10_a_full_server_refuses_commits_whole_and_goes_on_reading(store: RedisStore, shell: Shell) -> None:
    before = snapshot(shell)
    shell.config_set("maxmemory", "1")
    for act in everything(store)[6:]:
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            act()
    assert store.facts(ALICE, "k1", NOW).session
    assert snapshot(shell) == before
    shell.config_set("maxmemory", "0")
    assert put(store, person("alice", version=1)).version == 2
    assert store.broken_chain() is None


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
def test_j03_j08_a_server_that_cannot_save_refuses_commits_whole(
    store: RedisStore, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "dump.rdb").mkdir()  # where the server wants to write a file
    shell.config_set("save", "3600 1")
    shell.bgsave()
    until(lambda: shell.info("persistence")["rdb_last_bgsave_status"] == "err")
    before = snapshot(shell)
    for act in everything(store)[6:]:
        with pytest.raises(StoreUnavailable, match="disk"):
            act()
    assert snapshot(shell) == before
    assert store.facts(ALICE, "k1", NOW).session
    (tmp_path / "dump.rdb").rmdir()
    shell.config_set("save", "")
    assert put(store, person("alice", version=1)).version == 2


@pytest.mark.parametrize(
    "part", ["shard", "accounts", "heads", "last", "events", "kind:verified", "names:enrolled", "live"]
)
def test_j03_a_key_of_another_type_refuses_the_commit_whole(
    store: RedisStore, shell: Shell, part: str
) -> None:
    names = {"live": live_key(ALICE), "last": last_key(ALICE)}
    name = names.get(part, key(shard_of(ALICE), part))
    kept = shell.dump(name)
    shell.delete(name)
    shell.set(name, "something else")
    before = snapshot(shell)
    alice = person("alice", version=1, name="Zoe", totps=(totp(),))
    change = Change(account=alice, events=(event("verified", alice),), open_session=session(alice, "k2"))
    with pytest.raises(StoreUnavailable):
        store.commit(change, NOW)
    assert snapshot(shell) == before
    shell.delete(name)
    if kept is not None:
        shell.restore(name, 0, kept)
    assert store.commit(change, NOW).version == 2
    assert store.broken_chain() is None


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
def test_a_user_of_its_own_is_all_that_the_gate_needs(server: RedisServer, shell: Shell) -> None:
    shell.execute_command(
        "ACL",
        "SETUSER",
        "gate",
        "on",
        ">p@ss/w:rd",
        "~mfa:*",
        "&mfa:*",
        "+@all",
        "-@admin",
        "-@dangerous",
        "+info",
    )
    shell.config_set("requirepass", "other")
    store = make(f"redis://gate:p%40ss%2Fw%3Ard@127.0.0.1:{server.port}/0")
    alice = enrolled(store)
    assert store.facts(ALICE, "k1", NOW).session
    store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
    store.touch(((ALICE, "k1"),), NOW + 60)
    store.end_session(session(alice, "k1"), (event("signed_out", alice),), NOW)
    store.count_traffic({("/", "none"): 1}, NOW)
    assert store.people(Filter(statuses=("enrolled",), prefix="a"), limit=9, now=NOW).rows
    assert (store.counts(EVERYBODY, NOW) or {})["enrolled"] == 1
    assert store.lease("job", "me", 9, NOW)
    assert store.feed().poll(0) == ()
    assert store.repair() == 0
    assert store.broken_chain() is None
    assert [each.text for each in store.health(time.time()) if "user" in each.text] == []
    for wrong in ("gate:wrong", ":wrong", "nobody:p"):
        with pytest.raises(StoreUnavailable, match="password"):
            reopen(f"redis://{wrong}@127.0.0.1:{server.port}/0")
    with pytest.raises(StoreUnavailable, match="password"):
        reopen(server.url)


@pytest.mark.parametrize("own_server", KINDS, indirect=True)
@pytest.mark.parametrize(
    "without",
    ["-xadd", "-hset", "-hdel", "-zadd", "-zrem", "-expire", "-publish", "-eval -evalsha", "resetchannels", "-xinfo",
     "-hget", "resetkeys ~mfa:{c}:events"],
)  # fmt: skip
def test_a_user_without_a_right_changes_nothing(server: RedisServer, shell: Shell, without: str) -> None:
    rights = ("on", ">pass", "~mfa:*", "&mfa:*", "+@all")
    shell.execute_command("ACL", "SETUSER", "gate", *rights)
    store = make(f"redis://gate:pass@127.0.0.1:{server.port}/0")
    enrolled(store)
    shell.execute_command("ACL", "SETUSER", "gate", *without.split())
    before = snapshot(shell)
    alice = person("alice", version=1, name="Alice")  # and no factor: in lists she moves
    change = Change(
        account=alice,
        events=(event("verified", alice),),
        open_session=session(alice, "k2"),
        end_sessions="all",
    )
    with pytest.raises(StoreUnavailable):
        store.commit(change, NOW)
    assert snapshot(shell) == before
    shell.execute_command("ACL", "SETUSER", "gate", *rights)
    assert store.commit(change, NOW).version == 2
    assert store.broken_chain() is None


def test_keys_of_another_gate_do_not_open_a_store(store: RedisStore, server: RedisServer) -> None:
    for options in (
        {"audit_key": b"x" * 32},
        {"sealer": Sealer({"2026-01": b"x" * 32}, "2026-01", lambda size: b"n" * size)},
        {"sealer": sealer({"other": b"k" * 32}, "other")},
    ):
        with pytest.raises(StoreUnavailable, match="key file back"):
            reopen(server.url, **options)


def test_j17_a_newer_layout_is_refused(store: RedisStore, server: RedisServer, shell: Shell) -> None:
    for layout in ("5", "x", ""):
        shell.hset(key("0", "shard"), "layout", layout)
        with pytest.raises(StoreUnavailable, match="newer mfa_gate"):
            reopen(server.url)


# Making a store


def test_a_store_is_never_made_over_another(store: RedisStore, server: RedisServer, shell: Shell) -> None:
    before = snapshot(shell)
    with pytest.raises(StoreUnavailable, match="not overwritten"):
        make(server.url, store_id="store-2")
    assert RedisStore.exists(server.url)
    shell.delete(key("0", "shard"))  # also where its first shard is lost
    before = snapshot(shell)
    with pytest.raises(StoreUnavailable, match="not overwritten"):
        make(server.url, store_id="store-2")
    assert snapshot(shell) == before


def test_of_many_who_make_a_store_one_does(server: RedisServer) -> None:
    results: list[object] = []

    def run(number: int) -> None:
        try:
            results.append(make(server.url, store_id=f"store-{number}").store_id)
        except StoreUnavailable:
            results.append(None)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (made,) = [each for each in results if each]
    store = reopen(server.url, store_id=str(made))
    assert kinds(store, ORG) == ["store_created"]
    for shard in SHARDS:
        assert store.facts(shard * 32, None, NOW).account is None


def test_a_store_whose_making_was_broken_off_can_be_made(server: RedisServer, shell: Shell) -> None:
    make(server.url).close()
    shell.delete(*shell.keys("mfa:{0}:*"))  # the first shard comes last
    assert not RedisStore.exists(server.url)
    with pytest.raises(StoreUnavailable, match="no store"):
        reopen(server.url)
    assert make(server.url, store_id="store-2").policy().version == 1


# Time to live


def test_what_is_over_is_collected_by_redis_some_time_later(store: RedisStore, shell: Shell) -> None:
    assert 3600 < shell.ttl(live_key(ALICE)) <= 3600 + 600
    put(store, person("alice", version=1), open_challenge=challenge(person("alice"), "c1"))
    assert 3600 < shell.ttl(live_key(ALICE)) <= 3600 + 600
    shell.delete(live_key(ALICE))  # as when its time is over
    assert store.sessions(ALICE, NOW) == ()
    assert store.challenge("c1", ALICE, NOW) is None
    alice = store.account(ALICE)
    assert alice
    put(store, alice, open_session=session(alice, "k2"))
    assert [each.key for each in store.sessions(ALICE, NOW)] == ["k2"]
    with pytest.raises(StaleState):
        put(store, replace(alice, version=3), spend="c1")


def test_i09_visitors_without_an_account_leave_nothing(store: RedisStore, shell: Shell) -> None:
    before = snapshot(shell)
    for number in range(200):
        store.facts(person(f"x{number}").id, f"key-{number}", NOW)
        store.challenge("c1", person(f"x{number}").id, NOW)
        store.end_session(session(person(f"x{number}"), "k1"), (), NOW)
    assert snapshot(shell) == before


def snapshot(shell: Shell) -> dict[bytes, object]:
    """Everything that is stored."""
    readers: dict[bytes, Callable[[bytes], object]] = {
        b"string": shell.get,
        b"hash": shell.hgetall,
        b"zset": lambda name: shell.zrange(name, 0, -1, withscores=True),
        b"stream": shell.xrange,
    }
    return {name: readers[shell.type(name)](name) for name in shell.keys("*")}
