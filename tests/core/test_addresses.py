"""Whose word about the client's address is believed."""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.addresses import TrustedProxies, client_address

NOBODY = TrustedProxies()
PROXIES = TrustedProxies(map(ip_network, ["127.0.0.1", "10.0.0.0/8", "2001:db8::1", "fd00::/8"]))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "2001:db8::1", "2001:DB8:0::1", "fd00::5", "::ffff:10.0.0.1"]
)
def test_listed_addresses_are_trusted_in_every_spelling(address: str) -> None:
    assert address in PROXIES
    assert address not in NOBODY


@pytest.mark.parametrize(
    "address",
    ["127.0.0.2", "11.0.0.1", "2001:db8::2", "", "unix", "10.0.0", "10.0.0.1 ", "fd00::1%eth0", "010.0.0.1"],
)
def test_all_others_are_not(address: str) -> None:
    assert address not in PROXIES


def test_b08_only_text_is_an_address() -> None:
    assert None not in PROXIES
    assert 0x7F000001 not in PROXIES
    assert IPv4Address("127.0.0.1") not in PROXIES


@pytest.mark.parametrize(
    "forwarded", [(), ("10.0.0.1",), ("203.0.113.9", "10.0.0.1"), ("1.1.1.1, 10.0.0.1",)]
)
def test_b08_an_untrusted_peer_is_not_believed(forwarded: tuple[str, ...]) -> None:
    assert client_address("198.51.100.7", forwarded, PROXIES) == "198.51.100.7"
    assert client_address("127.0.0.1", forwarded, NOBODY) == "127.0.0.1"
    assert client_address("", forwarded, PROXIES) == ""


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ((), "127.0.0.1"),
        (("203.0.113.9",), "203.0.113.9"),
        (("1.1.1.1, 203.0.113.9",), "203.0.113.9"),
        (("1.1.1.1", "203.0.113.9, 10.0.0.2"), "203.0.113.9"),
        (("10.0.0.3,10.0.0.2",), "10.0.0.3"),
        (("junk, 203.0.113.9 ,\t10.0.0.2",), "203.0.113.9"),
        (("203.0.113.9:4711",), "203.0.113.9"),
        (("[2001:db8::9]:4711",), "2001:db8::9"),
        (("[2001:DB8:0:0::9]",), "2001:db8::9"),
        (("::ffff:203.0.113.9",), "203.0.113.9"),
        (("203.0.113.9, ::ffff:10.0.0.2",), "203.0.113.9"),
    ],
)
def test_b08_the_nearest_untrusted_address_is_the_client(forwarded: tuple[str, ...], address: str) -> None:
    assert client_address("127.0.0.1", forwarded, PROXIES) == address


# fmt: off
NO_ADDRESS = (
    "", " ", "unknown", "_hidden", "203.0.113", "203.0.113.9:", "203.0.113.9:x", "[::1", "[::1]x", "[]:1", "::1]",
    "host:80", "fe80::1%eth0", "for=203.0.113.9", "203.0.113.9\x1b", "1.2.3.4:5:6", "0x7f.1", "[203.0.113.9",
)
# fmt: on


@pytest.mark.parametrize("entry", NO_ADDRESS)
def test_b08_an_entry_that_is_no_address_makes_it_the_peer(entry: str) -> None:
    assert client_address("127.0.0.1", (entry,), PROXIES) == "127.0.0.1"
    assert client_address("127.0.0.1", (f"203.0.113.9, {entry}, 10.0.0.2",), PROXIES) == "127.0.0.1"


@given(
    st.lists(st.text(max_size=20) | st.ip_addresses().map(str), max_size=4).map(tuple),
    st.ip_addresses().map(str),
)
def test_d11_nothing_that_a_client_sends_moves_what_the_proxy_saw(sent: tuple[str, ...], seen: str) -> None:
    believed = client_address("127.0.0.1", (*sent, seen), PROXIES)
    if seen not in PROXIES and "%" not in seen:
        mapped = getattr(ip_address(seen), "ipv4_mapped", None)
        assert believed == (seen if mapped is None else str(mapped))
    assert str(ip_address(believed)) == believed
