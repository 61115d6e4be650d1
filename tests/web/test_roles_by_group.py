"""Who administers by a group: whom the identity source puts into it in this very request, and nobody longer."""

from typing import Any

from httpx2 import Response
from msgspec.structs import replace

from mfa_gate.ports import Change
from tests.web.api_client import ApiClient, problem_of
from tests.web.conftest import Build
from tests.web.house import House

ADMIN = {"admins": ["group:it@portal"], "help_desk": ["group:desk@portal"], "setup_code": False}
SOURCE = {"source": "header", "name": "X-Portal-User"}


class Member(ApiClient):
    """Behind a proxy that tells these groups; None: it sends no such header."""

    groups: str | None = None

    def send(self, method: str, path: str, **more: Any) -> Response:  # noqa: ANN401
        told = {"X-Portal-Groups": self.groups, **more.pop("headers", {})}
        return super().send(method, path, headers=told, **more)


def member(house: House, user: str, groups: str | None) -> Member:
    """Somebody who has just set up two-step."""
    client = Member(house, user)
    client.groups = groups
    client.enroll()
    return client


def test_w18_a_group_administers_as_long_as_the_source_tells_it(build: Build) -> None:
    house = build(identity=[SOURCE | {"groups_header": "X-Portal-Groups"}], admin=ADMIN)
    alice = member(house, "alice", "staff, it")
    assert alice.get("admin/policy").status_code == 200
    assert house.account("alice").groups == ("staff", "it")
    for groups in (None, "", "staff", "IT", "it x"):
        alice.groups = groups
        assert problem_of(alice.get("admin/policy")) == (403, "not_allowed"), groups
    alice.groups = "desk"
    assert problem_of(alice.get("admin/policy")) == (403, "not_allowed")
    assert alice.get("admin/users").status_code == 200
    alice.groups = "it"
    assert alice.get("admin/policy").status_code == 200


def test_w18_what_the_record_still_has_administers_nothing(build: Build) -> None:
    house = build(identity=[SOURCE], admin=ADMIN)
    alice = member(house, "alice", "it")
    assert house.account("alice").groups == (), "this source tells of no groups"
    remembered = replace(house.account("alice"), groups=("it",))
    house.store.commit(Change(account=remembered), int(house.clock()))
    house.clock.go(2)
    assert problem_of(alice.get("admin/policy")) == (403, "not_allowed")
    assert house.account("alice").groups == ("it",), (
        "and it takes nothing away that another source may have told"
    )


def test_w18_the_help_desk_resets_nobody_who_was_last_told_to_administer(build: Build) -> None:
    house = build(identity=[SOURCE | {"groups_header": "X-Portal-Groups"}], admin=ADMIN)
    desk, chief = member(house, "dana", "desk"), member(house, "chris", "it")
    target = f"admin/users/{house.id_of('chris')}/reset"
    assert problem_of(desk.post(target, reason="lost phone")) == (403, "not_allowed")
    desk.groups = "desk, it-fans, staff"
    assert problem_of(desk.post(target, reason="lost phone")) == (403, "not_allowed")
    chief.groups = "staff"
    assert chief.state() == "verified"
    house.clock.go(2)
    assert desk.post(target, reason="lost phone").status_code == 200
