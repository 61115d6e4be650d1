"""Who counts, and who of them has two-step."""

from mfa_gate.core.coverage import Coverage


def test_who_counts() -> None:
    found = Coverage(
        counts={"enrolled": 7, "paused": 1, "missing": 2, "inactive": 4, "exempt": 1}, never_seen=3
    )
    assert (found.people, found.covered) == (11, 8)
    assert (Coverage(counts={}).people, Coverage(counts={}).covered) == (0, 0)
