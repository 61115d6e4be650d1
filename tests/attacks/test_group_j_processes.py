"""Faults of whole processes (J): killed, told to end, hung and racing; on real servers, under the real clock."""

import fcntl
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyotp
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from mfa_gate.core.accounts import account_id
from mfa_gate.flows.assistance import EndExemption, Exempt
from mfa_gate.flows.results import Done
from tests.attacks.calling import ORIGIN, call, get
from tests.edges.holdings import SQLITE, Backend, RedisHolding
from tests.edges.rig import found
from tests.edges.servers import PATIENCE_SECONDS, Served, ServerName, read_until, request, serving, status_of
from tests.edges.town import REALM, Town
from tests.stores.redis_servers import SPARE, Servers
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("servers")

WITHIN_SECONDS = 5.0


@pytest.fixture
def town(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> Iterator[Town]:
    """People under the real clock; whoever has two-step has it since a minute, so that a code is at hand."""
    backend: Backend = getattr(request, "param", "sqlite")
    url = SQLITE
    if backend != "sqlite":
        url = servers.running(backend).url_of(SPARE - 2)
        RedisHolding(url).put_back({})
    made = found(tmp_path, time.time() - 60, url)
    made.require_two_step(now=time.time())
    yield made
    made.close()


Work = Callable[[threading.Event], None]


@contextmanager
def at_work(*targets: Work) -> Iterator[None]:
    """Threads that do something until the block ends; each is told by an event when."""
    over = threading.Event()
    threads = [threading.Thread(target=target, args=(over,)) for target in targets]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)


# J02: the store hangs under a real event loop


def test_J02_the_loop_lives_while_the_store_hangs(uvicorn: Served) -> None:
    alice, bob = uvicorn.cookies("alice", verified=True), uvicorn.cookies("bob")
    assert get(uvicorn, alice) == 200
    with (uvicorn.town.place / "gate.db.lock").open("rb") as lock, ThreadPoolExecutor(24) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        body = {"factor": "totp", "code": "000000"}
        stuck = [pool.submit(call, uvicorn, bob, "POST", "verify", body) for _ in range(20)]
        slowest = 0.0
        while not all(each.done() for each in stuck):
            for target, cookies in (("/mfa/healthz/live", ""), ("/files", alice), ("/files", bob)):
                began = time.monotonic()
                assert get(uvicorn, cookies, target) in {200, 401}
                slowest = max(slowest, time.monotonic() - began)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert {each.result().status for each in stuck} == {503}
        assert slowest < 3
    assert get(uvicorn, alice, "/mfa/healthz/ready") == 200


# J04, J07, J10: killed in the middle


@dataclass
class Story:
    """What clients were told of: who enrolled with which session, who was reset."""

    enrolled: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    reset: set[str] = field(default_factory=set)
    asked_to_reset: set[str] = field(default_factory=set)
    odd: list[str] = field(default_factory=list)
    number: int = 0

    def enroll_people(self, served: Served, label: str) -> Work:
        """A client that enrolls one person after another."""

        def run(over: threading.Event) -> None:
            while not over.is_set():
                self.number += 1
                who = f"{label}-{self.number}-{threading.get_ident()}"
                cookies = served.cookies(who)
                with suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                    begun = call(served, cookies, "POST", "totp")
                    if begun.status != 200:
                        self.odd.append(f"totp: {begun}")
                        continue
                    self.begun.add(who)
                    proof = {
                        "enrollment": begun.body["enrollment"],
                        "code": pyotp.TOTP(begun.body["secret"]).now(),
                    }
                    done = call(served, cookies, "POST", "totp/confirm", proof)
                    if done.status == 200:
                        self.enrolled[who] = (f"{cookies}; {done.cookie}", tuple(done.body["recovery_codes"]))
                    elif done.status not in {401, 503}:
                        self.odd.append(f"confirm: {done}")

        return run

    def reset_people(self, served: Served) -> Work:
        """An administrator who resets whoever has just enrolled, every other one."""
        root = served.cookies("root", verified=True)

        def run(over: threading.Event) -> None:
            while not over.is_set():
                for who in sorted(set(self.enrolled) - self.asked_to_reset)[::2]:
                    self.asked_to_reset.add(who)
                    with suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                        path = f"admin/users/{account_id(REALM, who)}/reset"
                        said = call(served, root, "POST", path, {"reason": "because"})
                        if said.status == 200:
                            self.reset.add(who)
                        elif said.status != 503:
                            self.odd.append(f"reset: {said}")
                over.wait(0.01)

        return run


