"""People at browsers of their own: what the journeys are told with. They find everything by its role and name."""

import re
import time
from collections.abc import Callable
from typing import Any

import pyotp
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response, expect

from mfa_gate.web.translations import load_translations

PASSWORD = "demo"
RECOVERY_CODE = re.compile(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){3}")
SAID_NO = "Failed to load resource: the server responded with a status of 4"
TABS = 40
PATIENCE_SECONDS = 10

Reveal = Callable[[str], str]
"""The next code of the app with this key that was not shown before."""


class Phone:
    """An authenticator app under the real clock. Three codes are taken within thirty seconds; then one has to wait."""

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}

    def __call__(self, key: str) -> str:
        """The next code of this key that was not shown before."""
        last = self._shown.get(key, 0)
        # Near its end the oldest code that is taken could grow too old on its way.
        while (step := max(last + 1, int(time.time() + 5) // 30 - 1)) > time.time() // 30 + 1:
            time.sleep(0.1)
        self._shown[key] = step
        return pyotp.TOTP(key).at(step * 30)


class Person:
    """Somebody at a browser with a mouse."""

    def __init__(
        self,
        browser: Browser,
        address: str,
        name: str,
        reveal: Reveal,
        **context: Any,  # noqa: ANN401
    ) -> None:
        self.name = name
        self.key = ""
        self.codes: list[str] = []
        self._heard: list[tuple[str, str]] = []
        self._reveal = reveal
        self._refused: set[str] = set()
        language = str(context.setdefault("locale", "en")).partition("-")[0]
        self.runs_scripts: bool = context.get("java_script_enabled", True)
        self._words = load_translations()[language]
        self.context = browser.new_context(base_url=address, **context)
        self.context.set_default_timeout(PATIENCE_SECONDS * 1000)
        self.page = self.tab()

    def tab(self) -> Page:
        """Another tab; what its console says is heard."""
        page = self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._heard.append((str(error), page.url)))
        page.on("response", self._note)
        return page

    def close(self) -> None:
        """Leave; nothing on the way may have made the browser complain."""
        self.context.close()
        # A page that says no is an answer, and a picture for plain text is the browser's own idea; a script or style
        # sheet that is missing is neither.
        complaints = [
            f"{text} ({url})"
            for text, url in self._heard
            if not (text.startswith(SAID_NO) and (url in self._refused or url.endswith("/favicon.ico")))
        ]
        assert not complaints, complaints

    def _note(self, response: Response) -> None:
        if response.status >= 400 and response.request.is_navigation_request():
            self._refused.add(response.url)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._heard.append((message.text, message.location["url"]))

    def words(self, english: str) -> str:
        """What the gate's pages say in this person's language."""
        return self._words.gettext(english)

    # What hands do ------------------------------------------------------------------------------------------------

    def press(self, name: str) -> None:
        """Press the one button of this name."""
        self.use(self.page.get_by_role("button", name=self.words(name), exact=True))

    def follow(self, name: str) -> None:
        """Follow the one link of this name."""
        self.use(self.page.get_by_role("link", name=self.words(name), exact=True))

    def fill(self, label: str, text: str) -> None:
        """Type into the field with this label."""
        self.type(self.page.get_by_label(self.words(label), exact=True), text)

    def use(self, control: Locator) -> None:
        """Press, follow or tick."""
        control.click()

    def type(self, field: Locator, text: str) -> None:
        """Type into a field."""
        field.fill(text)

    # What eyes see ------------------------------------------------------------------------------------------------

    def reads(self, title: str) -> None:
        """The page has this heading."""
        expect(self.page.get_by_role("heading", name=self.words(title), level=1)).to_be_visible()

    def is_at(self, path: str) -> None:
        """The browser is at this path."""
        expect(self.page).to_have_url(re.compile(rf"^http://localhost:\d+{re.escape(path)}(\?|$)"))

    def sees_files(self) -> None:
        """What the portal keeps is there."""
        expect(self.page.locator("body")).to_contain_text("confidential")

    def sees_no_files(self) -> None:
        """It is not."""
        expect(self.page.locator("body")).not_to_be_empty()
        expect(self.page.locator("body")).not_to_contain_text("confidential")

    # What people do -----------------------------------------------------------------------------------------------

    def opens(self, path: str) -> None:
        """Type an address."""
        self.page.goto(path)

    def signs_in(self, path: str = "/files") -> None:
        """Ask for a page of the portal, and sign in where it asks for the password."""
        self.opens(path)
        self.is_at("/login")
        self.type(self.page.get_by_label("Username"), self.name)
        self.type(self.page.get_by_label("Password"), PASSWORD)
        self.use(self.page.get_by_role("button", name="Sign in"))

    def signs_out(self) -> None:
        """Sign out of the portal, on its list of files."""
        self.opens("/files")
        self.use(self.page.get_by_role("button", name="Sign out"))
        self.page.wait_for_url(lambda url: "/files" not in url)

    def code(self) -> str:
        """What the app shows next."""
        assert self.key, f"{self.name} has scanned nothing yet"
        return self._reveal(self.key)

    def gives(self, code: str, button: str = "Continue") -> None:
        """Type a code and go on."""
        self.fill("Code", code)
        self.press(button)

    def scans(self) -> None:
        """Take the key into the app."""
        self.reads("Scan this with your authenticator app")
        self.key = re.sub(r"\s", "", self.page.locator("#key").inner_text())

    def sets_up(self) -> None:
        """Go through the wizard from its first page to its last."""
        self.reads("Protect your account with a second step")
        self.press("Continue")
        self.scans()
        self.gives(self.code())
        self.keeps_codes()
        self.press("I have saved these codes")
        self.is_set_up()

    def is_set_up(self) -> None:
        """The wizard is done. It would lead on by itself, unless the reader does anything."""
        self.reads("You're set up")
        self.page.keyboard.press("Shift")

    def keeps_codes(self) -> None:
        """Write the recovery codes down."""
        self.reads("Save your recovery codes")
        self.codes = RECOVERY_CODE.findall(self.page.get_by_role("main").inner_text())
        assert len(set(self.codes)) == 10

    def gives_recovery_code(self, code: str) -> None:
        """Where a code of the app is asked for, use one from paper."""
        self.follow("Use a recovery code")
        self.reads("Enter a recovery code")
        self.gives(code)


class KeyboardPerson(Person):
    """Somebody who has no mouse."""

    def use(self, control: Locator) -> None:
        """Go there with the tabulator key; space ticks, enter does the rest."""
        self._reach(control)
        self.page.keyboard.press("Space" if control.get_attribute("type") == "checkbox" else "Enter")

    def type(self, field: Locator, text: str) -> None:
        """Go there and type."""
        self._reach(field)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def _reach(self, control: Locator) -> None:
        control.wait_for()
        for _ in range(TABS):
            if control.evaluate("element => element === document.activeElement"):
                outline = control.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline != "none", f"nobody can see that the focus is at {control}"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{control} is not reached within {TABS} presses of the tabulator key")
