"""Attacks beside the ordinary request (C): methods, preflights, other ways to sign in, faults while deciding, old HTTP.

Sockets and streams (C01, C02) and bodies (C13) are tried in `tests/edges`, where the real servers are.
Relatives that the catalogue does not name: the cookie of an unfinished sign-in shown as a session, a bearer token, or
a CSRF token; a sign-in by callback; a refusal that is said twice; a store that answers nonsense instead of failing;
a code that is tried once more after an answer that got lost.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import pytest

from mfa_gate.asgi import GateMiddleware as AsgiGate
from mfa_gate.core.decision import Decision
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.core.messages import GateRequest
from mfa_gate.door import Door
from mfa_gate.wiring import Sources, build_door
from mfa_gate.wsgi import GateMiddleware as WsgiGate
from tests.edges.asking import HOST, NAVIGATION, Ask, Got, Headers
from tests.edges.fixtures import Build
from tests.edges.rig import Rig
from tests.edges.servers import Served, status_of
from tests.edges.town import RULES, basic

METHODS = (
    "GET",
    "HEAD",
    "OPTIONS",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "PROPFIND",
    "MOVE",
    "LOCK",
    "SEARCH",
    "FOO",
    "get",
    "Post",
)


def blocked(rig: Rig, ask: Ask) -> Got:
    """A request that must not reach the portal."""
    before = len(rig.seen)
    got = rig.ask(ask)
    assert len(rig.seen) == before
    assert b"confidential" not in got.body
    assert got.header("cache-control") == "no-store"
    return got


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("user", ["bob", "carol", None])
def test_C03_no_method_opens_anything(rig: Rig, method: str, user: str | None) -> None:
    cookies = rig.client(user).cookies
    for target in ("/files", "/archive/x", "/", "/anything"):
        assert blocked(rig, Ask(method=method, target=target, headers=cookies)).status == 401


@pytest.mark.parametrize("method", ["TRACE", "trace", "Trace", "TRACK", "CONNECT"])
def test_C03_methods_that_echo_are_served_nowhere(rig: Rig, method: str) -> None:
    for user, verified in (("alice", True), ("bob", False), (None, False)):
        cookies = rig.client(user, verified=verified).cookies
        for target in (
            "/files",
            "/public/x",
            "/login",
            "/logout",
            "/mfa/setup",
            "/mfa/api/v1/status",
            "/mfa/static/gate.css",
        ):
            got = blocked(rig, Ask(method=method, target=target, headers=(*cookies, ("X-Secret", "s3cret"))))
            assert got.status == 405
            assert b"s3cret" not in got.body


@pytest.mark.xdist_group("servers")
def test_C03_trace_is_refused_by_real_servers_too(served: Served) -> None:
    before = len(served.seen)
    for target in ("/files", "/public/x", "/mfa/setup"):
        assert status_of(served.say(f"TRACE {target} HTTP/1.1", "X-Secret: s3cret")) == 405
    assert len(served.seen) == before


PREFLIGHT: Headers = (
    ("Access-Control-Request-Method", "PUT"),
    ("Access-Control-Request-Headers", "X-Api-Key, Content-Type"),
)
FRIEND, FOE = "https://app.example", "https://evil.example"


@pytest.mark.parametrize("body", [b"", b"act=delete"])
def test_C04_a_preflight_is_answered_by_the_gate(build: Build, body: bytes) -> None:
    rig = build(portal={"rules": RULES, "cors_origins": [FRIEND]})
    friend = blocked(rig, Ask(method="OPTIONS", headers=(("Origin", FRIEND), *PREFLIGHT), body=body))
    assert friend.status == 204
    assert friend.header("access-control-allow-origin") == FRIEND
    assert friend.header("access-control-allow-headers") == "X-Api-Key, Content-Type"
    for origin in (
        FOE,
        "null",
        f"{FRIEND}.evil.example",
        f"{FRIEND}:8443",
        "http://app.example",
        FRIEND.upper(),
        "",
    ):
        foe = blocked(rig, Ask(method="OPTIONS", headers=(("Origin", origin), *PREFLIGHT), body=body))
        assert foe.status == 403
        assert not [name for name, _ in foe.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", [FRIEND, FOE])
def test_C04_a_preflight_with_credentials_is_none(build: Build, origin: str) -> None:
    rig = build(portal={"rules": RULES, "cors_origins": [FRIEND]})
    for headers in (rig.client("bob").cookies, rig.client("carol").cookies):
        got = blocked(rig, Ask(method="OPTIONS", headers=(("Origin", origin), *PREFLIGHT, *headers)))
        assert got.status == 401
    for headers in ((basic("bob"),), (("Cookie", rig.gate_cookie("alice")),)):
        got = blocked(rig, Ask(method="OPTIONS", headers=(("Origin", origin), *PREFLIGHT, *headers)))
        assert got.status in {204, 401, 403}
        assert got.status != 204 or origin == FRIEND


def test_C04_what_is_asked_for_is_echoed_only_as_names(build: Build) -> None:
    rig = build(portal={"rules": RULES, "cors_origins": [FRIEND]})
    for asked in ("x\r\nSet-Cookie: a=b", "<script>", "a b", "*, ", "é"):
        headers = (("Origin", FRIEND), PREFLIGHT[0], ("Access-Control-Request-Headers", asked))
        got = blocked(rig, Ask(method="OPTIONS", headers=headers))
        assert not got.values("access-control-allow-headers") + got.values("set-cookie")


def test_C04_options_without_an_origin_is_a_request_like_any_other(rig: Rig) -> None:
    for headers in ((), PREFLIGHT, (("Origin", FRIEND),)):
        assert blocked(rig, Ask(method="OPTIONS", headers=headers)).code == "sign_in_required"


SCHEMES = (
    "Basic",
    "basic",
    "BASIC",
    "Digest",
    "Bearer",
    "Negotiate",
    "NTLM",
    "Token",
    "ApiKey",
    "X-Own",
    "",
    " ",
)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("target", ["/files", "/api/files", "/dav/x", "/remote.php/webdav", "/archive/x"])
def test_C05_a_password_in_a_header_opens_nothing(rig: Rig, scheme: str, target: str) -> None:
    line = ("Authorization", f"{scheme} {basic('bob')[1].split()[1]}".strip(" "))
    for method in ("GET", "PROPFIND", "PUT"):
        assert blocked(rig, Ask(method=method, target=target, headers=(line,))).code == "sign_in_required"
        both = blocked(
            rig,
            Ask(method=method, target=target, headers=(line, *rig.client("alice", verified=True).cookies)),
        )
        assert both.code == "invalid"


def test_C07_every_way_to_sign_in_ends_before_the_code(build: Build) -> None:
    """By form, by a callback of single sign-on, by a rule of its own for programs."""
    rules = [
        {"kind": "sign_in", "path": "/login"},
        {"kind": "sign_in", "path": "/sso/callback", "methods": ["GET", "POST"]},
        {"kind": "sign_in", "path": "/api/token", "methods": ["POST"]},
    ]
    rig = build(portal={"rules": rules})
    for method, target in (("POST", "/login"), ("GET", "/sso/callback?code=x"), ("POST", "/api/token")):
        client = rig.client(None)
        assert client.ask(method, target).status == 200
        client.sign_in("bob")
        assert client.get("/files").code == "two_step_code_required"
        assert client.ask(method, target).code == "two_step_code_required"
        # Somebody verified signs in anew, in the same browser: the session is over, whoever it is now.
        alice = rig.client("alice", verified=True)
        assert alice.get("/files").status == 200
        alice.ask(method, target)
        assert alice.get("/files").code == "two_step_code_required"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_C07_a_way_to_sign_in_that_no_rule_names_is_closed(rig: Rig, method: str) -> None:
    for target in (
        "/admin/login",
        "/api/v1/session",
        "/mobile/login",
        "/oauth/token",
        "/login/",
        "/Login",
        "/login.php",
    ):
        assert blocked(rig, Ask(method=method, target=target)).code == "sign_in_required"


def test_C09_what_an_unfinished_sign_in_has_is_worth_nothing(rig: Rig) -> None:
    """The pending cookie and the form's token, shown as a session, as a bearer token, as a device's."""
    bob = rig.client("bob")
    bob.page("/mfa/verify")
    token, pending = bob.form("verify")["csrf"], bob.jar["mfa_gate_pending"]
    for value in (token, pending):
        for headers in (
            (("Cookie", f"session={bob.jar['session']}; mfa_gate={value}"),),
            (("Cookie", f"mfa_gate={value}"),),
            (("Authorization", f"Bearer {value}"),),
            (("MFA-Gate-Device", value), *bob.cookies),
            (("MFA-Gate-Assertion", value), *bob.cookies),
        ):
            assert blocked(rig, Ask(headers=headers)).status == 401
            got = blocked(rig, Ask(target="/mfa/api/v1/status", headers=headers))
            assert got.status == 401 or got.json()["state"] == "code_required"


def test_C09_addresses_of_other_clients_give_nothing_away(rig: Rig) -> None:
    bob = rig.client("bob")
    for path in ("login", "token", "devices", "devices/x/unlock", "webauthn/login", "pin", "session"):
        got = bob.api("POST", path, {"pin": "1234", "username": "bob", "password": "demo"})
        assert got.status in {401, 404, 405, 422}, "422: only fields of another call were sent"
    assert bob.get("/files").status == 401
    assert not rig.seen


def denials(rig: Rig) -> dict[str, Ask]:
    """For each decision that refuses, a request that meets it."""
    paused = rig.client("help")
    for number in range(10):
        paused.verify(f"00000{number}")
        rig.clock.go(61)
    return {
        "SignIn": Ask(),
        "Enroll": Ask(headers=rig.client("carol").cookies),
        "Verify": Ask(headers=rig.client("bob").cookies),
        "Deny": Ask(headers=rig.client("Alice").cookies),
        "Malformed": Ask(headers=(("Cookie", f"{rig.portal_cookie('alice')}; {rig.portal_cookie('bob')}"),)),
        "Preflight": Ask(method="OPTIONS", headers=(("Origin", FOE), *PREFLIGHT)),
    }


def test_C11_nothing_goes_on_after_a_refusal(rig: Rig) -> None:
    """The portal is not called, and the answer is said once (the drivers of these tests see to it)."""
    asks = denials(rig)
    checker = door_of(rig).checker
    for name, ask in asks.items():
        request = GateRequest(
            method=ask.method,
            path=ask.target,
            headers=tuple((each.lower(), value) for each, value in ask.lines),
            peer=ask.peer,
        )
        assert type(checker.check(request).decision).__name__ == name
        for target in ("/files", "/archive/x", "/upload/x"):
            for headers in ((), NAVIGATION):
                sent = Ask(method=ask.method, target=target, headers=(*headers, *ask.headers), body=b"x")
                blocked(rig, sent)
    refusing = {kind.__name__ for kind in get_args(Decision)} - {"Allow", "AllowStranger", "AllowWithout"}
    assert refusing - asks.keys() == {"Paused", "Unavailable"}, (
        "these two have tests of their own in groups D and J"
    )


def door_of(rig: Rig) -> Door:
    """The parts of a rig's gate."""
    return rig.gate.parts.door()