def all_or_nothing(town: Town, story: Story) -> None:
    """What was told is there, and of everybody all of it or nothing."""
    assert story.odd == []
    now = int(time.time())
    for who in story.begun:
        account = town.store.account(account_id(REALM, who))
        assert account is not None
        events = town.events(who)
        sessions = town.store.sessions(account.id, now)
        if account.has_factor:
            assert len(account.totps) == 1
            assert account.recovery is not None
            assert len(account.recovery.hashes) == 10
            assert len(sessions) == 1
            assert {"factor_added", "recovery_codes_made", "verified"} <= set(events)
        else:
            assert account.recovery is None
            assert sessions == ()
            assert ("factor_added" in events) == ("reset" in events)
        if who in story.enrolled and who not in story.asked_to_reset:
            assert account.has_factor, "it was told, and it is lost"
        if who in story.reset:
            assert not account.has_factor, "it was told, and it is undone"
    assert town.store.broken_chain() is None
    if town.url == SQLITE:
        with closing(sqlite3.connect(town.place / "gate.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def wait_for(what: Sized, many: int) -> None:
    """Until there are so many more."""
    before = len(what)
    until(lambda: len(what) >= before + many, PATIENCE_SECONDS)


@pytest.mark.parametrize(("town", "rounds"), [("sqlite", 2), ("redis-7", 1)], indirect=["town"])
def test_J04_J10_a_server_that_is_killed_loses_nothing_that_it_told(
    town: Town, rounds: int, scale: str
) -> None:
    story = Story()
    for round_ in range(rounds if scale == "small" else 40):
        with serving("uvicorn", town) as served:
            workers = [story.enroll_people(served, f"r{round_}") for _ in range(4)]
            with at_work(*workers, story.reset_people(served)):
                wait_for(story.enrolled, 6)
                time.sleep(random.random() / 5)
                os.killpg(served.process.pid, signal.SIGKILL)
                served.process.wait()
        all_or_nothing(town, story)
    with serving("uvicorn", town) as served:
        last = [who for who in story.enrolled if who not in story.asked_to_reset][-5:]
        for who in last:
            cookies, codes = story.enrolled[who]
            assert get(served, cookies) == 200, "the session that was told goes on"
            by_paper = call(
                served, served.cookies(who), "POST", "verify", {"factor": "recovery_code", "code": codes[0]}
            )
            assert by_paper.status == 200, "and so do the codes"
        for who in list(story.reset)[-5:]:
            assert get(served, story.enrolled[who][0]) == 401
    assert len(story.enrolled) >= 6 * rounds


def test_J07_workers_that_are_killed_hold_nobody_up_and_leave_nothing_half_done(
    town: Town, scale: str
) -> None:
    story = Story()
    with serving("gunicorn", town, "--preload", "--workers", "4") as served:
        people = [story.enroll_people(served, "w") for _ in range(4)]
        with at_work(*people, story.reset_people(served)):
            for _ in range(6 if scale == "small" else 200):
                wait_for(story.enrolled, 3)
                children = (
                    Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
                )
                with suppress(ProcessLookupError):
                    os.kill(int(random.choice(children)), signal.SIGKILL)
            wait_for(story.enrolled, 3)
    all_or_nothing(town, story)


# J09: told to end


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("uvicorn", ("--timeout-graceful-shutdown", "25")),
        ("gunicorn", ("--preload", "--workers", "2", "--graceful-timeout", "25")),
    ],
)
def test_J09_a_server_that_is_told_to_end_finishes_what_it_began(
    town: Town, name: ServerName, arguments: tuple[str, ...]
) -> None:
    """Uploads under way, pages under way and a load of small requests: none is cut, and afterwards nobody answers."""
    with serving(name, town, *arguments) as served, ExitStack() as open_:
        alice = served.cookies("alice", verified=True)
        sizes = [200_000] * 6
        body = json.dumps({"factor": "totp", "code": "000000"}).encode()
        verify = begin(served, "POST /mfa/api/v1/verify HTTP/1.1", served.cookies("bob"), len(body))
        uploads = [begin(served, f"PUT /upload/{size} HTTP/1.1", alice, size) for size in sizes]
        for connection in (verify, *uploads):
            open_.enter_context(connection)
        statuses: list[int] = []
        cut: list[bytes] = []

        def load(over: threading.Event) -> None:
            while not over.is_set():
                with suppress(OSError):
                    answer = served.say("GET /files HTTP/1.1", f"Cookie: {alice}")
                    if answer:
                        statuses.append(status_of(answer))
                        cut.extend(
                            [] if answer.endswith(b"confidential") or b"0\r\n\r\n" in answer else [answer]
                        )

        with at_work(load, load, load):
            wait_for(statuses, 20)
            served.process.send_signal(signal.SIGTERM)
            said_so(served)
            for connection, size in zip(uploads, sizes, strict=True):
                connection.sendall(b"a" * (size - size // 2))
                assert status_of(read_until(connection, b"confidential")) == 200
            verify.sendall(body[len(body) // 2 :])
            assert b"code_rejected" in read_until(verify, b"code_rejected")
            served.process.wait(PATIENCE_SECONDS)
        assert set(statuses) == {200}
        assert cut == []
        assert {seen.body for seen in served.seen if seen.path.startswith("/upload")} == {200_000}
    assert town.events("bob")[-1] == "code_rejected"


def begin(served: Served, line: str, cookies: str, size: int) -> socket.socket:
    """The head of a request and half of its body, once somebody has begun to read it."""
    connection = served.connect()
    lines = (
        line,
        f"Cookie: {cookies}",
        *(f"{name}: {value}" for name, value in ORIGIN.items()),
        f"Content-Length: {size}",
        "Expect: 100-continue",
    )
    body = json.dumps({"factor": "totp", "code": "000000"}).encode() if size < 1_000 else b"a" * size
    connection.sendall(request(served, lines))
    assert b"100 Continue" in read_until(connection, b"\r\n\r\n")
    connection.sendall(body[: size // 2])
    return connection


def said_so(served: Served) -> None:
    """Until the server has said that it was told to end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "Shutting down" not in served.log and "Handling signal: term" not in served.log:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_J09_open_sockets_are_told_that_the_server_ends(town: Town) -> None:
    with serving("uvicorn", town) as served:
        cookies = served.cookies("alice", verified=True)
        with connect(
            f"ws://localhost:{served.port}/live", additional_headers={"Cookie": cookies}, proxy=None
        ) as live:
            assert live.recv(PATIENCE_SECONDS) == "confidential"
            served.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                live.recv(PATIENCE_SECONDS)
        served.process.wait(PATIENCE_SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in {1001, 1012}


# J12: how soon a change is everywhere


def test_J12_a_policy_is_in_force_everywhere_within_five_seconds(tmp_path: Path) -> None:
    """Two servers, three processes, one store; the change is made through one of them."""
    town = found(tmp_path, time.time() - 60)
    try:
        with (
            serving("gunicorn", town, "--preload", "--workers", "2") as changing,
            serving("uvicorn", town) as other,
        ):
            root = changing.cookies("root", verified=True)
            carol = [(served, served.cookies("carol")) for served in (changing, other)]
            for served, cookies in carol:
                assert [get(served, cookies) for _ in range(4)] == [200] * 4
            live = connect(
                f"ws://localhost:{other.port}/live", additional_headers={"Cookie": carol[1][1]}, proxy=None
            )
            with live, other.connect() as stream:
                stream.sendall(
                    request(other, ("GET /events HTTP/1.1", f"Cookie: {carol[1][1]}"), close=False)
                )
                assert live.recv(PATIENCE_SECONDS) == "confidential"
                assert b"confidential" in read_until(stream, b"confidential")
                assert call(changing, root, "PATCH", "admin/policy", {"require_two_step": True}).status == 200
                since = time.monotonic()
                with pytest.raises(ConnectionClosed):
                    live.recv(PATIENCE_SECONDS)
                read_until(stream, b"0\r\n\r\n")
                soon(since, lambda: all(everywhere(*each, 401) for each in carol))
            confirm = {"factor": "totp", "code": town.people["root"].code(time.time(), 1)}
            said = call(
                changing, root, "PATCH", "admin/policy", {"require_two_step": False, "confirm": confirm}
            )
            assert said.status == 200
            soon(time.monotonic(), lambda: all(everywhere(*each, 200) for each in carol))
    finally:
        town.close()


def test_J12_every_kind_of_change_is_in_force_everywhere_within_five_seconds(
    uvicorn: Served, gunicorn: Served
) -> None:
    for served in (uvicorn, gunicorn):
        town, now = served.town, time.time()
        changes: dict[str, Any] = {
            "reset": town.reset,
            "signed out everywhere": town.sign_out_everywhere,
            "sessions ended": town.end_sessions,
        }
        for name, change in changes.items():
            who = f"{name}-{time.monotonic_ns()}"
            town.enroll(who, now - 60)
            cookies = served.cookies(who, verified=True)
            assert [get(served, cookies) for _ in range(4)] == [200] * 4
            change(who, time.time())
            soon(time.monotonic(), partial(everywhere, served, cookies, 401))


def exempt(served: Served, seconds: float) -> tuple[str, str]:
    """Somebody who needs no second step for so long, and their cookies."""
    who, now = f"exempt-{time.monotonic_ns()}", int(time.time())
    served.town.meet(who, now - 60)
    shell(served, who, Exempt(until=now + int(seconds)))
    cookies = served.cookies(who)
    assert everywhere(served, cookies, 200)
    return who, cookies


def shell(served: Served, who: str, act: Exempt | EndExemption) -> None:
    """An act from the server's own shell."""
    done = served.town.offices.assistance.assist_from_shell(
        "ops", act, account_id(REALM, who), "no phone yet", int(time.time())
    )
    assert isinstance(done, Done)


def test_J12_an_exemption_that_is_ended_is_over_everywhere(gunicorn: Served) -> None:
    who, cookies = exempt(gunicorn, 3_600)
    shell(gunicorn, who, EndExemption())
    soon(time.monotonic(), lambda: everywhere(gunicorn, cookies, 401))


@pytest.mark.parametrize("how", ["by itself", "by an act"])
def test_J12_an_exemption_that_ends_closes_what_it_had_opened(uvicorn: Served, how: str) -> None:
    who, cookies = exempt(uvicorn, 3 if how == "by itself" else 3_600)
    url = f"ws://localhost:{uvicorn.port}/live"
    with connect(url, additional_headers={"Cookie": cookies}, proxy=None) as live:
        assert live.recv(PATIENCE_SECONDS) == "confidential"
        if how == "by an act":
            shell(uvicorn, who, EndExemption())
        since = time.monotonic() + (3 if how == "by itself" else 0)
        with pytest.raises(ConnectionClosed):
            live.recv(PATIENCE_SECONDS)
        soon(since, lambda: everywhere(uvicorn, cookies, 401))


def everywhere(served: Served, cookies: str, status: int) -> bool:
    """Whether every worker says so; requests are dealt out among them."""
    return all(get(served, cookies) == status for _ in range(4))


def soon(since: float, true: Callable[[], bool]) -> None:
    """Within the time that is promised."""
    while not true():
        assert time.monotonic() - since < WITHIN_SECONDS, "not in force in time"
    assert time.monotonic() - since < WITHIN_SECONDS + 2
