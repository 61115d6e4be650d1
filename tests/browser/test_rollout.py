"""A hospital of 10,000 people goes from observe over a grace period to required, and every number agrees on the way.

The people come by `mfa-gate users import`; most set up two-step without a browser, in the same commits. Everything that
counts is asked wherever it is shown, and has to be the same everywhere: overview, chips, lists, report, reminders.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner
from playwright.sync_api import Browser, expect

from mfa_gate.cli import main
from mfa_gate.cli.invocation import Invocation
from mfa_gate.core.accounts import Totp, account_id
from mfa_gate.core.events import SYSTEM
from mfa_gate.core.transitions import enrolled
from mfa_gate.keys import KeyRing
from mfa_gate.opening import open_store
from mfa_gate.ports import Change, Store
from mfa_gate.wiring import Sources
from tests.browser.axe import AXE, RULES, violations
from tests.browser.people import Person
from tests.browser.portals import Clock, Portal, served
from tests.waiting import until

PEOPLE: Final = 10_000
SET_UP: Final = 1_500
FEW: Final = 2_000
DAY: Final = 86_400
GROUPS: Final = ("nurses", "nurses", "physicians", "administration")
KNOWN: Final = ("admin", "alice", "bob", "carol")
API: Final = "/mfa/api/v1/"
WORDS: Final = {
    "Set up": "enrolled",
    "Not set up": "missing",
    "Not set up yet": "grace",
    "Exempt": "exempt",
    "Paused": "paused",
    "Inactive": "inactive",
}
ATTENTION: Final = {
    "have not set up two-step": "missing",
    "has not set up two-step": "missing",
    "can still wait until": "grace",
    "never signed in": "never",
}


def names() -> list[str]:
    return [*KNOWN, *(f"p{number:05}" for number in range(PEOPLE - len(KNOWN)))]


def roster(file: Path) -> None:
    lines = [
        f"portal,{name},{name.title()},{name}@example.org,{GROUPS[number % 4]},yes"
        for number, name in enumerate(names())
    ]
    file.write_text("\n".join(["realm,subject,name,email,groups,active", *lines]), "utf-8")


def test_ten_thousand_people_from_observe_over_grace_to_required(chromium: Browser, tmp_path: Path) -> None:
    """All within fourteen days: so long the gate believes a cookie of this portal."""
    clock = Clock()
    roster(tmp_path / "people.csv")
    with served("starlette", tmp_path / "site", clock=clock, mode="observe") as portal:
        shell(portal, clock, "users", "import", str(tmp_path / "people.csv"), "--yes", "--reason", "Roster")
        with visiting(chromium, portal, "admin", "carol") as (admin, carol):
            observed(admin, carol)
            key = admin.key
    with (
        served("starlette", tmp_path / "site", clock=clock) as portal,
        visiting(chromium, portal, "admin", "alice", "carol") as (admin, alice, carol),
    ):
        admin.key = key
        comes_back(admin)
        given_time(portal, clock, admin, alice)
        required(portal, clock, admin, carol)
        every_page_is_accessible(admin)
        the_file_stands_by_itself(admin, tmp_path / "report.html")


def observed(admin: Person, carol: Person) -> None:
    admin.signs_in()
    admin.opens("/mfa/setup")
    admin.sets_up()
    carol.signs_in()
    carol.sees_files()
    expect(opened(admin, "/mfa/admin")).to_contain_text("Nothing is enforced.")
    agree(admin, Counter(missing=PEOPLE - 1, enrolled=1), never=PEOPLE - 2, mode="observe")


def given_time(portal: Portal, clock: Clock, admin: Person, alice: Person) -> None:
    policy(admin, require_two_step=True, grace_seconds=10 * DAY)
    agree(admin, Counter(grace=PEOPLE - 1, enrolled=1), never=PEOPLE - 2)
    alice.signs_in()
    alice.press("Later")
    alice.opens("/files")
    alice.sees_files()
    shell(portal, clock, "users", "exempt", "bob", "--until", day(clock, 60), "--reason", "No hands free")
    agree(admin, Counter(grace=PEOPLE - 2, enrolled=1, exempt=1), never=PEOPLE - 3, everybody=True)

    clock.go(2 * DAY)
    set_up(portal, clock, names()[4 : 4 + SET_UP])
    comes_back(admin)
    agree(admin, Counter(grace=PEOPLE - SET_UP - 2, enrolled=SET_UP + 1, exempt=1), never=PEOPLE - 3)


def required(portal: Portal, clock: Clock, admin: Person, carol: Person) -> None:
    # A day on which nothing happens but that it is counted.
    clock.go(DAY)
    counted = day(clock)
    with store_of(portal, clock) as store:
        until(lambda: date.fromisoformat(counted).toordinal() in store.snapshots.days())
    clock.go(8 * DAY)
    comes_back(admin)
    agree(admin, Counter(missing=PEOPLE - SET_UP - 2, enrolled=SET_UP + 1, exempt=1), never=PEOPLE - 3)
    carol.signs_in()
    carol.is_at("/mfa/setup")
    carol.sees_no_files()
    carol.sets_up()
    carol.opens("/files")
    carol.sees_files()
    wanted = Counter(missing=PEOPLE - SET_UP - 3, enrolled=SET_UP + 2, exempt=1)
    agree(admin, wanted, never=PEOPLE - 3, everybody=True)
    # What was counted then is what a report of then says, whatever has become of it.
    then = Counter(grace=PEOPLE - SET_UP - 2, enrolled=SET_UP + 1, exempt=1)
    assert +Counter(said_of(admin, counted) or {}) == then
    expect(opened(admin, f"/mfa/admin/report?day={counted}")).to_contain_text(
        f"{SET_UP + 1:,} of {PEOPLE:,} people had set up two-step."
    )


def said_of(admin: Person, of: str) -> dict[str, int] | None:
    """What a report says of how people stood on a day that is over, or is not; None: it was not counted."""
    snapshot = asked(admin, "admin/report", day=of)["report"]["snapshot"]
    return snapshot and snapshot["coverage"]["counts"]  # type: ignore[no-any-return]


def agree(
    admin: Person, wanted: Counter[str], *, never: int, mode: str = "enforce", everybody: bool = False
) -> Counter[str]:
    """What everything says of how people stand; it must be this."""
    page = opened(admin, "/mfa/admin")
    words = page.inner_text()
    covered, people = (number(text) for text in re.findall(r"([\d,]+) of ([\d,]+) people have", words)[0])
    assert (covered, people) == (wanted["enrolled"], PEOPLE)
    assert f"{1000 * covered // people / 10:g}%" in words
    shown = dict.fromkeys(ATTENTION.values(), 0) | {
        kind: number(item.split("\n")[0])
        for item in page.locator(".attention li").all_inner_texts()
        for text, kind in ATTENTION.items()
        if text in item
    }
    assert shown == {"missing": wanted["missing"], "grace": wanted["grace"], "never": never}
    groups = page.locator("table", has=admin.page.locator("caption", has_text="by group")).locator("tbody tr")
    cells = [row.split("\t")[1:3] for row in groups.all_inner_texts()]
    assert [sum(number(row[at]) for row in cells) for at in (0, 1)] == [covered, people]

    chips = opened(admin, "/mfa/admin/users").get_by_role("navigation", name="Filter by 2FA status")
    counted: dict[str, int] = {}
    for text in chips.get_by_role("link").all_inner_texts():
        found = re.fullmatch(r"(.+?)\s+([\d,]+)", text.strip())
        if found is not None and found[1] in WORDS:
            counted[WORDS[found[1]]] = number(found[2])
    assert +Counter(counted) == wanted

    # To walk through ten thousand takes its time; the few are gone through always.
    for status in ("missing", "grace", "exempt", "enrolled"):
        if wanted[status] < FEW or everybody:
            assert listed(admin, status=status) == wanted[status]

    report = asked(admin, "admin/report")["report"]
    coverage = report["snapshot"]["coverage"]
    assert +Counter(coverage["counts"]) == wanted
    assert (coverage["covered"], coverage["people"], coverage["never_seen"]) == (covered, people, never)
    assert sum(each["people"] for each in coverage["groups"].values()) == people
    assert sum(each["covered"] for each in coverage["groups"].values()) == covered
    openings = report["snapshot"]["openings"]
    assert (openings["mode"], openings["exempt"], openings["grace"]) == (
        mode,
        wanted["exempt"],
        wanted["grace"],
    )

    if everybody:
        assert listed(admin, never_seen="true") == never
        assert reminded(admin) == wanted["missing"] + wanted["grace"]
    return Counter(coverage["counts"])


def every_page_is_accessible(admin: Person) -> None:
    for path in ("", "/users", "/users?status=missing", "/report", "/settings/policies", "/reminders"):
        opened(admin, f"/mfa/admin{path}")
        admin.page.evaluate(AXE)
        assert violations(admin.page, RULES) == [], path


def the_file_stands_by_itself(admin: Person, file: Path) -> None:
    """It is styled under its own content security policy, which the console would complain of, and loads nothing."""
    file.write_bytes(admin.context.request.get("/mfa/admin/report?form=html").body())
    asked_for: list[str] = []
    admin.page.on("request", lambda request: asked_for.append(request.url))
    admin.page.goto(file.as_uri())
    admin.page.evaluate(AXE)
    assert violations(admin.page, RULES) == []
    assert admin.page.locator("h2").first.evaluate("each => getComputedStyle(each).breakAfter") == "auto"
    admin.page.emulate_media(media="print")
    assert admin.page.locator("h2").first.evaluate("each => getComputedStyle(each).breakAfter") == "avoid"
    assert asked_for == [file.as_uri()]


def opened(admin: Person, path: str) -> Any:  # noqa: ANN401 - a locator
    admin.opens(path)
    return admin.page.locator("body")


def number(text: str) -> int:
    return int(text.replace(",", ""))


def day(clock: Clock, ahead: int = 0) -> str:
    return f"{datetime.fromtimestamp(clock() + ahead * DAY, UTC):%Y-%m-%d}"


def comes_back(admin: Person) -> None:
    """After days somebody signs in anew."""
    admin.context.clear_cookies()
    admin.signs_in()
    admin.gives(admin.code())
    admin.is_at("/files")


def asked(admin: Person, call: str, **fields: str | float | bool) -> dict[str, Any]:
    answer = admin.context.request.get(API + call, params=fields, headers={"Accept": "*/*"})
    assert answer.ok, answer.text()
    found: dict[str, Any] = answer.json()
    return found


def sent(admin: Person, method: str, call: str, **fields: object) -> dict[str, Any]:
    answer = admin.context.request.fetch(
        API + call, method=method, data=fields, headers={"Accept": "*/*", "MFA-Gate-Request": "1"}
    )
    assert answer.ok, answer.text()
    found: dict[str, Any] = answer.json()
    return found


def policy(admin: Person, **fields: object) -> None:
    sent(admin, "PATCH", "admin/policy", **fields, confirm={"factor": "totp", "code": admin.code()})


def listed(admin: Person, **wanted: str) -> int:
    """How many people a list has, all its pages together."""
    count, after = 0, {"limit": "500"}
    while True:
        page = asked(admin, "admin/users", **wanted, **after)
        count += len(page["users"])
        if page["next"] is None:
            return count
        after["after"] = page["next"]


def reminded(admin: Person) -> int:
    """How many would get mail, if everybody were reminded."""
    job = sent(admin, "POST", "admin/reminders", filter={}, dry_run=True)["job"]
    until(lambda: asked(admin, f"admin/reminders/{job}")["state"] == "finished", seconds=60)
    found: int = asked(admin, f"admin/reminders/{job}")["counts"].get("sent", 0)
    return found


@contextmanager
def visiting(chromium: Browser, portal: Portal, *who: str) -> Iterator[tuple[Person, ...]]:
    people = tuple(Person(chromium, portal.url, name, portal.code) for name in who)
    yield people
    for person in people:
        person.close()


def shell(portal: Portal, clock: Clock, *words: str) -> None:
    """Run a command on the server of the gate."""
    found = CliRunner().invoke(
        main,
        ["--settings", str(portal.site.settings_path), *words],
        obj=Invocation(Sources(clock=clock)),
        catch_exceptions=False,
    )
    assert found.exit_code == 0, found.output


def set_up(portal: Portal, clock: Clock, subjects: list[str]) -> None:
    """Many set up two-step, each in a commit as the wizard makes it."""
    now = int(clock())
    with store_of(portal, clock) as store:
        accounts = store.roster.accounts(tuple(account_id("portal", subject) for subject in subjects))
        assert len(accounts) == len(subjects)
        app = Totp(id="t1", name="Phone", secret=b"s" * 20, added_at=now)
        for account in accounts.values():
            after, events = enrolled(account, app, (b"h" * 32,), SYSTEM, now)
            store.commit(Change(account=after, events=events), now)


def store_of(portal: Portal, clock: Clock) -> AbstractContextManager[Store]:
    """The store, opened beside the gate."""
    settings = portal.site.settings
    keys = KeyRing.find(settings.keys.file, os.environ)
    return closing(open_store(settings, keys, Sources(clock=clock)))
