"""The whole story on the real demo of both example portals, a process of its own under the real clock."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import Person, Phone
from tests.browser.story import switch, whole_story
from tests.cli.demos import App, command, demo


@pytest.mark.parametrize(
    ("app", "store_url"), [("flask", "sqlite"), ("starlette", "redis-7")], indirect=["store_url"]
)
def test_the_whole_story(app: App, store_url: str | None, chromium: Browser, tmp_path: Path) -> None:
    with demo(app, tmp_path / "data", *(("--store", store_url) if store_url else ())) as running:
        phone = Phone()
        whole_story(running.url, lambda name: Person(chromium, running.url, name, phone))


def test_the_help_desk_resets_and_the_shell_explains(chromium: Browser, tmp_path: Path) -> None:
    data, phone = tmp_path / "data", Phone()
    with demo("starlette", data) as running:
        admin, desk, alice = (
            Person(chromium, running.url, name, phone) for name in ("admin", "help", "alice")
        )
        for person in (admin, desk, alice):
            person.signs_in()
            person.opens("/mfa/setup")
            person.sets_up()
        switch(admin, on=True)

        desk.opens("/mfa/admin")
        desk.reads("Users")
        expect(desk.page.get_by_role("columnheader", name="2FA Status")).to_be_visible()
        expect(desk.page.get_by_role("row", name="alice").get_by_role("cell").nth(1)).to_have_text("Set up")
        desk.use(desk.page.get_by_role("table").get_by_role("link", name="alice"))
        desk.press("Reset Two-Step Authentication")
        desk.fill("Reason", "lost the phone on the tram")
        desk.press("Reset two-step for alice")
        expect(desk.page.get_by_role("status")).to_contain_text("Two-step of alice is reset.")

        # She has lost her phone, and whoever has her password alone is stopped: the shell says by which rule, and why.
        said = command(data, "explain", "GET", "/files", "--user", "alice").stdout
        assert "none of [portal] rules fits, so it needs a user who has passed two-step" in said
        assert "alice, not verified: Enroll" in said
        assert "Require Two-Step Authentication is on, and alice has not set up two-step." in said
        alice.opens("/files")
        alice.sees_no_files()
        alice.sets_up()
        alice.follow("Continue to /files")
        alice.sees_files()
        expect(alice.page.get_by_text("The ward line is open for Alice Moreau")).to_be_visible()

        admin.opens("/mfa/admin/audit")
        expect(admin.page.get_by_role("main")).to_contain_text("lost the phone on the tram")
        for person in (admin, desk, alice):
            person.close()


def test_an_exception_is_made_by_hand_and_taken_back(chromium: Browser, tmp_path: Path) -> None:
    phone = Phone()
    with demo("flask", tmp_path / "data") as running:
        admin, bob = (Person(chromium, running.url, name, phone) for name in ("admin", "bob"))
        admin.signs_in()
        admin.opens("/mfa/setup")
        admin.sets_up()
        switch(admin, on=True)
        bob.signs_in()
        bob.opens("/files")
        bob.reads("Protect your account with a second step")

        admin.opens("/mfa/admin/users")
        admin.use(admin.page.get_by_role("table").get_by_role("link", name="bob"))
        admin.press("Exempt until…")
        admin.fill("Exempt until", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86_400)))
        admin.fill("Reason", "hardware key ordered")
        admin.fill("Code", admin.code())
        admin.press("Exempt bob")
        expect(admin.page.get_by_role("status")).to_contain_text("bob is exempt until")
        bob.opens("/files")
        bob.sees_files()

        admin.press("End exemption")
        admin.fill("Reason", "it has arrived")
        admin.press("End exemption")
        expect(admin.page.get_by_role("status")).to_contain_text("The exemption of bob is ended.")
        expect(admin.page.get_by_role("list").last).to_contain_text("hardware key ordered")
        bob.opens("/files")
        bob.reads("Protect your account with a second step")
        for person in (admin, bob):
            person.close()
