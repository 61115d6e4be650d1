"""Attacks on enrollment, factors and recovery (E), through both doors."""

from tests.edges.rig import Rig


def test_E04_every_start_makes_another_secret(rig: Rig) -> None:
    """A secret is made when it is asked for, and never twice; what was not confirmed opens nothing."""
    carol = rig.client("carol")
    started = [carol.api("POST", "totp").json()["secret"] for _ in range(5)]
    assert len(set(started)) == 5
    assert carol.get().code == "two_step_setup_required"
