"""Attacks on codes (D): replay, guessing, lockout; on every surface that takes one, through both doors."""

from tests.edges.rig import Rig


def test_D01_code_reuse(rig: Rig) -> None:
    """A code that was accepted opens nothing again: in the same browser, another one, or on another surface."""
    rig.clock.go(60)
    code = rig.person("alice").code(rig.clock())
    first, second = rig.client("alice"), rig.client("alice")
    assert first.verify(code).status == 200
    for client in (first, second, rig.client("alice", peer="198.51.100.4")):
        got = client.verify(code)
        assert (got.status, got.code) == (401, "code_rejected")
    assert second.get().status == 401
