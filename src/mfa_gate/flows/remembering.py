"""Browsers that are remembered: after a code, in place of the next one, and until somebody forgets them.

It knows no cookie and no page. Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable

from mfa_gate.core.accounts import Account, FactorKind, RememberedBrowser
from mfa_gate.core.assurance import powers
from mfa_gate.core.events import Event
from mfa_gate.core.remembered import (
    SALT_BYTES,
    Copied,
    Held,
    forgotten,
    recognize,
    remembered,
    trusted,
    trusted_until,
)
from mfa_gate.core.sessions import Session
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.proving import ID_BYTES, as_of, open_session, present
from mfa_gate.flows.results import Admitted, Forgotten, Kept, NeedsVerification, NotFound, Rejected
from mfa_gate.flows.visitor import FRESH_SECONDS, Visitor
from mfa_gate.ports import Accounts, Change


def keep(
    me: Visitor, account: Account, factor: FactorKind, fresh: Held | None, now: int
) -> tuple[Account, tuple[Event, ...], Kept | None]:
    """The account after `factor` was confirmed in a browser that is to hold `fresh`, if it may be remembered."""
    # Security: a recovery code proves no device, and is no more than one sign-in (E18).
    allowed = me.client == "web" and me.policy.remember_seconds and "remember" in powers(factor)
    if fresh is None or not allowed:
        return account, (), None
    after, events = remembered(
        account,
        me.policy,
        fresh,
        factor,
        instead_of=me.held,
        actor=me.actor,
        user_agent=me.user_agent,
        now=now,
    )
    return after, events, Kept(held=fresh, until=now + me.policy.remember_seconds)


def held_in(account: Account, held: Held | None) -> RememberedBrowser | None:
    """The browser of this account that holds this."""
    return next((each for each in account.remembered if held is not None and each.id == held.id), None)


class Remembering:
    """One per process. `random(n)` gives n random bytes."""

    def __init__(
        self, accounts: Accounts, committer: Committer, *, random: Callable[[int], bytes], store_id: str
    ) -> None:
        self._accounts = accounts
        self._committer = committer
        self._random = random
        self._store_id = store_id

    def admit(self, visitor: Visitor, now: int) -> Admitted | Rejected:
        """A session without a code, where this browser is remembered; its token is exchanged in the same commit.

        `Rejected`: it is not, whyever. Of a copy that is noticed the browser is forgotten, and its sessions end.
        """
        shown = visitor.held
        if shown is None or visitor.client != "web":
            return Rejected()
        session_id, salt = self._random(ID_BYTES).hex(), self._random(SALT_BYTES)

        def plan(found: Account | None) -> tuple[Change | None, Admitted | Rejected]:
            me = as_of(visitor, present(found), now)
            result = recognize(
                me.account, me.policy, shown, salt=salt, actor=me.actor, user_agent=me.user_agent, now=now
            )
            if result is None:
                return None, Rejected()
            if isinstance(result, Copied):
                ending = self._sessions_in((result.browser,), me.account.id, now)
                return Change(account=result.account, events=result.events, end_sessions=ending), Rejected()
            opened = open_session(
                me,
                result.account,
                "remembered_browser",
                session_id=session_id,
                store_id=self._store_id,
                now=now,
                browser=result.browser,
            )
            change = Change(
                account=result.account,
                events=result.events,
                open_session=opened.session,
                end_sessions=() if me.session is None else (me.session.key,),
            )
            kept = Kept(held=result.held, until=trusted_until(result.browser, me.policy))
            return change, Admitted(opened=opened, kept=kept)

        return self._committer.run(visitor.account.id, plan, now)

    def browsers(self, visitor: Visitor, now: int) -> tuple[RememberedBrowser, ...]:
        """One's own that count, the newest first; none are told to a visitor who is not verified."""
        if visitor.session is None:
            return ()
        return trusted(visitor.account, visitor.policy, now)[::-1]

    def forget(
        self, visitor: Visitor, handle: str | None, now: int
    ) -> Forgotten | NotFound | NeedsVerification:
        """Forget one of one's own, by its `RememberedBrowser.handle`, or all; other sessions opened in them end.

        This session goes on until its own end if a factor was confirmed in it, and is over if not.
        """
        if visitor.session is None:
            return NeedsVerification(max_age=FRESH_SECONDS)
        current = visitor.session.key

        def plan(found: Account | None) -> tuple[Change | None, Forgotten | NotFound]:
            account = present(found)
            gone = tuple(each for each in account.remembered if handle in {None, each.handle})
            if handle is not None and not gone:
                return None, NotFound()
            after, events = forgotten(account, gone, visitor.actor, now)
            ending = tuple(key for key in self._sessions_in(gone, account.id, now) if key != current)
            change = Change(account=after, events=events, end_sessions=ending)
            return change if events else None, Forgotten(browsers=len(gone))

        return self._committer.run(visitor.account.id, plan, now)

    def _sessions_in(
        self, browsers: tuple[RememberedBrowser, ...], account_id: str, now: int
    ) -> tuple[str, ...]:
        return opened_in(browsers, self._accounts.sessions(account_id, now))


def opened_in(browsers: tuple[RememberedBrowser, ...], sessions: tuple[Session, ...]) -> tuple[str, ...]:
    """Keys of those sessions that were opened in these browsers. One that is opened meanwhile dies with its browser."""
    ids = {each.id for each in browsers}
    return tuple(session.key for session in sessions if session.browser in ids)
