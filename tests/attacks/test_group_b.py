"""Attacks on who somebody is (B): headers that name people, hosts and addresses, odd cookies, spellings of a name.

Relatives that the catalogue does not name: a forged name in the second of two equal requests, a proxy's header from
beside the proxy, a name with an invisible character, two cookies in which one framework reads another person, a Basic
header or a session of somebody else beside one's own cookie, on both example portals.
"""

import itertools
import time
import unicodedata
from collections.abc import Callable
from typing import Any

import pyotp
import pytest

from examples.flask_app import portal as flask_portal
from examples.hospital import people
from examples.starlette_app import portal as starlette_portal
from mfa_gate.core.headers import OUR_HEADERS
from tests.edges.asking import NAVIGATION, Ask, DoorName, Got, Headers, ask_asgi, ask_wsgi
from tests.edges.fixtures import ASGI, Build
from tests.edges.rig import Rig
from tests.edges.town import SECRET, basic, starlette_cookie
from tests.flows.house import wrong

PROXY = "10.0.0.5"
SESSIONS: list[dict[str, Any]] = [
    {"source": "starlette_session", "secret": "env:PORTAL_SECRET", "field": "user"}
]
BEHIND_PROXY: dict[str, Any] = {
    "trusted_proxies": [PROXY],
    "identity": [
        *SESSIONS,
        {"source": "header", "name": "X-Portal-User", "groups_header": "X-Portal-Groups"},
    ],
}
FORWARDED: Headers = (
    ("X-Forwarded-Uri", "/public/x"),
    ("X-Original-Uri", "/public/x"),
    ("X-Original-Url", "/public/x"),
    ("X-Forwarded-Method", "GET"),
    ("X-Original-Method", "GET"),
    ("X-Forwarded-Path", "/public/x"),
)


@pytest.mark.parametrize("trusted", [[], ["192.0.2.0/24"]], ids=["nobody trusted", "even from a proxy"])
def test_B01_a_forwarded_address_is_not_the_one_asked_for(build: Build, trusted: list[str]) -> None:
    """They mean something at the addresses for proxies only, whoever sends them."""
    rig = build(trusted_proxies=trusted)
    for method in ("GET", "POST"):
        assert rig.client("bob").ask(method, "/admin", FORWARDED).code == "two_step_code_required"
    assert not rig.seen


def test_B01_nobody_is_trusted_unless_named(rig: Rig) -> None:
    assert rig.settings.trusted_proxies == ()


def spelled(name: str) -> list[str]:
    """A header's name in all spellings that one server or another takes for it."""
    parts = name.split("-")
    joined = {
        "".join(piece + mark for piece, mark in zip(parts, (*marks, ""), strict=True))
        for marks in itertools.product("-_", repeat=len(parts) - 1)
    }
    return sorted({form for text in joined for form in (text, text.upper(), text.title(), text.swapcase())})


OURS = (
    *sorted(OUR_HEADERS),
    "mfa-gate-device",
    "mfa-gate-assertion",
    "mfa-gate-request",
    "x-mfa-user",
    "x-mfa-verified",
)


@pytest.mark.parametrize("name", OURS)
def test_B03_a_header_that_only_we_set(rig: Rig, name: str) -> None:
    alice = rig.client("alice", verified=True)
    for spelling in spelled(name):
        headers = ((spelling, "root"), ("X-Kept", "1"))
        for target in ("/files", "/files", "/public/x"):
            assert alice.get(target, *headers).status == 200
        assert rig.get("/public/x", *headers).status == 200
        assert rig.get("/login", *headers).status == 200
        assert rig.get("/files", *headers).code == "sign_in_required"
    for seen in rig.seen:
        assert seen.values(name) == [], spelling
        assert seen.values("x-kept") == ["1"]


@pytest.mark.parametrize("name", ["X-Portal-User", "X-Portal-Groups"])
def test_B03_a_header_that_only_the_proxy_sets(build: Build, name: str) -> None:
    rig = build(**BEHIND_PROXY)
    alice = rig.client("alice", verified=True)
    for spelling in spelled(name.lower()):
        for target in ("/files", "/files", "/files", "/public/x"):
            assert alice.get(target, (spelling, "root")).status == 200
            assert rig.seen[-1].values(name.lower()) == []
        assert rig.get("/files", (spelling, "alice")).code == "sign_in_required"


