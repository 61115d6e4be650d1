"""A browser that is remembered, in Chromium: ticked once, no code at the next sign-in, and forgotten."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from mfa_gate.core.policy import DAY
from tests.browser.people import Person
from tests.browser.portals import served


def test_a_browser_is_remembered_and_forgotten(chromium: Browser, tmp_path: Path) -> None:
    with served("flask", tmp_path) as portal:
        root = Person(chromium, portal.url, "admin", portal.code)
        root.signs_in()
        root.opens("/mfa/setup")
        root.sets_up()
        root.opens("/mfa/admin/settings/policies")
        root.page.get_by_label("Require Two-Step Authentication").check()
        root.page.locator("summary", has_text="Remembered browsers").click()
        root.fill("Days at most (0: none, up to 30)", "30")
        root.press("Save")
        root.gives(root.code(), "Save")
        expect(root.page.get_by_role("status")).to_contain_text("two-step is now required")
        root.close()
        alice = Person(chromium, portal.url, "alice", portal.code)
        alice.signs_in()
        alice.sets_up()
        alice.signs_out()
        alice.signs_in()
        alice.reads("Enter the code from your authenticator app")
        alice.page.get_by_label("Remember this browser for 30 days").check()
        alice.gives(alice.code())
        alice.sees_files()
        alice.signs_out()
        portal.clock.go(2 * DAY)
        alice.signs_in()
        alice.sees_files()
        alice.opens("/mfa/account")
        card = alice.page.locator(
            "section", has=alice.page.get_by_role("heading", name="Remembered browsers")
        )
        expect(card).to_contain_text("This one")
        card.get_by_role("button", name="Forget").click()
        alice.reads("Enter the code from your authenticator app")
        alice.gives(alice.code())
        alice.signs_out()
        alice.signs_in()
        alice.reads("Enter the code from your authenticator app")
        alice.close()
