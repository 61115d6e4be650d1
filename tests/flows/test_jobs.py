"""Background jobs: one process at a time does each, another follows, and a failure keeps nobody from the rest."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.flows.jobs import LEASE_SECONDS, Job, Jobs, Standing, Timing, standing
from mfa_gate.keys import KeyRing
from mfa_gate.ports import Lease, Leases
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.waiting import until

NOW = 1_800_000_000


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[Leases]:
    keys = KeyRing.generate(os.urandom)
    sealer = Sealer({key.id: key.secret for key in keys.seal}, keys.seal[-1].id, os.urandom)
    store = SqliteStore.create(
        tmp_path / "gate.db", sealer=sealer, audit_key=keys.audit[-1].secret, store_id="jobs", now=NOW
    )
    yield store
    store.close()


def job(name: str, done: list[int], **changes: int) -> Job:
    return Job(timing=Timing(name=name, **{"every_seconds": 5, **changes}), run=done.append)


def test_a_job_is_done_when_it_is_due(leases: Leases) -> None:
    done: list[int] = []
    jobs = Jobs(leases, [job("sign", done)], "one")
    for at in range(12):
        jobs.turn(NOW + at)
    assert done == [NOW, NOW + 5, NOW + 10]


def test_a_job_may_have_to_wait_for_its_first_time(leases: Leases) -> None:
    done: list[int] = []
    jobs = Jobs(leases, [job("examine", done, every_seconds=100, first_after=40)], "one")
    for at in range(0, 160, 10):
        jobs.turn(NOW + at)
    assert done == [NOW + 40, NOW + 140]


def test_of_two_processes_one_does_it_and_the_other_follows(leases: Leases) -> None:
    first: list[int] = []
    second: list[int] = []
    one, two = Jobs(leases, [job("sign", first)], "one"), Jobs(leases, [job("sign", second)], "two")
    for at in range(20):
        one.turn(NOW + at)
        two.turn(NOW + at)
    assert len(first) == 4
    assert second == []
    # The first process is gone.
    for at in range(20, 20 + 2 * LEASE_SECONDS):
        two.turn(NOW + at)
    assert second
    assert second[0] <= NOW + 20 + LEASE_SECONDS + 5


def test_who_gives_it_back_is_followed_at_once(leases: Leases) -> None:
    first: list[int] = []
    second: list[int] = []
    one, two = Jobs(leases, [job("sign", first)], "one"), Jobs(leases, [job("sign", second)], "two")
    one.turn(NOW)
    two.let_go(NOW)  # it has nothing
    assert two.turn(NOW + 5) == ()
    one.let_go(NOW + 5)
    assert two.turn(NOW + 10) == ("sign",)
    one.let_go(NOW + 10)
    assert one.turn(NOW + 10) == ()


def test_who_fails_keeps_nobody_from_the_rest(leases: Leases, caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def away(_: int) -> None:
        raise StoreUnavailable("the disk is full")

    def broken(_: int) -> None:
        raise KeyError("no such thing")

    jobs = Jobs(
        leases,
        [
            Job(timing=Timing(name="away", every_seconds=5), run=away),
            Job(timing=Timing(name="broken", every_seconds=5), run=broken),
            job("sign", done),
        ],
        "one",
    )
    with caplog.at_level(logging.WARNING, logger="mfa_gate"):
        assert jobs.turn(NOW) == ("sign",)
        assert jobs.turn(NOW + 5) == ("sign",)
    said = [record.getMessage() for record in caplog.records]
    assert said.count("job away waits: the disk is full") == 1
    assert said.count("job broken failed") == 2


def test_a_clock_set_back_keeps_no_job_from_being_done(leases: Leases) -> None:
    done: list[int] = []
    jobs = Jobs(leases, [job("sign", done)], "one")
    jobs.turn(NOW)
    jobs.turn(NOW - 3600)
    assert done == [NOW, NOW - 3600]


# Long intervals, long runs, and holders that are gone


DAY = 86_400


def daily(done: list[int], **changes: int) -> Job:
    return job("examine", done, **{"every_seconds": DAY, "first_after": 600, **changes})


def test_what_was_done_lately_is_not_done_again_after_a_restart(leases: Leases) -> None:
    done: list[int] = []
    Jobs(leases, [daily(done, first_after=0)], "one").turn(NOW)
    for hours in range(1, 26):
        at = NOW + 3600 * hours
        restarted = Jobs(leases, [daily(done)], f"restarted {hours}")
        restarted.turn(at)
        restarted.turn(at + 600)
    assert done == [NOW, NOW + DAY + 600]


def test_a_process_that_dies_while_it_does_it_is_followed_within_a_minute(leases: Leases) -> None:
    done: list[int] = []
    assert leases.lease("examine", "a process that died", LEASE_SECONDS, NOW)
    jobs = Jobs(leases, [daily(done, first_after=0)], "one")
    for at in range(NOW, NOW + 90):
        jobs.turn(at)
    assert done == [NOW + LEASE_SECONDS]
    # It keeps the lease no longer than that, too: on the next day whoever is there does it.
    other = Jobs(leases, [daily(done, first_after=0)], "two")
    for at in range(NOW + 90, NOW + 2 * DAY, 60):
        other.turn(at)
    assert len(done) == 2
    assert done[1] - done[0] < DAY + 120


def test_who_fails_at_a_daily_job_tries_again_soon(leases: Leases) -> None:
    tried: list[int] = []

    def away(now: int) -> None:
        tried.append(now)
        raise StoreUnavailable("it hangs")

    jobs = Jobs(leases, [Job(timing=Timing(name="examine", every_seconds=DAY), run=away)], "one")
    for at in range(NOW, NOW + 70, 5):
        assert jobs.turn(at) == ()
    assert tried == [NOW, NOW + 30, NOW + 60]
    assert leases.last_runs() == {}


class Shaky:
    """Leases of which the second is refused by a store that is away for a moment, and the fifth lost to somebody."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self.until: list[int] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._leases, name)

    def lease(self, name: str, holder: str, seconds: int, now: int) -> Lease | None:
        self.until.append(now + seconds)
        if len(self.until) == 2:
            raise StoreUnavailable("for a moment")
        return self._leases.lease(name, holder, seconds, now) if len(self.until) < 5 else None


