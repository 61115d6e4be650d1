"""Every event goes to syslog servers and webhooks, real ones of this machine: in order, and none is left out."""

import hmac
import json
import re
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from mfa_gate.anchors import syslog
from mfa_gate.anchors.sinks import ToSyslog, ToWebhook
from mfa_gate.anchors.syslog import SyslogServer
from mfa_gate.anchors.webhook import Webhook
from mfa_gate.background import SYSLOG, WEBHOOK, sinking, timetable
from mfa_gate.core.errors import SettingsError, StoreUnavailable
from mfa_gate.flows.sinking import Sink, Sinking
from mfa_gate.ports import Store
from mfa_gate.settings import Settings
from mfa_gate.settings.audit import Audit
from mfa_gate.settings.values import Secret
from tests import certificates
from tests.stores import files, redis_servers
from tests.stores.contract import NOW, event, person, put
from tests.stores.redis_servers import Servers, servers
from tests.waiting import until

__all__ = ["servers"]
PATIENCE = 10
SECRET = b"whsec-0123456789abcdef"


class Listener:
    """A syslog server on a stream: reads until the other side hangs up, then hangs up itself."""

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.lines: list[bytes] = []
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Go away."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            if self._context is not None:
                try:
                    connection = self._context.wrap_socket(connection, server_side=True)
                except OSError:
                    continue
            with connection:
                self.lines += _unframed(connection)


def _unframed(connection: socket.socket) -> list[bytes]:
    content, lines = b"", []
    while part := connection.recv(9000):
        content += part
    while content:
        length, _, rest = content.partition(b" ")
        lines.append(rest[: int(length)])
        content = rest[int(length) :]
    return lines


class Hook(BaseHTTPRequestHandler):
    """Takes what is posted; answers with what the test says."""

    status: ClassVar[int] = 204
    posted: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.status < 300:
            self.posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    Hook.posted.clear()
    Hook.status = 204
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> Iterator[Store]:
    made: Store = (
        files.make(tmp_path)
        if request.param == "sqlite"
        else redis_servers.make(servers.emptied("redis-8").url)
    )
    with closing(made):
        for subject in ("alice", "bob", "carol"):
            put(made, person(subject))
        yield made


def sent_by(sink: Sink, store: Store, name: str = "audit syslog") -> Sinking:
    return Sinking(store.stream, store, name, sink)


def to(url: str, store: Store, ca: Path | None = None) -> Sinking:
    return sent_by(ToSyslog(SyslogServer(url, ca), store.store_id), store)


def written(store: Store) -> list[tuple[str, int]]:
    """Every event that there is, in the order of each shard."""
    return [
        (shard, entry.position)
        for shard in store.stream.shards
        for entry in store.stream.entries(shard, None, 100)
    ]


def told(line: bytes) -> dict[str, Any]:
    """What a line says, if it is one of RFC 5424."""
    head = re.match(
        rb"<(8[0-7])>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [!-~]+ mfa_gate - ([a-z_]+) - (?=\{)", line
    )
    assert head, line
    said: dict[str, Any] = json.loads(line[head.end() :])
    assert said["event"]["kind"].encode() == head[2]
    return said


def places(lines: list[bytes]) -> list[tuple[str, int]]:
    return [(said["shard"], said["position"]) for said in map(told, lines)]


def test_tcp_in_order_and_once(store: Store) -> None:
    with closing(Listener()) as listener:
        sinking = to(f"tcp://127.0.0.1:{listener.port}", store)
        sinking.turn(NOW)
        until(lambda: places(listener.lines) == written(store))
        assert sinking.turn(NOW) == 0
        put(store, person("dave"))
        # Another process goes on where this one ended.
        assert to(f"tcp://127.0.0.1:{listener.port}", store).turn(NOW) == 1
        until(lambda: len(listener.lines) == len(written(store)))
        assert told(listener.lines[-1])["event"]["subject"] == "dave"
        assert told(listener.lines[-1])["store"] == store.store_id


def test_tls_to_whom_the_settings_trust(tmp_path: Path) -> None:
    context = certificates.certified(tmp_path)
    with closing(files.make(tmp_path)) as store, closing(Listener(context=context)) as listener:
        url = f"tls://127.0.0.1:{listener.port}"
        with pytest.raises(StoreUnavailable, match="certificate"):
            to(url, store).turn(NOW)
        to(url, store, tmp_path / "ca.pem").turn(NOW)
        until(lambda: places(listener.lines) == written(store))


@pytest.mark.parametrize("way", ["udp", "unix"])
def test_datagrams(tmp_path: Path, way: str) -> None:
    family = socket.AF_INET if way == "udp" else socket.AF_UNIX
    with closing(files.make(tmp_path)) as store, socket.socket(family, socket.SOCK_DGRAM) as server:
        server.settimeout(PATIENCE)
        server.bind(("127.0.0.1", 0) if way == "udp" else str(tmp_path / "log"))
        url = f"udp://127.0.0.1:{server.getsockname()[1]}" if way == "udp" else f"unix://{tmp_path / 'log'}"
        to(url, store).turn(NOW)
        found = [server.recv(65_535) for _ in written(store)]
        assert places(found) == written(store)


