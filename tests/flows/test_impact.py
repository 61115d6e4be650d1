"""What turning the requirement on would do: numbers that agree with the lists, and lists that agree with the switch."""

import csv
import io
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from mfa_gate.core.impact import LISTS, ListName
from mfa_gate.core.policy import DAY
from mfa_gate.core.policy_changes import PolicyChanges
from mfa_gate.flows.exporting import Exported
from mfa_gate.flows.impact import Impacts
from mfa_gate.flows.results import Confirmation, NeedsVerification, NotAllowed, ReasonMissing
from mfa_gate.ports import Change
from tests.flows.house import NOW, House

LATER = NOW + 30
WHY = "Roll-out"


@pytest.fixture
def town(house: House) -> House:
    """Root and alice have two-step; dave had it; bob is a robot, eve has an address like a formula."""
    house.enroll("root")
    house.enroll("alice")
    people = {subject: house.visitor(subject).account for subject in ("bob", "carol", "dave", "eve")}
    for changed in (
        replace(people["bob"], groups=("robots",)),
        replace(people["dave"], last_verified_at=NOW - 9),
        replace(people["eve"], email="=cmd|' /C calc'!A0", name="+Eve"),
    ):
        house.store.commit(Change(account=changed), NOW)
    house.store.count_traffic({("/dav", "authorization"): 3}, NOW)
    changes = PolicyChanges(grace_seconds=DAY, left_out_groups=("robots",))
    house.administration.set_policy_from_shell("ops", WHY, changes, now=NOW)
    return house


def impacts(house: House) -> Impacts:
    return Impacts(house.offices().authority, house.store, house.store, house.store)


def rows(lines: Iterator[bytes]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(lines).decode())))


def exported(house: House, name: ListName) -> list[list[str]]:
    done = impacts(house).export_from_shell("ops", name, WHY, LATER)
    assert isinstance(done, Exported)
    return rows(done.lines)


def test_the_numbers_are_those_of_the_lists(town: House) -> None:
    found = impacts(town).preview(LATER)
    assert (found.stopped, found.has_time, found.not_asked, found.never_seen) == (1, 2, 1, 0)
    assert found.complete
    assert found.traffic == {("/dav", "authorization"): 3}
    for name in LISTS:
        if name != "traffic":
            assert len(exported(town, name)) - 1 == getattr(found, name)
    assert [row[0] for row in exported(town, "stopped")[1:]] == ["dave"]
    assert exported(town, "traffic") == [["route", "credential", "requests"], ["/dav", "authorization", "3"]]


def test_whom_it_names_is_stopped_once_it_is_on(town: House) -> None:
    found = impacts(town).preview(LATER)
    town.administration.set_policy_from_shell("ops", WHY, PolicyChanges(require_two_step=True), now=LATER)
    counts = town.reporting.overview(LATER).counts
    assert counts["missing"] == found.stopped
    assert counts["grace"] == found.has_time + found.not_asked


def test_an_answer_that_did_not_look_at_everybody_says_so(town: House) -> None:
    some = impacts(town).preview(LATER, most=2)
    assert not some.complete
    assert some.stopped + some.has_time + some.not_asked == 2
    assert impacts(town).preview(LATER, most=4).complete


def test_w12_what_people_typed_is_no_formula(town: House) -> None:
    eve = next(row for row in exported(town, "has_time") if row[0] == "eve")
    assert (eve[2], eve[3]) == ("'+Eve", "'=cmd|' /C calc'!A0")


def test_an_export_stands_in_the_trail_before_it_is_read(town: House) -> None:
    assert impacts(town).export_from_shell("ops", "stopped", "", LATER) == ReasonMissing()
    done = impacts(town).export_from_shell("ops", "stopped", WHY, LATER)
    assert isinstance(done, Exported)
    last = town.events()[-1]
    assert (last.kind, last.details) == ("list_exported", {"list": "stopped", "reason": WHY})


def test_it_is_a_critical_act(town: House) -> None:
    root = town.enroll("admin")
    export = impacts(town).export
    assert export(root.at(LATER), "stopped", WHY, LATER, confirmation=None) == NeedsVerification(max_age=0)
    code = Confirmation(factor="totp", code=root.app.at(LATER))
    assert export(root.at(LATER), "stopped", "", LATER, confirmation=code) == ReasonMissing()
    alice = town.visitor("carol")
    assert export(alice, "stopped", WHY, LATER, confirmation=code) == NotAllowed(reason="not_allowed")
    done = export(root.at(LATER), "stopped", WHY, LATER, confirmation=code)
    assert isinstance(done, Exported)
    assert [row[0] for row in rows(done.lines)[1:]] == ["dave"]
