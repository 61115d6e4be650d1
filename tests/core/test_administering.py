"""What administrators do to somebody's account, and what the trail keeps of it."""

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption
from mfa_gate.core.administering import (
    lost_exemption,
    lost_session,
    was_exempted,
    was_reset,
    was_signed_out,
)
from mfa_gate.core.events import Actor
from tests.core.samples import ADMIN, ENROLLED, NEWCOMER, NOW

EXEMPT = replace(
    NEWCOMER, exemption=Exemption(reason="No phone", approved_by="root", given_at=NOW - 9, until=NOW + 50)
)


def test_signing_somebody_out_keeps_the_factors_and_says_why() -> None:
    after, (event,) = was_signed_out(ENROLLED, ADMIN, "left a laptop", NOW)
    assert after == replace(ENROLLED, epoch=ENROLLED.epoch + 1)
    assert (event.kind, event.details, event.notify) == (
        "signed_out_everywhere",
        {"reason": "left a laptop"},
        ("owner",),
    )


def test_ending_one_session_changes_nothing_else() -> None:
    after, (event,) = lost_session(ENROLLED, (), ADMIN, "left a laptop", NOW)
    assert after == ENROLLED
    assert (event.kind, event.notify) == ("session_ended", ("owner",))


def test_an_exemption_says_who_why_and_until_when() -> None:
    after, (event,) = was_exempted(NEWCOMER, ADMIN, "No phone", NOW + 50, NOW)
    assert after.exemption == Exemption(reason="No phone", approved_by="root", given_at=NOW, until=NOW + 50)
    assert replace(after, exemption=None) == NEWCOMER
    assert (event.kind, event.notify) == ("exemption_given", ("owner", "admins"))
    assert event.details == {"reason": "No phone", "until": str(NOW + 50)}


def test_over_one_that_runs_the_trail_names_both_ends_and_over_one_that_is_past_only_its_own() -> None:
    _, (changed,) = was_exempted(EXEMPT, ADMIN, "Still none", NOW + 90, NOW)
    assert changed.details["before"] == str(NOW + 50)
    _, (anew,) = was_exempted(EXEMPT, ADMIN, "None again", NOW + 90, NOW + 50)
    assert "before" not in anew.details


def test_at_the_shell_it_is_approved_by_a_user_of_the_machine() -> None:
    shell = Actor(subject="root", surface="shell")
    after, _ = was_exempted(NEWCOMER, shell, "No phone", NOW + 50, NOW)
    assert after.exemption is not None
    assert after.exemption.approved_by == "root (shell)"


def test_an_ended_exemption_is_gone() -> None:
    after, (event,) = lost_exemption(EXEMPT, ADMIN, "Has a phone", NOW)
    assert after == NEWCOMER
    assert event.details == {"reason": "Has a phone", "before": str(NOW + 50)}


def test_everything_that_an_administrator_decides_upon_is_another_revision() -> None:
    states: list[Account] = [
        NEWCOMER,
        EXEMPT,
        was_exempted(EXEMPT, ADMIN, "longer", NOW + 90, NOW)[0],
        was_signed_out(NEWCOMER, ADMIN, "why", NOW)[0],
        was_reset(replace(ENROLLED, epoch=9), ADMIN, "why", NOW)[0],
    ]
    assert len({state.revision for state in states}) == len(states)
    assert replace(NEWCOMER, version=99, last_verified_at=NOW).revision == NEWCOMER.revision
