"""Codes are spent once whoever races, every session has a new id, and nobody turns off what is required."""

import pytest
from msgspec.structs import replace

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.sessions import Session
from mfa_gate.core.throttle import FOREVER
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.proving import as_of
from mfa_gate.flows.results import (
    Codes,
    Confirmation,
    NeedsVerification,
    NotAllowed,
    NotFound,
    SignedOut,
    TurnedOff,
    Verified,
)
from mfa_gate.ports import Change
from tests.conftest import Scale
from tests.flows.house import NOW, House, Person, at_once, wrong

LATER = NOW + 30


def by_app(code: str) -> Confirmation:
    return Confirmation(factor="totp", code=code)


class TestVerify:
    def test_a_right_code_opens_a_session(self, house: House) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False, sign_in="s-2")
        done = house.self_service.verify(stranger, "totp", alice.app.at(LATER), LATER)
        assert isinstance(done, Verified)
        assert done.recovery_left == 10
        session = done.opened.session
        assert (session.factor, session.amr, session.acr) == (
            "totp",
            ("mfa", "otp"),
            "urn:mfa-gate:aal2",
        )
        assert (session.sign_in, session.verified_at, session.address) == ("s-2", LATER, "192.0.2.9")
        assert session.expires_at == LATER + house.store.policy().session_ttl_seconds
        assert len(done.opened.cookie.id) == 64
        alice.cookie = done.opened.cookie
        assert alice.at(LATER, sign_in="s-2").session == session
        assert alice.at(LATER, sign_in="s-3").session is None

    def test_f03_the_id_changes_and_the_earlier_session_of_the_browser_dies(self, house: House) -> None:
        alice = house.enroll("alice")
        before = alice.cookie
        alice.verify(LATER)
        assert alice.cookie.id != before.id
        assert house.store.sessions(alice.id, LATER)[0].key != before.id
        assert len(house.store.sessions(alice.id, LATER)) == 1
        alice.cookie = before
        assert alice.at(LATER).session is None

    def test_e21_a_session_of_another_browser_stays(self, house: House) -> None:
        alice = house.enroll("alice")
        other = alice.at(LATER, verified=False)
        assert isinstance(house.self_service.verify(other, "totp", alice.app.at(LATER), LATER), Verified)
        assert len(house.store.sessions(alice.id, LATER)) == 2

    def test_d01_a_code_works_once(self, house: House) -> None:
        alice = house.enroll("alice")
        alice.verify(LATER)
        for again in (alice.at(LATER), alice.at(LATER, verified=False, sign_in="s-9")):
            assert house.self_service.verify(again, "totp", alice.app.at(LATER), LATER) == Rejected()

    def test_a_recovery_code_works_once_and_has_fewer_powers(self, house: House) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False)
        typed = alice.codes[0].replace("-", " ").upper()
        done = house.self_service.verify(stranger, "recovery_code", typed, LATER)
        assert isinstance(done, Verified)
        assert done.recovery_left == 9
        assert done.opened.session.amr == ("urn:mfa-gate:recovery_code",)
        alice.cookie = done.opened.cookie
        me = alice.at(LATER)
        assert not me.may("administer", LATER)
        assert not me.may("turn_off", LATER)
        assert me.may("replace_factor", LATER)
        assert house.self_service.verify(me, "recovery_code", alice.codes[0], LATER) == Rejected()
        assert house.self_service.renew_codes(me, LATER) == NeedsVerification(max_age=300)

    def test_a_refused_code_is_counted_and_recorded(self, house: House) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False, sign_in="s-7")
        assert house.self_service.verify(stranger, "totp", wrong(alice.app, LATER), LATER) == Rejected()
        account = house.account("alice")
        assert account.totps[0].strikes.shares == (("s-7", 1),)
        assert house.events("alice")[-1].kind == "code_rejected"
        assert house.events("alice")[-1].actor.address == "192.0.2.9"

    @pytest.mark.parametrize(
        "code", ["1234567", "+123456", "123456\0", "\uff11\uff12\uff13\uff14\uff15\uff16"]
    )
    def test_d05_a_malformed_code_counts_like_a_wrong_one(self, house: House, code: str) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False)
        assert house.self_service.verify(stranger, "totp", code, LATER) == Rejected()
        assert house.account("alice").totps[0].strikes.consecutive == 1
        assert house.self_service.verify(stranger, "recovery_code", code, LATER) == Rejected()
        recovery = house.account("alice").recovery
        assert recovery is not None
        assert recovery.strikes.consecutive == 1

    @pytest.mark.parametrize("spelling", [" {} {}", "{}{}\n", "{}\t{}"])
    def test_d05_a_pasted_code_is_the_same_code(self, house: House, spelling: str) -> None:
        alice = house.enroll("alice")
        code = alice.app.at(LATER)
        stranger = alice.at(LATER, verified=False)
        pasted = spelling.format(code[:3], code[3:])
        assert isinstance(house.self_service.verify(stranger, "totp", pasted, LATER), Verified)
        assert house.self_service.verify(stranger, "totp", code, LATER) == Rejected()

    @pytest.mark.parametrize("code", ["", " \n", "1" * 1_000_000])
    @pytest.mark.parametrize("factor", ["totp", "recovery_code"])
    def test_d22_no_code_is_refused_and_not_counted(self, house: House, factor: str, code: str) -> None:
        alice = house.enroll("alice")
        before = house.account("alice")
        stranger = alice.at(LATER, verified=False)
        assert house.self_service.verify(stranger, factor, code, LATER) == Rejected()
        assert house.account("alice") == before

    @pytest.mark.parametrize("factor", ["access_pass", "", "webauthn", "TOTP"])
    def test_an_unknown_factor_is_none(self, house: House, factor: str) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False)
        done = house.self_service.verify(stranger, factor, alice.app.at(LATER), LATER)
        assert done == NotAllowed(reason="no_such_factor")

    def test_a_factor_that_the_policy_forbids_is_none(self, house: House) -> None:
        alice = house.enroll("alice")
        house.forbid_recovery_codes()
        stranger = alice.at(LATER, verified=False)
        done = house.self_service.verify(stranger, "recovery_code", alice.codes[0], LATER)
        assert done == NotAllowed(reason="no_such_factor")

    def test_somebody_inactive_gets_nothing(self, house: House) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False)
        house.store.commit(Change(account=replace(house.account("alice"), active=False)), LATER)
        done = house.self_service.verify(stranger, "totp", alice.app.at(LATER), LATER)
        assert done == NotAllowed(reason="inactive")
        begun = house.self_service.start_enrollment(stranger, "browser", "", LATER)
        assert begun == NotAllowed(reason="inactive")

    def test_j16_an_account_that_is_gone_is_no_stranger(self, house: House) -> None:
        visitor = house.visitor("alice")
        gone = replace(visitor, account=replace(visitor.account, id="0" * 32))
        with pytest.raises(StoreUnavailable):
            house.self_service.start_enrollment(gone, "browser", "", NOW)
        with pytest.raises(StoreUnavailable):
            house.self_service.verify(gone, "totp", "123456", NOW)


