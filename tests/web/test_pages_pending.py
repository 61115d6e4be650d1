"""The pending cookie: how long it is good, for whom, and what it keeps (D21)."""

import pytest

from mfa_gate.core.accounts import Account
from mfa_gate.core.messages import GateRequest
from mfa_gate.core.policy import PathRule, match_rule
from mfa_gate.signing import Pending
from mfa_gate.web.pending import GOOD_SECONDS, fresh, request_for, resumed, shown, way_back
from tests.web.house import House, path_of

NOW = 1_000_000
ALICE = Account(id="a" * 32, realm="portal", subject="alice")
WAY = Pending(id="old", account=ALICE.id, next="/files/", enrollment="e1", started_at=NOW)
RULES = (
    PathRule(kind="sign_in", path="/login"),
    PathRule(kind="sign_out", path="/logout"),
    PathRule(kind="step_up", path="/archive/", max_age=300),
)


def zeros(count: int) -> bytes:
    return bytes(count)


def back(target: str, root_path: str = "") -> str:
    return way_back(
        target,
        GateRequest(path="/mfa/verify", root_path=root_path),
        public_url="https://portal.example.test",
        mount="/mfa",
        rule=lambda request: match_rule(RULES, request.path, request.method),
    )


def test_a_way_is_gone_on_for_ten_minutes() -> None:
    assert resumed(WAY, ALICE, NOW + GOOD_SECONDS, zeros) is WAY
    later = resumed(WAY, ALICE, NOW + GOOD_SECONDS + 1, zeros)
    assert later == fresh(ALICE, NOW + GOOD_SECONDS + 1, zeros, leads_to="/files/")


def test_a_way_from_the_future_is_not_gone_on() -> None:
    assert resumed(WAY, ALICE, NOW - 60, zeros) is WAY
    assert resumed(WAY, ALICE, NOW - 61, zeros).id != "old"


def test_a_way_ends_with_a_verification() -> None:
    verified = Account(id=ALICE.id, realm="portal", subject="alice", last_verified_at=NOW + 1)
    assert resumed(WAY, verified, NOW + 2, zeros) == fresh(verified, NOW + 2, zeros, leads_to="/files/")


def test_a_way_of_another_person_leads_nowhere() -> None:
    bob = Account(id="b" * 32, realm="portal", subject="bob")
    assert resumed(WAY, bob, NOW, zeros) == fresh(bob, NOW, zeros)
    assert resumed(None, bob, NOW, zeros) == fresh(bob, NOW, zeros)


def test_a_page_that_is_shown_starts_the_ten_minutes_anew() -> None:
    assert shown(WAY, NOW + 500).started_at == NOW + 500
    assert shown(WAY, NOW + 500).id == WAY.id


@pytest.mark.parametrize(
    ("target", "root_path", "expected"),
    [
        ("/files/?a=b", "", "/files/?a=b"),
        ("https://portal.example.test/files/", "", "/files/"),
        ("/archive/1", "", "/archive/1"),
        ("/mfax", "", "/mfax"),
        ("/mfa", "", ""),
        ("/Mfa/verify", "", ""),
        ("/mfa;x/verify", "", ""),
        ("/%6dfa/verify", "", ""),
        ("/logout", "", ""),
        ("/login", "", ""),
        ("/portal/mfa/verify", "/portal", ""),
        ("/portal/logout", "/portal", ""),
        ("/portal/files/", "/portal", "/portal/files/"),
        ("/portal", "/portal", "/portal"),
        ("/portals/mfa", "/portal", "/portals/mfa"),
    ],
)
def test_where_one_may_be_led_back_to(target: str, root_path: str, expected: str) -> None:
    assert back(target, root_path) == expected


def test_a_request_is_read_from_an_address_below_the_root() -> None:
    assert request_for("/portal/a%20b?x=%41", "/portal").path == "/a b"
    assert request_for("/portal/a?x=%41", "/portal").query == "x=%41"
    assert request_for("/portal", "/portal").path == "/"


