"""What is done for one person by hand: the page that asks, the form, and what the profile says afterwards."""

from typing import Any

import pytest

from mfa_gate.web.dates import day_of, zone_named
from tests.web.conftest import Build
from tests.web.house import Browser, House

FRESH, ADMIN, DAY = 300, 900, 24 * 3600
ACTS = ("reset", "sign-out", "exempt", "end-exemption", "end-session")


@pytest.fixture
def root(house: House) -> Browser:
    return house.enrolled("root")


@pytest.fixture
def desk(house: House) -> Browser:
    """Somebody of the help desk."""
    return house.enrolled("help")


def profile(house: House, user: str) -> str:
    return f"/mfa/admin/users/{house.id_of(user)}"


def page_of(house: House, user: str, act: str) -> str:
    """Where an act for somebody is, below the mount."""
    return f"admin/users/{house.id_of(user)}/{act}"


def in_days(browser: Browser, days: int) -> str:
    """The day after so many days, as a date field sends it."""
    return day_of(int(browser.house.clock()) + days * DAY, zone_named("UTC"))


def exempt(browser: Browser, user: str, days: int = 7, reason: str = "No phone yet") -> None:
    """Exempt somebody by hand."""
    act = page_of(browser.house, user, "exempt")
    browser.get(f"/mfa/{act}")
    browser.submit(act, until=in_days(browser, days), reason=reason, code=browser.next_code())


def test_a_reset_takes_a_reason_and_ends_everything(root: Browser) -> None:
    alice = root.house.enrolled("alice")
    act = page_of(root.house, "alice", "reset")
    root.get(profile(root.house, "alice"))
    assert "Reset Two-Step Authentication" in root.words
    root.get(f"/mfa/{act}")
    assert root.heading == "Reset two-step for Alice Moreau?"
    assert root.submit(act, reason=" ").status_code == 422
    assert "Say why, in a few words." in root.words
    root.submit(act, reason="Lost phone, called back")
    assert root.heading == "Alice Moreau"
    assert "Two-step of Alice Moreau is reset." in root.words
    assert "Lost phone, called back" in root.words
    assert not root.house.account("alice").has_factor
    root.house.clock.go(2)
    assert alice.get("/mfa/account").status_code == 200
    assert "Two-step is off" in alice.words


def test_who_was_reset_sets_it_up_again_at_the_next_sign_in(root: Browser) -> None:
    root.house.enrolled("alice")
    root.house.require_two_step()
    act = page_of(root.house, "alice", "reset")
    root.get(f"/mfa/{act}")
    root.submit(act, reason="Lost phone")
    root.house.clock.go(2)
    again = root.house.browser("alice")
    again.get("/files/")
    assert again.heading == "Protect your account with a second step"
    again.enroll()
    assert root.house.account("alice").has_factor


def test_a_reset_asks_for_a_fresh_code_after_five_minutes_and_keeps_the_reason(root: Browser) -> None:
    root.house.enrolled("alice")
    act = page_of(root.house, "alice", "reset")
    root.get(f"/mfa/{act}")
    root.house.clock.go(FRESH + 1)
    assert root.submit(act, reason="Lost phone").status_code == 200
    assert "From your own authenticator app" in root.words
    assert root.house.account("alice").has_factor
    assert root.submit(act, code="").status_code == 422
    assert root.submit(act, code="000000").status_code == 422
    assert root.form(act)["reason"] == "Lost phone"
    root.submit(act, code=root.next_code())
    assert "Two-step of Alice Moreau is reset." in root.words
    assert "Lost phone" in root.words


def test_a_page_that_is_opened_late_asks_for_the_code_at_once(root: Browser) -> None:
    root.house.enrolled("alice")
    act = page_of(root.house, "alice", "reset")
    root.house.clock.go(FRESH + 1)
    root.get(f"/mfa/{act}")
    root.submit(act, reason="Lost phone", code=root.next_code())
    assert not root.house.account("alice").has_factor


