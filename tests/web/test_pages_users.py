"""The list of people by hand: whom it shows stands in the address, and each number leads to exactly so many people."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import Tag
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption, Totp, account_id
from mfa_gate.ports import Change
from mfa_gate.web import admin_users_pages
from tests.web.house import Browser, House

USERS = "/mfa/admin/users"


@pytest.fixture
def root(house: House) -> Browser:
    return house.enrolled("root")


def put(house: House, subject: str, **fields: object) -> Account:
    account = Account(
        id=account_id("portal", subject), realm="portal", subject=subject, first_seen_at=int(house.clock())
    )
    return house.store.commit(Change(account=replace(account, **fields)), int(house.clock()))


def listed(browser: Browser) -> list[str]:
    return [link.get_text(strip=True) for link in browser.page.select("td.who a")]


def follow(browser: Browser, words: str) -> None:
    link = browser.page.find("a", string=re.compile(f"^{words}"))
    if link is None:
        link = next(
            each for each in browser.page.select("a") if each.get_text(" ", strip=True).startswith(words)
        )
    assert isinstance(link, Tag)
    browser.get(str(link["href"]))


def crowd(house: House) -> None:
    now = int(house.clock())
    app = Totp(id="t1", name="Phone", secret=b"s" * 20, added_at=now)
    exemption = Exemption(reason="No phone", approved_by="root", given_at=now, until=now + 3600)
    put(house, "alice", name="Alice", groups=("nurses", "ward 3"), totps=(app,), last_verified_at=now - 60)
    put(house, "bob", name="Bob", groups=("nurses",))
    put(house, "carol", name="Carol", exemption=exemption)
    put(house, "dan", name="Dan", active=False, groups=("nurses",))
    put(house, "eve", name="Eve", first_seen_at=0, groups=("ward 3",))


def test_every_number_leads_to_a_list_of_exactly_so_many(root: Browser) -> None:
    crowd(root.house)
    for start in (USERS, f"{USERS}?group=nurses", f"{USERS}?status=missing&sort=-name"):
        root.get(start)
        chips = [(str(chip["href"]), chip.select_one(".count")) for chip in root.page.select("a.chip")]
        assert len(chips) >= 5
        for href, count in chips:
            root.get(href)
            if count is not None:
                assert len(listed(root)) == int(count.get_text())
            current = root.page.select_one("a.chip[aria-current]")
            assert current is not None
            assert str(current["href"]) == href


def test_the_overview_and_the_list_count_the_same_people(root: Browser) -> None:
    crowd(root.house)
    root.get("/mfa/admin")
    links = {
        link.get_text(" ", strip=True): str(link["href"])
        for link in root.page.select("main a")
        if str(link["href"]).startswith(USERS)
    }
    assert len(links) >= 4
    assert any("never signed in" in words for words in links)
    for words, href in links.items():
        number = re.match(r"\d+", words)
        if number and "/users/" not in href:
            root.get(href)
            assert len(listed(root)) == int(number.group()), words
    root.get(USERS)
    assert "Dan" not in listed(root), "who is not active counts nowhere"
    root.get(f"{USERS}?status=inactive")
    assert listed(root) == ["Dan"]


def test_filters_search_and_order_stand_in_the_address(root: Browser) -> None:
    crowd(root.house)
    root.get(f"{USERS}?group=nurses")
    assert listed(root) == ["Alice", "Bob"]
    root.get(f"{USERS}?group=nurses&q=bo")
    assert listed(root) == ["Bob"]
    assert root.page.select_one("a.chip .count") is None, "not counted, so not said"
    root.get(f"{USERS}?never_seen=1")
    assert listed(root) == ["Eve"]
    root.get(USERS)
    follow(root, "Name")
    assert listed(root) == ["Robin Root", "Eve", "Carol", "Bob", "Alice"]
    head = root.page.select_one("th[aria-sort]")
    assert head is not None
    assert head["aria-sort"] == "descending"
    follow(root, "Last confirmed")
    assert listed(root)[:2] == ["Robin Root", "Alice"]
    follow(root, "ward 3")
    assert listed(root) == ["Alice", "Eve"]
    query = parse_qs(urlsplit(str(root.last and root.last.url)).query)
    assert query == {"group": ["ward 3"], "sort": ["-last_verified"]}


def test_pages_lead_forth_and_back(root: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_users_pages, "PEOPLE", 3)
    for number in range(8):
        put(root.house, f"user{number}")
    root.get(f"{USERS}?status=missing&sort=-name")
    pages = [listed(root)]
    for _ in range(2):
        follow(root, "Next page")
        pages.append(listed(root))
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [name for page in pages for name in page] == [f"user{number}" for number in range(7, -1, -1)]
    assert "Next page" not in root.words
    put(root.house, "user55")
    for expected in (["user4", "user3", "user2"], ["user6", "user55", "user5"], ["user7"]):
        follow(root, "Previous page")
        assert listed(root) == expected
    assert "Previous page" not in root.words
    root.get(f"{USERS}?status=missing&sort=-name")
    follow(root, "Next page")
    follow(root, "First page")
    assert listed(root) == ["user7", "user6", "user55"]


@pytest.mark.parametrize(
    "odd", ["after=nonsense", "before=x", "after=", "sort=size&status=odd&never_seen=2&group=%00"]
)
def test_an_odd_address_is_a_list_all_the_same(root: Browser, odd: str) -> None:
    crowd(root.house)
    assert root.get(f"{USERS}?q=al&{odd}").status_code == 200
    assert root.heading == "Users"


def test_who_is_not_found_may_be_inactive(root: Browser) -> None:
    crowd(root.house)
    root.get(f"{USERS}?q=dan&group=nurses")
    assert "Nobody found" in root.words
    follow(root, "Look among the inactive")
    assert listed(root) == ["Dan"]
