"""When a remembered browser counts, how its token goes on, and what a copy does."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, RememberedBrowser
from mfa_gate.core.administering import lost_session, was_reset, was_signed_out
from mfa_gate.core.assurance import SKEW_SECONDS, powers
from mfa_gate.core.policy import DAY, GroupFactors, Policy
from mfa_gate.core.policy_changes import PolicyChanges, changed
from mfa_gate.core.remembered import (
    CAP,
    GRACE_SECONDS,
    Copied,
    Held,
    Recognized,
    factors_mark,
    forgotten,
    is_trusted,
    recognize,
    remembered,
    remembers,
    trusted,
)
from mfa_gate.core.sessions import Session, is_live, is_open, lives_until
from mfa_gate.core.throttle import Strikes
from mfa_gate.core.transitions import enrolled, replaced_totp, signed_out_everywhere, turned_off
from tests.core.samples import ACTOR, ADMIN, ALICE, APP, ENROLLED, HASHES, NOW, SESSION, with_app

POLICY = Policy(remember_seconds=30 * DAY, idle_ttl_seconds=DAY, session_ttl_seconds=DAY)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HELD = Held(id=b"i" * 16, token=b"t" * 32)
SALT = b"s" * 16


def kept(account: Account = ENROLLED, held: Held = HELD, now: int = NOW, **more: Held | None) -> Account:
    after, _ = remembered(
        account,
        POLICY,
        held,
        "totp",
        instead_of=more.get("instead_of"),
        actor=ACTOR,
        user_agent=FIREFOX,
        now=now,
    )
    return after


def shown(
    account: Account, held: Held, now: int, policy: Policy = POLICY, salt: bytes = SALT
) -> Recognized | Copied | None:
    return recognize(account, policy, held, salt=salt, actor=ACTOR, user_agent=FIREFOX, now=now)


def used(account: Account, held: Held, now: int) -> Recognized:
    found = shown(account, held, now)
    assert isinstance(found, Recognized)
    return found


def the_one(account: Account) -> RememberedBrowser:
    (browser,) = account.remembered
    return browser


def session_in(account: Account) -> Session:
    browser = the_one(account)
    return replace(
        SESSION,
        factor="remembered_browser",
        browser=browser.id,
        verified_at=browser.remembered_at,
        created_at=NOW,
        touched_at=NOW,
        expires_at=NOW + DAY,
    )


def test_what_a_browser_holds_is_read_in_one_spelling() -> None:
    assert Held.read(HELD.text) == HELD
    assert len(HELD.text) == 66
    last = [
        HELD.text[:-1] + letter
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    ]
    assert sum(Held.read(text) is not None for text in last) == 16, "the last two bits say nothing"


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{21,23}\.[A-Za-z0-9_-]{42,44}", fullmatch=True))
def test_whatever_is_read_is_written_the_same(text: str) -> None:
    held = Held.read(text)
    assert held is None or (held.text == text and len(held.token) == 32 and len(held.id) == 16)


def test_it_is_told_and_kept_without_its_token() -> None:
    after, (event,) = remembered(
        ENROLLED, POLICY, HELD, "totp", instead_of=None, actor=ACTOR, user_agent=FIREFOX, now=NOW
    )
    assert event.kind == "browser_remembered"
    assert event.details == {"browser": "Firefox on Linux", "until": str(NOW + 30 * DAY)}
    assert event.notify == ("owner",)
    assert HELD.token not in the_one(after).token_hash
    assert the_one(after).handle not in HELD.text
    assert remembers(after, POLICY, HELD, NOW)
    assert not remembers(after, POLICY, None, NOW)


def test_each_use_exchanges_the_token() -> None:
    first = used(kept(), HELD, NOW + 10)
    (event,) = first.events
    assert (event.kind, event.details) == ("browser_recognized", {"browser": "Firefox on Linux"})
    second = used(first.account, first.held, NOW + 500)
    assert len({HELD.token, first.held.token, second.held.token}) == 3
    assert {HELD.id} == {first.held.id, second.held.id}
    assert the_one(second.account).remembered_at == NOW


@pytest.mark.parametrize("later", [-SKEW_SECONDS, 0, 1, GRACE_SECONDS])
def test_who_asks_at_the_same_time_is_given_the_same_token(later: int) -> None:
    first = used(kept(), HELD, NOW + 100)
    again = used(first.account, HELD, NOW + 100 + later)
    assert again.held == first.held
    assert the_one(again.account).token_hash == the_one(first.account).token_hash
    assert used(again.account, first.held, NOW + 9_000).held != first.held


@pytest.mark.parametrize("later", [-SKEW_SECONDS - 1, GRACE_SECONDS + 1, 20 * DAY])
def test_an_older_token_is_a_copy_and_ends_it_for_both(later: int) -> None:
    first = used(kept(now=NOW - 500), HELD, NOW)
    found = shown(first.account, HELD, NOW + later)
    assert isinstance(found, Copied)
    assert found.account.remembered == ()
    (event,) = found.events
    assert (event.kind, event.notify) == ("browser_copied", ("owner",))
    assert shown(found.account, first.held, NOW + later) is None
    assert shown(found.account, HELD, NOW + later) is None


def test_a_token_of_two_uses_ago_is_a_copy_at_once() -> None:
    first = used(kept(), HELD, NOW)
    second = used(first.account, first.held, NOW + 1)
    assert isinstance(shown(second.account, HELD, NOW + 2), Copied)


def test_a_token_that_was_never_given_out_is_taken_for_a_copy() -> None:
    assert isinstance(shown(kept(), replace(HELD, token=b"x" * 32), NOW), Copied)


def test_another_id_is_nobodys_and_changes_nothing() -> None:
    assert shown(kept(), replace(HELD, id=b"j" * 16), NOW) is None


def test_who_comes_from_somewhere_new_without_a_code_is_told_to_the_owner() -> None:
    first = used(kept(), HELD, NOW)
    assert first.events[0].notify == ()
    elsewhere = recognize(
        first.account,
        POLICY,
        first.held,
        salt=SALT,
        actor=replace(ACTOR, address="198.51.100.9"),
        user_agent=FIREFOX,
        now=NOW + 5,
    )
    assert isinstance(elsewhere, Recognized)
    assert elsewhere.events[0].notify == ("owner",)
    assert the_one(elsewhere.account).address == "198.51.100.9"


def test_an_unknown_browser_has_no_name_of_its_own_choosing() -> None:
    after, (event,) = remembered(
        ENROLLED, POLICY, HELD, "totp", instead_of=None, actor=ACTOR, user_agent="<b>evil</b>", now=NOW
    )
    assert the_one(after).name == ""
    assert "browser" not in event.details


# What ends it


@pytest.mark.parametrize(
    "end",
    [
        lambda account: was_reset(account, ADMIN, "lost", NOW)[0],
        lambda account: was_signed_out(account, ADMIN, "lost", NOW)[0],
        lambda account: signed_out_everywhere(account, ACTOR, NOW)[0],
        lambda account: turned_off(account, ACTOR, NOW)[0],
        lambda account: replaced_totp(account, replace(APP, id="t2"), ACTOR, NOW)[0],
        lambda account: enrolled(account, APP, HASHES, ACTOR, NOW)[0],
    ],
    ids=["reset", "signed out by others", "signed out everywhere", "turned off", "replaced", "enrolled"],
)
def test_whatever_raises_the_epoch_forgets_all_browsers(end: Callable[[Account], Account]) -> None:
    account = kept()
    after = end(account)
    assert after.remembered == ()
    # Also where the list was kept, as by a process that does not know of it.
    assert not trusted(replace(after, remembered=account.remembered), POLICY, NOW)


@pytest.mark.parametrize(
    "account",
    [
        replace(kept(), active=False),
        replace(kept(), epoch=ENROLLED.epoch + 1),
        replace(kept(), totps=(*ENROLLED.totps, replace(APP, id="t2"))),
        replace(kept(), totps=()),
        with_app(kept(), id="t2"),
        with_app(kept(), strikes=Strikes(disabled=True)),
    ],
)
def test_it_is_bound_to_account_epoch_and_factors(account: Account) -> None:
    assert not trusted(account, POLICY, NOW)
    assert shown(account, HELD, NOW) is None


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, remember_seconds=0),
        replace(POLICY, forget_before=NOW + 1),
        replace(POLICY, fresh_start_at=NOW),
        replace(POLICY, allowed_factors=("recovery_code",)),
        replace(POLICY, group_factors=(GroupFactors(group="staff", factors=("recovery_code",)),)),
    ],
)
def test_it_is_judged_by_the_policy_of_now(policy: Policy) -> None:
    account = replace(kept(), groups=("staff",))
    assert trusted(account, POLICY, NOW)
    assert not trusted(account, policy, NOW)
    assert not is_live(session_in(account), account, ALICE, policy, NOW)


def test_its_end_is_absolute_and_a_clock_set_back_moves_it_nowhere() -> None:
    first = used(kept(), HELD, NOW + 29 * DAY)
    browser = the_one(first.account)
    assert is_trusted(browser, first.account, POLICY, NOW + 30 * DAY - 1)
    assert not is_trusted(browser, first.account, POLICY, NOW + 30 * DAY)
    assert is_trusted(browser, first.account, POLICY, NOW - SKEW_SECONDS)
    assert not is_trusted(browser, first.account, POLICY, NOW - SKEW_SECONDS - 1)


def test_a_longer_lifetime_lengthens_none_and_a_shorter_one_counts_at_once() -> None:
    account = kept(now=NOW - 10 * DAY)
    account = replace(account, remembered=(replace(the_one(account), until=NOW + 1),))
    assert not trusted(account, replace(POLICY, remember_seconds=365 * DAY), NOW + 1)
    assert not trusted(kept(now=NOW - 10 * DAY), replace(POLICY, remember_seconds=10 * DAY), NOW)


def changed_to(policy: Policy, days: int, now: int) -> Policy:
    after = changed(policy, PolicyChanges(remember_seconds=days * DAY), now)
    assert isinstance(after, Policy)
    return after


@pytest.mark.parametrize(
    ("days", "again", "back"),
    [
        ((0, 30), 0, False),
        ((3, 30), 0, False),
        ((15, 30), 0, True),
        ((15, 30), 6, False),
        ((30, 15), 0, True),
    ],
)
def test_what_was_over_under_a_shorter_lifetime_stays_over(
    days: tuple[int, int], again: int, *, back: bool
) -> None:
    """Remembered ten days ago; the lifetime changes now, and `again` days later once more."""
    account = kept(now=NOW - 10 * DAY)
    policy = changed_to(POLICY, days[0], NOW)
    later = NOW + again * DAY
    policy = changed_to(policy, days[1], later)
    assert bool(trusted(account, policy, later)) is back
    fresh = kept(now=later + 1)
    assert trusted(fresh, policy, later + 1)


def test_a_disabled_app_has_no_part_in_the_mark() -> None:
    assert factors_mark(with_app(ENROLLED, strikes=Strikes(disabled=True))) == factors_mark(
        replace(ENROLLED, totps=())
    )


# One a browser, and not too many


def test_remembered_anew_it_takes_its_own_place() -> None:
    other = replace(HELD, id=b"o" * 16)
    account = kept(kept(), other)
    assert len(account.remembered) == 2
    anew = kept(account, replace(HELD, id=b"n" * 16), instead_of=HELD)
    assert [each.id for each in anew.remembered] == [other.id, b"n" * 16]


def test_the_first_gives_way_and_what_is_over_is_not_kept() -> None:
    account = kept(now=NOW - 31 * DAY, held=replace(HELD, id=b"z" * 16))
    for number in range(CAP + 2):
        account = kept(account, replace(HELD, id=bytes([number]) * 16), NOW + number)
    assert [each.id[0] for each in account.remembered] == list(range(2, CAP + 2))


def test_forgetting_says_how_many_and_tells_the_owner_only_of_others() -> None:
    account = kept(kept(), replace(HELD, id=b"o" * 16))
    after, (event,) = forgotten(account, account.remembered[:1], ACTOR, NOW)
    assert [each.id for each in after.remembered] == [b"o" * 16]
    assert (event.kind, event.details, event.notify) == ("browser_forgotten", {"number": "1"}, ())
    _, (event,) = forgotten(account, account.remembered, ADMIN, NOW, reason="stolen")
    assert (event.details, event.notify) == ({"number": "2", "reason": "stolen"}, ("owner",))
    assert forgotten(after, account.remembered[:1], ACTOR, NOW) == (after, ())


def test_with_a_session_its_browser_goes() -> None:
    account = kept()
    after, events = lost_session(account, account.remembered, ADMIN, "left a laptop", NOW)
    assert after.remembered == ()
    assert [event.kind for event in events] == ["session_ended", "browser_forgotten"]


# Sessions that rest on one


def test_a_session_lives_and_dies_with_its_browser() -> None:
    account = kept(now=NOW - 60)
    session = session_in(account)
    assert is_live(session, account, ALICE, POLICY, NOW)
    assert is_open(session, account, POLICY, NOW)
    for gone in (
        replace(account, remembered=()),
        replace(account, remembered=(replace(the_one(account), id=b"o" * 16),)),
        with_app(account, id="t2"),
    ):
        assert not is_live(session, gone, ALICE, POLICY, NOW)
        assert not is_open(session, gone, POLICY, NOW)
    nowhere = replace(session, browser=b"")
    assert not is_live(nowhere, account, ALICE, POLICY, NOW)


def test_a_session_ends_no_later_than_its_browser() -> None:
    account = kept(now=NOW - 29 * DAY)
    session = session_in(account)
    assert lives_until(session, POLICY) == NOW + DAY
    assert lives_until(session, replace(POLICY, remember_seconds=29 * DAY + 5)) == NOW + 5
    assert lives_until(session, replace(POLICY, remember_seconds=0)) <= NOW
    by_code = replace(session, factor="totp")
    assert lives_until(by_code, replace(POLICY, remember_seconds=0)) == NOW + DAY


def test_it_has_no_powers_and_the_lowest_level() -> None:
    assert powers("remembered_browser") == frozenset()
