"""Administration by hand: who gets in, the switch, the list, one person's profile, the trail."""

import re
from datetime import UTC, datetime

import pytest
from bs4 import Tag
from msgspec.structs import replace

from mfa_gate.core.accounts import Exemption
from mfa_gate.core.events import Actor, Event
from mfa_gate.ports import Change
from tests.web.conftest import Build
from tests.web.house import NOW, Browser, House, path_of

POLICIES = "admin/settings/policies"
FRESH, ADMIN = 300, 900


@pytest.fixture
def root(house: House) -> Browser:
    return house.enrolled("root")


@pytest.fixture
def desk(house: House) -> Browser:
    """Somebody of the help desk."""
    return house.enrolled("help")


def profile(house: House, user: str) -> str:
    return f"/mfa/admin/users/{house.id_of(user)}"


def turn(browser: Browser, *, on: bool, **fields: str) -> int:
    """Set the checkbox, save, and say how it was answered."""
    browser.get(f"/mfa/{POLICIES}")
    form = browser.form(POLICIES)
    form.pop("require_two_step", None)
    return browser.post(
        f"/mfa/{POLICIES}", form | ({"require_two_step": "1"} if on else {}) | fields
    ).status_code


@pytest.mark.parametrize("path", ["", "/users", "/users/" + "0" * 32, "/settings/policies", "/audit"])
def test_administration_is_not_there_for_ordinary_people(house: House, path: str) -> None:
    alice = house.enrolled("alice")
    answer = alice.get(f"/mfa/admin{path}")
    assert answer.status_code == 404
    assert alice.heading == "There is no such page"
    assert 'href="/mfa/admin"' not in alice.get("/mfa/account").text


def test_an_administrator_sets_up_first_and_is_brought_back(house: House) -> None:
    browser = house.browser("root")
    browser.get(f"/mfa/{POLICIES}")
    assert browser.heading == "Protect your account with a second step"
    browser.enroll()
    browser.submit("setup/saved")
    link = browser.page.find("a", class_="primary")
    assert link is not None
    browser.get(str(link["href"]))
    assert browser.heading == "Policies"


def test_an_administrator_who_signs_in_again_is_brought_back_too(root: Browser) -> None:
    browser = root.house.browser("root")
    browser.secret = root.secret
    browser.get("/mfa/admin/users?status=missing")
    assert browser.heading == "Enter the code from your authenticator app"
    browser.submit("verify", code=browser.next_code())
    assert browser.heading == "Users"
    assert browser.last is not None
    assert str(browser.last.url).endswith("/mfa/admin/users?status=missing")


def test_after_a_quarter_of_an_hour_a_page_waits_for_a_code(root: Browser) -> None:
    root.house.clock.go(ADMIN + 1)
    root.get("/mfa/admin/users?status=missing&q=a%26b")
    assert root.heading == "Confirm it's you"
    assert root.submit("confirm", code="000000").status_code == 422
    answer = root.submit("confirm", code=root.next_code())
    assert path_of(answer) == "/mfa/admin/users?status=missing&q=a%26b"
    assert root.heading == "Users"


@pytest.mark.parametrize(
    "page", ["", "account", "//evil.example", "admin/../account", "https://evil", "admin/%0d%0a"]
)
def test_w01_a_code_opens_pages_of_administration_and_nothing_else(root: Browser, page: str) -> None:
    root.house.clock.go(ADMIN + 1)
    root.get("/mfa/admin/users")
    assert root.submit("confirm", page=page, code=root.next_code()).status_code == 400


def test_a_recovery_code_opens_no_administration(root: Browser) -> None:
    browser = root.house.browser("root")
    browser.secret = root.secret
    browser.get("/mfa/verify?factor=recovery_code")
    browser.submit("verify", code=root.recovery_codes[0])
    browser.get("/mfa/admin")
    assert browser.heading == "Confirm it's you"
    assert browser.submit("confirm", code=root.recovery_codes[1]).status_code == 422
    browser.submit("confirm", code=browser.next_code())
    assert browser.heading == "Overview"


