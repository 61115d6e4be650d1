"""Administration through the API: who may, what they see, and what changes."""

import sqlite3

import pytest

from tests.web.api_client import ApiClient, enrolled, problem_of
from tests.web.house import House

READS = ("admin/policy", "admin/users", "admin/audit", "admin/report", f"admin/users/{'0' * 32}")
NOBODY = "0" * 32


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("with_two_step", [True, False])
def test_nobody_else_sees_administration(strict: House, path: str, with_two_step: bool) -> None:
    alice = enrolled(strict, "alice") if with_two_step else ApiClient(strict, "alice")
    assert problem_of(alice.get(path)) == (403, "not_allowed")


@pytest.mark.parametrize("fields", [{}, {"require_two_step": True}, {"role": "admin"}])
def test_w19_nobody_else_changes_the_policy_whatever_they_send(
    house: House, fields: dict[str, object]
) -> None:
    alice = enrolled(house, "alice")
    assert problem_of(alice.patch("admin/policy", **fields)) == (403, "not_allowed")
    assert not house.store.policy().require_two_step


def test_an_act_that_is_refused_is_recorded(house: House) -> None:
    enrolled(house, "bob")
    alice, root = enrolled(house, "alice"), enrolled(house, "root")
    alice.patch("admin/policy", require_two_step=True)
    alice.post(f"admin/users/{house.id_of('bob')}/reset", reason="because I can")
    found = root.get("admin/audit", kind="act_refused").json()["events"]
    assert [each["details"]["act"] for each in found] == ["reset", "set_policy"]
    assert {each["actor"]["subject"] for each in found} == {"alice"}
    assert house.account("bob").has_factor


@pytest.mark.parametrize("path", READS)
def test_an_administrator_needs_two_step_and_a_fresh_verification(strict: House, path: str) -> None:
    root = ApiClient(strict, "root")
    first = root.get(path)
    assert problem_of(first) == (401, "two_step_setup_required")
    assert first.json()["setup_url"] == "http://localhost:8000/mfa/setup"
    root.enroll()
    assert root.get(path).status_code in {200, 404}
    strict.clock.go(901)
    stale = root.get(path)
    assert problem_of(stale) == (401, "two_step_code_required")
    assert stale.json()["max_age"] == 900
    assert stale.json()["factors"] == ["totp"]
    assert root.post("verify", factor="recovery_code", code=root.recovery_codes[0]).status_code == 200
    assert problem_of(root.get(path)) == (401, "two_step_code_required")
    assert root.verify().status_code == 200
    assert root.get(path).status_code in {200, 404}


def test_the_help_desk_sees_people_and_neither_policy_nor_trail(strict: House) -> None:
    helper = enrolled(strict, "help")
    assert helper.get("admin/users").status_code == 200
    assert helper.get(f"admin/users/{strict.id_of('help')}").status_code == 200
    assert problem_of(helper.get("admin/policy")) == (403, "not_allowed")
    assert problem_of(helper.get("admin/audit")) == (403, "not_allowed")
    confirm = {"factor": "totp", "code": helper.next_code()}
    off = helper.patch("admin/policy", require_two_step=False, confirm=confirm)
    assert problem_of(off) == (403, "not_allowed")
    assert strict.store.policy().require_two_step


@pytest.mark.parametrize(("target", "status"), [("alice", 200), ("root", 403), ("help", 403)])
def test_w18_the_help_desk_resets_ordinary_people_only(strict: House, target: str, status: int) -> None:
    helper = enrolled(strict, "help")
    if target != "help":
        enrolled(strict, target)
    answer = helper.post(f"admin/users/{strict.id_of(target)}/reset", reason="lost the phone")
    assert answer.status_code == status
    assert strict.account(target).has_factor == (status != 200)


def test_w18_nobody_resets_themselves_and_each_reset_is_fresh_and_says_why(strict: House) -> None:
    enrolled(strict, "alice")
    root = enrolled(strict, "root")
    mine, theirs = (f"admin/users/{strict.id_of(who)}/reset" for who in ("root", "alice"))
    assert problem_of(root.post(mine, reason="lost the phone")) == (403, "not_allowed")
    for reason in ("", "  ", "x ", "x" * 501):
        vague = root.post(theirs, reason=reason)
        assert problem_of(vague) == (422, "invalid")
        assert list(vague.json()["errors"]) == ["reason"]
    assert problem_of(root.post(theirs)) == (422, "invalid")
    strict.clock.go(301)
    stale = root.post(theirs, reason="lost the phone")
    assert problem_of(stale) == (401, "two_step_code_required")
    assert stale.json()["max_age"] == 300
    assert strict.account("alice").has_factor


