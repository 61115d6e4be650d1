"""The whole way without a browser: a stranger, an app set up, another client, the switch, a reset."""

import pyotp
import pytest

from tests.web.api_client import ApiClient, enrolled, problem_of, setup_code
from tests.web.conftest import Build
from tests.web.house import House


def test_a_stranger_signs_in_sets_up_an_app_and_reaches_the_portal(strict: House) -> None:
    assert problem_of(ApiClient(strict, None).get("status")) == (401, "sign_in_required")
    alice = ApiClient(strict, "alice")
    first = alice.get("status").json()
    assert first == {
        "subject": "alice",
        "client": "web",
        "state": "setup_required",
        "factors": [],
        "policy": {"required": True, "deadline": None},
        "device": None,
        "retry_after": None,
    }
    begun = alice.post("totp").json()
    assert set(begun) == {"enrollment", "secret", "otpauth_uri", "qr_svg", "expires_at"}
    assert pyotp.parse_uri(begun["otpauth_uri"]).secret == begun["secret"]
    assert begun["qr_svg"].startswith("<svg ")
    assert alice.state() == "setup_required"
    alice.secret = begun["secret"]
    done = alice.post("totp/confirm", enrollment=begun["enrollment"], code=alice.code())
    assert done.status_code == 200
    assert len(done.json()["recovery_codes"]) == 10
    assert done.json()["session"]["amr"] == ["mfa", "otp"]
    assert done.json()["session"]["acr"] == "urn:mfa-gate:aal2"
    assert done.json()["session"]["expires_at"] > strict.clock()
    assert alice.state() == "verified"
    assert alice.get("status").json()["factors"] == ["totp", "recovery_code"]
    assert not strict.reached
    assert alice.client.get("/files/report", headers={"X-Portal-User": "alice"}).text == "confidential"


def test_another_client_of_the_same_person_is_asked_for_a_code(strict: House) -> None:
    alice = enrolled(strict, "alice")
    other = alice.beside()
    assert other.state() == "code_required"
    assert other.get("status").json()["factors"] == ["totp", "recovery_code"]
    answer = other.verify()
    assert answer.status_code == 200
    assert set(answer.json()) == {"session"}
    assert other.state() == "verified"
    assert alice.state() == "verified"


def test_a_code_and_a_recovery_code_are_good_once(strict: House) -> None:
    alice = enrolled(strict, "alice")
    other, third = alice.beside(), alice.beside()
    code = other.next_code()
    assert other.post("verify", factor="totp", code=code).status_code == 200
    assert problem_of(third.post("verify", factor="totp", code=code)) == (401, "code_rejected")
    spare = alice.recovery_codes[3]
    opened = third.post("verify", factor="recovery_code", code=spare.upper().replace("-", " "))
    assert opened.status_code == 200
    assert "mfa" not in opened.json()["session"]["amr"]
    assert problem_of(third.beside().post("verify", factor="recovery_code", code=spare)) == (
        401,
        "code_rejected",
    )


def test_where_nothing_is_required_nothing_is_asked_but_two_step_can_be_set_up(house: House) -> None:
    alice = ApiClient(house, "alice")
    assert alice.state() == "not_required"
    alice.enroll()
    assert alice.state() == "verified"
    assert alice.beside().state() == "code_required"
    assert alice.beside().get("status").json()["policy"]["required"] is False


def test_an_administrator_turns_the_policy_on_and_off(house: House) -> None:
    root = enrolled(house, "root")
    before = root.get("admin/policy").json()
    assert before["require_two_step"] is False
    after = root.patch("admin/policy", require_two_step=True, version=before["version"])
    assert after.status_code == 200
    assert after.json() == root.get("admin/policy").json()
    assert after.json()["require_two_step"] is True
    assert after.json()["version"] == before["version"] + 1
    assert after.json()["changed_by"] == "root"
    assert ApiClient(house, "alice").state() == "setup_required"

    refused = root.patch("admin/policy", require_two_step=False)
    assert problem_of(refused) == (401, "two_step_code_required")
    assert refused.json()["factors"] == ["totp"]
    assert refused.json()["max_age"] == 0
    assert house.store.policy().require_two_step
    confirm = {"factor": "totp", "code": root.next_code()}
    off = root.patch("admin/policy", require_two_step=False, confirm=confirm)
    assert off.status_code == 200, off.text
    assert not house.store.policy().require_two_step
    house.clock.go(1)
    assert ApiClient(house, "alice").state() == "not_required"


def test_a_reset_ends_what_somebody_had_and_leads_to_the_set_up(strict: House) -> None:
    alice, root = enrolled(strict, "alice"), enrolled(strict, "root")
    found = root.get("admin/users", q="ali").json()["users"]
    assert [each["subject"] for each in found] == ["alice"]
    assert found[0]["status"] == "enrolled"
    answer = root.post(f"admin/users/{found[0]['id']}/reset", reason="lost the phone")
    assert answer.status_code == 200
    assert answer.json()["user"]["status"] == "missing"
    assert answer.json()["sessions"] == []
    assert answer.json()["history"][0]["kind"] == "reset"
    assert answer.json()["history"][0]["actor"]["surface"] == "api"
    assert alice.state() == "setup_required"
    assert problem_of(alice.verify()) == (401, "code_rejected")
    alice.enroll()
    assert alice.state() == "verified"


def test_an_app_is_replaced_after_a_fresh_code_and_the_recovery_codes_stay(strict: House) -> None:
    alice = enrolled(strict, "alice")
    other = alice.beside()
    assert problem_of(other.post("totp")) == (401, "two_step_code_required")
    strict.clock.go(301)
    stale = alice.post("totp")
    assert problem_of(stale) == (401, "two_step_code_required")
    assert stale.json()["max_age"] == 300
    assert stale.json()["factors"] == ["totp", "recovery_code"]
    assert alice.verify().status_code == 200
    old = alice.secret
    answer = alice.post("totp/confirm", enrollment=alice.begin(), code=alice.code(), name="New phone")
    assert answer.json()["recovery_codes"] == []
    assert alice.secret != old
    assert other.state() == "code_required"
    assert other.post("verify", factor="recovery_code", code=alice.recovery_codes[0]).status_code == 200
    assert strict.account("alice").totps[0].name == "New phone"


def test_an_administrators_first_set_up_takes_the_code_of_the_shell(build: Build) -> None:
    house = build(admin={"admins": ["root"], "help_desk": [], "setup_code": True})
    root = ApiClient(house, "root")
    missing = root.post("totp")
    assert problem_of(missing) == (422, "invalid")
    assert list(missing.json()["errors"]) == ["setup_code"]
    assert problem_of(root.post("totp", setup_code="0000-0000-0000-0000")) == (401, "code_rejected")
    root.enroll(setup_code=setup_code(house, "root"))
    assert root.state() == "verified"


@pytest.mark.parametrize("user", ["alice", "help", "root"])
def test_everybody_is_asked_for_a_code_by_the_same_call(strict: House, user: str) -> None:
    client = enrolled(strict, user)
    assert client.beside().state() == "code_required"
