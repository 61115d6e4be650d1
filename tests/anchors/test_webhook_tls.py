"""A webhook behind TLS, as a real receiver sees it: by its certificate, signed, once more under the same name."""

import hmac
import json
import os
import socket
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.anchors.sinks import ToWebhook
from mfa_gate.anchors.webhook import Webhook
from mfa_gate.background import WEBHOOK, background
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.flows.sinking import Sinking
from mfa_gate.keys import KeyRing
from mfa_gate.settings import Settings
from mfa_gate.stores.sqlite import SqliteStore
from mfa_gate.wiring import Sources
from tests import certificates
from tests.stores import files
from tests.stores.contract import NOW, event

SECRET = b"whsec-0123456789abcdef"


class Receiver(HTTPServer):
    """Verifies what it gets as standardwebhooks.com says; `breaks_off` takes a message and hangs up without a word."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Post)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.got: list[tuple[str, bytes]] = []
        self.breaks_off = False

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}/events"

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401
        """Whoever does not like the certificate hangs up."""

    def get_request(self) -> Any:  # noqa: ANN401
        connection, address = super().get_request()
        connection.settimeout(5)
        return connection, address


class Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        version, _, given = self.headers["webhook-signature"].partition(",")
        right = hmac.digest(SECRET, f"{name}.{at}.".encode() + body, "sha256")
        is_right = version == "v1" and hmac.compare_digest(b64decode(given), right)
        if is_right:
            self.server.got.append((name, body))
        if self.server.breaks_off:
            self.close_connection = True
            return
        self.send_response(204 if is_right else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    (tmp_path / "own").mkdir()
    with Receiver(certificates.certified(tmp_path / "own")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(files.make(tmp_path)) as made:
        yield made


def sends(receiver: Receiver, store: SqliteStore, ca: Path | None, secret: bytes = SECRET) -> Sinking:
    sink = ToWebhook(Webhook(receiver.url, secret, ca), store.store_id)
    return Sinking(store.stream, store, WEBHOOK.name, sink)


def positions(body: bytes) -> list[int]:
    return [said["position"] for said in json.loads(body)["events"]]


def test_a_receiver_with_a_certificate_of_ones_own(
    receiver: Receiver, store: SqliteStore, tmp_path: Path
) -> None:
    store.record((event("reset"),), NOW)
    assert sends(receiver, store, tmp_path / "own" / "ca.pem").turn(NOW) == 2
    ((name, body),) = receiver.got
    assert name == f"{store.store_id}/0/1-2"
    assert positions(body) == [1, 2]


def test_another_certificate_gets_nothing(receiver: Receiver, store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificates.certified(tmp_path / "other")
    for ca in (tmp_path / "other" / "ca.pem", None):
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            sends(receiver, store, ca).turn(NOW)
    with pytest.raises(StoreUnavailable, match="No such file"):
        sends(receiver, store, tmp_path / "nowhere.pem").turn(NOW)
    named = Webhook(receiver.url.replace("127.0.0.1", "localhost"), SECRET, tmp_path / "own" / "ca.pem")
    with pytest.raises(OSError, match="Hostname mismatch"):
        named.post(b"{}", name="x", at=NOW)
    assert receiver.got == []
    assert store.last_runs() == {}


def test_another_secret_is_refused_and_nothing_passed_over(
    receiver: Receiver, store: SqliteStore, tmp_path: Path
) -> None:
    ca = tmp_path / "own" / "ca.pem"
    with pytest.raises(StoreUnavailable, match="401"):
        sends(receiver, store, ca, b"whsec-another-one-0123").turn(NOW)
    assert sends(receiver, store, ca).turn(NOW) == 1


def test_what_may_have_been_taken_comes_once_more_under_the_same_name(
    receiver: Receiver, store: SqliteStore, tmp_path: Path
) -> None:
    sinking = sends(receiver, store, tmp_path / "own" / "ca.pem")
    receiver.breaks_off = True
    with pytest.raises(StoreUnavailable):
        sinking.turn(NOW)
    for _ in range(3):
        store.record((event("reset"),), NOW)
    receiver.breaks_off = False
    sinking.turn(NOW + 9)
    first, again, rest = receiver.got
    assert first == again
    assert [positions(body) for _, body in (first, rest)] == [[1], [2, 3, 4]]


def test_one_that_hangs_keeps_nobody_waiting(store: SqliteStore, tmp_path: Path) -> None:
    """It takes the connection and says nothing: everything else goes on meanwhile."""
    keys = KeyRing.generate(os.urandom)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        data: dict[str, object] = {
            "public_url": "http://localhost:8000",
            "identity": [{"source": "remote_user", "realm": "portal"}],
            "store": {"url": "sqlite:gate.db"},
            "audit": {
                "webhook": f"https://127.0.0.1:{hanging.getsockname()[1]}/x",
                "webhook_secret": "env:HOOK",
            },
        }
        settings = Settings.from_mapping(data, tmp_path, {"HOOK": SECRET.decode()})
        *others, webhook = background(settings, keys, store, Sources(clock=lambda: NOW))
        waits = threading.Thread(target=webhook.turn, args=(NOW,))
        waits.start()
        connection, _ = hanging.accept()
        with connection:
            done = [name for jobs in others for name in jobs.turn(NOW)]
            store.record((event("reset"),), NOW)
            assert "checkpoints" in done
            assert waits.is_alive()
        waits.join()
    assert WEBHOOK.name not in store.last_runs()
