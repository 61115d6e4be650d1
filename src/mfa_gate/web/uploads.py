"""Reads a form that brings a file, as it comes: its fields first, then the file line by line; nothing is kept of it.

Security: neither a line nor a part without an end is read into memory as a whole, and a body that ends before it was
said to end is no file: whoever the rest names would be taken for gone (RFC 7578, RFC 2046 §5.1.1).
"""

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from mfa_gate.core.messages import GateRequest
from mfa_gate.web.forms import MAX_BYTES, MAX_FIELDS, Form, Unreadable

MOST: Final = 64 * 1024 * 1024
"""Bytes of a body with a file: some 600,000 people. More goes in at the shell, which shows how far it is."""
_LINE: Final = 8 * 1024
"""Bytes of a line of a part's head."""
_PIECE: Final = 64 * 1024 + 1
"""Bytes of a file's line that are handed on together."""
_BOUNDARY: Final = re.compile(
    r'multipart/form-data;\s*boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?', re.ASCII
)
_NAME: Final = re.compile(r'form-data;.*?\bname="([^"]*)"', re.IGNORECASE)
_FILE: Final = re.compile(r'form-data;.*?\bfilename="', re.IGNORECASE)


class Incomplete(Exception):
    """The body ends too soon, is too large, or is not built as it should be."""


class Body:
    """The bytes of a body; `more` gives the next of them, nothing at the end. Raises `Incomplete` above `MOST`."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._held = b""
        self._at = 0
        self.received = 0

    def readline(self, size: int) -> bytes:
        """The next line, or the first `size` bytes of it; nothing at the end."""
        parts: list[bytes] = []
        wanted = size
        while wanted > 0:
            if self._at == len(self._held):
                self._held, self._at = self._piece(), 0
                if not self._held:
                    break
            end = self._held.find(b"\n", self._at, self._at + wanted) + 1
            stop = end or min(len(self._held), self._at + wanted)
            parts.append(self._held[self._at : stop])
            wanted -= stop - self._at
            self._at = stop
            if end:
                break
        return b"".join(parts)

    def drain(self) -> None:
        """Read what is left and keep none of it, so that a browser listens to the answer."""
        while self._piece():
            pass

    def _piece(self) -> bytes:
        piece = self._more()
        self.received += len(piece)
        if self.received > MOST:
            raise Incomplete
        return piece


class Upload:
    """A form with one file, its last part. `fields` are those before it; `readline` reads the file."""

    def __init__(self, body: Body, boundary: bytes) -> None:
        self._body = body
        self._mark = b"--" + boundary
        self._waiting: bytes | None = None
        self._ended = False
        self.fields: dict[str, str] = {}
        if body.readline(_LINE).rstrip(b"\r\n") != self._mark:
            raise Incomplete
        for _ in range(MAX_FIELDS):
            name, is_file = self._head()
            if is_file:
                self._waiting = self._body.readline(_PIECE)
                return
            if name in self.fields:
                raise Incomplete
            self.fields[name] = self._value()
        raise Incomplete

    def readline(self, size: int) -> bytes:
        """The next line of the file, or the first `size` bytes of it; nothing at its end."""
        line = self._waiting
        if line is None or self._ended:
            return b""
        if self._is_mark(line):
            self._ended = True
            self._close(line)
            return b""
        self._waiting = following = self._body.readline(max(size, _PIECE))
        if not following:
            raise Incomplete
        if self._is_mark(following):
            # The line end before the mark belongs to the mark; a line that was nothing else is none.
            return line.removesuffix(b"\r\n") or self.readline(size)
        return line

    def _head(self) -> tuple[str, bool]:
        name, is_file = None, False
        for _ in range(16):
            line = self._body.readline(_LINE)
            if not line.endswith(b"\n"):
                raise Incomplete
            text = line.decode(errors="replace").strip()
            if not text:
                break
            if text.lower().startswith("content-disposition:"):
                found = _NAME.search(text)
                name, is_file = found and found[1], bool(_FILE.search(text))
        if name is None:
            raise Incomplete
        return name, is_file

    def _value(self) -> str:
        value = b""
        while not self._is_mark(line := self._body.readline(_LINE)):
            value += line
            if not line or len(value) > MAX_BYTES:
                raise Incomplete
        if line.rstrip(b"\r\n") != self._mark:
            raise Incomplete
        return value.removesuffix(b"\r\n").decode(errors="replace")

    def _is_mark(self, line: bytes) -> bool:
        return line.startswith(self._mark) and line.rstrip(b"\r\n") in {self._mark, self._mark + b"--"}

    def _close(self, line: bytes) -> None:
        if line.rstrip(b"\r\n") != self._mark + b"--":
            raise Incomplete


class Whole:
    """A body that is a file; it has as many bytes as were said, or raises `Incomplete`."""

    def __init__(self, body: Body, request: GateRequest) -> None:
        self._body = body
        self._length = int(request.values("content-length")[0])

    def readline(self, size: int) -> bytes:
        """The next line, or the first `size` bytes of it; nothing at the end."""
        line = self._body.readline(size)
        if not line and self._body.received != self._length:
            raise Incomplete
        return line


def is_multipart(request: GateRequest) -> bool:
    """True if a request says that it brings a file."""
    return _boundary(request) is not None


def opened(request: GateRequest, body: Body) -> tuple[Form, Upload] | Unreadable:
    """The form up to its file, whose length was said and is within bounds."""
    boundary, lengths = _boundary(request), request.values("content-length")
    if boundary is None or request.values("content-encoding"):
        return Unreadable(415)
    if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        return Unreadable(400)
    if len(lengths[0]) > 9 or int(lengths[0]) > MOST:
        return Unreadable(413)
    try:
        upload = Upload(body, boundary)
    except Incomplete:
        return Unreadable(400)
    return Form(MappingProxyType(upload.fields)), upload


def _boundary(request: GateRequest) -> bytes | None:
    kinds = request.values("content-type")
    found = _BOUNDARY.fullmatch(kinds[0].strip()) if len(kinds) == 1 else None
    return None if found is None else found[1].encode()
