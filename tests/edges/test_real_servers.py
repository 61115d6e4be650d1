"""What only a real server can show: a fork, a body that nobody reads, an answer that never ends."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.edges.fixtures import Towns
from tests.edges.servers import PATIENCE_SECONDS, REPOSITORY, Served, read_until, request, status_of

pytestmark = pytest.mark.xdist_group("servers")

GIGABYTE = 1 << 30
WITHIN_SECONDS = 5.0


def test_a_person_passes_and_a_stranger_does_not(served: Served) -> None:
    before = len(served.seen)
    assert status_of(served.say("GET /files HTTP/1.1")) == 401
    assert status_of(served.say("GET /files HTTP/1.1", f"Cookie: {served.cookies('alice')}")) == 401
    verified = served.cookies("alice", verified=True)
    answer = served.say("GET /files HTTP/1.1", f"Cookie: {verified}")
    assert status_of(answer) == 200
    assert b"confidential" in answer
    assert len(served.seen) - before == 1


def test_own_pages_are_served_by_every_worker(gunicorn: Served) -> None:
    """They were loaded before the fork; a page that was built there would hang."""
    workers = set(re.findall(r"Booting worker with pid: (\d+)", gunicorn.log))
    assert len(workers) == 2
    cookies = gunicorn.cookies("carol")
    for _ in range(12):
        page = gunicorn.say("GET /mfa/setup HTTP/1.1", f"Cookie: {cookies}", "Accept: text/html")
        assert status_of(page) == 200
        assert b"Protect your account" in page


@pytest.mark.parametrize("target", ["/upload/x", "/files/x", "/mfa/api/v1/verify", "/mfa/verify"])
def test_c13_a_gigabyte_is_refused_before_it_is_sent(served: Served, target: str) -> None:
    before = len(served.seen)
    with served.connect() as connection:
        connection.sendall(
            request(
                served,
                (
                    f"POST {target} HTTP/1.1",
                    f"Cookie: {served.cookies('bob')}",
                    "Content-Type: application/json",
                    f"Content-Length: {GIGABYTE}",
                    "Expect: 100-continue",
                    "MFA-Gate-Request: 1",
                ),
            )
        )
        answer = read_until(connection, b"}")
    if served.name == "gunicorn":
        # It says so by itself, before it asks anybody.
        answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert status_of(answer) in ({401} if "/mfa/" not in target else {413, 415})
    assert b"100 Continue" not in answer
    assert len(served.seen) == before


def test_c13_a_gigabyte_that_is_sent_all_the_same_is_neither_kept_nor_passed_on(served: Served) -> None:
    """What becomes of a body that nobody wants is the server's business: uvicorn throws it away, gunicorn hangs up."""
    before, size, sent = len(served.seen), memory(served), 0
    with served.connect() as connection:
        connection.sendall(
            request(
                served,
                ("PUT /upload/x HTTP/1.1", f"Cookie: {served.cookies('bob')}", f"Content-Length: {GIGABYTE}"),
                close=False,
            )
        )
        assert status_of(read_until(connection, b"}")) == 401
        piece = bytes(4 << 20)
        with contextlib.suppress(OSError):
            while sent < GIGABYTE:
                connection.sendall(piece)
                sent += len(piece)
    assert len(served.seen) == before
    assert memory(served) - size < 32 << 20


def test_an_upload_of_a_verified_person_goes_through_piece_by_piece(served: Served) -> None:
    size = 64 << 20
    before = memory(served)
    with served.connect() as connection:
        connection.sendall(
            request(
                served,
                (
                    "PUT /upload/x HTTP/1.1",
                    f"Cookie: {served.cookies('alice', verified=True)}",
                    f"Content-Length: {size}",
                ),
            )
        )
        for _ in range(size >> 20):
            connection.sendall(bytes(1 << 20))
        assert status_of(read_until(connection, b"confidential")) == 200
    assert served.seen[-1].body == size
    assert memory(served) - before < 32 << 20


def memory(served: Served) -> int:
    """Bytes that the server and its workers hold."""
    pids = [served.process.pid, *map(int, re.findall(r"Booting worker with pid: (\d+)", served.log))]
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) << 10
    return total


