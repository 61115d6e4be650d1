"""What kind of client asks, by what the settings say tells it, and which kinds the policy has closed.

Whoever asks may say anything of themselves, so a kind opens nothing: each begins with a code. It only asks for more,
and says how the gate has to speak. Pure.
"""

from typing import Final, Literal

import msgspec

from mfa_gate.core.headers import fold_header
from mfa_gate.core.paths import fold_path

ClientKind = Literal["web", "mobile", "desktop"]
NativeKind = Literal["mobile", "desktop"]
"""The kinds that are no browser."""

DEVICE_HEADER: Final = "mfa-gate-device"
"""What a registered device sends its token in."""


class ClientRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of client is told: a request is of it if all that is named fits. The first entry that fits decides.

    What none fits is `web`. A client that is told is never sent a page or elsewhere, only problem+json.
    """

    kind: NativeKind
    """What it is."""
    header: str = ""
    """A header that the client sends, such as `X-Example-Client`."""
    value: str = ""
    """The whole value of that header; empty: any."""
    path: str = ""
    """Where it asks; a path that ends in `/` covers everything below it."""
    user_agent: str = ""
    """What stands in its `User-Agent`, such as `ExampleMobile/`."""

    def is_at(self, path: str) -> bool:
        """True if it asks there, in whatever spelling the portal may take for the same."""
        if not self.path:
            return True
        wanted, asked = fold_path(self.path), fold_path(path)
        return asked == wanted or (self.path.endswith("/") and asked.startswith(f"{wanted.rstrip('/')}/"))

    def is_said_by(self, headers: tuple[tuple[str, str], ...]) -> bool:
        """True if these headers (lower-case names) say so."""
        if self.user_agent and not any(
            name == "user-agent" and self.user_agent in value for name, value in headers
        ):
            return False
        wanted = fold_header(self.header)
        return not wanted or any(
            fold_header(name) == wanted and self.value in {"", value.strip()} for name, value in headers
        )


def told_kind(rules: tuple[ClientRule, ...], path: str, headers: tuple[tuple[str, str], ...]) -> ClientKind:
    """The kind that the first rule which fits names, else `web`."""
    return next((rule.kind for rule in rules if rule.is_at(path) and rule.is_said_by(headers)), "web")


def rules_at(rules: tuple[ClientRule, ...], path: str) -> tuple[int, ...]:
    """Numbers of the rules with a path that cover this one: all that a path says of the kind."""
    return tuple(number for number, rule in enumerate(rules) if rule.path and rule.is_at(path))


def telling_headers(rules: tuple[ClientRule, ...]) -> frozenset[str]:
    """Folded names of the headers that say what kind a client is, or which device."""
    named = {fold_header(rule.header) for rule in rules if rule.header}
    return frozenset({DEVICE_HEADER, *named, *(["user-agent"] if any(r.user_agent for r in rules) else [])})
