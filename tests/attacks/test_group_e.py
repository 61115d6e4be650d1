"""Attacks on enrollment, factors and recovery (E), through both doors.

Relatives that the catalogue does not name: a browser that is handed another's enrollment, a setup code used for two
enrollments, every verb on every address, acts by a session that a recovery code opened, what the shell prints and the
log keeps, a dump read with other keys, what was begun before a reset and is finished after it.
"""

import base64
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

import pyotp
import pytest
from click.testing import CliRunner

from mfa_gate.cli import main
from mfa_gate.cli.invocation import Invocation
from mfa_gate.core.accounts import account_id
from mfa_gate.core.throttle import LOCK_AFTER, PAUSE_AFTER
from mfa_gate.keys import KeyRing
from mfa_gate.ports import Change
from mfa_gate.wiring import Sources
from tests.attacks.crew import Crew
from tests.attacks.everywhere import addresses, page
from tests.attacks.grounds import (
    api_ask,
    app,
    begin_at_page,
    csrf,
    enroll,
    failures,
    forgive,
    form_ask,
    key_shown,
    notified,
    opens,
    setup_code,
    wrong,
)
from tests.conftest import Scale
from tests.edges.asking import NAVIGATION, Ask, Got, Headers
from tests.edges.fixtures import ASGI, Build
from tests.edges.rig import Client, Rig
from tests.edges.town import REALM, SECRET, Person

VERBS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "CONNECT",
    "get",
    "FOO",
)
OPEN_TO_ALL = re.compile(
    r"/mfa/(static/.*|sign-in|healthz/(live|ready)|api/v1/openapi\.json|logo)|/(static|public)/.*"
)
BOSS = {"admin": {"admins": ["root", "boss"], "help_desk": ["help"], "setup_code": True}}


def confirm(client: Client, enrollment: str, code: str) -> Got:
    """Finish an enrollment through the API."""
    return client.api("POST", "totp/confirm", {"enrollment": enrollment, "code": code})


def shown(secret: str, now: float) -> str:
    """What an app with this secret shows."""
    return pyotp.TOTP(secret).at(int(now))


# Who has the password and was first to come


def test_E01_another_browser_sees_nothing_of_an_enrollment(rig: Rig) -> None:
    """Carol has begun; somebody with her password in another browser neither sees her key nor finishes for her."""
    carol, mallory = rig.client("carol"), rig.client("carol")
    secret = begin_at_page(carol)
    assert secret
    assert key_shown(mallory) == ""
    planted = {**mallory.jar, "mfa_gate_pending": carol.jar["mfa_gate_pending"]}
    mallory.page("/mfa/setup")
    for fields in ({"code": shown(secret, rig.clock())}, {"code": wrong_of(secret, rig.clock())}):
        got = rig.ask(form_ask(mallory, "setup/confirm", **fields))
        assert not opens(got)
    mallory.jar = planted
    mallory.sign_in("bob")
    assert secret not in mallory.page("/mfa/setup").text
    carol.page("/mfa/setup")
    got = carol.submit("setup/confirm", code=shown(secret, rig.clock()))
    assert opens(got)


def test_E01_an_enrollment_of_the_page_is_not_finished_by_the_api_nor_the_other_way(rig: Rig) -> None:
    """What was begun on one surface belongs to it; its id alone, from wherever, is not enough."""
    carol, mallory = rig.client("carol"), rig.client("carol")
    secret = begin_at_page(carol)
    challenge = begun_in(carol)
    for client in (carol, mallory):
        got = confirm(client, challenge, shown(secret, rig.clock()))
        assert (got.status, got.code) == (404, "not_found")
    assert not rig.town.account("carol").has_factor


@pytest.mark.parametrize("user", ["bob", "alice", "stranger"])
def test_E01_an_enrollment_is_not_finished_by_another_person(rig: Rig, user: str) -> None:
    """Carol's enrollment, known in full, is nothing in the hands of anybody else; and it looks like an unknown one."""
    started = rig.client("carol").api("POST", "totp").json()
    other = rig.client(user, verified=user == "alice")
    got = confirm(other, started["enrollment"], shown(started["secret"], rig.clock()))
    unknown = confirm(other, "0" * 64, shown(started["secret"], rig.clock()))
    assert (got.status, got.body) == (unknown.status, unknown.body)
    assert got.status == 404
    assert not rig.town.account("carol").has_factor


def test_E01_two_who_enroll_at_once(rig: Rig) -> None:
    """Both have the password; the first to confirm has the account, the other nothing. Owner and admins are told."""
    first, second = rig.client("carol"), rig.client("carol")
    mine, other = (client.api("POST", "totp").json() for client in (first, second))
    assert confirm(first, mine["enrollment"], shown(mine["secret"], rig.clock())).status == 200
    got = confirm(second, other["enrollment"], shown(other["secret"], rig.clock()))
    assert got.status in {401, 404}
    assert not opens(got)
    assert second.get().code == "two_step_code_required"
    assert rig.town.account("carol").totps[0].secret == base64.b32decode(mine["secret"])
    assert notified(rig, "carol", "factor_added") == ("owner", "admins")


