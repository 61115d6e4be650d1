"""Faults of store, disk, clock and records (J): whatever fails opens nothing, loses nothing, and heals by itself."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.core.errors import KeysError, StoreUnavailable
from mfa_gate.core.events import SYSTEM
from mfa_gate.core.transitions import event
from mfa_gate.gate import Gate
from mfa_gate.keys import KeyRing
from mfa_gate.stores.redis_keys import SHARDS, key, shard_of
from mfa_gate.wiring import Sources
from tests.attacks.faults import ERRORS, ODD, VERBS, fault, raising
from tests.edges.asking import NAVIGATION, DoorName, Got
from tests.edges.fixtures import Build, Towns
from tests.edges.holdings import RedisHolding, url_of
from tests.edges.rig import Client, Clock, Rig
from tests.edges.town import Town
from tests.stores.disks import Disk, disk

__all__ = ["disk"]

GATED = ("/files", "/archive/", "/", "/public", "/hooks?x", "/login/x")
OPEN = ("/static/site.css", "/public/x", "/login")


def seen_by(rig: Rig, subject: str) -> list[str]:
    """Paths on which the portal was told of somebody, or got their cookie."""
    return [
        each.path
        for each in rig.seen
        if (each.told or {}).get("subject") == subject or "cookie" in dict(each.headers)
    ]


def no_way_in(rig: Rig) -> None:
    """Nobody gets anywhere but where it is open, and there as a stranger."""
    clients = [rig.client(None), rig.client("carol"), rig.client("bob"), rig.client("alice", verified=False)]
    before = len(rig.seen)
    for client in clients:
        for target in GATED:
            for kind in (NAVIGATION, ()):
                got = client.ask("GET", target, kind)
                assert got.status in {303, 401, 421, 503}, (target, got.status)
                assert b"confidential" not in got.body
    assert len(rig.seen) == before


# J01, J16: what is no store, at the start and later


def gone(file: Path) -> None:
    assert not file.exists()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def garbage(file: Path) -> None:
    file.write_bytes(b"SQLite format 3\x00" + os.urandom(20_000))


def folder(file: Path) -> None:
    file.mkdir()


def another(file: Path) -> None:
    """A store of the same make, with other keys and an empty list of people."""
    place = file.parent / "another"
    place.mkdir()
    Town.found(place).close()
    shutil.copy(place / "gate.db", file)


NO_FILES = {each.__name__: each for each in (gone, empty, garbage, folder, another)}


def nameless(client: Any, _: Path) -> None:  # noqa: ANN401
    """Shards that do not say whose they are."""
    for shard in SHARDS:
        client.hset(key(shard, "shard"), "layout", 1)


def of_another_kind(client: Any, _: Path) -> None:  # noqa: ANN401
    """Everything that is asked for is something else."""
    for shard in SHARDS:
        for part in ("shard", "accounts", "heads"):
            client.set(key(shard, part), b"x")


def somebody_elses(client: Any, _: Path) -> None:  # noqa: ANN401
    """What another program keeps there."""
    client.hset("sessions", "alice", "1")


def another_there(client: Any, place: Path) -> None:  # noqa: ANN401
    """A store of the same make, with other keys and an empty list of people."""
    (place / "another").mkdir()
    Town.found(place / "another", url=url_of(place)).close()


NO_DATABASES = {
    "gone": lambda *_: None,
    "empty": nameless,
    "garbage": of_another_kind,
    "folder": somebody_elses,
    "another": another_there,
}


@contextmanager
def without_store(rig: Rig, instead: str) -> Iterator[None]:
    """While it lasts something else stands where the store was."""
    rig.town.store.close()
    place, there = rig.town.place, rig.town.holding
    if isinstance(there, RedisHolding):
        with there.opened() as client:
            kept = there.dumped()
            client.flushdb()
            NO_DATABASES[instead](client, place)
            yield
            there.put_back(kept)
        return
    safe = place / "kept"
    safe.mkdir()
    for file in place.glob("gate.db*"):
        shutil.move(file, safe / file.name)
    NO_FILES[instead](place / "gate.db")
    yield
    for file in place.glob("gate.db*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    for file in safe.iterdir():
        shutil.move(file, place / file.name)
    safe.rmdir()


def closed_and_open(rig: Rig, alice: Client) -> None:
    """What must be refused without a store, and what goes on."""
    before = len(rig.seen)
    for client in (alice, rig.client("alice"), rig.client("carol"), rig.client(None)):
        for target in GATED:
            assert client.get(target).status == 503, target
            assert client.visit(target).status == 503
        for target in ("/mfa/account", "/mfa/setup", "/mfa/verify", "/mfa/admin/users"):
            assert client.visit(target).status == 503, target
        for method, path in (("GET", "status"), ("POST", "totp"), ("GET", "admin/users")):
            assert client.api(method, path).status == 503, path
        assert client.verify("123456").status == 503
    assert len(rig.seen) == before
    for target in OPEN:
        for client in (rig.client(None), rig.client("alice")):
            got = client.get(target)
            assert got.status == (503 if target == "/login" and client.user else 200), target
    assert all(each.told is None and not each.values("cookie") for each in rig.seen[before:])
    assert rig.client(None).ask("POST", "/login").status == 200, "one can sign in to the portal"
    assert alice.ask("POST", "/login").status == 503, "but not past a session that cannot be ended"
    assert rig.client(None).get("/mfa/healthz/live").status == 200
    assert rig.client(None).get("/mfa/healthz/ready").status == 503
    assert rig.client(None).get("/mfa/static/gate.css").status == 200


@pytest.mark.parametrize("instead", NO_FILES)
def test_J01_J16_without_its_store_a_gate_starts_closed_makes_none_and_heals(rig: Rig, instead: str) -> None:
    alice = rig.client("alice", verified=True)
    with without_store(rig, instead):
        closed_and_open(rig, alice)
        assert not (instead == "gone" and (rig.town.place / "gate.db").exists())
    rig.clock.go(2)
    assert alice.get().status == 200
    no_way_in(rig)


@pytest.mark.parametrize("instead", NO_FILES)
def test_J01_J16_a_store_that_goes_while_it_is_used_closes_and_heals_without_a_restart(
    rig: Rig, instead: str
) -> None:
    alice = rig.client("alice", verified=True)
    assert alice.get().status == 200
    with without_store(rig, instead):
        rig.clock.go(6)
        closed_and_open(rig, alice)
    rig.clock.go(6)
    assert alice.get().status == 200
    assert alice.visit("/mfa/account").status == 200
    no_way_in(rig)


def test_J01_what_is_remembered_is_not_used_longer_than_it_may(rig: Rig) -> None:
    """No fallback to memory: five seconds at the very most after the last word of the store."""
    alice = rig.client("alice", verified=True)
    assert alice.get().status == 200
    with rig.town.holding.away():
        rig.clock.go(5.01)
        assert [alice.get(target).status for target in GATED] == [503] * len(GATED)


def test_J16_without_its_keys_or_with_others_a_gate_does_not_start(rig: Rig) -> None:
    place = rig.town.place
    keys = (place / "keys.json").read_bytes()
    for text in (b"", b"{}", b"[]", b"null", keys[: len(keys) // 2], keys.replace(b'"seal"', b'"sell"')):
        (place / "keys.json").write_bytes(text)
        with pytest.raises(KeysError):
            Gate(rig.settings)
    (place / "keys.json").unlink()
    with pytest.raises(KeysError):
        Gate(rig.settings)
    KeyRing.generate(os.urandom).write(place / "keys.json")
    rig.gate = Gate(rig.settings, sources=Sources(clock=rig.clock, monotonic=rig.clock, random=os.urandom))
    rig.asgi, rig.wsgi = rig.gate.asgi(rig.canary.asgi), rig.gate.wsgi(rig.canary.wsgi)
    assert rig.client("alice", verified=True).get().status == 503
    assert rig.client("carol").visit("/mfa/setup").status == 503, "lost is not the same as not set up"
    assert rig.seen == []


# J02: a writer that holds the store


@contextmanager
def held(place: Path) -> Iterator[None]:
    """Another process holds the lock for writing, and does not go on."""
    with (place / "gate.db.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.sqlite
def test_J02_while_a_writer_hangs_readers_go_on_and_changes_are_refused_in_time(rig: Rig) -> None:
    alice, bob = rig.client("alice", verified=True), rig.client("bob")
    alice.page("/mfa/account")
    signout = alice.form("signout")
    rig.clock.go(120)
    code = rig.person("bob").code(rig.clock())
    acts: tuple[Callable[[], Got], ...] = (
        lambda: bob.verify(code),
        lambda: bob.verify("000000"),
        lambda: rig.client("carol").api("POST", "totp"),
        lambda: alice.post("/mfa/signout", signout),
    )
    with held(rig.town.place):
        began = time.monotonic()
        for target in ("/files", "/x", "/mfa/account", "/mfa/api/v1/status"):
            assert alice.get(target).status == 200, "an idle clock that cannot be moved stops nobody"
        assert bob.get().status == 401
        assert rig.client("new").get().status == 503, "nobody is met whom nobody can record"
        for act in acts:
            started = time.monotonic()
            assert act().status == 503
            assert time.monotonic() - started < 4
        assert alice.ask("POST", "/login").status == 503
        assert time.monotonic() - began < 20
    assert alice.get().status == 200, "nothing was ended"
    assert bob.verify(code).status == 200, "and nothing was spent"
    no_way_in(rig)


# J03: every verb, every error, every answer that is none


def put(rig: Rig, client: Client, target: str) -> Got | None:
    """Ask. None where the fault came through the door, as a cancellation does; the portal was not asked then."""
    try:
        return client.get(target)
    except (asyncio.CancelledError, GeneratorExit):
        return None


@pytest.mark.parametrize("verb", VERBS)
def test_J03_no_error_and_no_odd_answer_of_the_store_opens_anything(rig: Rig, verb: str) -> None:
    clients = [rig.client("bob"), rig.client("carol"), rig.client("stranger 7"), rig.client(None)]
    dead = rig.client("bob", verified=True)
    rig.town.sign_out_everywhere("bob", rig.clock())
    alice = rig.client("alice", verified=True)
    for act in (*map(raising, ERRORS), *ODD):
        before = len(rig.seen)
        rig.clock.go(6)
        with fault(verb, act):
            for client in (*clients, dead):
                got = put(rig, client, "/files")
                assert got is None or got.status in {401, 503}, (verb, got)
                assert len(rig.seen) == before, (verb, client.user)
            got = put(rig, alice, "/files")
            assert got is None or got.status in {200, 401, 503}
            assert len(rig.seen) - before == (got is not None and got.status == 200)
            assert all(each.told and each.told["subject"] == "alice" for each in rig.seen[before:])
        rig.canary.seen.clear()
    assert put(rig, alice, "/files") is not None
    assert alice.get("/files").status == 200, "healed, without a restart"
    assert rig.client("bob").get("/files").status == 401


READS = ("facts", "policy")


@pytest.mark.parametrize("verb", READS)
def test_J03_who_is_verified_waits_while_the_store_answers_wrongly(rig: Rig, verb: str) -> None:
    alice = rig.client("alice", verified=True)
    for act in (*map(raising, ERRORS), *ODD):
        rig.clock.go(6)
        with fault(verb, act) as found:
            got = put(rig, alice, "/files")
            assert got is None or got.status in {401, 503} or not found.asked or verb == "policy", act()
    assert alice.get("/files").status == 200


def test_J03_a_store_that_answers_with_somebody_elses_record_mixes_nobody_up(rig: Rig) -> None:
    """As a connection does that is one answer behind."""
    store, now = rig.town.store, int(rig.clock())
    root, alice, bob = (
        rig.client("root", verified=True),
        rig.client("alice", verified=True),
        rig.client("bob"),
    )
    key = store.sessions(rig.person("root").id, now)[0].key
    of_root = store.facts(rig.person("root").id, key, now)
    for client in (alice, bob, rig.client("carol"), rig.client("stranger 8")):
        with fault("facts", lambda: of_root):
            assert put(rig, client, "/files") is not None
        for each in rig.seen:
            assert each.told is not None
            assert each.told["subject"] != "root", client.user
        with fault("account", lambda: of_root.account):
            assert client.verify(rig.person("root").code(rig.clock(), 1)).status in {401, 503}
            for path in ("account", "admin/users", "setup"):
                assert b"root" not in client.visit(f"/mfa/{path}").body
    assert root.get().status == 200


@pytest.mark.parametrize("verb", VERBS)
def test_J03_nothing_is_said_to_be_done_that_is_not_in_the_store(rig: Rig, verb: str) -> None:
    """Codes, enrollments, resets, the policy. What was done and could not be told is 503: the outcome is unknown."""
    for number, error in enumerate(ERRORS[:-2:3]):
        rig.clock.go(30)
        if not rig.town.account("help").has_factor:
            rig.town.enroll("help", rig.clock())
        rig.requires()
        act = ACTS[number % len(ACTS)](rig)
        before, kept = (
            world(rig),
            len(rig.town.store.events(account_id=None, kind=None, before=None, limit=500)),
        )
        with fault(verb, raising(error)) as found:
            got = act()
        changed = world(rig) != before
        assert got.status != 200 or changed, (verb, number)
        assert got.status in {200, 401, 503}, (verb, number, got.body)
        if verb in {"commit", "commit_policy", "account"} and found.asked and got.status == 503:
            spent = len(rig.town.store.events(account_id=None, kind=None, before=None, limit=500)) - kept
            assert not changed or (verb == "commit_policy" and spent == 1), (
                "no more than the code for the policy"
            )
        assert got.status == 200 or "mfa_gate=" not in "".join(got.values("set-cookie"))


def _verify(rig: Rig) -> Callable[[], Got]:
    client = rig.client("bob")
    rig.clock.go(25)
    return partial(client.verify, rig.person("bob").code(rig.clock()))


def _begin(rig: Rig) -> Callable[[], Got]:
    return partial(rig.client("carol").api, "POST", "totp")


def _reset(rig: Rig) -> Callable[[], Got]:
    return partial(reset, rig.client("root", verified=True), rig.person("help").id)


def _turn_off(rig: Rig) -> Callable[[], Got]:
    client = rig.client("root", verified=True)
    rig.clock.go(25)
    code = {"factor": "totp", "code": rig.person("root").code(rig.clock())}
    return partial(client.api, "PATCH", "admin/policy", {"require_two_step": False, "confirm": code})


ACTS = (_verify, _begin, _reset, _turn_off)


def reset(client: Client, person: str) -> Got:
    return client.api("POST", f"admin/users/{person}/reset", {"reason": "lost the phone"})


def world(rig: Rig) -> tuple[object, ...]:
    """What the store says of everybody."""
    store = rig.town.store
    return (
        store.policy(),
        *(rig.town.account(name) for name in ("root", "help", "alice", "bob", "carol")),
        *(store.sessions(rig.town.account(name).id, 0) for name in ("root", "help", "alice", "bob", "carol")),
        len(store.events(account_id=None, kind=None, before=None, limit=1_000)),
    )


# J08: no room


@pytest.mark.parametrize("door", ["asgi", "wsgi"])
def test_J08_without_room_for_the_trail_nothing_is_done_and_with_room_everything_goes_on(
    disk: Disk, door: DoorName, towns: Towns
) -> None:
    rig = Rig(door, towns[True].copy(disk.place))
    try:
        root, alice, bob = (
            rig.client("root", verified=True),
            rig.client("alice", verified=True),
            rig.client("bob"),
        )
        assert alice.get().status == 200
        fill(rig, disk)
        before = world(rig)
        rig.clock.go(120)
        code = rig.person("bob").code(rig.clock())
        off = {
            "require_two_step": False,
            "confirm": {"factor": "totp", "code": rig.person("root").code(rig.clock())},
        }
        assert {bob.verify(code).status, bob.verify("000000").status} == {503}, "not told apart either"
        assert reset(root, rig.person("alice").id).status == 503
        assert root.api("PATCH", "admin/policy", off).status == 503
        assert rig.client("carol").api("POST", "totp").status == 503
        assert rig.client("new").get().status == 503
        assert alice.ask("POST", "/login").status == 503
        assert alice.get().status == 200, "who passes, passes"
        assert world(rig) == before
        disk.free()
        rig.clock.go(30)
        assert bob.verify(rig.person("bob").code(rig.clock())).status == 200
        assert reset(root, rig.person("alice").id).status == 200
        assert rig.town.store.broken_chain() is None
    finally:
        with suppress(OSError):
            disk.free()
        rig.close()


def fill(rig: Rig, disk: Disk) -> None:
    """Until not one commit more has room: neither on the disk nor in what the log had taken of it before."""
    disk.fill()
    with pytest.raises(StoreUnavailable):
        note_for_ever(rig)
    disk.fill()


def note_for_ever(rig: Rig) -> None:
    noted = event(rig.town.account("carol"), "profile_changed", SYSTEM, int(rig.clock()))
    while True:
        rig.town.store.record((noted,), int(rig.clock()))


# J13: clocks that jump


HOUR, DAY = 3_600, 86_400


def with_two_clocks(rig: Rig) -> Clock:
    """From here on the rig's clock is the wall's alone, and may jump; the monotonic one is given back."""
    monotonic = Clock()
    rig.gate = Gate(rig.settings, sources=Sources(clock=rig.clock, monotonic=monotonic, random=os.urandom))
    rig.asgi, rig.wsgi = rig.gate.asgi(rig.canary.asgi), rig.gate.wsgi(rig.canary.wsgi)
    return monotonic


@pytest.mark.parametrize("jump", [-DAY, -HOUR, -45, 45, HOUR, DAY])
def test_J13_no_jump_of_the_clock_takes_a_spent_code_again(rig: Rig, jump: int) -> None:
    monotonic = with_two_clocks(rig)
    person, start = rig.person("alice"), rig.clock()
    spent = []
    for _ in range(3):
        rig.clock.go(30)
        monotonic.go(30)
        spent.append(person.code(rig.clock()))
        assert rig.client("alice").verify(spent[-1]).status == 200
    assert rig.client("alice").verify(person.codes[0], "recovery_code").status == 200
    for moment in (rig.clock() + jump, rig.clock(), start + 30, start + 60, start + 90):
        rig.clock.now = moment
        monotonic.go(6)
        client = rig.client("alice")
        for code in spent:
            assert client.verify(code).status in {401, 429}, (jump, moment - start)
        assert client.verify(person.codes[0], "recovery_code").status in {401, 429}
        assert client.get().status in {401, 429}


@pytest.mark.parametrize("jump", [-DAY, -HOUR])
def test_J13_a_clock_that_goes_back_lengthens_no_session(rig: Rig, jump: int) -> None:
    monotonic = with_two_clocks(rig)
    alice, start = rig.client("alice", verified=True), rig.clock()
    assert alice.get("/archive/").status == 200
    rig.clock.go(jump)
    monotonic.go(6)
    assert alice.get().status == 401, "a session from the future proves nothing"
    assert alice.get("/archive/").status == 401
    rig.clock.now = start + 60
    monotonic.go(6)
    assert alice.get().status == 200, "but it was not ended"
    rig.clock.now = start + 12 * HOUR
    monotonic.go(6)
    assert alice.get().status == 401
    rig.clock.now = start + 301
    monotonic.go(6)
    assert alice.get("/archive/").status == 401, "and a step up is as old as it is"


@pytest.mark.parametrize("jump", [HOUR, DAY])
def test_J13_a_clock_that_goes_ahead_and_comes_back_opens_nothing_that_was_shut(rig: Rig, jump: int) -> None:
    monotonic = with_two_clocks(rig)
    alice, start = rig.client("alice", verified=True), rig.clock()
    for _ in range(10):
        rig.client("bob").verify("000000")
        rig.clock.go(61)
        monotonic.go(61)
    assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).status == 429
    ended = alice.get().status
    rig.clock.go(jump)
    monotonic.go(6)
    assert alice.get().status == 401, "idle for so long, as far as anybody can tell"
    for _ in range(10):
        rig.client("bob").verify("000000")
        rig.clock.go(1)
    rig.clock.now = start + 700
    monotonic.go(6)
    assert ended == 200
    assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).status == 429
    strikes = rig.town.account("bob").totps[0].strikes
    assert strikes.consecutive >= 15, "every judged code is counted, whenever it was"


@pytest.mark.parametrize("jump", [-DAY, -HOUR])
def test_J13_a_clock_that_goes_back_makes_no_pause_longer_than_it_can_be(rig: Rig, jump: int) -> None:
    monotonic = with_two_clocks(rig)
    for _ in range(10):
        rig.client("bob").verify("000000")
        rig.clock.go(61)
    rig.clock.go(jump)
    monotonic.go(6)
    waits = [int(rig.client("bob").verify("000000").header("retry-after")) for _ in range(2)]
    assert max(waits) <= 900, (
        "fifteen minutes from now, and not once more the time by which the clock was wrong"
    )
    rig.clock.go(901)
    monotonic.go(901)
    assert rig.client("bob").verify("000000").status == 401, "judged again"


# J16: one record that does not open


ROWS: dict[str, tuple[str, ...]] = {
    "a bit flipped": (
        "UPDATE account SET sealed = substr(sealed, 1, 40) || x'00' || substr(sealed, 42) WHERE id = :id",
    ),
    "cut": ("UPDATE account SET sealed = substr(sealed, 1, 30) WHERE id = :id",),
    "empty": ("UPDATE account SET sealed = x'' WHERE id = :id",),
    "text": ("UPDATE account SET sealed = 'x' WHERE id = :id",),
    "of another key": ("UPDATE account SET sealed = x'6d6601' || randomblob(80) WHERE id = :id",),
    "somebody else's": (
        "UPDATE account SET sealed = (SELECT sealed FROM account WHERE id = :other) WHERE id = :id",
    ),
    "gone": ("DELETE FROM account WHERE id = :id",),
    "gone with its head": ("DELETE FROM account WHERE id = :id", "DELETE FROM register WHERE account = :id"),
    "without its head": ("DELETE FROM register WHERE account = :id",),
    "of another version": ("UPDATE account SET version = version - 1 WHERE id = :id",),
    "said to have no factor": (
        "UPDATE account SET sealed = randomblob(200), stands = 'missing' WHERE id = :id",
    ),
    "another's head": (
        "UPDATE register SET sealed = (SELECT sealed FROM register WHERE account = :other) WHERE account = :id",
    ),
}


def fields(client: Any, part: str, who: str, change: Callable[[bytes], bytes | None]) -> None:  # noqa: ANN401
    """One field of somebody's, made another, or taken away."""
    name = key(shard_of(who), part)
    changed = change(client.hget(name, who))
    client.hdel(name, who) if changed is None else client.hset(name, who, changed)


