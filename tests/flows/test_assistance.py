"""What is done for one person: by whom, why, all or nothing, and that it and every refusal stand in the trail."""

import pyotp
import pytest
from msgspec.structs import replace

from mfa_gate.core.policy import standing
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.acting import clean_reason
from mfa_gate.flows.assistance import Act, EndExemption, Exempt, Reset, SignOut
from mfa_gate.flows.results import (
    Confirmation,
    Done,
    EndRefused,
    NeedsVerification,
    NotAllowed,
    NotFound,
    Overtaken,
    ReasonMissing,
    Started,
    Verified,
    Why,
)
from mfa_gate.flows.visitor import Visitor
from tests.flows.house import NOW, House, Person, at_once, wrong

LATER = NOW + 30
DAY = 24 * 3600
WHY = "Lost her phone"
UNTIL = LATER + 7 * DAY
ACTS: tuple[Act, ...] = (Reset(), SignOut(), Exempt(UNTIL), EndExemption())


def by_app(person: Person, now: int = LATER) -> Confirmation:
    return Confirmation(factor="totp", code=person.app.at(now))


def exempt(
    house: House, who: Person, whom: str, until: int = UNTIL, now: int = LATER, *, revision: str | None = None
) -> object:
    """Somebody exempts somebody, with a code of the app."""
    return house.assistance.assist(
        who.at(now),
        Exempt(until),
        house.visitor(whom).account.id,
        WHY,
        now,
        revision=revision,
        confirmation=by_app(who, now),
    )


class TestReset:
    def test_it_removes_everything_and_says_so(self, house: House) -> None:
        alice, root = house.enroll("alice"), house.enroll("root")
        begun = house.self_service.start_enrollment(alice.at(LATER), "browser", "", LATER)
        assert isinstance(begun, Started)
        done = house.assistance.assist(root.at(LATER), Reset(), alice.id, " Lost her\nphone ", LATER)
        assert isinstance(done, Done)
        account = house.account("alice")
        assert not account.has_factor
        assert (account.recovery, account.setup_code, account.reset_at) == (None, None, LATER)
        assert house.store.sessions(alice.id, LATER) == ()
        assert alice.at(LATER).session is None
        code = pyotp.TOTP(begun.secret).at(LATER)
        service = house.self_service
        stranger = alice.at(LATER, verified=False)
        gone = service.confirm_enrollment(stranger, "browser", begun.challenge, code, "", LATER)
        assert gone == NotFound()
        old = service.verify(stranger, "totp", alice.app.at(LATER), LATER)
        assert old == NotAllowed(reason="no_such_factor")
        event = house.events("alice")[-1]
        assert (event.kind, event.actor.subject, event.details) == ("reset", "root", {"reason": WHY})
        assert event.notify == ("owner", "admins")

    def test_it_needs_a_verification_of_five_minutes(self, house: House) -> None:
        alice, root = house.enroll("alice"), house.enroll("root")
        needed = NeedsVerification(max_age=300)
        late = NOW + 301
        assert house.assistance.assist(root.at(late), Reset(), alice.id, WHY, late) == needed
        stranger = root.at(LATER, verified=False)
        assert house.assistance.assist(stranger, Reset(), alice.id, WHY, LATER) == needed
        assert house.account("alice").has_factor

    def test_w14_a_reason_is_one_harmless_line(self) -> None:
        assert clean_reason("lost\r\n \x1b[2J it") == "lost \\x1b[2J it"
        assert clean_reason("x" * 500) == "x" * 500

    @pytest.mark.parametrize(
        ("who", "whom"), [("help", "alice"), ("root", "alice"), ("root", "help"), ("root", "admin")]
    )
    def test_who_may_reset_whom(self, house: House, who: str, whom: str) -> None:
        actor, target = house.enroll(who), house.enroll(whom)
        me, account = actor.at(LATER), house.account(whom)
        assert house.assistance.why_not(me, Reset, account, LATER) is None
        assert isinstance(house.assistance.assist(me, Reset(), target.id, WHY, LATER), Done)

    def test_who_has_nothing_cannot_be_reset(self, house: House) -> None:
        root, bob = house.enroll("root"), house.visitor("bob")
        nothing = NotAllowed(reason="nothing_set_up")
        assert house.assistance.assist(root.at(LATER), Reset(), bob.account.id, WHY, LATER) == nothing
        assert "act_refused" not in house.kinds()

    def test_a_reset_opens_a_locked_account_to_a_new_enrollment(self, house: House) -> None:
        alice, root = house.enroll("alice"), house.enroll("root")
        for _ in range(5):
            stranger = alice.at(LATER, verified=False)
            house.self_service.verify(stranger, "totp", wrong(alice.app, LATER), LATER)
        house.assistance.assist(root.at(LATER), Reset(), alice.id, WHY, LATER)
        again = house.enroll("alice", LATER)
        assert house.account("alice").totps[0].strikes.consecutive == 0
        assert again.secret != alice.secret

    def test_the_shell_resets_anybody_with_a_reason(self, house: House) -> None:
        root = house.enroll("root")
        shell = house.assistance.assist_from_shell
        assert shell("ops", Reset(), root.id, "", LATER) == ReasonMissing()
        assert isinstance(shell("ops", Reset(), root.id, WHY, LATER), Done)
        assert shell("ops", Reset(), root.id, WHY, LATER) == NotAllowed(reason="nothing_set_up")
        event = house.events("root")[-1]
        assert (event.actor.subject, event.actor.surface) == ("ops", "shell")

    def test_after_a_reset_an_administrator_needs_a_setup_code_again(self, strict_house: House) -> None:
        code = strict_house.offices().setup_code("root", NOW)
        visitor = strict_house.visitor("root")
        service = strict_house.self_service
        begun = service.start_enrollment(visitor, "browser", code, NOW)
        assert isinstance(begun, Started)
        app = pyotp.TOTP(begun.secret)
        service.confirm_enrollment(visitor, "browser", begun.challenge, app.at(NOW), "", NOW)
        strict_house.assistance.assist_from_shell("ops", Reset(), visitor.account.id, WHY, LATER)
        again = strict_house.visitor("root", now=LATER)
        for tried in ("", code):
            said = service.start_enrollment(again, "browser", tried, LATER)
            assert said in (NotAllowed(reason="setup_code_required"), Rejected())


