"""Attacks by and on a roster (W19, J12, W10, W14): it gives no right, and whoever it deactivates is out at once."""

import io

import pytest
from msgspec.structs import replace

from mfa_gate.core.events import Actor
from mfa_gate.core.mailboxes import proof_email
from mfa_gate.core.roster import RosterRow
from mfa_gate.flows.importing import Importing, Preview
from mfa_gate.flows.settling import Settling
from mfa_gate.roster.csv_file import BadLine, Numbered, RosterRefused, read
from mfa_gate.roster.draft import Draft
from tests.attacks.grounds import api_ask, form_ask
from tests.edges.asking import NAVIGATION
from tests.edges.fixtures import Build
from tests.edges.rig import Rig

HEAD = "realm,subject,name,email,groups,active\n"
SHELL = Actor(subject="ops", surface="shell")


def put_in_force(rig: Rig, text: str, *, settle: bool = False) -> Preview:
    """The roster in a CSV text is in force; the accounts are told only if that is said."""
    store, now = rig.town.store, int(rig.clock())
    draft = Draft()
    draft.fill(read(io.BytesIO((HEAD + text).encode()), ("portal",)), lambda _: None)
    assert draft.bad == []
    importing = Importing(store.roster, store.stream, random=lambda size: b"i" * size, role_of=lambda _: None)
    preview = importing.compare(draft, now, keep=True, progress=lambda _: None)
    draft.close()
    assert isinstance(preview, Preview)
    importing.confirm(preview, SHELL, "", now)
    if settle:
        assert Settling(store.roster, monotonic=lambda: 0.0).turn(now)
    return preview


def test_J12_whoever_the_roster_deactivates_is_out_at_once_through_every_door(rig: Rig) -> None:
    """Before one account was told of it; with the session, by the pages, by the API, and by a new sign-in."""
    alice = rig.client("alice", verified=True)
    alice.page("/mfa/account")
    form = form_ask(alice, "account/recovery-codes", code=rig.person("alice").code(rig.clock(), 1))
    call = api_ask(alice, "POST", "totp", {})
    assert alice.get("/files").status == 200
    put_in_force(rig, "portal,alice,,,,no\n")
    rig.clock.go(2)
    assert alice.get("/files", *NAVIGATION).status == 403
    assert alice.get("/files").status == 403
    assert rig.ask(form).status == 403
    assert rig.ask(call).status == 403
    assert rig.client("alice").get("/files").status == 403
    kept = rig.town.account("alice")
    assert kept.active
    assert Settling(rig.town.store.roster, monotonic=lambda: 0.0).turn(int(rig.clock()))
    assert not rig.town.account("alice").active
    rig.clock.go(2)
    assert rig.client("alice").get("/files").status == 403