@ASGI
def test_B03_a_second_spelling_beside_the_proxys(build: Build) -> None:
    """The portal gets the one that was judged, however its own server reads the other."""
    rig = build(**BEHIND_PROXY)
    session = rig.gate_cookie("alice", source="header")
    for spelling in spelled("x-portal-user"):
        if spelling.lower() == "x-portal-user":
            continue
        before = len(rig.seen)
        for first, last in itertools.permutations([("X-Portal-User", "alice"), (spelling, "root")]):
            rig.get("/files", first, last, cookies=[session], peer=PROXY)
        assert [seen.values("x-portal-user") for seen in rig.seen[before:]] == [["alice"], ["alice"]]


@pytest.mark.parametrize(
    "line", ["close, Remote-User", "Remote-User, X-Kept, Cookie", "keep-alive, Mfa_Gate"]
)
def test_B06_a_connection_header_takes_nothing_of_ours_away(build: Build, line: str) -> None:
    rig = build(portal={"headers": True})
    alice = rig.client("alice", verified=True)
    for _ in range(3):
        assert alice.get("/files", ("Connection", line), ("X-Kept", "1")).status == 200
        assert rig.seen[-1].values("remote-user") == ["alice"]
        assert rig.seen[-1].values("x-kept") == ["1"]


ADDRESSES: tuple[Headers, ...] = tuple(
    ((name, value),)
    for name in (
        "X-Forwarded-For",
        "X-Real-Ip",
        "X-Client-Ip",
        "True-Client-Ip",
        "Cf-Connecting-Ip",
        "Forwarded",
    )
    for value in (
        "10.0.0.5",
        "127.0.0.1",
        "10.0.0.5, 192.0.2.7",
        "192.0.2.7, 10.0.0.5",
        "for=10.0.0.5",
        "::1",
    )
)


@pytest.mark.parametrize("user", ["bob", "carol"])
def test_B08_no_address_is_exempt(build: Build, user: str) -> None:
    rig = build(**BEHIND_PROXY)
    client = rig.client(user)
    for headers in (*ADDRESSES, ADDRESSES[0] * 2):
        assert client.get("/files", *headers).status == 401
        assert rig.get("/files", *headers, ("X-Portal-User", "alice")).code == "sign_in_required"
    assert not rig.seen


def test_B08_the_address_in_the_trail_is_the_peers(rig: Rig) -> None:
    rig.client("alice").verify(
        "000000", "totp", ("X-Forwarded-For", "10.9.9.9"), ("Forwarded", "for=10.9.9.9")
    )
    (recorded,) = rig.town.store.events(
        account_id=rig.person("alice").id, kind="code_rejected", before=None, limit=9
    )
    assert recorded.event.actor.address == "192.0.2.7"


LIES: Headers = (
    ("X-Forwarded-Proto", "javascript"),
    ("X-Forwarded-Proto", "http"),
    ("X-Forwarded-Scheme", "http"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "1"),
    ("X-Forwarded-Prefix", "//evil.example"),
    ("X-Forwarded-Ssl", "off"),
    ("Front-End-Https", "off"),
    ("Forwarded", "host=evil.example;proto=http;for=1.2.3.4"),
)


@pytest.mark.parametrize("peer", ["192.0.2.7", PROXY])
@pytest.mark.parametrize("home", ["https://localhost:8000", "http://localhost:8000"])
def test_B10_scheme_host_and_port_are_those_of_the_settings(build: Build, peer: str, home: str) -> None:
    """Redirects and cookies are the same as without any of these headers, whoever sends them."""
    rig = build(public_url=home, trusted_proxies=[PROXY])
    for ask in (
        Ask(headers=(*NAVIGATION, *rig.client("bob").cookies), peer=peer),
        Ask(headers=NAVIGATION, peer=peer),
        Ask(headers=rig.client("carol").cookies, peer=peer),
    ):
        plain = rig.ask(ask)
        lied = rig.ask(Ask(headers=(*ask.headers, *LIES), peer=peer))
        assert (plain.status, plain.headers, plain.body) == (lied.status, lied.headers, lied.body)
    alice = rig.client("alice", peer=peer)
    got = alice.verify(rig.person("alice").code(rig.clock(), 1), "totp", *LIES)
    (cookie,) = [line for line in got.values("set-cookie") if not line.partition("=")[0].endswith("_pending")]
    assert cookie.startswith("__Host-mfa_gate=") == home.startswith("https")
    assert ("Secure" in cookie) == home.startswith("https")