@pytest.mark.parametrize("named", [NOBODY, "org", "x", "0" * 31, "A" * 32, "0" * 32 + "%0A", "%2e"])
def test_e12_there_is_no_such_user(strict: House, named: str) -> None:
    root = enrolled(strict, "root")
    for answer in (
        root.get(f"admin/users/{named}"),
        root.post(f"admin/users/{named}/reset", reason="lost the phone"),
    ):
        assert answer.status_code in {400, 404}
        assert problem_of(answer)[1] in {"invalid", "not_found"}


def test_there_is_nothing_to_reset_where_nothing_is_set_up(strict: House) -> None:
    ApiClient(strict, "alice").get("status")
    root = enrolled(strict, "root")
    answer = root.post(f"admin/users/{strict.id_of('alice')}/reset", reason="lost the phone")
    assert problem_of(answer) == (409, "conflict")


def test_people_come_page_by_page_in_the_order_of_their_names(strict: House) -> None:
    for number in range(7):
        ApiClient(strict, f"user{number}").get("status")
    enrolled(strict, "alice")
    root, seen = enrolled(strict, "root"), list[str]()
    after: dict[str, str] = {}
    while True:
        page = root.get("admin/users", limit=4, **after).json()
        assert len(page["users"]) <= 4
        assert page["counts"]["missing"] == 7
        assert page["counts"]["enrolled"] == 2
        seen += [each["subject"] for each in page["users"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == ["alice", "root", *(f"user{number}" for number in range(7))]
    enrolled_ones = root.get("admin/users", status="enrolled").json()["users"]
    assert [each["subject"] for each in enrolled_ones] == ["alice", "root"]
    assert enrolled_ones[0]["factors"] == ["totp", "recovery_code"]
    assert enrolled_ones[0]["last_verified_at"] == int(strict.clock())
    assert [each["subject"] for each in root.get("admin/users", q="USER3").json()["users"]] == ["user3"]
    odd = root.get("admin/users", after="nonsense")
    assert (odd.status_code, odd.json()["code"], list(odd.json()["errors"])) == (422, "invalid", ["after"])


def test_e06_one_person_is_shown_without_secrets_and_without_keys_of_sessions(strict: House) -> None:
    alice, root = enrolled(strict, "alice"), enrolled(strict, "root")
    answer = root.get(f"admin/users/{strict.id_of('alice')}")
    profile = answer.json()
    assert profile["required"] is True
    assert profile["because"] == "everyone"
    assert profile["recovery_codes_left"] == 10
    assert profile["two_step_since"] == int(strict.clock())
    assert [each["factor"] for each in profile["sessions"]] == ["totp"]
    assert {each["kind"] for each in profile["history"]} >= {"account_seen", "factor_added", "verified"}
    account = strict.account("alice")
    secrets = [alice.secret, account.totps[0].secret.hex(), *alice.recovery_codes, *strict.sessions("alice")]
    everything = answer.text + root.get("admin/users").text + root.get("admin/audit", limit=500).text
    assert not [secret for secret in secrets if secret.lower() in everything.lower()]


def test_the_trail_comes_newest_first_and_by_person_and_kind(strict: House) -> None:
    enrolled(strict, "alice")
    root, seen = enrolled(strict, "root"), list[int]()
    before: dict[str, int] = {}
    while True:
        page = root.get("admin/audit", limit=3, **before).json()
        seen += [each["position"] for each in page["events"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) > 6
    of_alice = root.get("admin/audit", user=strict.id_of("alice"), kind="verified").json()["events"]
    assert {(each["subject"], each["kind"]) for each in of_alice} == {("alice", "verified")}


def test_the_trail_is_found_by_time(strict: House) -> None:
    root = enrolled(strict, "root")
    began = int(strict.clock())
    strict.clock.go(600)
    enrolled(strict, "alice")
    later = root.get("admin/audit", since=began + 600, limit=500).json()["events"]
    assert {each["subject"] for each in later} == {"alice"}
    earlier = root.get("admin/audit", until=began + 600, limit=500).json()["events"]
    assert len(earlier + later) == len(root.get("admin/audit", limit=500).json()["events"])
    assert root.get("admin/audit", since=began + 600, until=began + 600).json()["events"] == []
    assert problem_of(root.get("admin/audit", since=-1)) == (422, "invalid")


def test_a_stale_version_is_a_conflict_and_changes_nothing(house: House) -> None:
    root = enrolled(house, "root")
    version = root.get("admin/policy").json()["version"]
    assert root.patch("admin/policy", require_two_step=True, version=version).status_code == 200
    confirm = {"factor": "totp", "code": root.next_code()}
    stale = root.patch("admin/policy", require_two_step=False, version=version, confirm=confirm)
    assert problem_of(stale) == (409, "conflict")
    assert house.store.policy().require_two_step
    # The code was not spent by what did not happen.
    off = root.patch("admin/policy", require_two_step=False, version=version + 1, confirm=confirm)
    assert off.status_code == 200


def test_saving_what_stands_already_changes_nothing(house: House) -> None:
    root = enrolled(house, "root")
    before = root.get("admin/policy").json()
    assert root.patch("admin/policy", require_two_step=False).json() == before


@pytest.mark.parametrize("case", ["wrong", "used", "recovery code", "access pass"])
def test_turning_off_takes_a_right_and_unused_code_of_the_app(strict: House, case: str) -> None:
    root = enrolled(strict, "root")
    confirm = {
        "wrong": {"factor": "totp", "code": root.wrong_code()},
        "used": {"factor": "totp", "code": root.code()},
        "recovery code": {"factor": "recovery_code", "code": root.recovery_codes[0]},
        "access pass": {"factor": "access_pass", "code": "123456"},
    }[case]
    answer = root.patch("admin/policy", require_two_step=False, confirm=confirm)
    assert problem_of(answer) == (401, "code_rejected")
    assert strict.store.policy().require_two_step


def test_wrong_codes_that_confirm_are_counted_with_all_others(strict: House) -> None:
    root = enrolled(strict, "root")
    confirm = {"factor": "totp", "code": root.wrong_code()}
    for _ in range(5):
        assert root.patch("admin/policy", require_two_step=False, confirm=confirm).status_code == 401
    answer = root.patch("admin/policy", require_two_step=False, confirm=confirm)
    assert problem_of(answer) == (429, "paused")
    assert problem_of(root.beside().post("verify", factor="totp", code=root.code(steps=1))) == (429, "paused")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"require_two_step": None}, {"require_two_step"}),
        ({"require_two_step": 0}, {"require_two_step"}),
        ({"require_two_step": "false"}, {"require_two_step"}),
        ({"require_two_step": True, "version": -1}, {"version"}),
        ({"require_two_step": True, "version": "1"}, {"version"}),
        ({"require_two_step": True, "allowed_factors": []}, {"allowed_factors"}),
        ({"require_two_step": True, "mfa_required": False, "exempt": True}, {"mfa_required", "exempt"}),
        ({"require_two_step": True, "confirm": "123456"}, {"confirm"}),
        ({"require_two_step": True, "confirm": {"factor": "totp", "code": 1}}, {"confirm.code"}),
        ({"require_two_step": True, "confirm": {"factor": "totp", "code": "1", "user": "x"}}, {"confirm"}),
    ],
)
def test_w19_a_change_of_the_policy_names_what_it_changes(
    house: House, fields: dict[str, object], named: set[str]
) -> None:
    root = enrolled(house, "root")
    answer = root.patch("admin/policy", **fields)
    assert problem_of(answer) == (422, "invalid")
    assert set(answer.json()["errors"]) == named
    assert not house.store.policy().require_two_step


