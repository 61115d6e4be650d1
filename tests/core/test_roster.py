"""What a roster does to an account: who is active, where mail goes, and that it gives no power."""

from typing import Literal

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity, Listing
from mfa_gate.core.events import SYSTEM, Event
from mfa_gate.core.mailboxes import NEW_ADDRESS_SECONDS, former_email, proof_email
from mfa_gate.core.policy import Policy, standing
from mfa_gate.core.roster import RosterRow, listed
from mfa_gate.core.transitions import seen
from tests.core.samples import ALICE, ENROLLED, NEWCOMER, NOW

ROW = RosterRow(
    realm="portal", subject="alice", name="Alice Ames", email="alice@example.org", groups=("ward-3",)
)


def kinds(events: tuple[Event, ...]) -> list[str]:
    return [each.kind for each in events]


def on_record(row: RosterRow = ROW, account: Account = NEWCOMER) -> Account:
    return listed(account, row, 1, SYSTEM, NOW)[0]


def test_somebody_never_seen_gets_a_record() -> None:
    account, events = listed(None, ROW, 7, SYSTEM, NOW)
    assert account == Account(
        id=ROW.account_id,
        realm="portal",
        subject="alice",
        name="Alice Ames",
        email="alice@example.org",
        created_at=NOW,
        listing=Listing(number=7, name="Alice Ames", email="alice@example.org", groups=("ward-3",)),
    )
    assert kinds(events) == ["account_listed"]
    assert (account.version, account.first_seen_at) == (0, 0)


def test_somebody_never_seen_who_is_not_active() -> None:
    account, events = listed(None, replace(ROW, active=False), 7, SYSTEM, NOW)
    assert not account.active
    assert kinds(events) == ["account_listed", "deactivated"]


def test_the_first_roster_is_noted_even_if_it_says_nothing_else() -> None:
    bare = RosterRow(realm="portal", subject="alice")
    account, events = listed(NEWCOMER, bare, 1, SYSTEM, NOW)
    assert (account.name, account.email, account.listing) == (
        NEWCOMER.name,
        NEWCOMER.email,
        Listing(number=1),
    )
    assert kinds(events) == ["account_listed"]


def test_what_says_nothing_new_changes_nothing() -> None:
    known = on_record()
    assert listed(known, ROW, 9, SYSTEM, NOW + 5) == (known, ())


def test_another_name_or_group_is_told_by_field() -> None:
    after, events = listed(on_record(), replace(ROW, name="Alice B.", groups=()), 2, SYSTEM, NOW)
    assert kinds(events) == ["listing_changed"]
    assert events[0].details == {"fields": "name, groups", "roster": "2"}
    assert after.name == "Alice B."
    assert after.listing == Listing(number=2, name="Alice B.", email="alice@example.org")


def test_whoever_leaves_is_not_active_and_the_sessions_are_dead() -> None:
    known = on_record(account=ENROLLED)
    for row in (replace(ROW, active=False), RosterRow(realm="portal", subject="alice", gone=True)):
        after, events = listed(known, row, 2, SYSTEM, NOW)
        assert kinds(events) == ["deactivated"]
        assert after == replace(known, active=False, epoch=known.epoch + 1)
        assert listed(after, row, 3, SYSTEM, NOW) == (after, ())
        back, events = listed(after, ROW, 4, SYSTEM, NOW)
        assert kinds(events) == ["reactivated"]
        assert back == replace(after, active=True)


def test_a_roster_makes_nobody_an_administrator() -> None:
    account = on_record(replace(ROW, groups=("admins",)))
    assert account.groups == ()
    assert account.all_groups == ("admins",)
    told = replace(account, groups=("staff", "admins"))
    assert told.all_groups == ("staff", "admins")
    assert NEWCOMER.all_groups == ()


def test_groups_of_the_roster_count_where_the_policy_names_groups() -> None:
    account = on_record(replace(ROW, groups=("Ward-3",)))
    policy = Policy(version=2, require_two_step=True, required_groups=("ward-3",))
    assert standing(account, policy, NOW).required
    assert not standing(NEWCOMER, policy, NOW).required
    left_out = Policy(version=2, require_two_step=True, left_out_groups=("Ward-3",))
    assert not standing(account, left_out, NOW).required
    assert standing(NEWCOMER, left_out, NOW).required


