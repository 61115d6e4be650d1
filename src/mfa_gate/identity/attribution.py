"""One request, one principal: decides to whom a request belongs from what all sources read, and never guesses.

It must not know what follows: who may go on is `core.decision`'s.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from mfa_gate.core.accounts import Identity, account_id
from mfa_gate.core.cookies import cookie_values, join_cookie_headers
from mfa_gate.core.headers import fold_header
from mfa_gate.core.messages import GateRequest
from mfa_gate.identity.source import IdentitySource

_SCHEMES: Final = frozenset(
    ("apikey", "aws4-hmac-sha256", "basic", "bearer", "digest", "dpop", "hawk", "negotiate", "ntlm", "token")
)


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """To whom one request belongs, and everything that makes this doubtful."""

    identity: Identity | None = None
    """The one person whom everything names; None for nobody and for more than one."""
    candidates: tuple[Identity, ...] = ()
    """One identity for each person whom anything names."""
    duplicated: bool = False
    """A credential came twice; which one the portal takes is not ours to guess."""
    conflicting: bool = False
    """The credentials name different people."""
    unclaimed: tuple[str, ...] = ()
    """Kinds of credential that the naming source cannot read: `authorization:basic`, `query:token` …"""


def attribute(
    sources: Sequence[IdentitySource], request: GateRequest, carriers_configured: Iterable[str], now: int
) -> Attribution:
    """What all sources together make of a request. `carriers_configured` is `[portal] credentials`."""
    readings = [(source, source.read(request, now)) for source in sources]
    people: dict[str, Identity] = {}
    claimed: set[str] = set()
    unreadable: list[str] = []
    for source, reading in readings:
        for identity in reading.identities:
            people.setdefault(account_id(identity.realm, identity.subject), identity)
        if reading.identities:
            claimed |= source.carriers
        unreadable += reading.unreadable
    candidates = tuple(people.values())
    present = [*_authorization(request, claimed), *_present(request, carriers_configured, claimed)]
    return Attribution(
        identity=candidates[0] if len(candidates) == 1 else None,
        candidates=candidates,
        duplicated=any(reading.duplicated for _, reading in readings),
        conflicting=len(candidates) > 1,
        unclaimed=tuple(dict.fromkeys((*present, *unreadable))),
    )


def _authorization(request: GateRequest, claimed: set[str]) -> list[str]:
    """Kinds of `Authorization`, from a fixed list so that nobody can make up kinds to be counted."""
    if "header:authorization" in claimed:
        return []
    schemes = [value.strip().partition(" ")[0].lower() for value in request.values("authorization")]
    return [f"authorization:{scheme if scheme in _SCHEMES else 'other'}" for scheme in schemes]


def _present(request: GateRequest, configured: Iterable[str], claimed: set[str]) -> list[str]:
    wanted = [carrier for carrier in configured if carrier not in claimed]
    if not wanted:
        return []
    cookies = join_cookie_headers(request.values("cookie"))
    headers = {fold_header(name) for name, _ in request.headers}
    fields = {unquote_plus(part.partition("=")[0]) for part in re.split("[&;]", request.query)}
    found = []
    for carrier in wanted:
        kind, _, name = carrier.partition(":")
        match kind:
            case "cookie":
                here = bool(cookie_values(cookies, name))
            case "header":
                here = fold_header(name) in headers
            case _:
                here = name in fields
        if here:
            found.append(carrier)
    return found