class TestGuessing:
    def test_d07_a_new_session_brings_no_new_budget(self, house: House) -> None:
        alice = house.enroll("alice")
        for number in range(30):
            stranger = alice.at(LATER, verified=False, sign_in=f"s-{number}")
            house.self_service.verify(stranger, "totp", wrong(alice.app, LATER), LATER)
        assert house.account("alice").totps[0].strikes.consecutive == 5
        assert house.kinds("alice").count("code_rejected") == 5

    def test_d13_during_a_pause_a_right_code_is_like_a_wrong_one_and_not_spent(self, house: House) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False)
        for _ in range(5):
            house.self_service.verify(stranger, "totp", wrong(alice.app, LATER), LATER)
        account = house.account("alice")
        right = house.self_service.verify(stranger, "totp", alice.app.at(LATER), LATER)
        assert right == house.self_service.verify(stranger, "totp", wrong(alice.app, LATER), LATER)
        assert right == Paused(LATER + 1)
        assert house.account("alice").totps == account.totps
        assert house.kinds("alice").count("tried_while_paused") == 1
        open_again = LATER + 2
        done = house.self_service.verify(stranger, "totp", alice.app.at(open_again), open_again)
        assert isinstance(done, Verified)

    def test_a_pause_of_the_app_leaves_recovery_codes_open(self, house: House) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False)
        for _ in range(5):
            house.self_service.verify(stranger, "totp", wrong(alice.app, LATER), LATER)
        assert isinstance(
            house.self_service.verify(stranger, "recovery_code", alice.codes[0], LATER), Verified
        )

    def test_d14_fifty_in_a_row_lock_out_all_but_live_sessions(self, house: House) -> None:
        alice = house.enroll("alice")
        now = LATER
        stranger = alice.at(now, verified=False, sign_in="mallory")
        while house.account("alice").totps[0].strikes.consecutive < 50:
            now += 901
            house.self_service.verify(stranger, "totp", wrong(alice.app, now), now)
        now += 901
        for factor, code in (("totp", alice.app.at(now)), ("recovery_code", alice.codes[0])):
            assert house.self_service.verify(stranger, factor, code, now) == Paused(FOREVER)
        assert "account_locked" in house.kinds("alice")


