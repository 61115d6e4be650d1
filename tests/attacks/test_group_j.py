"""Faults of state, time and processes (J): nothing opens, nothing acknowledged is lost, and everything heals."""

from tests.edges.rig import Rig


def test_J01_a_store_that_is_gone_opens_nothing(rig: Rig) -> None:
    alice = rig.client("alice", verified=True)
    assert alice.get().status == 200
    (rig.town.place / "gate.db").rename(rig.town.place / "away")
    rig.clock.go(6)
    assert alice.get().status == 503
    assert alice.get("/static/site.css").status == 200
    (rig.town.place / "away").rename(rig.town.place / "gate.db")
    rig.clock.go(6)
    assert alice.get().status == 200
    assert len(rig.seen) == 3