def test_B11_of_two_headers_about_an_address_one_is_read_and_from_a_proxy_only(build: Build) -> None:
    rig = build(trusted_proxies=[PROXY])
    headers = (("Forwarded", "for=10.1.1.1"), ("X-Forwarded-For", "10.2.2.2"))
    found = []
    for peer in (PROXY, "192.0.2.7"):
        rig.clock.go(61)
        rig.client("alice", peer=peer).verify("000000", "totp", *headers)
        newest = rig.town.store.events(
            account_id=rig.person("alice").id, kind="code_rejected", before=None, limit=1
        )
        found.append(newest[0].event.actor.address)
    assert found == ["10.2.2.2", "192.0.2.7"]


BROKEN = [
    "%ff%00",
    "",
    '""',
    '"',
    "=",
    "==",
    "a.b.c",
    "a" * 100_000,
    "\xff\xfe",
    "Bearer x",
    "null",
    "true",
    "{}",
    "..",
    "eyJhIjoxfQ",
]


@pytest.mark.parametrize("value", BROKEN, ids=range(len(BROKEN)))
def test_B12_a_cookie_that_is_none_is_none(rig: Rig, value: str) -> None:
    for cookies in (
        [f"mfa_gate={value}"],
        [rig.portal_cookie("alice"), f"mfa_gate={value}"],
        [f"session={value}"],
        [f"session={value}", rig.gate_cookie("alice")],
        [f"session={value}", f"mfa_gate={value}"],
        [f"mfa_gate_pending={value}", rig.portal_cookie("alice")],
    ):
        assert rig.get("/files", cookies=cookies).status in {400, 401}
        for page in ("/mfa/account", "/mfa/admin", "/mfa/api/v1/status"):
            got = rig.get(page, cookies=cookies)
            assert got.status in {200, 303, 400, 401, 404}
            assert got.status != 200 or got.json()["state"] == "code_required"
    assert not rig.seen


ALIASES = [
    "Alice",
    "ALICE",
    "aLICE",
    "alice ",
    " alice",
    "\uff41lice",
    "al\u2170ce",
]


@pytest.mark.parametrize("alias", ALIASES)
def test_B14_another_spelling_is_refused_and_recorded(rig: Rig, alias: str) -> None:
    client = rig.client(alias)
    client.jar["mfa_gate"] = rig.client("alice", verified=True).session
    for _ in range(3):
        assert client.get("/files").code == "not_allowed"
    assert client.verify(rig.person("alice").code(rig.clock(), 1)).status == 403
    assert not rig.seen
    assert rig.town.events("alice").count("spelling_refused") == 1
    rig.clock.go(61)
    client.get("/files")
    assert rig.town.events("alice").count("spelling_refused") == 2
    assert rig.town.account("alice").subject == "alice"


@pytest.mark.parametrize("alias", ALIASES)
def test_B14_another_spelling_is_no_second_budget(build: Build, alias: str) -> None:
    """Where the portal takes them for one person they are one account, with one count of wrong codes."""
    rig = build(identity=[SESSIONS[0] | {"case_insensitive": True}])
    guesses, app = 0, pyotp.TOTP(rig.person("alice").secret)
    for number in range(20):
        answer = rig.client(("alice", alias)[number % 2]).verify(wrong(app, int(rig.clock())))
        guesses += answer.code == "code_rejected"
        rig.clock.go(1)
    assert guesses < 10
    assert rig.client(alias).verify(rig.person("alice").code(rig.clock())).code == "paused"


