"""Attacks on people and who administers them (W): injected text, forged log lines, superiors, fields of others."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup, Tag
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import Actor, Event
from mfa_gate.ports import Change
from mfa_gate.web.api import OPERATIONS
from tests.attacks.everywhere import FORMS, SHOWN, URLENCODED, call, page, people
from tests.attacks.faults import STORES
from tests.edges.asking import NAVIGATION, Got, Headers
from tests.edges.fixtures import Build
from tests.edges.rig import Client, Rig

FORM: Headers = (*NAVIGATION[:2], ("Origin", "http://localhost:8000"), *URLENCODED)

# W10

XSS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "{{7*7}}${7*7}{%raw%}",
    "</title></textarea></style><body onload=alert(1)>",
    "&lt;img&gt;&#x3c;script&#x3e;",
    "--><!--<script>",
)
EVERYTHING = " ".join(XSS)


def injected(rig: Rig) -> Client:
    """Everything that somebody may say of themselves, or an admin of them, is an attack; root with a fresh code."""
    root = rig.client("root", verified=True)
    account = rig.town.account("bob")
    rig.town.store.commit(
        Change(
            account=replace(
                account,
                name=EVERYTHING[:200],
                email=f"{XSS[0]}@example.org",
                groups=XSS,
                totps=tuple(replace(each, name=EVERYTHING[:60]) for each in account.totps),
            )
        ),
        int(rig.clock()),
    )
    told = Event(
        kind="profile_changed",
        account_id=account.id,
        subject=XSS[0],
        at=int(rig.clock()),
        actor=Actor(subject=XSS[1], realm=XSS[0], address=XSS[2]),
        details={XSS[0]: EVERYTHING},
    )
    rig.town.store.record((told,), int(rig.clock()))
    for number, text in enumerate(XSS):
        rig.town.meet(f"{text} {number}", rig.clock())
    rig.clock.go(31)
    bob = rig.client("bob")
    agent = (("User-Agent", EVERYTHING), ("X-Forwarded-For", XSS[0]))
    assert bob.verify(rig.person("bob").code(rig.clock()), "totp", *agent).status == 200
    said = root.api("POST", f"admin/users/{rig.town.account('alice').id}/reset", {"reason": EVERYTHING})
    assert said.status == 200, said.text
    return root


def inert(got: Got) -> BeautifulSoup:
    """The page, once it is certain that nothing in it runs or leads away."""
    soup = BeautifulSoup(got.text, "html.parser")
    for element in soup.find_all(True):
        assert isinstance(element, Tag)
        assert not [
            name for name in element.attrs if name.lower().startswith("on") or name in {"style", "srcdoc"}
        ]
        for name in ("href", "src", "action", "formaction", "data", "xlink:href"):
            target = str(element.get(name, "/"))
            assert re.match(r"/(?!/)|#|otpauth:", target), (element.name, target)
    for script in soup.find_all("script"):
        assert script.get("src"), "nothing inline"
        assert not script.get_text()
    assert not soup.find_all(["style", "iframe", "object", "embed", "base", "meta[http-equiv]"])
    assert all(str(image["src"]).startswith(("/mfa/static/", "/mfa/logo")) for image in soup.find_all("img"))
    assert not soup.select("body svg[onload]")
    policy = got.header("content-security-policy")
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    return soup


def test_W10_nothing_that_people_say_of_themselves_runs_on_any_page(rig: Rig) -> None:
    root = injected(rig)
    bob = rig.client("bob", verified=True)
    shown = ""
    for path in SHOWN:
        for query in (
            "",
            f"?q={quote(XSS[0])}",
            f"?person={quote(XSS[1])}&kind={quote(XSS[2])}&status={quote(XSS[0])}",
        ):
            for client in (root, bob, rig.client("carol"), rig.client("bob")):
                got = client.visit(page(path, rig.town.account("bob").id) + query)
                if got.header("content-type").startswith("text/html"):
                    shown += inert(got).get_text(" ")
    for text in (XSS[0], XSS[1]):
        assert text in shown, "and it was there, as text"
    for text in XSS:
        for target in (
            f"/mfa/setup?next=/{quote(text)}",
            f"/mfa/verify?next=/archive/{quote(text)}",
            f"/mfa/{quote(text)}",
        ):
            for client in (rig.client("carol"), bob):
                got = client.visit(target)
                if got.body:
                    inert(got)


def test_W10_no_form_shows_what_was_sent_as_anything_but_text(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    for path in FORMS:
        root.page("/mfa/account")
        if root.soup.find("form", action="/mfa/signout") is None:
            root = rig.client("root", verified=True)
            root.page("/mfa/account")
        fields = {
            "csrf": root.form("signout")["csrf"],
            **dict.fromkeys(
                ("code", "reason", "version", "session", "how", "factor", "setup_code"), EVERYTHING
            ),
            "page": f"admin/{XSS[0]}",
            "codes": EVERYTHING,
            XSS[0]: XSS[1],
        }
        got = root.post(page(path, rig.town.account("bob").id), fields)
        if got.header("content-type").startswith("text/html"):
            inert(got)
        else:
            assert got.header("x-content-type-options") == "nosniff"
            assert b"<" not in got.body


def test_W10_json_is_never_taken_for_a_page(rig: Rig) -> None:
    root = injected(rig)
    assert EVERYTHING[:60] in json.dumps(root.api("GET", "admin/users?q=%3C").json()) or root.last
    for operation in OPERATIONS:
        target = call(operation.path, rig.town.account("bob").id)
        for sent in (
            {XSS[0]: XSS[1]},
            {"code": XSS[0], "factor": XSS[1], "reason": EVERYTHING, "enrollment": XSS[2]},
        ):
            got = root.api(operation.method, target.removeprefix("/mfa/api/v1/"), sent)
            assert got.header("content-type") in {"application/json", "application/problem+json"}
            assert got.header("x-content-type-options") == "nosniff"
            assert "default-src 'none'" in got.header("content-security-policy")
            got.json()


def test_W10_the_picture_and_the_sheet_of_codes_carry_nobodys_text(rig: Rig) -> None:
    carol = rig.client(XSS[0])
    begun = carol.api("POST", "totp", {}).json()
    picture = BeautifulSoup(begun["qr_svg"], "html.parser")
    assert {element.name for element in picture.find_all(True)} <= {"svg", "path", "title"}
    assert "alert" not in begun["qr_svg"]
    alice = rig.client("alice", verified=True)
    alice.page("/mfa/account")
    token = alice.form("signout")["csrf"]
    for codes in (*XSS, f"{rig.person('alice').codes[0]} {XSS[0]}", "<!doctype html>"):
        assert alice.post("/mfa/setup/codes.txt", {"csrf": token, "codes": codes}).status == 400


# W14

FORGED = "2030-01-01 00:00:00 INFO mfa_gate: forged"
LINES = (
    f"x\n{FORGED}",
    f"x\r\n{FORGED}",
    f"x\r{FORGED}",
    f"x\x0b{FORGED}",
    f"x\x0c{FORGED}",
    f"x\x85{FORGED}",
    f"x\u2028{FORGED}",
    f"x\u2029{FORGED}",
    "x\x1b[2J\x1b[1;1H\x1b]0;owned\x07",
    "x\x9b2Jx",
    "x\u202egnp.exe",
    "x\x00y",
    "x\x08\x08\x08",
)


@contextmanager
def log() -> Iterator[io.StringIO]:
    """What a plain log file would hold."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield out
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def check_lines(written: str) -> None:
    """One event, one line; beside it only the lines that Python's own tracebacks have."""
    assert "forged" not in re.sub(r"^.*\bx(\\x..|\\u....|\\n|\\r).*$", "", written, flags=re.MULTILINE)
    for line in written.split("\n"):
        assert not line.startswith("2030"), line
        assert all(character.isprintable() or character == " " for character in line), repr(line)


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_W14_nothing_that_is_sent_begins_a_line_in_the_log(build: Build, mode: str) -> None:
    rig = build(
        mode=mode,
        trusted_proxies=["192.0.2.7"],
        identity=[{"source": "header", "name": "X-User", "name_header": "X-Name"}],
    )
    with log() as out:
        for text in LINES:
            raw = text.encode().decode("latin-1")
            client = rig.client(None)
            for headers in (
                (("X-User", raw),),
                (("X-User", "alice"), ("X-Name", raw)),
                (("X-User", "alice"), ("User-Agent", raw), ("X-Forwarded-For", raw)),
                (("X-User", "alice"), ("Cookie", f"mfa_gate={raw}; mfa_gate_pending={raw}; {raw}=1")),
                ((f"X-{raw}", "1"), ("Referer", raw), ("Host", raw)),
                (("Origin", raw), ("X-User", "carol"), ("Accept-Language", raw), ("Content-Type", raw)),
            ):
                for target in (
                    f"/files/{quote(text)}",
                    f"/mfa/{quote(text)}",
                    f"/mfa/verify?next=/{quote(text)}",
                ):
                    client.ask("GET", target, headers)
                    client.ask("POST", target, headers, b"{}")
            client.ask("FOO", "/files")
            body = json.dumps({"factor": text, "code": text, text: text}).encode()
            client.ask(
                "POST",
                "/mfa/api/v1/verify",
                (("X-User", "alice"), ("MFA-Gate-Request", "1"), ("Content-Type", "application/json")),
                body,
            )
    check_lines(out.getvalue())


