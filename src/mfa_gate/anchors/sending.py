"""Sends each new anchor to places that only listen: a syslog server or a webhook; it waits for none of them.

What cannot be sent is said in the log and not sent again: the next anchor holds all that this one held.
"""

import atexit
import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from mfa_gate.anchors.syslog import SyslogServer, line
from mfa_gate.anchors.webhook import Webhook
from mfa_gate.core.checkpoints import Anchor
from mfa_gate.core.messages import printable

WAITING: Final = 16
"""Anchors that may wait for a slow place; older ones give way."""
AT_EXIT_SECONDS: Final = 3

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
    """A sender to a syslog server."""
    server = SyslogServer(url)
    return Sender(url, lambda anchor: server.send([syslog_message(anchor)]))


def to_webhook(url: str) -> Sender:
    """A sender that posts each anchor as JSON."""
    webhook = Webhook(url)
    return Sender(urlsplit(url).netloc, lambda anchor: webhook.post(msgspec.json.encode(anchor)))


def syslog_message(anchor: Anchor) -> bytes:
    """One line of RFC 5424; the anchor is its text, as JSON."""
    return line(anchor.at, "anchor", msgspec.to_builtins(anchor), process=str(os.getpid()))
