"""How many wrong codes are judged, and when: the exact numbers of the limits, and laws that no clock can bend."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfa_gate.core.throttle import (
    DISABLE_AFTER,
    FOREVER,
    LOCK_AFTER,
    OTHERS,
    PAUSE_SECONDS,
    SHARES_KEPT,
    Crossed,
    Disabled,
    Free,
    Locked,
    Strikes,
    Waiting,
    anchored,
    failed,
    succeeded,
    throttle,
)

NOW = 1_000_000


def after(failures: int, *, every: int = 0, sign_in: str = "s", start: int = NOW) -> tuple[Strikes, int]:
    """Strikes after so many wrong tries, each made as soon as it is judged but `every` seconds apart at least."""
    strikes, now = Strikes(), start
    for number in range(failures):
        if number:
            now = max(now + every, strikes.paused_until)
        assert isinstance(throttle(strikes, now, known=True), Free)
        strikes, _ = failed(strikes, sign_in, now)
    return strikes, now


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 900)],
)
def test_d07_five_wrong_in_five_minutes_bring_delays_and_ten_a_pause(failures: int, wait: int) -> None:
    strikes, now = after(failures)
    assert throttle(strikes, now) == (Waiting(now + wait) if wait else Free())
    assert throttle(strikes, now + wait) == Free()
    assert throttle(strikes, now + wait - 1) == (Waiting(now + wait) if wait else Free())


@pytest.mark.parametrize(
    ("failures", "every", "wait"),
    [
        (5, 60, 1),  # the first is 240 s old
        (5, 74, 1),
        (5, 75, 0),  # the first is 300 s old, and 300 s are over
        (9, 70, 1),  # five within five minutes each time
        (10, 70, 900),  # and the tenth within 15 minutes
        (10, 99, 900),
        (10, 100, 0),  # the first is 900 s old
        (49, 100, 0),
    ],
)
def test_tries_further_apart(failures: int, every: int, wait: int) -> None:
    strikes, now = after(failures, every=every)
    assert throttle(strikes, now) == (Waiting(now + wait) if wait else Free())


def test_the_delay_is_never_above_a_minute() -> None:
    """Ten within five minutes are a pause; the cap holds should that limit ever be raised."""
    waits = [failed(after(number)[0], "s", NOW + 100)[0].paused_until - NOW - 100 for number in range(4, 9)]
    assert waits == sorted(waits)
    assert max(waits) <= 60


def test_d14_a_pause_that_is_over_gives_the_same_budget_again_and_no_more() -> None:
    strikes, paused_at = after(10)
    open_again = paused_at + 900
    judged = 0
    for second in range(open_again, open_again + 900):
        if isinstance(throttle(strikes, second), Free):
            strikes, _ = failed(strikes, "s", second)
            judged += 1
    assert judged == 10


def test_d14_no_fifteen_minutes_hold_more_than_ten_tries() -> None:
    strikes, judged = Strikes(), []
    for second in range(NOW, NOW + 4 * 900):
        if isinstance(throttle(strikes, second), Free):
            strikes, _ = failed(strikes, "s", second)
            judged.append(second)
    assert len(judged) == 40
    assert all(later - first >= 900 for first, later in zip(judged, judged[10:], strict=False))


@pytest.mark.parametrize(
    ("number", "limits"),
    [
        (1, ()),
        (4, ()),
        (5, ("noticed",)),
        (6, ()),
        (10, ("paused",)),
        (11, ()),
        (20, ("paused",)),
        (50, ("paused", "locked")),
        (51, ()),
        (99, ()),
        (100, ("paused", "disabled")),
    ],
)
def test_each_limit_is_told_when_it_is_crossed(number: int, limits: tuple[Crossed, ...]) -> None:
    strikes, now = after(number - 1)
    assert failed(strikes, "s", max(now, strikes.paused_until))[1] == limits


@pytest.mark.parametrize("every", [0, 400, 100_000])
def test_fifty_in_a_row_lock_out_who_is_unknown(every: int) -> None:
    almost, now = after(LOCK_AFTER - 1, every=every)
    assert not almost.is_locked
    assert throttle(almost, now + 900) == Free()
    strikes, now = after(LOCK_AFTER, every=every)
    assert strikes.is_locked
    assert throttle(strikes, now + 900) == throttle(strikes, FOREVER) == Locked()
    assert throttle(strikes, now + 900, known=True) == Free()


@pytest.mark.parametrize("every", [0, 400, 100_000])
def test_d14_a_hundred_in_a_row_disable_the_factor_for_everybody(every: int) -> None:
    strikes, _ = after(DISABLE_AFTER - 1, every=every)
    assert not strikes.disabled
    strikes, _ = after(DISABLE_AFTER, every=every)
    assert strikes.disabled
    assert strikes.is_locked
    assert throttle(strikes, FOREVER) == throttle(strikes, FOREVER, known=True) == Disabled()


def test_a_live_session_waits_like_everybody_else() -> None:
    strikes, now = after(10)
    assert throttle(strikes, now, known=True) == Waiting(now + 900)


def test_a_success_forgives_its_own_sign_in_and_no_other() -> None:
    strikes, _ = after(4, sign_in="owner")
    strikes, _ = failed(strikes, "mallory", NOW)
    forgiven = succeeded(strikes, "owner")
    assert forgiven.shares == (("mallory", 1),)
    assert forgiven.recent == ((NOW, "mallory"),)
    assert succeeded(strikes, "somebody").shares == strikes.shares


def test_a_sign_in_without_a_name_is_never_forgiven() -> None:
    strikes, _ = after(3, sign_in=OTHERS)
    assert succeeded(strikes, OTHERS) == strikes


def test_d10_many_sign_ins_are_added_up_and_none_is_lost() -> None:
    strikes = Strikes()
    for number in range(40):
        strikes, _ = failed(strikes, f"sign-in {number}", NOW + number * 1_000)
    assert strikes.consecutive == 40
    assert len(strikes.shares) == SHARES_KEPT
    assert dict(strikes.shares)[OTHERS] == 40 - (SHARES_KEPT - 1)
    assert [name for name, _ in strikes.shares if name != OTHERS] == [f"sign-in {n}" for n in range(33, 40)]


def test_the_sign_in_that_failed_last_is_remembered_longest() -> None:
    strikes, _ = failed(Strikes(), "owner", NOW)
    for number in range(SHARES_KEPT):
        strikes, _ = failed(strikes, f"m{number}", NOW)
        strikes, _ = failed(strikes, "owner", NOW)
    assert dict(strikes.shares)["owner"] == SHARES_KEPT + 1


names = st.sampled_from([OTHERS, *(f"n{number}" for number in range(12))])
tries = st.lists(st.tuples(names, st.integers(-2_000, 2_000)), max_size=60)


def strikes_after(attempts: list[tuple[str, int]]) -> tuple[Strikes, int]:
    strikes, now = Strikes(), NOW
    for name, moved in attempts:
        now += moved
        strikes, _ = failed(strikes, name, now)
    return strikes, now


@given(tries)
def test_failures_in_a_row_never_decay(attempts: list[tuple[str, int]]) -> None:
    assert strikes_after(attempts)[0].consecutive == len(attempts)


@given(tries, names)
def test_a_success_takes_off_exactly_the_share_of_its_sign_in(
    attempts: list[tuple[str, int]], name: str
) -> None:
    strikes, _ = strikes_after(attempts)
    own = 0 if name == OTHERS else dict(strikes.shares).get(name, 0)
    assert succeeded(strikes, name).consecutive == len(attempts) - own


@given(tries, st.integers(0, 100_000), st.booleans())
def test_f20_what_is_open_at_an_earlier_time_is_open_at_a_later(
    attempts: list[tuple[str, int]], back: int, known: bool
) -> None:
    strikes, now = strikes_after(attempts)
    if throttle(strikes, now - back, known=known) == Free():
        assert throttle(strikes, now, known=known) == Free()


@given(tries, names, st.integers(0, 100_000))
def test_f20_a_clock_set_back_forgets_no_failure_and_opens_nothing_sooner(
    attempts: list[tuple[str, int]], name: str, back: int
) -> None:
    strikes, now = strikes_after(attempts)
    turned, _ = failed(strikes, name, now - back)
    straight, _ = failed(strikes, name, now)
    assert len(turned.recent) >= len(straight.recent)
    assert turned.paused_until >= strikes.paused_until


@given(tries, st.integers(-100_000, 100_000))
def test_f20_j13_a_pause_that_the_clock_made_longer_begins_anew_and_opens_no_sooner(
    attempts: list[tuple[str, int]], back: int
) -> None:
    strikes, before = strikes_after(attempts)
    now = before - back
    turned = anchored(strikes, now)
    assert turned.paused_until <= now + PAUSE_SECONDS + 60
    assert turned.paused_until >= min(strikes.paused_until, now + PAUSE_SECONDS)
    assert (turned.recent, turned.shares, turned.disabled) == (
        strikes.recent,
        strikes.shares,
        strikes.disabled,
    )
    assert anchored(turned, now) == turned


@given(st.lists(st.integers(0, 1_000), max_size=60))
def test_f20_while_the_clock_does_not_go_on_five_tries_are_all(steps_back: list[int]) -> None:
    strikes, now, judged = Strikes(), NOW, 0
    for back in [0] * 10 + steps_back:
        now -= back
        if throttle(strikes, now) == Free():
            strikes, _ = failed(strikes, f"sign-in {judged}", now)
            judged += 1
    assert judged == 5


@given(st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=15)
def test_d07_no_names_no_clock_and_no_signing_in_of_others_give_more_than_the_budget(
    random: Random, known: bool
) -> None:
    """Whatever the owner does in sign-ins of their own between the tries."""
    strikes, now, judged = Strikes(), NOW, 0
    pool = [OTHERS, *(f"mallory {number}" for number in range(random.choice([1, 5, 500])))]
    for _ in range(600):
        now += random.choice([0, 1, 30, 400, 1_000, 100_000, -50, -5_000])
        if random.random() < 0.2 and throttle(strikes, now, known=True) == Free():
            strikes = succeeded(strikes, f"owner {random.randrange(3)}")
        elif throttle(strikes, now, known=known) == Free():
            strikes, _ = failed(strikes, random.choice(pool), now)
            judged += 1
    assert judged <= (DISABLE_AFTER if known else LOCK_AFTER)
    assert strikes.consecutive == judged
