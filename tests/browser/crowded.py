"""Takes pictures of every page of administration with few people and with many, wide and narrow, light and dark:

    .venv/bin/python -m tests.browser.crowded FOLDER [--people N] [--store URL]

For whoever looks at them. Beside each stands how long the server took. Names are as long, and of as many scripts, as
people's are.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from playwright.sync_api import Page

from benchmarks.crowd import fill_redis, fill_sqlite, people
from mfa_gate.core.accounts import Account, Exemption, account_id
from mfa_gate.keys import KeyRing
from mfa_gate.opening import keyed_of, open_store
from mfa_gate.ports import Store
from mfa_gate.settings.store_urls import redis_address
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.wiring import Sources
from tests.browser.browsers import chromium
from tests.browser.people import Person
from tests.browser.portals import Portal, served

DAY: Final = 86_400
REALM: Final = "portal"
LOOKS: Final = tuple(itertools.product((1200, 390), ("light", "dark")))
WIDE: Final[dict[str, Any]] = {"viewport": {"width": 1200, "height": 900}, "reduced_motion": "reduce"}
LONG: Final = "Maximiliana-Theodora von und zu Hohenlohe-Langenburg-Weikersheim-Schillingsfürst"
ODD: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    ("mtv", LONG, "maximiliana-theodora.von-und-zu.hohenlohe-langenburg@department.example.org", ("nurses",)),
    ("layla", "ليلى عبد الرحمن الفارسي", "layla@example.org", ("doctors", "قسم الطوارئ")),
    ("noam", "נועם בן־דוד", "", ("doctors",)),
    ("emoji", "Zoë 👩🏽‍⚕️ Ångström", "zoe@example.org", ("ward 7",)),
    ("wei", "王小明", "wei@example.org", ("students",)),
    ("svc-backup-0000000000000000000000000000000042", "", "", ()),
    ("tags", '<b>Robert</b> & "Bobby" O\'Neil', "bobby@example.org", ("<i>",)),
    (
        "many",
        "Mary of Many Groups",
        "mary@example.org",
        tuple(f"project group number {each}" for each in range(24)),
    ),
    (
        "one",
        "AnUnbrokenNameOfMoreThanEightyCharactersWithoutAnySpaceThatCouldBeUsedToBreakTheLineAnywhere",
        "",
        (),
    ),
)


def odd_people(now: int) -> Iterator[Account]:
    """Whose names, addresses and groups are hard to show; every third of them is exempt."""
    for number, (subject, name, email, groups) in enumerate(ODD):
        exemption = Exemption(
            reason="Waits for a security key, since no phone may be brought into the laboratory. "
            * (number % 4 + 1),
            approved_by="admin",
            given_at=now - DAY,
            until=now + (number + 1) * DAY,
        )
        yield Account(
            id=account_id(REALM, subject),
            realm=REALM,
            subject=subject,
            name=name,
            email=email,
            groups=groups,
            version=1,
            first_seen_at=now - 40 * DAY if number % 2 else 0,
            exemption=exemption if number % 3 == 0 else None,
        )


@contextmanager
def opened(portal: Portal) -> Iterator[tuple[Store, KeyRing]]:
    """The portal's store, past the gate in front of it."""
    settings = portal.site.settings
    assert settings.keys.file is not None
    keys = KeyRing.load(settings.keys.file)
    store = open_store(settings, keys, Sources())
    yield store, keys
    store.close()


def require(portal: Portal, now: int) -> None:
    """Ask everybody but one group to set up two-step within two weeks of their first sign-in."""
    with opened(portal) as (store, _):
        policy = replace(
            store.policy(),
            require_two_step=True,
            changed_at=now,
            first_required_at=now,
            grace_seconds=14 * DAY,
            grace_from="first_seen",
            left_out_groups=("students",),
        )
        store.commit_policy(policy, (), now)


def fill(portal: Portal, number: int, now: int) -> None:
    """Put so many people into the portal's store."""
    settings = portal.site.settings
    with opened(portal) as (store, keys):
        store_id = store.store_id
    documents = Documents(keyed_of(keys, Sources()).sealer, store_id)
    crowd = itertools.chain(odd_people(now), people(number - len(ODD), now))
    if settings.store.redis:
        fill_redis(Server(redis_address(settings.store.url), 60), documents, crowd)
    else:
        connections = Connections(settings.store.path, lambda _: None)
        fill_sqlite(connections, documents, crowd)
        connections.close()


def pages(some: str) -> Iterator[tuple[str, str]]:
    """The name of each page, and its path below the mount; `some` is the id of somebody."""
    yield "overview", ""
    for name, query in (
        ("", ""),
        ("-missing", "?status=missing"),
        ("-grace", "?status=grace"),
        ("-exempt", "?status=exempt"),
        ("-paused", "?status=paused"),
        ("-inactive", "?status=inactive"),
        ("-never-seen", "?never_seen=1"),
        ("-group", "?group=nurses&status=missing"),
        ("-search", "?q=al"),
        ("-last", "?sort=-last_verified&status=enrolled"),
        ("-nobody", "?q=nobody-is-called-so"),
    ):
        yield f"users{name}", f"/users{query}"
    yield "user", f"/users/{some}"
    yield "user-reset", f"/users/{some}/reset"
    yield "user-exempt", f"/users/{some}/exempt"
    yield "user-sign-out", f"/users/{some}/sign-out"
    yield "user-long", f"/users/{account_id(REALM, 'mtv')}"
    yield "user-many", f"/users/{account_id(REALM, 'many')}"
    yield "users-import", "/users/import"
    yield "report", "/report"
    yield "users-export", "/users/export?status=missing&group=nurses"
    yield "reminders", "/reminders"
    yield "policies", "/settings/policies"
    yield "history", "/settings/policies/history"
    yield "audit", "/audit"
    yield "audit-kind", "/audit?kind=factor_added"
    yield "audit-export", "/audit/export"


def look(page: Page, name: str, path: str, folder: Path) -> None:
    """Take the pictures of a page, and say how long it took and what sticks out of it."""
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        begun = time.perf_counter()
        answer = page.goto(f"/mfa/admin{path}")
        took = (time.perf_counter() - begun) * 1000
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        status = answer.status if answer else 0
        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        sys.stdout.write(f"{name:16} {width:5} {scheme:6} {status} {took:6.0f} ms, {beyond} px too wide\n")


def main() -> None:
    """Serve, fill, set up as the administrator, and go through the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=0)
    parser.add_argument("--store")
    parser.add_argument("--only", default="", help="pages whose name begins so")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        served("starlette", Path(data), store_url=asked.store) as portal,
        chromium() as browser,
    ):
        if asked.people:
            fill(portal, asked.people, int(portal.clock()))
        for name in ("alice", "bob"):
            person = Person(browser, portal.url, name, portal.code)
            person.signs_in()
            person.close()
        admin = Person(browser, portal.url, "admin", portal.code, **WIDE)
        admin.signs_in()
        admin.opens("/mfa/setup")
        admin.sets_up()
        if asked.people:
            require(portal, int(portal.clock()))
        for name, path in pages(account_id(REALM, "alice")):
            if name.startswith(asked.only):
                look(admin.page, name, path, asked.folder)
        admin.context.close()


if __name__ == "__main__":
    main()
