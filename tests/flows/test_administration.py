"""The policy and who may change it, and setup codes; every change and refusal stands in the trail."""

import pyotp
import pytest

from mfa_gate.core.accounts import account_id
from mfa_gate.core.events import ORG
from mfa_gate.core.policy import Policy
from mfa_gate.core.policy_changes import PolicyChanges
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.assistance import Reset
from mfa_gate.flows.results import (
    Confirmation,
    Conflict,
    Enrolled,
    MadeSetupCode,
    NeedsVerification,
    NotAllowed,
    PolicyChanged,
    ReasonMissing,
    Started,
    Verified,
)
from mfa_gate.flows.visitor import Visitor
from tests.flows.house import NOW, House, Person, at_once, wrong

LATER = NOW + 30
WHY = "Lost her phone"


def by_app(code: str) -> Confirmation:
    return Confirmation(factor="totp", code=code)


def switch(
    house: House,
    who: Visitor,
    to: str,
    *,
    version: int | None = None,
    code: Confirmation | None = None,
    now: int = LATER,
) -> object:
    return house.administration.set_policy(
        who, PolicyChanges(require_two_step=to == "on"), version=version, confirmation=code, now=now
    )


class TestPolicy:
    def test_an_administrator_turns_it_on(self, house: House) -> None:
        root = house.enroll("root")
        before = house.store.policy()
        done = switch(house, root.at(LATER), "on", version=before.version)
        assert isinstance(done, PolicyChanged)
        assert done.before == before
        assert done.policy == house.store.policy()
        assert done.policy.require_two_step
        assert (done.policy.changed_by, done.policy.changed_at) == ("root", LATER)
        assert house.policy_changes == 1
        changed = house.events()[-1]
        assert (changed.kind, changed.account_id, changed.notify) == ("policy_changed", ORG, ("admins",))
        assert changed.details == {"require_two_step": "on", "before": "off", "version": "2"}
        assert (changed.actor.subject, changed.actor.address) == ("root", "192.0.2.9")

    def test_saving_what_stands_writes_nothing(self, house: House) -> None:
        root = house.enroll("root")
        policy = house.store.policy()
        done = switch(house, root.at(LATER), "off", version=policy.version)
        assert done == PolicyChanged(policy=policy, before=policy)
        assert house.store.policy() == policy
        assert "policy_changed" not in house.kinds()

    def test_a_stale_form_changes_nothing(self, house: House) -> None:
        root = house.enroll("root")
        policy = house.store.policy()
        assert switch(house, root.at(LATER), "on", version=7) == Conflict(policy=policy)
        assert house.store.policy() == policy

    def test_two_at_once_change_it_once(self, house: House) -> None:
        root = house.enroll("root").at(LATER)
        version = house.store.policy().version
        answers = at_once(4, lambda _: switch(house, root, "on", version=version))
        assert len([answer for answer in answers if isinstance(answer, PolicyChanged)]) == 1
        assert all(isinstance(answer, PolicyChanged | Conflict) for answer in answers)
        assert house.store.policy().version == version + 1

    def test_turning_off_needs_a_code_in_the_same_request(self, house: House) -> None:
        root = house.enroll("root")
        house.require_two_step()
        assert switch(house, root.at(LATER), "off") == NeedsVerification(max_age=0)
        bad = by_app(wrong(root.app, LATER))
        assert switch(house, root.at(LATER), "off", code=bad) == Rejected()
        paper = Confirmation(factor="recovery_code", code=root.codes[0])
        assert switch(house, root.at(LATER), "off", code=paper) == NotAllowed(reason="no_such_factor")
        assert house.store.policy().require_two_step
        good = by_app(root.app.at(LATER))
        done = switch(house, root.at(LATER), "off", code=good)
        assert isinstance(done, PolicyChanged)
        assert not house.store.policy().require_two_step
        house.require_two_step()
        assert switch(house, root.at(LATER), "off", code=good) == Rejected()
        assert house.store.policy().require_two_step

    def test_guesses_there_share_the_one_budget(self, house: House) -> None:
        root = house.enroll("root")
        house.require_two_step()
        for _ in range(5):
            assert switch(house, root.at(LATER), "off", code=by_app(wrong(root.app, LATER))) == Rejected()
        assert switch(house, root.at(LATER), "off", code=by_app(root.app.at(LATER))) == Paused(LATER + 1)
        assert house.store.policy().require_two_step

    def test_a_code_spent_for_a_change_that_lost_its_race_stays_spent(self, house: House) -> None:
        root = house.enroll("root")
        house.require_two_step()
        code = by_app(root.app.at(LATER))
        version = house.store.policy().version

        def submit(_: int) -> object:
            return switch(house, root.at(LATER), "off", version=version, code=code)

        answers = at_once(4, submit)
        assert len([answer for answer in answers if isinstance(answer, PolicyChanged)]) == 1
        assert house.store.policy().version == version + 1

    def test_it_needs_a_verification_of_fifteen_minutes(self, house: House) -> None:
        root = house.enroll("root")
        needed = NeedsVerification(max_age=900)
        assert switch(house, root.at(NOW + 901), "on", now=NOW + 901) == needed
        assert switch(house, root.at(LATER, verified=False), "on") == needed
        assert not house.store.policy().require_two_step

    def test_who_is_not_enrolled_cannot_lock_himself_out(self, house: House) -> None:
        assert switch(house, house.visitor("root"), "on") == NeedsVerification(max_age=900)

    def test_a_recovery_code_does_not_administer(self, house: House) -> None:
        root = house.enroll("root")
        done = house.self_service.verify(root.at(LATER), "recovery_code", root.codes[0], LATER)
        assert isinstance(done, Verified)
        root.cookie = done.opened.cookie
        assert switch(house, root.at(LATER), "on") == NeedsVerification(max_age=900)

    @pytest.mark.parametrize("who", ["alice", "help"])
    def test_nobody_else_may_and_it_is_recorded(self, house: House, who: str) -> None:
        person = house.enroll(who)
        assert switch(house, person.at(LATER), "on") == NotAllowed(reason="not_allowed")
        assert not house.store.policy().require_two_step
        refused = house.events()[-1]
        assert (refused.kind, refused.account_id, refused.actor.subject) == ("act_refused", ORG, who)
        assert refused.details == {"act": "set_policy", "why": "not_allowed"}