def test_all_sessions_of_somebody_can_be_ended(root: Browser) -> None:
    alice = root.house.enrolled("alice")
    act = page_of(root.house, "alice", "sign-out")
    root.get(f"/mfa/{act}")
    assert root.heading == "Sign Alice Moreau out everywhere?"
    assert root.submit(act, reason="").status_code == 422
    root.submit(act, reason="Laptop was stolen")
    assert "All sessions of Alice Moreau are ended." in root.words
    assert "Laptop was stolen" in root.words
    root.house.clock.go(2)
    alice.get("/files/")
    assert alice.heading == "Enter the code from your authenticator app"


def test_one_session_of_somebody_can_be_ended(root: Browser) -> None:
    first = root.house.enrolled("alice")
    second = root.house.browser("alice")
    second.secret = first.secret
    second.verify()
    act = page_of(root.house, "alice", "end-session")
    root.get(profile(root.house, "alice"))
    forms = [form for form in root.page.find_all("form") if form.get("action") == f"/mfa/{act}"]
    assert len(forms) == 2
    # Newest first: the second browser's.
    handle = forms[0].find("input", attrs={"name": "session"})
    assert handle is not None
    root.get(f"/mfa/{act}?session={handle['value']}")
    assert root.heading == "End a session of Alice Moreau?"
    root.submit(act, reason="Kiosk in the lobby")
    assert "That session of Alice Moreau is ended." in root.words
    root.house.clock.go(2)
    assert first.get("/files/").text == "confidential"
    second.get("/files/")
    assert second.heading == "Enter the code from your authenticator app"
    root.get(f"/mfa/{act}?session={handle['value']}")
    assert root.heading == "Alice Moreau", "there is nothing left to ask"


def test_an_exemption_lets_somebody_in_until_its_last_day_is_over(root: Browser) -> None:
    house = root.house
    house.require_two_step()
    bob = house.browser("bob")
    bob.get("/files/")
    assert bob.heading == "Protect your account with a second step"
    root.get(profile(house, "bob"))
    assert "Exempt until…" in root.words
    exempt(root, "bob")
    assert root.heading == "Bob Tanaka"
    assert "Bob Tanaka is exempt until" in root.words
    assert "No phone yet" in root.words
    assert "Exempted by root" in root.words
    assert "Not required, because of the exemption." in root.words
    house.clock.go(2)
    assert bob.get("/files/").text == "confidential"
    bob.get("/mfa/account")
    assert "You are exempt until" in bob.words
    bob.get("/archive/")
    assert bob.heading == "Protect your account with a second step"
    assert "/archive/ asks you to confirm it's you, though you are exempt elsewhere" in bob.words
    assert "You can do this later" not in bob.words
    ends = house.account("bob").exempt_until
    assert ends % DAY == DAY - 1, "the end of a day"
    house.clock.now = ends - 1
    assert bob.get("/files/").text == "confidential"
    house.clock.now = ends
    bob.get("/files/")
    assert bob.heading == "Protect your account with a second step"


def test_an_exemption_takes_a_day_a_reason_and_a_code(root: Browser) -> None:
    house = root.house
    house.browser("bob").get("/files/")
    act = page_of(house, "bob", "exempt")
    root.get(f"/mfa/{act}")
    assert root.heading == "Exempt Bob Tanaka from two-step for a while"
    good: dict[str, Any] = {"until": in_days(root, 7), "reason": "No phone yet", "code": ""}
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"until": ""}, "Choose a day from today to"),
        ({"until": "soon"}, "Choose a day from today to"),
        ({"until": in_days(root, -1)}, "Choose a day from today to"),
        ({"until": in_days(root, 91)}, "Choose a day from today to"),
        ({"until": "9999-12-31"}, "Choose a day from today to"),
        ({"reason": "no"}, "Say why, in a few words."),
        ({"code": ""}, "Enter the six digits"),
        ({"code": "000000"}, "That code didn't match."),
    )
    for bad, words in wrong:
        assert root.submit(act, **(good | bad)).status_code == 422, bad
        assert words in root.words, bad
        assert root.form(act)["reason"] == (good | bad)["reason"]
    assert house.account("bob").exemption is None
    assert root.submit(act, **good | {"code": root.next_code()}).status_code == 303
    assert house.account("bob").exemption is not None


