"""How our cookies are written: for this host only, out of reach of scripts; it must not know what is in them."""

from mfa_gate.core.cookies import own_values
from mfa_gate.core.messages import GateRequest


def pending_name(session_name: str) -> str:
    """Name of the pending cookie that goes with a session cookie of this name."""
    return f"{session_name}_pending"


def set_cookie(name: str, value: str, *, secure: bool) -> tuple[str, str]:
    """The header that gives a browser a cookie until it is closed. What it is worth, and how long, we decide here."""
    # Security: no Domain, and Path=/, as the prefix `__Host-` demands: no sister host can set or read it (RFC 6265bis).
    return ("set-cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}")


def clear_cookie(name: str, *, secure: bool) -> tuple[str, str]:
    """The header that takes a cookie away."""
    return (
        "set-cookie",
        f"{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}",
    )


def the_cookie(request: GateRequest, name: str) -> str | None:
    """The value of a cookie of ours that came exactly once."""
    values = [value for header in request.values("cookie") for value in own_values(header, name)]
    return values[0] if len(values) == 1 else None