class TestRaces:
    """The store decides who was first; everybody else is refused."""

    def test_d02_a_hundred_submissions_of_one_code_open_one_session(self, house: House, scale: Scale) -> None:
        alice = house.enroll("alice")
        for round_ in range(1 if scale == "small" else 20):
            now = LATER + 1000 * round_
            code = alice.app.at(now)
            before = len(house.store.sessions(alice.id, now))

            def submit(number: int, now: int = now, code: str = code) -> object:
                stranger = alice.at(now, verified=False, sign_in=f"s-{number % 4}")
                return house.self_service.verify(stranger, "totp", code, now)

            answers = at_once(100, submit)
            assert len([answer for answer in answers if isinstance(answer, Verified)]) == 1
            assert len(house.store.sessions(alice.id, now)) == before + 1
            refused = (Verified, Rejected, Paused, StoreUnavailable)
            assert all(isinstance(answer, refused) for answer in answers)

    def test_e14_fifty_uses_of_one_recovery_code_are_one(self, house: House) -> None:
        alice = house.enroll("alice")

        def submit(number: int) -> object:
            stranger = alice.at(LATER, verified=False, sign_in=f"s-{number}")
            return house.self_service.verify(stranger, "recovery_code", alice.codes[0], LATER)

        answers = at_once(50, submit)
        assert len([answer for answer in answers if isinstance(answer, Verified)]) == 1
        recovery = house.account("alice").recovery
        assert recovery is not None
        assert len(recovery.hashes) == 9

    def test_a_code_either_verifies_or_turns_off(self, house: House) -> None:
        alice = house.enroll("alice")
        code, me = alice.app.at(LATER), alice.at(LATER)
        other = alice.at(LATER, verified=False, sign_in="s-2")

        def submit(number: int) -> object:
            if number % 2:
                return house.self_service.turn_off(me, by_app(code), LATER)
            return house.self_service.verify(other, "totp", code, LATER)

        answers = at_once(4, submit)
        assert len([answer for answer in answers if isinstance(answer, TurnedOff | Verified)]) == 1


class TestCodes:
    def test_e18_a_new_set_voids_the_old_one_at_once(self, house: House) -> None:
        alice = house.enroll("alice")
        done = house.self_service.renew_codes(alice.at(LATER), LATER)
        assert isinstance(done, Codes)
        assert len(set(done.codes) | set(alice.codes)) == 20
        stranger = alice.at(LATER, verified=False)
        service = house.self_service
        assert service.verify(stranger, "recovery_code", alice.codes[0], LATER) == Rejected()
        assert isinstance(service.verify(stranger, "recovery_code", done.codes[0], LATER), Verified)
        assert house.events("alice")[-4].kind == "recovery_codes_made"
        assert house.events("alice")[-4].notify == ("owner",)

    def test_e10_it_needs_a_fresh_verification(self, house: House) -> None:
        alice = house.enroll("alice")
        needed = NeedsVerification(max_age=300)
        assert house.self_service.renew_codes(alice.at(NOW + 301), NOW + 301) == needed
        assert house.self_service.renew_codes(alice.at(LATER, verified=False), LATER) == needed
        assert house.self_service.renew_codes(house.visitor("bob"), LATER) == needed

    def test_a_session_that_died_meanwhile_renews_nothing(self, house: House) -> None:
        alice = house.enroll("alice")
        before = alice.at(LATER)
        house.self_service.sign_out_everywhere(alice.at(LATER), LATER)
        assert before.session is not None
        assert as_of(before, house.account("alice"), LATER).session is None
        assert house.self_service.renew_codes(before, LATER) == NeedsVerification(max_age=300)


class TestTurningOff:
    def test_a_code_turns_it_off_and_ends_everything(self, house: House) -> None:
        alice = house.enroll("alice")
        done = house.self_service.turn_off(alice.at(LATER), by_app(alice.app.at(LATER)), LATER)
        assert done == TurnedOff()
        account = house.account("alice")
        assert not account.has_factor
        assert account.recovery is None
        assert account.epoch == 3
        assert house.store.sessions(alice.id, LATER) == ()
        assert house.kinds("alice")[-2:] == ["verified", "turned_off"]

    def test_e13_not_while_it_is_required(self, house: House) -> None:
        alice = house.enroll("alice")
        house.require_two_step()
        done = house.self_service.turn_off(alice.at(LATER), by_app(alice.app.at(LATER)), LATER)
        assert done == NotAllowed(reason="required")
        assert house.account("alice").has_factor

    def test_a_wrong_code_is_counted_in_the_one_budget(self, house: House) -> None:
        alice = house.enroll("alice")
        for _ in range(5):
            done = house.self_service.turn_off(alice.at(LATER), by_app(wrong(alice.app, LATER)), LATER)
            assert done == Rejected()
        done = house.self_service.turn_off(alice.at(LATER), by_app(alice.app.at(LATER)), LATER)
        assert done == Paused(LATER + 1)
        assert house.account("alice").has_factor

    def test_a_recovery_code_does_not_do(self, house: House) -> None:
        alice = house.enroll("alice")
        given = Confirmation(factor="recovery_code", code=alice.codes[0])
        done = house.self_service.turn_off(alice.at(LATER), given, LATER)
        assert done == NotAllowed(reason="no_such_factor")

    def test_nor_a_code_without_a_session(self, house: House) -> None:
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False)
        done = house.self_service.turn_off(stranger, by_app(alice.app.at(LATER)), LATER)
        assert done == NeedsVerification(max_age=300)

    def test_who_has_none_has_nothing_to_turn_off(self, house: House) -> None:
        done = house.self_service.turn_off(house.visitor("bob"), by_app("123456"), NOW)
        assert done == NotAllowed(reason="no_such_factor")


