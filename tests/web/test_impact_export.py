"""Who and what the switch would meet, exported from the policy's page: the same critical act as any export."""

import json

import pytest

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.events import ORG
from mfa_gate.ports import Change
from tests.web.house import Browser, House

PAGE = "admin/settings/policies/export"


def put(house: House, subject: str, **fields: object) -> None:
    account = Account(id=account_id("portal", subject), realm="portal", subject=subject, **fields)  # type: ignore[arg-type]
    house.store.commit(Change(account=account), int(house.clock()))


@pytest.fixture
def root(house: House) -> Browser:
    put(house, "alice", name="=HYPERLINK(1)", email="a@example.org", first_seen_at=1)
    put(house, "bob", created_at=1)
    house.store.count_traffic({("/files", "cookie"): 3}, int(house.clock()))
    return house.enrolled("root")


def exported(root: Browser, **fields: str) -> str:
    root.get("/mfa/admin/settings/policies")
    link = root.page.find("a", string="Export these lists…")
    assert link is not None
    root.get(str(link["href"]))
    code = root.next_code()
    return root.submit(PAGE, **{"reason": "for the meeting", "code": code, "form": "csv"} | fields).text  # type: ignore[arg-type]


def test_each_list_comes_as_a_table_and_as_lines(house: House, root: Browser) -> None:
    stopped = exported(root, list="stopped")
    assert "'=HYPERLINK(1)" in stopped
    assert "bob" in stopped
    assert [row.split(",")[0] for row in exported(root, list="without_email").splitlines()[1:]] == ["bob"]
    (line,) = exported(root, list="never_seen", form="jsonl").splitlines()
    assert json.loads(line)["user"] == "bob"
    assert exported(root, list="traffic").splitlines()[1] == "/files,cookie,3"
    told = house.store.events(account_id=ORG, kind="list_exported", before=None, limit=9)
    assert [each.event.details["list"] for each in told] == [
        "traffic",
        "never_seen",
        "without_email",
        "stopped",
    ]
    assert {each.event.details["reason"] for each in told} == {"for the meeting"}


def test_without_a_reason_or_a_code_there_is_nothing(house: House, root: Browser) -> None:
    root.get(f"/mfa/{PAGE}")
    for fields in ({"reason": ""}, {"reason": "why not", "code": "000000"}, {"reason": "why not"}):
        answer = root.submit(PAGE, **fields)  # type: ignore[arg-type]
        assert answer.status_code == 422
        assert "content-disposition" not in answer.headers
    assert house.enrolled("help").get(f"/mfa/{PAGE}").status_code == 403
    assert house.store.events(account_id=ORG, kind="list_exported", before=None, limit=9) == ()
