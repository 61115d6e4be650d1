"""Attacks on transport and resources (I): smuggling, sizes, counts, anonymous growth; both doors, real servers."""

from tests.edges.rig import Rig


def test_I05_a_body_of_ten_megabytes_is_refused(rig: Rig) -> None:
    client = rig.client("alice")
    got = client.ask(
        "POST",
        "/mfa/verify",
        (("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "http://localhost:8000")),
        b"code=" + b"1" * 10_000_000,
    )
    assert got.status == 413
