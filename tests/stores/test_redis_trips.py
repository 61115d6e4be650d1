"""What a store asks of its server: once for facts, twice for a verification, and nothing twice that writes."""

import re
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.coverage import GroupCoverage
from mfa_gate.core.errors import StaleState, StoreUnavailable
from mfa_gate.core.listing import EVERYBODY, Filter
from mfa_gate.flows.committing import Committer
from mfa_gate.ports import Change
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.redis_keys import SHARDS, key, position_of, shard_of, stream_id_before
from tests.stores.contract import NOW, challenge, event, kinds, person, put, session
from tests.stores.directory_contract import exempt_until
from tests.stores.redis_servers import Servers, make, reopen
from tests.stores.redis_wire import Wire

ALICE = person("alice").id


@pytest.fixture
def wire(servers: Servers) -> Iterator[Wire]:
    wire = Wire(servers.emptied("redis-7").port)
    yield wire
    wire.close()


@pytest.fixture
def store(wire: Wire) -> Iterator[RedisStore]:
    """Alice is known, and the store's connections are open."""
    make(wire.url).close()
    store = reopen(wire.url)
    put(store, person("alice"), open_session=session(person("alice"), "k1"))
    store.account(ALICE)
    yield store
    store.close()


@pytest.fixture
def trips(wire: Wire) -> Callable[[Callable[[], object]], int]:
    def count(act: Callable[[], object]) -> int:
        before = wire.trips
        act()
        return wire.trips - before

    return count


def test_facts_take_one_round_trip(store: RedisStore, trips: Callable[[Callable[[], object]], int]) -> None:
    assert trips(lambda: store.facts(ALICE, "k1", NOW)) == 1
    assert trips(lambda: store.facts(ALICE, None, NOW)) == 1
    assert trips(lambda: store.facts(person("nobody").id, "k1", NOW)) == 1
    assert trips(store.policy) == 1


def test_a_verification_takes_two_round_trips(
    store: RedisStore, wire: Wire, trips: Callable[[Callable[[], object]], int]
) -> None:
    def verify(found: Account | None) -> tuple[Change, int]:
        assert found
        after = replace(found, last_verified_at=NOW)
        change = Change(account=after, events=(event("verified", after),), open_session=session(after, "k2"))
        return change, found.version

    def refuse(found: Account | None) -> tuple[None, int]:
        assert found
        return None, found.version

    def read() -> Account | None:
        facts = store.facts(ALICE, "k1", NOW, to_change=True)
        assert facts.session == session(person("alice"), "k1")
        return facts.account

    committer = Committer(store, lambda _: None)
    assert trips(lambda: read() and committer.run(ALICE, verify, NOW)) == 2
    assert [each.key for each in store.sessions(ALICE, NOW)] == ["k2", "k1"]

    other = reopen(wire.url)
    read()
    put(other, replace(person("alice"), version=2))
    assert trips(lambda: committer.run(ALICE, refuse, NOW)) == 1, "what nothing confirms is read anew"
    assert committer.run(ALICE, refuse, NOW) == 3
    put(other, replace(person("alice"), version=3))
    assert trips(lambda: committer.run(ALICE, verify, NOW)) == 3, "refused, read and written"
    assert committer.run(ALICE, refuse, NOW) == 5
    other.close()


def test_what_was_just_written_is_written_on_in_one_round_trip(
    store: RedisStore, trips: Callable[[Callable[[], object]], int]
) -> None:
    alice = store.account(ALICE)
    assert alice
    for number in range(3):
        alice = replace(alice, version=number + 1)
        assert trips(lambda: put(store, alice)) == 1  # noqa: B023 - called at once
    assert trips(lambda: store.record((event("act_refused"),), NOW)) == 2  # read, and written
    assert trips(lambda: store.record((event("act_refused"), event("act_refused")), NOW)) == 1


def test_a_commit_of_another_version_takes_one_look_more(
    store: RedisStore, trips: Callable[[Callable[[], object]], int]
) -> None:
    def stale() -> None:
        with pytest.raises(StaleState):
            put(store, person("alice"))

    assert trips(stale) == 1


def test_events_of_others_on_the_same_account_do_not_make_a_commit_stale(
    store: RedisStore, wire: Wire, trips: Callable[[Callable[[], object]], int]
) -> None:
    alice = store.account(ALICE)
    assert alice
    other = reopen(wire.url)
    other.record((event("spelling_refused", alice),), NOW)
    other.end_session(session(alice, "k1"), (event("signed_out", alice),), NOW)
    assert trips(lambda: put(store, alice)) == 2
    assert kinds(store, ALICE) == ["account_seen", "spelling_refused", "signed_out", "verified"]
    assert store.sessions(ALICE, NOW) == ()
    assert store.broken_chain() is None
    other.close()


