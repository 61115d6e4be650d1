"""Whether somebody comes from where they never came from: another network, or another browser; it opens nothing.

Only the owner is told. Kept are hashes of the last few networks and browsers, and of a network its first part only, so
that an address which a provider changes every day is no news, and a record does not say where somebody was.
"""

import hashlib
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.browsers import known_browser
from mfa_gate.core.events import Actor, Event
from mfa_gate.core.transitions import event

KEPT: Final = 6
"""Networks, and as many browsers."""
_PREFIX: Final = {4: 16, 6: 32}


def came_from(account: Account, actor: Actor, user_agent: str, now: int) -> tuple[Account, tuple[Event, ...]]:
    """The account with this place as its newest, and an event for its owner if it is a new one.

    The first place that is ever kept is none: of an account without any nobody knows what is usual for it.
    """
    network = _network(actor.address)
    if not network:
        return account, ()
    browser = known_browser(user_agent)
    kinds = (("network", network), ("browser", browser or user_agent.partition("/")[0]))
    now_at = tuple(_hashed(account, kind, text) for kind, text in kinds)
    places = tuple(_newest(account.places, place) for place in now_at)
    after = replace(account, places=places[0] + places[1])
    if not account.places or set(now_at) <= set(account.places):
        return after, ()
    said = {"browser": browser} if browser else {}
    return after, (event(after, "verified_elsewhere", actor, now, ("owner",), **said),)


def _newest(places: tuple[str, ...], place: str) -> tuple[str, ...]:
    """The places of the same kind, with this one at the end."""
    kind = place[0]
    others = tuple(each for each in places if each[0] == kind and each != place)
    return (*others, place)[-KEPT:]


def _hashed(account: Account, kind: str, text: str) -> str:
    digest = hashlib.sha256(f"{kind}\0{account.id}\0{text}".encode(errors="replace")).hexdigest()
    return f"{kind[0]}{digest[:12]}"


@lru_cache(1_024)
def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    mapped = None if isinstance(found, IPv4Address) else found.ipv4_mapped
    found = mapped or found
    return str(ip_network(f"{found}/{_PREFIX[found.version]}", strict=False).network_address)
