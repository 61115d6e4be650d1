"""Setting two-step up: nothing counts before a code was confirmed, and then everything at once."""

import pyotp
import pytest
from msgspec.structs import replace

from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.enrolling import APP_NAME, CHALLENGE_SECONDS, TRIES, is_usable
from mfa_gate.flows.results import (
    Enrolled,
    MadeSetupCode,
    NeedsVerification,
    NotAllowed,
    NotFound,
    Started,
    Unconfirmed,
    Verified,
)
from mfa_gate.flows.visitor import Visitor
from tests.flows.house import NOW, House, at_once, wrong


def start(house: House, visitor: Visitor, holder: str = "browser", now: int = NOW, code: str = "") -> Started:
    started = house.self_service.start_enrollment(visitor, holder, code, now)
    assert isinstance(started, Started)
    return started


def test_a_first_enrollment_adds_factor_codes_and_session_at_once(house: House) -> None:
    visitor = house.visitor("alice")
    started = start(house, visitor)
    assert (started.expires_at, started.replacing) == (NOW + 600, False)
    assert started.uri.startswith("otpauth://totp/Example%20Files")
    assert started.secret in started.uri
    assert not house.account("alice").has_factor
    app = pyotp.TOTP(started.secret)
    done = house.self_service.confirm_enrollment(
        visitor, "browser", started.challenge, app.at(NOW), " My\nphone ", NOW
    )
    assert isinstance(done, Enrolled)
    assert (len(done.codes), done.replaced) == (10, False)
    account = house.account("alice")
    (factor,) = account.totps
    assert (factor.name, factor.secret) == ("My phone", app.byte_secret())
    assert factor.last_step == NOW // 30
    assert (account.epoch, account.two_step_since) == (2, NOW)
    assert account.recovery is not None
    assert len(account.recovery.hashes) == 10
    (session,) = house.store.sessions(account.id, NOW)
    assert session == done.opened.session
    assert (session.factor, session.amr, session.epoch) == ("totp", ("mfa", "otp"), 2)
    assert (session.source, session.sign_in, session.user_agent) == ("header", "s-1", "Firefox")
    cookie = done.opened.cookie
    assert (cookie.account, cookie.epoch, cookie.store) == (account.id, 2, "house")
    assert cookie.id not in session.key
    assert house.kinds("alice") == [
        "account_seen",
        "enrollment_started",
        "factor_added",
        "recovery_codes_made",
        "verified",
    ]
    added = house.events("alice")[2]
    assert added.actor.address == "192.0.2.9"
    assert added.notify == ("owner", "admins")
    assert account.id in house.changed


def test_the_confirming_code_cannot_be_used_again(house: House) -> None:
    alice = house.enroll("alice")
    again = house.self_service.verify(alice.at(NOW, verified=False), "totp", alice.app.at(NOW), NOW)
    assert again == Rejected()


def test_e04_every_start_gives_a_new_secret_that_never_counts(house: House) -> None:
    visitor = house.visitor("alice")
    first, second = start(house, visitor), start(house, visitor)
    assert first.secret != second.secret
    assert first.challenge != second.challenge
    code = pyotp.TOTP(first.secret).at(NOW)
    assert house.self_service.verify(visitor, "totp", code, NOW) == NotAllowed(reason="no_such_factor")


def test_e04_an_unconfirmed_secret_dies_after_ten_minutes(house: House) -> None:
    visitor = house.visitor("alice")
    started = start(house, visitor)
    late = NOW + CHALLENGE_SECONDS
    code = pyotp.TOTP(started.secret).at(late)
    service = house.self_service
    assert service.confirm_enrollment(visitor, "browser", started.challenge, code, "", late) == NotFound()
    assert service.shown_enrollment(visitor, "browser", started.challenge, late) == NotFound()


def test_only_the_browser_that_began_sees_or_confirms_it(house: House) -> None:
    visitor, other = house.visitor("alice"), house.visitor("bob")
    started = start(house, visitor)
    service = house.self_service
    assert service.shown_enrollment(visitor, "browser", started.challenge, NOW) == started
    assert service.shown_enrollment(visitor, "another", started.challenge, NOW) == NotFound()
    assert service.shown_enrollment(other, "browser", started.challenge, NOW) == NotFound()
    code = pyotp.TOTP(started.secret).at(NOW)
    for who, holder in ((visitor, "another"), (visitor, "brows\udc80r"), (other, "browser")):
        assert service.confirm_enrollment(who, holder, started.challenge, code, "", NOW) == NotFound()
    assert not house.account("alice").has_factor


