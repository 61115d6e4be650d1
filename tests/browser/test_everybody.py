"""The whole story by people who do without scripts or a mouse, have a small phone, or read German in the dark.

With the journey on the real demo it is told on every kind of store: SQLite, Redis 7, Redis 8 and Valkey 9.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.people import KeyboardPerson, Person
from tests.browser.portals import served
from tests.browser.story import whole_story
from tests.cli.demos import App

PHONE = {
    "viewport": {"width": 320, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "color_scheme": "dark",
    "locale": "de-DE",
}
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"


class PhonePerson(Person):
    """Somebody with a small phone: no page may be wider than it."""

    def reads(self, title: str) -> None:
        """The page has this heading, and fits."""
        super().reads(title)
        assert not self.page.evaluate(TOO_WIDE), f"{title!r} is too wide"


@pytest.mark.parametrize(
    ("app", "store_url", "kind", "context"),
    [
        pytest.param("flask", "redis-8", Person, {"java_script_enabled": False}, id="without-scripts"),
        pytest.param("starlette", "valkey-9", KeyboardPerson, {}, id="keyboard-only"),
        pytest.param("starlette", "sqlite", PhonePerson, PHONE, id="small-phone-dark-german"),
    ],
    indirect=["store_url"],
)
def test_the_whole_story(
    *,
    app: App,
    store_url: str | None,
    kind: type[Person],
    context: dict[str, Any],
    chromium: Browser,
    tmp_path: Path,
) -> None:
    with served(app, tmp_path, store_url=store_url) as portal:
        whole_story(portal.url, lambda name: kind(chromium, portal.url, name, portal.code, **context))
