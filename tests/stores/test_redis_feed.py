"""When a feed on Redis is believed to be alive, and when it is lost; and what a server is examined for."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.settings.store_urls import redis_address
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_health import concerns, reach
from mfa_gate.stores.redis_keys import key
from tests.stores.contract import NOW, event, heard, person, put
from tests.stores.redis_servers import RedisServer, make, reopen
from tests.stores.redis_wire import Wire

Shell = Any


@pytest.fixture
def store(own_server: RedisServer) -> Iterator[RedisStore]:
    store = make(own_server.url)
    yield store
    store.close()


@pytest.fixture
def shell(own_server: RedisServer) -> Iterator[Shell]:
    with own_server.client() as client:
        yield client


def test_a_feed_whose_server_dies_is_lost_and_a_new_one_works(
    store: RedisStore, own_server: RedisServer
) -> None:
    feed = store.feed()
    assert feed.poll(0) == ()
    own_server.kill()
    with pytest.raises(StoreUnavailable):
        feed.poll(0.25)
    with pytest.raises(StoreUnavailable):
        store.feed()
    own_server.start_again()  # empty: it had nothing on disk
    with pytest.raises(StoreUnavailable):
        store.feed().poll(0)
    with own_server.client() as client:
        client.flushall()
    again = make(own_server.url)
    other = again.feed()
    alice = put(again, person("alice"))
    assert heard(other, 1) == {alice.id}


def test_a_feed_whose_server_hangs_is_lost_within_a_second(
    store: RedisStore, own_server: RedisServer
) -> None:
    feed = store.feed()
    feed.poll(0)
    own_server.freeze()
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        feed.poll(0.25)
    assert time.monotonic() - begun < 1
    own_server.thaw()


def test_f15_a_feed_that_is_cut_off_is_lost_though_the_store_answers(store: RedisStore, shell: Shell) -> None:
    feed = store.feed()
    feed.poll(0)
    shell.client_kill_filter(_type="pubsub")
    with pytest.raises(StoreUnavailable):
        feed.poll(0.25)
    assert store.policy().version == 1


def test_f15_a_feed_that_hears_nothing_though_its_connection_is_open_is_lost(
    store: RedisStore, own_server: RedisServer
) -> None:
    wire = Wire(own_server.port)
    deaf = reopen(wire.url)
    feed = deaf.feed()
    assert feed.poll(0) == ()
    wire.swallow(b"mfa:beat")
    with pytest.raises(StoreUnavailable, match="nobody heard"):
        feed.poll(0.25)
    wire.close()


def test_f15_a_feed_without_rights_is_lost(own_server: RedisServer, shell: Shell) -> None:
    rights = ("on", ">pass", "~mfa:*", "&mfa:*", "+@all")
    shell.execute_command("ACL", "SETUSER", "gate", *rights)
    store = make(f"redis://gate:pass@127.0.0.1:{own_server.port}/0")
    feed = store.feed()
    assert feed.poll(0) == ()
    shell.execute_command("ACL", "SETUSER", "gate", "resetchannels", "&mfa:feed:*")
    with pytest.raises(StoreUnavailable):
        feed.poll(0.25)
    shell.execute_command("ACL", "SETUSER", "gate", "resetchannels")
    with pytest.raises(StoreUnavailable):
        store.feed().poll(0.25)


def test_a_beat_tells_of_a_policy_that_nobody_announced(
    store: RedisStore, own_server: RedisServer, shell: Shell
) -> None:
    feed = store.feed()
    assert feed.poll(0) == ()
    other = reopen(own_server.url)
    stand = shell.hget(key("0", "shard"), "stand")
    other.commit_policy(replace(other.policy(), require_two_step=True), (event("policy_changed"),), NOW)
    assert heard(feed, 1) == {"policy"}
    newer = shell.hget(key("0", "shard"), "stand")
    silent = store.feed()
    shell.hset(key("0", "shard"), "stand", stand)
    assert silent.poll(0) == ()
    shell.hset(key("0", "shard"), "stand", newer)
    assert silent.poll(0) == ("policy",)
    assert silent.poll(0) == ()


def test_a_feed_of_an_emptied_server_is_lost(store: RedisStore, shell: Shell) -> None:
    feed = store.feed()
    feed.poll(0)
    shell.flushall()
    with pytest.raises(StoreUnavailable, match="lost"):
        feed.poll(0)


def test_whoever_can_publish_can_only_make_the_gate_forget(store: RedisStore, shell: Shell) -> None:
    feed = store.feed()
    assert feed.poll(0) == ()
    (channel,) = (name for name in shell.pubsub_channels("mfa:beat:*"))
    shell.publish(channel, b"2:junk")
    with pytest.raises(StoreUnavailable):
        feed.poll(0)
    feed = store.feed()
    shell.publish("mfa:feed:store-1", b"\xff\xfe")
    assert heard(feed, 1) == {"\ufffd\ufffd"}


def test_two_stores_on_one_server_do_not_hear_each_other(store: RedisStore, own_server: RedisServer) -> None:
    other = make(own_server.url.removesuffix("0") + "1", store_id="store-2")
    feed = store.feed()
    put(other, person("alice"))
    assert feed.poll(0.1) == ()


def test_many_changes_are_heard_once_each(store: RedisStore) -> None:
    feed = store.feed()
    ids = {put(store, person(f"u{number}")).id for number in range(300)}
    assert heard(feed, 300) == ids


# What a server is examined for


def texts(server: RedisServer, now: float) -> list[str]:
    return [
        f"{each.severity} {each.about}: {each.text}"
        for each in concerns(Server(redis_address(server.url)), now)
    ]


def test_a_sound_server_worries_nobody(store: RedisStore, own_server: RedisServer, shell: Shell) -> None:
    shell.config_set("appendonly", "yes")
    assert store.health(time.time()) == ()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_d10_a_server_that_evicts_is_told(own_server: RedisServer, shell: Shell, policy: str) -> None:
    shell.config_set("appendonly", "yes")
    shell.config_set("maxmemory-policy", policy)
    (told,) = texts(own_server, time.time())
    assert told.startswith(f'error store: maxmemory-policy is "{policy}"')


def test_a_server_that_does_not_persist_is_told(own_server: RedisServer) -> None:
    (told,) = texts(own_server, time.time())
    assert "appendonly yes" in told


@pytest.mark.parametrize(("skew", "way"), [(11.5, "behind"), (-11.5, "ahead of")])
def test_j13_a_clock_that_differs_is_told(
    own_server: RedisServer, shell: Shell, skew: float, way: str
) -> None:
    shell.config_set("appendonly", "yes")
    (told,) = texts(own_server, time.time() + skew)
    assert told.startswith("error clock: ")
    assert f"s {way} this machine" in told
    assert texts(own_server, time.time() + skew / 2) == []


def test_a_user_who_may_not_ask_is_told(own_server: RedisServer, shell: Shell) -> None:
    shell.execute_command("ACL", "SETUSER", "gate", "on", ">pass", "~mfa:*", "&mfa:*", "+@all", "-info")
    store = make(f"redis://gate:pass@127.0.0.1:{own_server.port}/0")
    (told,) = store.health(time.time())
    assert (told.severity, "+info" in told.text) == ("warning", True)


@pytest.mark.parametrize(
    ("url", "missing"),
    [
        ("redis://10.0.0.1", ["password", "TLS"]),
        ("redis://:p@10.0.0.1", ["TLS"]),
        ("rediss://10.0.0.1", ["password"]),
        ("rediss://:p@10.0.0.1", []),
        ("redis://localhost", []),
        ("redis://[::1]", []),
    ],
)
def test_a_server_elsewhere_needs_password_and_tls(url: str, missing: list[str]) -> None:
    told = [each.text for each in reach(redis_address(url))]
    assert len(told) == len(missing)
    assert all(word in text for word, text in zip(missing, told, strict=True))