# C12: whatever fails while deciding, nobody gets in.

Fault = Callable[[], object]


def raising(error: BaseException) -> Fault:
    def fault() -> object:
        raise error

    return fault


FAULTS: dict[str, Fault] = {
    "unavailable": raising(StoreUnavailable("away")),
    "corrupt": raising(RecordCorrupt("odd")),
    "stale": raising(StaleState("late")),
    "timeout": raising(TimeoutError()),
    "missing key": raising(KeyError("x")),
    "database": raising(sqlite3.OperationalError("database is locked")),
    "memory": raising(MemoryError()),
    "recursion": raising(RecursionError()),
    "cancelled": raising(asyncio.CancelledError()),
    "none": lambda: None,
    "empty": lambda: "",
    "false": lambda: False,
    "dict": dict,
    "zero": lambda: 0,
}
METHODS_OF_THE_STORE = (
    "facts",
    "policy",
    "account",
    "challenge",
    "commit",
    "sessions",
    "end_session",
    "touch",
    "count_traffic",
)


class FaultyStore:
    """The real store, one of whose verbs fails."""

    def __init__(self, store: Any) -> None:  # noqa: ANN401
        self._store = store
        self.store_id = store.store_id
        self.broken: str = ""
        self.fault: Fault = raising(StoreUnavailable("away"))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name == self.broken:
            return lambda *_, **__: self.fault()
        return getattr(self._store, name)