def test_the_first_and_the_last_day_that_are_offered_are_taken(root: Browser) -> None:
    house = root.house
    house.browser("bob").get("/files/")
    act = page_of(house, "bob", "exempt")
    for which in ("min", "max"):
        root.get(f"/mfa/{act}")
        field = root.page.find("input", id="until")
        assert field is not None
        root.submit(act, until=str(field[which]), reason="No phone yet", code=root.next_code())
        assert "Bob Tanaka is exempt until" in root.words, which


def test_an_exemption_is_changed_and_ended(root: Browser) -> None:
    house = root.house
    house.require_two_step()
    house.browser("bob").get("/files/")
    exempt(root, "bob")
    root.get(f"/mfa/{page_of(house, 'bob', 'exempt')}")
    assert root.heading == "Change the exemption of Bob Tanaka"
    exempt(root, "bob", 14, "Key is late")
    assert "root changed the exemption of bob" in root.words
    act = page_of(house, "bob", "end-exemption")
    root.get(f"/mfa/{act}")
    assert root.heading == "End the exemption of Bob Tanaka?"
    root.submit(act, reason="Key is here")
    assert "The exemption of Bob Tanaka is ended." in root.words
    house.clock.go(2)
    bob = house.browser("bob")
    bob.get("/files/")
    assert bob.heading == "Protect your account with a second step"


@pytest.mark.parametrize("act", ["reset", "sign-out", "exempt"])
def test_who_was_overtaken_is_told_and_loses_nothing(build: Build, act: str) -> None:
    house = build(admin={"admins": ["root", "chief"], "setup_code": False})
    root, other = house.enrolled("root"), house.enrolled("chief")
    house.enrolled("alice")
    house.browser("bob").get("/files/")
    user = "bob" if act == "exempt" else "alice"
    target = page_of(house, user, act)
    root.get(f"/mfa/{target}")
    other.get(f"/mfa/{target}")
    fields: dict[str, Any] = {"reason": "I was first"}
    if act == "exempt":
        fields |= {"until": in_days(root, 5), "code": other.next_code()}
    other.submit(target, **fields)
    after = house.account(user)
    fields |= {"reason": "I was late"} | ({"code": root.code()} if act == "exempt" else {})
    assert root.submit(target, **fields).status_code == 409
    assert "Nothing was done." in root.words
    assert "I was first" in root.words
    assert "I was late" not in root.words
    assert house.account(user) == after


def test_an_act_without_a_person_is_no_page(root: Browser) -> None:
    root.get("/mfa/admin/users")
    token = root.form("signout")["csrf"]
    for act in ACTS:
        assert root.get(f"/mfa/admin/users/{'0' * 32}/{act}").status_code == 404
        assert root.post(f"/mfa/admin/users/{'0' * 32}/{act}", {"csrf": token}).status_code == 404


@pytest.mark.parametrize("act", ACTS)
def test_what_cannot_be_done_is_not_asked(root: Browser, act: str) -> None:
    """Somebody without two-step, exemption and sessions has nothing to end; somebody with two-step is not exempt."""
    user = "alice" if act == "exempt" else "bob"
    root.house.enrolled("alice")
    root.house.browser("bob").get("/files/")
    root.get(f"/mfa/{page_of(root.house, user, act)}")
    nothing_to_end = act != "sign-out"
    assert (root.heading in {"Alice Moreau", "Bob Tanaka"}) is nothing_to_end


def test_no_link_fills_in_a_form(root: Browser) -> None:
    root.house.browser("bob").get("/files/")
    act = page_of(root.house, "bob", "exempt")
    root.get(f"/mfa/{act}?reason=because&until={in_days(root, 5)}&revision=x")
    assert (root.form(act)["reason"], root.form(act)["until"]) == ("", "")
    assert root.form(act)["revision"] == root.house.account("bob").revision


