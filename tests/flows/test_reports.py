"""A report of a date says what was counted then, in every year at the same cost, and never what somebody put there."""

from datetime import UTC, date, datetime

from msgspec.structs import replace

from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.policy import DAY
from mfa_gate.core.reports import Report
from mfa_gate.core.snapshots import SignedSnapshot, body_of, to_sign
from mfa_gate.flows.reports import NotYet
from mfa_gate.flows.surveying import WHOLE
from tests.flows.house import NOW, House, sign
from tests.flows.test_counting import MIDNIGHT, counted_reads, happened

MORNING = MIDNIGHT + 600


def day(number: int) -> date:
    return datetime.fromtimestamp(MIDNIGHT + number * DAY, UTC).date()


def report(house: House, of: int | None, now: int) -> Report:
    found = house.reports.at(None if of is None else day(of), now)
    assert isinstance(found, Report)
    return found


def sealed(house: House, number: int, **fields: object) -> SignedSnapshot:
    """A snapshot of a day with other words in it, signed with our key."""
    (kept,) = house.store.snapshots.of((day(number).toordinal(),))
    body = body_of(replace(kept.read(), **fields))
    return replace(kept, body=body, signature=sign(to_sign(body))[1])


def put(house: House, signed: SignedSnapshot) -> None:
    """As somebody does who can write the store."""
    take_out(house, signed.day)
    assert house.store.snapshots.add(signed)


def take_out(house: House, number: int) -> None:
    with house.store._connections.writing() as db:  # noqa: SLF001
        db.execute("DELETE FROM snapshot WHERE day = ?", (number,))


def test_each_date_has_what_was_true_then(house: House) -> None:
    store = house.store
    house.visitor("bob", now=NOW)
    assert house.counting.turn(MORNING)
    house.enroll("alice", now=MORNING + DAY)
    required = replace(store.policy(), require_two_step=True, changed_at=MORNING + DAY + 60)
    store.commit_policy(required, (), MORNING + DAY + 60)
    happened(house, "reset", MORNING + DAY + 90)
    store.note_run(WHOLE, MORNING + DAY)
    assert house.counting.turn(MORNING + DAY + 900)
    store.note_run(WHOLE, MORNING + 3 * DAY)
    now = MORNING + 5 * DAY

    first, second, gap, live = (report(house, of, now) for of in (0, 1, 3, None))
    assert [each.snapshot and each.snapshot.coverage.covered for each in (first, second, gap, live)] == [
        0,
        1,
        1,
        1,
    ]
    assert first.policy is not None
    assert (first.policy.require_two_step, first.policy.version) == (False, 1)
    assert second.policy == gap.policy == store.policy()
    assert [each.is_late for each in (first, second, gap, live)] == [False, False, True, False]
    assert [each.acts["reset"] for each in (first, second, gap, live)] == [0, 1, 1, 1]
    assert [len(each.course) for each in (first, second, gap, live)] == [1, 2, 2, 2]
    assert second.snapshot is not None
    assert (second.snapshot.whole_at, second.whole_at) == (MORNING + DAY, MORNING + 3 * DAY)
    assert (first.at, live.at) == (MIDNIGHT + DAY - 1, now)
    before = report(house, -1, now)
    assert (before.snapshot, before.policy, before.first_day) == (None, None, day(0).isoformat())
    assert house.reports.at(day(6), now) == NotYet(today=day(5))
    assert report(house, 5, now).day is None


def test_a_report_reads_hardly_any_event_and_none_of_then(house: House) -> None:
    """Half of what happened is in no trail any more, as if it had been archived."""
    for number in range(100):
        for _ in range(2):
            happened(house, "reset", MIDNIGHT + number * DAY + 60)
        assert house.counting.turn(MORNING + number * DAY)
    now = MORNING + 99 * DAY + 60
    with counted_reads(house) as reads:
        whole = report(house, 95, now)
        house.reports.course(now)
    assert reads[0] <= 1
    with house.store._connections.writing() as db:  # noqa: SLF001
        db.execute("DELETE FROM audit WHERE at < ?", (MIDNIGHT + 98 * DAY,))
    assert report(house, 95, now) == whole
    assert whole.acts["reset"] == 2 * 90
    assert len(whole.course) == 90


def test_what_was_changed_put_in_or_taken_out_is_said_and_in_no_number(house: House) -> None:
    for number in range(4):
        assert house.counting.turn(MORNING + number * DAY)
    now = MORNING + 4 * DAY
    assert [(each.unfit, each.torn) for each in (report(house, 3, now),)] == [((), ())]
    (second,) = house.store.snapshots.of((day(1).toordinal(),))
    changed = second.body.replace(b'"people":', b'"People":') + b" "
    for forged in (
        replace(second, body=changed),
        replace(second, signature=b"x" * 64),
        replace(second, body=b"", key="", signature=b""),
        sealed(house, 1, store="another"),
        sealed(house, 1, day=day(9).isoformat()),
    ):
        put(house, forged)
        found = report(house, 1, now)
        assert (found.unfit, found.snapshot and found.snapshot.day) == (
            (day(1).isoformat(),),
            day(0).isoformat(),
        )
        assert [each.day for each in house.reports.course(now)] == [str(day(each)) for each in (0, 2, 3)]
        house.reports._known.clear()  # noqa: SLF001 - what was read before is remembered
    take_out(house, second.day)
    found = report(house, 3, now)
    assert (found.unfit, found.torn) == ((), (day(2).isoformat(),))
    put(house, second)
    assert report(house, 3, now).torn == ()


def test_only_what_is_changed_leaves_no_number(house: House) -> None:
    assert house.counting.turn(MORNING)
    (kept,) = house.store.snapshots.of((day(0).toordinal(),))
    put(house, replace(kept, signature=b"x" * 64))
    found = report(house, 0, MORNING + DAY)
    assert (found.snapshot, found.unfit, found.course) == (None, (day(0).isoformat(),), ())
    assert report(house, None, MORNING).snapshot is not None


def test_tampering_stays_known_when_the_trail_of_then_is_archived(house: House) -> None:
    noticed = Event(kind="tampering_noticed", account_id=ORG, subject="", at=NOW, actor=SYSTEM)
    house.store.record((noticed,), NOW)
    assert house.counting.turn(NOW)
    with house.store._connections.writing() as db:  # noqa: SLF001
        db.execute("DELETE FROM audit WHERE kind = 'tampering_noticed'")
    assert house.counting.turn(NOW + DAY)
    found = report(house, 1, NOW + 2 * DAY)
    assert found.snapshot is not None
    assert (found.snapshot.tampered_at, found.tampered_at) == (NOW, NOW)
