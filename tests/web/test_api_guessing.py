"""Codes through the API: one use, one answer for every wrong one, one budget for all clients."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from httpx2 import Response
from itsdangerous import TimestampSigner

from mfa_gate.core.throttle import OTHERS
from tests.web.api_client import ApiClient, enrolled, problem_of
from tests.web.conftest import Build
from tests.web.house import House

REJECTED = {
    "type": "urn:mfa-gate:problem:code_rejected",
    "title": "The code was not accepted",
    "status": 401,
    "detail": "The code was not accepted.",
    "code": "code_rejected",
}


@pytest.mark.parametrize(
    "case",
    ["wrong", "used", "old", "unknown factor", "wrong recovery code", "malformed", "blank", "nothing set up"],
)
def test_d13_w08_every_code_that_is_not_taken_gets_the_same_answer(strict: House, case: str) -> None:
    alice = enrolled(strict, "alice")
    asking = alice.beside()
    used = alice.code()
    strict.clock.go(1)
    fields = {
        "wrong": {"factor": "totp", "code": alice.wrong_code()},
        "used": {"factor": "totp", "code": used},
        "old": {"factor": "totp", "code": alice.code(steps=-3)},
        "unknown factor": {"factor": "access_pass", "code": "123456"},
        "wrong recovery code": {"factor": "recovery_code", "code": "0000-0000-0000-0000"},
        "malformed": {"factor": "totp", "code": "12345\u0663"},
        "blank": {"factor": "totp", "code": " "},
        "nothing set up": {"factor": "totp", "code": "123456"},
    }[case]
    if case == "nothing set up":
        asking = ApiClient(strict, "bob")
    answer = asking.post("verify", **fields)
    assert problem_of(answer) == (401, "code_rejected")
    assert answer.json() == REJECTED
    assert asking.state() != "verified"


@pytest.mark.parametrize(
    "code",
    ["+123456", "1234567", "12345", "\uff11\uff12\uff13\uff14\uff15\uff16", "123456\x00", "1e5", "0x1E240"],
)
def test_d05_no_code_has_a_second_spelling_and_every_try_counts(strict: House, code: str) -> None:
    alice = enrolled(strict, "alice")
    assert problem_of(alice.beside().post("verify", factor="totp", code=code)) == (401, "code_rejected")
    assert strict.account("alice").totps[0].strikes.consecutive == 1


def test_d07_after_five_wrong_codes_everybody_waits_the_right_code_included(strict: House) -> None:
    alice = enrolled(strict, "alice")
    for _ in range(5):
        wrong = alice.beside().post("verify", factor="totp", code=alice.wrong_code())
        assert problem_of(wrong) == (401, "code_rejected")
    asking = alice.beside()
    paused = asking.post("verify", factor="totp", code=alice.code(steps=1))
    assert problem_of(paused) == (429, "paused")
    assert paused.json()["retry_after"] == int(paused.headers["retry-after"]) == 1
    assert asking.get("status").json()["state"] == "code_required"
    strict.clock.go(1)
    assert asking.post("verify", factor="totp", code=alice.code(steps=1)).status_code == 200


def test_a_pause_is_told_by_the_status(strict: House) -> None:
    alice = enrolled(strict, "alice")
    for factor in ("totp", "recovery_code"):
        for _ in range(5):
            alice.beside().post("verify", factor=factor, code="000000")
    told = alice.beside().get("status").json()
    assert told["state"] == "code_required"
    assert told["retry_after"] == 1
    assert alice.get("status").json()["state"] == "verified"


def test_d07_dropping_cookies_gives_no_new_budget(strict: House) -> None:
    alice = enrolled(strict, "alice")
    attacker, judged = alice.beside(cookies=False), 0
    for _ in range(60):
        answer = attacker.post("verify", factor="totp", code=alice.wrong_code())
        judged += problem_of(answer) == (401, "code_rejected")
        strict.clock.go(10)
    assert judged == strict.account("alice").totps[0].strikes.consecutive
    assert judged <= 12


def test_d07_the_owners_success_forgives_nothing_that_clients_without_cookies_did(strict: House) -> None:
    alice = enrolled(strict, "alice")
    attacker = alice.beside(cookies=False)
    for _ in range(4):
        attacker.post("verify", factor="totp", code=alice.wrong_code())
    strict.clock.go(400)
    assert alice.beside(cookies=False).verify().status_code == 200
    assert alice.beside().verify().status_code == 200
    assert strict.account("alice").totps[0].strikes.shares == ((OTHERS, 4),)


def test_a_client_that_keeps_cookies_is_forgiven_its_own_mistakes(strict: House) -> None:
    alice = enrolled(strict, "alice")
    other = alice.beside()
    assert other.state() == "code_required"
    for _ in range(3):
        other.post("verify", factor="totp", code=other.wrong_code())
    assert strict.account("alice").totps[0].strikes.consecutive == 3
    assert other.verify().status_code == 200
    assert strict.account("alice").totps[0].strikes.consecutive == 0


def test_after_fifty_in_a_row_only_help_helps(strict: House) -> None:
    alice, asking = enrolled(strict, "alice"), ApiClient(strict, "alice", cookies=False)
    for _ in range(50):
        asking.post("verify", factor="totp", code=alice.wrong_code())
        strict.clock.go(901)
    closed = asking.post("verify", factor="totp", code=alice.code())
    assert problem_of(closed) == (429, "paused")
    assert "retry_after" not in closed.json()
    assert "retry-after" not in closed.headers
    told = asking.get("status").json()
    assert (told["state"], told["retry_after"]) == ("code_required", None)


def test_e04_an_enrollment_ends_with_its_ten_minutes_and_with_its_five_tries(strict: House) -> None:
    alice = ApiClient(strict, "alice")
    late = alice.begin()
    strict.clock.go(601)
    assert problem_of(alice.post("totp/confirm", enrollment=late, code=alice.code())) == (404, "not_found")
    tried = alice.begin()
    for _ in range(5):
        wrong = alice.post("totp/confirm", enrollment=tried, code=alice.wrong_code())
        assert wrong.json() == REJECTED
    assert problem_of(alice.post("totp/confirm", enrollment=tried, code=alice.code())) == (404, "not_found")
    first, second = alice.begin(), alice.begin()
    assert first != second
    assert alice.post("totp/confirm", enrollment=second, code=alice.code()).status_code == 200
    for spent in (first, second):
        again = alice.post("totp/confirm", enrollment=spent, code=alice.next_code())
        assert problem_of(again) == (404, "not_found")


@pytest.mark.parametrize("guess", ["0" * 64, "x", "../totp", "ü", "a" * 256, "%00"])
def test_e12_nobody_finishes_an_enrollment_that_they_were_not_told_of(strict: House, guess: str) -> None:
    alice = ApiClient(strict, "alice")
    enrollment = alice.begin()
    mallory = ApiClient(strict, "alice")
    assert problem_of(mallory.post("totp/confirm", enrollment=guess, code=alice.code())) == (404, "not_found")
    bob = ApiClient(strict, "bob")
    assert problem_of(bob.post("totp/confirm", enrollment=enrollment, code=alice.code())) == (
        404,
        "not_found",
    )
    assert alice.post("totp/confirm", enrollment=enrollment, code=alice.code()).status_code == 200


def test_an_enrollment_of_the_api_and_one_of_the_pages_are_strangers_to_each_other(strict: House) -> None:
    alice, browser = ApiClient(strict, "alice"), strict.browser("alice")
    enrollment = alice.begin()
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    assert alice.secret not in browser.words.replace(" ", "")
    for cookie in browser.client.cookies.jar:
        alice.client.cookies.set(cookie.name, cookie.value or "")
    assert alice.post("totp/confirm", enrollment=enrollment, code=alice.code()).status_code == 200
    assert len(strict.account("alice").totps) == 1


def test_d22_an_empty_post_or_one_to_the_last_step_leaves_everything_pending(strict: House) -> None:
    alice = enrolled(strict, "alice")
    other = alice.beside()
    for path in ("verify", "totp", "totp/confirm"):
        assert other.post(path).status_code in {401, 422}
    assert other.send("GET", "verify").status_code == 405
    assert other.state() == "code_required"


@pytest.mark.parametrize(
    ("home", "name"),
    [("http://localhost:8000", "mfa_gate"), ("https://portal.example", "__Host-mfa_gate")],
)
def test_f13_the_cookie_is_the_one_that_pages_set(build: Build, home: str, name: str) -> None:
    house = build(home=home)
    by_api = _session_cookie(enrolled(house, "alice").verify(), name)
    by_page = _session_cookie(house.browser("bob").enroll(), name)
    assert by_api[1:] == by_page[1:]
    assert by_api[1:4] == ["Path=/", "HttpOnly", "SameSite=Lax"]
    assert ("Secure" in by_api) == name.startswith("__Host-")
    assert len(by_api[0]) < 4096


def _session_cookie(answer: Response, name: str) -> list[str]:
    found = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    assert len(found) == 1
    return found[0].split("; ")


def test_f01_the_session_of_one_is_nothing_beside_the_name_of_another(strict: House) -> None:
    alice = enrolled(strict, "alice")
    enrolled(strict, "bob")
    alice.user = "bob"
    assert alice.state() == "code_required"
    alice.user = "alice"
    assert alice.state() == "code_required"


@pytest.mark.parametrize("required", [True, False])
def test_b14_another_spelling_is_nobody_here(house: House, required: bool) -> None:
    assert ApiClient(house, "alice").state() == "not_required"
    house.require_two_step(on=required)
    other = ApiClient(house, "Alice")
    for answer in (other.get("status"), other.post("totp"), other.post("verify", factor="totp", code="1")):
        assert problem_of(answer) == (403, "not_allowed")
    assert house.account("alice").totps == ()


def test_f03_every_verification_makes_a_new_session_and_the_old_one_dies(strict: House) -> None:
    alice = enrolled(strict, "alice")
    old = alice.beside()
    for cookie in alice.client.cookies.jar:
        old.client.cookies.set(cookie.name, cookie.value or "")
    assert old.state() == "verified"
    assert alice.verify().status_code == 200
    assert alice.state() == "verified"
    assert old.state() == "code_required"


def test_observing_the_api_says_what_would_be_asked(build: Build) -> None:
    house = build(mode="observe")
    house.require_two_step()
    assert ApiClient(house, "alice").state() == "setup_required"
    assert problem_of(ApiClient(house, None).get("status")) == (401, "sign_in_required")
    alice = enrolled(house, "alice")
    assert alice.state() == "verified"
    assert alice.beside().state() == "code_required"


SECRET = "a secret of the portal's own, long enough to sign with"


def _signed_in(house: House, sign_in: str) -> ApiClient:
    """A client whose first step is a portal sign-in with a name of its own."""
    client = ApiClient(house, None)
    session = b64encode(json.dumps({"user": "alice", "sid": sign_in}).encode())
    client.client.cookies.set("session", TimestampSigner(SECRET).sign(session).decode())
    return client


def test_where_a_sign_in_has_a_name_enrollment_count_and_session_are_bound_to_it(
    build: Build, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    source = {
        "source": "starlette_session",
        "secret": f"file:{secret}",
        "field": "user",
        "session_id_field": "sid",
        "max_age": 10**9,
    }
    house = build(identity=[source])
    house.require_two_step()
    one, two = _signed_in(house, "one"), _signed_in(house, "two")
    enrollment = one.begin()
    stolen = two.post("totp/confirm", enrollment=enrollment, code=one.code())
    assert problem_of(stolen) == (404, "not_found")
    assert one.post("totp/confirm", enrollment=enrollment, code=one.code()).status_code == 200
    assert (one.state(), two.state()) == ("verified", "code_required")
    assert not [name for name in two.client.cookies if name.endswith("_pending")]
    two.post("verify", factor="totp", code=one.wrong_code())
    assert house.account("alice").totps[0].strikes.shares == (("two", 1),)
