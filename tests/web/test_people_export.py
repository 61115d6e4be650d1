"""People exported on the page and by the API: exactly those whom the list shows, with a reason and a fresh code."""

import csv
import io
import json
from typing import Any

import pytest
from httpx2 import Response
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.events import ORG
from mfa_gate.flows.people_export import COLUMNS
from mfa_gate.ports import Change
from tests.web.api_client import enrolled
from tests.web.house import Browser, House

PAGE = "/mfa/admin/users/export"


def put(house: House, subject: str, **fields: object) -> None:
    account = Account(id=account_id("portal", subject), realm="portal", subject=subject, first_seen_at=1)
    house.store.commit(Change(account=replace(account, **fields)), int(house.clock()))


@pytest.fixture
def root(house: House) -> Browser:
    put(house, "alice", name="=HYPERLINK(1)", email="+alice@example.org", groups=("nurses", "-x"))
    put(house, "bob", name="Bob", groups=("nurses",))
    put(house, "carol", name="Carol", groups=("doctors",))
    put(house, "dan", name="Dan", groups=("nurses",), active=False)
    return house.enrolled("root")


def fill(root: Browser, query: str = "", **fields: str) -> dict[str, str]:
    """What a browser sends from the page, filled in."""
    root.get(f"{PAGE}{query}")
    form = root.page.find("form", action=PAGE)
    assert form is not None
    sent = {str(each["name"]): str(each.get("value", "")) for each in form.select("input[type=hidden]")}
    return sent | {"form": "csv", "reason": "for the wards"} | fields


def exports(house: House) -> list[dict[str, str]]:
    found = house.store.events(account_id=ORG, kind="people_exported", before=None, limit=9)
    return [each.event.details for each in found]


def table(answer: Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_the_list_leads_to_it_and_exactly_whom_it_shows_are_in_the_file(house: House, root: Browser) -> None:
    root.get("/mfa/admin/users?group=nurses&sort=-name")
    shown = [link.get_text(strip=True) for link in root.page.select("td.who a")]
    link = root.page.find("a", string="Export what is shown…")
    assert link is not None
    assert str(link["href"]) == f"{PAGE}?group=nurses&sort=-name"
    answer = root.post(PAGE, fill(root, "?group=nurses&sort=-name", code=root.code(steps=1)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="people-2027-01-15.csv"'
    heads, *rows = table(answer)
    assert tuple(heads) == COLUMNS
    named = [row[COLUMNS.index("name")] for row in rows]
    assert [name.lstrip("'") for name in named] == shown == ["Bob", "=HYPERLINK(1)"]
    assert exports(house) == [{"form": "csv", "group": "nurses", "reason": "for the wards"}]
    told = house.store.events(account_id=ORG, kind="people_exported", before=None, limit=1)[0].event
    assert told.notify == ("admins",)


def test_no_cell_is_a_formula(root: Browser) -> None:
    answer = root.post(PAGE, fill(root, code=root.code(steps=1)))
    cells = [cell for row in table(answer) for cell in row]
    assert "'=HYPERLINK(1)" in cells
    assert "'+alice@example.org" in cells
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"code": ""}, "Enter the six digits"),
        ({"code": "000000"}, "didn't match"),
        ({"reason": " ", "code": "000000"}, "Say why"),
    ],
)
def test_without_reason_and_fresh_code_there_is_no_file(
    house: House, root: Browser, fields: dict[str, str], says: str
) -> None:
    answer = root.post(PAGE, fill(root, **fields))
    assert answer.status_code == 422
    assert says in root.words
    assert exports(house) == []


def test_the_help_desk_exports_nobody(house: House, root: Browser) -> None:
    desk = house.enrolled("help")
    desk.get("/mfa/admin/users")
    assert "Export" not in desk.words
    assert desk.get(PAGE).status_code == 403
    assert root.house is house
    assert exports(house) == []


def test_for_programs_it_is_one_person_a_line(root: Browser) -> None:
    answer = root.post(PAGE, fill(root, "?q=bo", form="jsonl", code=root.code(steps=1)))
    (line,) = answer.content.splitlines()
    person = json.loads(line)
    assert tuple(person) == COLUMNS
    assert (person["user"], person["groups"], person["status"]) == ("bob", ["nurses"], "missing")


def test_by_the_api(house: House) -> None:
    put(house, "bob", groups=("nurses",), first_seen_at=0)
    put(house, "carol", groups=("nurses",))
    client = enrolled(house, "root")
    wanted: dict[str, Any] = {"reason": "for the wards", "group": "nurses", "never_seen": True}
    listed = client.get("admin/users", group="nurses", never_seen="true", sort="-last_verified").json()
    assert [each["subject"] for each in listed["users"]] == ["bob"]
    first = client.post("admin/users/export", **wanted).json()
    assert first["code"] == "two_step_code_required", first
    assert client.post("admin/users/export", **wanted | {"reason": "x"}).status_code == 422
    for factor in ("totp", "access_pass"):
        wrong = {"factor": factor, "code": "000000"}
        assert client.post("admin/users/export", **wanted, confirm=wrong).json()["code"] == "code_rejected"
    assert exports(house) == []
    right = {"factor": "totp", "code": client.code(steps=1)}
    (line,) = client.post("admin/users/export", **wanted, confirm=right).content.splitlines()
    assert json.loads(line)["user"] == "bob"
    assert exports(house)[0]["never_seen"] == "1"
