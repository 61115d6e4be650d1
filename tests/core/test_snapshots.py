"""A snapshot says what it said, under its own day alone."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.coverage import Coverage, GroupCoverage
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.policy import Policy
from mfa_gate.core.snapshots import Openings, SignedSnapshot, Snapshot, body_of

SAID = Snapshot(
    store="s1",
    day="2026-03-31",
    at=1_774_915_200,
    time_zone="Europe/Berlin",
    policy=Policy(version=3, required_groups=("Ärzte",)),
    coverage=Coverage(counts={"enrolled": 7}, groups={'a/b: "c"': GroupCoverage(1, 2)}),
    openings=Openings(mode="enforce"),
    acts={"reset": 2},
    previous=b"\0\xff",
)
KEPT = SignedSnapshot(day=739_706, body=body_of(SAID), key="k1", signature=b"")


def test_it_says_what_it_said() -> None:
    assert KEPT.read() == SAID
    assert KEPT.shown == "2026-03-31"


@pytest.mark.parametrize("day", [739_707, 0, -1, 10**12])
def test_under_another_day_it_says_nothing(day: int) -> None:
    with pytest.raises(RecordCorrupt, match="that of 2026-03-31"):
        replace(KEPT, day=day).read()


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", body_of(replace(SAID, day="31.3.2026"))])
def test_what_is_no_snapshot_says_nothing(body: bytes) -> None:
    with pytest.raises(RecordCorrupt, match="2026-03-31"):
        replace(KEPT, body=body).read()