def test_the_portal_moves_no_address_that_the_roster_names() -> None:
    known = on_record()
    theirs = replace(ALICE, name="Mallory", email="mallory@example.net", groups=("staff",))
    after, events = seen(known, theirs, NOW)
    assert (after.name, after.email, after.groups) == (known.name, known.email, ("staff",))
    assert events[0].details == {"fields": "groups"}


def test_where_the_roster_names_no_address_the_portal_does() -> None:
    known = on_record(RosterRow(realm="portal", subject="alice"))
    after, _ = seen(known, replace(ALICE, name="Al", email="al@example.org"), NOW)
    assert (after.name, after.email) == ("Al", "al@example.org")


def test_somebody_who_was_listed_first_is_seen_later() -> None:
    account = listed(None, ROW, 1, SYSTEM, NOW)[0]
    after, events = seen(account, Identity(source="header", realm="portal", subject="alice"), NOW + 9)
    assert kinds(events) == ["account_seen"]
    assert after == replace(account, first_seen_at=NOW + 9)


def changed_address(
    account: Account, email: str, now: int
) -> tuple[Account, list[tuple[Literal["owner", "admins"], ...]]]:
    after, events = listed(account, replace(ROW, email=email), 2, SYSTEM, now)
    return after, [each.notify for each in events if each.kind == "address_changed"]


def test_a_changed_address_proves_nothing_for_a_day_and_its_owner_is_told() -> None:
    after, told = changed_address(on_record(), "alice@example.net", NOW)
    assert told == [("owner",)]
    assert after.email == "alice@example.net"
    assert proof_email(after, NOW) == "alice@example.org"
    assert proof_email(after, NOW + NEW_ADDRESS_SECONDS - 1) == "alice@example.org"
    assert proof_email(after, NOW + NEW_ADDRESS_SECONDS) == "alice@example.net"
    assert proof_email(NEWCOMER, NOW) == proof_email(on_record(), NOW) == NEWCOMER.email


def test_changing_it_twice_shortens_no_day() -> None:
    once, _ = changed_address(on_record(), "b@example.net", NOW)
    twice, _ = changed_address(once, "c@example.net", NOW + 9)
    assert proof_email(twice, NOW + NEW_ADDRESS_SECONDS) == "alice@example.org"
    assert proof_email(twice, NOW + 9 + NEW_ADDRESS_SECONDS) == "c@example.net"
    renamed, _ = listed(twice, replace(ROW, email="c@example.net", name="Al"), 4, SYSTEM, NOW + 99)
    assert proof_email(renamed, NOW + 99) == "alice@example.org"


def test_an_address_that_the_portal_changes_is_held_to_the_same() -> None:
    known = replace(NEWCOMER, first_seen_at=NOW - 9)
    after, events = seen(known, replace(ALICE, email="mallory@example.net"), NOW)
    assert kinds(events) == ["profile_changed", "address_changed"]
    assert events[1].notify == ("owner",)
    assert (after.email, former_email(after)) == ("mallory@example.net", NEWCOMER.email)
    assert proof_email(after, NOW + NEW_ADDRESS_SECONDS - 1) == NEWCOMER.email
    assert proof_email(after, NOW + NEW_ADDRESS_SECONDS) == "mallory@example.net"
    # The next request tells the same, and nobody again; back is nowhere else.
    assert seen(after, replace(ALICE, email="mallory@example.net"), NOW + 9) == (after, ())
    back, events = seen(after, replace(ALICE, email=NEWCOMER.email), NOW + 9)
    assert kinds(events) == ["profile_changed"]
    assert proof_email(back, NOW + 9) == NEWCOMER.email
    _, events = seen(known, replace(ALICE, email=NEWCOMER.email.upper()), NOW)
    assert kinds(events) == ["profile_changed"]


def test_a_first_address_has_no_former_one() -> None:
    after, told = changed_address(replace(NEWCOMER, email=""), "alice@example.net", NOW)
    assert told == []
    assert proof_email(after, NOW) == former_email(after) == "alice@example.net"
    assert former_email(changed_address(after, "a@example.com", NOW)[0]) == "alice@example.net"
    assert former_email(NEWCOMER) == NEWCOMER.email
