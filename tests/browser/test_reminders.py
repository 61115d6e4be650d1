"""The administrator reminds people from the list, watches it happen, and the mail is there."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.people import Person, Phone
from tests.browser.story import switch
from tests.cli.demos import demo


def test_a_reminder_arrives_while_the_administrator_watches(chromium: Browser, tmp_path: Path) -> None:
    data, phone = tmp_path / "data", Phone()
    with demo("starlette", data) as running:
        admin = Person(chromium, running.url, "admin", phone)
        admin.signs_in()
        admin.opens("/mfa/setup")
        admin.sets_up()
        switch(admin, on=True)
        for name in ("alice", "bob"):
            person = Person(chromium, running.url, name, phone)
            person.signs_in()
            person.is_at("/mfa/setup")
            person.close()

        admin.opens("/mfa/admin/users?status=missing")
        admin.use(admin.page.get_by_role("checkbox", name="Choose alice"))
        admin.press("Send reminder")
        main = admin.page.get_by_role("main")
        # Nobody presses anything: the page follows by itself.
        expect(main.get_by_role("status")).to_contain_text("Finished", timeout=30_000)
        expect(main).to_contain_text("1 of 1 person")
        admin.opens("/mfa/admin/users")
        admin.press("Send reminder to all 2 who have not set it up")
        expect(main.get_by_role("status")).to_contain_text("Finished", timeout=30_000)
        admin.use(main.get_by_role("link", name=re.compile("^Left out")))
        expect(main).to_contain_text("Reminded within the last day")
        admin.close()
        found = [path.read_text("utf-8") for path in (data / "mail").iterdir()]
    mails = [mail for mail in found if "\nSubject: Set up two-step" in mail]
    assert sorted(re.findall(r"^To: (\S+)", "\n".join(mails), re.MULTILINE)) == [
        "alice@example.org",
        "bob@example.org",
    ]
    assert all(f"{running.url}/mfa/setup" in mail for mail in mails)