def test_the_switch_shows_what_it_would_do_and_then_does_it(root: Browser) -> None:
    house = root.house
    house.browser("alice").get("/files/")
    root.get(f"/mfa/{POLICIES}")
    assert "1 person seen so far will be asked to set up two-step" in root.words
    assert turn(root, on=True) == 303
    assert "Saved: two-step is now required for everyone." in root.words
    assert house.store.policy().require_two_step
    house.clock.go(1)
    alice = house.browser("alice")
    assert path_of(alice.get("/files/", follow=False)) == "/mfa/setup?next=%2Ffiles%2F"


def test_once_it_is_on_the_switch_counts_who_is_missing_and_leads_to_exactly_them(root: Browser) -> None:
    missing = ["alice", "bob", "carol"]
    for name in missing:
        root.house.browser(name).get("/files")
    assert turn(root, on=True) == 303
    while missing:
        root.get(f"/mfa/{POLICIES}")
        link = root.page.find("a", string=re.compile(r"seen so far (has|have) not set it up"))
        assert isinstance(link, Tag)
        assert link.get_text(strip=True).startswith(f"{len(missing)} ")
        root.get(str(link["href"]))
        listed = [str(each["href"]) for each in root.page.select("td.who a")]
        assert sorted(listed) == sorted(profile(root.house, name) for name in missing)
        root.house.enrolled(missing.pop())
    root.get(f"/mfa/{POLICIES}")
    assert "Everybody seen so far who needs it has set it up" in root.words


def test_who_still_has_time_is_counted_apart_from_who_is_missing(root: Browser) -> None:
    house = root.house
    house.browser("alice").get("/files")
    policy = replace(house.store.policy(), grace_seconds=14 * 86_400, first_required_at=NOW)
    house.store.commit_policy(policy, (), NOW)
    assert turn(root, on=True) == 303
    root.get(f"/mfa/{POLICIES}")
    assert "has not set it up" not in root.words
    assert "Everybody seen so far" not in root.words
    link = root.page.find("a", string=re.compile("1 person still has time to set it up"))
    assert isinstance(link, Tag)
    root.get(str(link["href"]))
    assert [str(each["href"]) for each in root.page.select("td.who a")] == [profile(house, "alice")]


def test_where_nobody_would_be_asked_the_switch_says_so(root: Browser) -> None:
    root.get(f"/mfa/{POLICIES}")
    assert "Nobody seen so far will be asked to set up two-step" in root.words
    assert "see who" not in root.words


def test_saving_what_stands_already_changes_nothing(root: Browser) -> None:
    before = root.house.store.policy()
    assert turn(root, on=False) == 303
    assert root.house.store.policy() == before
    assert "Nothing was changed" in root.words
    assert "Last changed" not in root.words, "it stands as the store was made"
    assert "by mfa_gate" not in root.words


def test_turning_it_off_takes_a_fresh_code(root: Browser) -> None:
    policy = root.house.store.policy
    turn(root, on=True)
    assert turn(root, on=False) == 422
    assert "Enter the six digits" in root.words
    assert turn(root, on=False, code="000000") == 422
    assert policy().require_two_step
    assert turn(root, on=False, code=root.next_code()) == 303
    assert "two-step is no longer required" in root.words
    assert not policy().require_two_step


def test_a_code_that_made_the_session_fresh_does_not_turn_it_off_as_well(root: Browser) -> None:
    turn(root, on=True)
    root.get(f"/mfa/{POLICIES}")
    root.house.clock.go(ADMIN + 1)
    fields = {"version": root.form(POLICIES)["version"], "csrf": root.form(POLICIES)["csrf"]}
    root.post(f"/mfa/{POLICIES}", fields)
    assert root.heading == "Confirm it's you"
    assert root.submit(POLICIES, code=root.next_code()).status_code == 422
    assert root.heading == "Policies"
    assert root.house.store.policy().require_two_step
    assert turn(root, on=False, code=root.next_code()) == 303


def test_two_administrators_do_not_overwrite_each_other(root: Browser) -> None:
    root.get(f"/mfa/{POLICIES}")
    stale = root.form(POLICIES)
    turn(root, on=True)
    answer = root.post(f"/mfa/{POLICIES}", stale | {"code": root.next_code()})
    assert answer.status_code == 409
    assert "Somebody else changed the policy meanwhile" in root.words
    assert root.house.store.policy().require_two_step