def test_B14_a_name_in_another_unicode_form_is_another_spelling(rig: Rig) -> None:
    composed = "ren\u00e9"
    rig.town.enroll(composed)
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    assert rig.client(composed, verified=True).get().status == 200
    assert rig.client(decomposed).get().code == "not_allowed"


@pytest.mark.parametrize(
    "name",
    [
        "alice@a@b",
        "alice\u200b",
        "alice\u202e",
        "alice\x00",
        "alice\n",
        "a" * 256,
        "",
        " ",
        None,
        True,
        ["alice"],
        {"a": 1},
    ],
)
def test_B14_what_looks_like_somebody_is_not_them(rig: Rig, name: object) -> None:
    cookies = [f"session={starlette_cookie({'user': name})}", rig.gate_cookie("alice")]
    got = rig.get("/files", cookies=cookies)
    assert got.status in {400, 401}
    assert got.code in {"sign_in_required", "invalid", "two_step_setup_required"}
    assert not rig.seen


def test_B14_the_same_name_in_another_realm_is_another_person(build: Build) -> None:
    rig = build(
        trusted_proxies=[PROXY],
        identity=[*SESSIONS, {"source": "header", "name": "X-Portal-User", "realm": "partners"}],
        admin={"admins": ["user:root@portal"], "setup_code": False},
    )
    got = rig.get("/files", ("X-Portal-User", "alice"), cookies=[rig.gate_cookie("alice")], peer=PROXY)
    assert got.code == "two_step_setup_required"
    both = rig.get("/files", ("X-Portal-User", "alice"), cookies=[rig.portal_cookie("alice")], peer=PROXY)
    assert both.status == 400
    root = rig.get("/mfa/api/v1/admin/policy", ("X-Portal-User", "root"), peer=PROXY)
    assert root.status in {401, 403}


# B16


def test_B16_a_name_that_is_given_anew_opens_nothing_until_somebody_resets_it(rig: Rig) -> None:
    """The portal deletes alice and makes another alice: she knows the new password, and nothing of the old app."""
    before = rig.town.account("alice")
    anew = rig.client("alice")
    anew.sign_in("alice", made="anew")
    assert anew.get().code == "two_step_code_required"
    assert anew.api("POST", "totp").code == "two_step_code_required", "and sets nothing up over it"
    for code in (
        rig.person("bob").code(rig.clock()),
        wrong(pyotp.TOTP(rig.person("alice").secret), int(rig.clock())),
    ):
        assert anew.verify(code).code == "code_rejected"
    assert rig.town.account("alice").totps[0].secret == before.totps[0].secret
    assert not rig.seen


def test_B16_after_the_reset_nothing_of_the_former_holder_is_left(rig: Rig) -> None:
    former, root = rig.client("alice", verified=True), rig.client("root", verified=True)
    assert former.get().status == 200
    person = rig.person("alice")
    handles = [session.handle for session in rig.town.store.sessions(person.id, int(rig.clock()))]
    rig.canary.seen.clear()
    assert root.api("POST", f"admin/users/{person.id}/reset", {"reason": "name given anew"}).status == 200
    rig.clock.go(5)
    assert former.get().code == "two_step_setup_required"
    account = rig.town.account("alice")
    kept = (account.totps, account.recovery, account.setup_code, account.exemption, account.two_step_since)
    assert kept == ((), None, None, None, 0)
    assert rig.town.store.sessions(person.id, int(rig.clock())) == ()
    anew = rig.client("alice")
    secret = anew.api("POST", "totp").json()["secret"]
    assert secret != pyotp.TOTP(person.secret).secret
    shown = root.api("GET", f"admin/users/{person.id}").json()
    assert (shown["user"]["factors"], shown["sessions"], shown["recovery_codes_left"]) == ([], [], 0)
    assert handles
    assert not [handle for handle in handles if handle in str(shown)]
    assert not rig.seen


# One principal, on the two example portals.