# Faults of the store: real ones, made in its file.


def damage(house: House, statement: str) -> None:
    """Do something to the store's file behind the gate's back."""
    with sqlite3.connect(house.settings.store.path) as db:
        db.execute(statement)
    db.close()
    house.clock.go(2)


def test_j16_a_record_that_cannot_be_read_is_503_for_its_owner_and_never_a_pass(strict: House) -> None:
    alice, bob, root = enrolled(strict, "alice"), enrolled(strict, "bob"), enrolled(strict, "root")
    damage(strict, f"UPDATE account SET sealed = x'00' WHERE id = '{strict.id_of('alice')}'")
    for answer in (
        alice.get("status"),
        alice.post("totp"),
        alice.verify(),
        root.get(f"admin/users/{strict.id_of('alice')}"),
        root.post(f"admin/users/{strict.id_of('alice')}/reset", reason="lost the phone"),
    ):
        assert problem_of(answer) == (503, "unavailable")
        assert answer.headers["retry-after"] == "2"
        assert "set-cookie" not in answer.headers
    assert bob.state() == "verified"


def test_j08_what_cannot_be_written_has_not_happened(strict: House) -> None:
    alice, carol = enrolled(strict, "alice"), ApiClient(strict, "carol")
    begun = carol.begin()
    damage(strict, "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    other, code = alice.beside(), alice.next_code()
    for answer in (
        other.post("verify", factor="totp", code=code),
        carol.post("totp/confirm", enrollment=begun, code=carol.code()),
        carol.post("totp"),
    ):
        assert problem_of(answer) == (503, "unavailable")
        assert "disk full" not in answer.text
    assert not strict.account("carol").has_factor
    damage(strict, "DROP TRIGGER full")
    strict.clock.go(-2)
    assert other.state() == "code_required"
    assert other.post("verify", factor="totp", code=code).status_code == 200


def test_j01_without_a_store_everything_is_503(house: House) -> None:
    house.close()
    for file in house.settings.store.path.parent.glob("gate.db*"):
        file.unlink()
    alice = ApiClient(house, "alice")
    for answer in (
        alice.get("status"),
        alice.post("totp"),
        alice.post("verify", factor="totp", code="123456"),
        alice.get("admin/users"),
        alice.patch("admin/policy", require_two_step=False),
    ):
        assert problem_of(answer) == (503, "unavailable")
    assert alice.get("openapi.json").status_code == 200