@pytest.mark.parametrize("challenge", ["", "x" * 1_000_000, "\udc80", "nothing"])
def test_d24_a_challenge_that_never_was_is_not_found(house: House, challenge: str) -> None:
    visitor = house.visitor("alice")
    done = house.self_service.confirm_enrollment(visitor, "browser", challenge, "123456", "", NOW)
    assert done == NotFound()


def test_a_wrong_code_is_counted_and_the_fifth_ends_it(house: House) -> None:
    visitor = house.visitor("alice")
    started = start(house, visitor)
    app = pyotp.TOTP(started.secret)
    for left in range(TRIES - 1, -1, -1):
        done = house.self_service.confirm_enrollment(
            visitor, "browser", started.challenge, wrong(app, NOW), "", NOW
        )
        assert done == Unconfirmed(tries_left=left)
        assert isinstance(done, Rejected)
    done = house.self_service.confirm_enrollment(visitor, "browser", started.challenge, app.at(NOW), "", NOW)
    assert done == NotFound()
    assert house.kinds("alice").count("code_rejected") == TRIES


@pytest.mark.parametrize("code", ["", "  ", "1" * 1_000_000])
def test_d22_no_code_is_refused_and_not_counted(house: House, code: str) -> None:
    visitor = house.visitor("alice")
    started = start(house, visitor)
    done = house.self_service.confirm_enrollment(visitor, "browser", started.challenge, code, "", NOW)
    assert done == Unconfirmed(tries_left=TRIES)
    assert "code_rejected" not in house.kinds("alice")


def test_a_malformed_code_is_counted(house: House) -> None:
    visitor = house.visitor("alice")
    started = start(house, visitor)
    done = house.self_service.confirm_enrollment(visitor, "browser", started.challenge, "1234567", "", NOW)
    assert done == Unconfirmed(tries_left=TRIES - 1)


def test_a_wrong_clock_is_named_and_not_accepted(house: House) -> None:
    visitor = house.visitor("alice")
    started = start(house, visitor)
    ahead = pyotp.TOTP(started.secret).at(NOW + 300)
    done = house.self_service.confirm_enrollment(visitor, "browser", started.challenge, ahead, "", NOW)
    assert done == Unconfirmed(tries_left=TRIES - 1, clock_offset=300)
    assert not house.account("alice").has_factor


def test_j11_eight_browsers_confirm_at_once_and_one_secret_counts(house: House) -> None:
    visitor = house.visitor("carol")
    enrollments = [start(house, visitor, f"browser-{number}") for number in range(5)]

    def confirm(number: int) -> object:
        started = enrollments[number % len(enrollments)]
        return house.self_service.confirm_enrollment(
            visitor,
            f"browser-{number % len(enrollments)}",
            started.challenge,
            pyotp.TOTP(started.secret).at(NOW),
            "",
            NOW,
        )

    answers = at_once(8, confirm)
    (won,) = [answer for answer in answers if isinstance(answer, Enrolled)]
    assert all(answer == NotFound() for answer in answers if answer is not won)
    account = house.account("carol")
    assert len(account.totps) == 1
    assert house.kinds("carol").count("factor_added") == 1
    assert house.store.sessions(account.id, NOW) == (won.opened.session,)


def test_an_enrollment_begun_before_another_browser_finished_is_dead(house: House) -> None:
    visitor = house.visitor("alice")
    mallory = start(house, visitor, "mallory's")
    alice = house.enroll("alice")
    code = pyotp.TOTP(mallory.secret).at(NOW)
    for who in (visitor, alice.at(NOW)):
        done = house.self_service.confirm_enrollment(who, "mallory's", mallory.challenge, code, "", NOW)
        assert done == NotFound()
    assert house.account("alice").totps[0].secret == alice.secret