class Parts:
    """The parts of a gate, built around a store of one's own."""

    def __init__(self, door: Door) -> None:
        self.current: Door | None = door

    def door(self) -> Door:
        assert self.current is not None
        return self.current


class Faulty:
    """A gate whose store fails as it is told."""

    def __init__(self, rig: Rig) -> None:
        self.store = FaultyStore(rig.town.store)
        sources = Sources(clock=rig.clock, monotonic=rig.clock)
        self.parts = Parts(build_door(rig.settings, rig.town.keys, self.store, sources))
        rig.asgi = AsgiGate(rig.canary.asgi, self)
        rig.wsgi = WsgiGate(rig.canary.wsgi, self)


def asked(rig: Rig, ask: Ask) -> Got | None:
    """The answer, or None where the request ended in an error, which a server says as 500."""
    with suppress(Exception, asyncio.CancelledError):
        return rig.ask(ask)
    return None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("policy", [True, False])
def test_C12_whatever_the_store_does_nobody_gets_in(build: Build, fault: str, *, policy: bool) -> None:
    rig = build(policy=policy)
    faulty = Faulty(rig)
    alice, bob = rig.portal_cookie("alice"), rig.portal_cookie("bob")
    strangers = ([], [rig.portal_cookie("carol")], [rig.portal_cookie("newcomer")]) if policy else ()
    for broken in METHODS_OF_THE_STORE:
        session = rig.gate_cookie("alice")
        faulty.store.fault, faulty.store.broken = FAULTS[fault], broken
        for cookies in ([bob], [bob, session], [alice], [alice, bob], *strangers):
            line = (("Cookie", "; ".join(cookies)),) if cookies else ()
            for target in ("/files", "/archive/x"):
                got = asked(rig, Ask(target=target, headers=line))
                assert not rig.seen, broken
                assert got is None or got.status in {400, 401, 403, 503}
            rig.clock.go(2)
        # It heals by itself.
        faulty.store.broken = ""
        rig.clock.go(6)
        assert rig.client("alice", verified=True).get().status == 200
        rig.seen.clear()