def test_d21_a_form_is_void_after_ten_minutes_and_the_way_is_kept(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/report")
    strict.clock.go(GOOD_SECONDS + 1)
    assert browser.submit("verify", code=browser.code()).status_code == 403
    assert "This page was open for a long time." in browser.words
    assert path_of(browser.submit("verify", code=browser.next_code())) == "/files/report"


def test_d21_looking_for_the_phone_for_nine_minutes_loses_nothing(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/report")
    strict.clock.go(540)
    assert path_of(browser.submit("verify", code=browser.code())) == "/files/report"


def test_d21_the_cookie_of_one_person_is_worth_nothing_to_another(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/files/report")
    browser.submit("setup/choose")
    of_alice = browser.form("setup/confirm")
    key = browser.page.find(id="key")
    assert key is not None
    browser.secret = "".join(key.get_text().split())
    browser.user = "bob"
    answer = browser.post("/mfa/setup/confirm", of_alice | {"code": browser.code()})
    assert answer.status_code == 403
    assert not strict.account("bob").has_factor
    browser.get("/mfa/setup")
    assert browser.heading.startswith("Protect your account")
    browser.enroll()
    browser.submit("setup/saved")
    assert browser.heading == "You're set up"
    assert "/files/report" not in str(browser.page)


def test_d21_the_cookie_is_worth_nothing_after_it_served(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/report")
    fields, cookie = browser.form("verify"), browser.client.cookies["mfa_gate_pending"]
    browser.submit("verify", code=browser.next_code())
    assert "mfa_gate_pending" not in browser.client.cookies
    replayed = strict.browser("alice")
    replayed.client.cookies["mfa_gate_pending"] = cookie
    strict.clock.go(30)
    answer = replayed.post("/mfa/verify", fields | {"code": alice.code()})
    assert answer.status_code == 403
    assert strict.events("alice").count("code_rejected") == 0


@pytest.mark.parametrize("cookie", ["", "a.b.c", "x" * 9_000, "%ff%00", '"quoted"'])
def test_d21_a_cookie_that_we_did_not_make_is_none(strict: House, cookie: str) -> None:
    browser = strict.browser("alice")
    headers = browser.headers({"Cookie": f"mfa_gate_pending={cookie}"})
    answer = browser.client.get("/mfa/setup", headers=headers)
    assert answer.status_code == 200


def test_d21_f05_a_cookie_of_another_purpose_is_none(strict: House) -> None:
    browser = strict.enrolled("alice")
    browser.get("/mfa/account")
    session, token = browser.client.cookies["mfa_gate"], browser.form("signout")["csrf"]
    other = strict.browser("alice")
    for stolen in (token, browser.client.cookies.get("mfa_gate_pending") or token):
        answer = other.client.get("/files/", headers=other.headers({"Cookie": f"mfa_gate={stolen}"}))
        assert answer.status_code == 303
    answer = other.client.get("/mfa/verify", headers=other.headers({"Cookie": f"mfa_gate_pending={session}"}))
    assert answer.status_code == 200


def test_e04_another_browser_with_the_password_cannot_finish_or_see_an_enrollment(strict: House) -> None:
    browser, mallory = strict.browser("alice"), strict.browser("alice")
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    assert key is not None
    mallory.get("/mfa/setup")
    assert mallory.heading.startswith("Protect your account")
    mallory.submit("setup/choose")
    assert mallory.page.find(id="key") not in (None, key)
    mallory.secret = "".join(key.get_text().split())
    assert mallory.submit("setup/confirm", code=mallory.code()).status_code == 422
    assert not strict.account("alice").has_factor


@pytest.mark.parametrize("target", ["/" + '"' * 2_000, "/" + "x" * 2_047, "/?" + "x" * 5_000])
def test_a_long_way_back_fits_the_cookie_or_leads_to_the_front_page(strict: House, target: str) -> None:
    browser = strict.enrolled("alice")
    browser.submit("setup/saved")
    again = strict.browser("alice")
    again.secret = browser.secret
    answer = again.client.get("/mfa/verify", params={"next": target}, headers=again.headers())
    assert answer.status_code == 200
    again.last = answer
    assert path_of(again.submit("verify", code=again.next_code(), follow=False)) in {"/", target}


def test_an_address_of_administration_that_is_too_long_leads_to_administration(strict: House) -> None:
    browser = strict.browser("root")
    assert browser.get("/mfa/admin/users?q=" + "x" * 5_000).status_code == 200
    assert browser.get("/mfa/admin/users?q=" + "%22" * 600 + '"' * 100).status_code == 200
    assert browser.heading.startswith("Protect your account")


def test_f03_a_session_gets_a_new_id_with_every_code(strict: House) -> None:
    browser = strict.enrolled("alice")
    first = browser.client.cookies["mfa_gate"]
    strict.clock.go(301)
    browser.get("/archive/1")
    browser.submit("verify", code=browser.next_code())
    assert browser.client.cookies["mfa_gate"] != first
    strict.clock.go(1)
    old = strict.browser("alice")
    old.client.cookies["mfa_gate"] = first
    assert old.get("/files/").text != "confidential"


def test_f01_another_person_in_the_same_browser_starts_from_the_beginning(strict: House) -> None:
    bob = strict.enrolled("bob")
    browser = strict.enrolled("alice")
    browser.user = "bob"
    browser.get("/files/")
    assert browser.heading == "Enter the code from your authenticator app"
    browser.secret = bob.secret
    assert path_of(browser.submit("verify", code=browser.next_code())) == "/files/"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/logout", "/mfa/account", "\\evil"]
)
def test_where_a_form_leads_is_judged_again_when_it_comes_back(strict: House, target: str) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/report")
    assert browser.form("verify")["next"] == "/files/report"
    assert path_of(browser.submit("verify", code=browser.next_code(), next=target, follow=False)) == "/"


def test_each_of_two_tabs_leads_to_its_own_page(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/report")
    first = browser.form("verify")
    browser.get("/files/roster")
    answer = browser.post("/mfa/verify", first | {"code": browser.next_code()}, follow=False)
    assert path_of(answer) == "/files/report"
