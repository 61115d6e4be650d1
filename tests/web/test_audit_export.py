"""The trail exported on the page and by the API: with a reason and a fresh code, recorded, and whole."""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from httpx2 import Response

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.flows.export_lines import Reading
from mfa_gate.flows.verifying import verify
from tests.web.api_client import enrolled
from tests.web.house import Browser, House

PAGE = "/mfa/admin/audit/export"
Build = Callable[..., House]


@pytest.fixture
def root(house: House) -> Browser:
    house.enrolled("alice")
    return house.enrolled("root")


def fill(root: Browser, query: str = "", **fields: str) -> dict[str, str]:
    """What a browser sends from the page, filled in."""
    root.get(f"{PAGE}{query}")
    form = root.page.find("form", action=PAGE)
    assert form is not None
    sent = {str(each["name"]): str(each.get("value", "")) for each in form.select("input[type=hidden]")}
    return sent | {"form": "jsonl", "reason": "yearly audit"} | fields


def exports(house: House) -> list[dict[str, str]]:
    found = house.store.events(account_id=ORG, kind="trail_exported", before=None, limit=9)
    return [each.event.details for each in found]


def read(answer: Response) -> tuple[Reading, list[dict[str, Any]]]:
    lines = answer.content.splitlines(keepends=True)
    reading = Reading(iter(lines))
    assert verify(reading.trail, lambda _: True, "house").broken is None
    assert reading.is_intact
    events = [json.loads(line)["record"] for line in lines if b'"is":"event"' in line]
    return reading, [json.loads(each) for each in events]


def test_the_page_leads_to_it_with_its_filter(root: Browser) -> None:
    root.get("/mfa/admin/audit?person=alice&kind=verified&from=2027-01-01")
    link = root.page.find("a", string="Export what is shown…")
    assert link is not None
    assert str(link["href"]) == f"{PAGE}?person=alice&kind=verified&from=2027-01-01"
    root.get(str(link["href"]))
    assert root.heading == "Export the audit trail"
    assert "Alice Moreau" in root.words
    assert "Code confirmed" in root.words


def test_everything(house: House, root: Browser) -> None:
    answer = root.post(PAGE, fill(root, code=root.code(steps=1)))
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers["content-disposition"] == 'attachment; filename="audit-2027-01-15.jsonl"'
    assert answer.headers["cache-control"] == "no-store"
    reading, events = read(answer)
    assert reading.begin.by == "root"
    assert {"store_created", "factor_added", "trail_exported"} <= {each["kind"] for each in events}
    assert exports(house) == [{"form": "jsonl", "reason": "yearly audit"}]


def test_what_is_chosen_as_a_table(house: House, root: Browser) -> None:
    sent = fill(root, "?person=alice&kind=factor_added", form="csv", code=root.code(steps=1))
    answer = root.post(PAGE, sent)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = answer.text.splitlines()
    assert len(rows) == 2
    assert "alice" in rows[1]
    (details,) = exports(house)
    assert details["account"] == house.id_of("alice")
    assert details["kind"] == "factor_added"


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"code": ""}, 422, "Enter the six digits"),
        ({"code": "000000"}, 422, "didn't match"),
        ({"reason": "  "}, 422, "Say why"),
        ({"person": "zoe"}, 422, "Nobody here has that name"),
        ({"csrf": "x"}, 403, "no longer valid"),
    ],
    ids=["no code", "wrong code", "no reason", "nobody", "foreign"],
)
def test_without_what_it_wants_nothing_leaves(
    house: House, root: Browser, fields: dict[str, str], status: int, told: str
) -> None:
    answer = root.post(PAGE, fill(root) | fields)
    assert answer.status_code == status
    assert told in root.words
    assert b"store_created" not in answer.content
    assert exports(house) == []


def test_nobody_else_sees_the_page(house: House, root: Browser) -> None:
    for user, status in (("help", 403), ("alice", 404)):
        browser = house.enrolled(user) if user == "help" else house.browser(user)
        assert browser.get(PAGE).status_code == status


def test_by_the_api(house: House) -> None:
    root = enrolled(house, "root")
    wanted: dict[str, Any] = {"reason": "yearly audit", "kind": "factor_added", "user": house.id_of("root")}
    assert root.post("admin/audit/export", **wanted).json()["code"] == "two_step_code_required"
    assert root.post("admin/audit/export", **wanted | {"reason": "x"}).status_code == 422
    wrong = {"factor": "totp", "code": "000000"}
    assert root.post("admin/audit/export", **wanted, confirm=wrong).json()["code"] == "code_rejected"
    wrong["factor"] = "access_pass"
    assert root.post("admin/audit/export", **wanted, confirm=wrong).json()["code"] == "code_rejected"
    assert exports(house) == []
    right = {"factor": "totp", "code": root.code(steps=1)}
    reading, events = read(root.post("admin/audit/export", **wanted, confirm=right))
    assert [each["kind"] for each in events] == ["factor_added"]
    assert reading.begin.account == house.id_of("root")


def test_of_a_store_that_goes_away_meanwhile_nobody_gets_the_whole(house: House, root: Browser) -> None:
    sent = fill(root, code=root.code(steps=1))
    entries, calls = house.store.stream.entries, []

    def away(*words: Any) -> Any:  # noqa: ANN401
        calls.append(words)
        raise StoreUnavailable("gone")

    house.store.stream.entries = away  # type: ignore[method-assign,assignment]
    try:
        with pytest.raises(Exception, match="gone"), closing(root.post(PAGE, sent)) as answer:
            assert b'"is":"end"' not in answer.content
    finally:
        house.store.stream.entries = entries  # type: ignore[method-assign]
    assert calls