class SignedOutMeanwhile:
    """The policies of a house in which the acting administrator signs out while the policy is read."""

    def __init__(self, house: House, root: Person) -> None:
        self._house = house
        self._root = root
        self.commit_policy = house.store.commit_policy
        self.record = house.store.record
        self.policy_versions = house.store.policy_versions

    def policy(self) -> Policy:
        self._house.self_service.sign_out_everywhere(self._root.at(LATER), LATER)
        return self._house.store.policy()


def test_a_session_that_dies_meanwhile_weakens_nothing(house: House) -> None:
    root = house.enroll("root")
    house.require_two_step()
    administration = house.administer(SignedOutMeanwhile(house, root))
    done = administration.set_policy(
        root.at(LATER),
        PolicyChanges(require_two_step=False),
        version=None,
        confirmation=by_app(root.app.at(LATER)),
        now=LATER,
    )
    assert done == NeedsVerification(max_age=900)
    assert house.store.policy().require_two_step


class TestPolicyFromShell:
    def test_turning_on_wants_an_enrolled_administrator(self, house: House) -> None:
        house.enroll("alice")
        house.enroll("help")
        house.visitor("root")
        shell = house.administration.set_policy_from_shell
        refused = NotAllowed(reason="no_administrator_enrolled")
        assert shell("ops", "Go live", PolicyChanges(require_two_step=True), now=LATER) == refused
        house.enroll("admin")
        done = shell("ops", "Go live", PolicyChanges(require_two_step=True), now=LATER)
        assert isinstance(done, PolicyChanged)
        changed = house.events()[-1]
        assert (changed.actor.subject, changed.actor.surface) == ("ops", "shell")
        assert changed.details["reason"] == "Go live"

    def test_the_administrator_may_be_on_any_page_of_the_list(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mfa_gate.flows.administration.PAGE", 1)
        for subject in ("alice", "bob", "root"):
            house.enroll(subject)
        done = house.administration.set_policy_from_shell(
            "ops", WHY, PolicyChanges(require_two_step=True), now=LATER
        )
        assert isinstance(done, PolicyChanged)

    def test_it_wants_a_reason_and_writes_no_change_twice(self, house: House) -> None:
        house.enroll("root")
        shell = house.administration.set_policy_from_shell
        assert shell("ops", "  ", PolicyChanges(require_two_step=True), now=LATER) == ReasonMissing()
        shell("ops", WHY, PolicyChanges(require_two_step=True), now=LATER)
        policy = house.store.policy()
        done = shell("ops", WHY, PolicyChanges(require_two_step=True), now=LATER)
        assert done == PolicyChanged(policy=policy, before=policy)
        off = shell("ops", WHY, PolicyChanges(require_two_step=False), now=LATER)
        assert isinstance(off, PolicyChanged)
        assert not house.store.policy().require_two_step


class TestSetupCode:
    def test_it_makes_the_record_of_somebody_never_seen(self, house: House) -> None:
        done = house.administration.make_setup_code("ops", "portal", "root", NOW)
        assert isinstance(done, MadeSetupCode)
        assert (len(done.code), done.expires_at) == (19, NOW + 24 * 3600)
        account = house.account("root")
        assert (account.first_seen_at, account.id) == (0, account_id("portal", "root"))
        assert account.setup_code is not None
        assert done.code.encode() not in account.setup_code.code_hash
        made = house.events("root")[-1]
        assert (made.kind, made.actor.subject, made.actor.surface) == ("admin_code_made", "ops", "shell")
        assert done.code not in str(house.events())

    def test_only_listed_administrators_get_one(self, house: House) -> None:
        make = house.administration.make_setup_code
        assert make("ops", "portal", "alice", NOW) == NotAllowed(reason="not_listed")
        assert house.store.account(account_id("portal", "alice")) is None

    def test_not_who_has_two_step(self, strict_house: House) -> None:
        make = strict_house.administration.make_setup_code
        made = make("ops", "portal", "root", NOW)
        assert isinstance(made, MadeSetupCode)
        root = self.enroll_with(strict_house, made.code)
        assert make("ops", "portal", "root", LATER) == NotAllowed(reason="already_set_up")
        strict_house.assistance.assist_from_shell("ops", Reset(), root.id, WHY, LATER)
        assert isinstance(make("ops", "portal", "root", LATER), MadeSetupCode)

    def enroll_with(self, house: House, code: str) -> Person:
        visitor = house.visitor("root")
        started = house.self_service.start_enrollment(visitor, "browser", code, NOW)
        assert isinstance(started, Started)
        app = pyotp.TOTP(started.secret)
        done = house.self_service.confirm_enrollment(
            visitor, "browser", started.challenge, app.at(NOW), "", NOW
        )
        assert isinstance(done, Enrolled)
        return Person(house, "root", app, done.codes, done.opened)
