"""The policy in the API beyond its switch: weakening wants a code, versions are told, two at once lose nothing."""

import pytest

from tests.web.api_client import ApiClient, enrolled, problem_of
from tests.web.house import House

WEAKER = {"grace_seconds": 86_400, "left_out_groups": ["robots"], "reason": "A pilot"}


def test_what_weakens_the_policy_carries_a_code(house: House) -> None:
    root = enrolled(house, "root")
    assert problem_of(root.patch("admin/policy", **WEAKER)) == (401, "two_step_code_required")
    assert house.store.policy().version == 1
    house.clock.go(30)
    confirm = {"factor": "totp", "code": root.code()}
    answer = root.patch("admin/policy", **WEAKER, confirm=confirm)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["grace_seconds"], told["left_out_groups"], told["reason"]) == (86_400, ["robots"], "A pilot")


def test_what_strengthens_it_does_not(house: House) -> None:
    root = enrolled(house, "root")
    answer = root.patch("admin/policy", idle_ttl_seconds=60, allowed_factors=["totp"])
    assert answer.json()["allowed_factors"] == ["totp"]
    assert answer.json()["idle_ttl_seconds"] == 60


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"session_ttl_seconds": 1}, "session_ttl_seconds"),
        ({"grace_seconds": 10**9}, "grace_seconds"),
        ({"longest_exemption_seconds": 2**40}, "longest_exemption_seconds"),
        ({"grace_from": "tomorrow"}, "grace_from"),
        ({"required_groups": None}, "required_groups"),
        ({"required_groups": ["x" * 201]}, "required_groups[0]"),
        ({"group_factors": [{"group": "lab", "factors": ["recovery_code"]}]}, "group_factors"),
        ({"group_factors": [{"group": "lab", "factors": ["totp"], "admin": True}]}, "group_factors[0]"),
        ({"first_required_at": 0}, "first_required_at"),
        ({"changed_by": "root"}, "changed_by"),
    ],
)
def test_w19_what_a_policy_cannot_be_is_named(house: House, fields: dict[str, object], named: str) -> None:
    root = enrolled(house, "root")
    answer = root.patch("admin/policy", **fields)
    assert problem_of(answer) == (422, "invalid")
    assert list(answer.json()["errors"]) == [named]
    assert house.store.policy().version == 1


def test_of_two_who_save_at_once_the_later_is_told(house: House) -> None:
    root = enrolled(house, "root")
    assert root.patch("admin/policy", idle_ttl_seconds=600, version=1).status_code == 200
    assert problem_of(root.patch("admin/policy", idle_ttl_seconds=60, version=1)) == (409, "conflict")
    assert house.store.policy().idle_ttl_seconds == 600


def test_the_versions_say_what_changed(house: House) -> None:
    root = enrolled(house, "root")
    root.patch("admin/policy", require_two_step=True, reason="Go live")
    root.patch("admin/policy", idle_ttl_seconds=600)
    page = root.get("admin/policy/versions", limit=2).json()
    assert [each["changes"] for each in page["versions"]] == [
        [{"field": "idle_ttl_seconds", "before": "1800", "after": "600"}],
        [{"field": "require_two_step", "before": "off", "after": "on"}],
    ]
    assert page["versions"][1]["policy"]["reason"] == "Go live"
    assert page["next"] == 2
    rest = root.get("admin/policy/versions", before=page["next"]).json()
    assert ([each["changes"] for each in rest["versions"]], rest["next"]) == ([None], None)


def test_nobody_else_reads_them(house: House) -> None:
    assert problem_of(enrolled(house, "help").get("admin/policy/versions")) == (403, "not_allowed")
    assert problem_of(ApiClient(house, "alice").get("admin/policy/versions"))[0] in {401, 403}


def test_the_impact_and_its_lists(house: House) -> None:
    root = enrolled(house, "root")
    ApiClient(house, "bob").get("status")
    told = root.get("admin/policy/impact").json()
    assert (told["stopped"], told["without_email"], told["complete"]) == (1, 1, True)
    asked = {"list": "stopped", "reason": "Roll-out"}
    assert problem_of(root.post("admin/policy/impact/export", **asked)) == (401, "two_step_code_required")
    house.clock.go(30)
    answer = root.post("admin/policy/impact/export", **asked, confirm={"factor": "totp", "code": root.code()})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [line.split(",")[0] for line in answer.text.splitlines()] == ["user", "bob"]
    passed = {"factor": "access_pass", "code": "1"}
    refused = root.post("admin/policy/impact/export", **asked, confirm=passed)
    assert problem_of(refused) == (401, "code_rejected")
    assert problem_of(enrolled(house, "help").get("admin/policy/impact")) == (403, "not_allowed")
