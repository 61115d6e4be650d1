"""Brings lines to a syslog server (RFC 5424) by UDP, TCP, TLS or a Unix socket; it must not know what they say."""

import fcntl
import json
import socket
import ssl
import struct
import termios
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 5
PORTS: Final = {"udp": 514, "tcp": 601, "tls": 6514}
Severity = Literal["alert", "warning", "notice", "info"]
_SEVERITY: Final[dict[Severity, int]] = {"alert": 1, "warning": 4, "notice": 5, "info": 6}
_AUTHPRIV: Final = 10
LONGEST_DATAGRAM: Final = 60_000


def line(at: int, message_id: str, said: object, severity: Severity = "notice", process: str = "-") -> bytes:
    """One line of RFC 5424; `said` is its text, as JSON in ASCII, so that nothing in it begins another line."""
    when = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    host = "".join(char for char in socket.gethostname() if "!" <= char <= "~")[:255] or "-"
    priority = _AUTHPRIV * 8 + _SEVERITY[severity]
    text = json.dumps(said, sort_keys=True)
    return f"<{priority}>1 {when} {host} mfa_gate {process} {message_id} - {text}".encode()


class SyslogServer:
    """A server at `udp://`, `tcp://` or `tls://host:port`, or `unix:///path`. `ca`: who signed its certificate."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        self._url = url
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._path = parts.path
        self._address = (parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0))
        self._ca = ca

    def __str__(self) -> str:
        return self._url

    def send(self, lines: Sequence[bytes]) -> None:
        """Bring lines there; raises `OSError` unless they arrived, as far as the way tells (UDP tells nothing)."""
        match self._scheme:
            case "udp":
                family = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
                self._send_datagrams(family[0], family[4], lines)
            case "unix":
                self._send_datagrams(socket.AF_UNIX, self._path, lines)
            case _:
                self._send_stream(lines)

    def _send_datagrams(self, family: int, address: object, lines: Sequence[bytes]) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as out:
            out.settimeout(TIMEOUT_SECONDS)
            out.connect(address)  # type: ignore[arg-type]  # whatever goes with the family
            for each in lines:
                out.send(each[:LONGEST_DATAGRAM])

    def _send_stream(self, lines: Sequence[bytes]) -> None:
        # Octet counting (RFC 6587 §3.4.1, RFC 5425 §4.3.1).
        framed = b"".join(b"%d %b" % (len(each), each) for each in lines)
        with socket.create_connection(self._address, TIMEOUT_SECONDS) as connection:
            if self._scheme != "tls":
                connection.sendall(framed)
                _finish(connection)
                return
            context = ssl.create_default_context(cafile=self._ca)
            with context.wrap_socket(connection, server_hostname=self._address[0]) as secured:
                secured.sendall(framed)
                _finish(secured)


def _finish(connection: socket.socket) -> None:
    """Wait until the other side has read it all and hung up, too, or at least holds all of it.

    Syslog acknowledges nothing: what is only in our own buffer is lost without a word if the server goes away.
    """
    connection.shutdown(socket.SHUT_WR)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        waiting = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        if waiting:
            raise
