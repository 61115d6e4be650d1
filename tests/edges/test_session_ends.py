"""A new sign-in to the portal asks again: which requests end the gate's session, and which must not."""

from typing import Any

import pytest

from tests.edges.asking import Ask, Headers
from tests.edges.fixtures import Build
from tests.edges.rig import Client, Rig
from tests.edges.town import RULES

CROSS: Headers = (("Sec-Fetch-Site", "cross-site"),)


def alive(client: Client) -> bool:
    """Whether the session still lets its owner in."""
    return client.get("/files").status == 200


@pytest.mark.parametrize(
    ("method", "target", "ends"),
    [
        ("GET", "/logout", True),
        ("POST", "/logout", True),
        ("HEAD", "/logout", True),
        ("POST", "/login", True),
        ("PUT", "/login", True),
        ("GET", "/login", False),
        ("HEAD", "/login", False),
        ("OPTIONS", "/login", False),
        ("GET", "/public/x", False),
        ("POST", "/files", False),
        ("GET", "/mfa/account", False),
        ("GET", "/files/../logout", False),
        ("GET", "/LOGOUT", False),
    ],
)
def test_by_signing_in_or_out(rig: Rig, method: str, target: str, *, ends: bool) -> None:
    alice = rig.client("alice", verified=True)
    assert alive(alice)
    alice.ask(method, target)
    assert alive(alice) is not ends
    assert ("session_ended" in rig.town.events("alice")) is ends


def test_by_a_sign_in_whose_rule_names_the_method(build: Build) -> None:
    rules = [{"kind": "sign_in", "path": "/callback", "methods": ["GET"]}]
    rig = build(portal={"rules": rules})
    alice = rig.client("alice", verified=True)
    alice.get("/callback?code=x")
    assert not alive(alice)


@pytest.mark.parametrize(
    ("headers", "settings", "ends"),
    [
        ((), {}, True),
        (CROSS, {}, False),
        ((("Sec-Fetch-Site", "same-site"),), {}, True),
        ((), {"narrow_cookie_path": True}, False),
    ],
    ids=["plain", "cross-site", "same-site", "narrow path"],
)
def test_by_a_request_without_the_portals_cookie(
    build: Build, headers: Headers, settings: dict[str, Any], *, ends: bool
) -> None:
    """Signed out without our hearing of it, unless the browser had a reason to leave the cookie away."""
    rig = build(portal={"rules": RULES} | settings)
    alice = rig.client("alice", verified=True)
    got = rig.get("/files", *headers, cookies=[f"mfa_gate={alice.session}"])
    assert got.code == "sign_in_required"
    assert alive(alice) is not ends


def test_by_somebody_else_in_the_same_browser(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    alice.sign_in("bob")
    assert not alive(alice)
    alice.sign_in("alice")
    assert not alive(alice)


def test_not_by_a_request_that_does_not_say_who_it_is(rig: Rig) -> None:
    """Nobody ends a session by sending its cookie beside two others."""
    alice = rig.client("alice", verified=True)
    line = f"{rig.portal_cookie('alice')}; {rig.portal_cookie('bob')}; mfa_gate={alice.session}"
    assert rig.ask(Ask(headers=(("Cookie", line),))).status == 400
    assert alive(alice)


@pytest.mark.parametrize("sid", ["s-2", None, 0, ""])
def test_by_another_sign_in_of_the_same_person_where_it_has_a_name(build: Build, sid: object) -> None:
    identity = [
        {
            "source": "starlette_session",
            "secret": "env:PORTAL_SECRET",
            "field": "user",
            "session_id_field": "sid",
        }
    ]
    rig = build(identity=identity)
    alice = rig.client("alice")
    alice.sign_in("alice", sid="s-1")
    alice.jar["mfa_gate"] = rig.gate_cookie("alice", sign_in="s-1").partition("=")[2]
    assert alive(alice)
    alice.sign_in("alice", sid="s-1")
    assert alive(alice), "its cookie was only signed anew"
    alice.sign_in("alice", sid=sid)
    assert not alive(alice)
    alice.sign_in("alice", sid="s-1")
    assert not alive(alice), "over is over"


def test_a_session_that_cannot_be_ended_now_is_no_pass(rig: Rig) -> None:
    """Somebody signs in anew while the store is away: let through, they would have the old session then."""
    alice = rig.client("alice", verified=True)
    (rig.town.place / "gate.db").rename(rig.town.place / "away")
    assert alice.ask("POST", "/login").status == 503
    assert rig.client(None).ask("POST", "/login").status == 200
    assert alice.get("/logout").status == 200, "nobody is kept from signing out"
    assert len(rig.seen) == 2
