"""What happens to an account: a code is good once, a pause judges nothing, old sessions die, events keep secrets."""

import base64
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption, Identity, SetupCode, Totp, account_id
from mfa_gate.core.administering import given_setup_code, was_reset
from mfa_gate.core.events import SYSTEM, Audience, Event, EventKind, canonical
from mfa_gate.core.throttle import DISABLE_AFTER, FOREVER, LOCK_AFTER, Strikes, failed
from mfa_gate.core.transitions import (
    Accepted,
    Attempt,
    Paused,
    Rejected,
    Step,
    enrolled,
    renewed_codes,
    replaced_totp,
    same_spelling,
    seen,
    signed_out_everywhere,
    try_recovery_code,
    try_setup_code,
    try_totp,
    turned_off,
)
from tests.core.samples import (
    ACTOR,
    ADMIN,
    ALICE,
    CODES,
    ENROLLED,
    HASHES,
    NEWCOMER,
    NOW,
    OTHER_SECRET,
    SECRET,
    attempt,
    with_app,
)

STEP = NOW // 30
SECOND_APP = Totp(id="t2", name="Tablet", secret=OTHER_SECRET, added_at=NOW)
SETUP = SetupCode(code_hash=b"\x77" * 32, expires_at=NOW + 600)
TO_BE_ADMIN = replace(NEWCOMER, setup_code=SETUP)


def fits(step: int | None, secret: bytes = SECRET) -> Callable[[bytes], int | None]:
    return lambda candidate: step if candidate == secret else None


def wrong(_: bytes) -> None:
    return None


def unknown(_: tuple[bytes, ...]) -> None:
    return None


def kinds(events: tuple[Event, ...]) -> list[EventKind]:
    return [each.kind for each in events]


def told(events: tuple[Event, ...]) -> dict[EventKind, tuple[Audience, ...]]:
    return {each.kind: each.notify for each in events if each.notify}


def fail(account: Account, times: int, start: int = NOW, *, sign_in: str = "s1") -> tuple[Account, int]:
    """The account after so many wrong codes, each a day after the last."""
    now = start
    for _ in range(times):
        now += 86_400
        step = try_totp(account, wrong, attempt(now, sign_in=sign_in, known=True))
        assert step.result == Rejected()
        account = step.account
    return account, now


class TestSeen:
    def test_somebody_new_gets_an_account_under_the_spelling_seen_first(self) -> None:
        identity = replace(ALICE, subject="Alice", name="Alice", email="a@example.org", groups=("staff",))
        account, events = seen(None, identity, NOW)
        assert account == Account(
            id=account_id("portal", "Alice"),
            realm="portal",
            subject="Alice",
            name="Alice",
            email="a@example.org",
            groups=("staff",),
            first_seen_at=NOW,
        )
        assert kinds(events) == ["account_seen"]
        assert events[0].actor == SYSTEM

    def test_nothing_new_is_no_change(self) -> None:
        assert seen(ENROLLED, ALICE, NOW) == (ENROLLED, ())

    def test_a_source_that_knows_less_takes_nothing_away(self) -> None:
        account = replace(ENROLLED, groups=("staff",))
        assert seen(account, ALICE, NOW) == (account, ())

    def test_w18_a_source_that_knows_groups_takes_them_away(self) -> None:
        account, events = seen(replace(ENROLLED, groups=("admins",)), replace(ALICE, groups=()), NOW)
        assert account.groups == ()
        assert events[0].details == {"fields": "groups"}

    def test_an_account_from_a_list_is_seen_once(self) -> None:
        account, events = seen(replace(NEWCOMER, first_seen_at=0), ALICE, NOW)
        assert account.first_seen_at == NOW
        assert kinds(events) == ["account_seen"]
        assert seen(account, ALICE, NOW + 1) == (account, ())

    def test_a_changed_profile_is_recorded_by_the_names_of_its_fields(self) -> None:
        account, events = seen(NEWCOMER, replace(ALICE, email="new@example.org", groups=("staff",)), NOW)
        assert (account.email, account.groups, account.name) == ("new@example.org", ("staff",), "Alice Ames")
        assert kinds(events) == ["profile_changed", "address_changed"]
        assert events[0].details == {"fields": "email, groups"}

    @pytest.mark.parametrize("subject", ["Alice", "ALICE", "alice ", "\uff41lice"])
    def test_b14_another_spelling_changes_nothing(self, subject: str) -> None:
        impostor = replace(ALICE, subject=subject, email="mallory@example.org")
        assert account_id(impostor.realm, impostor.subject) == NEWCOMER.id
        assert not same_spelling(NEWCOMER, impostor)
        assert seen(NEWCOMER, impostor, NOW) == (NEWCOMER, ())

    def test_b14_where_the_source_knows_no_case_it_is_the_same_person_under_the_first_spelling(self) -> None:
        identity = replace(ALICE, subject="ALICE", name="A. Ames", case_insensitive=True)
        assert same_spelling(NEWCOMER, identity)
        account, _ = seen(NEWCOMER, identity, NOW)
        assert (account.subject, account.name) == ("alice", "A. Ames")


