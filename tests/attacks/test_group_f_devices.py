"""Attacks on registered clients (F09): whatever is wrong about a token, no combination opens the portal without a code.

Relatives that the catalogue does not name: a token beside another person's sign-in, of another kind of client, twice,
in the wrong place, after what ended it, and by a clock that was set back.
"""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from mfa_gate.core.devices import DeviceToken
from mfa_gate.flows.assistance import Reset
from mfa_gate.ports import Change
from tests.edges.asking import Got
from tests.edges.fixtures import Build
from tests.edges.rig import Client, Rig

DAY = 86_400
HEADER = "MFA-Gate-Device"
CLIENTS = [{"kind": "mobile", "header": "X-Client", "value": "app"}]


@pytest.fixture
def rig(build: Build) -> Rig:
    """A gate that tells a mobile client by a header."""
    return build(clients=CLIENTS)


def registered(rig: Rig, user: str = "bob", kind: str = "desktop") -> str:
    """The token of a client that somebody registers with a code."""
    rig.clock.go(30)
    fields = {"kind": kind, "name": "x", "factor": "totp", "code": rig.person(user).code(rig.clock())}
    got = Client(rig, user).api("POST", "devices", fields)
    assert got.status == 200, got.body
    return str(json.loads(got.body)["device_token"])


def shown(rig: Rig, token: str, user: str = "bob", *more: tuple[str, str], **asked: Any) -> Got:  # noqa: ANN401
    """A request for a file beside the portal's sign-in alone, twice over: the second may take the quick way."""
    cookies = [rig.portal_cookie(user)]
    first = rig.get("/files", (HEADER, token), *more, cookies=cookies, **asked)
    again = rig.get("/files", (HEADER, token), *more, cookies=cookies, **asked)
    assert (first.status, first.body) == (again.status, again.body)
    return again


def test_F09_a_token_beside_its_owners_sign_in_passes_and_the_portal_never_sees_it(rig: Rig) -> None:
    token = registered(rig)
    for method in ("GET", "PUT", "PROPFIND"):
        assert shown(rig, token, method=method).status == 200
    seen = rig.seen[-1]
    assert seen.values("mfa-gate-device") == []
    assert seen.told is not None
    assert (seen.told["subject"], seen.told["client"]) == ("bob", "desktop")
    assert rig.get("/files", (HEADER, token)).status == 401
    assert rig.get("/files", cookies=[rig.portal_cookie("bob")]).code == "two_step_code_required"


def test_F09_forged_and_edited_tokens_are_unknown(rig: Rig) -> None:
    token = registered(rig)
    account, name, secret = token.split(".")
    other = "A" if secret[0] != "A" else "B"
    for forged in (
        "",
        "x",
        f"{account}.{name}.{other}{secret[1:]}",
        f"{account}.{'0' * 32}.{secret}",
        f"{account}.{name}.{secret}=",
        f"{account}.{name}.{secret[:-1]}",
        f"{account.upper()}.{name}.{secret}",
        f"{token}x",
        "\xe9" * 40,
        token * 100,
    ):
        assert shown(rig, forged).code == "two_step_code_required", forged[:80]
    bob = [rig.portal_cookie("bob")]
    assert rig.get("/files", (HEADER, token), (HEADER, token), cookies=bob).status in {400, 401}
    assert rig.get(f"/files?{HEADER}={token}", cookies=bob).status == 401
    assert rig.get("/files", cookies=[*bob, f"{HEADER}={token}"]).status == 401
    assert rig.get("/files", ("Authorization", f"Bearer {token}")).status == 401
    assert len(rig.seen) == 0


def test_F09_a_token_beside_the_sign_in_of_another_is_refused_and_recorded(rig: Rig) -> None:
    token = registered(rig)
    assert shown(rig, token).status == 200
    got = shown(rig, token, "alice")
    assert (got.status, got.code) == (403, "not_allowed")
    beside = [rig.portal_cookie("alice"), rig.gate_cookie("alice")]
    assert rig.get("/files", (HEADER, token), cookies=beside).status == 403
    assert rig.town.events("alice").count("device_refused") == 1


def test_F09_a_token_of_another_kind_is_worth_nothing(rig: Rig) -> None:
    desktop, mobile = registered(rig), registered(rig, kind="mobile")
    assert shown(rig, desktop, "bob", ("X-Client", "app")).code == "two_step_code_required"
    assert shown(rig, mobile, "bob", ("X-Client", "app")).status == 200
    rig.requires(closed_clients=("mobile",))
    assert shown(rig, mobile, "bob", ("X-Client", "app")).status == 403
    assert shown(rig, mobile).code == "two_step_code_required"
    assert shown(rig, desktop).status == 200


def test_F09_a_registration_ends_at_its_time_however_much_it_is_used(rig: Rig) -> None:
    token = registered(rig)
    for _ in range(3):
        assert shown(rig, token).status == 200
        rig.clock.go(10 * DAY)
    assert shown(rig, token).code == "two_step_code_required"
    rig.clock.go(-31 * DAY)
    assert shown(rig, token).code == "two_step_code_required"


def test_F09_less_in_the_policy_counts_at_once(rig: Rig) -> None:
    token = registered(rig)
    rig.clock.go(2 * DAY)
    assert shown(rig, token).status == 200
    rig.requires(desktop_ttl_seconds=DAY)
    assert shown(rig, token).code == "two_step_code_required"


def test_F09_a_reset_and_a_removal_end_it_within_seconds(rig: Rig) -> None:
    first, second = registered(rig), registered(rig, "alice")
    assert shown(rig, first).status == shown(rig, second, "alice").status == 200
    now = int(rig.clock())
    rig.town.offices.assistance.assist_from_shell("root", Reset(), rig.person("bob").id, "lost it", now)
    account = rig.town.store.account(rig.person("alice").id)
    assert account is not None
    rig.town.store.commit(Change(account=replace(account, devices=())), now)
    rig.clock.go(5)
    assert shown(rig, first).code == "two_step_setup_required"
    assert shown(rig, second, "alice").code == "two_step_code_required"


def test_F09_signing_out_and_in_again_asks_a_registered_client_for_nothing(rig: Rig) -> None:
    token = registered(rig)
    rig.get("/logout", (HEADER, token), cookies=[rig.portal_cookie("bob")])
    rig.get("/login", (HEADER, token), method="POST")
    assert shown(rig, token).status == 200


def test_F09_step_up_wants_a_code_as_fresh_as_of_anybody(rig: Rig) -> None:
    token = registered(rig)
    bob = [rig.portal_cookie("bob")]
    assert rig.get("/archive/x", (HEADER, token), cookies=bob).status == 200
    rig.clock.go(301)
    assert rig.get("/archive/x", (HEADER, token), cookies=bob).code == "two_step_code_required"
    assert rig.get("/files", (HEADER, token), cookies=bob).status == 200


def test_F09_a_token_cannot_be_guessed_or_read_from_the_store(rig: Rig) -> None:
    read = [DeviceToken.read(registered(rig)) for _ in range(3)]
    assert len({each.secret for each in read if each is not None}) == 3
    kept = repr(rig.town.store.account(rig.person("bob").id))
    assert all(each is not None and each.secret not in kept for each in read)


def test_F09_use_is_noted_by_the_hour(rig: Rig) -> None:
    token = registered(rig)
    rig.clock.go(3_601)
    assert shown(rig, token).status == 200
    account = rig.town.store.account(rig.person("bob").id)
    assert account is not None
    (device,) = account.devices
    assert device.used_at == int(rig.clock())