@pytest.mark.parametrize("version", ["", "-1", "x", "1e3", "9" * 30, "\u0661"])
def test_w19_a_version_that_is_none_is_refused(root: Browser, version: str) -> None:
    assert turn(root, on=True, version=version) == 400
    assert not root.house.store.policy().require_two_step


def test_w19_other_fields_are_not_looked_at(root: Browser) -> None:
    turn(root, on=True, session_ttl_seconds="1", allowed_factors="", role="admin")
    assert root.house.store.policy().session_ttl_seconds == 12 * 3600


def test_wrong_codes_pause_the_switch_too(root: Browser) -> None:
    turn(root, on=True)
    answers = [turn(root, on=False, code="000000") for _ in range(6)]
    assert answers == [422] * 5 + [429]
    assert "Too many tries." in root.words


def test_the_overview_counts_and_leads_to_those_it_counts(root: Browser) -> None:
    for user in ("alice", "bob"):
        root.house.browser(user).get("/files/")
    root.get("/mfa/admin")
    assert root.heading == "Overview"
    assert "1 of 3 people have set up two-step." in root.words
    link = next(each for each in root.page.select(".attention a") if "not set up" in each.get_text())
    assert "2" in link.get_text()
    root.get(str(link["href"]))
    names = [each.get_text() for each in root.page.select("td.who a")]
    assert names == ["Alice Moreau", "Bob Tanaka"]


def test_the_overview_tells_the_paused_apart_so_that_each_number_leads_to_its_list(root: Browser) -> None:
    house = root.house
    house.enrolled("alice")
    guesser = house.browser("alice")
    guesser.get("/files/")
    for way, code in (("totp", "000000"), ("recovery_code", "k3v9-0qhm-x72c-tdwe")):
        guesser.get(f"/mfa/verify?factor={way}")
        while guesser.submit("verify", code=code).status_code != 429:
            pass
    root.get("/mfa/admin")
    assert "1 of 2 people have set up two-step. 1 more has set it up, and is paused" in root.words
    assert root.page.select_one(".coverage .big").get_text() == "100%"  # type: ignore[union-attr]
    for link, names in zip(root.page.select(".coverage a"), (1, 2, 1), strict=True):
        root.get(str(link["href"]))
        assert len(root.page.select("td.who a")) == names


def test_the_overview_lists_exemptions_with_their_ends_and_reasons(root: Browser) -> None:
    for name, days, reason in (("alice", 40, "on leave"), ("bob", 2, "key ordered")):
        root.house.browser(name).get("/files")
        given = Exemption(reason=reason, approved_by="root", given_at=NOW, until=NOW + days * 86_400)
        root.house.commit(replace(root.house.account(name), exemption=given))
    root.get("/mfa/admin")
    heading = root.page.find("h2", string="Exemptions")
    assert isinstance(heading, Tag)
    card = heading.parent
    assert isinstance(card, Tag)
    rows = [row.get_text(" ", strip=True) for row in card.select("li")]
    assert "key ordered" in rows[0]
    assert "until" in rows[0]
    assert "on leave" in rows[1]
    assert "1 exemption ends within a week." in root.words
    assert [str(link["href"]) for link in card.select("li a")] == [
        profile(root.house, "bob"),
        profile(root.house, "alice"),
    ]
    root.get(str(root.page.find("a", string="2 exemptions")["href"]))  # type: ignore[index]
    assert {str(link["href"]) for link in root.page.select("td.who a")} == {
        profile(root.house, name) for name in ("alice", "bob")
    }


def test_the_overview_does_not_say_everyone_where_groups_are_left_out(root: Browser) -> None:
    store = root.house.store
    required = replace(store.policy(), require_two_step=True, changed_at=NOW)
    store.commit_policy(required, (), NOW)
    root.get("/mfa/admin")
    assert "Required for everyone since" in root.words
    store.commit_policy(replace(store.policy(), left_out_groups=("students",)), (), NOW)
    root.get("/mfa/admin")
    assert "Required by group since" in root.words
    assert "Required for everyone" not in root.words