class TestTotp:
    def test_a_right_code_is_accepted_and_spent(self) -> None:
        step = try_totp(ENROLLED, fits(STEP), attempt())
        assert step.result == Accepted("totp")
        assert step.account.totps[0].last_step == STEP
        assert step.account.totps[0].last_used_at == step.account.last_verified_at == NOW
        assert kinds(step.events) == ["verified"]
        assert step.events[0].details == {"factor": "totp", "name": "Phone"}

    def test_nothing_else_of_the_account_changes(self) -> None:
        step = try_totp(ENROLLED, fits(STEP), attempt())
        expected = with_app(replace(ENROLLED, last_verified_at=NOW), last_step=STEP, last_used_at=NOW)
        assert step.account == expected

    @pytest.mark.parametrize("last_step", [STEP, STEP + 1, STEP + 1_000_000])
    def test_d01_a_code_of_a_spent_or_older_step_is_a_wrong_code(self, last_step: int) -> None:
        account = with_app(ENROLLED, last_step=last_step)
        used, never_right = try_totp(account, fits(STEP), attempt()), try_totp(account, wrong, attempt())
        assert used == never_right
        assert used.result == Rejected()

    def test_a_wrong_code_is_counted_and_recorded(self) -> None:
        step = try_totp(ENROLLED, wrong, attempt())
        assert step.result == Rejected()
        assert step.account.totps[0].strikes.shares == (("s1", 1),)
        assert kinds(step.events) == ["code_rejected"]
        assert step.events[0].details == {"factor": "totp", "in_a_row": "1"}
        assert step.events[0].actor == ACTOR

    def test_d13_the_right_code_during_a_pause_gets_the_answer_of_a_wrong_one_and_is_not_spent(self) -> None:
        account = with_app(ENROLLED, strikes=Strikes(paused_until=NOW + 10))
        right, not_right = try_totp(account, fits(STEP), attempt()), try_totp(account, wrong, attempt())
        assert right == not_right
        assert right.result == Paused(NOW + 10)
        later = try_totp(right.account, fits(STEP), attempt(NOW + 10))
        assert later.result == Accepted("totp")

    def test_the_answer_in_a_pause_asks_nothing_of_the_secret(self) -> None:
        asked: list[bytes] = []
        account = with_app(ENROLLED, strikes=Strikes(paused_until=NOW + 10))
        try_totp(account, asked.append, attempt())
        assert asked == []

    @pytest.mark.parametrize("account", [NEWCOMER, TO_BE_ADMIN])
    def test_without_an_app_every_code_is_wrong_and_nothing_is_written(self, account: Account) -> None:
        assert try_totp(account, fits(STEP), attempt()) == Step(account=account, events=(), result=Rejected())

    def test_success_forgives_the_same_sign_in_only(self) -> None:
        account, now = fail(ENROLLED, 2, sign_in="s1")
        account, now = fail(account, 3, now, sign_in="mallory")
        account = try_totp(account, fits(STEP + 99_999), attempt(now + 1)).account
        assert account.totps[0].strikes.shares == (("mallory", 3),)

    def test_of_two_apps_the_one_that_fits_is_spent_and_the_sign_in_forgiven_in_both(self) -> None:
        account = replace(ENROLLED, totps=(*ENROLLED.totps, SECOND_APP))
        account = try_totp(account, wrong, attempt()).account
        assert [totp.strikes.consecutive for totp in account.totps] == [1, 1]
        step = try_totp(account, fits(STEP, OTHER_SECRET), attempt())
        assert step.result == Accepted("totp")
        assert [totp.last_step for totp in step.account.totps] == [0, STEP]
        assert [totp.strikes.consecutive for totp in step.account.totps] == [0, 0]
        assert step.events[0].details["name"] == "Tablet"

    def test_of_two_apps_the_paused_one_is_neither_judged_nor_counted(self) -> None:
        paused = replace(SECOND_APP, strikes=Strikes(paused_until=NOW + 10))
        account = replace(ENROLLED, totps=(*ENROLLED.totps, paused))
        step = try_totp(account, fits(STEP, OTHER_SECRET), attempt())
        assert step.result == Rejected()
        assert [totp.strikes.consecutive for totp in step.account.totps] == [1, 0]
        assert kinds(step.events) == ["code_rejected"]

    def test_with_both_apps_paused_the_first_to_open_is_told(self) -> None:
        account = replace(
            ENROLLED,
            totps=(
                replace(ENROLLED.totps[0], strikes=Strikes(paused_until=NOW + 50)),
                replace(SECOND_APP, strikes=Strikes(paused_until=NOW + 20)),
            ),
        )
        assert try_totp(account, wrong, attempt()).result == Paused(NOW + 20)


