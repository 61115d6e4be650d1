"""Decides which path a request is about, or that two programs could read it differently; it must not know the
rules that are later matched against it, nor which server speaks.

The servers differ. An ASGI server gives the decoded path with `root_path` in front (some leave it out), a WSGI
server gives the part below `SCRIPT_NAME` as bytes in latin-1; most, not all, also give what was received.
`canonical_path` takes the ASGI form and `canonical_wsgi_path` brings the WSGI form to it.
"""

import re
import unicodedata
from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec

MAX_PATH_LENGTH = 8_192


class OddPath(msgspec.Struct, frozen=True):
    """A path that two programs could read differently; the edge answers `status` and nobody is asked further."""

    reason: str
    status: Literal[400, 414] = 400


# Security: each group is a way in which a portal, a framework or a proxy is known to read another path than the
# one that was judged (CVE-2026-33494, CVE-2025-47952, CVE-2026-26205). Take none away because a portal of today
# is not fooled by it.
_ODD = re.compile(
    r"(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<text>[\ufffd\ud800-\udfff])"
    r"|(?P<backslash>\\)"
    r"|(?P<empty>/[/;])"
    r"|(?P<dot>/\.\.?(?:[/;]|%3[bB]|\Z))"
    r"|(?P<double>%(?:2[eEfF5]|5[cC]|[01][0-9a-fA-F]|7[fF]|[uU][0-9a-fA-F]{4}))",
)
_DOT_SEGMENT = re.compile(r"[/\\]\.\.?(?:[/\\;]|\Z)")
_ODD_RAW = re.compile(
    r"(?P<slash>%2[fF])|(?P<backslash>%5[cC])|(?P<fragment>#)|(?P<escape>%(?![0-9a-fA-F]{2}))",
)
_REASONS = {
    "control": "control character",
    "text": "not valid UTF-8",
    "backslash": "backslash",
    "empty": "empty segment",
    "dot": "dot segment",
    "double": "encoded twice",
    "slash": "encoded slash",
    "fragment": "fragment in the request target",
    "escape": "malformed percent-encoding",
}
_NOT_UTF8 = OddPath("not valid UTF-8")
_TOO_LONG = OddPath("too long", 414)
_NO_SLASH = OddPath("not starting with a slash")
_ROOT = OddPath("path and root path disagree")
_DESYNC = OddPath("raw path and path disagree")


def canonical_path(path: str, raw_path: str | None, root_path: str = "") -> str | OddPath:
    """The one path that is judged, decoded and below `root_path`, or why there is none.

    `path` is decoded and includes `root_path` where the server does so (ASGI's `scope["path"]`). `raw_path` is what
    was received, latin-1, with its encodings; a query on it is ignored; None or `""` where the server gives none.
    The answer always begins with `/` and is exactly what a framework finds below `root_path`.
    """
    full = path or "/"
    if len(full) > MAX_PATH_LENGTH or (raw_path and len(raw_path) > MAX_PATH_LENGTH):
        return _TOO_LONG
    below = _below_root(full, root_path)
    if isinstance(below, OddPath):
        return below
    if not below.startswith("/"):
        return _NO_SLASH
    # Where a root was cut off its own segments are judged too: a mount such as `/{tenant}` takes them from the client.
    judged = below if len(below) >= len(full) else root_path.rstrip("/") + below
    if odd := _ODD.search(judged):
        return OddPath(_REASONS[odd.lastgroup or "text"])
    if not judged.isascii() and _DOT_SEGMENT.search(unicodedata.normalize("NFKC", judged)):
        return OddPath("dot segment")
    if raw_path and (odd_raw := _judge_raw(raw_path, full, root_path)):
        return odd_raw
    return below


def canonical_wsgi_path(script_name: str, path_info: str, target: str | None) -> str | OddPath:
    """`canonical_path` for WSGI: `SCRIPT_NAME`, `PATH_INFO`, and `RAW_URI` or `REQUEST_URI` where there is one.

    All three as PEP 3333 gives them: bytes in latin-1.
    """
    try:
        root_path = script_name.encode("latin-1").decode()
        path = root_path + path_info.encode("latin-1").decode()
    except UnicodeError:
        return _NOT_UTF8
    return canonical_path(path, target, root_path)


def fold_path(path: str) -> str:
    """The form in which all spellings are one that some portal may take for the same page; for tightening only.

    A portal may ignore case (CVE-2026-48794), Unicode's compatibility forms, dots and spaces at the end of a segment
    (Windows), `;parameters` (Java) and a last slash. Rules that ask for more are also compared in this form, both
    sides folded. A rule that opens something must never be: a spelling that merely may be the same page is
    not the page that was opened. The answer begins with `/` and ends with one only if it is `/`.
    """
    folded = path.lower() if path.isascii() else _fold_text(path)
    segments = (segment.partition(";")[0].rstrip(". ") for segment in folded.split("/"))
    return "/" + "/".join(segment for segment in segments if segment)


def _fold_text(text: str) -> str:
    # Normalized again, because folding can bring forth what is not (Unicode D146).
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _below_root(full: str, root_path: str) -> str | OddPath:
    """What is below `root_path`, as Starlette and Django find it, or odd where those two would differ."""
    if not root_path or not full.startswith(root_path):
        return full
    rest = full[len(root_path) :]
    if not rest or rest.startswith("/"):
        return rest or "/"
    return full if root_path == "/" else _ROOT


def _judge_raw(raw_path: str, full: str, root_path: str) -> OddPath | None:
    raw = raw_path.partition("?")[0]
    if raw == full and raw.isascii() and "%" not in raw and "#" not in raw:
        return None
    if not raw.startswith("/"):
        return _NO_SLASH
    if odd := _ODD_RAW.search(raw):
        return OddPath(_REASONS[odd.lastgroup or "escape"])
    try:
        decoded = unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeError:
        return _NOT_UTF8
    # Some servers leave the root out of the raw path only.
    return None if full in (decoded, root_path + decoded) else _DESYNC
