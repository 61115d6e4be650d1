"""What people do about their own two-step: set it up, verify, make new codes, turn it off, end sessions.

It knows no HTTP. Every method decides inside one commit on the account, so that whatever races, a code or a challenge
is spent once, and an answer is true when it is given. Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Totp
from mfa_gate.core.places import came_from
from mfa_gate.core.policy import allowed_factors, is_put_off, standing
from mfa_gate.core.remembered import forgotten
from mfa_gate.core.sessions import Challenge, Session
from mfa_gate.core.transitions import (
    Accepted,
    Paused,
    Rejected,
    event,
    put_off,
    renewed_codes,
    signed_out_everywhere,
    turned_off,
)
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.enrolling import CHALLENGE_SECONDS, app_name, begin, confirm, is_usable, started
from mfa_gate.flows.proving import FACTORS, CodeDesk, as_of, change_of, open_session, present, still_open
from mfa_gate.flows.remembering import held_in, keep
from mfa_gate.flows.results import (
    Codes,
    Confirmation,
    Enrolled,
    NeedsVerification,
    NotAllowed,
    NotFound,
    PutOff,
    SignedOut,
    Started,
    TurnedOff,
    Unconfirmed,
    Verified,
)
from mfa_gate.flows.visitor import FRESH_SECONDS, Visitor
from mfa_gate.ports import Accounts, Change

LONGEST_ID = 128


class SelfService:
    """One per process. `issuer` is the portal's name in authenticator apps; `random(n)` gives n random bytes."""

    def __init__(
        self,
        accounts: Accounts,
        committer: Committer,
        *,
        desk: CodeDesk,
        issuer: str,
        store_id: str,
        needs_setup_code: Callable[[Account], bool],
    ) -> None:
        self._accounts = accounts
        self._committer = committer
        self._desk = desk
        self._issuer = issuer
        self._store_id = store_id
        self.needs_setup_code = needs_setup_code
        """Whether somebody's first enrollment, now or after a reset, needs the code from the server's shell."""

    def asks_setup_code(self, account: Account) -> bool:
        """True if this account's first enrollment needs the code that `init` or `admin-code` printed."""
        return not account.has_factor and self.needs_setup_code(account)

    def start_enrollment(
        self, visitor: Visitor, holder: str, setup_code: str, now: int
    ) -> Started | Rejected | Paused | NeedsVerification | NotAllowed:
        """Begin a first enrollment, or the replacement of an app; always with a new secret and challenge.

        `holder` names the browser or API client, at best by a signed cookie; nobody else can see or confirm it.
        A replacement needs a verification of at most 300 s (`NeedsVerification`). `setup_code` is looked at only where
        `asks_setup_code`; empty there is `NotAllowed("setup_code_required")`, a wrong one `Rejected`, counted.
        """
        draft = Challenge(
            id=self._desk.new_id(),
            account_id=visitor.account.id,
            epoch=0,
            holder=holder,
            secret=self._desk.new_secret(),
            created_at=now,
            expires_at=now + CHALLENGE_SECONDS,
        )

        def plan(
            found: Account | None,
        ) -> tuple[Change | None, Started | Rejected | Paused | NeedsVerification | NotAllowed]:
            account = present(found)
            return begin(
                as_of(visitor, account, now),
                replace(draft, epoch=account.epoch),
                setup_code,
                self._desk,
                self._issuer,
                proving=self.asks_setup_code(account),
                now=now,
            )

        return self._committer.run(visitor.account.id, plan, now)

    def shown_enrollment(
        self, visitor: Visitor, holder: str, challenge_id: str, now: int
    ) -> Started | NotFound:
        """The same enrollment again, for the same holder, while it can be confirmed."""
        account = present(self._accounts.account(visitor.account.id))
        challenge = self._challenge(as_of(visitor, account, now), holder, challenge_id, now)
        return NotFound() if challenge is None else started(account, challenge, self._issuer)

    def confirm_enrollment(  # noqa: PLR0917 - each is one field of the request
        self, visitor: Visitor, holder: str, challenge_id: str, code: str, name: str, now: int
    ) -> Enrolled | Unconfirmed | NotFound | NeedsVerification:
        """Finish an enrollment: factor, recovery codes, session and the new epoch in one commit, or nothing.

        `name` is what the person calls the app; may be empty. A code that does not fit is `Unconfirmed` (a kind of
        `Rejected`), five times at most. An empty code, or one longer than 64 characters, is not counted.
        """
        draft = Totp(id=self._desk.new_id(8), name=app_name(name), secret=b"", added_at=now)
        codes = self._desk.new_recovery_codes(visitor.account.id)
        session_id = self._desk.new_id()

        def plan(
            found: Account | None,
        ) -> tuple[Change | None, Enrolled | Unconfirmed | NotFound | NeedsVerification]:
            me = as_of(visitor, present(found), now)
            challenge = self._challenge(me, holder, challenge_id, now)
            if challenge is None:
                return None, NotFound()
            self._desk.hold_clock()
            return confirm(
                me,
                challenge,
                code,
                factor=draft,
                codes=codes,
                session_id=session_id,
                store_id=self._store_id,
                now=now,
            )

        return self._committer.run(visitor.account.id, plan, now)

    def verify(
        self, visitor: Visitor, factor: str, code: str, now: int, *, remember: bool = False
    ) -> Verified | Rejected | Paused | NotAllowed:
        """Judge one code; a right one is spent and opens a new session in place of this browser's earlier one.

        `factor` may be any text that a client sends. `NotAllowed` (no such factor) must look like `Rejected` outside.
        An empty code, or one longer than 64 characters, is `Rejected` and not counted. `remember`: this browser is not
        to be asked again at sign-in; done in the same commit where policy and factor allow it.
        """
        session_id = self._desk.new_id()
        fresh = self._desk.new_browser() if remember else None
        kind = FACTORS.get(factor)

        def plan(found: Account | None) -> tuple[Change | None, Verified | Rejected | Paused | NotAllowed]:
            account = present(found)
            me = as_of(visitor, account, now)
            if not account.active:
                return None, NotAllowed(reason="inactive")
            if kind is None or kind not in allowed_factors(account, me.policy) or not account.has_factor:
                return None, NotAllowed(reason="no_such_factor")
            step = self._desk.judge(account, kind, code, me.attempt(now), me.policy)
            if not isinstance(step.result, Accepted):
                return change_of(account, step), step.result
            # Security: a new random id each time, and the one that came with the request dies (F03, fixation).
            after, elsewhere = came_from(step.account, me.actor, me.user_agent, now)
            after, told, kept = keep(me, after, kind, fresh, now)
            opened = open_session(
                me,
                after,
                kind,
                session_id=session_id,
                store_id=self._store_id,
                now=now,
                browser=held_in(after, kept.held if kept else me.held),
            )
            change = Change(
                account=after,
                events=(*step.events, *elsewhere, *told),
                open_session=opened.session,
                end_sessions=() if me.session is None else (me.session.key,),
            )
            left = len(step.account.recovery.hashes) if step.account.recovery else 0
            return change, Verified(opened=opened, recovery_left=left, kept=kept)

        return self._committer.run(visitor.account.id, plan, now)

    def renew_codes(self, visitor: Visitor, now: int) -> Codes | NeedsVerification:
        """Ten new recovery codes in place of the old ones; needs a verification by app of at most 300 s."""
        codes, hashes = self._desk.new_recovery_codes(visitor.account.id)

        def plan(found: Account | None) -> tuple[Change | None, Codes | NeedsVerification]:
            me = as_of(visitor, present(found), now)
            if not me.account.has_factor or not me.may("manage_factors", now):
                return None, NeedsVerification(max_age=FRESH_SECONDS)
            after, events = renewed_codes(me.account, hashes, me.actor, now)
            return Change(account=after, events=events), Codes(codes=codes)

        return self._committer.run(visitor.account.id, plan, now)

    def turn_off(
        self, visitor: Visitor, confirmation: Confirmation, now: int
    ) -> TurnedOff | Rejected | Paused | NotAllowed | NeedsVerification:
        """Turn two-step off: a code of the app is spent and everything is removed in one commit.

        `NotAllowed("required")` while the policy asks it of everybody; `NotAllowed("no_such_factor")` for a recovery
        code or where nothing is set up; `NeedsVerification` without a live session.
        """

        def plan(
            found: Account | None,
        ) -> tuple[Change | None, TurnedOff | Rejected | Paused | NotAllowed | NeedsVerification]:
            account = present(found)
            me = as_of(visitor, account, now)
            if standing(account, me.policy, now).required:
                return None, NotAllowed(reason="required")
            if not account.has_factor or confirmation.factor != "totp":
                return None, NotAllowed(reason="no_such_factor")
            if me.session is None:
                return None, NeedsVerification(max_age=FRESH_SECONDS)
            step = self._desk.judge(account, "totp", confirmation.code, me.attempt(now), me.policy)
            if not isinstance(step.result, Accepted):
                return change_of(account, step), step.result
            after, events = turned_off(step.account, me.actor, now)
            return Change(account=after, events=(*step.events, *events), end_sessions="all"), TurnedOff()

        return self._committer.run(visitor.account.id, plan, now)

    def put_off(self, visitor: Visitor, now: int) -> PutOff | NotAllowed:
        """Set up two-step later; written down where there is a deadline, `NotAllowed("required")` where it is over."""

        def plan(found: Account | None) -> tuple[Change | None, PutOff | NotAllowed]:
            account = present(found)
            stands = standing(account, visitor.policy, now)
            if stands.required and not account.has_factor:
                return None, NotAllowed(reason="required")
            # The trail names the first "later" of a working day, however often it is clicked.
            if stands.status != "grace" or is_put_off(account, now):
                return None, PutOff()
            after, events = put_off(account, visitor.actor, now)
            return Change(account=after, events=events), PutOff()

        return self._committer.run(visitor.account.id, plan, now)

    def sessions(self, visitor: Visitor, now: int) -> tuple[Session, ...]:
        """One's own live sessions, newest first; none are told to a visitor who is not verified."""
        if visitor.session is None:
            return ()
        found = self._accounts.sessions(visitor.account.id, now)
        return still_open(found, visitor.account, visitor.policy, now)

    def end_session(
        self, visitor: Visitor, handle: str, now: int
    ) -> SignedOut | NotFound | NeedsVerification:
        """End one of one's own sessions, by its `Session.handle`. Somebody else's is `NotFound` (E12).

        A remembered browser in which it was opened is forgotten, or it would open the next one.
        """
        if visitor.session is None:
            return NeedsVerification(max_age=FRESH_SECONDS)
        ending = tuple(each for each in self.sessions(visitor, now) if each.handle == handle)
        if not ending:
            return NotFound()
        return self._end(visitor, ending, now, why="ended by its owner")

    def end_other_sessions(self, visitor: Visitor, now: int) -> SignedOut | NeedsVerification:
        """End all of one's own sessions but this one, and forget all browsers but this one."""
        current = visitor.session
        if current is None:
            return NeedsVerification(max_age=FRESH_SECONDS)
        others = tuple(session for session in self.sessions(visitor, now) if session.key != current.key)
        return self._end(visitor, others, now, why="all others ended by their owner", all_others=True)

    def sign_out_everywhere(self, visitor: Visitor, now: int) -> SignedOut | NeedsVerification:
        """End every session that was ever made, this one too, by raising the epoch."""
        ended = len(self.sessions(visitor, now))

        def plan(found: Account | None) -> tuple[Change | None, SignedOut | NeedsVerification]:
            me = as_of(visitor, present(found), now)
            if me.session is None:
                return None, NeedsVerification(max_age=FRESH_SECONDS)
            after, events = signed_out_everywhere(me.account, me.actor, now)
            return Change(account=after, events=events, end_sessions="all"), SignedOut(ended=ended)

        return self._committer.run(visitor.account.id, plan, now)

    def sign_out(self, visitor: Visitor, now: int) -> SignedOut:
        """End the session of this browser; without one there is nothing to do. The caller drops the cookie."""
        session = visitor.session
        if session is None:
            return SignedOut(ended=0)

        def plan(found: Account | None) -> tuple[Change | None, SignedOut]:
            account = present(found)
            gone = event(account, "signed_out", visitor.actor, now)
            change = Change(account=account, events=(gone,), end_sessions=(session.key,))
            return change, SignedOut(ended=1)

        return self._committer.run(visitor.account.id, plan, now)

    def _end(
        self,
        visitor: Visitor,
        ending: tuple[Session, ...],
        now: int,
        *,
        why: str,
        all_others: bool = False,
    ) -> SignedOut:
        keys = tuple(session.key for session in ending)
        ids = {session.browser for session in ending}
        this = visitor.held.id if visitor.held else b""

        def plan(found: Account | None) -> tuple[Change | None, SignedOut]:
            account = present(found)
            browsers = tuple(
                each for each in account.remembered if (each.id != this if all_others else each.id in ids)
            )
            after, events = forgotten(account, browsers, visitor.actor, now)
            if keys:
                gone = event(account, "session_ended", visitor.actor, now, why=why, number=len(keys))
                events = (gone, *events)
            change = Change(account=after, events=events, end_sessions=keys)
            return change if events else None, SignedOut(ended=len(keys))

        return self._committer.run(visitor.account.id, plan, now)

    def _challenge(self, me: Visitor, holder: str, challenge_id: str, now: int) -> Challenge | None:
        if not 0 < len(challenge_id) <= LONGEST_ID or not challenge_id.isascii():
            return None
        challenge = self._accounts.challenge(challenge_id, me.account.id, now)
        if challenge is None:
            return None
        proving = self.asks_setup_code(me.account)
        return challenge if is_usable(challenge, me, holder, proving=proving, now=now) else None
