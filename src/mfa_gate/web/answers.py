"""Which headers go with what we answer, so that nothing but our own pages can use them; it must not know any page."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mfa_gate.core.messages import GateResponse, Headers
from mfa_gate.core.responses import SAFE_HEADERS

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of pages: our own files, nothing inline, nothing from or to another host, in no frame."""

MEDIA: Mapping[str, str] = MappingProxyType(
    {
        "jsonl": "application/jsonl",
        "csv": "text/csv; charset=utf-8",
        "html": "text/html; charset=utf-8",
        "json": "application/json",
    }
)
"""What kind of file has which ending."""


class Download(GateResponse, frozen=True, kw_only=True):
    """A file that is made while it is sent, piece by piece; one that breaks off reaches nobody as the whole."""

    pieces: Iterator[bytes]


FOR_GOOD = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


def page(html: str, *, status: int = 200, headers: Headers = (), asks_again: bool = False) -> GateResponse:
    """An HTML page. `asks_again`: its script may fetch the page anew."""
    policy = f"{PAGE_POLICY}; connect-src 'self'" if asks_again else PAGE_POLICY
    return _answer(html.encode(), "text/html; charset=utf-8", status, policy, headers)


def text(words: str, *, status: int = 200, headers: Headers = ()) -> GateResponse:
    """Plain text, never taken for a page."""
    return _answer(words.encode(), "text/plain; charset=utf-8", status, None, headers)


def json(body: bytes, *, status: int = 200) -> GateResponse:
    """Encoded JSON."""
    return _answer(body, "application/json", status, None, ())


def download(pieces: Iterator[bytes], ending: str, name: str) -> Download:
    """A file to keep, which no browser shows; `name` is without its ending."""
    said = _answer(
        b"", MEDIA[ending], 200, None, (("content-disposition", f'attachment; filename="{name}.{ending}"'),)
    )
    return Download(status=said.status, headers=said.headers, pieces=pieces)


def asset(content: bytes, kind: str, *, keep: bool) -> GateResponse:
    """A static file; `keep` says that its address changes with its content."""
    caching = FOR_GOOD if keep else ASK_AGAIN
    headers = tuple((name, value) for name, value in SAFE_HEADERS if name != "cache-control")
    return GateResponse(
        status=200, headers=(("content-type", kind), ("cache-control", caching), *headers), body=content
    )


def _answer(body: bytes, kind: str, status: int, policy: str | None, headers: Headers) -> GateResponse:
    safe = tuple(
        (name, policy if policy and name == "content-security-policy" else value)
        for name, value in SAFE_HEADERS
    )
    return GateResponse(status=status, headers=(("content-type", kind), *safe, *headers), body=body)
