"""A roster by the API: the same critical act as on its page."""

from typing import Any

import pytest

from mfa_gate.core.roster import RosterHead
from mfa_gate.flows.settling import Settling
from tests.web.api_client import ApiClient, enrolled
from tests.web.house import House

HEAD = "realm,subject,name,email,groups,active\n"
OFFERS = "admin/roster/offers"
Json = dict[str, Any]


def people(number: int) -> str:
    return HEAD + "".join(f"portal,user{each},User {each},,staff,yes\n" for each in range(number))


@pytest.fixture
def root(house: House) -> ApiClient:
    return enrolled(house, "root")


def offer(client: ApiClient, file: str | bytes, **headers: str) -> tuple[int, Json]:
    raw = file.encode() if isinstance(file, str) else file
    answer = client.send("POST", OFFERS, content=raw, headers={"Content-Type": "text/csv", **headers})
    return answer.status_code, answer.json()


def confirm(client: ApiClient, token: object, **fields: object) -> tuple[int, Json]:
    code = {"factor": "totp", "code": client.next_code()}
    sent = {"offer": token, "reason": "Roster of March", "confirm": code} | fields
    answer = client.post("admin/roster", **sent)
    return answer.status_code, answer.json()


def settle(house: House) -> None:
    assert Settling(house.store.roster, monotonic=lambda: 0.0).turn(int(house.clock()))


def test_it_is_offered_and_put_in_force(house: House, root: ApiClient) -> None:
    status, told = offer(root, people(3))
    assert (status, told["people"], told["deactivates_many"]) == (200, 3, False)
    assert told["counts"] == {"added": 3, "changed": 0, "deactivated": 0, "unchanged": 0}
    assert house.store.roster.head() == RosterHead()
    status, state = confirm(root, told["offer"])
    assert (status, state["number"], state["telling"]) == (200, 1, 3)
    assert offer(root, people(1))[0] == 409
    settle(house)
    state = root.get("admin/roster").json()
    assert (state["number"], state["telling"]) == (2, 0)
    (one,) = state["imports"]
    assert (one["reason"], one["counts"]["added"], one["by"]["subject"]) == ("Roster of March", 3, "root")
    assert confirm(root, told["offer"])[0] == 409


def test_many_who_are_deactivated_have_to_be_meant(house: House, root: ApiClient) -> None:
    confirm(root, offer(root, people(40))[1]["offer"])
    settle(house)
    _, told = offer(root, people(10))
    assert told["deactivates_many"]
    status, said = confirm(root, told["offer"])
    assert status == 422
    assert "meant" in str(said["errors"])
    assert confirm(root, told["offer"], meant=True)[0] == 200


def test_bad_lines_are_named_by_number(root: ApiClient) -> None:
    status, said = offer(root, people(2) + "portal,user1,,,,\nportal,x,,nowhere,,\n")
    assert (status, said["code"]) == (422, "invalid")
    assert said["errors"] == {
        "line 4": "the same person as on line 3, also if spelled otherwise",
        "line 5": '"nowhere" is not one mail address',
    }
    status, said = offer(root, HEAD.replace(",", ";"))
    assert status == 422
    assert "not separated by commas" in str(said["detail"])


def test_only_a_whole_csv_file_is_taken(house: House, root: ApiClient) -> None:
    assert offer(root, people(2), **{"Content-Type": "application/json"})[0] == 415
    assert offer(root, people(2), **{"Content-Length": str(len(people(2)) + 9)})[0] == 400
    assert offer(root, people(2), **{"Content-Length": "999999999"})[0] == 413
    assert offer(root, people(2), **{"Content-Length": "x"})[0] == 400
    chunked = root.send("POST", OFFERS, content=iter([b"x"]), headers={"Content-Type": "text/csv"})
    assert chunked.status_code == 411
    assert house.store.roster.stagings() == {}


def test_a_fresh_code_a_reason_and_the_right_person_are_needed(house: House, root: ApiClient) -> None:
    _, told = offer(root, people(2))
    assert confirm(root, told["offer"], confirm=None)[0] == 401
    assert confirm(root, told["offer"], reason=" ")[0] == 422
    assert (
        confirm(root, told["offer"], confirm={"factor": "totp", "code": "000000"})[1]["code"]
        == "code_rejected"
    )
    assert confirm(root, "forged")[0] == 409
    for who, status in (("help", 403), ("alice", 403)):
        other = enrolled(house, who)
        assert offer(other, people(2))[0] == status
        assert confirm(other, told["offer"])[0] == status
        assert other.get("admin/roster").status_code == status
    assert house.store.roster.head() == RosterHead()


def test_w03_no_page_of_another_site_sends_one(house: House, root: ApiClient) -> None:
    assert offer(root, people(2), Origin="https://evil.example")[0] == 403
    assert house.store.roster.stagings() == {}