def live(uvicorn: Served, cookies: str, target: str = "/live") -> ClientConnection:
    return connect(
        f"ws://localhost:{uvicorn.port}{target}",
        additional_headers={"Cookie": cookies} if cookies else {},
        open_timeout=PATIENCE_SECONDS,
        proxy=None,
    )


@pytest.mark.parametrize("who", ["nobody", "unverified", "without two-step", "somebody else's session"])
def test_c01_a_socket_is_refused_before_it_is_accepted(uvicorn: Served, who: str) -> None:
    session = uvicorn.cookies("alice", verified=True).partition("; ")[2]
    cookies = {
        "nobody": "",
        "unverified": uvicorn.cookies("bob"),
        "without two-step": uvicorn.cookies("carol"),
        "somebody else's session": f"{uvicorn.cookies('bob')}; {session}",
    }[who]
    before = len(uvicorn.seen)
    with pytest.raises(InvalidStatus) as refused:
        live(uvicorn, cookies)
    response = refused.value.response
    assert response.status_code == 401
    assert json.loads(response.body or b"")["code"] in {
        "sign_in_required",
        "two_step_code_required",
        "two_step_setup_required",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert len(uvicorn.seen) == before


def test_c01_a_socket_at_an_odd_path_or_a_page_of_ours_is_refused(uvicorn: Served) -> None:
    cookies = uvicorn.cookies("alice", verified=True)
    before = len(uvicorn.seen)
    for target, status in (("/public/%2e%2e/live", 400), ("//live", 400), ("/mfa/api/v1/status", 405)):
        with pytest.raises(InvalidStatus) as refused:
            live(uvicorn, cookies, target)
        assert refused.value.response.status_code == status
    assert len(uvicorn.seen) == before


def test_c02_an_open_socket_is_closed_after_a_reset(uvicorn: Served) -> None:
    now = time.time()
    uvicorn.town.enroll("socket", now)
    cookies = uvicorn.cookies("socket", verified=True)
    with live(uvicorn, cookies) as socket:
        assert socket.recv(PATIENCE_SECONDS) == "confidential"
        uvicorn.town.reset("socket", now)
        since = time.monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(PATIENCE_SECONDS)
        assert time.monotonic() - since < WITHIN_SECONDS
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "two_step_code_required")
    with pytest.raises(InvalidStatus) as refused:
        live(uvicorn, cookies)
    assert refused.value.response.status_code == 401


def test_a_socket_on_an_open_path_is_a_strangers_and_stays(uvicorn: Served) -> None:
    with live(uvicorn, uvicorn.cookies("bob"), "/static/live") as socket:
        assert socket.recv(PATIENCE_SECONDS) == "confidential"
        with pytest.raises(TimeoutError):
            socket.recv(3)
        socket.ping()
    assert uvicorn.seen[-1].values("cookie") == []


@pytest.mark.parametrize("change", ["reset", "session ended", "signed out everywhere"])
def test_c02_a_stream_is_cut_when_its_visitor_may_not_go_on(served: Served, change: str) -> None:
    subject = f"reader-{change}"
    town = served.town
    town.enroll(subject, time.time())
    cookies = served.cookies(subject, verified=True)
    with served.connect() as connection:
        connection.sendall(request(served, ("GET /events HTTP/1.1", f"Cookie: {cookies}"), close=False))
        assert status_of(read_until(connection, b"confidential")) == 200
        {
            "reset": town.reset,
            "session ended": town.end_sessions,
            "signed out everywhere": town.sign_out_everywhere,
        }[change](subject, time.time())
        since = time.monotonic()
        rest = read_until(connection, b"0\r\n\r\n")
        assert time.monotonic() - since < WITHIN_SECONDS
    assert not rest.endswith(b"0\r\n\r\n"), "cut off is not the regular end"
    assert status_of(served.say("GET /events HTTP/1.1", f"Cookie: {cookies}")) == 401


def test_a_stream_on_an_open_path_goes_on(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(request(served, ("GET /static/events HTTP/1.1",), close=False))
        since = time.monotonic()
        while time.monotonic() - since < 3:
            assert read_until(connection, b"confidential"), "a stranger's stream was cut"


def test_a_gate_that_served_before_a_fork_serves_on_both_sides(towns: Towns, tmp_path: Path) -> None:
    towns[True].copy(tmp_path).close()
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.edges.forker", str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == [[200, 401, 200]] * 5
