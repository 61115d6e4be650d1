"""Decides what a request and an answer are to the gate; it must not know which server speaks, nor who is asking."""

from typing import Literal

import msgspec

Headers = tuple[tuple[str, str], ...]
"""Header lines in the order received: lower-case names, latin-1 values."""


class GateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as an edge read it, before anybody judged it. A WebSocket handshake has the method `GET`."""

    kind: Literal["http", "websocket"] = "http"
    method: str = "GET"
    """As received; methods are case-sensitive (RFC 9110 §9.1)."""
    path: str
    """Canonical, decoded, below `root_path`; `/` where the server gives an empty one."""
    raw_path: str = ""
    """As received, encodings included, without the query; `""` where the server gives none."""
    root_path: str = ""
    """`root_path` or `SCRIPT_NAME`."""
    query: str = ""
    """Raw, without the `?`."""
    headers: Headers = ()
    peer: str = ""
    """Address of the TCP peer; `""` if unknown."""
    peer_trusted: bool = False
    """The peer is one of `trusted_proxies`."""
    client_address: str = ""
    """The peer, or the forwarded address that it is believed for."""
    remote_user: str | None = None
    """`REMOTE_USER` as the server itself set it; never from a header."""

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), or None. Where a second one matters use `values`."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of a header (lower-case name), in order."""
        return tuple(value for key, value in self.headers if key == name)


class GateResponse(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the gate itself; an edge only translates it."""

    status: int
    headers: Headers = ()
    body: bytes = b""