def test_who_is_away_gets_the_rest_later_and_is_not_asked_all_the_time(store: Store) -> None:
    port = redis_servers.RedisServer.free_port()
    sinking = to(f"tcp://127.0.0.1:{port}", store)
    with pytest.raises(StoreUnavailable, match="audit syslog was not reached"):
        sinking.turn(NOW)
    with closing(Listener(port)) as listener:
        with pytest.raises(StoreUnavailable):
            sinking.turn(NOW + 1)  # it waits
        sinking.turn(NOW + 2)
        until(lambda: places(listener.lines) == written(store))


def test_who_breaks_off_gets_it_again(store: Store) -> None:
    """A process that dies after it sent, and before it kept that it did."""

    class Dying:
        def __getattr__(self, name: str) -> object:
            if name == "note_run":
                raise StoreUnavailable("killed")
            return getattr(store, name)

    with closing(Listener()) as listener:
        sink = ToSyslog(SyslogServer(f"tcp://127.0.0.1:{listener.port}"), store.store_id)
        with pytest.raises(StoreUnavailable, match="killed"):
            Sinking(store.stream, Dying(), "audit syslog", sink).turn(NOW)  # type: ignore[arg-type]
        until(lambda: listener.lines)
        first = len(listener.lines)
        sent_by(sink, store).turn(NOW)
        until(lambda: places(listener.lines[first:]) == written(store))


def test_who_takes_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts, and never reads."""
    monkeypatch.setattr(syslog, "TIMEOUT_SECONDS", 0.1)
    with closing(files.make(tmp_path)) as store, socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        store.record(tuple(event("act_refused", what="x" * 60_000) for _ in range(100)), NOW)
        with pytest.raises(StoreUnavailable, match="timed out"):
            to(f"tcp://127.0.0.1:{server.getsockname()[1]}", store).turn(NOW)


def test_a_webhook_gets_signed_events_once(store: Store, hook: HTTPServer) -> None:
    sink = ToWebhook(Webhook(f"http://127.0.0.1:{hook.server_port}/x", SECRET), store.store_id)
    sinking = sent_by(sink, store, "audit webhook")
    Hook.status = 500
    with pytest.raises(StoreUnavailable, match="500"):
        sinking.turn(NOW)
    Hook.status = 204
    sinking.turn(NOW + 2)
    found = []
    for headers, body in Hook.posted:
        assert headers["content-type"] == "application/json"
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        signature = b64encode(hmac.digest(SECRET, signed, "sha256")).decode()
        assert headers["webhook-signature"] == f"v1,{signature}"
        found += [(said["shard"], said["position"]) for said in json.loads(body)["events"]]
    assert found == written(store)
    assert len({headers["webhook-id"] for headers, _ in Hook.posted}) == len(Hook.posted)


def test_an_event_that_cannot_be_read_is_sent_as_it_is(tmp_path: Path) -> None:
    with closing(files.make(tmp_path)) as store, closing(Listener()) as listener:
        store.record((event("reset"),), NOW)
        real = store.stream.entries

        class Torn:
            shards = store.stream.shards

            def entries(self, shard: str, after: int | None, limit: int) -> Any:  # noqa: ANN401
                found = real(shard, after, limit)
                return tuple(replace(each, record=b"\xff{") for each in found)

        sink = ToSyslog(SyslogServer(f"tcp://127.0.0.1:{listener.port}"), "s")
        Sinking(Torn(), store, "audit syslog", sink).turn(NOW)  # type: ignore[arg-type]
        until(lambda: listener.lines)
        assert listener.lines[0].startswith(b"<81>1 ")
        assert b'"event": "\\\\xff{"' in listener.lines[0]


def test_the_settings_say_where(tmp_path: Path) -> None:
    wrongs: tuple[dict[str, Any], ...] = (
        {"syslog": "https://x"},
        {"syslog": "tcp://x:0"},
        {"syslog": "tcp://x:99", "syslog_ca": Path("/ca")},
        {"webhook": "http://example.org/x", "webhook_secret": Secret(SECRET)},
        {"webhook": "https://example.org/x"},
        {"webhook": "https://example.org/x", "webhook_secret": Secret(b"short")},
    )
    for wrong in wrongs:
        with pytest.raises(SettingsError):
            Audit(**wrong)
    data: dict[str, object] = {
        "public_url": "http://localhost:8000",
        "identity": [{"source": "remote_user", "realm": "portal"}],
        "store": {"url": "sqlite:gate.db"},
    }
    plain = Settings.from_mapping(data, tmp_path, {})
    with closing(files.make(tmp_path)) as store:
        assert sinking(plain, store) == ()
        assert SYSLOG not in timetable(plain)
        both = {
            "syslog": "unix:///dev/log",
            "webhook": "https://example.org/x",
            "webhook_secret": "env:HOOK",
        }
        settings = Settings.from_mapping(data | {"audit": both}, tmp_path, {"HOOK": "0123456789abcdef"})
        assert [timing for timing, _ in sinking(settings, store)] == [SYSLOG, WEBHOOK]
        assert {SYSLOG, WEBHOOK} <= set(timetable(settings))
    assert "0123" not in repr(settings.audit)
