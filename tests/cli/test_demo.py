"""`demo` starts with one command, is reached as localhost, keeps its state, and is gone within five seconds."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx2
import pyotp
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.cli.demos import GRACE, PROGRAM, REPOSITORY, App, both, command, demo
from tests.stores.redis_servers import Servers

OURS = {"MFA-Gate-Request": "1"}


@both
def test_the_portal_and_the_gate_are_there(app: App, tmp_path: Path) -> None:
    with demo(app, tmp_path / "data") as running, httpx2.Client(base_url=running.url) as browser:
        assert browser.get("/").status_code == 200
        assert browser.get("/mfa/healthz/ready").status_code == 200
        assert browser.get("/mfa/api/v1/status").json()["code"] == "sign_in_required"
        signed_in = browser.post("/login", data={"username": "alice", "password": "demo"})
        assert signed_in.headers["location"] == "/files"
        assert "confidential" in browser.get("/files").text
        assert browser.get("/mfa/api/v1/status").json()["state"] == "not_required"
        assert "Example Files" in browser.get("/mfa/setup").text
        assert running.ends() == 0


def test_what_it_says_at_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with demo("starlette", data) as running:
        for name in ("admin (administers)", "help (help desk)", "alice", "bob", "carol"):
            assert name in running.said
        assert "password is demo" in running.said
        assert f"{data}/mail/" in running.said
        assert "waive the administrator's setup code" in running.said


def test_everything_has_a_place_of_its_own(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with demo("flask", data) as running:
        assert sorted(path.name for path in data.iterdir()) == [
            *("anchor", "keys", "mail", "mfa-gate.toml", "portal", "store"),
        ]
        settings = tomllib.loads((data / "mfa-gate.toml").read_text("utf-8"))
        assert settings["public_url"] == running.url
        assert settings["admin"] == {"admins": ["admin"], "help_desk": ["help"], "setup_code": False}
        assert settings["portal"]["rules"] == [
            {"kind": "sign_in", "path": "/login"},
            {"kind": "sign_out", "path": "/logout"},
            {"kind": "public", "path": "/static/"},
            {"kind": "step_up", "path": "/archive/", "max_age": 300},
        ]
        for secret in (data / "portal" / "secret", data / "keys" / "mfa-gate.keys"):
            assert secret.stat().st_mode & 0o077 == 0
        checked = json.loads(command(data, "check", "--json").stdout)
        assert checked["ok"]
        assert "[admin] setup_code" in [each["setting"] for each in checked["problems"]]


@both
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_every_name_of_this_machine_leads_there(app: App, host: str, tmp_path: Path) -> None:
    with demo(app, tmp_path / "data") as running:
        assert httpx2.get(f"http://{host}:{running.port}/").status_code == 200


def test_a_second_start_finds_what_the_first_one_left(tmp_path: Path) -> None:
    data = tmp_path / "data"
    cookies = httpx2.Cookies()
    with demo("starlette", data) as running:
        with httpx2.Client(base_url=running.url) as browser:
            browser.post("/login", data={"username": "alice", "password": "demo"})
            browser.get("/files")
            cookies.update(browser.cookies)
        running.ends()
    kept = {name: (data / name).read_bytes() for name in ("portal/secret", "keys/mfa-gate.keys")}
    with demo("starlette", data) as running:
        assert "confidential" in httpx2.get(f"{running.url}/files", cookies=cookies).text
        running.ends()
    with demo("flask", data) as running:
        people = json.loads(command(data, "users", "list", "--json").stdout)
        assert [person["user"] for person in people] == ["alice"]
        assert httpx2.get(running.url).status_code == 200
    assert kept == {name: (data / name).read_bytes() for name in kept}


def test_another_store(tmp_path: Path) -> None:
    data, store = tmp_path / "data", tmp_path / "elsewhere" / "gate.db"
    with demo("starlette", data, "--store", f"sqlite://{store}") as running:
        assert httpx2.get(running.url).status_code == 200
        assert store.is_file()
        assert not (data / "store").exists()
        command(data, "policy", "show")


@both
def test_redis_as_the_store_keeps_the_same_story(app: App, servers: Servers, tmp_path: Path) -> None:
    data, url = tmp_path / "data", servers.emptied("redis-7").url
    cookies = httpx2.Cookies()
    with demo(app, data, "--store", url) as running, httpx2.Client(base_url=running.url) as browser:
        assert f"store   {url}\n" in running.said
        assert not (data / "store").exists()
        browser.post("/login", data={"username": "admin", "password": "demo"})
        begun = browser.post("/mfa/api/v1/totp", json={}, headers=OURS).json()
        proof = {"enrollment": begun["enrollment"], "code": pyotp.TOTP(begun["secret"]).now()}
        assert browser.post("/mfa/api/v1/totp/confirm", json=proof, headers=OURS).status_code == 200
        on = {"require_two_step": True}
        assert browser.patch("/mfa/api/v1/admin/policy", json=on, headers=OURS).status_code == 200
        assert "confidential" in browser.get("/files").text
        cookies.update(browser.cookies)
        assert running.ends() == 0
    with demo(app, data, "--store", url) as running:
        assert "confidential" in httpx2.get(f"{running.url}/files", cookies=cookies).text
        basic = httpx2.BasicAuth("carol", "demo")
        assert httpx2.get(f"{running.url}/files", auth=basic).status_code == 401
        (person,) = json.loads(command(data, "users", "list", "--json").stdout)
        assert (person["user"], person["status"]) == ("admin", "enrolled")
        assert running.ends() == 0


@both
def test_what_is_under_way_does_not_hold_it_up(app: App, tmp_path: Path) -> None:
    with demo(app, tmp_path / "data") as running:
        address = ("127.0.0.1", running.port)
        with socket.create_connection(address) as upload, socket.create_connection(address) as idle:
            upload.sendall(
                b"PUT /files/half.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                b"Authorization: Basic YWxpY2U6ZGVtbw==\r\n\r\nhalf"
            )
            idle.sendall(f"GET / HTTP/1.1\r\nHost: localhost:{running.port}\r\n\r\n".encode())
            assert idle.recv(4096).startswith(b"HTTP/1.1 200")
            assert running.ends() == 0


def test_an_open_socket_does_not_hold_it_up(tmp_path: Path) -> None:
    with demo("starlette", tmp_path / "data") as running:
        basic = {"Authorization": "Basic YWxpY2U6ZGVtbw=="}
        with connect(f"ws://localhost:{running.port}/live", additional_headers=basic) as ward:
            assert "confidential" in str(ward.recv())
            assert running.ends() == 0
            with pytest.raises(ConnectionClosed):
                ward.recv(timeout=GRACE)


@both
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("serving", [True, False])
def test_a_signal_ends_it_well_at_any_time(
    app: App, number: signal.Signals, serving: bool, tmp_path: Path
) -> None:
    with demo(app, tmp_path / "data") as running:
        if serving:
            assert httpx2.get(running.url).status_code == 200
        assert running.ends(number) == 0


def test_a_worker_does_not_outlive_its_killed_parent(tmp_path: Path) -> None:
    with demo("flask", tmp_path / "data") as running:
        assert httpx2.get(running.url).status_code == 200
        assert len(running.children()) == 1
        assert running.ends(signal.SIGKILL) == -signal.SIGKILL


@both
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_busy_port_is_said_in_a_sentence(
    app: App, family: socket.AddressFamily, host: str, tmp_path: Path
) -> None:
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [PROGRAM, "demo", "--app", app, "--port", str(port), "--data", str(tmp_path / "data")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Port {port} is busy: something else listens there. Stop it, or name another by --port.\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_store_that_is_not_one_changes_nothing(tmp_path: Path) -> None:
    words = ["demo", "--port", "0", "--data", str(tmp_path / "data"), "--store", "mysql://x"]
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('Error: [store] url = "mysql://x"')
    assert not (tmp_path / "data" / "mfa-gate.toml").exists()


def test_outside_a_clone_it_says_where_the_portals_are(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "src" / "mfa_gate", tmp_path / "lib" / "mfa_gate")
    done = subprocess.run(
        [sys.executable, "-c", "from mfa_gate.cli import main; main()", "demo", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "lib")},
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "Clone the repository and run scripts/demo" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lib"]
