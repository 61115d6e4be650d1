"""Registering, listing and removing mobile and desktop clients by the API, on the pages and by administrators."""

import re

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Device
from mfa_gate.core.devices import CAP
from tests.web.api_client import ApiClient, enrolled, problem_of
from tests.web.house import House

DAY = 86_400


def register(client: ApiClient, name: str = "Laptop", **more: object) -> dict[str, object]:
    answer = client.post("devices", kind="desktop", name=name, **more)
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


def holding(house: House, name: str) -> None:
    """Alice has a mobile client."""
    account, now = house.account("alice"), int(house.clock())
    device = Device(
        id="5f" * 16,
        kind="mobile",
        name=name,
        token_hash=b"kept",
        factor="totp",
        epoch=account.epoch,
        registered_at=now,
        expires_at=now + DAY,
    )
    house.commit(replace(account, devices=(device,)))


def by(told: dict[str, object]) -> dict[str, str]:
    return {"MFA-Gate-Device": str(told["device_token"])}


def test_a_client_registers_with_a_code_in_the_same_call_and_needs_no_other(house: House) -> None:
    app = enrolled(house, "alice").beside(cookies=False)
    told = register(app, factor="totp", code=app.next_code())
    assert told["expires_at"] == int(house.clock()) + 30 * DAY
    assert re.fullmatch(r"[0-9a-f]{32}\.[0-9a-f]{32}\.[A-Za-z0-9_-]{43}", str(told["device_token"]))
    assert app.state() == "code_required"
    house.clock.go(29 * DAY)
    status = app.send("GET", "status", headers=by(told)).json()
    assert (status["state"], status["client"]) == ("verified", "desktop")
    assert status["device"] == {
        "id": told["device_id"],
        "name": "Laptop",
        "expires_at": told["expires_at"],
    }
    house.clock.go(DAY)
    assert app.send("GET", "status", headers=by(told)).json()["state"] == "code_required"


def test_the_token_is_kept_as_a_keyed_hash_alone(house: House) -> None:
    app = enrolled(house, "alice").beside(cookies=False)
    told = register(app, factor="totp", code=app.next_code())
    (device,) = house.account("alice").devices
    secret = str(told["device_token"]).rpartition(".")[2]
    assert secret not in repr(house.account("alice"))
    assert device.id == told["device_id"]
    assert house.events("alice").count("device_registered") == 1


def test_a_fresh_verification_registers_a_client_and_an_older_one_does_not(house: House) -> None:
    app = enrolled(house, "alice")
    register(app)
    house.clock.go(301)
    assert problem_of(app.post("devices", kind="desktop", name="Second")) == (401, "two_step_code_required")


def test_e10_a_recovery_code_registers_nothing(house: House) -> None:
    app = enrolled(house, "alice").beside()
    code = app.recovery_codes[0]
    answer = app.post("devices", kind="mobile", name="Phone", factor="recovery_code", code=code)
    assert problem_of(answer) == (401, "code_rejected")
    assert app.post("verify", factor="recovery_code", code=code).status_code == 200
    assert problem_of(app.post("devices", kind="mobile", name="Phone")) == (401, "two_step_code_required")


def test_d22_a_wrong_code_counts_and_registers_nothing(house: House) -> None:
    app = enrolled(house, "alice").beside(cookies=False)
    for _ in range(5):
        wrong = app.post("devices", kind="desktop", name="x", factor="totp", code=app.wrong_code())
        assert problem_of(wrong) == (401, "code_rejected")
    right = app.post("devices", kind="desktop", name="x", factor="totp", code=app.code())
    assert problem_of(right) == (429, "paused")
    assert house.account("alice").devices == ()


@pytest.mark.parametrize("fields", [{"factor": "totp"}, {"code": "123456"}, {"kind": "web"}, {"name": ""}])
def test_w19_half_a_registration_is_none(house: House, fields: dict[str, object]) -> None:
    app = enrolled(house, "alice")
    answer = app.post("devices", **{"kind": "desktop", "name": "x", **fields})
    assert problem_of(answer) == (422, "invalid")


