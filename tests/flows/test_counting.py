"""A day is counted and signed once, whoever does it and wherever they stop; what it says is what it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Exemption
from mfa_gate.core.coverage import GroupCoverage
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import ORG, SYSTEM, Event, EventKind
from mfa_gate.core.policy import DAY
from mfa_gate.core.snapshots import SignedSnapshot, Snapshot
from mfa_gate.flows.counting import COUNTED, Counting, Mails
from mfa_gate.ports import Change
from tests.flows.house import NOW, House, is_ours, sign
from tests.flows.importer import compared, importing_of, row, settle

MIDNIGHT = NOW - NOW % DAY


def happened(house: House, kind: EventKind, at: int) -> None:
    house.store.record((Event(kind=kind, account_id=ORG, subject="", at=at, actor=SYSTEM),), at)


def taken(house: House) -> list[Snapshot]:
    kept = house.store.snapshots
    return [signed.read() for signed in kept.of(kept.days())]


def told(house: House) -> list[tuple[str, str]]:
    events = house.store.events(account_id=ORG, kind=COUNTED, before=None, limit=9)
    return [(each.event.details["day"], each.event.details["sha256"]) for each in reversed(events)]


def test_once_a_day(house: House) -> None:
    house.visitor("bob")
    assert house.counting.turn(MIDNIGHT)
    assert not house.counting.turn(MIDNIGHT + DAY - 1)
    house.enroll("alice", now=MIDNIGHT + DAY)
    assert house.counting.turn(MIDNIGHT + DAY)
    assert house.store.broken_chain() is None
    found = taken(house)
    assert [(each.at, each.coverage.covered, each.coverage.people) for each in found] == [
        (MIDNIGHT, 0, 1),
        (MIDNIGHT + DAY, 1, 2),
    ]
    kept = house.store.snapshots.of(house.store.snapshots.days())
    assert found[1].previous == kept[0].hash
    assert told(house) == [(each.shown, each.hash.hex()) for each in kept]


def test_who_dies_between_a_snapshot_and_what_tells_of_it_is_followed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "record", dies)
        with pytest.raises(StoreUnavailable):
            house.counting.turn(NOW)
    assert told(house) == []
    for _ in range(2):
        assert not house.counting.turn(NOW + 600)
        (kept,) = house.store.snapshots.of(house.store.snapshots.days())
        assert told(house) == [(kept.shown, kept.hash.hex())]


def test_a_day_that_somebody_put_there_is_never_told_as_ours(house: House) -> None:
    today = house.survey.place.day(NOW).toordinal()
    house.store.snapshots.add(SignedSnapshot(day=today, body=b"{}", key="k1", signature=b"x" * 64))
    assert not house.counting.turn(NOW)
    assert told(house) == []
    assert house.counting.turn(NOW + DAY)
    assert [day for day, _ in told(house)] == [house.survey.place.day(NOW + DAY).isoformat()]


def test_groups_exemptions_and_who_was_never_seen(house: House) -> None:
    preview = compared(house.store, row("zoe", groups=("staff", "night")), row("bob"), now=NOW)
    importing_of(house.store).confirm(preview, SYSTEM, "", NOW)
    settle(house.store, NOW)
    given = Exemption(reason="No phone", approved_by="root", given_at=NOW, until=NOW + DAY)
    house.store.commit(Change(account=replace(house.account("bob"), exemption=given)), NOW)
    policy = replace(house.store.policy(), required_groups=("staff", "robots"))
    house.store.commit_policy(policy, (), NOW)
    assert house.counting.turn(NOW)
    (found,) = taken(house)
    assert (found.coverage.never_seen, found.policy) == (2, house.store.policy())
    assert found.coverage.groups == {
        "robots": GroupCoverage(0, 0),
        "night": GroupCoverage(0, 1),
        "staff": GroupCoverage(0, 1),
    }
    assert [(each.subject, each.reason, each.until) for each in found.exempt] == [
        ("bob", "No phone", NOW + DAY)
    ]
    assert (found.openings.exempt, found.openings.mode) == (1, "enforce")


def test_every_act_is_counted_in_one_snapshot_and_only_new_ones_are_read(house: House) -> None:
    """What a clock behind writes late is in the next one."""
    days = 4
    for day in range(days):
        for at in (60, DAY - 200, DAY - 30):
            happened(house, "break_glass_used", MIDNIGHT + day * DAY + at)
        with counted_reads(house) as reads:
            assert house.counting.turn(MIDNIGHT + day * DAY + DAY - 10)
        assert reads[0] <= 6
    found = taken(house)
    assert [each.acts["break_glass_used"] for each in found] == [2, 3, 3, 3]
    assert [each.acts_since for each in found[1:]] == [each.acts_until for each in found[:-1]]


@pytest.mark.parametrize(("mails", "told_on"), [("", []), ("weekly", [5, 11, 32]), ("monthly", [1, 32])])
def test_administrators_are_told_once_in_each_week_or_month(
    house: House, mails: Mails, told_on: list[int]
) -> None:
    """From Thursday, 31 December 2026; a gate that did not run on the first day tells on the next."""
    begin = 1_798_675_200
    counting = Counting(
        house.survey,
        house.store.snapshots,
        house.store,
        house.store,
        sign=sign,
        is_ours=is_ours,
        mails=mails,
    )
    days = (0, 1, 2, 3, 5, 10, 11, 12, 32)
    for day in days:
        for _ in range(2):
            counting.turn(begin + day * DAY)
    events = house.store.events(account_id=ORG, kind=COUNTED, before=None, limit=99)
    assert len(events) == len(days)
    found = [(each.event.at - begin) // DAY for each in reversed(events) if each.event.notify]
    assert found == told_on


@contextmanager
def counted_reads(house: House) -> Iterator[list[int]]:
    """How many events of the trail are read."""
    read = [0]
    events = house.store.events

    def counting(**sought: object) -> object:
        found = events(**sought)  # type: ignore[arg-type]
        read[0] += len(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house.store, "events", counting)
        yield read
