"""Faults of the Redis server under a gate that runs (J): stopped, hung, emptied, refusing, put back.

One gate for all of them, on a server of its own: whatever happened to it before, it has healed without a restart.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from mfa_gate.anchors import AnchorFile
from mfa_gate.files import replace_file
from mfa_gate.gate import Gate
from mfa_gate.keys import KeyRing
from mfa_gate.keys.rotation import finished, prepared, retired
from mfa_gate.stores.redis_keys import SHARDS, key
from mfa_gate.wiring import Sources
from tests.attacks.calling import Said, call, get
from tests.attacks.test_group_j_keys import PURPOSES, walk
from tests.edges.asking import Ask, ask_asgi
from tests.edges.holdings import RedisHolding
from tests.edges.portal import Canary
from tests.edges.rig import found
from tests.edges.servers import Served, serving
from tests.edges.town import SECRET, Town
from tests.stores.redis_servers import RedisServer
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("servers")

Shell = Any
WITHIN_SECONDS = 1.0
HEALED_SECONDS = 2.0
ANCHORED: dict[str, Any] = {"anchor": {"path": "anchor/gate.anchor"}}
_names = count(1)


@dataclass
class Site:
    """A running gate, its server, and somebody with a shell there."""

    served: Served
    server: RedisServer
    shell: Shell

    def newcomer(self) -> str:
        """Somebody who has two-step since a minute, so that a code is at hand."""
        name = f"person-{next(_names)}"
        self.served.town.enroll(name, time.time() - 60)
        return name

    def code(self, who: str) -> str:
        """What somebody's app shows now."""
        return self.served.town.people[who].code(time.time())

    def verify(self, cookies: str, who: str, code: str = "") -> Said:
        """Give a code, the right one if no other is named."""
        code = code or self.code(who)
        return call(self.served, cookies, "POST", "verify", {"factor": "totp", "code": code})

    def is_open_for(self, cookies: str) -> None:
        """Until the gate lets this session in again, which must be soon."""
        until(lambda: get(self.served, cookies) == 200, HEALED_SECONDS)

    def is_closed_for(self, cookies: str) -> None:
        """Until what this process remembered is too old, or forgotten, which must be soon."""
        for each in (cookies, "session=none"):
            until(lambda each=each: get(self.served, each) == 503, HEALED_SECONDS)  # type: ignore[misc]

    def lets_nobody_in(self, *cookies: str) -> None:
        """Whoever comes is told to come back, each within a second; what is open stays open."""
        reached = len(self.served.seen)
        for each in (*cookies, self.served.cookies("bob"), self.served.cookies("carol"), "session=none"):
            for target in ("/files", "/archive/x", "/mfa/setup", "/mfa/account", "/mfa/api/v1/status"):
                assert within_a_second(lambda each=each, target=target: get(self.served, each, target)) == 503  # type: ignore[misc]
        root = self.served.cookies("nobody-in-particular")
        assert within_a_second(lambda: call(self.served, root, "POST", "totp").status) == 503
        assert len(self.served.seen) == reached
        for open_, status in (("/static/x", 200), ("/mfa/healthz/live", 200), ("/mfa/healthz/ready", 503)):
            assert within_a_second(lambda open_=open_: get(self.served, "a=b", open_)) == status  # type: ignore[misc]


def within_a_second(act: Callable[[], int]) -> int:
    """What comes of it, in time."""
    began = time.monotonic()
    said = act()
    assert time.monotonic() - began < WITHIN_SECONDS
    return said


@contextmanager
def sited(folder: Path, server: RedisServer, number: int) -> Iterator[tuple[Town, str]]:
    """People in one database of a server, the policy on."""
    place = folder / f"town{number}"
    (place / "anchor").mkdir(parents=True)
    url = server.url_of(number)
    town = found(place, time.time() - 60, url)
    town.require_two_step(now=time.time())
    yield town, url
    town.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer("redis-7", tmp_path_factory.mktemp("faulty"), "--appendonly", "yes")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> Iterator[Site]:
    with (
        sited(tmp_path_factory.mktemp("sites"), server, 1) as (town, _),
        serving("uvicorn", town, **ANCHORED) as served,
        server.client(db=1) as shell,
    ):
        yield Site(served, server, shell)


# J01, J02: away, and hung