class TestSigningOut:
    def test_every_session_of_somebody_is_ended(self, house: House) -> None:
        alice, desk = house.enroll("alice"), house.enroll("help")
        done = house.assistance.assist(desk.at(LATER), SignOut(), alice.id, WHY, LATER)
        assert isinstance(done, Done)
        assert alice.at(LATER).session is None
        assert house.account("alice").has_factor
        event = house.events("alice")[-1]
        assert (event.kind, event.actor.subject) == ("signed_out_everywhere", "help")
        assert (event.details, event.notify) == ({"reason": WHY}, ("owner",))

    def test_one_session_is_ended_and_the_others_live(self, house: House) -> None:
        alice, desk = house.enroll("alice"), house.enroll("help")
        stranger = alice.at(LATER, verified=False, sign_in="s-2")
        other = house.self_service.verify(stranger, "totp", alice.app.at(LATER), LATER)
        assert isinstance(other, Verified)
        ended = SignOut(other.opened.session.handle)
        assert isinstance(house.assistance.assist(desk.at(LATER), ended, alice.id, WHY, LATER), Done)
        (left,) = house.store.sessions(alice.id, LATER)
        assert left.key != other.opened.session.key
        assert alice.at(LATER).session is not None
        event = house.events("alice")[-1]
        assert (event.kind, event.details) == ("session_ended", {"reason": WHY})
        assert house.assistance.assist(desk.at(LATER), ended, alice.id, WHY, LATER) == NotFound()

    def test_e12_a_session_of_somebody_else_is_not_found(self, house: House) -> None:
        alice, bob, desk = (house.enroll(name) for name in ("alice", "bob", "help"))
        (his,) = house.store.sessions(bob.id, LATER)
        for named in (his.handle, his.key, "", "unknown"):
            act = SignOut(named)
            assert house.assistance.assist(desk.at(LATER), act, alice.id, WHY, LATER) == NotFound()
        assert bob.at(LATER).session is not None
        assert alice.at(LATER).session is not None

    def test_it_needs_a_verification_of_fifteen_minutes(self, house: House) -> None:
        alice, root = house.enroll("alice"), house.enroll("root")
        late = NOW + 901
        said = house.assistance.assist(root.at(late), SignOut(), alice.id, WHY, late)
        assert said == NeedsVerification(max_age=900)