class TestRecoveryCode:
    def test_a_right_code_is_removed_and_the_owner_told_how_many_are_left(self) -> None:
        step = try_recovery_code(ENROLLED, lambda hashes: hashes[3], attempt())
        assert step.result == Accepted("recovery_code")
        assert step.account.recovery is not None
        assert step.account.recovery.hashes == HASHES[:3] + HASHES[4:]
        assert step.account.last_verified_at == NOW
        assert kinds(step.events) == ["verified", "recovery_code_used"]
        assert step.events[1].details == {"left": "9"}
        assert told(step.events) == {"recovery_code_used": ("owner",)}

    def test_e14_a_used_code_is_an_unknown_one(self) -> None:
        def the_fourth(hashes: tuple[bytes, ...]) -> bytes | None:
            return HASHES[3] if HASHES[3] in hashes else None

        after = try_recovery_code(ENROLLED, the_fourth, attempt()).account
        again = try_recovery_code(after, the_fourth, attempt())
        assert again == try_recovery_code(after, unknown, attempt())
        assert again.result == Rejected()

    def test_a_wrong_code_counts_against_the_codes_and_not_against_the_app(self) -> None:
        step = try_recovery_code(ENROLLED, unknown, attempt())
        assert step.result == Rejected()
        assert step.account.recovery is not None
        assert step.account.recovery.strikes.consecutive == 1
        assert step.account.totps == ENROLLED.totps
        assert kinds(step.events) == ["code_rejected"]
        assert step.events[0].details["factor"] == "recovery_code"

    def test_success_forgives_the_same_sign_in(self) -> None:
        account = try_recovery_code(ENROLLED, unknown, attempt()).account
        account = try_recovery_code(account, unknown, attempt(sign_in="mallory")).account
        account = try_recovery_code(account, lambda hashes: hashes[0], attempt()).account
        assert account.recovery is not None
        assert account.recovery.strikes.shares == (("mallory", 1),)

    def test_when_all_are_used_up_guesses_are_still_counted(self) -> None:
        account = replace(ENROLLED, recovery=replace(CODES, hashes=()))
        step = try_recovery_code(account, lambda hashes: next(iter(hashes), None), attempt())
        assert step.result == Rejected()
        assert kinds(step.events) == ["code_rejected"]

    def test_somebody_without_codes_is_refused_without_a_trace(self) -> None:
        step = try_recovery_code(NEWCOMER, unknown, attempt())
        assert step == Step(account=NEWCOMER, events=(), result=Rejected())

    def test_codes_have_a_pause_of_their_own(self) -> None:
        account = replace(ENROLLED, recovery=replace(CODES, strikes=Strikes(paused_until=NOW + 5)))
        assert try_recovery_code(account, lambda hashes: hashes[0], attempt()).result == Paused(NOW + 5)
        assert try_totp(account, fits(STEP), attempt()).result == Accepted("totp")
        assert not account.is_paused(NOW)