def test_J01_a_server_that_is_stopped_closes_the_gate_and_one_that_is_back_opens_it(site: Site) -> None:
    alice = site.served.cookies("alice", verified=True)
    site.is_open_for(alice)
    site.server.kill()
    with running(site.served.town, **ANCHORED) as begun_meanwhile:
        try:
            site.is_closed_for(alice)
            site.lets_nobody_in(alice)
            assert begun_meanwhile(alice) == 503
        finally:
            site.server.start_again()
        site.is_open_for(alice)
        until(lambda: begun_meanwhile(alice) == 200)
    bob = site.served.cookies("bob")
    until(lambda: get(site.served, bob) == 401, HEALED_SECONDS)


def test_J02_a_server_that_hangs_closes_the_gate_within_a_second_and_holds_nobody_up(site: Site) -> None:
    alice, who = site.served.cookies("alice", verified=True), site.newcomer()
    theirs = site.served.cookies(who)
    site.is_open_for(alice)
    site.server.freeze()
    try:
        with ThreadPoolExecutor(8) as pool:
            stuck = [pool.submit(site.verify, theirs, who) for _ in range(8)]
            assert within_a_second(lambda: get(site.served, "a=b", "/mfa/healthz/live")) == 200
            assert {each.result().status for each in stuck} == {503}
        site.is_closed_for(alice)
        assert within_a_second(lambda: get(site.served, theirs)) == 503
        assert within_a_second(lambda: get(site.served, "a=b", "/static/x")) == 200
    finally:
        site.server.thaw()
    site.is_open_for(alice)
    # What was sent meanwhile may have been done: at most one of them is, and nobody got a session for it.
    until(lambda: site.verify(theirs, who).status in {200, 401}, HEALED_SECONDS)
    assert site.served.town.events(who).count("verified") <= 2


# J01, J16: emptied, another, older


def test_J01_J16_a_server_that_was_emptied_knows_nobody_and_nobody_is_new_there(site: Site) -> None:
    alice = site.served.cookies("alice", verified=True)
    site.is_open_for(alice)
    there = RedisHolding(site.served.town.url)
    kept = there.dumped()
    site.shell.flushdb()
    try:
        site.is_closed_for(alice)
        site.lets_nobody_in(alice)
        left = {name for name in site.shell.keys("*") if b":lease:" not in name and b":jobs" not in name}
        assert left == set(), "nothing of anybody is made anew"
    finally:
        there.put_back(kept)
    site.is_open_for(alice)


def test_J16_an_older_copy_is_refused_also_by_a_new_process_until_the_loss_is_accepted(
    server: RedisServer, tmp_path: Path
) -> None:
    with sited(tmp_path, server, 2) as (town, url), server.client(db=2) as shell:
        there = RedisHolding(url)
        older = there.dumped()
        with serving("uvicorn", town, **ANCHORED) as served, running(town, **ANCHORED) as another:
            site = Site(served, server, shell)
            alice, bob = served.cookies("alice", verified=True), served.cookies("bob")
            spent = site.code("bob")
            assert site.verify(bob, "bob", spent).status == 200
            until(lambda: signed(town.place))
            there.put_back(older)
            site.is_closed_for(alice)
            site.lets_nobody_in(alice)
            assert "Rollback detected" in served.log
            assert another(alice) == 503, "what was never there before is told by the anchor"
            reached = len(served.seen)
            accept_loss(town, url)
            until(lambda: get(served, alice) == another(alice) == 401)
            assert site.verify(bob, "bob", spent).status == 401, "what was spent since stays spent"
            assert len(served.seen) == reached


@contextmanager
def running(
    town: Town,
    sources: Sources = Sources(),  # noqa: B008 - the real clock
    **settings: Any,  # noqa: ANN401
) -> Iterator[Callable[[str], int]]:
    """A gate in this process that begins with the first request; what it says to somebody's cookies."""
    gate = Gate(town.settings(**settings), sources=sources)
    app = gate.asgi(Canary().asgi)
    yield lambda cookies: ask_asgi(app, Ask(headers=(("Cookie", cookies),))).status
    gate.parts.close()


def signed(place: Path) -> bool:
    anchor = AnchorFile(place / "anchor" / "gate.anchor").read()
    return anchor is not None and anchor.number > 0