def test_the_overview_keeps_its_latest_changes_when_a_roster_brings_many(root: Browser) -> None:
    house = root.house
    house.enrolled("alice")
    account = house.account("alice")
    listed = Event(
        kind="deactivated", account_id=account.id, subject="alice", at=NOW, actor=Actor(subject="roster")
    )
    many = tuple(replace(listed, kind=kind) for kind in ("account_listed", "deactivated") for _ in range(150))
    house.store.commit(Change(account=account, events=many), NOW)
    root.get("/mfa/admin")
    told = [line.get_text(" ", strip=True) for line in root.page.select(".trail li")]
    assert any("alice added an authenticator app" in line for line in told), told
    assert not any("active" in line for line in told)


def test_the_list_filters_searches_and_pages_and_keeps_it_in_the_address(root: Browser) -> None:
    house = root.house
    for number in range(60):
        visitor = house.browser(f"user{number:02}")
        visitor.get("/files/")
    root.get("/mfa/admin/users")
    assert len(root.page.select("td.who")) == 50
    following = root.page.find("a", rel="next")
    assert following is not None
    root.get(str(following["href"]))
    assert len(root.page.select("td.who")) == 11
    root.get("/mfa/admin/users?q=user1&status=missing")
    assert len(root.page.select("td.who")) == 10
    chips = [str(each["href"]) for each in root.page.select("a.chip")]
    assert "/mfa/admin/users?q=user1" in chips
    assert "/mfa/admin/users?q=user1&status=enrolled" in chips
    assert root.get("/mfa/admin/users?q=nobody").status_code == 200
    assert "Nobody found" in root.words


@pytest.mark.parametrize(
    "query", ["status=x", "after=%00", "after=zzz", "q=" + "x" * 3_000, "q=%ff", "status=&q=", "q=a&q=b"]
)
def test_whatever_an_address_says_the_list_is_shown(root: Browser, query: str) -> None:
    assert root.get(f"/mfa/admin/users?{query}").status_code == 200


def test_a_profile_tells_how_somebody_stands_and_what_happened(root: Browser) -> None:
    root.house.enrolled("alice")
    root.get(profile(root.house, "alice"))
    assert root.heading == "Alice Moreau"
    assert "set up by their own choice" in root.words
    assert "alice added an authenticator app." in root.words
    assert "10 recovery codes left" in root.words
    link = next(each for each in root.page.select("a") if each.get_text() == "See all in Audit")
    root.get(str(link["href"]))
    assert root.heading == "Audit"
    assert "alice added an authenticator app." in root.words


@pytest.mark.parametrize("person", ["0" * 32, "nobody", "%2e%2e", "' OR 1=1"])
def test_a_person_who_is_not_there_has_no_profile(root: Browser, person: str) -> None:
    assert root.get(f"/mfa/admin/users/{person}").status_code in {400, 404}


@pytest.mark.parametrize("page", ["admin/settings/policies", "admin/audit"])
def test_w18_the_help_desk_sees_people_only(desk: Browser, page: str) -> None:
    assert desk.get(f"/mfa/{page}").status_code == 403
    assert path_of(desk.get("/mfa/admin", follow=False)) == "/mfa/admin/users"
    desk.get("/mfa/admin/users")
    assert "/mfa/admin/audit?person" not in desk.get(profile(desk.house, "help")).text
    token = desk.form("signout")["csrf"]
    answer = desk.post(f"/mfa/{POLICIES}", {"csrf": token, "version": "0", "require_two_step": "1"})
    assert answer.status_code == 403
    assert not desk.house.store.policy().require_two_step


def test_the_trail_is_told_in_sentences_and_filtered(root: Browser) -> None:
    root.house.enrolled("alice")
    turn(root, on=True)
    root.get("/mfa/admin/audit")
    assert "root turned on Require Two-Step Authentication." in root.words
    root.get("/mfa/admin/audit?person=Alice%20Moreau&kind=factor_added")
    assert len(root.page.select(".trail li")) == 1
    root.get("/mfa/admin/audit?person=nobody")
    assert "No event fits this filter." in root.words
    root.get("/mfa/admin/audit?kind=x&before=abc")
    assert root.last is not None
    assert root.last.status_code == 200