class TestLock:
    """Fifty in a row close the whole account to everybody but a live session; a reset opens it."""

    LOCKED, LATER = fail(ENROLLED, LOCK_AFTER)

    def test_the_fiftieth_locks_and_not_the_one_before(self) -> None:
        almost, now = fail(ENROLLED, LOCK_AFTER - 1)
        assert not almost.is_locked
        assert try_totp(almost, wrong, attempt(now + 900)).account.is_locked

    def test_the_right_code_of_any_factor_is_not_judged(self) -> None:
        here = attempt(self.LATER + 86_400)
        assert try_totp(self.LOCKED, fits(2**40), here).result == Paused(FOREVER)
        assert try_recovery_code(self.LOCKED, lambda hashes: hashes[0], here).result == Paused(FOREVER)

    def test_guessing_at_recovery_codes_locks_the_app_too(self) -> None:
        account, now = ENROLLED, NOW
        for _ in range(LOCK_AFTER):
            now += 900
            account = try_recovery_code(account, unknown, attempt(now)).account
        assert try_totp(account, fits(2**40), attempt(now + 900)).result == Paused(FOREVER)

    def test_a_live_session_may_go_on_and_what_it_forgives_is_its_own(self) -> None:
        here = attempt(self.LATER + 900, sign_in="s9", known=True)
        step = try_totp(self.LOCKED, fits(2**40), here)
        assert step.result == Accepted("totp")
        assert step.account.is_locked
        assert try_recovery_code(self.LOCKED, lambda hashes: hashes[0], here).result == Accepted(
            "recovery_code"
        )

    def test_a_reset_opens_it(self) -> None:
        after, _ = was_reset(self.LOCKED, ADMIN, "lost phone", self.LATER)
        assert not after.is_locked
        again, _ = enrolled(after, SECOND_APP, HASHES, ACTOR, self.LATER)
        assert try_totp(again, fits(STEP, OTHER_SECRET), attempt(self.LATER)).result == Accepted("totp")

    def test_a_hundred_disable_the_app_even_for_a_live_session(self) -> None:
        disabled, now = fail(ENROLLED, DISABLE_AFTER)
        assert try_totp(disabled, fits(2**40), attempt(now + 900, known=True)).result == Paused(FOREVER)
        assert disabled.has_factor

    def test_another_app_in_its_place_begins_with_a_clean_count(self) -> None:
        after, _ = replaced_totp(self.LOCKED, SECOND_APP, ACTOR, self.LATER)
        assert not after.is_locked