def test_e10_an_app_is_replaced_only_after_a_fresh_verification(house: House) -> None:
    alice = house.enroll("alice")
    needed = NeedsVerification(max_age=300)
    service = house.self_service
    assert service.start_enrollment(alice.at(NOW, verified=False), "browser", "", NOW) == needed
    assert service.start_enrollment(alice.at(NOW + 301), "browser", "", NOW + 301) == needed
    started = start(house, alice.verify(NOW + 330), now=NOW + 330)
    assert started.replacing


def test_e20_a_replacement_kills_the_old_secret_and_every_session(house: House) -> None:
    alice = house.enroll("alice")
    other = house.self_service.verify(
        alice.at(NOW + 30, verified=False, sign_in="s-2"), "totp", alice.app.at(NOW + 30), NOW + 30
    )
    assert isinstance(other, Verified)
    later = NOW + 60
    started = start(house, alice.at(later), now=later)
    new = pyotp.TOTP(started.secret)
    done = house.self_service.confirm_enrollment(
        alice.at(later), "browser", started.challenge, new.at(later), "", later
    )
    assert isinstance(done, Enrolled)
    assert (done.codes, done.replaced) == ((), True)
    account = house.account("alice")
    assert [factor.secret for factor in account.totps] == [new.byte_secret()]
    assert account.totps[0].name == APP_NAME
    assert account.epoch == 3
    assert alice.at(later).session is None
    assert house.store.sessions(account.id, later) == (done.opened.session,)
    stranger = alice.at(later + 30, verified=False)
    code = alice.app.at(later + 30)
    assert house.self_service.verify(stranger, "totp", code, later + 30) == Rejected()
    assert isinstance(
        house.self_service.verify(stranger, "recovery_code", alice.codes[0], later + 30), Verified
    )


def test_a_replacement_may_take_its_ten_minutes_but_needs_the_session(house: House) -> None:
    alice = house.enroll("alice")
    started = start(house, alice.at(NOW + 290), now=NOW + 290)
    late = NOW + 600
    code = pyotp.TOTP(started.secret).at(late)
    service = house.self_service
    stranger = alice.at(late, verified=False)
    assert service.confirm_enrollment(stranger, "browser", started.challenge, code, "", late) == NotFound()
    assert service.shown_enrollment(stranger, "browser", started.challenge, late) == NotFound()
    done = service.confirm_enrollment(alice.at(late), "browser", started.challenge, code, "", late)
    assert isinstance(done, Enrolled)


def test_an_older_session_cannot_finish_a_replacement(house: House) -> None:
    alice = house.enroll("alice")
    old = alice.cookie
    begun = alice.at(NOW + 720, verified=False)
    fresh = house.self_service.verify(begun, "totp", alice.app.at(NOW + 720), NOW + 720)
    assert isinstance(fresh, Verified)
    alice.cookie = fresh.opened.cookie
    started = start(house, alice.at(NOW + 720), now=NOW + 720)
    alice.cookie, late = old, NOW + 901
    code = pyotp.TOTP(started.secret).at(late)
    done = house.self_service.confirm_enrollment(alice.at(late), "browser", started.challenge, code, "", late)
    assert done == NeedsVerification(max_age=300)


def test_a_recovery_code_may_replace_a_lost_app(house: House) -> None:
    alice = house.enroll("alice")
    found = house.self_service.verify(
        alice.at(NOW, verified=False), "recovery_code", alice.codes[3].upper(), NOW
    )
    assert isinstance(found, Verified)
    assert found.recovery_left == 9
    alice.cookie = found.opened.cookie
    assert start(house, alice.at(NOW)).replacing


def test_where_the_policy_forbids_apps_none_is_set_up(house: House) -> None:
    policy = house.store.policy()
    house.store.commit_policy(replace(policy, allowed_factors=("recovery_code",)), (), NOW)
    done = house.self_service.start_enrollment(house.visitor("alice"), "browser", "", NOW)
    assert done == NotAllowed(reason="no_such_factor")


