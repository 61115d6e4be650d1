"""Decides what a request and an answer are to the gate; it must not know which server speaks, nor who is asking."""

from typing import Literal

import msgspec

from mfa_gate.core.clients import DEVICE_HEADER, ClientKind

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
    client: ClientKind = "web"
    """The kind of client that it says it is of, as the settings tell kinds."""

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), or None. Where a second one matters use `values`."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of a header (lower-case name), in order."""
        return tuple([value for key, value in self.headers if key == name])


class GateResponse(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the gate itself; an edge only translates it."""

    status: int
    headers: Headers = ()
    body: bytes = b""


def is_navigation(request: GateRequest) -> bool:
    """True if a browser is about to show the answer as a page, so that a 303 to one of ours helps."""
    if request.kind == "websocket" or not speaks_html(request):
        return False
    modes = request.values("sec-fetch-mode")
    if modes or any(name.startswith("sec-fetch-") for name, _ in request.headers):
        return bool(modes) and all(mode.strip() == "navigate" for mode in modes)
    if request.values("x-requested-with") or request.values("authorization"):
        return False
    ranges = ",".join(request.values("accept")).split(",")
    return any(media_range.partition(";")[0].strip().lower() == "text/html" for media_range in ranges)


def speaks_html(request: GateRequest) -> bool:
    """False for mobile and desktop clients, which are never sent a page or elsewhere, whatever they say they accept."""
    return request.client == "web" and not request.values(DEVICE_HEADER)


def printable(text: str, limit: int = 200) -> str:
    r"""Text from outside as one harmless line of at most `limit` (≥ 1) characters, for logs, audit and terminals.

    What is not printable becomes `\xNN`, `\uNNNN` or `\UNNNNNNNN`: line breaks, escape sequences, bidirectional
    and invisible controls, surrogates, spaces other than U+0020. What is cut off ends in `…`.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(c if c.isprintable() else _escaped(c) for c in text[:limit])
    if len(text) > limit or len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