class Hospital:
    """An example portal behind the gate, in which alice has two-step and a session, and bob is the attacker's name."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        if rig.door == "wsgi":
            flask = flask_portal.create_app(SECRET)
            wsgi = rig.gate.wsgi(flask.wsgi_app)
            self._ask: Callable[[Ask], Got] = lambda ask: ask_wsgi(wsgi, ask)
        else:
            asgi = rig.gate.asgi(starlette_portal.create_app(SECRET))
            self._ask = lambda ask: ask_asgi(asgi, ask)

    def get(
        self, cookies: str, *headers: tuple[str, str], target: str = "/files", method: str = "GET"
    ) -> Got:
        sent = (*headers, *((("Cookie", cookies),) if cookies else ()))
        return self._ask(Ask(method=method, target=target, headers=sent))

    def sign_in(self, user: str) -> str:
        """The cookie that the portal itself gives to whoever signs in."""
        form = (("Content-Type", "application/x-www-form-urlencoded"),)
        body = f"username={user}&password={people.PASSWORD}".encode()
        got = self._ask(Ask(method="POST", target="/login", headers=form, body=body))
        assert got.status == 303, got
        return got.values("set-cookie")[0].partition(";")[0]


@pytest.fixture
def hospital(build: Build, door: DoorName) -> Hospital:
    """The town's people are those of the example portal; the clock is the portal's own."""
    source = "flask_session" if door == "wsgi" else "starlette_session"
    rig = build(identity=[{"source": source, "secret": "env:PORTAL_SECRET", "field": "user"}])
    rig.clock.now = time.time()
    return Hospital(rig)


SECRETS = ["/files", "/files/report.txt", "/api/files", "/archive/"]


@pytest.mark.parametrize("target", SECRETS)
def test_B12_C05_two_principals_get_nothing_on_either_example(hospital: Hospital, target: str) -> None:
    rig = hospital.rig
    alice, bob, carol = (hospital.sign_in(user) for user in ("alice", "bob", "carol"))
    session, others = rig.gate_cookie("alice"), rig.gate_cookie("bob")
    assert "confidential" in hospital.get(f"{alice}; {session}", target="/files").text
    tricks: list[tuple[str, Headers]] = [
        *((f"{one}; {other}; {session}", ()) for one, other in itertools.permutations([alice, bob], 2)),
        *((f"{session}; {one}; {other}", ()) for one, other in itertools.permutations([alice, bob], 2)),
        *(
            (f"{one}; x=1; {other}; {session}", ())
            for one, other in itertools.permutations([alice, carol], 2)
        ),
        (f"{alice}; {alice}; {session}", ()),
        (f'{alice}; session="{bob.partition("=")[2]}"; {session}', ()),
        (f"{alice}; {bob.replace('=', ' =', 1)}; {session}", ()),
        (f"{alice}; \u00a0{bob}; {session}", ()),
        (f"{alice}; {session}; {others}", ()),
        (f"{bob}; {session}", ()),
        (f"{carol}; {session}", ()),
        (f"{bob}; {session}; {others[:-2]}xx", ()),
        (session, ()),
        (bob, ()),
        *((f"{alice}; {session}", (basic(user),)) for user in ("alice", "bob", "carol", "admin")),
        (f"{session}", (basic("alice"),)),
        (f"{others}", (basic("bob"),)),
        ("", (basic("carol"),)),
        (f"{alice}; {session}", (basic("alice"), basic("bob"))),
        (f"{alice}; {session}", (("authorization", "basic  Ym9iOmRlbW8="),)),
        (f"{alice}; {session}", (("Authorization", ""),)),
    ]
    for cookies, headers in tricks:
        got = hospital.get(cookies, *headers, target=target)
        assert got.status in {400, 401}, (cookies, headers)
        assert "confidential" not in got.text.lower()
        if session in cookies and alice not in cookies:
            # It was shown beside somebody else and is over; its owner verifies anew.
            session = rig.gate_cookie("alice")
            assert hospital.get(f"{alice}; {session}").status == 200


@pytest.mark.parametrize("door", ["asgi"], indirect=True)
def test_B12_C05_two_principals_on_two_lines_get_nothing(hospital: Hospital) -> None:
    rig = hospital.rig
    alice, bob, session = hospital.sign_in("alice"), hospital.sign_in("bob"), rig.gate_cookie("alice")
    for first, last in itertools.permutations([f"{alice}; {session}", bob]):
        got = hospital.get("", ("Cookie", first), ("Cookie", last))
        assert (got.status, got.code) == (400, "invalid")