def test_J12_whoever_comes_back_is_asked_for_a_code_again(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    put_in_force(rig, "portal,alice,,,,no\n", settle=True)
    rig.clock.go(2)
    put_in_force(rig, "portal,alice,,,,yes\n", settle=True)
    rig.clock.go(2)
    assert alice.get("/files").status == 401
    assert rig.town.account("alice").has_factor


def test_J12_somebody_never_seen_who_is_not_active_gets_no_wizard(rig: Rig) -> None:
    put_in_force(rig, "portal,mallory,,,,no\n")
    rig.clock.go(2)
    mallory = rig.client("mallory")
    for path in ("/files", "/mfa/setup", "/mfa/account"):
        assert mallory.get(path, *NAVIGATION).status == 403, path
    assert Settling(rig.town.store.roster, monotonic=lambda: 0.0).turn(int(rig.clock()))
    assert not rig.town.account("mallory").has_factor
    rig.clock.go(2)
    assert mallory.get("/mfa/setup", *NAVIGATION).status == 403


@pytest.mark.parametrize(
    "column",
    ["role", "is_admin", "mfa_required", "exempt", "exempt_until", "factor", "epoch", "id", "__proto__"],
)
def test_W19_a_column_that_would_give_something_is_refused(column: str) -> None:
    text = f"realm,subject,{column}\nportal,mallory,admin\n"
    with pytest.raises(RosterRefused, match="gives nobody a right"):
        list(read(io.BytesIO(text.encode()), ("portal",)))


def test_W19_a_group_of_the_roster_makes_no_administrator(build: Build) -> None:
    """Neither where a group of the portal's would."""
    rig = build(admin={"admins": ["root", "group:it@portal"], "setup_code": False})
    put_in_force(rig, "portal,alice,,,it;admins;root;help_desk,\n", settle=True)
    rig.clock.go(2)
    alice = rig.client("alice", verified=True)
    assert alice.api("GET", "admin/users").status in {403, 404}
    assert rig.town.account("alice").groups == ()


def test_W19_a_roster_touches_no_factor_and_makes_nobody_verified(rig: Rig) -> None:
    before = rig.town.account("bob")
    put_in_force(rig, "portal,bob,Robert,bob@example.net,staff,\n", settle=True)
    after = rig.town.account("bob")
    assert replace(after, listing=None, version=0, name="", email="") == replace(
        before, listing=None, version=0, name="", email=""
    )
    rig.clock.go(2)
    assert rig.client("bob").get("/files").status == 401


def test_W19_a_new_address_takes_nothing_over_within_a_day(rig: Rig) -> None:
    put_in_force(rig, "portal,bob,,bob@example.org,,\n", settle=True)
    put_in_force(rig, "portal,bob,,mallory@example.net,,\n", settle=True)
    bob, now = rig.town.account("bob"), int(rig.clock())
    assert proof_email(bob, now) == proof_email(bob, now + 86_399) == "bob@example.org"
    assert proof_email(bob, now - 86_400) == "bob@example.org"
    events = rig.town.store.events(account_id=bob.id, kind="address_changed", before=None, limit=9)
    assert events[0].event.notify == ("owner",)


@pytest.mark.parametrize(
    "cells",
    [
        "portal,alice,A\r\nBcc: x@example.net,,,",
        'portal,alice,"A\nB",,,',
        'portal,alice,,"a@example.com\r\nBcc: b@example.net",,',
        "portal,alice,,a@example.com%0aBcc:b@example.net,,",
        "portal,alice,A\u202eB,,,",
        "portal,al\x1b[31mice,,,,",
        "portal,alice,,,a\x07b,",
    ],
)
def test_W14_no_line_end_nor_escape_comes_in_by_a_name_an_address_or_a_group(cells: str) -> None:
    found = list(read(io.BytesIO((HEAD + cells + "\n").encode()), ("portal",)))
    assert found
    for each in found:
        assert isinstance(each, BadLine)
        assert each.why.isprintable()


def test_W10_what_a_roster_calls_somebody_is_text_on_every_page(rig: Rig) -> None:
    name = "<img src=x onerror=alert(1)>"
    put_in_force(rig, f"portal,zoe,{name},,<b>staff</b>,\n", settle=True)
    root = rig.client("root", verified=True)
    rig.clock.go(2)
    zoe = rig.town.account("zoe")
    for path in ("/mfa/admin/users?q=%3Cimg", f"/mfa/admin/users/{zoe.id}"):
        shown = root.get(path, *NAVIGATION)
        assert shown.status == 200
        assert "<img src=x" not in shown.text
        assert "&lt;img src=x" in shown.text


def test_W19_an_account_of_another_realm_is_not_reached() -> None:
    text = HEAD + "other,alice,,,,no\n"
    (only,) = read(io.BytesIO(text.encode()), ("portal",))
    assert isinstance(only, BadLine)
    (row,) = read(io.BytesIO((HEAD + "portal,alice\u00a0,,,,\n").encode()), ("portal",))
    assert isinstance(row, Numbered | BadLine)
    assert (
        not isinstance(row, Numbered)
        or row.row.account_id == RosterRow(realm="portal", subject="alice").account_id
    )