class TestSetupCode:
    """An administrator's password alone sets nothing up (design §7)."""

    def made(self, house: House, now: int = NOW) -> str:
        done = house.administration.make_setup_code("ops", "portal", "root", now)
        assert isinstance(done, MadeSetupCode)
        return done.code

    def test_none_is_asked_of_ordinary_people(self, strict_house: House) -> None:
        assert not strict_house.self_service.asks_setup_code(strict_house.visitor("alice").account)
        start(strict_house, strict_house.visitor("alice"))

    def test_it_is_asked_of_the_help_desk_too(self, strict_house: House) -> None:
        visitor = strict_house.visitor("help")
        assert strict_house.self_service.asks_setup_code(visitor.account)
        begun = strict_house.self_service.start_enrollment(visitor, "browser", "", NOW)
        assert begun == NotAllowed(reason="setup_code_required")

    def test_without_it_nothing_begins(self, strict_house: House) -> None:
        visitor = strict_house.visitor("root")
        assert strict_house.self_service.asks_setup_code(visitor.account)
        service = strict_house.self_service
        needed = NotAllowed(reason="setup_code_required")
        assert service.start_enrollment(visitor, "browser", " ", NOW) == needed
        assert service.start_enrollment(visitor, "browser", "k3v9-0qhm-x72c-tdwe", NOW) == Rejected()
        self.made(strict_house)
        assert service.start_enrollment(visitor, "browser", "k3v9-0qhm-x72c-tdwe", NOW) == Rejected()
        assert service.start_enrollment(visitor, "browser", "x" * 1_000_000, NOW) == Rejected()
        assert strict_house.kinds("root").count("code_rejected") == 1

    def test_with_it_an_administrator_enrolls_once(self, strict_house: House) -> None:
        visitor = strict_house.visitor("root")
        code = self.made(strict_house)
        started = start(strict_house, visitor, code=code.upper())
        app = pyotp.TOTP(started.secret)
        done = strict_house.self_service.confirm_enrollment(
            visitor, "browser", started.challenge, app.at(NOW), "", NOW
        )
        assert isinstance(done, Enrolled)
        account = strict_house.account("root")
        assert account.setup_code is None
        assert "admin_code_spent" in strict_house.kinds("root")
        assert not strict_house.self_service.asks_setup_code(account)

    def test_guesses_are_limited(self, strict_house: House) -> None:
        visitor = strict_house.visitor("root")
        code = self.made(strict_house)
        for _ in range(5):
            done = strict_house.self_service.start_enrollment(visitor, "b", "k3v9-0qhm-x72c-tdwe", NOW)
            assert done == Rejected()
        assert isinstance(strict_house.self_service.start_enrollment(visitor, "b", code, NOW), Paused)

    def test_it_dies_after_a_day(self, strict_house: House) -> None:
        code = self.made(strict_house)
        late = NOW + 24 * 3600
        visitor = strict_house.visitor("root", now=late)
        assert strict_house.self_service.start_enrollment(visitor, "browser", code, late) == Rejected()

    def test_a_new_code_voids_what_was_begun_with_the_old_one(self, strict_house: House) -> None:
        visitor = strict_house.visitor("root")
        started = start(strict_house, visitor, code=self.made(strict_house))
        self.made(strict_house)
        code = pyotp.TOTP(started.secret).at(NOW)
        service = strict_house.self_service
        assert service.shown_enrollment(visitor, "browser", started.challenge, NOW) == NotFound()
        assert service.confirm_enrollment(visitor, "browser", started.challenge, code, "", NOW) == NotFound()

    def test_a_recovery_code_is_no_setup_code(self, strict_house: House) -> None:
        alice = strict_house.enroll("alice")
        visitor = strict_house.visitor("root")
        self.made(strict_house)
        done = strict_house.self_service.start_enrollment(visitor, "browser", alice.codes[0], NOW)
        assert done == Rejected()


def test_no_store_needs_to_be_trusted_with_what_is_usable(house: House) -> None:
    visitor = house.visitor("alice")
    started = start(house, visitor)
    challenge = house.store.challenge(started.challenge, visitor.account.id, NOW)
    assert challenge is not None

    def usable(now: int = NOW, *, me: Visitor = visitor, **fields: object) -> bool:
        return is_usable(replace(challenge, **fields), me, "browser", proving=False, now=now)

    assert usable()
    assert usable(NOW - 60)
    assert not usable(NOW - 61)
    assert not usable(NOW + CHALLENGE_SECONDS)
    assert not usable(epoch=2)
    assert not usable(account_id="0" * 32)
    assert not usable(me=replace(visitor, account=replace(visitor.account, active=False)))
    assert not is_usable(challenge, visitor, "browser", proving=True, now=NOW)
