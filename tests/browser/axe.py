"""What axe finds on a page that is shown."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

VENDOR: Final = Path(__file__).parent / "vendor"
AXE: Final = (VENDOR / "axe.min.js").read_text(encoding="utf-8")
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN: Final = """async (rules) => (
  await axe.run(document, {runOnly: rules, resultTypes: ["violations"], preload: false})
).violations
 .flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html}`))"""


def violations(page: Page, rules: list[str]) -> list[str]:
    """What axe, which is there, finds of these rules or of rules with these tags."""
    found: list[str] = page.evaluate(RUN, rules)
    return found