@pytest.mark.parametrize("fault", FAULTS)
def test_C12_whatever_the_store_does_a_code_is_good_once_at_most(rig: Rig, fault: str) -> None:
    faulty = Faulty(rig)
    for broken in METHODS_OF_THE_STORE:
        rig.clock.go(100)
        alice = rig.client("alice")
        code = rig.person("alice").code(rig.clock())
        before = rig.town.events("alice").count("verified")
        faulty.store.fault, faulty.store.broken = FAULTS[fault], broken
        for given in ("000000", code):
            with suppress(Exception, asyncio.CancelledError):
                alice.verify(given)
            asked(rig, Ask(headers=alice.cookies))
        assert not rig.seen or alice.session
        faulty.store.broken = ""
        rig.clock.go(6)
        taken = rig.town.events("alice").count("verified") - before
        assert taken in {0, 1}
        assert taken or alice.get().status == 401, "a session without a code"
        assert rig.client("alice").verify(code).status == (401 if taken else 200)
        rig.seen.clear()


@pytest.mark.parametrize("fault", FAULTS)
def test_C12_whatever_the_store_does_an_open_path_stays_open_and_empty_handed(rig: Rig, fault: str) -> None:
    faulty = Faulty(rig)
    for broken in ("facts", "policy"):
        faulty.store.fault, faulty.store.broken = FAULTS[fault], broken
        rig.clock.go(6)
        got = asked(rig, Ask(target="/public/x", headers=rig.client("alice", verified=True).cookies))
        assert got is None or got.status == 200 or (fault == "cancelled" and got.status == 503)
        for seen in rig.seen:
            assert not seen.values("cookie")
            assert seen.told is None


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("upgrade", ["h2c", "HTTP/2.0", "websocket, h2c", "TLS/1.0"])
def test_C15_nothing_is_upgraded(served: Served, upgrade: str) -> None:
    before = len(served.seen)
    answer = served.say(
        "GET /files HTTP/1.1",
        f"Cookie: {served.cookies('bob')}",
        f"Upgrade: {upgrade}",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Connection: Upgrade, HTTP2-Settings, close",
        close=False,
    )
    assert status_of(answer) in {400, 401}
    assert len(served.seen) == before


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize(
    "lines",
    [
        ("GET /files HTTP/1.0", "Host: evil.example"),
        ("GET /files HTTP/1.1", "Host: evil.example"),
        ("GET /files HTTP/1.1", "Host: localhost"),
        ("GET /files HTTP/1.1", "Host:"),
        ("GET /files HTTP/1.1", "Host: localhost:1"),
    ],
)
def test_C16_another_host_is_nobodys(served: Served, lines: tuple[str, ...]) -> None:
    before = len(served.seen)
    answer = served.say(*lines, f"Cookie: {served.cookies('alice', verified=True)}")
    assert status_of(answer) in {400, 421}
    assert len(served.seen) == before


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_C16_no_host_is_nobodys(served: Served, version: str) -> None:
    before = len(served.seen)
    cookie = served.cookies("alice", verified=True)
    answer = served.send(
        f"GET /files HTTP/{version}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode("latin-1")
    )
    assert status_of(answer) in {400, 421}
    assert len(served.seen) == before


def test_C16_no_host_is_the_default(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    for host in (
        None,
        "",
        "localhost",
        "localhost:8001",
        "evil.example:8000",
        "127.0.0.1",
        "0.0.0.0:8000",
        f"{HOST}, {HOST}",
    ):
        assert blocked(rig, Ask(headers=alice.cookies, host=host)).status == 421
    assert blocked(rig, Ask(headers=(("Host", HOST), *alice.cookies))).status == 421
    assert alice.get().status == 200