def test_E01_an_administrators_account_needs_the_code_from_the_shell(build: Build) -> None:
    """The password of an administrator who has no two-step yet opens nothing, nor does any other code."""
    rig = build(**BOSS)
    rig.town.meet("boss")
    mallory = rig.client("boss")
    carol = enroll(rig.client("carol"))
    real = setup_code(rig, "boss")
    others = (*rig.person("root").codes[:1], *carol.codes[:1], "0000-0000-0000-0000", real[:-1], f"{real}0")
    for code in (None, "", " ", *others):
        rig.clock.go(1_000)
        got = mallory.api("POST", "totp", {} if code is None else {"setup_code": code})
        assert got.code in {"invalid", "code_rejected"}, code
        mallory.page("/mfa/setup")
        got = mallory.submit("setup/choose", how="totp", setup_code=code or "")
        assert got.status == 422
    for path in ("setup/confirm", "setup/saved", "setup/later", "setup/codes.txt"):
        mallory.page("/mfa/setup")
        assert not opens(rig.ask(form_ask(mallory, path, code="123456")))
    assert mallory.get("/mfa/api/v1/admin/policy").code == "two_step_setup_required"
    assert not challenges(rig, "boss")
    rig.clock.go(1_000)
    assert mallory.api("POST", "totp", {"setup_code": f" {real.upper()} "}).status == 200


def test_E01_W18_the_password_of_the_help_desk_resets_nobody(build: Build) -> None:
    """Whoever knows two passwords, of the help desk and of alice, does not set up the one to take over the other."""
    rig = build(admin={"admins": ["root"], "help_desk": ["desk"], "setup_code": True})
    rig.town.meet("desk")
    mallory, alice = rig.client("desk"), rig.person("alice").id
    assert mallory.api("POST", "totp", {}).code == "invalid"
    mallory.page("/mfa/setup")
    assert mallory.submit("setup/choose", how="totp").status == 422
    for act in ("reset", "sign-out"):
        got = mallory.api("POST", f"admin/users/{alice}/{act}", {"reason": "lost the phone"})
        assert got.code == "two_step_setup_required"
    assert rig.town.account("alice").has_factor
    given = command(
        rig, "admin-code", "--user", "desk", "--json", admin='{ admins = ["root"], help_desk = ["desk"] }'
    )
    begun = rig.client("desk").api("POST", "totp", {"setup_code": json.loads(given)["code"]})
    assert begun.status == 200


def test_E01_setup_codes_are_guessed_on_a_budget(build: Build) -> None:
    """An administrator's setup code has the limits of any code, from however many browsers."""
    rig = build(**BOSS)
    rig.town.meet("boss")
    real = setup_code(rig, "boss")
    for number in range(PAUSE_AFTER):
        rig.clock.go(61)
        got = rig.client("boss").api("POST", "totp", {"setup_code": f"{number:016}"})
        assert got.code == "code_rejected"
    for code in ("1" * 16, real):
        assert rig.client("boss").api("POST", "totp", {"setup_code": code}).code == "paused"
        fresh = rig.client("boss")
        fresh.page("/mfa/setup")
        assert rig.ask(form_ask(fresh, "setup/choose", how="totp", setup_code=code)).status == 429
    for number in range(PAUSE_AFTER, LOCK_AFTER):
        rig.clock.go(1_000)
        assert rig.client("boss").api("POST", "totp", {"setup_code": f"{number:016}"}).code == "code_rejected"
    rig.clock.go(10_000)
    assert rig.client("boss").api("POST", "totp", {"setup_code": real}).code == "paused"
    assert rig.client("boss").api("POST", "totp", {"setup_code": setup_code(rig, "boss")}).status == 200


@pytest.mark.parametrize("why", ["spent", "made anew", "a day old", "reset"])
def test_E01_a_setup_code_that_is_over(build: Build, why: str) -> None:
    """A setup code is for one enrollment, within a day, and void once there is another."""
    rig = build(**BOSS)
    rig.town.meet("boss")
    code, boss = setup_code(rig, "boss"), rig.client("boss")
    begun = rig.client("boss").api("POST", "totp", {"setup_code": code}).json()
    if why == "made anew":
        setup_code(rig, "boss")
    elif why == "a day old":
        rig.clock.go(86_400)
    else:
        started = boss.api("POST", "totp", {"setup_code": code}).json()
        assert confirm(boss, started["enrollment"], shown(started["secret"], rig.clock())).status == 200
        if why == "spent":
            assert confirm(boss, begun["enrollment"], shown(begun["secret"], rig.clock())).status in {
                401,
                404,
            }
        rig.town.reset("boss", rig.clock())
        rig.clock.go(5)
    again = rig.client("boss").api("POST", "totp", {"setup_code": code})
    assert (again.status, again.code) == (401, "code_rejected")
    late = confirm(rig.client("boss"), begun["enrollment"], shown(begun["secret"], rig.clock()))
    assert late.status == 404


# Before the first factor


def test_E03_nothing_is_open_before_the_first_factor(rig: Rig) -> None:
    """Every address by every method, by nobody: refused or sent to sign in, never shown and never an error."""
    before = rig.town.store.policy(), rig.town.account("bob")
    for target in (*addresses(rig.person("bob").id), "/mfa/setup/codes.txt", "/mfa/api/v1/devices"):
        for verb in VERBS:
            for kind in (NAVIGATION, ()):
                got = rig.ask(Ask(method=verb, target=target, headers=kind))
                assert got.status < 500, (verb, target)
                assert not got.values("set-cookie") or not opens(got)
                if got.status < 300:
                    assert OPEN_TO_ALL.fullmatch(target) or _is_goodbye(verb, target), (verb, target)
                elif got.status < 400:
                    assert got.status == 303
                    where = unquote(got.header("location"))
                    assert where.startswith(("/login", "/mfa/sign-in", "/mfa/account")), (verb, target, where)
                else:
                    assert got.status in {400, 401, 403, 404, 405, 414, 415, 421}, (verb, target)
    assert (rig.town.store.policy(), rig.town.account("bob")) == before
    assert not rig.seen