class TestSetupCode:
    def test_the_right_code_changes_nothing_since_the_enrollment_spends_it(self) -> None:
        step = try_setup_code(TO_BE_ADMIN, lambda kept: kept == SETUP.code_hash, attempt())
        assert step == Step(account=TO_BE_ADMIN, events=(), result=Accepted(None))

    @pytest.mark.parametrize("code", [None, replace(SETUP, expires_at=NOW), replace(SETUP, expires_at=0)])
    def test_without_a_code_or_after_its_time_nothing_is_right(self, code: SetupCode | None) -> None:
        account = replace(NEWCOMER, setup_code=code)
        step = try_setup_code(account, lambda _: True, attempt())
        assert step == Step(account=account, events=(), result=Rejected())

    def test_guesses_are_counted_paused_and_locked(self) -> None:
        account, now, results = TO_BE_ADMIN, NOW, []
        for _ in range(4):
            step = try_setup_code(account, lambda _: False, attempt(now))
            account = step.account
            results.append(step.result)
        assert results == [Rejected()] * 4
        step = try_setup_code(account, lambda _: False, attempt(now))
        assert kinds(step.events) == ["code_rejected", "guessing_noticed"]
        assert step.events[0].details == {"factor": "setup_code", "in_a_row": "5"}
        assert try_setup_code(step.account, lambda _: True, attempt(now)).result == Paused(now + 1)

    def test_a_locked_code_stays_locked_even_for_a_live_session(self) -> None:
        strikes = Strikes(shares=(("m", LOCK_AFTER),))
        account = replace(NEWCOMER, setup_code=replace(SETUP, strikes=strikes))
        assert try_setup_code(account, lambda _: True, attempt(known=True)).result == Paused(FOREVER)

    def test_a_new_code_voids_the_old_and_its_count(self) -> None:
        account = replace(NEWCOMER, setup_code=replace(SETUP, strikes=Strikes(shares=(("m", LOCK_AFTER),))))
        after, events = given_setup_code(account, b"\x78" * 32, NOW + 900, ADMIN, NOW)
        assert after.setup_code == SetupCode(code_hash=b"\x78" * 32, expires_at=NOW + 900)
        assert told(events) == {"admin_code_made": ("admins",)}


class TestPause:
    PAUSED = with_app(ENROLLED, strikes=Strikes(paused_until=NOW + 900))

    def test_one_event_a_minute_and_no_other_change(self) -> None:
        account, recorded = self.PAUSED, []
        for now in range(NOW, NOW + 900):
            step = try_totp(account, fits(STEP), attempt(now))
            assert step.result == Paused(NOW + 900)
            assert replace(step.account, tried_while_paused_at=0) == self.PAUSED
            if step.events:
                assert kinds(step.events) == ["tried_while_paused"]
                recorded.append(now)
            else:
                assert step.account is account
            account = step.account
        assert recorded == list(range(NOW, NOW + 900, 60))

    def test_all_factors_share_the_minute(self) -> None:
        account = replace(self.PAUSED, recovery=replace(CODES, strikes=Strikes(paused_until=NOW + 900)))
        account = try_totp(account, wrong, attempt()).account
        assert try_recovery_code(account, unknown, attempt(NOW + 1)).events == ()

    def test_f20_a_clock_set_back_silences_nothing(self) -> None:
        account = try_totp(self.PAUSED, wrong, attempt()).account
        assert kinds(try_totp(account, wrong, attempt(NOW - 86_400)).events) == ["tried_while_paused"]

    def test_f20_two_servers_a_second_apart_do_not_double_the_trail(self) -> None:
        account = try_totp(self.PAUSED, wrong, attempt()).account
        assert try_totp(account, wrong, attempt(NOW - 1)).events == ()