def beside(version: bytes, sealed: bytes) -> Callable[[bytes], bytes]:
    """A document with another version (empty: its own) and another seal."""
    return lambda old: (version or old.partition(b":")[0]) + b":" + (sealed or old.partition(b":")[2])


def theirs(client: Any, part: str, other: str) -> Callable[[bytes], bytes]:  # noqa: ANN401
    """What somebody else has there."""
    found: bytes = client.hget(key(shard_of(other), part), other)
    return lambda _: found


def taken(_: bytes) -> None:
    """Nothing."""


Spoil = Callable[[Any, str, str], object]
FIELDS: dict[str, Spoil] = {
    "a bit flipped": lambda client, who, _: fields(
        client, "accounts", who, lambda old: old[:40] + bytes([old[40] ^ 1]) + old[41:]
    ),
    "cut": lambda client, who, _: fields(client, "accounts", who, lambda old: old[:30]),
    "empty": lambda client, who, _: fields(client, "accounts", who, lambda _: b""),
    "text": lambda client, who, _: fields(client, "accounts", who, lambda _: b"x"),
    "of another key": lambda client, who, _: fields(
        client, "accounts", who, beside(b"", b"mf\x01" + os.urandom(80))
    ),
    "somebody else's": lambda client, who, other: fields(
        client, "accounts", who, theirs(client, "accounts", other)
    ),
    "gone": lambda client, who, _: fields(client, "accounts", who, taken),
    "gone with its head": lambda client, who, _: (
        client.hdel(key(shard_of(who), "accounts"), who),
        client.hdel(key(shard_of(who), "heads"), who),
    ),
    "without its head": lambda client, who, _: fields(client, "heads", who, taken),
    "of another version": lambda client, who, _: fields(client, "accounts", who, beside(b"1", b"")),
    "said to have no factor": lambda client, who, _: fields(
        client, "accounts", who, beside(b"", os.urandom(200))
    ),
    "another's head": lambda client, who, other: fields(client, "heads", who, theirs(client, "heads", other)),
}


