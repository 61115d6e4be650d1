"""What keeps archived events in the store: their age, whoever has not read them yet, and what became of their file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.flows.archived import Unfit
from mfa_gate.flows.shortening import SETTLED_SECONDS
from tests.stores.files import STORE_ID, make
from tests.stores.retention_contract import PEOPLE, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(make(tmp_path)) as store:
        yield Bench(store, tmp_path)


@pytest.mark.parametrize("keep", [4000, SETTLED_SECONDS * 100])
def test_what_is_not_old_enough_stays(bench: Bench, keep: int) -> None:
    bench.archived()
    assert bench.shortening(keep).turn(bench.now) == 0


def test_what_was_signed_just_now_stays_in_any_case(bench: Bench) -> None:
    assert bench.archiving(0).turn(bench.now) == 1
    assert bench.shortening(0).turn(bench.now) == 0
    bench.now += SETTLED_SECONDS
    assert bench.shortening(0).turn(bench.now) == 1


def test_what_the_anchor_does_not_know_stays(bench: Bench) -> None:
    bench.archived()
    known = bench.anchors.read()
    assert known
    bench.anchors.accept(replace(known, number=1))
    assert bench.shortening().due(bench.now) == ((), "the anchor does not know it yet")
    assert bench.shortening().turn(bench.now) == 0


def test_what_a_sink_has_not_sent_stays(bench: Bench) -> None:
    bench.archived()
    lets_go = bench.shortening(sinks=("audit syslog",))
    assert lets_go.due(bench.now) == ((), "audit syslog has not sent it yet")
    for shard, position in bench.store.stream.reached().positions.items():
        bench.store.note_run(f"audit syslog {shard}", position)
    assert lets_go.turn(bench.now) == 1


def test_what_somebody_is_still_to_be_told_of_stays(bench: Bench) -> None:
    bench.archived()
    lets_go = bench.shortening(notices=True)
    assert lets_go.due(bench.now) == ((), "not everybody has been told of it yet")
    bench.now += 4 * 86_400
    assert lets_go.turn(bench.now) == 1


@pytest.mark.parametrize(
    "how", ["altered", "cut", "gone", "renamed", "exchanged", "empty", "of another store"]
)
def test_j19_without_its_file_nothing_leaves(bench: Bench, how: str) -> None:
    assert bench.archiving(3600).turn(bench.now) == 1
    bench.now += 7200
    bench.minute(*PEOPLE)
    assert bench.archiving(1800).turn(bench.now) == 1
    first, second = sorted(bench.folder.iterdir())
    content = first.read_bytes()
    match how:
        case "altered":
            first.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])
        case "cut":
            first.write_bytes(content[:-20])
        case "gone":
            first.unlink()
        case "renamed":
            first.rename(first.with_name(first.name.replace("0000000002", "0000000003")))
        case "exchanged":
            first.write_bytes(second.read_bytes())
            second.write_bytes(content)
        case "empty":
            first.write_bytes(b"")
        case _:
            first.rename(first.with_name(first.name.replace(STORE_ID, "another")))
    before = bench.count()
    with pytest.raises((Unfit, StoreUnavailable)):
        bench.shortening().turn(bench.now)
    assert bench.count() == before
    assert bench.store.stream.beginning().number == 0
