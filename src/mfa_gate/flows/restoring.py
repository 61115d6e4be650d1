"""Decides what must be forgotten when a store goes on from an older copy; it moves no file.

An older copy knows sessions that have ended since, and not the codes that were spent. So nothing counts that was
proven until now. What cannot be made up for: recovery codes that were used since the copy was made are good again, and
factors that were removed are back. Whoever restores is told so.
"""

from msgspec.structs import replace

from mfa_gate.core.checkpoints import Anchor
from mfa_gate.core.errors import StaleState, StoreUnavailable
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.policy import Policy
from mfa_gate.flows.committing import ATTEMPTS
from mfa_gate.ports import Store


def begin_afresh(store: Store, known: Anchor | None, actor: Actor, reason: str, now: int) -> Policy:
    """Sign everybody out, spend every code of until now, and record what was lost. Raises `StoreUnavailable`.

    The policy ends above every version that the lost store had, so that no process holds on to one of those.
    """
    for _ in range(ATTEMPTS):
        try:
            return _begin(store, known, actor, reason, now)
        except StaleState:
            continue
    message = "Others changed the policy at the same moment, five times in a row."
    raise StoreUnavailable(message)


def _begin(store: Store, known: Anchor | None, actor: Actor, reason: str, now: int) -> Policy:
    policy = store.policy()
    while known is not None and policy.version < known.policy_version:
        policy = store.commit_policy(policy, (), now)
    newest = store.stream.reached().checkpoint
    details = {"reason": reason, "checkpoint": str(0 if newest is None else newest.number)}
    if known is not None:
        details["known"] = str(known.number)
    restored = Event(
        kind="store_restored",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details=details,
        notify=("admins",),
    )
    # Security: a clock that runs behind must not let anything count that came after it.
    fresh = replace(
        policy, fresh_start_at=max(now, policy.fresh_start_at), changed_at=now, changed_by=actor.shown
    )
    return store.commit_policy(fresh, (restored,), now)