def accept_loss(town: Town, url: str) -> None:
    """As somebody on the server's shell does."""
    settings = town.place / "mfa-gate.toml"
    settings.write_text(
        'public_url = "http://localhost:8000"\n'
        f'[store]\nurl = "{url}"\n[keys]\nfile = "keys.json"\n[anchor]\npath = "anchor/gate.anchor"\n'
        '[[identity]]\nsource = "starlette_session"\nsecret = "env:PORTAL_SECRET"\nfield = "user"\n'
    )
    program = [sys.executable, "-c", "from mfa_gate.cli import main; main()", "--settings", str(settings)]
    subprocess.run(
        [*program, "restore", "--accept-loss", "--reason", "tested"],
        env=os.environ | {"PORTAL_SECRET": SECRET},
        check=True,
        capture_output=True,
    )


# J03: refused in every way that a real server knows


def busy(shell: Shell) -> None:
    """A script that never ends; after a moment everybody is told so."""
    shell.config_set("busy-reply-threshold", 1)
    options = shell.get_connection_kwargs()
    with socket.create_connection((options["host"], options["port"])) as spinning:
        spinning.sendall(b'EVAL "while true do end" 0\r\n')
        until(lambda: _is_busy(shell))


def _is_busy(shell: Shell) -> bool:
    try:
        shell.ping()
    except RedisError as error:
        return "BUSY" in repr(error) or "busy" in str(error).lower()
    return False


def no_connection(shell: Shell) -> None:
    """So many clients that there is no room for another."""
    shell.config_set("maxclients", 1)
    shell.client_kill_filter(_type="normal", skipme=True)


def ask_password(shell: Shell) -> None:
    shell.config_set("requirepass", "another")
    shell.client_kill_filter(_type="normal", skipme=True)


def of_another_type(shell: Shell) -> None:
    for name in shell.keys("mfa:{?}:heads"):
        shell.rename(name, name + b":kept")
        shell.set(name, "something else")


def as_it_was(shell: Shell) -> None:
    for name in shell.keys("mfa:{?}:heads:kept"):
        shell.rename(name, name.removesuffix(b":kept"))


def may_not_write(shell: Shell) -> None:
    shell.execute_command("ACL", "SETUSER", "default", "-hset", "-xadd")


def may_write(shell: Shell) -> None:
    shell.execute_command("ACL", "SETUSER", "default", "+hset", "+xadd")