@pytest.mark.parametrize("user", ["bob", "root", "carol"])
def test_E03_little_is_open_before_the_second(rig: Rig, user: str) -> None:
    """With the first factor alone no setting is shown and none is changed, by any method."""
    before = rig.town.store.policy(), rig.town.account("alice"), rig.town.account(user)
    client = rig.client(user)
    client.page("/mfa/setup" if user == "carol" else "/mfa/verify")
    token = csrf(client)
    mine = {
        "/mfa/setup",
        "/mfa/setup/choose",
        "/mfa/verify",
        "/mfa/signout",
        "/mfa/api/v1/status",
        "/mfa/api/v1/totp",
    }
    if user == "carol":
        mine |= {"/mfa/account", "/mfa/setup/later", "/mfa/setup/back"}
    for target in addresses(rig.person("alice").id):
        if target in mine or OPEN_TO_ALL.fullmatch(target):
            continue
        fitting = b'{"reason":"lost it"}' if target.endswith("/reset") else b'{"require_two_step":false}'
        for verb in VERBS:
            body = f"csrf={quote(token)}&reason=lost+it&code=".encode()
            form: Headers = (
                ("Origin", "http://localhost:8000"),
                ("Content-Type", "application/x-www-form-urlencoded"),
            )
            got = client.ask(verb, target, (*NAVIGATION[:2], *form), body)
            assert not 200 <= got.status < 300, (verb, target)
            assert got.status < 500, (verb, target)
            json: Headers = (("MFA-Gate-Request", "1"), ("Content-Type", "application/json"))
            for sent in (b"", fitting) if verb in {"POST", "PATCH"} else (fitting,):
                got = client.ask(verb, target, json, sent)
                assert not 200 <= got.status < 300, (verb, target)
                assert got.status < 500, (verb, target)
    assert (rig.town.store.policy(), rig.town.account("alice"), rig.town.account(user)) == before
    assert not rig.seen


# Secrets that were not confirmed


def test_E04_every_start_makes_another_secret(rig: Rig) -> None:
    """A secret is made when it is asked for, and never twice; what was not confirmed opens nothing."""
    carol = rig.client("carol")
    started = [carol.api("POST", "totp").json()["secret"] for _ in range(4)]
    pages = [begin_at_page(rig.client("carol")) for _ in range(3)]
    assert len({*started, *pages}) == 7
    for secret in (*started, *pages):
        assert carol.verify(shown(secret, rig.clock())).code == "code_rejected"
    assert carol.get().code == "two_step_setup_required"


@pytest.mark.parametrize(
    ("age", "lives"), [(599, True), (600, False), (601, False), (86_400, False), (-61, False)]
)
def test_E04_a_secret_that_was_not_confirmed_dies(rig: Rig, age: int, *, lives: bool) -> None:
    """Ten minutes, on pages and in the API, whatever way the clock is turned."""
    page_of_carol, caller = rig.client("carol"), rig.client("carol")
    secret = begin_at_page(page_of_carol)
    started = caller.api("POST", "totp").json()
    rig.clock.go(age)
    if not lives:
        assert secret not in page_of_carol.page("/mfa/setup").text
    got = confirm(caller, started["enrollment"], shown(started["secret"], rig.clock()))
    assert (got.status == 200) is lives
    assert rig.town.account("carol").has_factor is lives


def test_E04_an_app_that_is_being_replaced_counts_until_the_new_one_is_confirmed(rig: Rig) -> None:
    """The secret of a replacement opens nothing before, and the old one nothing afterwards."""
    alice = rig.client("alice", verified=True)
    started = alice.api("POST", "totp").json()
    rig.clock.go(60)
    assert rig.client("alice").verify(shown(started["secret"], rig.clock())).code == "code_rejected"
    assert rig.client("alice").verify(rig.person("alice").code(rig.clock())).status == 200
    rig.clock.go(30)
    got = confirm(alice, started["enrollment"], shown(started["secret"], rig.clock()))
    assert got.status == 200
    rig.clock.go(30)
    assert rig.client("alice").verify(rig.person("alice").code(rig.clock())).code == "code_rejected"
    assert rig.client("alice").verify(shown(started["secret"], rig.clock())).status == 200


def test_E04_five_wrong_codes_end_an_enrollment(rig: Rig) -> None:
    """An unconfirmed secret is not there to be guessed at; the account's own count stays clear."""
    carol = rig.client("carol")
    started = carol.api("POST", "totp").json()
    for _ in range(5):
        assert (
            confirm(carol, started["enrollment"], wrong_of(started["secret"], rig.clock())).code
            == "code_rejected"
        )
    assert confirm(carol, started["enrollment"], shown(started["secret"], rig.clock())).status == 404


# What is shown once


