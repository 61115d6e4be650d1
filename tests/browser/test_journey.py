"""The whole story in real browsers, on both example portals: enable, set up, sign in, recover, disable."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import PASSWORD, Person, chromium
from tests.cli.demos import App, Running, both, command, demo

Enter = Callable[[str], Person]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def switch(person: Person, *, on: bool) -> None:
    """Tick or untick the organization's switch, and save; turning off asks for a code."""
    person.page.goto("/mfa/admin/settings/policies")
    box = person.page.get_by_role("checkbox", name="Require Two-Step Authentication")
    box.set_checked(on)
    if not on:
        person.page.get_by_label("Code", exact=True).fill(person.phone.code())
    person.press("Save")
    expect(box).to_be_checked(checked=on)


def curl(running: Running, path: str, *words: str) -> tuple[int, str]:
    answer = subprocess.run(
        ["curl", "-s", "-w", "\n%{http_code}", *words, running.url + path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    body, _, status = answer.rpartition("\n")
    return int(status), body


def is_stopped(carol: Person, running: Running) -> None:
    """Neither her browser nor a program with her password gets to a file."""
    carol.sign_in()
    expect(carol.page).to_have_url(re.compile(r"/mfa/setup"))
    for path in ("/files", "/files/report.txt", "/archive/", "/api/files"):
        carol.page.goto(path)
        expect(carol.page.locator("body")).not_to_contain_text("confidential")
    for words in ((), ("-u", f"carol:{PASSWORD}"), ("-X", "POST"), ("-X", "PUT", "-d", "x")):
        status, body = curl(running, "/files", *words)
        assert status == 401, (words, status)
        assert json.loads(body)["code"] == "sign_in_required"


def recovers_once(alice: Person) -> None:
    """Without the phone a recovery code opens one sign-in, and the same code no second one."""
    alice.sign_out()
    alice.sign_in()
    expect(alice.page).to_have_url(re.compile(r"/mfa/verify"))
    alice.page.get_by_role("link", name="Use a recovery code").click()
    alice.give(alice.codes[0])
    alice.sees_files()
    alice.sign_out()
    alice.sign_in()
    alice.page.get_by_role("link", name="Use a recovery code").click()
    alice.give(alice.codes[0])
    expect(alice.page.locator("main")).to_contain_text("didn't match")
    alice.page.goto("/files")
    expect(alice.page.locator("body")).not_to_contain_text("confidential")


@both
def test_the_whole_story(app: App, browser: Browser, tmp_path: Path) -> None:
    with demo(app, tmp_path / "data") as running:
        admin, alice, carol = (Person(browser, running.url, name) for name in ("admin", "alice", "carol"))
        admin.sign_in()
        admin.page.goto("/mfa/setup")
        admin.set_up()
        switch(admin, on=True)

        is_stopped(carol, running)
        alice.sign_in()
        alice.page.goto("/files/report.txt")
        alice.set_up()
        expect(alice.page.get_by_role("heading", name="set up")).to_be_visible()
        alice.page.get_by_role("link", name="report.txt").click()
        expect(alice.page).to_have_url(re.compile(r"/files/report\.txt$"))
        alice.sees_files()

        recovers_once(alice)
        switch(admin, on=False)
        carol.page.goto("/files")
        carol.sees_files()
        alice.page.goto("/files")
        expect(alice.page).to_have_url(re.compile(r"/mfa/verify"))
        alice.give(alice.phone.code())
        alice.sees_files()
        alice.page.goto("/mfa/account")
        alice.page.get_by_label("Code", exact=True).fill(alice.phone.code())
        alice.press("Turn off two-step")
        alice.sign_out()
        alice.sign_in()
        expect(alice.page).to_have_url(re.compile(r"/files$"))
        alice.sees_files()
        for person in (admin, alice, carol):
            person.close()


def test_help_desk_resets_who_lost_the_phone(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with demo("starlette", data) as running:
        admin, desk, alice = (Person(browser, running.url, name) for name in ("admin", "help", "alice"))
        for person in (admin, desk, alice):
            person.sign_in()
            person.page.goto("/mfa/setup")
            person.set_up()
        switch(admin, on=True)
        said = command(data, "explain", "GET", "/files", "--user", "carol").stdout
        assert "no" in said
        assert "Enroll" in said
        assert "has not set up two-step" in said

        desk.page.goto("/mfa/admin/users")
        desk.page.get_by_role("link", name="alice").first.click()
        desk.press("Reset Two-Step Authentication")
        desk.page.get_by_label("Reason").fill("lost the phone on the tram")
        desk.press("Reset two-step for alice")
        expect(desk.page.locator("main")).to_contain_text("Not set up")

        alice.page.goto("/files")
        expect(alice.page).to_have_url(re.compile(r"/mfa/setup"))
        alice.set_up()
        alice.page.goto("/files")
        alice.sees_files()
        admin.page.goto("/mfa/admin/audit")
        expect(admin.page.locator("main")).to_contain_text("lost the phone on the tram")
        for person in (admin, desk, alice):
            person.close()