Act = Callable[[Shell], object]
REFUSALS: dict[str, tuple[Act, Act]] = {
    "READONLY": (
        lambda shell: shell.replicaof("127.0.0.1", 9),
        lambda shell: shell.replicaof("NO", "ONE"),
    ),
    "OOM": (lambda shell: shell.config_set("maxmemory", 1), lambda shell: shell.config_set("maxmemory", 0)),
    "NOREPLICAS": (
        lambda shell: shell.config_set("min-replicas-to-write", 1),
        lambda shell: shell.config_set("min-replicas-to-write", 0),
    ),
    "NOAUTH": (ask_password, lambda shell: shell.config_set("requirepass", "")),
    "NOPERM": (may_not_write, may_write),
    "BUSY": (busy, lambda shell: shell.script_kill()),
    "maxclients": (no_connection, lambda shell: shell.config_set("maxclients", 1000)),
    "WRONGTYPE": (of_another_type, as_it_was),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_J03_a_server_that_refuses_opens_nothing_spends_nothing_and_heals(site: Site, name: str) -> None:
    alice, who = site.served.cookies("alice", verified=True), site.newcomer()
    theirs = site.served.cookies(who)
    site.is_open_for(alice)
    until(lambda: get(site.served, theirs) == 401, HEALED_SECONDS)
    refuse, cure = REFUSALS[name]
    reached = len([each for each in site.served.seen if each.path == "/confidential"])
    try:
        refuse(site.shell)
        for _ in range(3):
            assert within_a_second(lambda: site.verify(theirs, who).status) == 503
            assert within_a_second(lambda: get(site.served, theirs, "/confidential")) in {401, 503}
        assert within_a_second(lambda: get(site.served, alice)) in {200, 503}
    finally:
        cure(site.shell)
    site.is_open_for(alice)
    until(lambda: site.verify(theirs, who).status == 200, HEALED_SECONDS)
    assert len([each for each in site.served.seen if each.path == "/confidential"]) == reached
    assert site.served.town.events(who).count("code_rejected") == 0


def test_J03_a_server_that_forgot_the_scripts_is_told_them_again(site: Site) -> None:
    alice, who = site.served.cookies("alice", verified=True), site.newcomer()
    site.is_open_for(alice)
    site.shell.script_flush()
    assert get(site.served, alice) == 200
    site.shell.script_flush()
    assert site.verify(site.served.cookies(who), who).status == 200


def test_J03_connections_that_are_cut_one_after_the_other_are_made_anew(site: Site) -> None:
    alice = site.served.cookies("alice", verified=True)
    statuses = []
    for _ in range(10):
        site.shell.client_kill_filter(_type="normal", skipme=True)
        statuses.append(get(site.served, alice, "/mfa/api/v1/status"))
    assert set(statuses) <= {200, 503}
    site.is_open_for(alice)


# D10, J12, J13: shards that have not heard of a policy, a server that forgets, and one that lives in another time


def test_D10_J12_J13_a_gate_that_runs_mends_what_lags_and_says_what_endangers_the_store(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever changed the policy died on the way: one shard knows of the new one, fifteen of the old one."""
    with sited(tmp_path, server, 3) as (town, _), server.client(db=3) as shell:
        older = {shard: shell.hget(key(shard, "shard"), "stand") for shard in SHARDS if shard != "0"}
        town.require_two_step(now=time.time())
        for shard, stand in older.items():
            shell.hset(key(shard, "shard"), "stand", stand)
        shell.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with running(town, Sources(clock=lambda: time.time() + 30)) as ask:
                assert ask("") == 401
                until(lambda: {"repair", "health"} <= town.store.last_runs().keys())
        finally:
            shell.config_set("maxmemory-policy", "noeviction")
        assert all(shell.hget(key(shard, "shard"), "stand") != older[shard] for shard in older)
        assert town.store.repair() == 0
        assert 'maxmemory-policy is "allkeys-lru"' in caplog.text
        assert "30 s behind this machine" in caplog.text


# J15: keys are exchanged while everybody is there


def test_J15_keys_are_exchanged_under_load_and_nobody_is_signed_out_or_refused(
    server: RedisServer, tmp_path: Path
) -> None:
    with (
        sited(tmp_path, server, 4) as (town, _),
        serving("uvicorn", town) as served,
        server.client(db=4) as shell,
    ):
        site = Site(served, server, shell)
        inside = [served.cookies(site.newcomer(), verified=True) for _ in range(6)]
        waiting = [site.newcomer() for _ in range(12)]
        came: Counter[tuple[str, int]] = Counter()
        is_over = threading.Event()

        def visit(cookies: str) -> None:
            while not is_over.is_set():
                came["visit", get(served, cookies)] += 1

        def meanwhile() -> None:
            """Some verify, and others go on, before the next step."""
            for _ in range(3):
                who = waiting.pop()
                came["verification", site.verify(served.cookies(who), who).status] += 1
            seen = came["visit", 200]
            until(lambda: came["visit", 200] >= seen + 20 or came.total() > came["visit", 200] + 12)

        place, now = town.place / "keys.json", int(time.time())
        with ThreadPoolExecutor(len(inside)) as pool:
            try:
                visits = [pool.submit(visit, cookies) for cookies in inside]
                ring, exchanged = prepared(KeyRing.load(place), PURPOSES, os.urandom, now)
                replace_file(place, ring.text())
                meanwhile()
                ring, _ = finished(ring, PURPOSES, now)
                replace_file(place, ring.text())
                meanwhile()
                newer = Town(town.place, town.people)
                until(lambda: is_sealed_with(newer, ring.writing("seal").id))
                meanwhile()
                newer.close()
            finally:
                is_over.set()
        for visited in visits:
            visited.result()
        assert came.keys() == {("visit", 200), ("verification", 200)}
        assert came["verification", 200] == 9
        for each in exchanged:
            if each.purpose != "pepper":
                ring, _ = retired(ring, each.old)
        replace_file(place, ring.text())
        until(lambda: {get(served, cookies) for cookies in inside} == {401})
        for who in waiting:
            assert site.verify(served.cookies(who), who).status == 200, "sealed anew, all of it"


def is_sealed_with(town: Town, key_id: str) -> bool:
    """Seal everything anew; whether nothing needs another key any more."""
    seals = town.store.seals
    walk(seals.reseal)
    return {needed for step in walk(seals.survey) for needed in step.needed} == {key_id}
