"""What the portal gets to see of a request: nothing that only the gate may say, and for a stranger no credentials.

Pure; the doors put the answer into their server's own form.
"""

import re
from collections.abc import Collection
from urllib.parse import unquote_plus

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Identity
from mfa_gate.core.cookies import join_cookie_headers, without_cookies
from mfa_gate.core.headers import fold_header, is_ours_folded
from mfa_gate.core.messages import GateRequest, Headers


class Forwarding(msgspec.Struct, frozen=True, kw_only=True):
    """Wiring of what is taken out and put in.

    `our_cookies` never reach the portal. `source_headers` (folded) go on as judged from a trusted peer, and are removed
    otherwise. `telling` (folded) tell what client asks. `tell` adds the `Remote-*` headers. The `stranger_*`
    collections are the portal's credentials.
    """

    our_cookies: tuple[str, ...]
    source_headers: frozenset[str] = frozenset()
    telling: frozenset[str] = frozenset()
    tell: bool = False
    stranger_cookies: tuple[str, ...] = ()
    stranger_headers: frozenset[str] = frozenset({"authorization"})
    stranger_fields: frozenset[str] = frozenset()

    def is_special(self, name: str) -> bool:
        """True if this header is anything but passed on as it is; the doors' quick way leaves such requests alone."""
        folded = fold_header(name)
        return (
            folded in self.source_headers
            or folded in self.telling
            or folded in self.stranger_headers
            or folded in _ALWAYS_SPECIAL
            or is_ours_folded(folded)
        )

    def headers(self, request: GateRequest, identity: Identity | None, *, stranger: bool = False) -> Headers:
        """The headers for the portal; several `Cookie` lines become the one that was judged."""
        dropped = (*self.our_cookies, *self.stranger_cookies) if stranger else self.our_cookies
        kept: list[tuple[str, str]] = []
        cookie = without_cookies(join_cookie_headers(request.values("cookie")), dropped)
        for name, value in request.headers:
            if name == "cookie":
                if cookie:
                    kept.append((name, cookie))
                    cookie = ""
            elif not self._removed(name, trusted=request.peer_trusted, stranger=stranger):
                kept.append((name, value))
        if self.tell and identity is not None and not stranger:
            present = {name for name, _ in kept}
            kept += [pair for pair in told(identity) if pair[0] not in present]
        return tuple(kept)

    def only(self, carriers: Collection[str]) -> "Forwarding":
        """The same where these carriers, such as `cookie:remember_token`, are all that a stranger must not bring."""
        named = [(kind, name) for kind, _, name in (carrier.partition(":") for carrier in carriers)]
        return replace(
            self,
            stranger_cookies=tuple(name for kind, name in named if kind == "cookie"),
            stranger_headers=frozenset(fold_header(name) for kind, name in named if kind == "header")
            | {"authorization"},
            stranger_fields=frozenset(name for kind, name in named if kind == "query"),
        )

    def query(self, query: str) -> str:
        """The query for a stranger: without the fields that the portal takes for credentials."""
        if not self.stranger_fields:
            return query
        # Security: some portals also take `;` for `&`.
        parts = re.split("([&;])", query)
        kept = [
            separator + field
            for separator, field in zip(["", *parts[1::2]], parts[::2], strict=True)
            if unquote_plus(field.partition("=")[0]) not in self.stranger_fields
        ]
        return "".join(kept).lstrip("&;")

    def _removed(self, name: str, *, trusted: bool, stranger: bool) -> bool:
        folded = fold_header(name)
        if folded in self.source_headers:
            return stranger or not trusted or name != folded
        return is_ours_folded(folded) or (stranger and folded in self.stranger_headers)


_ALWAYS_SPECIAL = frozenset(
    {
        "cookie",
        "host",
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "access-control-request-method",
    }
)


def told(identity: Identity) -> Headers:
    """`Remote-*` for the portal. What does not fit into latin-1 is percent-free ASCII with `?` in its place."""
    pairs = (
        ("remote-user", identity.subject),
        ("remote-name", identity.name),
        ("remote-email", identity.email),
        ("remote-groups", ",".join(identity.groups or ())),
    )
    return tuple((name, header_value(value)) for name, value in pairs if value)


def header_value(text: str) -> str:
    """Text as one header value: control characters, which could end it, become `?` (CVE-2020-7695)."""
    plain = text.encode("latin-1", "replace").decode("latin-1")
    return "".join(character if character.isprintable() else "?" for character in plain)


def sets_cookie_of(value: str, names: Collection[str]) -> bool:
    """True if this `Set-Cookie` of the portal would set or delete one of these cookies."""
    return value.partition(";")[0].partition("=")[0].strip() in names