def test_W14_not_even_through_the_text_of_an_error(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from mfa_gate.core.errors import StoreUnavailable

    alice = rig.client("alice")
    with log() as out:
        for text in LINES:

            def away(*_: object, text: str = text, **__: object) -> None:
                raise StoreUnavailable(text)

            for store in STORES:
                monkeypatch.setattr(store, "facts", away)
            rig.clock.go(2)
            assert alice.get("/files").status == 503
            assert alice.get("/mfa/account").status == 503
            assert alice.api("GET", "status").status == 503
            assert alice.get("/mfa/healthz/ready").status == 200
            for store in STORES:
                monkeypatch.setattr(store, "policy", away)
            assert alice.get("/mfa/healthz/ready").status == 503
            monkeypatch.undo()
    assert "store unavailable" in out.getvalue()
    check_lines(out.getvalue())


def test_W14_what_stands_in_the_trail_is_one_line_each(rig: Rig) -> None:
    root, alice = rig.client("root", verified=True), rig.person("alice").id
    for text in LINES:
        rig.client("bob").verify("000000", "totp", ("User-Agent", text.encode().decode("latin-1")))
        root.api("POST", f"admin/users/{alice}/reset", {"reason": f"{text} and why"})
        rig.clock.go(60)
    for recorded in rig.town.store.events(account_id=None, kind=None, before=None, limit=500):
        event = recorded.event
        for value in (
            event.subject,
            event.actor.subject,
            event.actor.address,
            *event.details,
            *event.details.values(),
        ):
            assert value.isprintable(), value


# W16


def test_W16_no_answer_and_no_portal_gets_a_second_line_in_a_header(build: Build) -> None:
    told: dict[str, Any] = {
        "portal": {"rules": [], "headers": True, "sign_in_url": "/login?next={next}"},
        "trusted_proxies": ["192.0.2.7"],
        "identity": [{"source": "header", "name": "X-User", "name_header": "X-Name"}],
    }
    rig = build(policy=False, **told)
    for text in (
        "x\r\nSet-Cookie: a=b",
        "x\nX-Evil: 1",
        "x\rX-Evil: 1",
        "x\x00",
        "x\x85y",
        "\u2028\u560a\u560d",
        "\u010d\u010aX-Evil: 1",
    ):
        encoded, raw = quote(text), text.encode().decode("latin-1")
        for who in (raw, "carol", "alice"):
            client = rig.client(None)
            for headers in (
                (("X-User", who), ("X-Name", raw)),
                (("X-User", who), ("Referer", f"http://localhost:8000/{encoded}")),
                (
                    ("X-User", who),
                    ("Access-Control-Request-Method", raw),
                    ("Access-Control-Request-Headers", raw),
                    ("Origin", raw),
                ),
            ):
                for target in (
                    f"/files/{encoded}",
                    f"/mfa/verify?next=/{encoded}",
                    f"/mfa/setup?next={encoded}",
                    f"/mfa/{encoded}",
                ):
                    for method in ("GET", "POST", "OPTIONS"):
                        for kind in ((), NAVIGATION):
                            got = client.ask(method, target, (*kind, *headers))
                            check_headers(got.headers)
    for seen in rig.seen:
        check_headers(
            tuple((name, value) for name, value in seen.headers if name.startswith(("remote-", "x-evil")))
        )


def check_headers(headers: Headers) -> None:
    for name, value in headers:
        assert re.fullmatch(r"[A-Za-z0-9-]+", name), name
        assert re.fullmatch(r"[ -~\xa0-\xff]*", value), (name, value)
        assert "x-evil" not in name.lower()
        assert not (name.lower() == "set-cookie" and value.startswith("a=b"))


# W18


HELP: dict[str, Any] = {"admins": ["root", "boss"], "help_desk": ["help", "bob"], "setup_code": False}


def reset(client: Client, person: str, reason: object = "lost the phone") -> Got:
    return client.api("POST", f"admin/users/{person}/reset", {"reason": reason})


def act_by_page(client: Client, person: str, act: str) -> Got:
    client.page("/mfa/account")
    fields = {"csrf": client.form("signout")["csrf"], "reason": "lost the phone"}
    return client.post(f"/mfa/admin/users/{person}/{act}", fields)


def test_W18_nobody_acts_on_a_peer_on_a_superior_or_on_themselves(build: Build) -> None:
    rig = build(admin=HELP)
    ids = {name: rig.person(name).id for name in ("root", "help", "alice", "bob")}
    refused = [
        ("help", "root", "administrator"),
        ("help", "bob", "administrator"),
        ("help", "help", "yourself"),
        ("root", "root", "yourself"),
        ("alice", "alice", "not_allowed"),
        ("alice", "bob", "not_allowed"),
        ("alice", "root", "not_allowed"),
    ]
    for who, whom, why in refused:
        client = rig.client(who, verified=True)
        before = rig.town.account(whom)
        sessions = rig.town.store.sessions(ids[whom], int(rig.clock()))
        assert reset(client, ids[whom]).status == 403, (who, whom)
        assert act_by_page(client, ids[whom], "reset").status in {403, 404}
        assert act_by_page(client, ids[whom], "sign-out").status in {403, 404}
        assert rig.town.account(whom) == before
        assert rig.town.store.sessions(ids[whom], int(rig.clock())) == sessions
        noted = rig.town.store.events(account_id="org", kind="act_refused", before=None, limit=1)
        assert noted[0].event.actor.subject == who
        if who != "alice":
            assert noted[0].event.details["why"] == why
    assert reset(rig.client("help", verified=True), ids["alice"]).status == 200, "an ordinary person"
    assert reset(rig.client("root", verified=True), ids["help"]).status == 200, "somebody below"


ACTS = {
    "reset": "reset",
    "sign-out": "sign-out",
    "forget-browsers": "forget-browser",
    "exemption": "exempt",
    "exemption/end": "end-exemption",
}
"""By the API, and the page of the same."""


def act(rig: Rig, client: Client, person: str, name: str) -> Got:
    """One of the acts by the API, with a code where it takes one."""
    sent: dict[str, Any] = {"reason": "because"}
    if name == "exemption":
        rig.clock.go(30)
        sent["until"] = int(rig.clock()) + 86_400
        if client.user in rig.town.people:
            sent["confirm"] = {"factor": "totp", "code": rig.person(client.user).code(rig.clock())}
    return client.api("POST", f"admin/users/{person}/{name}", sent)


@pytest.mark.parametrize("name", ACTS)
def test_W18_every_act_stops_at_peers_superiors_and_oneself(build: Build, name: str) -> None:
    rig = build(admin=HELP)
    for who, whom in (
        ("help", "root"),
        ("help", "bob"),
        ("help", "help"),
        ("root", "root"),
        ("alice", "bob"),
        ("alice", "alice"),
        ("carol", "carol"),
    ):
        named = rig.town.account(whom)
        client = rig.client(who, verified=who in rig.town.people)
        got = act(rig, client, named.id, name)
        assert (got.status, got.code) == (403, "not_allowed"), (who, whom)
        assert act_by_page(client, named.id, ACTS[name]).status in {403, 404}
        after = rig.town.account(whom)
        assert (after.totps, after.epoch, after.exemption) == (named.totps, named.epoch, None)
        noted = rig.town.store.events(account_id="org", kind="act_refused", before=None, limit=1)
        assert noted[0].event.actor.subject == who


def test_W18_an_exception_is_not_made_by_who_rides_an_administrator(rig: Rig) -> None:
    """A page of the portal itself has the origin and the session, and cannot know a code (design, critical acts)."""
    root, carol = rig.client("root", verified=True), rig.town.account("carol")
    until = int(rig.clock()) + 86_400
    target = f"admin/users/{carol.id}/exemption"
    for confirm in (
        None,
        {"factor": "totp", "code": "000000"},
        {"factor": "totp", "code": rig.person("alice").code(rig.clock())},
        {"factor": "recovery_code", "code": rig.person("root").codes[0]},
        {"factor": "access_pass", "code": "123456"},
    ):
        sent = {"reason": "because", "until": until} | ({"confirm": confirm} if confirm else {})
        got = root.api("POST", target, sent)
        assert (got.status, got.code) in {(401, "two_step_code_required"), (401, "code_rejected")}, confirm
    assert rig.town.account("carol").exemption is None
    for forever in (None, 0, -1, until + 10**9, 2**53 - 1, 2**53, "tomorrow", True, 1.5):
        code = {"factor": "totp", "code": rig.person("root").code(rig.clock(), 1)}
        got = root.api("POST", target, {"reason": "because", "until": forever, "confirm": code})
        assert (got.status, got.code) == (422, "invalid"), forever
    assert rig.town.account("carol").exemption is None


def test_W18_the_code_for_an_exception_is_good_once(rig: Rig) -> None:
    root, erin = rig.client("root", verified=True), rig.town.meet("erin", rig.clock())
    carol = rig.town.account("carol")
    code = {"factor": "totp", "code": rig.person("root").code(rig.clock(), 1)}
    sent = {"reason": "because", "until": int(rig.clock()) + 86_400, "confirm": code}
    assert root.api("POST", f"admin/users/{carol.id}/exemption", sent).status == 200
    assert root.api("POST", f"admin/users/{erin.id}/exemption", sent).code == "code_rejected"
    assert rig.town.account("erin").exemption is None


def test_W18_an_exception_opens_the_portal_and_nothing_of_ours(build: Build) -> None:
    """Not administration, not a code that was not given; and it is over the second it ends, in the quick way too."""
    rig = build(admin=HELP)
    root, carol = rig.client("root", verified=True), rig.client("carol")
    assert carol.get().code == "two_step_setup_required"
    named = rig.town.account("carol").id
    assert act(rig, root, named, "exemption").status == 200
    rig.clock.go(5)
    assert carol.get().status == 200
    told = rig.seen[-1].told
    assert told is not None
    assert (told["subject"], told["amr"], told["acr"]) == ("carol", (), ""), "and no second step is claimed"
    assert carol.api("GET", "status").json()["state"] == "not_required"
    ends = rig.town.account("carol").exempt_until
    rig.clock.now = ends - 1
    assert carol.get().status == 200
    reached = len(rig.seen)
    rig.clock.now = float(ends)
    assert carol.get().code == "two_step_setup_required"
    assert len(rig.seen) == reached
    assert rig.town.account("carol").exempt_until == ends, "without any write"


def test_W18_an_administrator_who_is_exempt_administers_nothing(build: Build) -> None:
    rig = build(admin=HELP | {"admins": ["root", "newcomer"]})
    new = rig.client("newcomer")
    new.get()
    assert (
        act(rig, rig.client("root", verified=True), rig.town.account("newcomer").id, "exemption").status
        == 200
    )
    rig.clock.go(5)
    assert new.get().status == 200
    assert new.api("GET", "admin/users").code == "two_step_setup_required"
    assert new.visit("/mfa/admin").header("location").endswith("/mfa/setup")


def test_W18_the_help_desk_has_neither_the_policy_nor_the_trail(rig: Rig) -> None:
    desk = rig.client("help", verified=True)
    before = rig.town.store.policy()
    for method, path in (("GET", "admin/policy"), ("PATCH", "admin/policy"), ("GET", "admin/audit")):
        sent = {
            "require_two_step": False,
            "confirm": {"factor": "totp", "code": rig.person("help").code(rig.clock(), 1)},
        }
        assert desk.api(method, path, sent).status == 403, path
    for path in ("/mfa/admin/settings/policies", "/mfa/admin/audit"):
        assert desk.visit(path).status == 403
    desk.page("/mfa/account")
    fields = {"csrf": desk.form("signout")["csrf"], "version": str(before.version)}
    assert desk.post("/mfa/admin/settings/policies", fields).status == 403
    assert rig.town.store.policy() == before


def test_W18_every_reset_needs_a_fresh_code_of_the_app_and_a_reason(rig: Rig) -> None:
    alice, before = rig.person("alice").id, rig.town.account("alice")
    root = rig.client("root", verified=True)
    for reason in (
        "",
        "  ",
        "ab",
        " ab ",
        "a\n",
        "x" * 501,
        "x" * 2_001,
        None,
        5,
        ["because"],
        {"reason": "because"},
    ):
        assert reset(root, alice, reason).status == 422, reason
    for who in ("root", "help"):
        client = rig.client(who, verified=True)
        rig.clock.go(301)
        assert reset(client, alice).code == "two_step_code_required"
        assert act_by_page(client, alice, "reset").status == 200, "a page that asks for a code"
        by_paper = rig.client(who)
        assert by_paper.verify(rig.person(who).codes[0], "recovery_code").status == 200
        assert reset(by_paper, alice).code == "two_step_code_required"
        assert reset(rig.client(who), alice).code == "two_step_code_required", "not verified at all"
    assert rig.town.account("alice") == before


def test_W18_who_ceases_to_administer_ceases_at_once(build: Build) -> None:
    rig = build(admin={"admins": ["boss"], "help_desk": [], "setup_code": False})
    root = rig.client("root", verified=True)
    assert reset(root, rig.person("alice").id).status == 403
    assert root.visit("/mfa/admin").status == 404


def test_W18_a_name_like_an_administrators_administers_nothing(rig: Rig) -> None:
    for name in (
        "Root",
        "ROOT",
        "root ",
        " root",
        "\uff52\uff4f\uff4f\uff54",
        "ro\u00f6t",
        "root@portal",
        "user:root",
    ):
        client = rig.client(name)
        for path in ("admin/users", "admin/policy", "status"):
            got = client.api("GET", path)
            assert path == "status" or got.status in {401, 403}, name
        assert client.visit("/mfa/admin/users").status in {303, 403, 404}
    assert rig.town.account("root").subject == "root"


# W19

FOREIGN: dict[str, Any] = {
    "role": "admin",
    "roles": ["admin"],
    "is_admin": True,
    "admins": ["mallory"],
    "help_desk": ["mallory"],
    "mfa_required": False,
    "exempt": True,
    "exempt_until": 2**31,
    "active": True,
    "subject": "root",
    "account": "root",
    "account_id": "0" * 32,
    "id": "0" * 32,
    "user": "root",
    "realm": "portal",
    "name": "x",
    "epoch": 1,
    "verified_at": 1,
    "expires_at": 2**31,
    "amr": ["mfa"],
    "acr": "urn:mfa-gate:aal2",
    "session": "x",
    "session_ttl_seconds": 10**9,
    "idle_ttl_seconds": 10**9,
    "allowed_factors": [],
    "secret": "JBSWY3DPEHPK3PXP",
    "client": "service",
    "surface": "shell",
    "changed_by": "root",
    "mode": "observe",
    "__proto__": {"is_admin": True},
    "constructor": {},
    "$set": {},
    "": "",
}


def test_W19_no_call_takes_a_field_that_is_not_its_own(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    before = rig.town.holding.fingerprint()
    for operation in OPERATIONS:
        if not operation.changes:
            continue
        target = operation.path.removeprefix("/").replace("{id}", rig.person("alice").id)
        if not operation.takes_body:
            # Nothing is read of what comes with it; its query is held to what a list's is.
            assert root.api(operation.method, f"{target}?role=admin").status == 422
            continue
        if operation.file:
            # It takes no fields at all; what a file may not say, its columns, is tried where rosters are.
            assert root.api(operation.method, target, {}).status == 415
            continue
        taken = set(operation.takes.__struct_fields__)
        for name, value in FOREIGN.items():
            if name in taken:
                continue
            valid = {
                "enrollment": "x",
                "code": "000000",
                "factor": "totp",
                "reason": "because",
                "require_two_step": True,
                "until": int(rig.clock()) + 86_400,
            }
            body = {each: valid[each] for each in valid if each in taken} | {name: value}
            for sent in (body, {name: value}):
                got = root.api(operation.method, target, sent)
                assert (got.status, got.code) == (422, "invalid"), (target, name)
        bodies: tuple[Any, ...] = ([], [{}], "x", 1, True, None)
        for odd in bodies:
            got = root.ask(
                operation.method,
                call(operation.path, rig.person("alice").id),
                (("MFA-Gate-Request", "1"), ("Content-Type", "application/json")),
                json.dumps(odd).encode(),
            )
            assert got.status == 422, (target, odd)
    assert rig.town.holding.fingerprint() == before


def test_W19_no_list_takes_a_filter_that_is_not_its_own(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    for path in (
        "admin/users",
        "admin/audit",
        "admin/policy",
        "status",
        f"admin/users/{rig.person('bob').id}",
    ):
        for query in (
            "role=admin",
            "realm=other",
            "fields=secret",
            "limit=1&limit=500",
            "LIMIT=1",
            "sort=totps",
            "q[]=x",
            "include=totps",
        ):
            assert root.api("GET", f"{path}?{query}").status == 422, (path, query)
        for query in ("limit=0", "limit=501", "limit=-1", "limit=1e3", "limit=0x10"):
            assert root.api("GET", f"{path}?{query}").status == 422, (path, query)


def test_W19_a_field_too_many_in_a_form_turns_nothing_against_anybody_else(rig: Rig) -> None:
    alice = rig.client("alice")
    alice.page("/mfa/verify")
    others = {name: rig.town.account(name) for name in ("root", "bob", "help", "carol")}
    policy = rig.town.store.policy()
    extra = {name: str(value) for name, value in FOREIGN.items() if name} | {"id": others["bob"].id}
    code = rig.person("alice").code(rig.clock(), 1)
    got = alice.post(
        "/mfa/verify",
        alice.form("verify") | {"factor": "totp", "code": code} | dict(list(extra.items())[:25]),
    )
    assert got.status == 303
    for act in (
        "account/sessions/end-others",
        "account/sessions/end",
        "account/recovery-codes",
        "account/turn-off",
    ):
        alice.page("/mfa/account")
        fields = {"csrf": alice.form("signout")["csrf"], "code": rig.person("alice").code(rig.clock(), 2)}
        alice.post(
            f"/mfa/{act}", {**fields, "account": others["bob"].id, "subject": "bob", "id": others["bob"].id}
        )
    assert {name: rig.town.account(name) for name in others} == others
    assert rig.town.store.policy() == policy
    root = rig.client("root", verified=True)
    root.page("/mfa/admin/settings/policies")
    form = root.form("admin/settings/policies") | {"require_two_step": "1"}
    more = {"admins": "mallory", "allowed_factors": "", "session_ttl_seconds": "99999999", "mode": "observe"}
    root.post("/mfa/admin/settings/policies", form | more)
    assert rig.town.store.policy() == policy


def test_W19_nothing_that_a_sign_in_brings_makes_an_administrator(build: Build) -> None:
    rig = build(policy=False)
    cookie = rig.portal_cookie(
        "carol", role="admin", is_admin=True, groups=["admins"], realm="other", admin=1
    )
    for kind in (NAVIGATION, ()):
        assert rig.get("/mfa/admin/users", *kind, cookies=[cookie]).status in {403, 404}
    found: Account = rig.town.account("carol")
    assert found.realm == "portal"
    assert len(people(rig)) == 5
