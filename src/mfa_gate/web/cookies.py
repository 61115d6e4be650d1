"""How our cookies are written: for this host only, out of reach of scripts; it must not know what is in them."""

from mfa_gate.core.cookies import own_values
from mfa_gate.core.messages import GateRequest
from mfa_gate.core.remembered import Held
from mfa_gate.flows.results import Kept


def pending_name(session_name: str) -> str:
    """Name of the pending cookie that goes with a session cookie of this name."""
    return f"{session_name}_pending"


def browser_name(session_name: str) -> str:
    """Name of the cookie of a remembered browser that goes with a session cookie of this name."""
    return f"{session_name}_browser"


def set_cookie(name: str, value: str, *, secure: bool, seconds: int | None = None) -> tuple[str, str]:
    """The header that gives a browser a cookie, for so long or until it is closed. What it is worth, we decide here."""
    # Security: no Domain, and Path=/, as the prefix `__Host-` demands: no sister host can set or read it (RFC 6265bis).
    lasts = "" if seconds is None else f"; Max-Age={seconds}"
    return (
        "set-cookie",
        f"{name}={value}; Path=/{lasts}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}",
    )


def clear_cookie(name: str, *, secure: bool) -> tuple[str, str]:
    """The header that takes a cookie away."""
    return (
        "set-cookie",
        f"{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}",
    )


def browser_cookie(session_name: str, kept: Kept | None, now: int, *, secure: bool) -> tuple[str, str]:
    """The header that gives a remembered browser what it is to hold now; None takes it away."""
    name = browser_name(session_name)
    if kept is None:
        return clear_cookie(name, secure=secure)
    return set_cookie(name, kept.held.text, secure=secure, seconds=max(kept.until - now, 0))


def held_by(request: GateRequest, session_name: str) -> Held | None:
    """What the cookie of a remembered browser says, whoever's it is."""
    text = the_cookie(request, browser_name(session_name))
    return None if text is None else Held.read(text)


def the_cookie(request: GateRequest, name: str) -> str | None:
    """The value of a cookie of ours that came exactly once."""
    values = [value for header in request.values("cookie") for value in own_values(header, name)]
    return values[0] if len(values) == 1 else None
