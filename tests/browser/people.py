"""People with a browser, a phone and a portal: what the journeys are told with. They find everything by its name."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyotp
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.test_pages_axe import ARGUMENTS, CHROMIUM

PASSWORD = "demo"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Phone:
    """An authenticator app. Steps rise, as the gate wants them: three codes fit into the time of one."""

    def __init__(self, key: str) -> None:
        self._totp = pyotp.TOTP(key)
        self._last = int(time.time()) // 30 - 2

    def code(self) -> str:
        """The next code that was not shown before and is taken now."""
        now = int(time.time()) // 30
        self._last = max(self._last + 1, now - 1)
        if self._last > now + 1:
            raise AssertionError("four codes within thirty seconds; tell the story slower")
        return self._totp.at(self._last * 30)


class Person:
    """Somebody at a browser of their own. `complaints` is what the browser's console said."""

    def __init__(self, browser: Browser, address: str, name: str, **context: object) -> None:
        self.name = name
        self.address = address
        self.complaints: list[str] = []
        self.codes: list[str] = []
        self._phone: Phone | None = None
        self._context = browser.new_context(base_url=address, **context)  # type: ignore[arg-type] # as playwright takes them
        self._context.set_default_timeout(10_000)
        self.page: Page = self._context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: object) -> None:
        text = str(getattr(message, "text", message))
        # What the portal's own script is refused is told by the browser as an error of the network.
        if "Failed to load resource" not in text:
            self.complaints.append(text)

    @property
    def phone(self) -> Phone:
        """The phone that was set up."""
        assert self._phone is not None, f"{self.name} has no phone yet"
        return self._phone

    def press(self, name: str) -> None:
        """The one button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def sign_in(self) -> None:
        """Sign in to the portal with the password."""
        self.page.goto("/login")
        self.page.get_by_label("User name").or_(self.page.locator("#username")).fill(self.name)
        self.page.locator("#password").fill(PASSWORD)
        self.press("Sign in")

    def sign_out(self) -> None:
        """Sign out of the portal."""
        self.page.goto("/logout")

    def set_up(self) -> None:
        """Go through the wizard from its first page to its last."""
        self.press("Continue")
        self.scan()
        self.press("I have saved these codes")

    def scan(self) -> None:
        """Read the key with the phone, and confirm with a first code."""
        key = self.page.locator("#key").inner_text()
        self._phone = Phone(re.sub(r"\s", "", key))
        self.give(self.phone.code())
        expect(self.page.get_by_role("button", name="I have saved these codes")).to_be_visible()
        self.codes = re.findall(r"\b[0-9a-z]{4}(?:-[0-9a-z]{4}){3}\b", self.page.locator("main").inner_text())
        assert len(self.codes) == 10

    def give(self, code: str) -> None:
        """Type a code and go on."""
        self.page.get_by_label("Code", exact=True).fill(code)
        self.press("Continue")

    def sees_files(self) -> None:
        """The portal's list is there."""
        expect(self.page.locator("body")).to_contain_text("confidential")

    def close(self) -> None:
        """Leave; nothing on the way may have made the browser complain."""
        self._context.close()
        assert self.complaints == []
