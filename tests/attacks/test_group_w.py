"""Attacks on pages, forms and the API (W): redirects, riding, framing, poisoned hosts, guessing at people."""

import json
import logging
import re
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfa_gate.signing import Csrf, Signer
from tests.attacks import everywhere
from tests.attacks.everywhere import CHANGES, FORM, FORMS, SHOWN, URLENCODED, call, own_answers, page
from tests.attacks.faults import STORES
from tests.edges.asking import NAVIGATION, Got, Headers
from tests.edges.fixtures import Build
from tests.edges.rig import HOME, Client, Rig

JSON: Headers = (("Content-Type", "application/json"),)
OURS: Headers = (("MFA-Gate-Request", "1"),)
TEMPTING = {
    "require_two_step": "1",
    "version": "2",
    "reason": "because",
    "page": "admin",
    "how": "totp",
    "factor": "totp",
}

# W01

EVIL = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "///evil.example",
    "////evil.example",
    "http:///evil.example",
    "HTTPS://EVIL.example/files",
    "http://localhost:8000.evil.example/",
    "http://localhost:8000@evil.example/",
    "http://localhost:8000\\@evil.example/",
    "http://evil.example\\@localhost:8000/",
    "http://evil.example#@localhost:8000/",
    "http://localhost:80000/",
    "http://localhost:8001/",
    "http://localhost/",
    "https://localhost:8000/",
    "http://127.0.0.1:8000.evil.example/",
    "javascript:alert(1)",
    "javascript://localhost:8000/%0aalert(1)",
    "data:text/html,x",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\n/evil.example",
    "/%09/evil.example",
    "/%2f/evil.example",
    "/%2fevil.example",
    "/%5cevil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/files/..//evil.example",
    "//localhost:8000@evil.example",
    "/\r\nLocation: https://evil.example",
    "//evil%E3%80%82example",
    "\u2215\u2215evil.example",
    "\u3000//evil.example",
    "\\evil.example",
    "evil.example",
    "?//evil.example",
    "/logout",
    "/mfa/signout",
    "/MFA/account",
    "/login?next=//evil.example",
    "/" + "a" * 3_000,
]
"""Where `next` and its relatives must not lead; the last ones are at home, but would undo what was just done."""


def leads(got: Got) -> str:
    """Where a redirect leads, once it is certain that a browser stays at home."""
    location = got.header("location")
    # Whatever a browser makes of it: one slash and then none, visible ASCII, no backslash (WHATWG URL, 4.4).
    assert re.fullmatch(r"/(?![/\\])[!-\[\]-~]*|/", location), location
    assert urlsplit(urljoin(HOME, location)).netloc == "localhost:8000"
    return location


def test_W01_no_next_leads_away_after_a_code(rig: Rig) -> None:
    for target in EVIL:
        rig.clock.go(30)
        client = rig.client("alice")
        client.page(f"/mfa/verify?next={quote(target, safe='')}")
        got = client.submit("verify", factor="totp", code=rig.person("alice").code(rig.clock()))
        assert (got.status, leads(got)) == (303, "/"), target
        got = client.visit(f"/mfa/verify?next={quote(target, safe='')}")
        assert (got.status, leads(got)) == (303, "/"), target
        got = client.visit(f"/mfa/verify?next=/files&next={quote(target, safe='')}")
        assert (got.status, leads(got)) == (303, "/"), target


def test_W01_no_next_leads_away_from_the_wizard(lax: Rig) -> None:
    carol = lax.client("carol")
    for target in EVIL:
        carol.page(f"/mfa/setup?next={quote(target, safe='')}")
        assert "evil" not in str([link["href"] for link in carol.soup.select("[href]")])
        got = carol.submit("setup/later")
        assert (got.status, leads(got)) == (303, "/"), target


