"""Every page in a real browser: accessible, inside the narrowest phone, and quiet on the console."""

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser.axe import AXE, RULES, VENDOR, violations
from tests.browser.gallery import gallery
from tests.web import samples
from tests.web.pseudo import LANGUAGE as PSEUDO

NARROW = ["color-contrast", "target-size", "scrollable-region-focusable"]
"""What axe may see otherwise on a phone than on a desk."""
TOO_SMALL = """() => {
  const targets = ["button", ".button", "select", "summary", ".choice", ".chip", "nav a", "footer a", ".under a",
    ".others a", "input:not([type=hidden], [type=checkbox], [type=radio])"];
  return [...document.querySelectorAll(targets.join())]
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 43.5)
    .map((element) => element.outerHTML);
}"""
CUT_OFF = """() => [...document.querySelectorAll(".card")]
  .filter((card) => card.scrollWidth > card.clientWidth + 1).map((card) => card.outerHTML.slice(0, 99))"""
BETWEEN = (650, 1090)
DESK, PHONE = ViewportSize(width=1200, height=900), ViewportSize(width=390, height=844)
# `onward` leaves at once, for a page that is not here.
SHOWN = [name for name in samples.VIEWS if name != "onward"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with gallery() as running:
        yield running


def quiet_page(context: BrowserContext, complaints: list[str]) -> Page:
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def test_every_page_is_accessible(chromium: Browser, address: str) -> None:
    complaints: list[str] = []
    context = chromium.new_context(color_scheme="light", reduced_motion="reduce", viewport=DESK)
    page = quiet_page(context, complaints)
    for name in SHOWN:
        page.goto(f"{address}/{name}")
        page.evaluate(AXE)
        complaints += [f"{name}: {found}" for found in violations(page, RULES)]
        # Dark changes colors and nothing else.
        page.emulate_media(color_scheme="dark")
        complaints += [f"{name} in the dark: {found}" for found in violations(page, ["color-contrast"])]
        page.set_viewport_size(PHONE)
        complaints += [f"{name} on a phone: {found}" for found in violations(page, NARROW)]
        for width in BETWEEN:
            page.set_viewport_size({"width": width, "height": 900})
            complaints += [f"{name} at {width} px: cut off: {html}" for html in page.evaluate(CUT_OFF)]
        page.set_viewport_size(DESK)
        page.emulate_media(color_scheme="light")
    context.close()

    assert complaints == []


@pytest.mark.parametrize("language", ["de", PSEUDO])
def test_every_page_fits_the_narrowest_phone_and_a_thumb(
    chromium: Browser, address: str, language: str
) -> None:
    complaints: list[str] = []
    context = chromium.new_context(viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True)
    page = quiet_page(context, complaints)
    for name in SHOWN:
        page.goto(f"{address}/{name}?language={language}")
        # Links inside a sentence are excepted (WCAG 2.5.8); a checkbox or radio counts with its label.
        complaints += [f"{name}: too small: {html}" for html in page.evaluate(TOO_SMALL)]
        if page.evaluate("document.documentElement.scrollWidth > 320"):
            complaints.append(f"{name}: wider than 320 px")
    context.close()

    assert complaints == []


def test_what_a_save_would_do_appears_with_the_tick_even_without_scripts(
    chromium: Browser, address: str
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/admin-policies-on")
    switch = page.get_by_role("checkbox", name="Require Two-Step Authentication")
    expect(page.get_by_label("Code")).to_be_hidden()
    switch.uncheck()
    page.get_by_label("Code").fill("123456")
    page.get_by_role("button", name="Save").click()

    sent = page.locator("pre").inner_text()
    assert sent.startswith("csrf=token-of-the-form&version=4&whole=1&code=123456&")
    assert "require_two_step" not in sent

    page.goto(f"{address}/admin-policies-off")
    expect(page.get_by_text("people seen so far will be asked")).to_be_hidden()
    page.get_by_role("checkbox", name="Require Two-Step Authentication").check()
    expect(page.get_by_text("people seen so far will be asked")).to_be_visible()
    context.close()


def test_a_reset_is_asked_for_twice_and_says_why_even_without_scripts(
    chromium: Browser, address: str
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/admin-user")
    ask = page.get_by_role("button", name="Reset Two-Step Authentication")
    assert ask.evaluate("button => button.form.method + ' ' + button.form.action").endswith("/a1/reset")
    assert ask.evaluate("button => button.form.method") == "get"
    page.goto(f"{address}/admin-act-reset")
    page.get_by_label("Reason").fill("Lost phone")
    page.get_by_role("button", name="Reset two-step for Alice Moreau").click()

    expect(page.locator("pre")).to_have_text("csrf=token-of-the-form&revision=1-0&reason=Lost+phone")
    context.close()


def test_copy_print_and_paste(chromium: Browser, address: str) -> None:
    complaints: list[str] = []
    context = chromium.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page = quiet_page(context, complaints)
    page.goto(f"{address}/setup-codes")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "\n".join(samples.CODES) + "\n"
    expect(page.get_by_role("button", name="Print")).to_be_visible()

    page.goto(f"{address}/setup-scan")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "".join(samples.SCAN.key_groups)
    page.evaluate("navigator.clipboard.writeText('Your code: 123 456.')")
    page.get_by_label("Code").press("ControlOrMeta+v")
    expect(page.get_by_label("Code")).to_have_value("123456")
    context.close()
    assert complaints == []


def test_buttons_that_need_scripts_are_not_shown_without(chromium: Browser, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/setup-codes")

    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    page.get_by_role("button", name="Download").click()
    expect(page.locator("pre")).to_contain_text("&codes=k3v9-0qhm-x72c-tdwe+4b8n")
    context.close()


def test_the_pause_is_counted_down_and_times_are_the_readers_own(chromium: Browser, address: str) -> None:
    context = chromium.new_context(timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.clock.install(time=samples.NOW)
    page.goto(f"{address}/verify-paused")
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("You can go on at 23:36.")
    expect(notice.locator(".countdown")).to_have_text("4:32")
    page.clock.run_for(32_000)
    expect(notice.locator(".countdown")).to_have_text("4:00")
    page.clock.run_for(240_000)
    expect(notice).to_contain_text("You can go on now.")
    context.close()


def test_the_last_page_of_the_wizard_leads_on_unless_the_reader_stays(
    chromium: Browser, address: str
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.clock.install(time=samples.NOW)
    page.goto(f"{address}/setup-done")
    page.keyboard.press("Tab")
    page.clock.run_for(60_000)
    expect(page).to_have_url(f"{address}/setup-done")
    page.reload()
    page.clock.run_for(5_000)
    expect(page).to_have_url(f"{address}/files")
    context.close()


def test_recovery_codes_are_printed_without_what_surrounds_them(chromium: Browser, address: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{address}/setup-codes")
    page.emulate_media(media="print")

    expect(page.get_by_text("Recovery codes of Alice Moreau for Example Files")).to_be_visible()
    expect(page.get_by_text(samples.CODES[9])).to_be_visible()
    expect(page.get_by_role("button", name="I have saved these codes")).to_be_hidden()
    expect(page.get_by_text("Not you?")).to_be_hidden()
    context.close()


def test_what_we_took_from_others_is_unchanged() -> None:
    for line in (VENDOR / "SHA256SUMS").read_text(encoding="ascii").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
