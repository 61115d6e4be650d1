"""What the list, the overview, a profile and the trail say; the store is real, the numbers are counted by hand."""

from msgspec.structs import replace

from mfa_gate.core.accounts import Exemption, account_id
from mfa_gate.core.listing import EVERYBODY, STATUSES, Filter
from mfa_gate.core.policy import DAY
from mfa_gate.core.policy_changes import PolicyChanges
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.reporting import Listed, Profile
from mfa_gate.flows.results import NotFound
from mfa_gate.ports import Change
from tests.flows.house import NOW, House, wrong

LATER = NOW + 30


def test_coverage_counts_who_is_paused_too(house: House) -> None:
    house.enroll("alice")
    bob = house.enroll("bob")
    house.visitor("carol")
    house.visitor("dave")
    stranger = bob.at(LATER, verified=False)
    for _ in range(5):
        house.self_service.verify(stranger, "totp", wrong(bob.app, LATER), LATER)
        house.self_service.verify(stranger, "recovery_code", "k3v9-0qhm-x72c-tdwe", LATER)
    overview = house.reporting.overview(LATER)
    assert (overview.covered, overview.people) == (2, 4)
    assert {status: count for status, count in overview.counts.items() if count} == {
        "enrolled": 1,
        "paused": 1,
        "missing": 2,
    }
    assert overview.policy == house.store.policy()


def listed(found: Listed | NotFound) -> Listed:
    assert isinstance(found, Listed)
    return found


def test_the_list_is_paged_filtered_and_searched(house: House) -> None:
    for subject in ("alice", "albert", "bob"):
        house.visitor(subject)
    house.enroll("carol")
    page = listed(house.reporting.people(EVERYBODY, limit=3, now=LATER))
    assert [row.account.subject for row in page.rows] == ["albert", "alice", "bob"]
    rest = listed(house.reporting.people(EVERYBODY, after=page.next, limit=3, now=LATER))
    assert [(row.account.subject, row.status) for row in rest.rows] == [("carol", "enrolled")]
    assert rest.next is None
    some = listed(house.reporting.people(Filter(statuses=("missing",), prefix=" AL "), limit=0, now=LATER))
    assert [row.account.subject for row in some.rows] == ["albert"]
    many = listed(house.reporting.people(Filter(prefix="x" * 100_000), limit=10**9, now=LATER))
    assert many.rows == ()
    everybody = house.reporting.everybody(EVERYBODY, sort="-name", now=LATER)
    assert [row.account.subject for row in everybody] == ["carol", "bob", "alice", "albert"]
    assert house.reporting.counts(Filter(group="nobody's"), LATER) == dict.fromkeys(STATUSES, 0)
    assert house.reporting.counts(Filter(prefix="a"), LATER) is None


def test_a_cursor_of_another_order_or_of_nobody_s_making_is_not_found(house: House) -> None:
    for subject in ("alice", "bob"):
        house.visitor(subject)
    first = listed(house.reporting.people(EVERYBODY, limit=1, now=LATER))
    for cursor, sort in (("", "name"), ("x" * 100_000, "name"), ("\udc80", "name"), (first.next, "-name")):
        found = house.reporting.people(EVERYBODY, after=cursor, sort=sort, limit=1, now=LATER)  # type: ignore[arg-type]
        assert found == NotFound()


def test_a_profile_has_standing_sessions_and_history(house: House) -> None:
    alice = house.enroll("alice")
    house.require_two_step()
    profile = house.reporting.profile(alice.id, LATER)
    assert isinstance(profile, Profile)
    assert profile.account == house.account("alice")
    assert (profile.standing.status, profile.standing.because) == ("enrolled", "everyone")
    assert [session.account_id for session in profile.sessions] == [alice.id]
    assert [recorded.event.kind for recorded in profile.history][-1] == "account_seen"
    idle = house.reporting.profile(alice.id, NOW + 1800)
    assert isinstance(idle, Profile)
    assert idle.sessions == ()
    assert house.reporting.profile(account_id("portal", "nobody"), LATER) == NotFound()


