"""Every version of the policy, with who made it, when and why, and what was different before."""

from mfa_gate.core.policy_changes import Difference, PolicyChanges
from mfa_gate.flows.policy_history import PolicyHistory
from mfa_gate.flows.results import PolicyChanged
from tests.flows.house import NOW, House


def changed(house: House, at: int, **fields: object) -> None:
    changes = PolicyChanges(**fields)  # type: ignore[arg-type]
    done = house.administration.set_policy_from_shell("ops", f"Step {at - NOW}", changes, now=at)
    assert isinstance(done, PolicyChanged)


def test_it_tells_each_change_newest_first(house: House) -> None:
    house.enroll("root")
    changed(house, NOW + 1, required_groups=("staff",))
    changed(house, NOW + 2, require_two_step=True)
    history = PolicyHistory(house.store)
    newest, middle, first = history.versions()
    assert newest.changes == (Difference(field="require_two_step", before="off", after="on"),)
    assert middle.changes == (Difference(field="required_groups", before="none", after="staff"),)
    assert first.changes is None
    told = [
        (each.policy.changed_by, each.policy.changed_at, each.policy.changed_why) for each in (newest, middle)
    ]
    assert told == [("ops (shell)", NOW + 2, "Step 2"), ("ops (shell)", NOW + 1, "Step 1")]
    assert newest.policy == house.store.policy()


def test_it_is_read_in_pages_and_by_number(house: House) -> None:
    for step in range(1, 4):
        changed(house, NOW + step, grace_seconds=step)
    history = PolicyHistory(house.store)
    (one, two), (three, four) = history.versions(limit=2), history.versions(before=3, limit=10)
    assert [each.policy.version for each in (one, two, three, four)] == [4, 3, 2, 1]
    assert two.changes == (Difference(field="grace_seconds", before="1", after="2"),)
    assert history.versions(limit=0) == ()
    assert history.version(3) == two.policy
    assert history.version(9) is None
    assert history.version(0) is None
