"""The API as servers carry it: bodies that come in pieces, bodies that nobody should read, and the WSGI door."""

import asyncio
import json
import os
import threading
from typing import Any

import pytest
from starlette.testclient import TestClient
from webtest import TestApp

from mfa_gate.gate import Gate
from mfa_gate.web.api_bodies import MAX_BYTES
from mfa_gate.wiring import Sources
from tests.web.api_client import API, ApiClient, enrolled, problem_of
from tests.web.house import House

PIECE = b" " * 4096


class Sender:
    """A client that sends its body piece by piece, without saying how long it is, and counts what was taken."""

    def __init__(self, house: House, *, user: str | None, pieces: int, cookie: str = "") -> None:
        self.house = house
        self.taken = 0
        self.said: list[dict[str, Any]] = []
        self._pieces = pieces
        named = [] if user is None else [(b"x-portal-user", user.encode())]
        cookies = [(b"cookie", cookie.encode())] if cookie else []
        self._headers = [
            (b"host", b"localhost:8000"),
            (b"content-type", b"application/json"),
            (b"mfa-gate-request", b"1"),
            *named,
            *cookies,
        ]

    def send(self, path: str, *, length: int | None = None) -> int:
        """The status of the answer."""
        headers = [*self._headers, *([] if length is None else [(b"content-length", b"%d" % length)])]
        scope = {
            "type": "http",
            "method": "POST",
            "path": f"{API}/{path}",
            "raw_path": f"{API}/{path}".encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50_000),
        }
        asyncio.run(self.house.app(scope, self._receive, self._send))
        return int(self.said[0]["status"])

    async def _receive(self) -> dict[str, Any]:
        self.taken += 1
        return {"type": "http.request", "body": PIECE, "more_body": self.taken < self._pieces}

    async def _send(self, message: Any) -> None:  # noqa: ANN401 - as ASGI types it
        self.said.append(message)


def test_i05_a_body_without_a_length_is_read_no_further_than_64_kb(strict: House) -> None:
    sender = Sender(strict, user="alice", pieces=10_000)
    assert sender.send("totp") == 413
    assert sender.taken == MAX_BYTES // len(PIECE) + 1


@pytest.mark.parametrize("user", [None, "alice"])
def test_c13_nothing_of_a_body_is_read_before_the_verdict(strict: House, user: str | None) -> None:
    sender = Sender(strict, user=user, pieces=10_000)
    assert sender.send("totp", length=1_000_000_000) == (401 if user is None else 413)
    assert sender.taken == 0


def test_a_body_of_blanks_is_no_json(strict: House) -> None:
    assert Sender(strict, user="alice", pieces=1).send("totp") == 400


def _portal(_: dict[str, Any], start: Any) -> list[bytes]:  # noqa: ANN401 - as WSGI types it
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"confidential"]


def test_the_wsgi_door_carries_the_same_api(strict: House) -> None:
    app = TestApp(
        strict.gate.wsgi(_portal), extra_environ={"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}
    )
    named = {"X-Portal-User": "alice", "MFA-Gate-Request": "1"}
    assert app.get(f"{API}/status", status=401).json["code"] == "sign_in_required"
    assert app.get(f"{API}/status", headers=named).json["state"] == "setup_required"
    begun = app.post_json(f"{API}/totp", {}, headers=named).json
    alice = enrolled(strict, "bob").beside()
    alice.user, alice.secret = "alice", begun["secret"]
    confirm = {"enrollment": begun["enrollment"], "code": alice.code()}
    done = app.post_json(f"{API}/totp/confirm", confirm, headers=named)
    assert len(done.json["recovery_codes"]) == 10
    assert app.get(f"{API}/status", headers=named).json["state"] == "verified"
    head = app.head(f"{API}/status", headers=named)
    assert head.body == b""
    assert app.get("/files", headers=named).body == b"confidential"
    assert app.put(f"{API}/verify", "{}", headers=named, status=405).headers["Allow"] == "POST"
    big = json.dumps({"setup_code": "x" * MAX_BYTES})
    assert app.post(f"{API}/totp", big, headers={**named, "Content-Type": "application/json"}, status=413)


def test_w23_a_failure_that_nobody_thought_of_is_503_without_its_cause(
    strict: House, caplog: pytest.LogCaptureFixture
) -> None:
    clock, exhausted = strict.clock, threading.Event()

    def random(size: int) -> bytes:
        if exhausted.is_set():
            message = f"secret cause: {size} bytes"
            raise OSError(message)
        return os.urandom(size)

    gate = Gate(strict.settings, sources=Sources(clock=clock, monotonic=clock, random=random))
    alice = ApiClient(strict, "alice")
    alice.client = TestClient(gate.asgi(strict.app), base_url=strict.home, client=("127.0.0.1", 50_000))
    assert alice.get("status").status_code == 200
    exhausted.set()
    answer = alice.post("totp")
    assert problem_of(answer) == (503, "unavailable")
    assert "cause" not in answer.text
    assert "secret cause" in caplog.text
