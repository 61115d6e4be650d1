"""Takes the README's pictures from a running demo: `.venv/bin/python -m docs.pictures` (needs Chromium)."""

import tempfile
from pathlib import Path

from tests.browser.people import Person, chromium
from tests.cli.demos import demo

FOLDER = Path(__file__).parent / "pictures"
VIEW = {"viewport": {"width": 900, "height": 640}, "device_scale_factor": 1.5}


def main() -> None:
    """Set two-step up as the administrator, and take a picture on the way and one of the switch."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        demo("starlette", Path(data) / "data") as running,
        chromium() as browser,
    ):
        for name in ("alice", "bob", "carol"):
            Person(browser, running.url, name).sign_in()
        admin = Person(browser, running.url, "admin", **VIEW)
        admin.sign_in()
        admin.page.goto("/mfa/setup")
        admin.press("Continue")
        admin.page.locator("#key").wait_for()
        admin.page.screenshot(path=FOLDER / "wizard.png", full_page=True)
        admin.scan()
        admin.press("I have saved these codes")
        admin.page.goto("/mfa/admin/settings/policies")
        admin.page.get_by_role("checkbox", name="Require Two-Step Authentication").check()
        admin.page.screenshot(path=FOLDER / "policy.png")
        admin.close()


if __name__ == "__main__":
    main()
