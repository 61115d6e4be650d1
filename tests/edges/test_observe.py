"""`mode = "observe"`: nothing is refused for the second step, everything that would be is told to the log."""

import logging

import pytest

from tests.edges.asking import NAVIGATION
from tests.edges.fixtures import Build
from tests.edges.rig import Rig


@pytest.fixture
def watching(build: Build) -> Rig:
    return build(mode="observe")


@pytest.mark.parametrize(
    ("who", "would"),
    [
        (None, "SignIn to nobody"),
        ("bob", "Verify to bob"),
        ("carol", "Enroll to carol"),
        ("Alice", "Deny to Alice"),
    ],
)
def test_it_is_told_what_would_have_been_refused(
    watching: Rig, caplog: pytest.LogCaptureFixture, who: str | None, would: str
) -> None:
    with caplog.at_level(logging.WARNING, "mfa_gate"):
        assert watching.client(who).get().status == 200
    assert f"observe: would have answered {would}" in caplog.text


def test_somebody_verified_is_not_told_about(watching: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mfa_gate"):
        assert watching.client("alice", verified=True).get().status == 200
    assert "would have" not in caplog.text


@pytest.mark.parametrize("when", ["from the start", "later"])
def test_the_portal_stays_open_while_the_store_is_away(watching: Rig, when: str) -> None:
    bob = watching.client("bob")
    if when == "later":
        assert bob.get().status == 200
    (watching.town.place / "gate.db").unlink()
    watching.clock.go(6)
    for target in ("/files", "/public/x", "/login", "/archive/x"):
        assert bob.get(target).status == 200
    assert watching.get("/files").status == 200
    assert all(seen.told is None for seen in watching.seen)


def test_nobody_gets_a_session_or_a_page_of_administration_by_it(watching: Rig) -> None:
    """It is the portal that stays open, not the gate's own pages."""
    root = watching.client("root")
    for target in ("/mfa/admin", "/mfa/admin/users", "/mfa/account"):
        assert root.ask("GET", target, NAVIGATION).status == 303
    assert root.api("GET", "admin/policy").code == "two_step_code_required"
    assert root.api("PATCH", "admin/policy", {"require_two_step": False}).status == 401


def test_codes_are_asked_for_and_counted_as_ever(watching: Rig) -> None:
    alice = watching.client("alice")
    assert alice.verify("000000").code == "code_rejected"
    assert alice.verify(watching.person("alice").code(watching.clock(), 1)).status == 200
    assert alice.get().status == 200
    assert watching.seen[-1].told is not None