def test_a_run_that_takes_longer_than_its_lease_renews_it_as_long_as_it_has_it(leases: Leases) -> None:
    shaky = Shaky(leases)

    def slow(_: int) -> None:
        until(lambda: len(shaky.until) == 5)

    slow_job = Job(timing=Timing(name="slow", every_seconds=DAY), run=slow)
    assert Jobs(cast("Leases", shaky), [slow_job], "one", lease_seconds=1).turn(NOW) == ("slow",)
    assert shaky.until[0] == NOW + 1
    assert shaky.until[-1] == NOW + 2
    assert len(shaky.until) == 5


def test_a_lease_that_is_held_by_nobody_who_works_stops_nobody_for_ever(
    leases: Leases, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who can write the store holds it for a thousand years."""
    done: list[int] = []
    leases.lease("sign", "a thief", 10**9, NOW)
    jobs = Jobs(leases, [job("sign", done)], "one")
    for at in range(300):
        jobs.turn(NOW + at)
    assert done[0] - NOW <= 5 + 2 * LEASE_SECONDS + 5
    assert len(done) > 2
    assert "its lease is held, and nobody does it" in caplog.text


def test_a_lease_that_is_held_by_who_works_is_left_to_them(leases: Leases) -> None:
    done: list[int] = []
    leases.lease("sign", "busy", 10**9, NOW)
    jobs = Jobs(leases, [job("sign", done)], "one")
    for at in range(300):
        if at % 20 == 0:
            leases.note_run("sign", NOW + at)
        jobs.turn(NOW + at)
    assert done == []


def test_when_a_job_was_last_done_is_kept_though_not_each_time(leases: Leases) -> None:
    jobs = Jobs(leases, [job("sign", [])], "one")
    noted = []
    for at in range(NOW, NOW + 60):
        jobs.turn(at)
        noted.append(leases.last_runs()["sign"])
    assert sorted(set(noted)) == [NOW, NOW + 20, NOW + 40]
    jobs.turn(NOW - 3600)
    assert leases.last_runs()["sign"] == NOW - 3600


def test_how_jobs_stand_is_told_by_when_they_were_last_done() -> None:
    timings = (Timing(name="sign", every_seconds=5), Timing(name="examine", every_seconds=DAY))
    assert standing(timings, {"sign": NOW - 65}, NOW) == (
        Standing(name="sign", last_run_at=NOW - 65, late=False),
        Standing(name="examine", last_run_at=None, late=False),
    )
    late = standing(timings, {"sign": NOW - 66, "examine": NOW - DAY - DAY // 4 - 1}, NOW)
    assert [each.late for each in late] == [True, True]
    assert not standing(timings, {"examine": NOW - DAY - DAY // 4}, NOW)[1].late