class TestSessions:
    def two(self, house: House) -> tuple[Person, Session]:
        """Alice in two browsers; the session of the other one."""
        alice = house.enroll("alice")
        stranger = alice.at(LATER, verified=False, sign_in="s-2")
        other = house.self_service.verify(stranger, "totp", alice.app.at(LATER), LATER)
        assert isinstance(other, Verified)
        return alice, other.opened.session

    def test_people_see_their_own(self, house: House) -> None:
        alice, other = self.two(house)
        house.enroll("bob")
        seen = house.self_service.sessions(alice.at(LATER), LATER)
        assert [session.account_id for session in seen] == [alice.id] * 2
        assert seen[0] == other
        assert house.self_service.sessions(alice.at(LATER, verified=False), LATER) == ()

    def test_an_idle_one_is_not_listed(self, house: House) -> None:
        alice, other = self.two(house)
        house.store.touch(((alice.id, other.key),), NOW + 1790)
        late = NOW + 1800
        fresh = alice.at(late, verified=False)
        done = house.self_service.verify(fresh, "totp", alice.app.at(late), late)
        assert isinstance(done, Verified)
        alice.cookie = done.opened.cookie
        seen = house.self_service.sessions(alice.at(late), late)
        assert {session.key for session in seen} == {other.key, done.opened.session.key}

    def test_one_is_ended(self, house: House) -> None:
        alice, other = self.two(house)
        house.changed.clear()
        assert house.self_service.end_session(alice.at(LATER), other.handle, LATER) == SignedOut(ended=1)
        assert [session.key for session in house.store.sessions(alice.id, LATER)] != [other.key]
        assert len(house.store.sessions(alice.id, LATER)) == 1
        assert house.changed == [alice.id]
        assert house.kinds("alice")[-1] == "session_ended"

    def test_e12_somebody_elses_is_not_found(self, house: House) -> None:
        alice, other = self.two(house)
        bob = house.enroll("bob")
        for handle in (other.handle, other.key, "unknown", ""):
            assert house.self_service.end_session(bob.at(LATER), handle, LATER) == NotFound()
        assert len(house.store.sessions(alice.id, LATER)) == 2
        stranger = alice.at(LATER, verified=False)
        done = house.self_service.end_session(stranger, other.handle, LATER)
        assert done == NeedsVerification(max_age=300)

    def test_all_others_are_ended(self, house: House) -> None:
        alice, _ = self.two(house)
        me = alice.at(LATER)
        assert house.self_service.end_other_sessions(me, LATER) == SignedOut(ended=1)
        assert house.self_service.end_other_sessions(me, LATER) == SignedOut(ended=0)
        assert alice.at(LATER).session == me.session
        stranger = alice.at(LATER, verified=False)
        needed = NeedsVerification(max_age=300)
        assert house.self_service.end_other_sessions(stranger, LATER) == needed

    def test_every_one_is_ended(self, house: House) -> None:
        alice, _ = self.two(house)
        assert house.self_service.sign_out_everywhere(alice.at(LATER), LATER) == SignedOut(ended=2)
        assert house.store.sessions(alice.id, LATER) == ()
        assert house.account("alice").epoch == 3
        stranger = alice.at(LATER)
        assert stranger.session is None
        needed = NeedsVerification(max_age=300)
        assert house.self_service.sign_out_everywhere(stranger, LATER) == needed

    def test_f07_signing_out_ends_this_one(self, house: House) -> None:
        alice, other = self.two(house)
        assert house.self_service.sign_out(alice.at(LATER), LATER) == SignedOut(ended=1)
        assert alice.at(LATER).session is None
        assert [session.key for session in house.store.sessions(alice.id, LATER)] == [other.key]
        assert house.kinds("alice")[-1] == "signed_out"
        assert house.self_service.sign_out(alice.at(LATER), LATER) == SignedOut(ended=0)