def test_the_trail_is_found_by_day(root: Browser) -> None:
    house = root.house
    house.clock.go(2 * 86_400)
    house.enrolled("alice")
    root, secret = house.browser("root"), root.secret
    root.secret = secret
    root.get("/mfa/admin/audit")
    root.submit("verify", code=root.next_code())
    days = [datetime.fromtimestamp(NOW + 86_400 * number, UTC).date() for number in range(4)]
    counts = {}
    for first, last in ((0, 0), (0, 1), (1, 1), (2, 2), (1, 3), (3, 3)):
        root.get(f"/mfa/admin/audit?from={days[first]}&to={days[last]}")
        counts[first, last] = len(root.page.select(".trail li"))
    assert counts[0, 0] == counts[0, 1] > 0
    assert counts[2, 2] == counts[1, 3] > 0
    assert counts[1, 1] == counts[3, 3] == 0
    assert "No event fits this filter." in root.words
    root.get("/mfa/admin/audit?from=yesterday&to=2026-02-31")
    assert len(root.page.select(".trail li")) == counts[0, 0] + counts[2, 2]
    field = root.page.find("input", id="from")
    assert field is not None
    assert field["value"] == ""


def test_a_long_trail_has_pages(root: Browser) -> None:
    for number in range(30):
        root.house.browser(f"user{number}").get("/files/")
    root.house.enrolled("alice")
    turn(root, on=True)
    for _ in range(10):
        turn(root, on=False, code=root.next_code())
        turn(root, on=True)
    root.get("/mfa/admin/audit")
    seen = len(root.page.select(".trail li"))
    following = root.page.find("a", rel="next")
    assert seen == 50
    assert following is not None
    root.get(str(following["href"]))
    assert root.page.select(".trail li")
    assert "First page" in root.words


def test_a_setup_code_is_asked_of_an_administrator_where_the_settings_say_so(build: Build) -> None:
    house = build(admin={"admins": ["root"], "setup_code": True})
    browser = house.browser("root")
    browser.get("/mfa/setup")
    assert browser.submit("setup/choose").status_code == 422
    assert "Enter the setup code." in browser.words
    assert browser.submit("setup/choose", setup_code="k3v9-0qhm-x72c-tdwe").status_code == 422
    assert "That setup code didn't match." in browser.words
    made = house.make_setup_code("root")
    browser.enroll(setup_code=made)
    assert browser.heading == "Save your recovery codes"


def test_wrong_setup_codes_are_paused(build: Build) -> None:
    house = build(admin={"admins": ["root"], "setup_code": True})
    browser = house.browser("root")
    browser.get("/mfa/setup")
    house.make_setup_code("root")
    answers = [browser.submit("setup/choose", setup_code="k3v9-0qhm-x72c-tdwe").status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    assert "Too many tries." in browser.words


def test_observing_is_said_on_every_page_of_administration(build: Build) -> None:
    house = build(mode="observe")
    browser = house.enrolled("root")
    browser.get("/mfa/admin")
    assert "Nothing is enforced." in browser.words


def test_w10_what_people_are_called_does_nothing_in_the_list(root: Browser) -> None:
    name = "<img src=x onerror=alert(1)>\"'</script>"
    visitor = root.house.browser("<b>eve</b>")
    visitor.client.get("/files/", headers=visitor.headers({"X-Portal-Name": name}))
    for path in ("/mfa/admin/users", profile(root.house, "<b>eve</b>"), "/mfa/admin/audit"):
        text = root.get(path).text
        assert "<img src=x" not in text
        assert "<b>eve" not in text


def test_an_administrator_who_sets_up_later_is_not_led_round_in_a_circle(house: House) -> None:
    root = house.browser("root")
    root.get("/mfa/admin/users")
    assert "Administration is open only to people who confirm with a second step." in root.words
    root.submit("setup/later")
    assert root.heading == "Account Settings"


def test_the_help_desk_is_led_nowhere_it_may_not_go(desk: Browser) -> None:
    desk.get("/mfa/admin/users")
    bar = desk.page.find("nav", attrs={"aria-label": "Administration"})
    assert bar is not None
    assert bar.get_text().split() == ["Users"]