class TestNotices:
    @pytest.mark.parametrize(
        ("already", "expected"),
        [
            (0, {}),
            (4, {"guessing_noticed": ("owner",)}),
            (49, {"account_locked": ("owner", "admins")}),
            (99, {"factor_disabled": ("owner", "admins")}),
        ],
    )
    def test_who_is_told_of_wrong_codes(self, already: int, expected: dict[EventKind, object]) -> None:
        account, now = fail(ENROLLED, already)
        step = try_totp(account, wrong, attempt(now + 86_400, known=True))
        assert told(step.events) == expected
        assert {each.details["factor"] for each in step.events} == {"totp"}

    def test_the_owner_is_told_of_a_pause(self) -> None:
        strikes = Strikes()
        for _ in range(9):
            strikes, _ = failed(strikes, "s1", NOW)
        step = try_totp(with_app(ENROLLED, strikes=strikes), wrong, attempt(NOW + 60))
        assert told(step.events) == {"account_paused": ("owner",)}

    def test_d07_the_owner_hears_of_fresh_sign_ins_that_guess(self) -> None:
        account, heard = ENROLLED, 0
        for number in range(5):
            step = try_totp(account, wrong, attempt(sign_in=f"fresh {number}"))
            account, heard = step.account, heard + len(told(step.events))
        assert heard == 1

    def test_who_is_told_of_changes(self) -> None:
        assert told(enrolled(NEWCOMER, SECOND_APP, HASHES, ACTOR, NOW)[1]) == {
            "factor_added": ("owner", "admins")
        }
        assert told(replaced_totp(ENROLLED, SECOND_APP, ACTOR, NOW)[1]) == {
            "factor_replaced": ("owner", "admins")
        }
        assert told(renewed_codes(ENROLLED, HASHES, ACTOR, NOW)[1]) == {"recovery_codes_made": ("owner",)}
        assert told(turned_off(ENROLLED, ACTOR, NOW)[1]) == {"turned_off": ("owner", "admins")}
        assert told(was_reset(ENROLLED, ADMIN, "lost", NOW)[1]) == {"reset": ("owner", "admins")}
        assert told(signed_out_everywhere(ENROLLED, ACTOR, NOW)[1]) == {"signed_out_everywhere": ("owner",)}