def test_a_challenge_that_another_worker_spent_is_spent(store: RedisStore, wire: Wire) -> None:
    alice = put(store, replace(person("alice"), version=1), open_challenge=challenge(person("alice"), "c1"))
    other = reopen(wire.url)
    spent = other.commit(Change(account=alice, events=(event("factor_added", alice),), spend="c1"), NOW)
    with pytest.raises(StaleState):
        store.commit(Change(account=alice, events=(event("factor_added", alice),), spend="c1"), NOW)
    with pytest.raises(StaleState):
        store.commit(Change(account=spent, events=(event("factor_added", alice),), spend="c1"), NOW)
    other.close()


def test_lists_and_counters_take_few_round_trips(
    store: RedisStore, trips: Callable[[Callable[[], object]], int]
) -> None:
    for number in range(60):
        put(store, person(f"u{number}"))

    def page(prefix: str) -> Callable[[], object]:
        return lambda: store.people(Filter(prefix=prefix), limit=20, now=NOW)

    wanted: tuple[tuple[Callable[[], object], int], ...] = (
        (lambda: store.counts(EVERYBODY, NOW), 6),
        (page(""), 12),
        (page("u1"), 12),  # policy, places, records; what is asked of 16 shards goes out in pieces
        (lambda: store.events(account_id=None, kind=None, before=None, limit=20), 3),
        (lambda: store.events(account_id=ALICE, kind=None, before=None, limit=20), 1),
        (lambda: store.touch(((ALICE, "k1"), (person("u1").id, "k1")), NOW + 60), 2),
    )
    for act, _ in wanted:
        act()  # the server gets to know the scripts
    assert [trips(act) <= most for act, most in wanted] == [True] * len(wanted)


def test_j17_a_store_of_the_layout_before_is_put_into_the_lists(store: RedisStore, servers: Servers) -> None:
    bob = put(store, person("bob", exemption=exempt_until(NOW + 9), groups=("nurses",)))
    broken = put(store, person("carol"))
    lists = ("names:*", "times:*", "starts:*", "emails:*", "logins:*", "until:*")
    server = servers.running("redis-7")
    with server.client() as client:
        client.delete(*(key(shard, "groups") for shard in SHARDS))
        client.delete(*(name for each in lists for name in client.keys(f"mfa:*:{each}")))
        client.hset(key(shard_of(broken.id), "accounts"), broken.id, "1:broken")
        for shard in SHARDS:
            client.hset(key(shard, "shard"), "layout", 1)
            client.zadd(key(shard, "name", "missing"), {"x": 0})
            client.zadd(key(shard, "paused"), {"x": 0})
        for _ in range(2):
            newer = reopen(server.url, timeout_seconds=10)
            found = newer.people(Filter(group="nurses"), limit=9, now=NOW).rows
            assert [row.account for row in found] == [bob]
            assert sum((newer.counts(EVERYBODY, NOW) or {}).values()) == 2  # with Alice
            assert newer.groups(9).shown == {"nurses": GroupCoverage(0, 1)}
            assert newer.account(bob.id) == bob
            newer.close()
        assert not client.exists(*(key(shard, old) for shard in SHARDS for old in ("name:missing", "paused")))
        assert {client.hget(key(shard, "shard"), "layout") for shard in SHARDS} == {b"4"}


def test_noscript_a_script_that_the_server_forgot_is_sent_again(store: RedisStore, servers: Servers) -> None:
    server = servers.running("redis-7")
    with server.client() as client:
        for act in (
            lambda: store.facts(ALICE, "k1", NOW),
            lambda: store.counts(EVERYBODY, NOW),
            lambda: put(store, person("alice", version=1)),
            lambda: store.touch(((ALICE, "k1"),), NOW + 60),
        ):
            client.script_flush()
            act()
    assert kinds(store, ALICE) == ["account_seen", "verified"]
    touched = store.facts(ALICE, "k1", NOW).session
    assert touched
    assert touched.touched_at == NOW + 60


def test_a_commit_whose_answer_is_lost_is_never_sent_twice(store: RedisStore, wire: Wire) -> None:
    sent: list[bytes] = []

    def swallow(request: bytes) -> bytes | None:
        sent.append(request)
        return b""

    alice = store.account(ALICE)
    assert alice
    wire.answer = swallow
    with pytest.raises(StoreUnavailable):
        put(store, alice)
    assert len(sent) == 1
    wire.answer = lambda _: None
    assert put(store, alice).version == 2


def test_a_read_is_tried_once_more(store: RedisStore, wire: Wire) -> None:
    asked: list[bytes] = []

    def lose_the_first(request: bytes) -> bytes | None:
        if b"EVALSHA" not in request:
            return None
        asked.append(request)
        return b"" if len(asked) == 1 else None

    wire.answer = lose_the_first
    assert store.facts(ALICE, "k1", NOW).session
    assert len(asked) == 2
    wire.cut()
    assert store.facts(ALICE, "k1", NOW).session


