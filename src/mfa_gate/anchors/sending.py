"""Sends each new anchor to places that only listen: a syslog server or a webhook; it waits for none of them.

What cannot be sent is said in the log and not sent again: the next anchor holds all that this one held.
"""

import atexit
import json
import logging
import os
import queue
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from mfa_gate.core.checkpoints import Anchor
from mfa_gate.core.messages import printable

TIMEOUT_SECONDS: Final = 5
WAITING: Final = 16
"""Anchors that may wait for a slow place; older ones give way."""
AT_EXIT_SECONDS: Final = 3
PORTS: Final = {"udp": 514, "tcp": 601, "tls": 6514}
_PRIORITY: Final = 10 * 8 + 5
"""Facility authpriv, severity notice (RFC 5424 §6.2.1)."""

log = logging.getLogger("mfa_gate")

Send = Callable[[Anchor], None]


class Sender:
    """Sends from a thread of its own, which starts with the first anchor of a process; `name` is for the log."""

    def __init__(self, name: str, send: Send) -> None:
        self._name = name
        self._send = send
        self._pid = 0
        self._waiting: queue.Queue[Anchor] = queue.Queue(WAITING)

    def __call__(self, anchor: Anchor) -> None:
        """Send it some time soon. Never blocks, never raises."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._waiting = queue.Queue(WAITING)
            threading.Thread(target=self._run, name="mfa-gate-anchor", daemon=True).start()
            atexit.register(self.flush)
        while True:
            try:
                self._waiting.put_nowait(anchor)
            except queue.Full:
                self._drop_oldest()
            else:
                return

    def flush(self) -> None:
        """Wait a moment until everything was sent, so that a command that ends is heard, too."""
        done = threading.Thread(target=self._waiting.join, daemon=True)
        done.start()
        done.join(AT_EXIT_SECONDS)

    def _drop_oldest(self) -> None:
        try:
            self._waiting.get_nowait()
        except queue.Empty:
            return
        self._waiting.task_done()
        log.warning("anchor: %s does not keep up; one was not sent there.", self._name)

    def _run(self) -> None:
        waiting = self._waiting
        while True:
            anchor = waiting.get()
            try:
                self._send(anchor)
            except (OSError, ValueError) as error:
                log.warning("anchor: %s was not reached: %s", self._name, printable(str(error), 500))
            except Exception:
                log.exception("sending an anchor failed")
            finally:
                waiting.task_done()


def to_syslog(url: str) -> Sender:
    """A sender to a syslog server at `udp://`, `tcp://` or `tls://host:port` (RFC 5424, 5425, 5426, 6587)."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or PORTS[parts.scheme])

    def send(anchor: Anchor) -> None:
        message = syslog_message(anchor)
        if parts.scheme == "udp":
            family = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family[0], socket.SOCK_DGRAM) as out:
                out.settimeout(TIMEOUT_SECONDS)
                out.sendto(message, family[4])
            return
        with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
            if parts.scheme == "tls":
                context = ssl.create_default_context()
                with context.wrap_socket(connection, server_hostname=address[0]) as secured:
                    secured.sendall(_framed(message))
            else:
                connection.sendall(_framed(message))

    return Sender(url, send)


def to_webhook(url: str) -> Sender:
    """A sender that posts each anchor as JSON. A redirect is not followed: the address is the one of the settings."""

    def send(anchor: Anchor) -> None:
        request = urllib.request.Request(  # noqa: S310 - the settings allow https, and http to this machine
            url,
            data=msgspec.json.encode(anchor),
            headers={"Content-Type": "application/json", "User-Agent": "mfa_gate"},
            method="POST",
        )
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS):
            pass

    return Sender(urlsplit(url).netloc, send)


def syslog_message(anchor: Anchor) -> bytes:
    """One line of RFC 5424; the anchor is its text, as JSON."""
    at = f"{datetime.fromtimestamp(anchor.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    host = "".join(char for char in socket.gethostname() if "!" <= char <= "~")[:255] or "-"
    text = json.dumps(msgspec.to_builtins(anchor), sort_keys=True)
    return f"<{_PRIORITY}>1 {at} {host} mfa_gate {os.getpid()} anchor - {text}".encode()


def _framed(message: bytes) -> bytes:
    """Octet counting (RFC 6587 §3.4.1)."""
    return b"%d %b" % (len(message), message)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirect())
