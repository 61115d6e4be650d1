"""What the list, the overview, a profile and the trail say; the store is real, the numbers are counted by hand."""

from mfa_gate.core.accounts import account_id
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.reporting import Profile
from mfa_gate.flows.results import NotFound
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


def test_the_list_is_paged_filtered_and_searched(house: House) -> None:
    for subject in ("alice", "albert", "bob"):
        house.visitor(subject)
    house.enroll("carol")
    page = house.reporting.people(status=None, prefix="", after=None, limit=3, now=LATER)
    assert [row.account.subject for row in page.rows] == ["albert", "alice", "bob"]
    rest = house.reporting.people(status=None, prefix="", after=page.next, limit=3, now=LATER)
    assert [(row.account.subject, row.status) for row in rest.rows] == [("carol", "enrolled")]
    assert rest.next is None
    some = house.reporting.people(status="missing", prefix=" AL ", after=None, limit=0, now=LATER)
    assert [row.account.subject for row in some.rows] == ["albert"]
    many = house.reporting.people(status=None, prefix="x" * 100_000, after=None, limit=10**9, now=LATER)
    assert many.rows == ()


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
    house.reporting.people(status=None, prefix="\udc80", after="\udc80", limit=5, now=LATER)


def test_the_organization_has_a_chain_of_its_own(house: House) -> None:
    house.enroll("root")
    house.administration.set_policy_from_shell("ops", "Go live", require_two_step=True, now=LATER)
    told = house.reporting.audit(Sought(account_id="org"), limit=5)
    assert [recorded.event.kind for recorded in told.events] == ["policy_changed", "store_created"]