ERRORS = (
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "NOAUTH Authentication required.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "NOSCRIPT No matching script. Please use EVAL.",
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 127.0.0.1:6381",
    "CLUSTERDOWN The cluster is down",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOREPLICAS Not enough good replicas to write.",
    "BUSY Redis is busy running a script.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "ERR unknown command 'EVALSHA'",
    "ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'",
)


@pytest.mark.parametrize("error", ERRORS)
def test_j03_every_error_of_the_server_is_unavailable_with_a_cure_and_heals(
    store: RedisStore, wire: Wire, error: str
) -> None:
    def refuse(request: bytes) -> bytes | None:
        return f"-{error}\r\n".encode() if re.search(rb"EVAL|GET|HSET|SCAN|PING", request) else None

    alice = store.account(ALICE)
    assert alice
    wire.answer = refuse
    for act in (
        lambda: store.facts(ALICE, "k1", NOW),
        lambda: store.account(ALICE),
        lambda: put(store, alice),
        store.policy,
        lambda: store.end_session(session(alice, "k1"), (), NOW),
        lambda: store.touch(((ALICE, "k1"),), NOW),
        lambda: store.commit_policy(store.policy(), (), NOW),
        lambda: store.record((event("act_refused"),), NOW),
        lambda: store.people(EVERYBODY, limit=1, now=NOW),
        lambda: store.counts(EVERYBODY, NOW),
        lambda: store.count_traffic({("/", "none"): 1}, NOW),
        store.traffic,
        lambda: store.events(account_id=None, kind=None, before=None, limit=1),
        store.broken_chain,
        lambda: store.lease("job", "me", 1, NOW),
        lambda: store.note_run("job", NOW),
        store.last_runs,
        store.repair,
        lambda: reopen(wire.url),
        lambda: store.feed().poll(0),
    ):
        with pytest.raises(StoreUnavailable, match=r"^The store redis://127\.0\.0\.1:\d+/0 .*\): .+\.$"):
            act()
    wire.answer = lambda _: None
    assert store.facts(ALICE, "k1", NOW).session
    assert put(store, alice).version == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"+OK\r\n",
        b"$-1\r\n",
        b":1\r\n",
        b"*0\r\n",
        b"*2\r\n:1\r\n$1\r\nx\r\n",
        b"*7\r\n" + b"$-1\r\n" * 7,
        b"junk",
    ],
)
def test_an_answer_that_makes_no_sense_lets_nobody_in(store: RedisStore, wire: Wire, answer: bytes) -> None:
    alice = store.account(ALICE)
    assert alice
    wire.answer = lambda request: answer if b"EVAL" in request else None
    for act in (
        lambda: store.facts(ALICE, "k1", NOW),
        lambda: store.account(ALICE),
        lambda: store.account(person("nobody").id),
        lambda: put(store, alice),
        store.policy,
    ):
        with pytest.raises(StoreUnavailable):
            act()


def test_f16_an_answer_about_somebody_else_is_refused(store: RedisStore, wire: Wire) -> None:
    bob, nobody = person("bob").id, person("nobody").id
    put(store, person("bob"))

    wire.rewrite = lambda request: request.replace(bob.encode(), nobody.encode())
    for act in (
        lambda: store.facts(bob, None, NOW),
        lambda: store.account(bob),
        lambda: put(store, person("bob")),
    ):
        with pytest.raises(StoreUnavailable, match="somebody else"):
            act()


def test_f16_what_nobody_asked_for_is_no_answer_and_a_lost_connection_costs_no_commit(
    store: RedisStore, wire: Wire
) -> None:
    for version in (1, 2):
        wire.say(b"$2\r\nOK\r\n")
        put(store, person("alice", version=version))
        wire.say(b"_\r\n")
        assert store.facts(ALICE, "k1", NOW).session
    wire.cut()
    assert put(store, person("alice", version=3)).version == 4


@pytest.mark.parametrize("shard", SHARDS)
@pytest.mark.parametrize("microseconds", [1_767_225_600_000_000, 1_800_000_000_123_456])
def test_positions_are_unique_and_can_be_gone_on_from(shard: str, microseconds: int) -> None:
    position = position_of(b"%d-0" % microseconds, shard)
    assert position >= 0
    assert position_of(b"%d-0" % (microseconds + 1), shard) > position
    for other in SHARDS:
        same_time = position_of(b"%d-0" % microseconds, other)
        assert (same_time == position) == (other == shard)
        # Below the position stands what has a lower one, in every shard.
        below = stream_id_before(position, other)
        assert int(below) == (microseconds if same_time < position else microseconds - 1)