def spoil(rig: Rig, how: str) -> None:
    """Change what the store keeps of alice, by hand."""
    there, alice, bob = rig.town.holding, rig.person("alice").id, rig.person("bob").id
    if isinstance(there, RedisHolding):
        with there.opened() as client:
            FIELDS[how](client, alice, bob)
        return
    with closing(sqlite3.connect(rig.town.place / "gate.db")) as db:
        for statement in ROWS[how]:
            assert db.execute(statement, {"id": alice, "other": bob}).rowcount
        db.commit()


@pytest.mark.parametrize("how", ROWS)
def test_J16_whose_record_does_not_open_waits_alone_and_is_never_somebody_without_two_step(
    rig: Rig, how: str
) -> None:
    alice, bob = rig.client("alice", verified=True), rig.client("bob", verified=True)
    assert alice.get().status == bob.get().status == 200
    spoil(rig, how)
    rig.clock.go(6)
    before = len(rig.seen)
    for client in (alice, rig.client("alice")):
        for target in (
            "/files",
            "/archive/",
            "/mfa/account",
            "/mfa/setup",
            "/mfa/verify",
            "/mfa/api/v1/status",
        ):
            assert client.get(target).status == 503, target
            assert client.visit(target).status == 503, target
        assert client.api("POST", "totp").status == 503, "no new factor"
        assert client.verify(rig.person("alice").code(rig.clock())).status == 503
        assert client.verify(rig.person("alice").codes[0], "recovery_code").status == 503
    assert len(rig.seen) == before
    assert bob.get().status == 200
    assert bob.visit("/mfa/account").status == 200
    assert rig.client("carol").visit("/mfa/setup").status == 200
    root = rig.client("root", verified=True)
    assert root.api("GET", f"admin/users/{rig.person('bob').id}").status == 200
    assert root.api("GET", f"admin/users/{rig.person('alice').id}").status == 503
    assert (
        root.api("POST", f"admin/users/{rig.person('alice').id}/reset", {"reason": "because"}).status == 503
    )
    said = rig.town.store.broken_chain() or ""
    assert how not in {"gone with its head", "without its head", "another's head"} or said


