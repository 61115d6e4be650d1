"""Who administers: by what the settings say, and what the person's source says of them now; never by a record."""

from msgspec.structs import replace

from mfa_gate.flows.assistance import Reset
from mfa_gate.flows.results import Done, NeedsVerification, NotAllowed
from mfa_gate.flows.visitor import Visitor
from tests.flows.house import NOW, House

LATER = NOW + 30
WHY = "Lost her phone"


def in_groups(visitor: Visitor, *groups: str) -> Visitor:
    """The same, as a source tells it that knows groups."""
    return replace(visitor, identity=replace(visitor.identity, groups=groups))


def on_record(house: House, subject: str, *groups: str) -> None:
    """These groups were told of somebody once."""
    account = house.account(subject)
    house.committer.run(
        account.id,
        lambda found: (None if found is None else house.changed_to(replace(found, groups=groups)), None),
        NOW,
    )


def test_the_role_is_told_to_whom_it_belongs(house: House) -> None:
    admits = house.authority.admits
    root, desk, alice = (house.enroll(name) for name in ("root", "help", "alice"))
    assert admits(root.at(LATER), LATER) == "admin"
    assert admits(desk.at(LATER), LATER) == "help_desk"
    assert admits(alice.at(LATER), LATER) == NotAllowed(reason="not_allowed")
    stranger = root.at(LATER, verified=False)
    assert admits(stranger, LATER) == NeedsVerification(max_age=900)
    assert house.assistance.why_not(alice.at(LATER), Reset, root.at(LATER).account, LATER) == "not_allowed"


def test_w19_no_field_of_a_record_makes_an_administrator(house: House) -> None:
    alice = house.enroll("alice")
    me = alice.at(LATER)
    claimed = replace(me, account=replace(me.account, name="root", groups=("roots", "admins")))
    assert house.authority.admits(claimed, LATER) == NotAllowed(reason="not_allowed")


def test_a_group_administers_while_the_source_tells_it(house: House) -> None:
    alice, bob = house.enroll("alice"), house.enroll("bob")
    member = in_groups(alice.at(LATER), "roots", "staff")
    assert house.authority.admits(member, LATER) == "admin"
    done = house.assistance.assist(member, Reset(), bob.id, WHY, LATER)
    assert isinstance(done, Done)


def test_w18_who_has_left_the_group_does_not_administer_though_the_record_still_has_it(house: House) -> None:
    alice, bob = house.enroll("alice"), house.enroll("bob")
    on_record(house, "alice", "roots")
    for visitor in (alice.at(LATER), in_groups(alice.at(LATER)), in_groups(alice.at(LATER), "staff")):
        assert house.authority.admits(visitor, LATER) == NotAllowed(reason="not_allowed")
        assert house.assistance.assist(visitor, Reset(), bob.id, WHY, LATER) == NotAllowed(
            reason="not_allowed"
        )
    assert house.account("bob").has_factor


def test_w18_whoever_was_last_told_to_administer_is_out_of_the_help_desk_s_reach(house: House) -> None:
    desk, alice = house.enroll("help"), house.enroll("alice")
    on_record(house, "alice", "helps")
    refused = house.assistance.assist(desk.at(LATER), Reset(), alice.id, WHY, LATER)
    assert refused == NotAllowed(reason="administrator")
    on_record(house, "alice", "staff")
    assert isinstance(house.assistance.assist(desk.at(LATER), Reset(), alice.id, WHY, LATER), Done)


def test_w18_a_group_of_the_help_desk_s_own_lifts_nobody_above_it(house: House) -> None:
    """Whatever other groups somebody has, the settings say what the group is worth, and to whom it may be done."""
    desk, root = house.enroll("alice"), house.enroll("root")
    member = in_groups(desk.at(LATER), "helps", "staff", "root", "admin")
    assert house.authority.admits(member, LATER) == "help_desk"
    refused = house.assistance.assist(member, Reset(), root.id, WHY, LATER)
    assert refused == NotAllowed(reason="administrator")
    himself = house.assistance.assist(member, Reset(), desk.id, WHY, LATER)
    assert himself == NotAllowed(reason="yourself")
