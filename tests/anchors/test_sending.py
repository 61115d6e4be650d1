"""Each anchor is sent on, in the form that a syslog server or a webhook takes, and nobody waits for it."""

import json
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec.structs import replace

from mfa_gate.anchors import AnchorFile
from mfa_gate.anchors.sending import WAITING, Sender, syslog_message, to_syslog, to_webhook
from mfa_gate.core.checkpoints import Anchor
from tests import certificates

ANCHOR = Anchor(
    store="s1", number=7, hash=b"\x01" * 32, positions={"0": 42}, policy_version=3, at=1_800_000_000
)
SAID = {
    "format": 1,
    "store": "s1",
    "number": 7,
    "positions": {"0": 42},
    "policy_version": 3,
    "at": 1_800_000_000,
}
PATIENCE = 10


def the_anchor(text: bytes) -> None:
    found = json.loads(text)
    assert {key: found[key] for key in SAID} == SAID
    assert found["hash"]


def test_a_line_is_rfc_5424() -> None:
    message = syslog_message(ANCHOR)
    head = re.match(rb"<85>1 2027-01-15T08:00:00Z [!-~]+ mfa_gate \d+ anchor - ", message)
    assert head
    the_anchor(message[head.end() :])
    assert b"\n" not in message


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def test_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE)
        sender = to_syslog(f"udp://127.0.0.1:{server.getsockname()[1]}")
        sender(ANCHOR)
        assert server.recv(9000) == syslog_message(ANCHOR)


def framed(connection: socket.socket) -> bytes:
    connection.settimeout(PATIENCE)
    content = b""
    while part := connection.recv(9000):
        content += part
    length, _, message = content.partition(b" ")
    assert int(length) == len(message)
    return message


def test_tcp_is_framed_by_length(listening: socket.socket) -> None:
    to_syslog(f"tcp://127.0.0.1:{listening.getsockname()[1]}")(ANCHOR)
    connection, _ = listening.accept()
    with connection:
        assert framed(connection) == syslog_message(ANCHOR)


@pytest.fixture
def certified(tmp_path: Path) -> ssl.SSLContext:
    """A server of 127.0.0.1; whoever trusts `ca.pem` trusts it."""
    return certificates.certified(tmp_path)


def test_tls(
    listening: socket.socket, certified: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    to_syslog(f"tls://127.0.0.1:{listening.getsockname()[1]}")(ANCHOR)
    connection, _ = listening.accept()
    connection.settimeout(PATIENCE)
    with certified.wrap_socket(connection, server_side=True) as secured:
        assert framed(secured) == syslog_message(ANCHOR)


def test_tls_to_somebody_else_is_not_sent(
    listening: socket.socket, certified: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    sender = to_syslog(f"tls://127.0.0.1:{listening.getsockname()[1]}")
    sender(ANCHOR)
    connection, _ = listening.accept()
    connection.settimeout(PATIENCE)
    with (
        connection,
        pytest.raises(ssl.SSLError),
        certified.wrap_socket(connection, server_side=True) as secured,
    ):
        secured.recv(9000)
    sender.flush()
    assert "was not reached" in caplog.text


class Hook(BaseHTTPRequestHandler):
    """Remembers what is posted; `/moved` sends elsewhere."""

    posted: ClassVar[list[tuple[str, str | None, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.append((self.path, self.headers["Content-Type"], body))
        self.send_response(307 if self.path == "/moved" else 204)
        if self.path == "/moved":
            self.send_header("Location", "/there")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.posted.clear()
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_webhook_gets_json(hook: str) -> None:
    sender = to_webhook(f"{hook}/x")
    sender(ANCHOR)
    sender.flush()
    ((path, kind, body),) = Hook.posted
    assert (path, kind) == ("/x", "application/json")
    the_anchor(body)


def test_it_is_not_led_elsewhere(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    sender = to_webhook(f"{hook}/moved")
    sender(ANCHOR)
    sender.flush()
    assert [path for path, _, _ in Hook.posted] == ["/moved"]
    assert "was not reached" in caplog.text


def test_who_is_not_there_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sender = to_syslog("tcp://127.0.0.1:1")
    file = AnchorFile(tmp_path / "anchor", (sender,))
    began = time.monotonic()
    assert file.move(None, ANCHOR)
    assert time.monotonic() - began < 1
    sender.flush()
    assert "tcp://127.0.0.1:1 was not reached" in caplog.text
    assert file.read() == ANCHOR


def test_of_too_many_the_oldest_give_way(caplog: pytest.LogCaptureFixture) -> None:
    slow, sent = threading.Event(), list[int]()

    def send(anchor: Anchor) -> None:
        assert slow.wait(PATIENCE)
        sent.append(anchor.number)

    sender = Sender("slow", send)
    for number in range(WAITING + 10):
        sender(replace(ANCHOR, number=number))
    slow.set()
    sender.flush()
    assert sent[-1] == WAITING + 9
    assert len(sent) <= WAITING + 1
    assert [record.levelno for record in caplog.records][:1] == [logging.WARNING]


def test_a_slip_of_ours_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[int] = []

    def send(anchor: Anchor) -> None:
        heard.append(anchor.number)
        raise KeyError(anchor.number)

    sender = Sender("odd", send)
    sender(ANCHOR)
    sender(ANCHOR)
    sender.flush()
    assert heard == [7, 7]
    assert "sending an anchor failed" in caplog.text
