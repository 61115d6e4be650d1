"""The ways through the pages that people take: set up, come back, lose the phone, change the app, turn it off."""

import pytest

from tests.web.house import House, path_of

TITLE_SCAN = "Scan this with your authenticator app"
ENTER_CODE = "Enter the code from your authenticator app"


def test_whoever_was_stopped_sets_up_and_comes_back_to_the_page_first_asked_for(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/files/report?page=2")
    assert browser.heading == "Protect your account with a second step"
    assert not strict.reached
    browser.enroll()
    assert browser.heading == "Save your recovery codes"
    assert len(browser.recovery_codes) == 10
    browser.submit("setup/saved")
    assert browser.heading == "You're set up"
    link = browser.page.find("a", class_="primary")
    assert link is not None
    assert link["href"] == "/files/report?page=2"
    assert "Continue to /files/report" in browser.words
    assert browser.get("/files/report?page=2").text == "confidential"


def test_the_wizard_is_the_same_after_a_reload_and_in_a_second_tab(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    browser.get("/mfa/setup")
    assert browser.page.find(id="key") == key
    assert browser.heading == TITLE_SCAN


def test_a_wrong_first_code_keeps_the_key_and_says_what_to_look_at(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    assert browser.submit("setup/confirm", code="000000").status_code == 422
    assert browser.page.find(id="key") == key
    assert "That code didn't match" in browser.words
    assert browser.submit("setup/confirm", code=" ").status_code == 422
    assert "Enter the six digits" in browser.words
    assert not strict.account("alice").has_factor


def test_after_ten_minutes_there_is_a_fresh_key_with_a_sentence_why(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    strict.clock.go(590)
    browser.get("/mfa/setup")
    strict.clock.go(20)
    browser.submit("setup/confirm", code="123456")
    assert browser.heading == TITLE_SCAN
    assert browser.page.find(id="key") != key
    assert "Ten minutes have passed" in browser.words


def test_after_five_codes_that_did_not_fit_there_is_a_fresh_key_too(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    for _ in range(5):
        assert browser.page.find(id="key") == key
        browser.submit("setup/confirm", code="000000")
    assert browser.page.find(id="key") not in (None, key)
    assert "Several codes didn't match, so here is a fresh picture" in browser.words


def test_going_back_and_choosing_again_gives_another_key(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    browser.submit("setup/back")
    assert browser.heading.startswith("Protect your account")
    browser.submit("setup/choose")
    assert browser.page.find(id="key") not in (None, key)


def test_loading_the_page_with_the_codes_again_says_that_one_is_set_up(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/files/report")
    browser.submit("setup/choose")
    key = browser.page.find(id="key")
    assert key is not None
    browser.secret = "".join(key.get_text().split())
    fields = browser.form("setup/confirm") | {"code": browser.code()}
    browser.post("/mfa/setup/confirm", fields)
    assert browser.heading == "Save your recovery codes"
    again = browser.post("/mfa/setup/confirm", fields)
    assert again.status_code == 200
    assert browser.heading == "You're set up"
    assert "/files/report" in again.text
    assert browser.recovery_codes == ()
    assert strict.events("alice").count("factor_added") == 1


def test_the_codes_can_be_taken_as_a_file(house: House) -> None:
    browser = house.enrolled("alice")
    answer = browser.submit("setup/codes.txt")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert answer.text.split() == list(browser.recovery_codes)


@pytest.mark.parametrize(
    "codes",
    [
        "",
        "<script>alert(1)</script>",
        "k3v9-0qhm-x72c-tdwe <b>",
        "K3V9-0QHM-X72C-TDWE",
        " ".join(["k3v9-0qhm-x72c-tdwe"] * 11),
    ],
)
def test_nothing_but_codes_comes_back_as_a_file(house: House, codes: str) -> None:
    browser = house.enrolled("alice")
    answer = browser.submit("setup/codes.txt", codes=codes)
    assert answer.status_code == 400
    assert "alert" not in answer.text
    assert "content-disposition" not in answer.headers


def test_who_sets_up_of_their_own_will_may_leave_it_for_later(house: House) -> None:
    browser = house.browser("alice")
    browser.get("/mfa/setup?next=/files/")
    answer = browser.submit("setup/later")
    assert path_of(answer) == "/files/"
    assert not house.account("alice").has_factor


def test_who_has_to_set_up_finds_no_later(strict: House) -> None:
    browser = strict.browser("alice")
    browser.get("/mfa/setup")
    assert browser.page.find("form", action="/mfa/setup/later") is None
    fields = browser.form("setup/choose")
    assert path_of(browser.post("/mfa/setup/later", fields)) == "/mfa/setup"


def test_the_next_sign_in_asks_for_a_code_and_leads_on(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/report")
    assert browser.heading == ENTER_CODE
    assert browser.submit("verify", code="000000").status_code == 422
    assert "That code didn't match" in browser.words
    answer = browser.submit("verify", code=browser.next_code())
    assert answer.status_code == 303
    assert path_of(answer) == "/files/report"
    assert browser.last is not None
    assert browser.last.text == "confidential"


def test_a_verified_person_is_led_on_from_the_page_for_codes(strict: House) -> None:
    browser = strict.enrolled("alice")
    assert path_of(browser.get("/mfa/verify?next=/files/report", follow=False)) == "/files/report"
    assert path_of(browser.get("/mfa/verify", follow=False)) == "/"


def test_a_second_tab_is_led_on_when_the_first_was_quicker(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.secret = alice.secret
    browser.get("/files/report")
    other_tab = browser.form("verify")
    browser.submit("verify", code=browser.next_code())
    answer = browser.post("/mfa/verify", other_tab | {"code": "000000"})
    assert answer.status_code == 303
    assert strict.events("alice").count("code_rejected") == 0


def test_whoever_has_no_factor_is_led_from_verification_to_the_wizard(strict: House) -> None:
    browser = strict.browser("alice")
    assert path_of(browser.get("/mfa/verify?next=/files/a", follow=False)) == "/mfa/setup"
    browser.get("/mfa/setup")
    browser.enroll()
    browser.submit("setup/saved")
    assert "/files/a" in str(browser.page.find("a", class_="primary"))


def test_whoever_need_not_confirm_anything_is_led_on(house: House) -> None:
    browser = house.browser("alice")
    assert path_of(browser.get("/mfa/verify?next=/files/a", follow=False)) == "/files/a"


def test_whoever_is_set_up_and_verified_is_led_from_the_wizard_to_the_account(house: House) -> None:
    browser = house.enrolled("alice")
    browser.submit("setup/saved")
    assert path_of(browser.get("/mfa/setup", follow=False)) == "/mfa/account"
    assert path_of(browser.get("/mfa/setup?next=/files/", follow=False)) == "/files/"


def test_a_recovery_code_lets_in_once(strict: House) -> None:
    alice = strict.enrolled("alice")
    code = alice.recovery_codes[0]
    browser = strict.browser("alice")
    browser.get("/files/report")
    browser.get("/mfa/verify?factor=recovery_code")
    assert browser.heading == "Enter a recovery code"
    assert path_of(browser.submit("verify", code=code)) == "/files/report"
    other = strict.browser("alice")
    other.get("/mfa/verify?factor=recovery_code")
    assert other.submit("verify", code=code).status_code == 422
    assert other.heading == "Enter a recovery code"


def test_a_recovery_code_in_the_field_for_the_app_is_told_where_to_go_and_costs_no_try(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.get("/files/report")
    before = strict.events("alice")
    for code in (alice.recovery_codes[0], "k3v9-0qhm-x72c-tdwe"):
        browser.get("/mfa/verify")
        assert browser.submit("verify", code=code.upper()).status_code == 422
        assert browser.heading == "Enter a recovery code"
        assert "looks like a recovery code" in browser.words
    assert strict.events("alice") == before
    assert path_of(browser.submit("verify", code=alice.recovery_codes[0])) == "/files/report"


def test_at_three_recovery_codes_left_the_way_on_shows_how_many(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = alice
    for place, code in enumerate(alice.recovery_codes[:7]):
        browser = strict.browser("alice")
        browser.get("/files/report")
        browser.get("/mfa/verify?factor=recovery_code")
        answer = browser.submit("verify", code=code, follow=False)
        assert answer.status_code == (200 if place == 6 else 303)
    assert browser.heading == "You have 3 recovery codes left"
    link = browser.page.find("a", class_="primary")
    assert link is not None
    assert link["href"] == "/files/report"
    assert browser.get("/files/report").text == "confidential"


def test_a_page_that_wants_a_fresh_code_says_which_it_is_and_takes_no_recovery_code(strict: House) -> None:
    browser = strict.enrolled("alice")
    strict.clock.go(301)
    browser.get("/archive/1999")
    assert browser.heading == ENTER_CODE
    assert "/archive/1999 asks you to confirm it's you" in browser.words
    assert "Use a recovery code" not in browser.words
    browser.get("/mfa/verify?factor=recovery_code")
    assert browser.heading == ENTER_CODE
    browser.submit("verify", code=browser.next_code())
    assert browser.last is not None
    assert browser.last.text == "confidential"


def test_a_form_that_wants_a_fresh_code_leads_back_to_the_page_it_stands_on(strict: House) -> None:
    browser = strict.enrolled("alice")
    strict.clock.go(301)
    assert browser.get("/profile").text == "confidential"
    browser.post("/password", {"new": "x"}, {"Referer": f"{strict.home}/profile"})
    assert browser.heading == ENTER_CODE
    assert path_of(browser.submit("verify", code=browser.next_code())) == "/profile"
    assert browser.post("/password", {"new": "x"}).text == "confidential"


def test_too_many_wrong_codes_pause_this_way_and_leave_the_other_open(strict: House) -> None:
    alice = strict.enrolled("alice")
    browser = strict.browser("alice")
    browser.get("/files/report")
    answers = [browser.submit("verify", code="000000") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert "Too many tries." in browser.words
    assert "You can use another way meanwhile." in browser.words
    browser.get("/mfa/verify")
    assert "Too many tries." in browser.words
    browser.get("/mfa/verify?factor=recovery_code")
    assert "Too many tries." not in browser.words
    assert path_of(browser.submit("verify", code=alice.recovery_codes[0])) == "/files/report"


def test_account_settings_show_how_things_stand(house: House) -> None:
    browser = house.browser("alice")
    browser.get("/mfa/")
    assert browser.heading == "Account Settings"
    assert "Two-step is off" in browser.words
    browser.enroll()
    browser.submit("setup/saved")
    browser.get("/mfa/account", {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"})
    assert "Two-step is on" in browser.words
    assert "10 of 10 left" in browser.words
    assert "This one" in browser.words


def test_account_settings_of_somebody_with_two_step_open_after_a_code(house: House) -> None:
    alice = house.enrolled("alice")
    browser = house.browser("alice")
    browser.secret = alice.secret
    browser.get("/mfa/account")
    assert browser.heading == ENTER_CODE
    browser.submit("verify", code=browser.next_code())
    assert browser.heading == "Account Settings"


def test_new_recovery_codes_void_the_old_ones(house: House) -> None:
    browser = house.enrolled("alice")
    old = browser.recovery_codes
    browser.get("/mfa/account")
    browser.submit("account/recovery-codes")
    assert browser.heading == "Save your recovery codes"
    new = [each.get_text() for each in browser.page.select("#codes li")]
    assert len(set(new) | set(old)) == 20
    browser.submit("account/recovery-codes/saved")
    assert "Your new recovery codes are in force" in browser.words
    other = house.browser("alice")
    other.get("/mfa/verify?factor=recovery_code")
    assert other.submit("verify", code=old[0]).status_code == 422
    assert other.submit("verify", code=new[0]).status_code == 303


def test_an_act_wants_a_fresh_code_after_five_minutes(house: House) -> None:
    browser = house.enrolled("alice")
    house.clock.go(301)
    browser.get("/mfa/account")
    browser.submit("account/recovery-codes")
    assert browser.heading == "Confirm it's you"
    assert "The ones that you have now will stop working" in browser.words
    assert browser.submit("account/recovery-codes", code="").status_code == 422
    assert browser.submit("account/recovery-codes", code="000000").status_code == 422
    assert "That code didn't match" in browser.words
    browser.submit("account/recovery-codes", code=browser.next_code())
    assert browser.heading == "Save your recovery codes"


def test_another_app_takes_the_place_of_the_first(house: House) -> None:
    browser = house.enrolled("alice")
    before = browser.secret
    browser.get("/mfa/account")
    browser.submit("account/replace")
    assert browser.heading == TITLE_SCAN
    key = browser.page.find(id="key")
    assert key is not None
    browser.secret = "".join(key.get_text().split())
    assert browser.secret != before
    browser.submit("setup/confirm", code=browser.code())
    assert browser.heading == "Account Settings"
    assert "Your authenticator app is replaced" in browser.words
    assert house.account("alice").totps[0].name == "Authenticator app"


def test_replacing_can_be_left(house: House) -> None:
    browser = house.enrolled("alice")
    browser.get("/mfa/account")
    browser.submit("account/replace")
    browser.submit("setup/back")
    assert browser.heading == "Account Settings"
    assert "Nothing was changed." in browser.words


def test_who_lost_the_phone_replaces_the_app_with_a_recovery_code(house: House) -> None:
    alice = house.enrolled("alice")
    browser = house.browser("alice")
    browser.get("/mfa/verify?factor=recovery_code")
    browser.submit("verify", code=alice.recovery_codes[0])
    browser.get("/mfa/account")
    assert "To turn off two-step, sign in with your authenticator app" in browser.words
    house.clock.go(301)
    browser.submit("account/replace")
    assert browser.heading == "Confirm it's you"
    browser.submit("account/replace", code=alice.recovery_codes[1])
    assert browser.heading == TITLE_SCAN


def test_turning_off_takes_a_code_and_forgets_everything(house: House) -> None:
    browser = house.enrolled("alice")
    browser.get("/mfa/account")
    assert browser.submit("account/turn-off", code="").status_code == 422
    assert browser.submit("account/turn-off", code="000000").status_code == 422
    browser.submit("account/turn-off", code=browser.next_code())
    assert browser.heading == "Account Settings"
    assert "Two-step is off" in browser.words
    assert "no longer work; you can set it up again at any time" in browser.words
    assert not house.account("alice").has_factor
    assert browser.get("/files/report").text == "confidential"


def test_nobody_turns_it_off_while_it_is_required(strict: House) -> None:
    browser = strict.enrolled("alice")
    browser.get("/mfa/account")
    assert browser.page.find("form", action="/mfa/account/turn-off") is None
    fields = browser.form("account/recovery-codes") | {"code": browser.next_code()}
    assert browser.post("/mfa/account/turn-off", fields).status_code == 403
    assert strict.account("alice").has_factor


def test_other_sessions_can_be_ended_one_by_one_and_all_at_once(house: House) -> None:
    alice = house.enrolled("alice")
    others = [house.browser("alice") for _ in range(3)]
    for other in others:
        other.secret = alice.secret
        other.verify()
    alice.get("/mfa/account")
    assert len(alice.page.select('form[action="/mfa/account/sessions/end"]')) == 3
    alice.submit("account/sessions/end")
    assert "That session is ended" in alice.words
    assert len(alice.page.select('form[action="/mfa/account/sessions/end"]')) == 2
    alice.submit("account/sessions/end-others")
    assert "All other sessions are ended" in alice.words
    house.clock.go(2)
    assert all(other.get("/files/a").text != "confidential" for other in others)
    assert alice.get("/files/a").text == "confidential"


def test_signing_out_ends_the_session_and_takes_the_cookies_away(strict: House) -> None:
    browser = strict.enrolled("alice")
    cookie = browser.client.cookies["mfa_gate"]
    browser.get("/mfa/account")
    browser.submit("signout")
    assert browser.heading == "You are signed out"
    link = next(each for each in browser.page.select("a") if "Sign out of Example Files" in each.get_text())
    assert link["href"] == "/logout"
    assert "mfa_gate" not in browser.client.cookies
    browser.client.cookies["mfa_gate"] = cookie
    strict.clock.go(1)
    browser.get("/files/report")
    assert browser.heading == ENTER_CODE


def test_a_notice_is_told_to_whom_it_is_meant_for_and_not_for_long(house: House) -> None:
    browser = house.enrolled("alice")
    browser.get("/mfa/account")
    browser.submit("account/recovery-codes")
    answer = browser.submit("account/recovery-codes/saved", follow=False)
    address = path_of(answer)
    browser.get(address)
    assert "are in force" in browser.words
    bob = house.enrolled("bob")
    bob.get(address)
    assert "are in force" not in bob.words
    house.clock.go(61)
    browser.get(address)
    assert "are in force" not in browser.words
    browser.get("/mfa/account?told=codes_made")
    assert "are in force" not in browser.words
