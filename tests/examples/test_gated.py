"""Both portals behind the gate, as `gated.py` puts it there: once the policy is on nobody passes without a code."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import httpx2
import pyotp
import pytest
from starlette.testclient import TestClient
from webtest import TestApp

from mfa_gate.cli.demo_site import make_site
from mfa_gate.wiring import Sources

EXAMPLES = Path(__file__).parents[2] / "examples"
URL = "http://localhost:8000"
OURS = {"MFA-Gate-Request": "1"}
App = Literal["flask", "starlette"]


def loaded(app: App, folder: Path, patch: pytest.MonkeyPatch) -> ModuleType:
    """`gated.py`, read anew as a server reads it."""
    site = make_site(folder, app, port=8000, store_url=None, sources=Sources(), environ=os.environ)
    patch.setenv("MFA_GATE_SETTINGS", str(site.settings_path))
    patch.setenv("PORTAL_SECRET", site.secret)
    spec = importlib.util.spec_from_file_location("gated", EXAMPLES / f"{app}_app" / "gated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["flask", "starlette"])
def gated(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return loaded(request.param, tmp_path, monkeypatch)


def browser_of(gated: ModuleType) -> httpx2.Client:
    if "flask" in str(gated.__file__):
        return httpx2.Client(transport=httpx2.WSGITransport(gated.app), base_url=URL)
    return TestClient(gated.app, base_url=URL, follow_redirects=False)


@pytest.fixture
def admin(gated: ModuleType) -> Iterator[httpx2.Client]:
    with browser_of(gated) as browser:
        sign_in(browser, "admin")
        yield browser


def sign_in(browser: httpx2.Client, user: str) -> None:
    assert browser.post("/login", data={"username": user, "password": "demo"}).status_code == 303


def ask(browser: httpx2.Client, path: str, **body: str) -> dict[str, Any]:
    answer = browser.post(f"/mfa/api/v1/{path}", json=body, headers=OURS)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def enroll(browser: httpx2.Client) -> list[str]:
    """Set two-step up as a program does; the recovery codes."""
    begun = ask(browser, "totp")
    code = pyotp.TOTP(begun["secret"]).now()
    codes: list[str] = ask(browser, "totp/confirm", enrollment=begun["enrollment"], code=code)[
        "recovery_codes"
    ]
    return codes


def require(admin: httpx2.Client) -> None:
    answer = admin.patch("/mfa/api/v1/admin/policy", json={"require_two_step": True}, headers=OURS)
    assert answer.status_code == 200, answer.text


def state(browser: httpx2.Client) -> str:
    found: str = browser.get("/mfa/api/v1/status").json()["state"]
    return found


def test_before_the_policy_everything_is_as_it_was(gated: ModuleType) -> None:
    with browser_of(gated) as alice:
        assert alice.get("/").status_code == 200
        assert alice.get("/files").headers["location"] == "/login?next=%2Ffiles"
        sign_in(alice, "alice")
        assert "confidential" in alice.get("/files").text
        assert alice.put("/files/notes.txt", content=b"kept").status_code == 201
        assert alice.get("/files/notes.txt").content == b"kept"


def test_the_whole_way(gated: ModuleType, admin: httpx2.Client) -> None:
    enroll(admin)
    require(admin)
    with browser_of(gated) as alice:
        sign_in(alice, "alice")
        stopped = alice.get("/files", headers={"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
        assert (stopped.status_code, stopped.headers["location"]) == (303, "/mfa/setup?next=%2Ffiles")
        assert alice.get("/api/files").json()["code"] == "two_step_setup_required"
        assert alice.put("/files/x.txt", content=b"x").status_code == 401
        codes = enroll(alice)
        assert "confidential" in alice.get("/files").text
        alice.post("/logout")
        sign_in(alice, "alice")
        assert alice.get("/api/files").json()["code"] == "two_step_code_required"
        ask(alice, "verify", factor="recovery_code", code=codes[0])
        assert state(alice) == "verified"
        assert "confidential" in alice.get("/files").text
        assert alice.get("/archive/").json()["max_age"] == 300


def test_others_are_stopped_whatever_they_bring(gated: ModuleType, admin: httpx2.Client) -> None:
    enroll(admin)
    require(admin)
    basic = ("carol", "demo")
    with browser_of(gated) as carol:
        for path in ("/files", "/files/report.txt", "/api/files", "/archive/", "/no-such-page"):
            assert carol.get(path).json()["code"] == "sign_in_required"
            assert carol.get(path, auth=basic).status_code in {400, 401}
        sign_in(carol, "carol")
        for path in ("/files", "/files/report.txt", "/api/files"):
            assert carol.get(path).json()["code"] == "two_step_setup_required"
            assert "confidential" not in carol.get(path, auth=basic).text
        assert carol.get("/static/portal.css").status_code == 200
        assert carol.get("/login").status_code in {303, 401}


def test_a_session_counts_in_every_process(
    gated: ModuleType, admin: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enroll(admin)
    require(admin)
    other = loaded("flask" if "flask" in str(gated.__file__) else "starlette", tmp_path, monkeypatch)
    with browser_of(other) as elsewhere:
        assert elsewhere.get("/files").status_code == 401
        elsewhere.cookies.update(admin.cookies)
        assert "confidential" in elsewhere.get("/files").text


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "examples.flask_app.gated"),
        ("-m", "examples.starlette_app.gated"),
        (
            "-m",
            "gunicorn",
            "--preload",
            "--workers=2",
            "--bind=127.0.0.1:{port}",
            "examples.flask_app.gated:app",
        ),
        ("-m", "uvicorn", "--port={port}", "--no-proxy-headers", "examples.starlette_app.gated:app"),
    ],
    ids=lambda words: words[1],
)
def test_as_a_server_runs_it(words: tuple[str, ...], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app: App = "flask" if "flask" in words[-1] else "starlette"
    site = make_site(tmp_path, app, port=port, store_url=None, sources=Sources(), environ=os.environ)
    environ = {**os.environ, "MFA_GATE_SETTINGS": str(site.settings_path), "PORTAL_SECRET": site.secret}
    server = subprocess.Popen(
        [sys.executable, *(word.format(port=port) for word in words)], cwd=EXAMPLES.parent, env=environ
    )
    try:
        with httpx2.Client(base_url=f"http://localhost:{port}") as browser:
            until_it_answers(browser, server)
            sign_in(browser, "alice")
            enroll(browser)
            assert state(browser) == "verified"
            assert "confidential" in browser.get("/files").text
            browser.cookies.delete("mfa_gate")
            assert browser.get("/files").status_code == 401
    finally:
        server.terminate()
        server.wait(timeout=30)


def until_it_answers(browser: httpx2.Client, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            browser.get("/login")
        except httpx2.ConnectError:
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_the_forms_are_all_that_a_browser_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = TestApp(
        loaded("flask", tmp_path, monkeypatch).app, extra_environ={"HTTP_HOST": "localhost:8000"}
    )
    form = browser.get("/login").form
    form["username"], form["password"] = "alice", "demo"
    assert "confidential" in form.submit(status=303).follow()
    page = browser.get("/mfa/setup", headers={"Sec-Fetch-Mode": "navigate"}, status=200)
    assert "Example Files" in page
