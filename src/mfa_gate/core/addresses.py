"""Decides which address a request came from and whom the settings trust to say so; it must not know what for.

Only `X-Forwarded-For` is read: `Forwarded` (RFC 7239) would be a second opinion, and two sources can be made to differ.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_Network = IPv4Network | IPv6Network
# Some balancers append a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
_WITH_PORT = re.compile(r"\[(?P<six>[^\[\]]+)\](?::[0-9]+)?|(?P<four>[0-9.]+):[0-9]+", re.ASCII)


class TrustedProxies:
    """The networks of `trusted_proxies`; `address in trusted` for any text, False for what is no address."""

    __slots__ = ("_networks", "_single")

    def __init__(self, networks: Iterable[_Network] = ()) -> None:
        self._networks = tuple(networks)
        self._single = frozenset(str(n.network_address) for n in self._networks if n.num_addresses == 1)

    def __contains__(self, address: object) -> bool:
        if not self._networks or not isinstance(address, str):
            return False
        if address in self._single:
            return True
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def client_address(peer: str, forwarded_for: tuple[str, ...], trusted: TrustedProxies) -> str:
    """The nearest address that is not a trusted proxy's: from the peer, then `X-Forwarded-For` from the right.

    `forwarded_for`: every value of the header, in order. An entry on the way that is no address makes all of it
    unbelievable and the answer the peer; what stands further left is the client's own word and is not looked at.
    """
    if peer not in trusted:
        return peer
    believed = peer
    for entry in reversed([entry for value in forwarded_for for entry in value.split(",")]):
        parsed = _parsed(_without_port(entry.strip(" \t")))
        if parsed is None:
            return peer
        believed = str(parsed)
        if believed not in trusted:
            break
    return believed


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    if "%" in address:  # a zone, which may hold any text and means nothing beyond one machine
        return None
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _without_port(entry: str) -> str:
    match = _WITH_PORT.fullmatch(entry)
    return entry if match is None else match["six"] or match["four"]