# J19: a trail that was tampered with


ROW = "account, kind, at, record, link"
EXCHANGED = (
    "UPDATE audit SET record = (SELECT record FROM audit AS b WHERE b.position = "
    "CASE audit.position WHEN :third THEN :fourth ELSE :third END) WHERE position IN (:third, :fourth)"
)
TAMPERED: dict[str, str] = {
    "edited": "UPDATE audit SET record = replace(record, 'factor_added', 'signed_out') WHERE account = :id",
    "edited in its time": "UPDATE audit SET record = replace(record, '\"at\":1', '\"at\":2') WHERE position = :third",
    "given to somebody else": "UPDATE audit SET account = :other WHERE position = :third",
    "taken out of the middle": "DELETE FROM audit WHERE position = :third",
    "cut off at the end": "DELETE FROM audit WHERE position = (SELECT MAX(position) FROM audit WHERE account = :id)",
    "cut off at the start": "DELETE FROM audit WHERE position = (SELECT MIN(position) FROM audit WHERE account = :id)",
    "emptied": "DELETE FROM audit WHERE account = :id",
    "put in twice": f"INSERT INTO audit ({ROW}) SELECT {ROW} FROM audit WHERE position = :third",
    "invented": f"INSERT INTO audit ({ROW}) VALUES (:id, 'reset', 1, '{{}}', x'00')",
    "of nobody": f"INSERT INTO audit ({ROW}) SELECT :nobody, kind, at, record, link FROM audit WHERE account = :id",
    "exchanged": EXCHANGED,
    "a link changed": "UPDATE audit SET link = randomblob(32) WHERE position = :third",
    "the head taken away": "DELETE FROM register WHERE account = :id",
}


