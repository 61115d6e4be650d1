"""Takes the README's pictures from a running demo: `.venv/bin/python -m docs.pictures` (needs Chromium)."""

import tempfile
from pathlib import Path

from tests.browser.browsers import chromium
from tests.browser.people import Person, Phone
from tests.cli.demos import demo

FOLDER = Path(__file__).parent / "pictures"
VIEW = {"viewport": {"width": 1024, "height": 560}, "device_scale_factor": 2, "reduced_motion": "reduce"}
PEOPLE = ("help", "alice", "bob", "carol")


def main() -> None:
    """Set two-step up as the administrator, and take a picture on the way and one of the switch."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        demo("starlette", Path(folder) / "data") as running,
        chromium() as browser,
    ):
        phone = Phone()
        for name in PEOPLE:
            person = Person(browser, running.url, name, phone)
            person.signs_in()
            person.close()
        admin = Person(browser, running.url, "admin", phone, **VIEW)
        admin.signs_in()
        admin.opens("/mfa/setup")
        admin.press("Continue")
        admin.scans()
        admin.page.screenshot(path=FOLDER / "wizard.png", full_page=True)
        admin.gives(admin.code())
        admin.keeps_codes()
        admin.press("I have saved these codes")
        admin.opens("/mfa/admin/settings/policies")
        admin.page.get_by_role("checkbox", name="Require Two-Step Authentication").check()
        admin.page.mouse.move(0, 0)
        admin.page.screenshot(path=FOLDER / "policy.png", full_page=True)
        admin.close()


if __name__ == "__main__":
    main()
