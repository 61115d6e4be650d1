"""The administrator's story, word for word: enabling, monitoring, handling an exception, disabling."""

import re
from email.message import EmailMessage
from pathlib import Path

from playwright.sync_api import Browser, Locator, expect

from mfa_gate.settings import Mail
from tests.browser.people import KeyboardPerson, Person
from tests.browser.portals import served
from tests.browser.story import is_stopped, switch
from tests.mail.servers import MailServer
from tests.waiting import until

RESET = "Two-step was reset for your account at Example Files"
LINK = re.compile(r"http://localhost:\d+/\S+")


def test_the_administrators_story(chromium: Browser, tmp_path: Path) -> None:
    with MailServer() as mailbox:
        mail = Mail(
            smtp=f"smtp+plain://127.0.0.1:{mailbox.port}",
            sender="two-step@example.org",
            domain="example.org",
        )
        with served("starlette", tmp_path, mail) as portal:
            # The administrator does everything by keyboard, so that each control is in reach and its focus in sight.
            admin = KeyboardPerson(chromium, portal.url, "admin", portal.code)
            alice, bob, carol = (
                Person(chromium, portal.url, name, portal.code) for name in ("alice", "bob", "carol")
            )
            _enabling(admin, alice, bob)
            _monitoring(admin, bob, mailbox)
            _handling_an_exception(admin, alice)
            until(lambda: ("alice@example.org", RESET) in _told(mailbox))
            assert ("admin@example.org", "Example Files: Reset") in _told(mailbox)
            _disabling(admin, alice, carol)
            for person in (admin, alice, bob, carol):
                person.close()


def _enabling(admin: Person, alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        person.signs_in()
        person.sees_files()
    admin.signs_in()
    admin.sees_files()
    admin.opens("/mfa/setup")
    admin.sets_up()
    switch(admin, on=True)

    alice.opens("/files")
    alice.is_at("/mfa/setup")
    alice.sets_up()
    is_stopped(bob, "two_step_setup_required")


def _monitoring(admin: Person, bob: Person, mailbox: MailServer) -> None:
    admin.follow("Users")
    expect(admin.page.get_by_role("columnheader", name="2FA Status", exact=True)).to_be_visible()
    assert _status(admin, "alice") == ("check", "Set up")
    assert _status(admin, "bob") == ("warning", "Not set up")

    admin.use(_filters(admin).get_by_role("link", name=re.compile("^Not set up")))
    expect(_filters(admin).get_by_role("link", name="Not set up 1")).to_have_attribute("aria-current", "true")
    expect(_names(admin)).to_have_text(["bob"])
    admin.use(admin.page.get_by_role("checkbox", name="Choose bob"))
    admin.press("Send reminder")
    run = admin.page.get_by_role("main")
    expect(run.get_by_role("status")).to_contain_text("Finished", timeout=30_000)
    expect(run).to_contain_text("1 of 1 person")

    # Nobody else got one, and whoever follows the link lands where two-step is set up.
    ((recipient, letter),) = (
        (to, letter) for to, letter in mailbox.letters if letter["Subject"].startswith("Set up two-step")
    )
    assert recipient == "bob@example.org"
    bob.opens(_link(letter))
    bob.sets_up()
    bob.opens("/files")
    bob.sees_files()
    admin.follow("Users")
    assert _status(admin, "bob") == ("check", "Set up")
    expect(_filters(admin).get_by_role("link", name="Not set up 0")).to_be_visible()


def _handling_an_exception(admin: Person, alice: Person) -> None:
    admin.fill("Search people", "ali")
    admin.press("Search")
    expect(_names(admin)).to_have_text(["alice"])
    admin.use(_names(admin))
    admin.press("Reset Two-Step Authentication")
    admin.reads("Reset two-step for alice?")
    admin.fill("Reason", "lost the phone, called back")
    admin.press("Reset two-step for alice")
    expect(admin.page.get_by_role("status")).to_contain_text("Two-step of alice is reset.")
    expect(admin.page.get_by_role("main")).to_contain_text("lost the phone, called back")

    is_stopped(alice, "two_step_setup_required")
    alice.opens("/files")
    alice.press("Sign out")
    alice.reads("You are signed out")
    alice.follow("Sign out of Example Files as well")
    alice.signs_in()
    alice.is_at("/mfa/setup")
    alice.sets_up()
    alice.follow("Continue to /files")
    alice.sees_files()


def _disabling(admin: Person, alice: Person, carol: Person) -> None:
    switch(admin, on=False)
    carol.signs_in()
    carol.is_at("/files")
    carol.sees_files()

    alice.signs_out()
    alice.signs_in()
    alice.is_at("/mfa/verify")
    alice.sees_no_files()
    alice.gives(alice.code())
    alice.sees_files()
    alice.opens("/mfa/account")
    alice.reads("Account Settings")
    alice.gives(alice.code(), "Turn off two-step")
    expect(alice.page.get_by_role("heading", name="Two-step is off")).to_be_visible()
    alice.signs_out()
    alice.signs_in()
    alice.is_at("/files")
    alice.sees_files()


def _filters(admin: Person) -> Locator:
    return admin.page.get_by_role("navigation", name="Filter by 2FA status")


def _names(admin: Person) -> Locator:
    """Everybody whom the list shows."""
    return admin.page.get_by_role("table").get_by_role("cell").get_by_role("link")


def _status(admin: Person, name: str) -> tuple[str, str]:
    """Icon and words in somebody's column 2FA Status."""
    cell = admin.page.get_by_role("row", name=name).get_by_role("cell").nth(1)
    found = re.search(r"icons/([a-z]+)", cell.locator("img").get_attribute("src") or "")
    assert found is not None
    return found[1], cell.inner_text().strip()


def _told(mailbox: MailServer) -> set[tuple[str, str]]:
    """Who got a mail, and with which subject."""
    return {(to, str(letter["Subject"])) for to, letter in mailbox.letters}


def _link(letter: EmailMessage) -> str:
    """The one address in a letter's text."""
    part = letter.get_body(("plain",))
    assert part is not None
    (link,) = set(LINK.findall(part.get_content()))
    assert isinstance(link, str)
    return link
