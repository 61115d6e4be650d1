"""What kind of client a request is of, and what a closed kind gets."""

import pytest

from mfa_gate.core.clients import ClientKind, ClientRule, rules_at, telling_headers, told_kind
from mfa_gate.core.decision import CLOSED, Allow, Deny, Known, Visit, decide
from mfa_gate.core.policy import DEFAULT, PathRule, Policy
from mfa_gate.core.policy_changes import PolicyChanges, changed, weakens
from tests.core.samples import ALICE, ENROLLED, NOW, SESSION

RULES = (
    ClientRule(kind="mobile", header="X-Client", value="mobile"),
    ClientRule(kind="desktop", path="/sync/"),
    ClientRule(kind="mobile", path="/both/", user_agent="App/"),
)


@pytest.mark.parametrize(
    ("path", "headers", "kind"),
    [
        ("/files", (), "web"),
        ("/files", (("x-client", " mobile "),), "mobile"),
        ("/files", (("x_client", "mobile"),), "mobile"),
        ("/files", (("x-client", "mobile2"),), "web"),
        ("/sync/x", (), "desktop"),
        ("/SYNC", (), "desktop"),
        ("/syncs", (), "web"),
        ("/sync/x", (("x-client", "mobile"),), "mobile"),
        ("/both/x", (("user-agent", "An App/1"),), "mobile"),
        ("/both/x", (("x-user-agent", "App/1"),), "web"),
        ("/x", (("user-agent", "App/1"),), "web"),
    ],
)
def test_the_first_entry_that_fits_in_all_it_names_decides(
    path: str, headers: tuple[tuple[str, str], ...], kind: ClientKind
) -> None:
    assert told_kind(RULES, path, headers) == kind


def test_what_tells_kinds_is_known_by_name_and_place() -> None:
    assert telling_headers(RULES) == {"mfa-gate-device", "x-client", "user-agent"}
    assert telling_headers(RULES[:2]) == {"mfa-gate-device", "x-client"}
    assert rules_at(RULES, "/both/x") == (2,)
    assert rules_at(RULES, "/x") == ()


@pytest.mark.parametrize("required", [True, False])
def test_a_closed_kind_gets_nothing_and_the_others_what_they_got(*, required: bool) -> None:
    known = Known(
        account=ENROLLED,
        session=SESSION,
        policy=Policy(require_two_step=required, closed_clients=("desktop",)),
    )
    visit = Visit(rule=DEFAULT, identity=ALICE, client="desktop", granted=True)
    assert decide(visit, known, NOW) == Deny(reason=CLOSED)
    for client in ("web", "mobile"):
        assert isinstance(decide(Visit(rule=DEFAULT, identity=ALICE, client=client), known, NOW), Allow)
    sign_in = Visit(rule=PathRule(kind="sign_in", path="/login"), client="desktop")
    assert isinstance(decide(sign_in, known, NOW), Allow)


def test_closing_asks_for_more_and_opening_for_less() -> None:
    before = Policy()
    after = changed(before, PolicyChanges(closed_clients=("mobile", "desktop", "mobile")), NOW)
    assert isinstance(after, Policy)
    assert after.closed_clients == ("desktop", "mobile")
    assert not weakens(before, after)
    assert weakens(after, before)
