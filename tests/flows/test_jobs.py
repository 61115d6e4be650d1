"""Background jobs: one process at a time does each, another follows, and a failure keeps nobody from the rest."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.flows.jobs import LEASE_SECONDS, Job, Jobs
from mfa_gate.keys import KeyRing
from mfa_gate.ports import Leases
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore

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
    return Job(name=name, run=done.append, **{"every_seconds": 5, **changes})


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


def test_a_run_that_may_take_long_holds_its_lease_longer() -> None:
    assert job("sign", []).lease_seconds == LEASE_SECONDS
    assert job("mail", [], longest_seconds=90).lease_seconds == 90


def test_who_fails_keeps_nobody_from_the_rest(leases: Leases, caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def away(_: int) -> None:
        raise StoreUnavailable("the disk is full")

    def broken(_: int) -> None:
        raise KeyError("no such thing")

    jobs = Jobs(
        leases,
        [
            Job(name="away", every_seconds=5, run=away),
            Job(name="broken", every_seconds=5, run=broken),
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
