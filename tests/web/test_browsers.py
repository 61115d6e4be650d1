"""Remembered browsers as people, administrators, the help desk and programs see them: offered, listed, forgotten."""

import pytest
from bs4 import Tag
from msgspec.structs import replace

from mfa_gate.core.policy import DAY, HOUR
from tests.web.api_client import ApiClient, enrolled, problem_of
from tests.web.house import Browser, House

COOKIE = "mfa_gate_browser"
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
def open_house(house: House) -> House:
    """Where browsers may be remembered for thirty days."""
    return lasting(house, 30 * DAY)


def lasting(house: House, seconds: int) -> House:
    house.store.commit_policy(
        replace(house.store.policy(), require_two_step=True, remember_seconds=seconds),
        (),
        int(house.clock()),
    )
    house.clock.go(1)
    return house


def remembered(house: House, user: str, secret: str = "") -> Browser:
    """A browser that was remembered a moment ago."""
    browser = house.browser(user)
    if not secret:
        browser.enroll()
    browser.secret = secret or browser.secret
    del_session(browser)
    browser.get("/mfa/verify", FIREFOX)
    answer = browser.post(
        "/mfa/verify", browser.form("verify") | {"code": browser.next_code(), "remember": "1"}, FIREFOX
    )
    assert answer.status_code == 303
    assert COOKIE in browser.client.cookies
    return browser


def del_session(browser: Browser) -> Browser:
    """The same browser, in which the gate's session is over."""
    browser.client.cookies.delete("mfa_gate")
    return browser


def test_the_box_is_offered_unticked_and_says_for_how_long(open_house: House) -> None:
    alice = open_house.enrolled("alice")
    for seconds, words in (
        (30 * DAY, "for 30 days"),
        (DAY + HOUR, "for 1 day "),
        (12 * HOUR, "for 12 hours"),
        (90, "for 2 minutes"),
    ):
        lasting(open_house, seconds)
        alice.client.cookies.clear()
        alice.get("/mfa/verify")
        assert f"Remember this browser {words}" in alice.words + " "
        box = alice.page.find("input", attrs={"name": "remember"})
        assert isinstance(box, Tag)
        assert box.get("checked") is None
    alice.get("/mfa/verify?factor=recovery_code")
    assert "Remember this browser" not in alice.words
    lasting(open_house, 0)
    alice.get("/mfa/verify")
    assert "Remember this browser" not in alice.words


def test_next_time_it_leads_on_without_a_code(open_house: House) -> None:
    alice = remembered(open_house, "alice")
    held = alice.client.cookies[COOKIE]
    assert del_session(alice).get("/files/report?page=2").text == "confidential"
    assert open_house.reached[-1] == "/files/report"
    assert alice.client.cookies[COOKIE] != held
    assert open_house.events("alice")[-2:] == ["browser_remembered", "browser_recognized"]


def test_not_ticked_it_is_not_remembered(open_house: House) -> None:
    alice = del_session(open_house.enrolled("alice"))
    alice.verify()
    assert COOKIE not in alice.client.cookies


def test_account_settings_list_and_forget_it(open_house: House) -> None:
    alice = remembered(open_house, "alice")
    other = remembered(open_house, "alice", alice.secret)
    alice.get("/mfa/account")
    assert "Remembered browsers" in alice.words
    assert alice.words.count("Firefox on Linux") >= 2
    first = open_house.account("alice").remembered[0]
    assert alice.submit("account/browsers/forget", browser="0" * 32).status_code == 404
    assert alice.get("/mfa/account").status_code == 200
    theirs = alice.post(
        "/mfa/account/browsers/forget", alice.form("account/browsers/forget") | {"browser": first.handle}
    )
    assert theirs.status_code == 303
    assert "That browser is forgotten." in alice.words
    assert "Forget all browsers" not in alice.words
    assert [each.id for each in open_house.account("alice").remembered] != [first.id]
    assert del_session(other).get("/files/").text == "confidential"
    assert del_session(alice).get("/files/").text != "confidential"


def test_forgetting_all_and_ending_all_others(open_house: House) -> None:
    alice = remembered(open_house, "alice")
    other = remembered(open_house, "alice", alice.secret)
    alice.get("/mfa/account")
    alice.submit("account/sessions/end-others")
    assert "other browsers forgotten" in alice.words
    assert len(open_house.account("alice").remembered) == 1
    assert del_session(other).get("/files/").text != "confidential"
    assert del_session(alice).get("/files/").text == "confidential"
    again = remembered(open_house, "alice", alice.secret)
    again.get("/mfa/account")
    again.submit("account/browsers/forget-all")
    assert "All browsers are forgotten." in again.words
    assert open_house.account("alice").remembered == ()
    assert again.get("/files/").text == "confidential", "a code was given in this session"


def test_ending_a_session_forgets_the_browser_in_which_it_was_opened(open_house: House) -> None:
    alice = remembered(open_house, "alice")
    other = remembered(open_house, "alice", alice.secret)
    assert del_session(other).get("/files/").text == "confidential"
    (theirs,) = (
        each
        for each in open_house.store.sessions(open_house.id_of("alice"), int(open_house.clock()))
        if each.factor == "remembered_browser"
    )
    alice.get("/mfa/account")
    alice.submit("account/sessions/end", session=theirs.handle)
    open_house.clock.go(5)
    assert other.get("/files/").text != "confidential"


