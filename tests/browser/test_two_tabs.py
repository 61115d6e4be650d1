"""Nothing is lost by reload, back, a second tab, a wrong code, a long search for the phone, or another person."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.people import Person
from tests.browser.portals import Portal, served

PAUSE_SECONDS = 15 * 60
BETWEEN_TRIES_SECONDS = 65


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    with served("starlette", tmp_path) as running:
        yield running


@pytest.fixture
def alice(portal: Portal, chromium: Browser) -> Iterator[Person]:
    """Signed in to the portal, which does not require two-step."""
    person = Person(chromium, portal.url, "alice", portal.code)
    person.signs_in()
    yield person
    person.close()


def begins(person: Person) -> None:
    """As far as the key."""
    person.opens("/mfa/setup?next=/files/report.txt")
    person.press("Continue")
    person.scans()


def is_set_up(person: Person) -> None:
    """Two-step is done, and the way leads on to the page first asked for."""
    person.is_set_up()
    person.follow("Continue to /files/report.txt")
    person.sees_files()
    person.opens("/mfa/account")
    expect(person.page.get_by_role("heading", name="Two-step is on")).to_be_visible()


def key_on(page: Page) -> str:
    return "".join(page.locator("#key").inner_text().split())


def test_the_key_stays_through_reload_back_and_a_second_tab(alice: Person) -> None:
    begins(alice)
    alice.page.reload()
    assert key_on(alice.page) == alice.key
    alice.opens("/files")
    alice.page.go_back()
    assert key_on(alice.page) == alice.key
    second = alice.tab()
    second.goto("/mfa/setup")
    assert key_on(second) == alice.key
    alice.gives(alice.code())
    alice.keeps_codes()
    alice.press("I have saved these codes")
    is_set_up(alice)


def test_a_wrong_code_is_said_and_the_key_stays(alice: Person) -> None:
    begins(alice)
    alice.press("Continue")
    expect(alice.page.get_by_role("alert")).to_have_text(
        "Enter the six digits that your authenticator app shows."
    )
    right = alice.code()
    alice.gives(f"{(int(right) + 1) % 1_000_000:06}")
    expect(alice.page.get_by_role("alert")).to_contain_text("That code didn't match.")
    expect(alice.page.get_by_label("Code")).to_be_focused()
    assert key_on(alice.page) == alice.key
    alice.gives(f" {right[:3]} {right[3:]} ")
    alice.keeps_codes()


def test_the_tab_that_was_slower_learns_that_all_is_done(alice: Person) -> None:
    begins(alice)
    second = alice.tab()
    second.goto("/mfa/setup")
    alice.gives(alice.code())
    alice.keeps_codes()
    second.get_by_label("Code").fill(alice.code())
    second.get_by_role("button", name="Continue").click()
    expect(second.get_by_role("heading", name="You're set up")).to_be_visible()
    # The codes are shown in one tab only; there they can still be kept.
    alice.press("I have saved these codes")
    is_set_up(alice)


def test_a_reload_of_the_recovery_codes_loses_nobody(alice: Person) -> None:
    begins(alice)
    alice.gives(alice.code())
    alice.keeps_codes()
    alice.page.reload()
    is_set_up(alice)
    expect(alice.page.get_by_text("10 of 10 left")).to_be_visible()


def test_five_minutes_of_looking_for_the_phone_are_no_matter(alice: Person, portal: Portal) -> None:
    begins(alice)
    portal.clock.go(5 * 60)
    alice.gives(alice.code())
    alice.keeps_codes()


def test_after_ten_minutes_there_is_a_fresh_key_and_a_sentence_why(alice: Person, portal: Portal) -> None:
    begins(alice)
    old = alice.key
    portal.clock.go(11 * 60)
    alice.gives(alice.code())
    alice.reads("Scan this with your authenticator app")
    expect(alice.page.get_by_role("alert")).to_contain_text("Ten minutes have passed")
    alice.scans()
    assert alice.key != old
    alice.gives(alice.code())
    alice.keeps_codes()
    alice.press("I have saved these codes")
    is_set_up(alice)


def test_a_wizard_left_overnight_begins_again(alice: Person, portal: Portal) -> None:
    begins(alice)
    portal.clock.go(13 * 3600)
    alice.page.reload()
    alice.sets_up()


def test_two_tabs_that_wait_for_a_code_are_both_let_through(alice: Person) -> None:
    begins(alice)
    alice.gives(alice.code())
    alice.keeps_codes()
    alice.signs_out()
    alice.signs_in()
    alice.is_at("/mfa/verify")
    second = alice.tab()
    second.goto("/files/report.txt")
    expect(second.get_by_label("Code")).to_be_visible()
    alice.gives(alice.code())
    alice.is_at("/files")
    # What this tab was given is void with the new session, but there is nothing left to ask.
    second.get_by_label("Code").fill("000000")
    second.get_by_role("button", name="Continue").click()
    expect(second).to_have_url(re.compile(r"/files/report\.txt$"))
    expect(second.locator("body")).to_contain_text("confidential")
    alice.page.go_back()
    alice.page.reload()
    alice.sees_files()


def test_signing_out_in_one_tab_counts_in_all(alice: Person) -> None:
    begins(alice)
    alice.gives(alice.code())
    alice.keeps_codes()
    second = alice.tab()
    second.goto("/mfa/account")
    second.get_by_role("button", name="Sign out").click()
    expect(second.get_by_role("heading", name="You are signed out")).to_be_visible()
    alice.opens("/files")
    alice.is_at("/mfa/verify")
    second.get_by_role("link", name="Sign out of Example Files as well").click()
    expect(second.get_by_role("heading", name="Welcome to Example Files")).to_be_visible()
    alice.page.reload()
    alice.is_at("/login")


def test_many_wrong_codes_pause_and_the_pause_ends(alice: Person, portal: Portal) -> None:
    begins(alice)
    alice.gives(alice.code())
    alice.keeps_codes()
    alice.signs_out()
    alice.signs_in()
    for _ in range(10):
        portal.clock.go(BETWEEN_TRIES_SECONDS)
        alice.gives("000000")
        expect(alice.page.get_by_role("alert").first).to_be_visible()
    alice.gives(alice.code())
    expect(alice.page.get_by_role("alert").first).to_contain_text("Too many tries. You can go on at")
    expect(alice.page.get_by_role("link", name="Use a recovery code")).to_be_visible()
    portal.clock.go(PAUSE_SECONDS)
    # The page was open for longer than its form is good for: it says so, and takes the next code.
    alice.gives(alice.code())
    expect(alice.page.get_by_role("alert").first).to_contain_text("This page was open for a long time.")
    alice.gives(alice.code())
    alice.sees_files()


def test_who_comes_next_at_this_browser_finishes_nothing_of_it(alice: Person, portal: Portal) -> None:
    begins(alice)
    alice.signs_out()
    alice.page.goto("/login")
    alice.page.get_by_label("Username").fill("bob")
    alice.page.get_by_label("Password").fill("demo")
    alice.page.get_by_role("button", name="Sign in").click()
    alice.opens("/mfa/setup")
    alice.reads("Protect your account with a second step")
    expect(alice.page.get_by_text("Signed in as bob.")).to_be_visible()


def test_a_page_that_wants_a_fresh_code_asks_for_it(alice: Person, portal: Portal) -> None:
    begins(alice)
    alice.gives(alice.code())
    alice.keeps_codes()
    portal.clock.go(6 * 60)
    alice.opens("/archive/")
    expect(alice.page.get_by_text("/archive/ asks you to confirm it's you.")).to_be_visible()
    alice.sees_no_files()
    alice.gives(alice.code())
    alice.is_at("/archive/")
    alice.sees_files()
