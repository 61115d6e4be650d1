"""Decides who somebody is by name and password; it must not know which framework asks."""

import base64
import hmac
from typing import Final
from urllib.parse import quote, urlencode

PEOPLE: Final = {
    "admin": "Adrian Keller",
    "help": "Hanna Lindqvist",
    "alice": "Alice Moreau",
    "bob": "Bob Okafor",
    "carol": "Carol Jansen",
}
"""Account name to the name that the pages show."""

PASSWORD: Final = "demo"  # noqa: S105 - an example that everybody may enter
"""Everybody in this example has the same one; the README says so."""

CHALLENGE: Final = 'Basic realm="Example Files", charset="UTF-8"'
"""What a refused program is told in `WWW-Authenticate`."""


def authenticate(username: str, password: str) -> str | None:
    """Return the account name if the password is right, otherwise None."""
    right = hmac.compare_digest(password.encode("utf-8", "replace"), PASSWORD.encode())
    return username if right and username in PEOPLE else None


def is_basic(authorization: str | None) -> bool:
    """Say whether this `Authorization` header is one that the portal reads at all."""
    return authorization is not None and authorization.partition(" ")[0].lower() == "basic"


def caller(authorization: str | None, session_user: object) -> str | None:
    """Return who sent a request: the Basic header speaks first, the session only where there is none."""
    if authorization is not None and is_basic(authorization):
        return _basic_user(authorization)
    return session_user if isinstance(session_user, str) and session_user in PEOPLE else None


def _basic_user(authorization: str) -> str | None:
    encoded = authorization.partition(" ")[2].strip()
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return authenticate(username, password)


def answers_in_json(method: str, path: str, authorization: str | None) -> bool:
    """Say whether a refusal is for a program (401) rather than for a person in a browser (sign-in page)."""
    return method not in {"GET", "HEAD"} or path.startswith("/api/") or is_basic(authorization)


def sign_in_location(root: str, path: str, query: str) -> str:
    """Return the sign-in page's address, carrying the (decoded) full path that was asked for as `next`."""
    asked = quote(path) + (f"?{query}" if query else "")
    return f"{root}/login?{urlencode({'next': asked})}"


def page_after_sign_in(root: str, target: str) -> str:
    """Return where a person goes after signing in: `target` if it is a path of this host, else the file list."""
    # Security: browsers drop tabs and line ends and read "\" as "/", so "/\t/evil" would leave this host.
    odd = any(char <= " " or char in "\\\x7f" for char in target)
    if odd or not target.startswith("/") or target.startswith("//"):
        return f"{root}/files"
    return target