def test_E06_no_secret_is_ever_shown_again(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Seeds, codes, ids of sessions: in no answer to anybody, no command's output, no log, and never at the portal."""
    caplog.set_level(logging.DEBUG)
    carol = rig.client("carol")
    person = enroll(carol)
    secrets = told(carol, person)
    for who in (
        carol,
        rig.client("carol"),
        rig.client("alice", verified=True),
        rig.client("root", verified=True),
    ):
        for target in (
            *addresses(person.id),
            page("/admin/users/{id}", person.id),
            "/mfa/admin/audit?person=carol",
        ):
            for kind in (NAVIGATION, ()):
                got = who.ask("GET", target, kind)
                assert_none(secrets, got.body, f"GET {target} by {who.user}")
                assert_none(secrets, repr(got.headers).encode(), f"GET {target} by {who.user}")
    for words in (
        ("users", "list"),
        ("users", "show", "carol"),
        ("audit", "list"),
        ("policy", "show"),
        ("explain", "GET", "/files", "--user", "carol"),
    ):
        for more in ((), ("--json",)):
            assert_none(secrets, command(rig, *words, *more).encode(), f"mfa-gate {' '.join(words)}")
    assert_none(secrets, repr(rig.seen).encode(), "what reached the portal")
    assert_none(secrets, caplog.text.encode(), "the log")


def test_E06_errors_show_no_secret_either(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in the middle says nothing of what it was about."""
    caplog.set_level(logging.DEBUG)
    carol = rig.client("carol")
    started = carol.api("POST", "totp").json()
    rig.town.people["carol"] = Person(subject="carol", secret=started["secret"], codes=())
    secrets = told(carol, rig.person("carol"))
    for body in ({"enrollment": started["enrollment"]}, {"enrollment": started["enrollment"], "code": "12"}):
        got = carol.api("POST", "totp/confirm", body)
        assert_none(secrets, got.body, "a confirmation that fails")
    with rig.town.holding.away():
        rig.clock.go(6)
        got = confirm(carol, started["enrollment"], shown(started["secret"], rig.clock()))
    assert got.status == 503
    assert_none(secrets, got.body, "a store that is away")
    assert_none(secrets, caplog.text.encode(), "the log")


# What is spent once


def test_E08_a_confirmation_is_taken_once(rig: Rig, crew: Crew) -> None:
    """The confirmation of an enrollment, sent again and by forty at once, makes one factor and one session."""
    crew.join(rig)
    carol = rig.client("carol")
    started = carol.api("POST", "totp").json()
    body = {"enrollment": started["enrollment"], "code": shown(started["secret"], rig.clock())}
    answers = crew.fire([api_ask(carol, "POST", "totp/confirm", body)] * 40, rig.clock())
    assert sum(got.status == 200 for got in answers) == 1
    assert sum(opens(got) for got in answers) == 1
    assert {got.status for got in answers} <= {200, 401, 404, 503}
    assert len(rig.town.account("carol").totps) == 1
    assert rig.town.events("carol").count("factor_added") == 1
    assert len(rig.town.store.sessions(account_id(REALM, "carol"), int(rig.clock()))) == 1
    assert carol.api("POST", "totp/confirm", body).status in {401, 404}


# Changes without a fresh code

CHANGES: dict[str, dict[str, str]] = {
    "account/replace": {},
    "account/recovery-codes": {},
    "account/turn-off": {},
    "admin/settings/policies": {"version": "1"},
    "admin/users/{bob}/reset": {"reason": "lost the phone"},
    "admin/users/{bob}/sign-out": {},
}


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("session", ["old", "by a recovery code"])
def test_E10_nothing_is_changed_without_a_fresh_code(rig: Rig, path: str, session: str) -> None:
    """An old session, or one that a recovery code opened, is asked for a code of the app before anything happens."""
    bob = rig.person("bob").id
    root = rig.client("root", verified=session == "old")
    if session == "old":
        rig.clock.go(1_000)
    else:
        assert root.verify(rig.person("root").codes[0], "recovery_code").status == 200
        if path == "account/replace":
            return
    root.page("/mfa/account")
    before = {name: rig.town.account(name) for name in ("root", "bob")}
    policy = rig.town.store.policy()
    target = path.replace("{bob}", bob)
    fields = CHANGES[path] | ({"version": str(policy.version)} if "version" in CHANGES[path] else {})
    for more in (
        {},
        {"code": ""},
        {"code": " "},
        {"max_age": "999999"},
        {"verified_at": str(int(rig.clock()))},
    ):
        got = rig.ask(form_ask(root, target, **fields, **more))
        assert got.status in {200, 303, 403, 422}
        assert not opens(got)
    assert {name: rig.town.account(name) for name in ("root", "bob")} == before
    assert rig.town.store.policy() == policy
    assert not challenges(rig, "root")


def test_E10_the_api_asks_for_a_fresh_code_too(rig: Rig) -> None:
    """The same by program: what is asked for is said, and nothing has changed."""
    root = rig.client("root", verified=True)
    rig.clock.go(1_000)
    before = rig.town.account("root"), rig.town.account("bob"), rig.town.store.policy()
    bob = rig.person("bob").id
    asked = {
        "POST totp": {},
        f"POST admin/users/{bob}/reset": {"reason": "lost the phone"},
        "PATCH admin/policy": {"require_two_step": False},
    }
    for call, body in asked.items():
        got = root.api(*call.split(" ", 1), body)  # type: ignore[arg-type]
        assert (got.status, got.code) == (401, "two_step_code_required"), call
        assert "totp" in got.json()["factors"]
    assert (rig.town.account("root"), rig.town.account("bob"), rig.town.store.policy()) == before


def test_E10_turning_the_policy_off_takes_a_code_however_fresh_the_session(rig: Rig) -> None:
    """A page of the portal can ride an administrator's session; it has no code."""
    root = rig.client("root", verified=True)
    for body in (
        {},
        {"confirm": None},
        {"confirm": {"factor": "recovery_code", "code": rig.person("root").codes[0]}},
    ):
        got = root.api("PATCH", "admin/policy", {"require_two_step": False, **body})
        assert got.status == 401
    assert rig.town.store.policy().require_two_step
    assert len(rig.town.account("root").recovery.hashes) == 10  # type: ignore[union-attr]


# What belongs to somebody else


def test_E12_what_belongs_to_somebody_else_is_not_there(rig: Rig) -> None:
    """Bob asks for, ends and finishes what is alice's: the same answer as for what never was."""
    alice, bob = rig.client("alice", verified=True), rig.client("bob", verified=True)
    kept = rig.town.store.sessions(rig.person("alice").id, int(rig.clock()))[0]
    session = kept.handle
    started = alice.api("POST", "totp").json()
    bob.page("/mfa/account")
    answers = [
        rig.ask(form_ask(bob, "account/sessions/end", session=name))
        for name in (session, kept.key, "0" * 32, "", "x", session.upper(), f"{session} ", "../" + session)
    ]
    assert {got.status for got in answers} == {404}
    assert len({re.sub(rb"[\w-]+\.[\w-]+\.[\w-]{43}", b"", got.body) for got in answers}) == 1
    mine = confirm(bob, started["enrollment"], shown(started["secret"], rig.clock()))
    unknown = confirm(bob, "f" * 64, shown(started["secret"], rig.clock()))
    assert (mine.status, mine.body) == (unknown.status, unknown.body) == (404, unknown.body)
    for target in (rig.person("alice").id, "0" * 32, "alice", rig.person("bob").id):
        assert bob.get(f"/mfa/api/v1/admin/users/{target}").status == 403
        got = bob.api("POST", f"admin/users/{target}/reset", {"reason": "lost the phone"})
        assert got.status == 403
        assert bob.visit(f"/mfa/admin/users/{target}").status == 404
    assert alice.get().status == 200
    assert app(rig, "alice").secret == base64.b32decode(rig.person("alice").secret)


# The last factor


def test_E13_the_last_factor_stays_while_it_is_required(rig: Rig) -> None:
    """Nobody turns their own off under the policy, with whatever code; and the code is not spent for it."""
    rig.clock.go(60)
    alice = rig.client("alice", verified=True)
    alice.page("/mfa/account")
    code = rig.person("alice").code(rig.clock())
    for given in (code, wrong(rig, "alice"), rig.person("alice").codes[0]):
        assert rig.ask(form_ask(alice, "account/turn-off", code=given)).status in {403, 422}
    assert rig.town.account("alice").has_factor
    assert rig.client("alice").verify(code).status == 200


def test_E13_turning_off_and_requiring_at_once_never_ends_in_a_way_through(
    build: Build, crew: Crew, scale: Scale
) -> None:
    """Whoever is quicker: alice has her factor, or is taken to the wizard."""
    for _ in range({"small": 2, "full": 20}[scale]):
        rig = build(policy=False)
        crew.join(rig)
        alice, root = rig.client("alice", verified=True), rig.client("root", verified=True)
        alice.page("/mfa/account")
        rig.clock.go(30)
        off = form_ask(alice, "account/turn-off", code=rig.person("alice").code(rig.clock()))
        on = api_ask(root, "PATCH", "admin/policy", {"require_two_step": True})
        crew.fire([off, on, off, on, off, off, on, off], rig.clock())
        assert rig.town.store.policy().require_two_step
        assert rig.town.events("alice").count("turned_off") <= 1
        has = rig.town.account("alice").has_factor
        wanted = "two_step_code_required" if has else "two_step_setup_required"
        for got in crew.each(Ask(headers=rig.client("alice").cookies), rig.clock() + 5):
            assert got.code == wanted


# Recovery codes


def test_E14_recovery_codes_are_taken_once(rig: Rig, crew: Crew, scale: Scale) -> None:
    """A hundred uses of one code at once, in four processes: one is accepted, and it is gone from everywhere."""
    crew.join(rig)
    person = rig.person("alice")
    for number in range({"small": 2, "full": 10}[scale]):
        code, before = person.codes[number], rig.town.account("alice")
        body = {"factor": "recovery_code", "code": code}
        asks = [api_ask(rig.client("alice"), "POST", "verify", body) for _ in range(100)]
        answers = crew.fire(asks, rig.clock())
        assert sum(got.status == 200 for got in answers) == 1
        left = rig.town.account("alice").recovery
        assert left is not None
        assert before.recovery is not None
        assert len(left.hashes) == len(before.recovery.hashes) - 1
        _forgive_all(rig)
        assert _recovers_anywhere(rig, code) == []


def test_E14_a_used_code_in_another_spelling(rig: Rig) -> None:
    """However it is written, a code has one use; what is no spelling of it counts as a try."""
    person = rig.person("alice")
    code = person.codes[0]
    assert rig.client("alice").verify(code, "recovery_code").status == 200
    bare = code.replace("-", "")
    for written in (
        code,
        bare,
        bare.upper(),
        f" {code} ",
        code.replace("-", " "),
        code.replace("0", "o"),
        f"{code}\n",
    ):
        _forgive_all(rig)
        assert _recovers_anywhere(rig, written) == []


def test_E14_codes_of_others_and_of_other_kinds(build: Build) -> None:
    """Another person's code, a setup code, a code of the app: none is a recovery code, nor the other way round."""
    rig = build(**BOSS)
    rig.town.meet("boss")
    rig.clock.go(60)
    alice = rig.person("alice")
    foreign = (rig.person("bob").codes[0], setup_code(rig, "boss"), alice.code(rig.clock()), alice.secret)
    for code in foreign:
        _forgive_all(rig)
        assert _recovers_anywhere(rig, code) == []
    assert rig.client("alice").verify(alice.codes[0], "totp").code == "code_rejected"
    assert rig.client("alice").verify(alice.codes[0], "recovery_code").status == 200


def test_E14_guessing_recovery_codes_is_on_the_budget(rig: Rig) -> None:
    """Recovery codes have the same limits, and trying them buys no tries at the app."""
    for number in range(PAUSE_AFTER):
        rig.clock.go(61)
        assert rig.client("bob").verify(f"{number:016}", "recovery_code").code == "code_rejected"
    rig.clock.go(1)
    for code in ("1" * 16, rig.person("bob").codes[0]):
        assert rig.client("bob").verify(code, "recovery_code").code == "paused"
    while not rig.town.account("bob").is_locked:
        rig.clock.go(1_000)
        rig.client("bob").verify("2" * 16, "recovery_code")
    assert rig.client("bob").verify(rig.person("bob").code(rig.clock())).code == "paused"
    assert failures(rig, "bob") == 0


# At rest


def test_E16_nothing_is_kept_in_clear(build: Build) -> None:
    """The store's files, the write-ahead log among them, hold no seed, code, or id of a session in any spelling."""
    rig = build(**BOSS)
    carol = rig.client("carol")
    started = carol.api("POST", "totp").json()
    assert_none(
        {started["secret"], *spelled(started["secret"])},
        rig.town.holding.everything(),
        "an unconfirmed secret",
    )
    rig.town.people["carol"] = Person(subject="carol", secret=started["secret"], codes=())
    done = confirm(carol, started["enrollment"], shown(started["secret"], rig.clock())).json()
    person = Person(subject="carol", secret=started["secret"], codes=tuple(done["recovery_codes"]))
    rig.town.meet("boss")
    code = setup_code(rig, "boss")
    for user in ("alice", "bob"):
        rig.client(user, verified=True).get()
    everything = told(carol, person) | {code, code.replace("-", "")}
    for other in ("alice", "bob", "root"):
        everything |= told(rig.client(other, verified=True), rig.person(other))
    assert_none(everything, rig.town.holding.everything(), "the store")


def test_E16_a_dump_alone_signs_nobody_in(build: Build) -> None:
    """With the store's file and keys of their own a thief gets neither a session nor a seed, and opens nothing."""
    rig = build()
    alice = rig.client("alice", verified=True)
    (rig.town.place / "keys.json").unlink()
    KeyRing.generate(os.urandom).write(rig.town.place / "keys.json")
    thief = Rig(rig.door, rig.town, store={"url": rig.town.url})
    thief.clock.now = rig.clock()
    try:
        for cookies in (alice.cookies, rig.client("alice").cookies, rig.client("carol").cookies):
            got = thief.ask(Ask(headers=cookies))
            assert got.status == 503
        for key in (each.key for each in rig.town.store.sessions(rig.person("alice").id, int(rig.clock()))):
            got = thief.get("/files", cookies=[rig.portal_cookie("alice"), f"mfa_gate={key}"])
            assert got.status == 503
        assert not thief.seen
    finally:
        thief.close()


# New codes


def test_E18_new_codes_void_the_old_at_once(rig: Rig, crew: Crew) -> None:
    """From the moment that new codes are shown no old one is taken, by any process; the owner is told."""
    crew.join(rig)
    alice = rig.client("alice", verified=True)
    alice.page("/mfa/account")
    got = alice.submit("account/recovery-codes")
    fresh = [each.get_text() for each in alice.soup.select("#codes li")]
    assert got.status == 200
    assert len(fresh) == 10
    assert not set(fresh) & set(rig.person("alice").codes)
    for number, old in enumerate(rig.person("alice").codes[:4]):
        _forgive_all(rig)
        ask = api_ask(rig.client("alice"), "POST", "verify", {"factor": "recovery_code", "code": old})
        answers = crew.each(ask, rig.clock())
        assert {got.code for got in answers} <= {"code_rejected", "unavailable"}, number
        assert not [got for got in answers if opens(got)]
    _forgive_all(rig)
    assert rig.client("alice").verify(fresh[0], "recovery_code").status == 200
    assert notified(rig, "alice", "recovery_codes_made") == ("owner",)
    assert notified(rig, "alice", "recovery_code_used") == ("owner",)


def test_E18_a_session_by_a_recovery_code_can_do_less(rig: Rig) -> None:
    """It reaches the portal and may replace the app; no settings of others, no new codes, no step-up, no `mfa`."""
    root = rig.client("root")
    assert root.verify(rig.person("root").codes[0], "recovery_code").json()["session"]["amr"] == [
        "urn:mfa-gate:recovery_code"
    ]
    assert root.get().status == 200
    assert rig.seen[-1].told is not None
    assert "mfa" not in rig.seen[-1].told["amr"]
    assert root.get("/archive/x").code == "two_step_code_required"
    assert root.get("/mfa/api/v1/admin/policy").code == "two_step_code_required"
    assert root.get("/mfa/api/v1/admin/users").code == "two_step_code_required"
    assert root.visit("/mfa/admin/users").status != 200 or "code" in root.soup.get_text().lower()
    assert root.api("POST", "totp").status == 200


# Another password


def test_E19_another_password_at_the_portal_leaves_two_step_as_it_is(rig: Rig) -> None:
    """A sign-in after the password was changed or reset is asked for a code, and the factors are those of before."""
    before = rig.town.account("alice")
    alice = rig.client("alice", verified=True)
    assert alice.get().status == 200
    alice.ask("POST", "/login", (), b"username=alice&password=new")
    alice.sign_in("alice")
    for client in (alice, rig.client("alice")):
        assert client.get().code == "two_step_code_required"
    after = rig.town.account("alice")
    assert (after.totps, after.recovery) == (before.totps, before.recovery)


# A reset


def _by_admin(rig: Rig) -> None:
    root = rig.client("root", verified=True)
    got = root.api("POST", f"admin/users/{rig.person('alice').id}/reset", {"reason": "lost the phone"})
    assert got.status == 200, got.text


def _by_page(rig: Rig) -> None:
    desk, alice = rig.client("help", verified=True), rig.person("alice").id
    asked = desk.page(f"/mfa/admin/users/{alice}/reset")
    fields = desk.form(f"admin/users/{alice}/reset") | {"reason": "lost the phone"}
    assert asked.status == 200
    assert desk.post(f"/mfa/admin/users/{alice}/reset", fields).status == 303


def _by_shell(rig: Rig) -> None:
    assert "alice is reset" in command(rig, "users", "reset", "alice", "--reason", "lost the phone")


@pytest.mark.parametrize("reset", [_by_admin, _by_page, _by_shell])
def test_E20_a_reset_leaves_nothing_alive(rig: Rig, crew: Crew, reset: Callable[[Rig], None]) -> None:
    """Sessions, ways and enrollments begun, the old app and codes: dead in every process within five seconds."""
    crew.join(rig)
    person = rig.person("alice")
    lives = [rig.client("alice", verified=True) for _ in range(3)]
    asks = [Ask(headers=client.cookies) for client in lives]
    assert {got.status for ask in asks for got in crew.each(ask, rig.clock())} == {200}
    reached = crew.reached()
    replacing = lives[0].api("POST", "totp").json()
    at_page = rig.client("alice")
    at_page.page("/mfa/verify")
    rig.clock.go(30)
    way = form_ask(at_page, "verify", factor="totp", code=person.code(rig.clock()))
    reset(rig)
    for got in (answer for ask in asks for answer in crew.each(ask, rig.clock() + 5)):
        assert got.code == "two_step_setup_required"
    rig.clock.go(5)
    for client in lives:
        done = confirm(client, replacing["enrollment"], shown(replacing["secret"], rig.clock()))
        assert done.status in {401, 404}
    assert not opens(rig.ask(way))
    code = person.code(rig.clock(), 1)
    for factor, given in (("totp", code), ("recovery_code", person.codes[0])):
        assert rig.client("alice").verify(given, factor).code == "code_rejected"
    enroll(rig.client("alice"))
    for client in lives:
        assert client.get().code == "two_step_code_required"
    assert rig.client("alice").verify(person.codes[1], "recovery_code").code == "code_rejected"
    assert crew.reached() == reached


@ASGI
def test_E20_killed_in_the_middle_of_a_reset_it_is_done_or_not_begun(rig: Rig) -> None:
    """The power goes at whichever call of the store: not one app, code or session goes or stays without the rest."""
    rig.client("alice", verified=True)
    rig.town.close()
    place, now = rig.town.place, int(rig.clock())
    said = subprocess.run(
        [sys.executable, "-m", "tests.attacks.resetter", str(place), "alice", str(now)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    found = [json.loads(line) for line in said.splitlines()]
    killed = [each.pop("killed") for each in found]
    assert killed[0], "before it began"
    assert len(found) > 3, "and at many places"
    assert found[0] | {"sessions": 1} == {"apps": 1, "codes": 10, "sessions": 1, "resets": 0, "broken": None}
    assert found[:-1] == found[:1] * (len(found) - 1)
    assert found[-1] == {"apps": 0, "codes": 0, "sessions": 0, "resets": 1, "broken": None}


def test_E20_a_session_that_comes_back_to_the_store_is_dead(rig: Rig) -> None:
    """Written again by somebody who may write to the store, or by a slow process: it is of another epoch."""
    alice = rig.client("alice", verified=True)
    key = hashlib.sha256(session_id(alice).encode()).hexdigest()
    (session,) = (
        each for each in rig.town.store.sessions(rig.person("alice").id, int(rig.clock())) if each.key == key
    )
    for end in (lambda: rig.town.reset("alice", rig.clock()), lambda: rig.town.enroll("alice", rig.clock())):
        end()
        rig.clock.go(5)
        back = Change(account=rig.town.account("alice"), open_session=session)
        rig.town.store.commit(back, int(rig.clock()))
        assert alice.get().status == 401
    assert not rig.seen


def test_E20_a_replaced_app_ends_every_other_session(rig: Rig, crew: Crew) -> None:
    """Whoever replaces the app is left alone with it: all other sessions are over, in every process."""
    crew.join(rig)
    mine, other = rig.client("alice", verified=True), rig.client("alice", verified=True)
    ask = Ask(headers=other.cookies)
    assert {got.status for got in crew.each(ask, rig.clock())} == {200}
    started = mine.api("POST", "totp").json()
    rig.clock.go(30)
    assert confirm(mine, started["enrollment"], shown(started["secret"], rig.clock())).status == 200
    assert {got.code for got in crew.each(ask, rig.clock() + 5)} == {"two_step_code_required"}
    assert {got.status for got in crew.each(Ask(headers=mine.cookies), rig.clock() + 5)} == {200}


# Sessions from before


def test_E21_sessions_from_before_two_step_are_asked(lax: Rig, crew: Crew) -> None:
    """Carol sets it up in one browser; in the other, where she was in already, the next request is asked for a code."""
    crew.join(lax)
    here, there = lax.client("carol"), lax.client("carol")
    ask = Ask(headers=there.cookies)
    assert {got.status for got in crew.each(ask, lax.clock())} == {200}
    assert there.get().status == 200
    enroll(here)
    assert there.get().code == "two_step_code_required"
    assert here.get().status == 200
    assert {got.code for got in crew.each(ask, lax.clock() + 5)} == {"two_step_code_required"}


def wrong_of(secret: str, now: float) -> str:
    """Six digits that an app with this secret does not show around now."""
    near = {pyotp.TOTP(secret).at(int(now) + 30 * steps) for steps in range(-3, 4)}
    return next(code for code in ("135791", "246802", "999999", "000001") if code not in near)


def challenges(rig: Rig, user: str) -> list[str]:
    """What somebody has begun and not finished."""
    return [each for each in rig.town.holding.live(account_id(REALM, user)) if each.startswith("challenge ")]


def begun_in(client: Client) -> str:
    """The id of the enrollment that a browser is on, as its pending cookie says."""
    payload = client.jar["mfa_gate_pending"].split(".")[0]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["enrollment"]
    assert isinstance(found, str)
    return found


def spelled(secret: str) -> set[str]:
    """Other spellings of a seed."""
    raw = base64.b32decode(secret)
    return {
        secret.lower(),
        raw.hex(),
        raw.hex().upper(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "otpauth://",
        quote(secret),
        " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    }


def told(client: Client, person: Person) -> set[str]:
    """Everything that was told to somebody once, in all spellings."""
    found = {person.secret, *spelled(person.secret)}
    for code in person.codes:
        found |= {code, code.replace("-", ""), code.upper()}
    if client.session:
        found |= {client.session, client.session.split(".")[0], session_id(client)}
    return found


def session_id(client: Client) -> str:
    """The secret id of a client's session, as its cookie says."""
    payload = client.session.split(".")[0]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["id"]
    assert isinstance(found, str)
    return found


def assert_none(secrets: set[str], text: bytes, where: str) -> None:
    """None of the secrets is in the text."""
    for secret in secrets:
        assert secret.encode() not in text, f"{secret} in {where}"


def command(rig: Rig, *words: str, admin: str = '{ admins = ["root"], setup_code = false }') -> str:
    """What a command of ours prints on this gate's own server."""
    place = rig.town.place / "mfa-gate.toml"
    place.write_text(
        """
public_url = "http://localhost:8000"
name = "Example Files"
keys = { file = "keys.json" }
store = { url = "STORE" }
admin = ADMIN
portal = { rules = [{ kind = "sign_in", path = "/login" }, { kind = "sign_out", path = "/logout" }] }
[[identity]]
source = "starlette_session"
secret = "env:PORTAL_SECRET"
field = "user"
""".replace("STORE", rig.town.url).replace("ADMIN", admin),
        "utf-8",
    )
    invocation = Invocation(Sources(clock=rig.clock, random=lambda size: b"\7" * size))
    found = CliRunner().invoke(
        main, ["--settings", str(place), *words], obj=invocation, env={"PORTAL_SECRET": SECRET}
    )
    assert found.exit_code == 0, found.output
    return found.output


def _recovers_anywhere(rig: Rig, code: str) -> list[str]:
    """The surfaces that take this recovery code of alice's."""
    account = rig.town.account("alice")
    taken = []
    fresh, at_page, old = rig.client("alice"), rig.client("alice"), rig.client("alice", verified=True)
    if fresh.verify(code, "recovery_code").status == 200:
        taken.append("api")
    at_page.page("/mfa/verify?factor=recovery_code")
    if opens(rig.ask(form_ask(at_page, "verify", factor="recovery_code", code=code))):
        taken.append("page")
    old.page("/mfa/account")
    rig.clock.go(400)
    if opens(rig.ask(form_ask(old, "account/replace", code=code))):
        taken.append("replace")
    assert rig.town.account("alice").epoch == account.epoch
    return taken


def _forgive_all(rig: Rig) -> None:
    forgive(rig, "alice")


def _is_goodbye(verb: str, target: str) -> bool:
    """Signing out is for everybody: who is nobody is told that they are signed out."""
    return target == "/mfa/signout" and verb == "POST"
