"""How a verdict is said: a page for a browser that navigates, problem+json for everything else; it decides nothing.

`problem` is the one maker of error answers, for the doors and for the JSON API alike (RFC 9457).
"""

from urllib.parse import quote, urlencode, urlsplit

import msgspec

from mfa_gate.core.decision import (
    Allow,
    AllowStranger,
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
from mfa_gate.core.origins import request_target, same_origin_referer
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
PREFLIGHT_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are, from the settings. `base` is the path of `public_url` plus the mount (`/mfa`)."""

    public_url: str
    base: str
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
        case Allow() | AllowStranger():
            return None
        case SignIn():
            return _sign_in(request, places)
        case Enroll():
            return _lead(request, places, "/setup") or problem(
                401,
                "two_step_setup_required",
                "Your organization asks for two-step authentication. Set it up first.",
                setup_url=f"{places.public_url}{_mount(places)}/setup",
            )
        case Verify(max_age=max_age):
            return _lead(request, places, "/verify") or problem(
                401,
                "two_step_code_required",
                "Confirm that it is you with a code.",
                factors=["totp", "recovery_code"] if max_age is None else ["totp"],
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


def _mount(places: Places) -> str:
    return places.base[len(urlsplit(places.public_url).path.rstrip("/")) :]


def asked_for(request: GateRequest, places: Places) -> str | None:
    """The address to come back to: this one, or for a form that was sent, the page that it stood on."""
    if request.method not in ("GET", "HEAD"):
        return same_origin_referer(request, places.public_url)
    return request_target(request)


def _lead(request: GateRequest, places: Places, page: str) -> GateResponse | None:
    if not is_navigation(request):
        return None
    target = asked_for(request, places)
    query = f"?{urlencode({'next': target})}" if target else ""
    return redirect(f"{places.base}{page}{query}")


def _sign_in(request: GateRequest, places: Places) -> GateResponse:
    if not is_navigation(request):
        return problem(401, "sign_in_required", "Sign in to the portal first.")
    if places.sign_in_url is None:
        return redirect(f"{places.base}/sign-in")
    return redirect(places.sign_in_url.replace("{next}", quote(asked_for(request, places) or "/", safe="")))


def _preflight(request: GateRequest, places: Places) -> GateResponse:
    """Security: answered here, since a portal that answers OPTIONS may do more than answer (security.md C04)."""
    origin = request.header("origin")
    if origin is None or origin not in places.cors_origins:
        return problem(
            403, "not_allowed", "This origin may not call the portal. Setting: [portal] cors_origins."
        )
    asked = request.header("access-control-request-headers")
    return GateResponse(
        status=204,
        headers=(
            *SAFE_HEADERS,
            ("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", PREFLIGHT_METHODS),
            *((("access-control-allow-headers", asked),) if asked else ()),
        ),
    )


def private(headers: Headers) -> Headers:
    """The portal's headers on a gated path, so that no shared cache keeps what only a verified person may see."""
    shared = any(
        name == "cache-control" and ("public" in value.lower() or "s-maxage" in value.lower())
        for name, value in headers
    )
    if not shared:
        return headers
    kept = tuple((name, value) for name, value in headers if name != "cache-control")
    directives = [
        part.strip()
        for name, value in headers
        if name == "cache-control"
        for part in value.split(",")
        if part.strip() and part.strip().lower().split("=")[0] not in ("public", "s-maxage")
    ]
    return (*kept, ("cache-control", ", ".join(["private", *directives])), ("vary", "Cookie, Authorization"))