def test_w18_nobody_resets_themselves_and_the_page_says_why(root: Browser) -> None:
    page = profile(root.house, "root")
    root.get(f"{page}/reset")
    assert root.heading == "Robin Root"
    assert "You can't reset your own two-step here." in root.words
    token = root.form("signout")["csrf"]
    assert root.post(f"{page}/reset", {"csrf": token, "reason": "because"}).status_code == 403
    assert root.house.account("root").has_factor


@pytest.mark.parametrize("act", ["reset", "sign-out"])
def test_w18_the_help_desk_acts_on_ordinary_people_only(desk: Browser, act: str) -> None:
    house = desk.house
    house.enrolled("root")
    house.enrolled("alice")
    for user, works in (("root", False), ("help", False), ("alice", True)):
        page = profile(house, user)
        desk.get(page)
        token, seen = desk.form("signout")["csrf"], house.account(user)
        fields = {"csrf": token, "reason": "because", "revision": seen.revision}
        answer = desk.post(f"{page}/{act}", fields)
        assert answer.status_code == (303 if works else 403), user
        assert (house.account(user) != seen) is works


def test_w18_the_help_desk_makes_no_exceptions(desk: Browser) -> None:
    house = desk.house
    house.browser("bob").get("/files/")
    desk.get(profile(house, "bob"))
    assert "Exempt" not in desk.words
    token = desk.form("signout")["csrf"]
    for act in ("exempt", "end-exemption"):
        fields = {"csrf": token, "reason": "because", "until": in_days(desk, 5), "code": desk.next_code()}
        assert desk.post(f"{profile(house, 'bob')}/{act}", fields).status_code == 403
    assert house.account("bob").exemption is None


def test_days_are_those_of_the_settings_zone(build: Build) -> None:
    house = build(time_zone="Pacific/Auckland")
    root = house.enrolled("root")
    house.browser("bob").get("/files/")
    act = page_of(house, "bob", "exempt")
    root.get(f"/mfa/{act}")
    zone = zone_named("Pacific/Auckland")
    day = day_of(int(house.clock()) + 3 * DAY, zone)
    root.submit(act, until=day, reason="No phone yet", code=root.next_code())
    ends = house.account("bob").exempt_until
    assert (day_of(ends, zone), day_of(ends + 1, zone) > day) == (day, True)


def test_who_will_need_a_setup_code_is_said_before_a_reset(build: Build) -> None:
    house = build(admin={"admins": ["root"], "help_desk": ["help"], "setup_code": True})
    root, desk = house.browser("root"), house.browser("help")
    for name, browser in (("root", root), ("help", desk)):
        browser.get("/mfa/account")
        browser.enroll(setup_code=house.make_setup_code(name))
    house.enrolled("alice")
    for name, said in (("help", True), ("alice", False)):
        root.get(f"/mfa/{page_of(house, name, 'reset')}")
        assert ("they need a one-time setup code" in root.words) == said, name


def test_the_longest_exemption_is_the_policy_s_and_lengthening_it_takes_a_code(house: House) -> None:
    root = house.enrolled("root")
    house.browser("bob").get("/files/")
    policies, act = "admin/settings/policies", page_of(house, "bob", "exempt")

    def at_most(days: str, **fields: str) -> int:
        root.get(f"/mfa/{policies}")
        form = root.form(policies) | {"exemption_days": days} | fields
        return root.post(f"/mfa/{policies}", form).status_code

    assert at_most("7") == 303
    root.get(f"/mfa/{act}")
    assert "at most 7 days ahead" in root.words
    sent: dict[str, Any] = {"reason": "No phone yet", "until": in_days(root, 8)}
    assert root.submit(act, **sent, code=root.next_code()).status_code == 422
    assert house.account("bob").exemption is None
    assert root.submit(act, **sent | {"until": in_days(root, 6)}, code=root.code()).status_code == 303
    ends = house.account("bob").exempt_until
    assert at_most("1") == 303
    assert house.account("bob").exempt_until == ends
    assert at_most("400") == 422
    assert at_most("90") == 422
    assert house.store.policy().longest_exemption_seconds == 86_400
    assert at_most("90", code=root.next_code()) == 303
    assert house.store.policy().longest_exemption_seconds == 90 * 86_400
