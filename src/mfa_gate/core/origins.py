"""Decides what counts as the portal's own origin, and where a browser may be sent back to; it must not know the mount.

The origin is that of `public_url`, never that of `Host`.
"""

import re
from typing import Literal
from urllib.parse import quote, unquote

from mfa_gate.core.messages import GateRequest
from mfa_gate.core.paths import canonical_path

MAX_NEXT_LENGTH = 2_048

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?=[/?#]|\Z)",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535
# Visible ASCII without the backslash: browsers drop tabs and line breaks anywhere, trim spaces, and read `\` as `/`.
_TARGET = re.compile(r"[!-\[\]-~]+")
_SAFE_IN_PATH = "/:@!$&'()*+,;=~"


def origin_of(url: str) -> str | None:
    """Scheme, host and port of an http(s) URL in one spelling: lower case, no default port; None if it has none."""
    match = _ORIGIN.match(url)
    if match is None:
        return None
    scheme, host, port = match["scheme"].lower(), match["host"].lower(), match["port"]
    if port is None or int(port) == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}" if int(port) <= _LAST_PORT else None


def safe_next(target: str, public_url: str) -> str | None:
    """Path and query to send a browser back to; None where `target` leads elsewhere (CVE-2021-32618).

    Taken are a path that begins with one slash and a URL of exactly `public_url`'s origin, percent-encoded and
    at most 2,048 characters; a fragment is dropped. The caller refuses what must not be returned to, such as
    signing out.
    """
    if len(target) > MAX_NEXT_LENGTH or not _TARGET.fullmatch(target):
        return None
    if not target.startswith("/"):
        origin = _ORIGIN.match(target)
        if origin is None or origin_of(target) != origin_of(public_url):
            return None
        target = target[origin.end() :]
    path, mark, query = target.partition("#")[0].partition("?")
    path = path or "/"
    # Security: this also refuses `//host` and everything that decodes to it.
    if not isinstance(canonical_path(unquote(path), path), str):
        return None
    return path + mark + query


def request_target(request: GateRequest) -> str:
    """Path and query as a browser would ask for them again, encoded from what was judged; for `safe_next`."""
    path = quote(request.root_path.rstrip("/") + request.path, safe=_SAFE_IN_PATH)
    return f"{path}?{request.query}" if request.query else path


def same_origin_referer(request: GateRequest, public_url: str) -> str | None:
    """Path and query of the one `Referer`, if that page is the portal's own and may be returned to."""
    referers = request.values("referer")
    if len(referers) != 1 or origin_of(referers[0]) is None:
        return None
    return safe_next(referers[0], public_url)


def origin_verdict(request: GateRequest, public_url: str) -> Literal["same", "foreign", "absent"]:
    """Whose page sent this request: the portal's own, another's, or nothing tells.

    One foreign sign is enough for *foreign*: an `Origin` other than `public_url`'s (`null` included), or a
    `Sec-Fetch-Site` other than `same-origin` and `none`. `none` without an `Origin` tells nothing: *absent*.
    """
    home = origin_of(public_url)
    origins = request.values("origin")
    sites = [site.strip() for site in request.values("sec-fetch-site")]
    if any(_ORIGIN.fullmatch(origin) is None or origin_of(origin) != home for origin in origins):
        return "foreign"
    if any(site not in {"same-origin", "none"} for site in sites):
        return "foreign"
    return "same" if origins or "same-origin" in sites else "absent"