def test_exemptions_are_shown_in_the_order_in_which_they_end(house: House) -> None:
    assert house.reporting.exempt(5, LATER) == ()
    days = {"alice": 30, "bob": 3, "carol": 8, "dora": 6, "erna": -1}
    for name, until in days.items():
        account = house.visitor(name).account
        given = Exemption(reason="no phone yet", approved_by="root", given_at=NOW, until=NOW + until * DAY)
        house.store.commit(Change(account=replace(account, exemption=given)), NOW)
    house.enroll("frida")
    found = house.reporting.exempt(3, LATER)
    assert [account.subject for account in found] == ["bob", "dora", "carol"]
    overview = house.reporting.overview(LATER)
    assert (overview.counts["exempt"], overview.exemptions_ending, overview.deadlines_ending) == (4, 2, 0)


def test_the_trail_is_read_page_by_page(house: House) -> None:
    alice = house.enroll("alice")
    house.enroll("bob")
    first = house.reporting.audit(Sought(account_id=alice.id), limit=3)
    assert [recorded.event.kind for recorded in first.events] == [
        "verified",
        "recovery_codes_made",
        "factor_added",
    ]
    rest = house.reporting.audit(Sought(account_id=alice.id), before=first.before, limit=3)
    assert [recorded.event.kind for recorded in rest.events] == ["enrollment_started", "account_seen"]
    assert rest.before is None
    added = house.reporting.audit(Sought(kind="factor_added"), limit=0)
    assert [recorded.event.subject for recorded in added.events] == ["bob"]
    assert added.before == added.events[0].position


def test_the_impact_names_who_would_be_asked_and_what_would_be_refused(house: House) -> None:
    house.enroll("alice")
    house.visitor("bob")
    house.store.count_traffic({("/dav", "authorization"): 3}, NOW)
    impact = house.reporting.impact(LATER)
    assert impact.asked_to_set_up == 1
    assert impact.unattributed == {("/dav", "authorization"): 3}


def test_what_fits_nothing_gives_nothing(house: House) -> None:
    house.enroll("alice")
    report = house.reporting
    for odd in ("", "org", "\udc80", "A" * 32, "0" * 100_000):
        assert report.profile(odd, LATER) == NotFound()
    for odd in ("", "\udc80", "A" * 32):
        assert report.audit(Sought(account_id=odd), limit=5).events == ()
        assert report.audit(Sought(kind=odd), limit=5).events == ()
    for position in (0, -1, 2**70):
        assert report.audit(before=position, limit=5).events == ()
    assert listed(report.people(Filter(prefix="\udc80", group="\udc80"), limit=5, now=LATER)).rows == ()


def test_the_organization_has_a_chain_of_its_own(house: House) -> None:
    house.enroll("root")
    house.administration.set_policy_from_shell(
        "ops", "Go live", PolicyChanges(require_two_step=True), now=LATER
    )
    told = house.reporting.audit(Sought(account_id="org"), limit=5)
    assert [recorded.event.kind for recorded in told.events] == ["policy_changed", "store_created"]


def test_times_to_set_up_that_end_within_a_week(house: House) -> None:
    for name, at in (("alice", NOW), ("bob", NOW + 3 * DAY), ("carol", NOW + 9 * DAY)):
        house.visitor(name, now=at)
    policy = replace(
        house.store.policy(),
        require_two_step=True,
        grace_seconds=10 * DAY,
        grace_from="first_seen",
        first_required_at=NOW,
    )
    house.store.commit_policy(policy, (), NOW)
    found = [house.reporting.overview(NOW + days * DAY + 60) for days in (2, 5, 9, 30)]
    assert [(each.counts["grace"], each.deadlines_ending) for each in found] == [
        (3, 0),
        (3, 1),
        (3, 2),
        (0, 0),
    ]
