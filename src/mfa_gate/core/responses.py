"""How a verdict is said: a page for a browser that navigates, problem+json for everything else; it decides nothing.

`problem` is the one maker of error answers, for the doors and for the JSON API alike (RFC 9457).
"""

import re
from typing import assert_never
from urllib.parse import quote, urlencode

import msgspec

from mfa_gate.core.decision import (
    Allow,
    AllowStranger,
    AllowWithout,
    Decision,
    Deny,
    Enroll,
    Malformed,
    Paused,
    Preflight,
    SignIn,
    Unavailable,
    Verify,
)
from mfa_gate.core.messages import GateRequest, GateResponse, Headers, is_navigation
from mfa_gate.core.origins import request_target, safe_next, same_origin_referer
from mfa_gate.core.paths import OddPath
from mfa_gate.core.throttle import FOREVER

SAFE_HEADERS: Headers = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
)
"""On every answer that the gate itself gives."""

TITLES = {
    "invalid": "The request cannot be understood",
    "sign_in_required": "Sign in first",
    "two_step_setup_required": "Two-step authentication must be set up",
    "two_step_code_required": "A code is required",
    "code_rejected": "The code was not accepted",
    "not_allowed": "Not allowed",
    "not_found": "Not found",
    "conflict": "Somebody else changed it",
    "paused": "Too many tries",
    "unavailable": "Not available now",
}
SIGN_IN = "Sign in to the portal first."
SIGN_IN_OTHERWISE = (
    "The Authorization header names nobody to this gate, even if the portal would take it: no identity source of the "
    "settings reads it. Sign in as browsers do, and send the cookie that the portal then gives, not this header."
)
NEVER_SERVED = frozenset({"TRACE", "TRACK", "CONNECT"})
"""Methods that are refused everywhere."""
PREFLIGHT_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:[ \t]*,[ \t]*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*", re.ASCII)
_SHARED = frozenset({"public", "s-maxage"})
_FOR_CACHES = frozenset({"cdn-cache-control", "surrogate-control", "x-accel-expires"})
_CACHING = frozenset({"cache-control", "expires", *_FOR_CACHES})
LOOKED_AT = frozenset({"set-cookie", *_CACHING})
"""The portal's headers that the doors may have to change; an answer without them goes out as it is."""


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are, from the settings: the origin that browsers see, and the path of our own pages below it."""

    public_url: str
    mount: str
    sign_in_url: str | None = None
    cors_origins: tuple[str, ...] = ()


def problem(status: int, code: str, detail: str, *, headers: Headers = (), **members: object) -> GateResponse:
    """An RFC 9457 problem with our `code`; members with the value None are left out."""
    if status == 401:
        headers = (("www-authenticate", "MFA-Gate"), *headers)
    body = {
        "type": f"urn:mfa-gate:problem:{code}",
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "code": code,
        **{name: value for name, value in members.items() if value is not None},
    }
    return GateResponse(
        status=status,
        headers=(("content-type", "application/problem+json"), *SAFE_HEADERS, *headers),
        body=msgspec.json.encode(body),
    )


def redirect(location: str, *, headers: Headers = ()) -> GateResponse:
    """303 See Other, so that a POST becomes a GET."""
    return GateResponse(status=303, headers=(("location", location), *SAFE_HEADERS, *headers))


def paused(until: int, now: int) -> GateResponse:
    """429 with the seconds to wait, or without where waiting does not help."""
    if until >= FOREVER:
        return problem(429, "paused", "Too many wrong codes in a row. Ask your administrator for help.")
    wait = max(until - now, 1)
    return problem(
        429,
        "paused",
        f"Too many wrong codes. Try again in {wait} seconds.",
        headers=(("retry-after", str(wait)),),
        retry_after=wait,
    )


def unavailable() -> GateResponse:
    """503: the outcome is unknown."""
    return problem(
        503,
        "unavailable",
        "The two-step service cannot answer now. Read the status, then try again.",
        headers=(("retry-after", "2"),),
    )


def respond(decision: Decision, request: GateRequest, places: Places, now: int) -> GateResponse | None:
    """The answer that says `decision`; None if the request goes on to the portal."""
    match decision:
        case Allow() | AllowStranger() | AllowWithout():
            return None
        case SignIn():
            return _sign_in(request, places)
        case Enroll():
            return _lead(request, places, "/setup") or problem(
                401,
                "two_step_setup_required",
                "Your organization asks for two-step authentication. Set it up first.",
                setup_url=f"{places.public_url}{under(request, places)}/setup",
            )
        case Verify(factors=factors, max_age=max_age):
            return _lead(request, places, "/verify", max_age) or problem(
                401,
                "two_step_code_required",
                "Confirm that it is you with a code.",
                factors=factors,
                max_age=max_age,
            )
        case Paused(until=until):
            return _lead(request, places, "/verify") or paused(until, now)
        case Deny(reason=reason):
            return problem(403, "not_allowed", reason)
        case Malformed(reason=reason, status=status):
            return problem(status, "invalid", reason)
        case Preflight():
            return _preflight(request, places)
        case Unavailable():
            return unavailable()
        case _:
            assert_never(decision)


def under(request: GateRequest, places: Places) -> str:
    """The mount as the browser sees it, below the root path under which the server runs the portal.

    Security: exactly one slash in front, since some servers take the root path from a header (security.md A13).
    """
    root = quote(request.root_path.strip("/"))
    return f"/{root}{places.mount}" if root else places.mount


def asked_for(request: GateRequest, places: Places) -> str | None:
    """The address to come back to: this one, or for a form that was sent, the page that it stood on."""
    if request.method not in ("GET", "HEAD"):
        return same_origin_referer(request, places.public_url)
    return safe_next(request_target(request), places.public_url)


def _lead(request: GateRequest, places: Places, page: str, max_age: int | None = None) -> GateResponse | None:
    if not is_navigation(request):
        return None
    target = asked_for(request, places)
    fields = {"next": target} if target else {}
    if max_age is not None and request.method not in ("GET", "HEAD"):
        # The page to come back to does not want a fresh code, only the form that it sends: our page must be told.
        fields["max_age"] = str(max_age)
    query = f"?{urlencode(fields)}" if fields else ""
    return redirect(f"{under(request, places)}{page}{query}")


def _sign_in(request: GateRequest, places: Places) -> GateResponse:
    if not is_navigation(request):
        return problem(401, "sign_in_required", SIGN_IN_OTHERWISE if _tries_to(request) else SIGN_IN)
    if places.sign_in_url is None:
        return redirect(f"{under(request, places)}/sign-in")
    return redirect(places.sign_in_url.replace("{next}", quote(asked_for(request, places) or "/", safe="")))


def _tries_to(request: GateRequest) -> bool:
    """Whether it brings an `Authorization`: as nobody is attributed, that is one which no identity source reads."""
    return bool(request.values("authorization"))


def _preflight(request: GateRequest, places: Places) -> GateResponse:
    """Security: answered here, since a portal that answers OPTIONS may do more than answer (security.md C04)."""
    origin = request.header("origin")
    if origin is None or origin not in places.cors_origins:
        return problem(
            403, "not_allowed", "This origin may not call the portal. Setting: [portal] cors_origins."
        )
    asked = request.header("access-control-request-headers") or ""
    return GateResponse(
        status=204,
        headers=(
            *SAFE_HEADERS,
            ("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", PREFLIGHT_METHODS),
            *((("access-control-allow-headers", asked),) if _NAMES.fullmatch(asked) else ()),
        ),
    )


def private(headers: Headers) -> Headers:
    """The portal's headers on a gated path, so that no shared cache keeps what only a verified person may see.

    Whatever lets one keep the answer (RFC 9111 §3, RFC 9213, and what nginx takes for it) becomes `private`, which
    leaves the browser's own cache as it was.
    """
    if not any(name in _CACHING for name, _ in headers):
        return headers
    names = {name for name, _ in headers}
    directives = [
        part.strip()
        for name, value in headers
        if name == "cache-control"
        for part in value.split(",")
        if part.strip()
    ]
    words = {_word(directive) for directive in directives}
    # `private="Name"` holds back that one header only.
    kept_back = any(directive.lower() in ("private", "no-store") for directive in directives)
    lasting = "max-age" in words or "expires" in names
    if not (words & _SHARED or names & _FOR_CACHES or (lasting and not kept_back)):
        return headers
    left = [directive for directive in directives if _word(directive) not in _SHARED]
    return (
        *(each for each in headers if each[0] != "cache-control" and each[0] not in _FOR_CACHES),
        ("cache-control", ", ".join(left if kept_back else ["private", *left])),
        ("vary", "Cookie, Authorization"),
    )


def _word(directive: str) -> str:
    return directive.partition("=")[0].strip().lower()


def odd_path(odd: OddPath) -> GateResponse:
    """400 or 414 for a path that two programs could read differently."""
    return problem(
        odd.status, "invalid", f"The path cannot be judged: {odd.reason}. Ask for it in its plain form."
    )


def method_refused() -> GateResponse:
    """405 for TRACE and its like, which show what headers came (OWASP ASVS 13.4.4)."""
    return problem(405, "invalid", "This method is not served.", headers=(("allow", PREFLIGHT_METHODS),))