class TestChanges:
    def test_enrollment_adds_app_and_codes_and_ends_what_was_before(self) -> None:
        after, events = enrolled(NEWCOMER, SECOND_APP, HASHES, ACTOR, NOW)
        assert after.totps == (SECOND_APP,)
        assert after.recovery is not None
        assert (after.recovery.hashes, after.recovery.total, after.recovery.made_at) == (HASHES, 10, NOW)
        assert after.two_step_since == after.last_verified_at == NOW
        assert after.epoch == NEWCOMER.epoch + 1
        assert kinds(events) == ["factor_added", "recovery_codes_made", "verified"]
        assert [each.details for each in events] == [
            {"factor": "totp", "name": "Tablet"},
            {"number": "10"},
            {"factor": "totp", "name": "Tablet"},
        ]

    def test_enrollment_spends_the_setup_code(self) -> None:
        after, events = enrolled(TO_BE_ADMIN, SECOND_APP, HASHES, ACTOR, NOW)
        assert after.setup_code is None
        assert kinds(events)[0] == "admin_code_spent"

    @pytest.mark.parametrize(("until", "ended"), [(NOW + 1, True), (NOW, False)])
    def test_enrollment_ends_an_exemption(self, until: int, *, ended: bool) -> None:
        exemption = Exemption(reason="No phone", approved_by="root", given_at=NOW - 9, until=until)
        after, events = enrolled(replace(NEWCOMER, exemption=exemption), SECOND_APP, HASHES, ACTOR, NOW)
        assert after.exemption is None
        assert ("exemption_ended" in kinds(events)) is ended

    def test_a_replaced_app_is_gone_with_its_sessions(self) -> None:
        after, events = replaced_totp(ENROLLED, SECOND_APP, ACTOR, NOW)
        assert after == replace(ENROLLED, totps=(SECOND_APP,), epoch=ENROLLED.epoch + 1, last_verified_at=NOW)
        assert kinds(events) == ["factor_replaced"]
        assert events[0].details == {"factor": "totp", "name": "Tablet"}

    def test_e18_new_codes_void_the_old_and_keep_what_was_counted(self) -> None:
        counted = try_recovery_code(ENROLLED, unknown, attempt()).account
        after, events = renewed_codes(counted, (b"n" * 32,), ACTOR, NOW)
        assert after.recovery is not None
        assert after.recovery.hashes == (b"n" * 32,)
        assert after.recovery.strikes.consecutive == 1
        assert after.epoch == ENROLLED.epoch
        assert kinds(events) == ["recovery_codes_made"]
        assert events[0].details == {"number": "1"}

    def test_codes_for_somebody_who_had_none(self) -> None:
        after, _ = renewed_codes(replace(ENROLLED, recovery=None), HASHES, ACTOR, NOW)
        assert after.recovery is not None
        assert after.recovery.strikes == Strikes()

    def test_turning_off_leaves_nothing_to_sign_in_with(self) -> None:
        after, events = turned_off(ENROLLED, ACTOR, NOW)
        assert (after.totps, after.recovery, after.two_step_since) == ((), None, 0)
        assert not after.has_factor
        assert after.epoch == ENROLLED.epoch + 1
        assert kinds(events) == ["turned_off"]

    def test_e20_a_reset_leaves_no_factor_no_code_no_count_and_no_session(self) -> None:
        account, _ = fail(replace(ENROLLED, setup_code=SETUP), 60)
        after, events = was_reset(account, ADMIN, "lost phone", NOW)
        assert (after.totps, after.recovery, after.setup_code, after.reset_at) == ((), None, None, NOW)
        assert after.opens_at == 0
        assert after.epoch == ENROLLED.epoch + 1
        assert kinds(events) == ["reset"]
        assert events[0].details == {"reason": "lost phone"}
        assert events[0].actor == ADMIN

    def test_signing_out_everywhere_keeps_the_factors(self) -> None:
        after, events = signed_out_everywhere(ENROLLED, ACTOR, NOW)
        assert after == replace(ENROLLED, epoch=ENROLLED.epoch + 1)
        assert kinds(events) == ["signed_out_everywhere"]

    def test_the_person_stays_the_same_person(self) -> None:
        for after in (
            enrolled(NEWCOMER, SECOND_APP, HASHES, ACTOR, NOW)[0],
            turned_off(ENROLLED, ACTOR, NOW)[0],
            was_reset(ENROLLED, ADMIN, "", NOW)[0],
        ):
            assert (after.id, after.subject, after.email, after.version) == (
                NEWCOMER.id,
                NEWCOMER.subject,
                NEWCOMER.email,
                NEWCOMER.version,
            )