def test_W01_no_referer_leads_away(rig: Rig) -> None:
    for target in EVIL:
        if not (target.isascii() and target.isprintable()):
            continue
        for referer in (target, f"{HOME}{target}", f"{HOME}/files?{target}"):
            alice = rig.client("alice")
            got = alice.ask("POST", "/files", (*NAVIGATION, ("Referer", referer)))
            assert leads(got).startswith("/mfa/verify")
            if "next" not in leads(got):
                continue
            # What came into `next` is judged once more when it is followed.
            alice.page(leads(got))
            rig.clock.go(30)
            landed = leads(alice.submit("verify", factor="totp", code=rig.person("alice").code(rig.clock())))
            assert "evil" not in landed.partition("?")[0]


def test_W01_an_address_goes_to_the_sign_in_page_as_one_of_ours(rig: Rig) -> None:
    stranger = rig.client(None)
    for target in EVIL[:-1]:
        asked = f"/files?next={quote(target, safe='')}"
        assert leads(stranger.ask("GET", asked, NAVIGATION)) == f"/login?next={quote(asked, safe='')}"
    assert leads(stranger.ask("GET", f"/files?next={EVIL[-1]}", NAVIGATION)) == "/login?next=%2F"


def test_W01_the_page_that_a_fresh_code_opens_is_one_of_ours(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    rig.clock.go(1_000)
    root.page("/mfa/admin")
    form = root.form("confirm") | {"code": rig.person("root").code(rig.clock())}
    for target in (
        *EVIL,
        "admin//evil.example",
        "admin/../..//evil",
        "admin@evil.example",
        "admin:80",
        "admin\n/evil",
    ):
        got = root.post("/mfa/confirm", form | {"page": target})
        assert got.status == 400, target
        assert not got.values("location")
    assert leads(root.post("/mfa/confirm", form | {"page": "admin?next=//evil"})).startswith(
        "/mfa/admin?next="
    )


@pytest.mark.parametrize(
    "mount", ["//evil.example", "/\\evil.example", "/https://evil.example", "///evil.example"]
)
def test_W01_a_root_path_from_a_header_leads_nowhere(rig: Rig, mount: str) -> None:
    for client in (rig.client("alice"), rig.client("alice", verified=True), rig.client(None)):
        for target in ("/files", "/mfa/", "/mfa/setup", "/mfa/verify", "/mfa/account"):
            got = client.ask("GET", target, NAVIGATION, mount=mount)
            if got.values("location"):
                leads(got)


PIECES = (
    *("/", "\\", "//", ":", "@", "?", "#", ".", "..", ";", "\t", "\n", " ", "%2f", "%5c", "%09", "%00", "%"),
    *(
        "http:",
        "https://",
        "javascript:",
        "localhost:8000",
        "localhost",
        "evil.example",
        "files",
        "\u2028",
        "\u00e9",
    ),
)


@given(target=st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_W01_nothing_made_of_the_usual_pieces_leads_away(rig: Rig, target: str) -> None:
    alice = rig.client("alice", verified=True)
    leads(alice.visit(f"/mfa/verify?next={quote(target, safe='')}"))


# W03


def tokens(rig: Rig, root: Client) -> dict[str, list[tuple[str, str]]]:
    """What comes in place of the token; the session is root's own and live."""
    bob = rig.client("bob", verified=True)
    bob.page("/mfa/account")
    holder = rig.town.store.sessions(rig.person("root").id, int(rig.clock()))[0].key
    keys = [key.secret for key in rig.town.keys.cookie]
    csrf, now = Signer("csrf", keys), int(rig.clock())
    root.page("/mfa/account")
    good = root.form("signout")["csrf"]
    payload, _, signature = good.rpartition(".")
    return {
        "none": [],
        "empty": [("csrf", "")],
        "garbage": [("csrf", "abc.def.ghi")],
        "another person's": [("csrf", bob.form("signout")["csrf"])],
        "the session itself": [("csrf", root.session)],
        "signed for a link": [("csrf", Signer("link", keys).sign(Csrf(holder=holder), now))],
        "signed for the pending cookie": [("csrf", Signer("pending", keys).sign(Csrf(holder=holder), now))],
        "of an earlier session": [("csrf", csrf.sign(Csrf(holder="f" * 64), now))],
        "out of date": [("csrf", csrf.sign(Csrf(holder=holder), now - 12 * 3600 - 1))],
        "of tomorrow": [("csrf", csrf.sign(Csrf(holder=holder), now + 86_400))],
        "signed by another gate": [("csrf", Signer("csrf", [b"x" * 32]).sign(Csrf(holder=holder), now))],
        "cut": [("csrf", f"{payload}.{signature[:-1]}")],
        "twice": [("csrf", good), ("csrf", good)],
        "under another name": [("csrf_token", good), ("CSRF", good), ("csrf[]", good)],
    }


def test_W03_no_form_without_its_own_token_changes_anything(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    code = rig.person("root").code(rig.clock(), 1)
    variants = tokens(rig, root)
    before = rig.town.holding.fingerprint()
    for name, instead in variants.items():
        for path in FORMS:
            body = urlencode([*(TEMPTING | {"code": code}).items(), *instead]).encode()
            target = page(path, rig.person("bob").id)
            got = root.ask("POST", target, (*FORM, *URLENCODED), body)
            said = f"{name}: {path} → {got.status}"
            assert rig.town.holding.fingerprint() == before, said
            # Somebody who is done already is led on, whatever form came.
            settled = {"/verify": 303, "/setup/confirm": 200}.get(path, 0)
            assert got.status in {403, 400 if name == "twice" else 403, settled}, said
    assert root.visit("/files").status == 200, "still signed in"


def test_W03_no_form_from_elsewhere_and_none_by_another_method_changes_anything(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    root.page("/mfa/account")
    fields = TEMPTING | {
        "csrf": root.form("signout")["csrf"],
        "code": rig.person("root").code(rig.clock(), 1),
    }
    before, body = rig.town.holding.fingerprint(), urlencode(fields).encode()
    for path in FORMS:
        target = page(path, rig.person("bob").id)
        for foreign in (
            ("Origin", "https://evil.example"),
            ("Origin", "null"),
            ("Origin", "http://localhost:8001"),
            ("Origin", "http://localhost:8000.evil.example"),
            ("Origin", f"{HOME}/"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "cross-site"),
        ):
            headers = (*(each for each in FORM if each[0] != foreign[0]), foreign, *URLENCODED)
            assert root.ask("POST", target, headers, body).status == 403, (path, foreign)
        for kind in (
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
        ):
            got = root.ask("POST", target, (*FORM, ("Content-Type", kind)), body)
            # Where a file is taken, what is no form of ours is no form at all.
            assert got.status in {415, 303, 200} | ({400, 403} if path.endswith("/import") else set())
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
            got = root.ask(method, f"{target}?{body.decode()}", (*FORM, *URLENCODED), body)
            assert got.status == 405 or (method in {"GET", "HEAD"} and path in SHOWN), (method, path)
        assert rig.town.holding.fingerprint() == before, path
    assert root.post("/mfa/signout", {"csrf": fields["csrf"]}).status == 200, (
        "and that is what the right one does"
    )
    assert rig.town.holding.fingerprint() != before


def test_W03_a_planted_pending_cookie_carries_no_form_over(rig: Rig) -> None:
    """Whoever can set a cookie for the victim's browser gives it their own way, and the token that goes with it."""
    mallory, alice = rig.client("bob"), rig.client("alice")
    mallory.page("/mfa/verify")
    alice.jar["mfa_gate_pending"] = mallory.jar["mfa_gate_pending"]
    before = rig.town.holding.fingerprint()
    fields = mallory.form("verify") | {"factor": "totp", "code": rig.person("alice").code(rig.clock(), 1)}
    assert alice.post("/mfa/verify", fields).status == 403
    assert rig.town.holding.fingerprint() == before


@pytest.mark.parametrize("who", ["root", "carol"])
def test_W03_no_call_of_the_api_can_be_ridden(rig: Rig, who: str) -> None:
    client = rig.client(who, verified=who == "root")
    body = json.dumps(
        {"require_two_step": False, "reason": "because", "factor": "totp", "code": "123456"}
    ).encode()
    foreign: list[Headers] = [
        (),
        (("MFA-Gate-Request", "0"),),
        (("MFA-Gate-Request", "1, 1"),),
        (("MFA-Gate-Request", ""),),
        (("Origin", "https://evil.example"), *OURS),
        (("Origin", "null"), *OURS),
        (("Origin", "http://localhost:8001"),),
        (("Sec-Fetch-Site", "same-site"), *OURS),
        (("Sec-Fetch-Site", "cross-site"), *OURS),
        (("Sec-Fetch-Site", "none"),),
        (("Referer", f"{HOME}/mfa/account"),),
        (("X-Requested-With", "XMLHttpRequest"),),
    ]
    before = rig.town.holding.fingerprint()
    for method, path in CHANGES:
        target = call(path, rig.person("bob").id)
        for headers in foreign:
            got = client.ask(method, target, (*headers, *JSON), body)
            assert (got.status, got.code) == (403, "not_allowed"), (path, headers)
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
        ):
            got = client.ask(method, target, (*OURS, ("Content-Type", kind)), body)
            if method == "DELETE":  # which reads no body of whatever kind, and there is no such thing
                assert got.status in {401, 404}, (path, kind)
            else:
                assert (got.status, got.code) == (415, "invalid"), (path, kind)
        for other in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - {method}:
            got = client.ask(other, target, (*OURS, *JSON), body)
            assert got.status == 405 or (other in {"GET", "HEAD"} and ("GET", path) in everywhere.CALLS)
    assert rig.town.holding.fingerprint() == before


# W05, W22, W23, F18: what is on every answer of our own


def test_W05_W22_W23_every_answer_of_ours_is_framed_by_nobody_shared_with_nobody_and_names_no_server(
    rig: Rig,
) -> None:
    asked: Headers = (("Origin", "https://evil.example"), ("Access-Control-Request-Method", "PUT"))
    answers = list(own_answers(rig, asked, ("GET", "POST", "OPTIONS", "TRACE")))
    statuses = {got.status for _, got in answers}
    assert statuses >= {200, 303, 400, 401, 403, 404, 405, 414, 415}
    for label, got in answers:
        names = {name.lower() for name, _ in got.headers}
        assert got.header("x-frame-options") == "DENY", label
        policy = got.header("content-security-policy")
        assert "frame-ancestors 'none'" in policy, label
        assert "default-src 'none'" in policy, label
        assert "unsafe" not in policy, label
        assert got.header("x-content-type-options") == "nosniff", label
        assert not [name for name in names if name.startswith("access-control-")], label
        assert names.isdisjoint({"server", "x-powered-by", "via", "x-runtime", "x-aspnet-version"}), label
        assert b"evil.example" not in got.body, label
        assert b"confidential" not in got.body, label
        assert not re.search(rb"Traceback|File \"|mfa_gate[./]|starlette|sqlite|Python/|a2wsgi", got.body), (
            label
        )
        kept = got.header("cache-control") != "no-store"
        assert not kept or "/mfa/static/" in label or "/mfa/logo" in label, label
        assert not (kept and got.values("set-cookie")), label


def test_W05_the_refusals_of_a_store_that_is_away_and_of_a_body_too_large_too(rig: Rig) -> None:
    alice = rig.client("alice")
    big = alice.ask("POST", "/mfa/verify", (*FORM, *URLENCODED), b"x" * 70_000)
    with rig.town.holding.away():
        rig.clock.go(10)
        refusals = (
            big,
            alice.visit("/files"),
            alice.get("/files"),
            alice.visit("/mfa/account"),
            alice.api("GET", "status"),
        )
    for got in refusals:
        assert got.status in {413, 503}
        assert got.header("x-frame-options") == "DENY"
        assert "frame-ancestors 'none'" in got.header("content-security-policy")


def test_W22_only_a_listed_origin_is_answered_and_never_by_our_own_pages(build: Build) -> None:
    rig = build(portal={"rules": [], "cors_origins": ["https://app.example"]})
    asked: Headers = (("Access-Control-Request-Method", "PUT"),)
    client = rig.client(None)
    allowed = client.ask("OPTIONS", "/files", (*asked, ("Origin", "https://app.example")))
    assert allowed.header("access-control-allow-origin") == "https://app.example"
    for origin in (
        "https://evil.example",
        "https://app.example.evil.example",
        "https://app.example:444",
        "http://app.example",
        "https://APP.example",
        "null",
        "*",
        "https://app.example, https://evil.example",
    ):
        got = client.ask("OPTIONS", "/files", (*asked, ("Origin", origin)))
        assert got.status == 403, origin
        assert not [name for name, _ in got.headers if name.startswith("access-control-")], origin
    for target in ("/mfa/api/v1/status", "/mfa/api/v1/verify", "/mfa/account"):
        for method in ("OPTIONS", "GET", "POST"):
            got = rig.client("alice", verified=True).ask(
                method, target, (*asked, ("Origin", "https://app.example"))
            )
            assert not [name for name, _ in got.headers if name.startswith("access-control-")], target
    assert rig.seen == []


SAID = "seed JBSWY3DPEHPK3PXP in /secret/path"


@pytest.mark.parametrize("error", [KeyError(SAID), RuntimeError(SAID), OSError(SAID), AssertionError(SAID)])
def test_W23_an_error_of_ours_shows_a_reference_and_nothing_else(
    rig: Rig, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    root = rig.client("root", verified=True)
    root.page("/mfa/account")
    for store in STORES:
        monkeypatch.setattr(store, "sessions", fails)
        monkeypatch.setattr(store, "people", fails)
    with caplog.at_level(logging.ERROR, logger="mfa_gate"):
        for target in ("/mfa/account", "/mfa/admin/users", f"/mfa/admin/users/{rig.person('bob').id}"):
            got = root.visit(target)
            assert got.status == 500
            reference = BeautifulSoup(got.text, "html.parser").select_one(".mono")
            assert reference is not None
            assert re.fullmatch("[0-9a-f]{12}", reference.get_text())
            assert f"request {reference.get_text()} failed" in caplog.text
            assert not re.search("JBSWY|secret|Traceback|Error", got.text)
        for path in ("admin/users", f"admin/users/{rig.person('bob').id}"):
            got = root.api("GET", path)
            assert (got.status, got.code) == (503, "unavailable")
            assert not re.search("JBSWY|secret|Traceback|Error", got.text)


# W06


HOSTS = ["evil.example:8000", "localhost:8000.evil.example", "localhost:8000@evil.example"]


def test_W06_no_host_that_a_request_names_gets_into_an_answer(rig: Rig) -> None:
    for host in HOSTS:
        for label, got in own_answers(rig, methods=("GET",), host=host):
            assert "evil.example" not in str(got.headers), (host, label)
            assert b"evil.example" not in got.body, (host, label)


def test_W06_no_forwarded_host_gets_into_an_answer_whoever_forwards_it(build: Build) -> None:
    rig = build(trusted_proxies=["192.0.2.7"])
    forwarded: Headers = (
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Server", "evil.example"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Original-URL", "//evil.example/"),
        ("X-Rewrite-URL", "//evil.example/"),
        ("X-Host", "evil.example"),
        ("Forwarded", "for=192.0.2.1;host=evil.example;proto=javascript"),
    )
    for label, got in own_answers(rig, forwarded, ("GET",)):
        assert "evil.example" not in str(got.headers), label
        assert b"evil.example" not in got.body, label
        assert "javascript" not in "".join(got.values("location")), label


# W08


def test_W08_a_code_that_is_not_taken_looks_the_same_whatever_the_reason(rig: Rig) -> None:
    """With the password of somebody: wrong, used, of another time, a paper used up, nothing set up, no such kind."""
    used = rig.person("alice").code(rig.clock())
    old = rig.person("alice").code(rig.clock(), -20)
    tries = {
        "wrong": ("alice", "totp", "000000"),
        "used": ("alice", "totp", used),
        "old": ("alice", "totp", old),
        "of another person": ("alice", "totp", rig.person("bob").code(rig.clock())),
        "no code at all": ("alice", "totp", "hello"),
        "not on paper": ("alice", "recovery_code", "aaaa-aaaa-aaaa-aaaa"),
        "another's paper": ("alice", "recovery_code", rig.person("bob").codes[0]),
        "no such kind": ("alice", "access_pass", "123456"),
        "nothing set up": ("carol", "totp", "123456"),
        "nothing on paper": ("carol", "recovery_code", "aaaa-aaaa-aaaa-aaaa"),
    }
    said = set()
    for who, factor, code in tries.values():
        rig.clock.go(301)
        got = rig.client(who).verify(code, factor)
        assert not [line for line in got.values("set-cookie") if line.startswith("mfa_gate=")]
        kept = tuple(sorted((name, value) for name, value in got.headers if name != "set-cookie"))
        said.add((got.status, kept, got.body))
    assert len(said) == 1
    (answer,) = said
    assert answer[0] == 401


def test_W08_a_paused_account_says_the_same_to_a_right_code_and_to_a_wrong_one(rig: Rig) -> None:
    for _ in range(5):
        rig.client("alice").verify("000000")
    person, said = rig.person("alice"), set()
    for code in (person.code(rig.clock(), 1), "000000", person.code(rig.clock()), "x"):
        got = rig.client("alice").verify(code)
        said.add(
            (got.status, tuple(sorted(each for each in got.headers if each[0] != "set-cookie")), got.body)
        )
    assert [answer[0] for answer in said] == [429]


def test_W08_nobody_learns_who_is_there_from_pages_of_administration(rig: Rig) -> None:
    """Known, unknown and impossible people, by those who do not administer, and by strangers: one answer for all."""
    ids = [rig.person("alice").id, rig.person("root").id, "0" * 32, "org", "x" * 5_000, "%25", "alice"]
    for who, client in everywhere.people(rig).items():
        if who.startswith("root"):
            continue
        for kind in (NAVIGATION, ()):
            for path in ("/admin/users/{id}", "/admin/users?q={id}"):
                said = {
                    (
                        got.status,
                        re.sub(r"(next=)[^\"&]*", r"\1", str(got.values("location"))),
                        len(got.body) > 0,
                    )
                    for each in ids[:3]
                    for got in [client.ask("GET", page(path, each), kind)]
                }
                assert len(said) == 1, (who, path, said)
            bodies = {client.ask("GET", call("/admin/users/{id}", each)).body for each in ids[:5]}
            assert len(bodies) == 1, who
    alice = rig.client("alice", verified=True)
    pages = {
        re.sub(r'value="[^"]{60,}"', "", alice.visit(page("/admin/users/{id}", each)).text)
        for each in ids[:5]
    }
    assert len(pages) == 1
    resets = {
        (got.status, got.body)
        for each in ids[:4]
        for got in [alice.api("POST", f"admin/users/{each}/reset", {"reason": "because"})]
    }
    assert len(resets) == 1


def test_W08_a_forged_credential_of_somebody_is_worth_what_one_of_nobody_is(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answer by the same work: whose name stands in it is never looked up."""
    asked: list[str] = []
    for verb in ("facts", "account", "commit", "sessions", "challenge"):
        for store in STORES:
            monkeypatch.setattr(store, verb, lambda *_, verb=verb, **__: asked.append(verb))
    said = set()
    for who in ("alice", "carol", "nobody at all"):
        forged = rig.portal_cookie(who)[:-3] + "AAA"
        for kind in (NAVIGATION, ()):
            got = rig.get("/files", *kind, cookies=[forged])
            said.add((bool(kind), got.status, got.header("location"), got.body))
    assert asked == []
    assert len(said) == 2
