"""Attacks on sessions and cookies (F), through both doors."""

from tests.edges.rig import Rig


def test_F01_another_person_in_the_same_browser(rig: Rig) -> None:
    """Whoever signs in to the portal beside somebody's verified session has not verified."""
    client = rig.client("alice", verified=True)
    assert client.get().status == 200
    client.sign_in("bob")
    assert client.get().code == "two_step_code_required"
    client.sign_in("alice")
    assert client.get().code == "two_step_code_required"
    assert len(rig.seen) == 1