def code_of(step: int, now: int) -> Callable[[bytes], int | None]:
    """A perfect authenticator: the code of `step`, judged at `now` with a window of one step."""
    return lambda _: step if abs(step - now // 30) <= 1 else None


@given(st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_d01_a_spent_step_is_never_accepted_again(random: Random) -> None:
    """Over whatever order of tries and whatever the clock does, a day back included."""
    account, now, accepted = ENROLLED, NOW, list[int]()
    for _ in range(200):
        now += random.choice([0, 1, 29, 30, 31, 300, 86_400, -1, -30, -60, -3_600, -86_400])
        step = random.choice([now // 30 + random.randint(-2, 2), *accepted[-3:]])
        tried = try_totp(account, code_of(step, now), attempt(now, known=random.random() < 0.5))
        if tried.result == Accepted("totp"):
            assert not accepted or step > max(accepted)
            accepted.append(step)
        account = tried.account
    assert len(set(accepted)) == len(accepted)


@given(st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=10)
def test_d07_a_guesser_is_judged_at_most_a_hundred_times_whoever_signs_in_between(
    random: Random, known: bool
) -> None:
    account, now, judged = ENROLLED, NOW, 0
    for number in range(500):
        now += random.choice([0, 5, 60, 900, 5_000])
        if random.random() < 0.1:
            owner = attempt(now, sign_in=f"owner {random.randrange(2)}", known=True)
            account = try_totp(account, fits(STEP + number + 1), owner).account
        name = random.choice(["", f"mallory {random.randrange(400)}"])
        tried = try_totp(account, wrong, attempt(now, sign_in=name, known=known))
        judged += tried.result == Rejected()
        account = tried.account
    assert judged <= (DISABLE_AFTER if known else LOCK_AFTER)


@given(st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_e14_each_recovery_code_is_good_once(random: Random) -> None:
    account, now, used = ENROLLED, NOW, list[bytes]()
    for _ in range(60):
        now += random.choice([0, 60, 1_000, -500])
        code = random.choice(HASHES)

        def found(hashes: tuple[bytes, ...], code: bytes = code) -> bytes | None:
            return code if code in hashes else None

        tried = try_recovery_code(account, found, attempt(now, known=True))
        if tried.result == Accepted("recovery_code"):
            used.append(code)
        account = tried.account
    assert len(set(used)) == len(used)


@given(
    secret=st.binary(min_size=20, max_size=20),
    hashes=st.sets(st.binary(min_size=32, max_size=32), min_size=2),
)
@settings(max_examples=40)
def test_e06_no_event_holds_a_secret_or_the_hash_of_one(secret: bytes, hashes: set[bytes]) -> None:
    kept = tuple(sorted(hashes))
    app = Totp(id="t9", name="Phone", secret=secret, added_at=NOW)
    account, events = enrolled(TO_BE_ADMIN, app, kept, ACTOR, NOW)
    account = replace(account, setup_code=replace(SETUP, code_hash=kept[0]))
    trail = [*events, *given_setup_code(account, kept[0], NOW + 60, ADMIN, NOW)[1]]

    def record(step: Step) -> Account:
        trail.extend(step.events)
        return step.account

    for number in range(12):
        here = attempt(NOW + number)
        account = record(try_totp(account, wrong, here))
        account = record(try_recovery_code(account, unknown, here))
        account = record(try_setup_code(account, lambda _: False, here))
    here = attempt(NOW + 10_000)
    account = record(try_totp(account, fits(STEP + 400, secret), here))
    account = record(try_recovery_code(account, lambda left: left[1], here))
    for _, more in (
        replaced_totp(account, app, ACTOR, NOW),
        renewed_codes(account, kept, ACTOR, NOW),
        turned_off(account, ACTOR, NOW),
        was_reset(account, ADMIN, "lost", NOW),
        signed_out_everywhere(account, ACTOR, NOW),
    ):
        trail.extend(more)
    written = b"\n".join(canonical(each) for each in trail)
    for hidden in (secret, *kept):
        for form in (
            hidden,
            hidden.hex().encode(),
            base64.b32encode(hidden).rstrip(b"="),
            base64.b64encode(hidden).rstrip(b"="),
            base64.urlsafe_b64encode(hidden).rstrip(b"="),
        ):
            assert form.lower() not in written.lower()
    assert {each.account_id for each in trail} == {account.id}


@given(st.lists(st.sampled_from(["app", "code", "setup", "seen"]), max_size=30), st.integers(0, 2_000))
def test_trying_never_raises_the_epoch_nor_changes_who_somebody_is(tries: list[str], apart: int) -> None:
    account, now = replace(ENROLLED, setup_code=SETUP), NOW
    for kind in tries:
        now += apart
        here: Attempt = attempt(now)
        match kind:
            case "app":
                account = try_totp(account, wrong, here).account
            case "code":
                account = try_recovery_code(account, unknown, here).account
            case "setup":
                account = try_setup_code(account, lambda _: False, here).account
            case _:
                account, _ = seen(account, Identity(source="x", realm="portal", subject="alice"), now)
    assert (account.id, account.subject, account.epoch, account.totps[0].secret) == (
        ENROLLED.id,
        ENROLLED.subject,
        ENROLLED.epoch,
        SECRET,
    )
