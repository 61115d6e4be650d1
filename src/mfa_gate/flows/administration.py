"""What administrators do for the whole organization: change the policy, make setup codes for other administrators.

It knows no HTTP; who may is `Authority`'s to say. Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.administering import given_setup_code
from mfa_gate.core.errors import StaleState
from mfa_gate.core.events import Actor
from mfa_gate.core.listing import Filter, Place
from mfa_gate.core.policy import Policy
from mfa_gate.core.policy_changes import PolicyChanges, Unfit, changed, differences, policy_changed, weakens
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.acting import clean_reason, shell
from mfa_gate.flows.authority import ADMINS, Authority
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.proving import CodeDesk
from mfa_gate.flows.results import (
    Confirmation,
    Conflict,
    MadeSetupCode,
    NeedsVerification,
    NotAllowed,
    PolicyChanged,
    ReasonMissing,
)
from mfa_gate.flows.visitor import Visitor
from mfa_gate.ports import Change, Directory, Policies

SETUP_CODE_SECONDS = 24 * 3600
PAGE = 500


class Administration:
    """One per process. `policy_changed` makes this process forget the policy."""

    def __init__(
        self,
        authority: Authority,
        policies: Policies,
        committer: Committer,
        directory: Directory,
        desk: CodeDesk,
        *,
        policy_changed: Callable[[], None],
    ) -> None:
        self._authority = authority
        self._policies = policies
        self._committer = committer
        self._directory = directory
        self._desk = desk
        self._policy_changed = policy_changed

    def set_policy(
        self,
        visitor: Visitor,
        changes: PolicyChanges,
        *,
        version: int | None,
        confirmation: Confirmation | None,
        now: int,
        reason: str = "",
    ) -> PolicyChanged | Conflict | Unfit | NeedsVerification | NotAllowed | Rejected | Paused:
        """Change the policy; saving what stands already writes nothing.

        Administrators only, verified within 900 s. `version` is the one that the form was made from; None: whatever
        it is. What weakens it needs a code of the app in the same request: without one, `NeedsVerification(0)`.
        """
        me = self._authority.enters(visitor, "set_policy", "", now, roles=ADMINS)
        if isinstance(me, NotAllowed | NeedsVerification):
            return me
        # An administrator with a fresh session by app is enrolled: nobody locks himself out by turning it on.
        before = self._policies.policy()
        if version is not None and version != before.version:
            return Conflict(policy=before)
        after = changed(before, changes, now)
        if isinstance(after, Unfit):
            return after
        if not differences(before, after):
            return PolicyChanged(policy=before, before=before)
        if weakens(before, after):
            refusal = self._authority.confirmed(me, confirmation, now)
            if refusal is not None:
                return refusal
        return self._write(before, after, me.actor, clean_reason(reason) or "", now)

    def set_policy_from_shell(
        self, os_user: str, reason: str, changes: PolicyChanges, *, now: int
    ) -> PolicyChanged | Conflict | Unfit | ReasonMissing | NotAllowed:
        """The same by somebody on the server's own shell, with a reason and without a code.

        Turning on is `NotAllowed("no_administrator_enrolled")` unless a listed administrator has two-step.
        """
        given = clean_reason(reason)
        if given is None:
            return ReasonMissing()
        before = self._policies.policy()
        after = changed(before, changes, now)
        if isinstance(after, Unfit):
            return after
        if not differences(before, after):
            return PolicyChanged(policy=before, before=before)
        turned_on = after.require_two_step and not before.require_two_step
        if turned_on and not self._an_administrator_is_enrolled(now):
            return NotAllowed(reason="no_administrator_enrolled")
        return self._write(before, after, shell(os_user), given, now)

    def make_setup_code(self, os_user: str, realm: str, subject: str, now: int) -> MadeSetupCode | NotAllowed:
        """The one-time code for an administrator's first enrollment: 80 bits, 24 hours, voids an earlier one.

        Makes the record of somebody never seen; `subject` must then be spelled as the portal spells it.
        `NotAllowed("not_listed")`: the settings name no such administrator; `("already_set_up")`: reset them first.
        """
        named = account_id(realm, subject)
        code, code_hash = self._desk.new_setup_code(named)
        expires_at = now + SETUP_CODE_SECONDS

        def plan(found: Account | None) -> tuple[Change | None, MadeSetupCode | NotAllowed]:
            account = found or Account(id=named, realm=realm, subject=subject)
            if self._authority.role_on_record(account) is None:
                return None, NotAllowed(reason="not_listed")
            if account.has_factor:
                return None, NotAllowed(reason="already_set_up")
            after, events = given_setup_code(account, code_hash, expires_at, shell(os_user), now)
            made = MadeSetupCode(code=code, expires_at=expires_at, account=after)
            return Change(account=after, events=events), made

        return self._committer.run(named, plan, now)

    def _write(
        self, before: Policy, after: Policy, actor: Actor, reason: str, now: int
    ) -> PolicyChanged | Conflict:
        signed = replace(after, changed_at=now, changed_by=actor.shown, changed_why=reason)
        event = policy_changed(before, signed, actor, now, reason)
        try:
            return PolicyChanged(policy=self._policies.commit_policy(signed, (event,), now), before=before)
        except StaleState:
            return Conflict(policy=self._policies.policy())
        finally:
            self._policy_changed()

    def _an_administrator_is_enrolled(self, now: int) -> bool:
        after: Place | None = None
        while True:
            page = self._directory.people(Filter(statuses=("enrolled",)), after=after, limit=PAGE, now=now)
            if any(
                row.account.has_factor and self._authority.role_on_record(row.account) == "admin"
                for row in page.rows
            ):
                return True
            after = page.next
            if after is None:
                return False