@pytest.mark.parametrize("who", ["root", "help"])
def test_administrators_and_help_desk_see_and_forget_it(open_house: House, who: str) -> None:
    alice = remembered(open_house, "alice")
    assert del_session(alice).get("/files/").text == "confidential"
    office = open_house.enrolled(who)
    profile = f"admin/users/{open_house.id_of('alice')}"
    office.get(f"/mfa/{profile}")
    assert "Remembered browsers" in office.words
    (browser,) = open_house.account("alice").remembered
    assert office.get(f"/mfa/{profile}/forget-browser?browser={'0' * 32}").status_code == 200
    assert office.heading == "Alice Moreau", "there is no such browser: the profile says so"
    office.get(f"/mfa/{profile}/forget-browser?browser={browser.handle}")
    assert office.heading == "Forget a browser of Alice Moreau?"
    assert office.submit(f"{profile}/forget-browser", reason="hotel").status_code == 303
    assert "is forgotten" in office.words
    assert "Remembered browsers" not in office.words
    open_house.clock.go(5)
    assert alice.get("/files/").text != "confidential"
    (told,) = open_house.store.events(
        account_id=open_house.id_of("alice"), kind="browser_forgotten", before=None, limit=2
    )
    assert (told.event.actor.subject, told.event.notify) == (who, ("owner",))
    assert told.event.details["reason"] == "hotel"


def test_the_help_desk_does_nothing_to_administrators(open_house: House) -> None:
    remembered(open_house, "root")
    office = open_house.enrolled("help")
    profile = f"admin/users/{open_house.id_of('root')}"
    office.get(f"/mfa/{profile}")
    assert "Remembered browsers" in office.words
    assert f"{profile}/forget-browser" not in str(office.page)
    (browser,) = open_house.account("root").remembered
    api = enrolled_beside(open_house, office, "help")
    refused = api.post(f"{profile}/forget-browsers", reason="because", browser=browser.handle)
    assert problem_of(refused) == (403, "not_allowed")
    assert open_house.account("root").remembered


def enrolled_beside(house: House, browser: Browser, user: str) -> ApiClient:
    """A program of somebody who has set up two-step in a browser."""
    client = ApiClient(house, user)
    client.secret = browser.secret
    assert client.verify().status_code == 200
    return client


def test_the_policy_says_for_how_long_and_its_history_tells(house: House) -> None:
    root = house.enrolled("root")
    path = "admin/settings/policies"
    for odd in ("31", "-1", "many", "30.1"):
        root.get(f"/mfa/{path}")
        assert root.submit(path, remember_days=odd).status_code == 422
        assert "This cannot be saved: A browser is remembered does not fit." in root.words
    root.get(f"/mfa/{path}")
    assert root.submit(path, remember_days="30").status_code == 422
    assert "asks less of somebody" in root.words
    assert root.submit(path, code=root.next_code()).status_code == 303
    assert house.store.policy().remember_seconds == 30 * DAY
    root.get(f"/mfa/{path}")
    assert root.submit(path, remember_days="0.5").status_code == 303, "less is asked of nobody"
    root.get("/mfa/admin")
    assert (
        "Browsers may be remembered, and then ask for no code at sign-in, for 12 hours at most." in root.words
    )
    root.get(f"/mfa/{path}/history")
    assert "A browser is remembered : 30 days → 12 hours" in root.words
    assert "A browser is remembered : none → 30 days" in root.words


def test_programs_come_in_list_and_forget(open_house: House) -> None:
    alice = enrolled(open_house, "alice")
    assert alice.get("status").json()["policy"]["remember_seconds"] == 30 * DAY
    assert alice.get("browsers").json() == {"browsers": []}
    said = alice.post("verify", factor="totp", code=alice.next_code(), remember=True)
    until = int(open_house.clock()) + 30 * DAY
    assert said.json()["remembered_until"] == until
    for _ in range(2):
        alice.client.cookies.delete("mfa_gate")
        assert problem_of(alice.get("browsers")) == (401, "two_step_code_required")
        said = alice.post("verify/browser")
        assert said.status_code == 200, said.text
        assert said.json()["session"]["acr"] == "urn:mfa-gate:aal1"
        assert said.json()["remembered_until"] == until
        assert alice.state() == "verified"
        open_house.clock.go(200)
    (browser,) = alice.get("browsers").json()["browsers"]
    assert (browser["current"], browser["until"]) == (True, until)
    root = enrolled(open_house, "root")
    person = f"admin/users/{open_house.id_of('alice')}"
    (shown,) = root.get(person).json()["browsers"]
    assert shown == browser | {"current": False}
    assert problem_of(alice.post("browsers/forget", browser="0" * 32)) == (404, "not_found")
    assert problem_of(root.post(f"{person}/forget-browsers", reason="hotel", browser="0" * 32)) == (
        404,
        "not_found",
    )
    assert root.post(f"{person}/forget-browsers", reason="hotel").json()["browsers"] == []
    assert problem_of(root.post(f"{person}/forget-browsers", reason="hotel")) == (409, "conflict")
    open_house.clock.go(5)
    assert alice.state() == "code_required"
    assert problem_of(alice.post("verify/browser")) == (401, "code_rejected")
    assert alice.verify().status_code == 200
    assert alice.post("browsers/forget").json() == {"forgotten": 0}


def test_a_stranger_and_who_has_no_two_step_get_nothing(open_house: House) -> None:
    assert problem_of(ApiClient(open_house, None).post("verify/browser")) == (401, "sign_in_required")
    bob = ApiClient(open_house, "bob")
    assert problem_of(bob.post("verify/browser")) == (401, "code_rejected")
    assert problem_of(bob.get("browsers")) == (401, "two_step_setup_required")
