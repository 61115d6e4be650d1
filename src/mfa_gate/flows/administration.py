"""What administrators and the help desk do: change the policy, reset people, sign them out, make setup codes.

Who administers comes from the settings alone (`role_of`), each time anew; never from a record. It knows no HTTP.
Every act that is refused for who asks is recorded. Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable
from typing import Literal

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.errors import StaleState
from mfa_gate.core.events import Actor
from mfa_gate.core.policy import Policy
from mfa_gate.core.transitions import (
    Accepted,
    Paused,
    Rejected,
    given_setup_code,
    signed_out_everywhere,
)
from mfa_gate.factors.peppers import Peppers
from mfa_gate.flows.acting import clean_reason, is_account_id, refused_act, requirement_set, reset_of, shell
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.proving import CodeDesk, as_of, change_of, present
from mfa_gate.flows.results import (
    Confirmation,
    Conflict,
    MadeSetupCode,
    NeedsVerification,
    NotAllowed,
    NotFound,
    PolicyChanged,
    ReasonMissing,
    SignedOut,
    WasReset,
    Why,
)
from mfa_gate.flows.visitor import ADMIN_SECONDS, FRESH_SECONDS, Visitor
from mfa_gate.ports import Accounts, Change, Directory, Policies

Role = Literal["admin", "help_desk"]
SETUP_CODE_SECONDS = 24 * 3600
PAGE = 500


class Administration:
    """One per process. `role_of` reads the settings; `policy_changed` makes this process forget the policy."""

    def __init__(
        self,
        policies: Policies,
        accounts: Accounts,
        committer: Committer,
        directory: Directory,
        *,
        pepper: Peppers | bytes,
        random: Callable[[int], bytes],
        role_of: Callable[[Account], Role | None],
        policy_changed: Callable[[], None],
    ) -> None:
        self._policies = policies
        self._accounts = accounts
        self._committer = committer
        self._directory = directory
        self._desk = CodeDesk(pepper=pepper, random=random)
        self._role_of = role_of
        self._policy_changed = policy_changed

    def admits(
        self, visitor: Visitor, now: int, max_age: int = ADMIN_SECONDS
    ) -> Role | NotAllowed | NeedsVerification:
        """The one question at the door of every page and call of administration: the role, or what is missing.

        Needs a verification by app of at most `max_age` seconds. Records nothing.
        """
        role = self._role_of(visitor.account)
        if role is None:
            return NotAllowed(reason="not_allowed")
        return role if visitor.may("administer", now, max_age) else NeedsVerification(max_age=max_age)

    def set_policy(
        self,
        visitor: Visitor,
        *,
        require_two_step: bool,
        version: int | None,
        confirmation: Confirmation | None,
        now: int,
    ) -> PolicyChanged | Conflict | NeedsVerification | NotAllowed | Rejected | Paused:
        """Turn the requirement on or off; saving what stands already writes nothing.

        Administrators only, verified within 900 s. `version` is the one that the form was made from; None: whatever
        it is. Turning off needs a code of the app in the same request: without one, `NeedsVerification(0)`.
        """
        me = self._me(visitor, now)
        admitted = self.admits(me, now)
        if admitted == "help_desk":
            admitted = NotAllowed(reason="not_allowed")
        if isinstance(admitted, NotAllowed):
            return self._refused(me, "set_policy", "", admitted.reason, now)
        if isinstance(admitted, NeedsVerification):
            return admitted
        # An administrator with a fresh session by app is enrolled: nobody locks himself out by turning it on.
        policy = self._policies.policy()
        if version is not None and version != policy.version:
            return Conflict(policy=policy)
        if policy.require_two_step == require_two_step:
            return PolicyChanged(policy=policy, before=policy)
        if not require_two_step:
            refusal = self._confirmed(me, confirmation, now)
            if refusal is not None:
                return refusal
        return self._write(policy, me.actor, now, require_two_step=require_two_step)

    def set_policy_from_shell(
        self, os_user: str, reason: str, *, require_two_step: bool, now: int
    ) -> PolicyChanged | Conflict | ReasonMissing | NotAllowed:
        """The same by somebody on the server's own shell, with a reason and without a code.

        Turning on is `NotAllowed("no_administrator_enrolled")` unless a listed administrator has two-step.
        """
        given = clean_reason(reason)
        if given is None:
            return ReasonMissing()
        policy = self._policies.policy()
        if policy.require_two_step == require_two_step:
            return PolicyChanged(policy=policy, before=policy)
        if require_two_step and not self._an_administrator_is_enrolled(now):
            return NotAllowed(reason="no_administrator_enrolled")
        return self._write(policy, shell(os_user), now, require_two_step=require_two_step, reason=given)

    def why_not_reset(self, visitor: Visitor, target: Account) -> Why | None:
        """Why this visitor cannot reset `target`, freshness aside; None if they can. For the page as for the act."""
        return self._why_not(visitor, target) or (None if target.has_factor else "nothing_set_up")

    def why_not_sign_out(self, visitor: Visitor, target: Account) -> Why | None:
        """Why this visitor cannot end the sessions of `target`, freshness aside; None if they can."""
        return self._why_not(visitor, target)

    def reset(
        self, visitor: Visitor, account_id: str, reason: str, now: int
    ) -> WasReset | NotFound | NotAllowed | NeedsVerification | ReasonMissing:
        """Remove somebody's factors, codes, sessions and counters; the setup wizard comes next for them.

        The help desk resets ordinary people only, and nobody themselves (W18). Needs a verification of at most 300 s.
        """
        me = self._me(visitor, now)
        admitted = self.admits(me, now, FRESH_SECONDS)
        if isinstance(admitted, NotAllowed):
            return self._refused(me, "reset", account_id, admitted.reason, now)
        if isinstance(admitted, NeedsVerification):
            return admitted
        if not is_account_id(account_id):
            return NotFound()
        given = clean_reason(reason)

        def plan(
            target: Account | None,
        ) -> tuple[Change | None, WasReset | NotFound | NotAllowed | ReasonMissing]:
            if target is None:
                return None, NotFound()
            why = self.why_not_reset(me, target)
            if why is not None:
                return None, NotAllowed(reason=why)
            return (None, ReasonMissing()) if given is None else reset_of(target, me.actor, given, now)

        answer = self._committer.run(account_id, plan, now)
        if isinstance(answer, NotAllowed) and answer.reason != "nothing_set_up":
            return self._refused(me, "reset", account_id, answer.reason, now)
        return answer

    def reset_from_shell(
        self, os_user: str, account_id: str, reason: str, now: int
    ) -> WasReset | NotFound | NotAllowed | ReasonMissing:
        """The same by somebody on the server's own shell: of anybody, with a reason."""
        given = clean_reason(reason)
        if given is None:
            return ReasonMissing()
        if not is_account_id(account_id):
            return NotFound()

        def plan(target: Account | None) -> tuple[Change | None, WasReset | NotFound | NotAllowed]:
            if target is None:
                return None, NotFound()
            if not target.has_factor:
                return None, NotAllowed(reason="nothing_set_up")
            return reset_of(target, shell(os_user), given, now)

        return self._committer.run(account_id, plan, now)

    def sign_out_person(
        self, visitor: Visitor, account_id: str, now: int
    ) -> SignedOut | NotFound | NotAllowed | NeedsVerification:
        """End every session of somebody; who may do so is as for a reset, verified within 900 s."""
        me = self._me(visitor, now)
        admitted = self.admits(me, now)
        if isinstance(admitted, NotAllowed):
            return self._refused(me, "sign_out", account_id, admitted.reason, now)
        if isinstance(admitted, NeedsVerification):
            return admitted
        if not is_account_id(account_id):
            return NotFound()
        ended = len(self._accounts.sessions(account_id, now))

        def plan(target: Account | None) -> tuple[Change | None, SignedOut | NotFound | NotAllowed]:
            if target is None:
                return None, NotFound()
            why = self.why_not_sign_out(me, target)
            if why is not None:
                return None, NotAllowed(reason=why)
            after, events = signed_out_everywhere(target, me.actor, now)
            return Change(account=after, events=events, end_sessions="all"), SignedOut(ended=ended)

        answer = self._committer.run(account_id, plan, now)
        if isinstance(answer, NotAllowed):
            return self._refused(me, "sign_out", account_id, answer.reason, now)
        return answer

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
            if self._role_of(account) is None:
                return None, NotAllowed(reason="not_listed")
            if account.has_factor:
                return None, NotAllowed(reason="already_set_up")
            after, events = given_setup_code(account, code_hash, expires_at, shell(os_user), now)
            made = MadeSetupCode(code=code, expires_at=expires_at, account=after)
            return Change(account=after, events=events), made

        return self._committer.run(named, plan, now)

    def _me(self, visitor: Visitor, now: int) -> Visitor:
        return as_of(visitor, present(self._accounts.account(visitor.account.id)), now)

    def _why_not(self, visitor: Visitor, target: Account) -> Why | None:
        role = self._role_of(visitor.account)
        if role is None:
            return "not_allowed"
        if target.id == visitor.account.id:
            return "yourself"
        # Security: who can reset a superior can become one, with the superior's password (CVE-2026-94001).
        if role == "help_desk" and self._role_of(target) is not None:
            return "administrator"
        return None

    def _confirmed(
        self, me: Visitor, confirmation: Confirmation | None, now: int
    ) -> NeedsVerification | NotAllowed | Rejected | Paused | None:
        """Spend the code that a critical act carries; None if it was right.

        # Security: a page of the portal can ride an administrator's session, but it has no code (design §7).
        """
        if confirmation is None:
            return NeedsVerification(max_age=0)
        if confirmation.factor != "totp":
            return NotAllowed(reason="no_such_factor")

        def plan(
            found: Account | None,
        ) -> tuple[Change | None, NeedsVerification | Rejected | Paused | None]:
            account = present(found)
            current = as_of(me, account, now)
            if not current.may("administer", now, ADMIN_SECONDS):
                return None, NeedsVerification(max_age=ADMIN_SECONDS)
            step = self._desk.judge(account, "totp", confirmation.code, current.attempt(now), me.policy)
            return change_of(account, step), None if isinstance(step.result, Accepted) else step.result

        return self._committer.run(me.account.id, plan, now)

    def _write(
        self, before: Policy, actor: Actor, now: int, *, require_two_step: bool, reason: str = ""
    ) -> PolicyChanged | Conflict:
        after, changed = requirement_set(before, actor, now, require_two_step=require_two_step, reason=reason)
        try:
            return PolicyChanged(policy=self._policies.commit_policy(after, (changed,), now), before=before)
        except StaleState:
            return Conflict(policy=self._policies.policy())
        finally:
            self._policy_changed()

    def _an_administrator_is_enrolled(self, now: int) -> bool:
        after: str | None = None
        while True:
            page = self._directory.people(status="enrolled", prefix="", after=after, limit=PAGE, now=now)
            if any(row.account.has_factor and self._role_of(row.account) == "admin" for row in page.rows):
                return True
            after = page.next
            if after is None:
                return False

    def _refused(self, me: Visitor, act: str, target: str, why: Why, now: int) -> NotAllowed:
        account = self._accounts.account(target) if is_account_id(target) else None
        self._policies.record((refused_act(act, me.actor, account, why, now),), now)
        return NotAllowed(reason=why)