@pytest.mark.sqlite
@pytest.mark.parametrize("how", TAMPERED)
def test_J19_a_trail_that_was_tampered_with_is_found_and_its_row_is_named(build: Build, how: str) -> None:
    rig = build(door="asgi")
    rig.client("alice").verify("000000")
    rig.client("alice").verify(rig.person("alice").code(rig.clock(), 1))
    assert rig.town.store.broken_chain() is None
    alice = rig.person("alice").id
    found = rig.town.store.events(account_id=alice, kind=None, before=None, limit=100)
    positions = sorted(recorded.position for recorded in found)
    assert len(positions) > 4
    names = {
        "id": alice,
        "other": rig.person("bob").id,
        "third": positions[2],
        "fourth": positions[3],
        "nobody": "0" * 32,
    }
    with closing(sqlite3.connect(rig.town.place / "gate.db")) as db:
        changes = db.execute(TAMPERED[how], names).rowcount
        db.commit()
    assert changes
    said = rig.town.store.broken_chain()
    assert said is not None
    named = {f"{positions[2]}", f"{positions[3]}", alice, rig.person("bob").id, "0" * 32}
    assert any(name in said for name in named), said


@pytest.mark.sqlite
def test_J19_the_whole_trail_cut_back_with_everything_else_is_an_older_store(build: Build) -> None:
    """Every row of one person put back as it was: they are refused, since the organization counts its events."""
    rig = build(door="asgi")
    place = rig.town.place
    rig.town.store.close()
    shutil.copy(place / "gate.db", place / "before.db")
    rig.town.reset("alice", rig.clock())
    rig.town.store.close()
    alice = rig.person("alice").id
    with closing(sqlite3.connect(place / "gate.db")) as db:
        db.execute("ATTACH ? AS old", (str(place / "before.db"),))
        for table, column in (
            ("account", "id"),
            ("register", "account"),
            ("live", "account"),
            ("audit", "account"),
        ):
            db.execute(f"DELETE FROM {table} WHERE {column} = ?", (alice,))
            db.execute(f"INSERT INTO {table} SELECT * FROM old.{table} WHERE {column} = ?", (alice,))
        db.commit()
    assert rig.town.store.broken_chain() is not None
