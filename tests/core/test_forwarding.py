"""What of a request the portal gets to see."""

import pytest

from mfa_gate.core.accounts import Identity
from mfa_gate.core.forwarding import Forwarding, header_value, sets_cookie_of, told
from mfa_gate.core.messages import GateRequest, Headers

ALICE = Identity(
    source="header",
    realm="portal",
    subject="alice",
    name="Alice Ames",
    email="alice@example.org",
    groups=("staff", "ward-3"),
)
WIRED = Forwarding(
    our_cookies=("mfa_gate", "mfa_gate_pending"),
    source_headers=frozenset({"remote-user"}),
    stranger_cookies=("session",),
    stranger_headers=frozenset({"authorization", "x-api-key"}),
    stranger_fields=frozenset({"token", "api key"}),
)


def request(*headers: tuple[str, str], trusted: bool = False) -> GateRequest:
    return GateRequest(path="/files", headers=headers, peer_trusted=trusted)


def names(headers: Headers) -> list[str]:
    return [name for name, _ in headers]


def test_our_own_cookies_stay_with_us_and_every_other_byte_goes_on() -> None:
    seen = WIRED.headers(
        request(("host", "x"), ("cookie", "session=1; mfa_gate=2"), ("accept", "*/*")), ALICE
    )
    assert seen == (("host", "x"), ("cookie", "session=1"), ("accept", "*/*"))


def test_a_header_that_held_only_our_cookies_is_gone() -> None:
    assert WIRED.headers(request(("cookie", "mfa_gate=2")), ALICE) == ()


def test_several_cookie_lines_go_on_as_the_one_that_was_judged() -> None:
    lines = (("cookie", "a=1"), ("accept", "*/*"), ("cookie", "mfa_gate=2"), ("cookie", "b=3"))
    assert WIRED.headers(request(*lines), ALICE) == (("cookie", "a=1; b=3"), ("accept", "*/*"))


@pytest.mark.parametrize("name", ["remote-user", "Remote_User", "remote.user"])
def test_who_somebody_is_comes_from_a_trusted_peer_or_not_at_all(name: str) -> None:
    sent = (name, "alice")
    assert WIRED.headers(request(sent), ALICE) == ()
    assert WIRED.headers(request(sent, trusted=True), ALICE) == ((sent,) if name == "remote-user" else ())
    assert WIRED.headers(request(sent, trusted=True), None, stranger=True) == ()


@pytest.mark.parametrize("name", ["mfa-gate-assertion", "MFA_Gate_Device", "x-mfa-anything", "remote-groups"])
def test_what_only_the_gate_says_is_removed_from_trusted_peers_too(name: str) -> None:
    assert WIRED.headers(request((name, "x"), trusted=True), ALICE) == ()


def test_a_stranger_brings_no_credentials() -> None:
    sent = (("cookie", "session=1; theme=dark; mfa_gate=2"), ("authorization", "Basic x"), ("X_API_Key", "k"))
    assert WIRED.headers(request(*sent), None, stranger=True) == (("cookie", "theme=dark"),)
    assert names(WIRED.headers(request(*sent), ALICE)) == ["cookie", "authorization", "X_API_Key"]


def test_a_stranger_may_be_kept_from_some_credentials_only() -> None:
    some = WIRED.only(("cookie:remember", "header:X-Api-Key", "query:token", "remote_user"))
    sent = (("cookie", "session=1; remember=2; mfa_gate=3"), ("authorization", "Basic x"), ("X_API_Key", "k"))
    assert some.headers(request(*sent), None, stranger=True) == (("cookie", "session=1"),)
    assert some.query("token=x&api+key=y") == "api+key=y"


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("token=x", ""),
        ("a=1&token=x&b=2", "a=1&b=2"),
        ("token=x&a=1", "a=1"),
        ("a=1;token=x;b=2", "a=1;b=2"),
        ("a=1&to%6ben=x", "a=1"),
        ("api+key=x&a=1", "a=1"),
        ("token", ""),
        ("tokens=x&a=%20", "tokens=x&a=%20"),
    ],
)
def test_a_strangers_query_loses_the_fields_that_the_portal_takes_for_credentials(
    query: str, seen: str
) -> None:
    assert WIRED.query(query) == seen


def test_without_such_fields_a_query_goes_on_as_it_is() -> None:
    assert Forwarding(our_cookies=()).query("token=x&&;a") == "token=x&&;a"


def test_whoever_is_told_to_the_portal_is_told_once() -> None:
    telling = Forwarding(our_cookies=(), source_headers=frozenset({"remote-user"}), tell=True)
    from_proxy = request(("remote-user", "alice"), trusted=True)
    assert telling.headers(from_proxy, ALICE) == (
        ("remote-user", "alice"),
        ("remote-name", "Alice Ames"),
        ("remote-email", "alice@example.org"),
        ("remote-groups", "staff,ward-3"),
    )
    assert telling.headers(request(), ALICE) == told(ALICE)
    assert telling.headers(request(), None) == ()
    assert telling.headers(request(), ALICE, stranger=True) == ()


def test_what_is_not_known_is_not_told() -> None:
    assert told(Identity(source="s", realm="r", subject="bob")) == (("remote-user", "bob"),)


@pytest.mark.parametrize(
    ("text", "value"),
    [("Ames", "Ames"), ("Zoë", "Zoë"), ("a\r\nx: y", "a??x: y"), ("李", "?"), ("a\0b\x7f", "a?b?")],
)
def test_a_name_cannot_end_its_header(text: str, value: str) -> None:
    """CVE-2020-7695."""
    assert header_value(text) == value


@pytest.mark.parametrize(
    "name",
    ["cookie", "host", "authorization", "X_Api_Key", "Remote-User", "mfa_gate_x", "x-http-method-override"],
)
def test_the_quick_way_leaves_special_headers_alone(name: str) -> None:
    assert WIRED.is_special(name)


def test_most_headers_are_not_special() -> None:
    assert not any(WIRED.is_special(name) for name in ("accept", "user-agent", "referer", "x-request-id"))


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("mfa_gate=x; Path=/", True),
        (" mfa_gate =; Max-Age=0", True),
        ("mfa_gate", True),
        ("session=mfa_gate", False),
        ("x=1; mfa_gate=2", False),
    ],
)
def test_the_portal_cannot_set_our_cookies(line: str, ours: bool) -> None:
    assert sets_cookie_of(line, ("mfa_gate",)) is ours
