"""What is done for one person, through the API: with a reason, upon what was read, and told back as it stands now."""

from typing import Any

import pytest

from tests.web.api_client import ApiClient, enrolled, problem_of
from tests.web.house import House

DAY = 24 * 3600


def person(house: House, user: str, act: str = "") -> str:
    return f"admin/users/{house.id_of(user)}{act}"


def in_days(house: House, days: int) -> int:
    return int(house.clock()) + days * DAY


def by_app(root: ApiClient) -> dict[str, str]:
    """A code of the app that was not used yet."""
    return {"factor": "totp", "code": root.next_code()}


def exempt(house: House, root: ApiClient, user: str, days: int = 7, **more: Any) -> Any:  # noqa: ANN401
    confirm = by_app(root)
    return root.post(
        person(house, user, "/exemption"),
        reason="no phone",
        until=in_days(house, days),
        confirm=confirm,
        **more,
    )


def test_an_exemption_is_given_shown_changed_and_ended(strict: House) -> None:
    bob, root = ApiClient(strict, "bob"), enrolled(strict, "root")
    assert bob.get("status").json()["state"] == "setup_required"
    told = exempt(strict, root, "bob")
    assert told.status_code == 200
    user = told.json()["user"]
    assert (user["status"], told.json()["required"], told.json()["because"]) == ("exempt", False, "exempt")
    assert user["exemption"] == {
        "reason": "no phone",
        "approved_by": "root",
        "given_at": int(strict.clock()),
        "until": in_days(strict, 7),
    }
    strict.clock.go(2)
    status = bob.get("status").json()
    assert status["state"] == "not_required"
    assert status["policy"] == {"required": False, "deadline": user["exemption"]["until"]}
    assert exempt(strict, root, "bob", 14).json()["user"]["exemption"]["until"] == in_days(strict, 14)
    told = root.post(person(strict, "bob", "/exemption/end"), reason="has one now")
    assert told.json()["user"]["exemption"] is None
    assert told.json()["user"]["status"] == "missing"
    kinds = [each["kind"] for each in told.json()["history"]]
    assert kinds[:3] == ["exemption_ended", "exemption_given", "exemption_given"]
    strict.clock.go(2)
    assert bob.get("status").json()["state"] == "setup_required"


def test_a_policy_that_is_off_sets_nobody_a_deadline(house: House) -> None:
    bob, root = ApiClient(house, "bob"), enrolled(house, "root")
    bob.get("status")
    exempt(house, root, "bob")
    assert bob.get("status").json()["policy"] == {"required": False, "deadline": None}


def test_an_exemption_needs_a_code_in_the_same_request(strict: House) -> None:
    ApiClient(strict, "bob").get("status")
    root = enrolled(strict, "root")
    target, until = person(strict, "bob", "/exemption"), in_days(strict, 7)
    asked = root.post(target, reason="no phone", until=until)
    assert problem_of(asked) == (401, "two_step_code_required")
    assert (asked.json()["max_age"], asked.json()["factors"]) == (0, ["totp"])
    wrong = root.post(target, reason="no phone", until=until, confirm={"factor": "totp", "code": "000000"})
    assert problem_of(wrong) == (401, "code_rejected")
    assert strict.account("bob").exemption is None


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [({"reason": "no"}, "reason"), ({"until": 5}, "until"), ({"until": 2**40}, "until"), ({"end": 1}, "end")],
)
def test_what_is_wrong_with_it_is_named(strict: House, fields: dict[str, object], at_fault: str) -> None:
    ApiClient(strict, "bob").get("status")
    root = enrolled(strict, "root")
    sent: dict[str, Any] = {"reason": "no phone", "until": in_days(strict, 7), "confirm": by_app(root)}
    answer = root.post(person(strict, "bob", "/exemption"), **(sent | fields))
    assert problem_of(answer) == (422, "invalid")
    assert at_fault in answer.json()["errors"]


def test_who_has_two_step_is_not_exempt_and_who_is_not_exempt_cannot_lose_it(strict: House) -> None:
    enrolled(strict, "alice")
    root = enrolled(strict, "root")
    assert problem_of(exempt(strict, root, "alice")) == (409, "conflict")
    ended = root.post(person(strict, "alice", "/exemption/end"), reason="because")
    assert problem_of(ended) == (409, "conflict")


def test_all_sessions_of_somebody_or_one_are_ended(strict: House) -> None:
    alice, root = enrolled(strict, "alice"), enrolled(strict, "root")
    (session,) = root.get(person(strict, "alice")).json()["sessions"]
    assert session["id"] not in strict.sessions("alice")
    target = person(strict, "alice", "/sign-out")
    assert problem_of(root.post(target)) == (422, "invalid")
    unknown = root.post(target, reason="stolen laptop", session="0" * 32)
    assert problem_of(unknown) == (404, "not_found")
    assert alice.get("status").json()["state"] == "verified"
    told = root.post(target, reason="stolen laptop", session=session["id"])
    assert told.json()["sessions"] == []
    assert told.json()["history"][0]["kind"] == "session_ended"
    assert alice.get("status").json()["state"] == "code_required"
    assert alice.verify().status_code == 200
    told = root.post(target, reason="and again")
    assert told.json()["history"][0]["details"] == {"reason": "and again"}
    assert alice.get("status").json()["state"] == "code_required"
    assert told.json()["user"]["factors"] == ["totp", "recovery_code"]


@pytest.mark.parametrize("act", ["/reset", "/sign-out", "/exemption/end"])
def test_who_was_overtaken_changes_nothing(strict: House, act: str) -> None:
    """One reads, another acts, and the first acts upon what is no more."""
    enrolled(strict, "alice")
    root = enrolled(strict, "root")
    read = root.get(person(strict, "alice")).json()["user"]["revision"]
    again = root.get(person(strict, "alice")).json()["user"]["revision"]
    assert read == again
    other = enrolled(strict, "help")
    assert other.post(person(strict, "alice", "/reset"), reason="lost phone").status_code == 200
    enrolled(strict, "alice")
    late = root.post(person(strict, "alice", act), reason="lost phone", revision=read)
    assert problem_of(late) == (409, "conflict")
    assert strict.account("alice").has_factor
    newest = root.get(person(strict, "alice")).json()["user"]["revision"]
    assert root.post(person(strict, "alice", "/reset"), reason="lost", revision=newest).status_code == 200


def test_signing_in_in_between_is_no_conflict(strict: House) -> None:
    alice, root = enrolled(strict, "alice"), enrolled(strict, "root")
    read = root.get(person(strict, "alice")).json()["user"]["revision"]
    alice.verify()
    alice.post("verify", factor="totp", code="000000")
    done = root.post(person(strict, "alice", "/reset"), reason="lost the phone", revision=read)
    assert done.status_code == 200
