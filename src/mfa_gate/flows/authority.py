"""Who may administer whom, how freshly verified, and whether they gave a code for it; every refusal is recorded.

Who administers comes from the settings alone (`role_of`), each time anew. It knows neither HTTP nor what the act is.
Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable, Collection
from typing import Literal

from mfa_gate.core.accounts import Account, Identity
from mfa_gate.core.transitions import Accepted, Paused, Rejected
from mfa_gate.flows.acting import is_account_id, refused_act
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.proving import CodeDesk, as_of, change_of, present
from mfa_gate.flows.results import Confirmation, NeedsVerification, NotAllowed, Why
from mfa_gate.flows.visitor import ADMIN_SECONDS, Visitor
from mfa_gate.ports import Accounts, Change, Policies

Role = Literal["admin", "help_desk"]
EVERYBODY: tuple[Role, ...] = ("admin", "help_desk")
ADMINS: tuple[Role, ...] = ("admin",)


class Authority:
    """One per process. `role_of` reads the settings."""

    def __init__(
        self,
        accounts: Accounts,
        policies: Policies,
        committer: Committer,
        desk: CodeDesk,
        *,
        role_of: Callable[[Identity | Account], Role | None],
    ) -> None:
        self._accounts = accounts
        self._policies = policies
        self._committer = committer
        self._desk = desk
        self._role_of = role_of

    def role(self, visitor: Visitor) -> Role | None:
        """What this visitor may administer.

        # Security: by what their source says now. A record still has the groups of the last source that told any.
        """
        return self._role_of(visitor.identity)

    def role_on_record(self, account: Account) -> Role | None:
        """What somebody may administer who is not here to say it: by the groups that were last told of them."""
        return self._role_of(account)

    def admits(
        self, visitor: Visitor, now: int, max_age: int = ADMIN_SECONDS
    ) -> Role | NotAllowed | NeedsVerification:
        """The one question at the door of every page and call of administration: the role, or what is missing.

        Needs a verification by app of at most `max_age` seconds. Records nothing.
        """
        role = self.role(visitor)
        if role is None:
            return NotAllowed(reason="not_allowed")
        return role if visitor.may("administer", now, max_age) else NeedsVerification(max_age=max_age)

    def enters(
        self,
        visitor: Visitor,
        act: str,
        target: str,
        now: int,
        *,
        max_age: int = ADMIN_SECONDS,
        roles: Collection[Role] = EVERYBODY,
    ) -> Visitor | NotAllowed | NeedsVerification:
        """The visitor as they stand in the store now, if they may do `act` at all. `target`: account id, or empty."""
        me = as_of(visitor, present(self._accounts.account(visitor.account.id)), now)
        if self.role(me) not in roles:
            return self.refused(me, act, target, "not_allowed", now)
        admitted = self.admits(me, now, max_age)
        return admitted if isinstance(admitted, NotAllowed | NeedsVerification) else me

    def why_not(self, visitor: Visitor, target: Account) -> Why | None:
        """Why this visitor may do nothing to `target`, freshness aside; None if they may."""
        role = self.role(visitor)
        if role is None:
            return "not_allowed"
        if target.id == visitor.account.id:
            return "yourself"
        # Security: who can reset a superior can become one, with the superior's password (CVE-2026-94001).
        if role == "help_desk" and self.role_on_record(target) is not None:
            return "administrator"
        return None

    def confirmed(
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

    def refused(self, me: Visitor, act: str, target: str, why: Why, now: int) -> NotAllowed:
        """Record that `me` tried what they may not do."""
        account = self._accounts.account(target) if is_account_id(target) else None
        self._policies.record((refused_act(act, me.actor, account, why, now),), now)
        return NotAllowed(reason=why)