class TestExemption:
    def test_it_is_given_with_a_fresh_code_and_lets_somebody_pass_until_its_end(self, house: House) -> None:
        root, policy = house.enroll("root"), house.require_two_step()
        bob = house.visitor("bob").account
        assert standing(bob, policy, LATER).status == "missing"
        assert isinstance(exempt(house, root, "bob"), Done)
        account = house.account("bob")
        kept = account.exemption
        assert kept is not None
        assert (kept.reason, kept.approved_by, kept.given_at, kept.until) == (WHY, "root", LATER, UNTIL)
        assert standing(account, policy, UNTIL - 1).status == "exempt"
        assert not standing(account, policy, UNTIL - 1).required
        assert standing(account, policy, UNTIL).status == "missing"
        assert standing(account, policy, UNTIL).required
        event = house.events("bob")[-1]
        assert (event.kind, event.actor.subject) == ("exemption_given", "root")
        assert event.details == {"reason": WHY, "until": str(UNTIL)}
        assert event.notify == ("owner", "admins")

    def test_the_code_comes_in_the_same_request_and_is_spent(self, house: House) -> None:
        root = house.enroll("root")
        bob = house.visitor("bob").account.id
        give = house.assistance.assist
        me = root.at(LATER)
        assert give(me, Exempt(UNTIL), bob, WHY, LATER) == NeedsVerification(max_age=0)
        bad = Confirmation(factor="totp", code=wrong(root.app, LATER))
        assert give(me, Exempt(UNTIL), bob, WHY, LATER, confirmation=bad) == Rejected()
        paper = Confirmation(factor="recovery_code", code=root.codes[0])
        refused = NotAllowed(reason="no_such_factor")
        assert give(me, Exempt(UNTIL), bob, WHY, LATER, confirmation=paper) == refused
        assert house.account("bob").exemption is None
        good = by_app(root)
        assert isinstance(give(me, Exempt(UNTIL), bob, WHY, LATER, confirmation=good), Done)
        again = give(me, Exempt(UNTIL + 1), bob, WHY, LATER, confirmation=good)
        assert again == Rejected()
        assert house.account("bob").exempt_until == UNTIL

    def test_guesses_there_share_the_one_budget(self, house: House) -> None:
        root, bob = house.enroll("root"), house.visitor("bob").account.id
        bad = Confirmation(factor="totp", code=wrong(root.app, LATER))
        for _ in range(5):
            house.assistance.assist(root.at(LATER), Exempt(UNTIL), bob, WHY, LATER, confirmation=bad)
        assert exempt(house, root, "bob") == Paused(LATER + 1)

    @pytest.mark.parametrize("until", [0, LATER, LATER - 1, LATER + 90 * DAY + 1, 2**62, -1])
    def test_it_never_lacks_an_end_and_a_bad_one_costs_no_code(self, house: House, until: int) -> None:
        root = house.enroll("root")
        assert exempt(house, root, "bob", until) == EndRefused(latest=LATER + 90 * DAY)
        assert house.account("bob").exemption is None
        assert isinstance(exempt(house, root, "bob", LATER + 90 * DAY), Done)

    def test_the_policy_says_how_long_at_most(self, house: House) -> None:
        root = house.enroll("root")
        shorter = replace(house.store.policy(), longest_exemption_seconds=DAY)
        house.store.commit_policy(shorter, (), NOW)
        assert exempt(house, root, "bob") == EndRefused(latest=LATER + DAY)
        said = house.assistance.assist_from_shell("ops", Exempt(UNTIL), house.account("bob").id, WHY, LATER)
        assert said == EndRefused(latest=LATER + DAY)

    def test_lengthening_is_another_recorded_act(self, house: House) -> None:
        root = house.enroll("root")
        exempt(house, root, "bob")
        later = LATER + 60
        assert isinstance(exempt(house, root, "bob", UNTIL + DAY, later), Done)
        kept = house.account("bob").exemption
        assert kept is not None
        assert (kept.given_at, kept.until) == (later, UNTIL + DAY)
        event = house.events("bob")[-1]
        assert event.details == {"reason": WHY, "until": str(UNTIL + DAY), "before": str(UNTIL)}

    def test_it_cannot_be_lengthened_for_ever_in_one_act(self, house: House) -> None:
        root = house.enroll("root")
        exempt(house, root, "bob", LATER + 90 * DAY)
        later = LATER + 60
        assert exempt(house, root, "bob", LATER + 91 * DAY, later) == EndRefused(latest=later + 90 * DAY)

    def test_it_ends_before_its_time(self, house: House) -> None:
        root = house.enroll("root")
        exempt(house, root, "bob")
        bob = house.account("bob").id
        done = house.assistance.assist(root.at(LATER), EndExemption(), bob, "The key has arrived", LATER)
        assert isinstance(done, Done)
        assert house.account("bob").exemption is None
        event = house.events("bob")[-1]
        assert (event.kind, event.notify) == ("exemption_ended", ("owner", "admins"))
        assert event.details == {"reason": "The key has arrived", "before": str(UNTIL)}
        again = house.assistance.assist(root.at(LATER), EndExemption(), bob, WHY, LATER)
        assert again == NotAllowed(reason="not_exempt")

    def test_one_that_is_over_cannot_be_ended_and_another_is_a_new_one(self, house: House) -> None:
        root = house.enroll("root")
        shell = house.assistance.assist_from_shell
        bob = house.visitor("bob").account.id
        shell("ops", Exempt(LATER + 5), bob, WHY, LATER)
        over = LATER + 5
        assert shell("ops", EndExemption(), bob, WHY, over) == NotAllowed(reason="not_exempt")
        assert isinstance(exempt(house, root, "bob", UNTIL, over), Done)
        assert "before" not in house.events("bob")[-1].details

    def test_setting_up_two_step_ends_it(self, house: House) -> None:
        root = house.enroll("root")
        exempt(house, root, "alice")
        alice = house.enroll("alice", LATER)
        assert house.account("alice").exemption is None
        assert "exemption_ended" in house.kinds("alice")
        assert exempt(house, root, "alice", now=LATER + 30) == NotAllowed(reason="already_set_up")
        assert "act_refused" not in house.kinds()
        house.assistance.assist(root.at(LATER), Reset(), alice.id, WHY, LATER)
        policy = house.require_two_step()
        assert standing(house.account("alice"), policy, LATER).status == "missing", "not exempt again"

    def test_who_has_left_is_not_exempt(self, house: House) -> None:
        root, bob = house.enroll("root"), house.visitor("bob").account
        house.store.commit(house.changed_to(replace(bob, active=False)), NOW)
        assert exempt(house, root, "bob") == NotAllowed(reason="inactive")

    def test_only_administrators_and_not_for_themselves(self, house: House) -> None:
        root, desk = house.enroll("root"), house.enroll("help")
        bob = house.visitor("bob").account
        for act in (Exempt(UNTIL), EndExemption()):
            said = house.assistance.assist(desk.at(LATER), act, bob.id, WHY, LATER, confirmation=by_app(desk))
            assert said == NotAllowed(reason="not_allowed")
            assert house.events()[-1].kind == "act_refused"
            assert house.assistance.why_not(desk.at(LATER), type(act), bob, LATER) == "not_allowed"
        assert exempt(house, root, "root") == NotAllowed(reason="yourself")
        assert house.assistance.why_not(root.at(LATER), Exempt, bob, LATER) is None