def test_only_a_devices_own_token_replaces_it_and_none_is_dropped_silently(house: House) -> None:
    app = enrolled(house, "alice")
    first = register(app, "Laptop")
    for number in range(CAP - 1):
        register(app, f"Laptop {number}")
    assert problem_of(app.post("devices", kind="desktop", name="Laptop")) == (409, "conflict")
    assert len(app.get("devices").json()["devices"]) == CAP
    again = app.send("POST", "devices", json={"kind": "desktop", "name": "Laptop"}, headers=by(first))
    assert again.status_code == 200
    ids = {device["id"] for device in app.get("devices").json()["devices"]}
    assert len(ids) == CAP
    assert first["device_id"] not in ids
    other_kind = app.send("POST", "devices", json={"kind": "mobile", "name": "x"}, headers=by(again.json()))
    assert problem_of(other_kind) == (403, "not_allowed")


def test_e12_a_client_removes_itself_its_owner_any_and_nobody_another_ones(house: House) -> None:
    app = enrolled(house, "alice")
    first, second = register(app, "First"), register(app, "Second")
    bare = app.beside(cookies=False)
    denied = bare.send("DELETE", f"devices/{second['device_id']}", headers=by(first))
    assert problem_of(denied) == (401, "two_step_code_required")
    assert bare.send("DELETE", f"devices/{first['device_id']}", headers=by(first)).status_code == 200
    assert bare.send("GET", "status", headers=by(first)).json()["state"] == "code_required"
    assert problem_of(enrolled(house, "bob").send("DELETE", f"devices/{second['device_id']}")) == (
        404,
        "not_found",
    )
    left = app.send("DELETE", f"devices/{second['device_id']}")
    assert left.json() == {"devices": []}
    assert house.events("alice").count("device_removed") == 2


def test_w03_no_other_site_removes_a_client(house: House) -> None:
    app = enrolled(house, "alice")
    told = register(app)
    ridden = app.send("DELETE", f"devices/{told['device_id']}", headers={"MFA-Gate-Request": None})
    assert problem_of(ridden) == (403, "not_allowed")


def test_a_token_beside_the_sign_in_of_another_is_refused_and_recorded(house: House) -> None:
    told = register(enrolled(house, "alice"))
    bob = enrolled(house, "bob")
    answer = bob.send("GET", "status", headers=by(told))
    assert problem_of(answer) == (403, "not_allowed")
    assert house.events("bob").count("device_refused") == 1


def test_whatever_ends_sessions_ends_devices(house: House) -> None:
    app = enrolled(house, "alice")
    told = register(app)
    replaced = app.begin()
    house.clock.go(30)
    assert app.post("totp/confirm", enrollment=replaced, code=app.code()).status_code == 200
    bare = app.beside(cookies=False)
    assert bare.send("GET", "status", headers=by(told)).json()["state"] == "code_required"
    assert app.get("devices").json() == {"devices": []}


def test_an_administrator_sees_and_removes_them(house: House) -> None:
    told = register(enrolled(house, "alice"), "Tablet")
    root = enrolled(house, "root")
    person = house.account("alice").id
    profile = root.get(f"admin/users/{person}").json()
    assert [device["name"] for device in profile["devices"]] == ["Tablet"]
    path = f"admin/users/{person}/remove-device"
    assert problem_of(root.post(path, device="0" * 32, reason="lost it")) == (404, "not_found")
    removed = root.post(path, device=told["device_id"], reason="left on a train")
    assert removed.json()["devices"] == []
    assert problem_of(root.post(path, device=told["device_id"], reason="again")) == (409, "conflict")


def test_the_owner_sees_and_removes_them_in_account_settings(house: House) -> None:
    alice = house.enrolled("alice")
    holding(house, "Pocket phone")
    alice.get("/mfa/account")
    assert "Pocket phone" in alice.words
    form = alice.form("account/clients/remove")
    assert alice.post("/mfa/account/clients/remove", form).status_code == 303
    assert house.account("alice").devices == ()


def test_the_profile_shows_them_and_leads_to_their_removal(house: House) -> None:
    house.enrolled("alice")
    holding(house, "Pocket phone")
    root = house.enrolled("root")
    person = house.account("alice").id
    root.get(f"/mfa/admin/users/{person}")
    assert "Pocket phone" in root.words
    (device,) = house.account("alice").devices
    root.get(f"/mfa/admin/users/{person}/remove-client?client={device.id}")
    act = f"admin/users/{person}/remove-client"
    assert root.post(f"/mfa/{act}", root.form(act) | {"reason": "lost on a train"}).status_code == 303
    assert house.account("alice").devices == ()