class TestEveryAct:
    @pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
    @pytest.mark.parametrize("reason", ["", "  ", "no", "\n\n\n\n", "x" * 501])
    def test_it_needs_a_reason(self, house: House, act: Act, reason: str) -> None:
        alice, root = house.enroll("alice"), house.enroll("root")
        before = house.account("alice")
        for said in (
            house.assistance.assist(root.at(LATER), act, alice.id, reason, LATER, confirmation=by_app(root)),
            house.assistance.assist_from_shell("ops", act, alice.id, reason, LATER),
        ):
            assert said == ReasonMissing()
        assert house.account("alice") == before

    @pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
    @pytest.mark.parametrize("unknown", ["", "0" * 32, "org", "\udc80"])
    def test_an_unknown_person_is_not_found(self, house: House, act: Act, unknown: str) -> None:
        root = house.enroll("root")
        me: Visitor = root.at(LATER)
        assert house.assistance.assist(me, act, unknown, WHY, LATER, confirmation=by_app(root)) == NotFound()
        assert house.assistance.assist_from_shell("ops", act, unknown, WHY, LATER) == NotFound()

    @pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
    @pytest.mark.parametrize(
        ("who", "whom", "why"),
        [
            ("alice", "bob", "not_allowed"),
            ("alice", "alice", "not_allowed"),
            ("help", "root", "administrator"),
            ("help", "desk", "administrator"),
            ("help", "help", "yourself"),
            ("root", "root", "yourself"),
        ],
    )
    def test_w18_nobody_does_it_to_themselves_or_a_superior(
        self, house: House, act: Act, who: str, whom: str, why: Why
    ) -> None:
        people = {name: house.enroll(name) for name in {who, whom}}
        before = house.account(whom)
        done = house.assistance.assist(
            people[who].at(LATER), act, people[whom].id, WHY, LATER, confirmation=by_app(people[who])
        )
        expected: Why = "not_allowed" if who == "help" and isinstance(act, Exempt | EndExemption) else why
        assert done == NotAllowed(reason=expected)
        assert house.account(whom) == before
        refused = house.events()[-1]
        assert (refused.kind, refused.actor.subject, refused.subject) == ("act_refused", who, whom)
        assert refused.details["why"] == expected
        assert refused.details["account"] == people[whom].id

    def test_what_was_seen_is_what_is_changed(self, house: House) -> None:
        alice, root = house.enroll("alice"), house.enroll("root")
        seen = house.account("alice").revision
        assist = house.assistance.assist
        assert isinstance(assist(root.at(LATER), Reset(), alice.id, WHY, LATER, revision=seen), Done)
        house.enroll("alice", LATER)
        now = house.account("alice")
        for act in (Reset(), SignOut(), Exempt(UNTIL), EndExemption()):
            said = assist(root.at(LATER), act, alice.id, WHY, LATER, revision=seen, confirmation=by_app(root))
            assert said == Overtaken(account=now), act
        assert house.account("alice") == now
        assert isinstance(assist(root.at(LATER), Reset(), alice.id, WHY, LATER, revision=now.revision), Done)

    def test_two_at_once_are_one_act_and_one_conflict(self, house: House) -> None:
        root, admin = house.enroll("root"), house.enroll("admin")
        seen = house.visitor("bob").account.revision
        both = (root, admin)

        def give(number: int) -> object:
            return exempt(house, both[number], "bob", UNTIL + number, revision=seen)

        answers = at_once(2, give)
        assert sorted(type(answer).__name__ for answer in answers) == ["Done", "Overtaken"]
        assert house.kinds("bob").count("exemption_given") == 1

    def test_two_resets_at_once_are_one(self, house: House) -> None:
        alice, root, desk = (house.enroll(name) for name in ("alice", "root", "help"))
        both = (root, desk)
        answers = at_once(
            2, lambda number: house.assistance.assist(both[number].at(LATER), Reset(), alice.id, WHY, LATER)
        )
        assert sorted(map(str, (type(answer).__name__ for answer in answers))) == ["Done", "NotAllowed"]
        assert house.kinds("alice").count("reset") == 1


def test_the_trail_is_whole_and_holds_no_secret(house: House) -> None:
    alice, root = house.enroll("alice"), house.enroll("root")
    exempt(house, root, "bob")
    house.self_service.renew_codes(alice.at(LATER), LATER)
    house.assistance.assist(root.at(LATER), Reset(), alice.id, WHY, LATER)
    assert house.store.broken_chain() is None
    told = str(house.events())
    for secret in (alice.app.secret, alice.secret.hex(), *alice.codes, alice.cookie.id):
        assert secret not in told
