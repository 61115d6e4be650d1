"""What administrators and the help desk do for one person: reset them, sign them out, make an exception for a while.

Every act carries a reason and is one commit on the person's record: done or not done. It knows no HTTP; who may is
`Authority`'s to say. Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from mfa_gate.core.accounts import Account, RememberedBrowser
from mfa_gate.core.administering import (
    lost_device,
    lost_exemption,
    lost_session,
    was_exempted,
    was_reset,
    was_signed_out,
)
from mfa_gate.core.devices import named
from mfa_gate.core.events import Actor
from mfa_gate.core.policy import is_exempt
from mfa_gate.core.remembered import forgotten
from mfa_gate.core.sessions import Session
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.flows.acting import clean_reason, is_account_id, shell
from mfa_gate.flows.authority import ADMINS, EVERYBODY, Authority, Role
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.remembering import opened_in
from mfa_gate.flows.results import (
    Confirmation,
    Done,
    EndRefused,
    NeedsVerification,
    NotAllowed,
    NotFound,
    Overtaken,
    ReasonMissing,
    Why,
)
from mfa_gate.flows.visitor import ADMIN_SECONDS, FRESH_SECONDS, Visitor
from mfa_gate.ports import Accounts, Change, Policies


class Reset(msgspec.Struct, frozen=True):
    """Factors, codes, sessions and counters go; the setup wizard comes next for the person."""


class SignOut(msgspec.Struct, frozen=True):
    """Every session ends, or the one whose `Session.handle` this is."""

    session: str | None = None


class ForgetBrowser(msgspec.Struct, frozen=True):
    """The browser whose `RememberedBrowser.handle` this is, or every one, is forgotten; sessions opened in it end."""

    browser: str | None = None


class RemoveDevice(msgspec.Struct, frozen=True):
    """The mobile or desktop client with this id is registered no more."""

    device: str


class Exempt(msgspec.Struct, frozen=True):
    """Nobody asks the person, who has no two-step, for one before `until`; takes the place of an earlier exemption."""

    until: int


class EndExemption(msgspec.Struct, frozen=True):
    """The exemption ends before its time."""


Act = Reset | SignOut | ForgetBrowser | RemoveDevice | Exempt | EndExemption


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Under what terms an act is done. `critical`: it carries a fresh code in the same request (design §7)."""

    name: str
    roles: tuple[Role, ...] = EVERYBODY
    max_age: int = ADMIN_SECONDS
    critical: bool = False


TERMS: Mapping[type[Act], Terms] = MappingProxyType(
    {
        Reset: Terms(name="reset", max_age=FRESH_SECONDS),
        SignOut: Terms(name="sign_out"),
        ForgetBrowser: Terms(name="forget_browser"),
        RemoveDevice: Terms(name="remove_device"),
        # Security: an exemption is the policy weakened for one person, and so is as hard to come by.
        Exempt: Terms(name="exempt", roles=ADMINS, critical=True),
        EndExemption: Terms(name="end_exemption", roles=ADMINS),
    }
)
_RECORDED: tuple[Why, ...] = ("not_allowed", "yourself", "administrator")
"""Refusals for who asks, which stand in the trail; the others say that there is nothing to do."""

Refusal = NotFound | NotAllowed | ReasonMissing | Overtaken | EndRefused
Planned = tuple[Change | None, Done | Refusal]


class Assistance:
    """One per process."""

    def __init__(
        self, authority: Authority, accounts: Accounts, policies: Policies, committer: Committer
    ) -> None:
        self._authority = authority
        self._accounts = accounts
        self._policies = policies
        self._committer = committer

    def why_not(self, visitor: Visitor, act: type[Act], target: Account, now: int) -> Why | None:
        """Why this visitor cannot do `act` for `target`, freshness aside; None if they can. For pages as for acts."""
        if self._authority.role(visitor) not in TERMS[act].roles:
            return "not_allowed"
        return self._authority.why_not(visitor, target) or _nothing_to_do(act, target, now)

    def assist(
        self,
        visitor: Visitor,
        act: Act,
        account_id: str,
        reason: str,
        now: int,
        *,
        revision: str | None = None,
        confirmation: Confirmation | None = None,
    ) -> Done | Refusal | NeedsVerification | Rejected | Paused:
        """Do `act` for the person of this account, if its terms are met.

        The help desk acts on ordinary people only, and nobody on themselves (W18). `revision` is `Account.revision`
        as the visitor saw it, `Overtaken` if it is another by now; None: whatever it is. A critical act needs
        `confirmation` by the app: without one, `NeedsVerification(0)`.
        """
        terms = TERMS[type(act)]
        me = self._authority.enters(
            visitor, terms.name, account_id, now, max_age=terms.max_age, roles=terms.roles
        )
        if isinstance(me, NotAllowed | NeedsVerification):
            return me

        def objection(target: Account) -> Refusal | None:
            why = self._authority.why_not(me, target)
            if why is not None:
                return NotAllowed(reason=why)
            return None if revision in {None, target.revision} else Overtaken(account=target)

        plan = self._plan(act, account_id, reason, me.actor, objection, now)
        if terms.critical:
            # Before a code is spent for nothing.
            _, answer = plan(self._accounts.account(account_id) if is_account_id(account_id) else None)
            refusal = self._authority.confirmed(me, confirmation, now) if isinstance(answer, Done) else None
            if refusal is not None:
                return refusal
            if not isinstance(answer, Done):
                return self._noted(me, terms, account_id, answer, now)
        return self._noted(me, terms, account_id, self._run(account_id, plan, now), now)

    def assist_from_shell(
        self, os_user: str, act: Act, account_id: str, reason: str, now: int
    ) -> Done | Refusal:
        """The same by somebody on the server's own shell: for anybody, with a reason, and without a code."""
        plan = self._plan(act, account_id, reason, shell(os_user), lambda _: None, now)
        return self._run(account_id, plan, now)

    def _plan(  # noqa: PLR0917 - an act, and everything that stands in its event
        self,
        act: Act,
        account_id: str,
        reason: str,
        actor: Actor,
        objection: Callable[[Account], Refusal | None],
        now: int,
    ) -> Callable[[Account | None], Planned]:
        """What becomes of the person, decided anew on every record that is read."""
        given = clean_reason(reason)
        policy = self._policies.policy()
        open_ones = self._sessions_of(act, account_id, now)

        def plan(target: Account | None) -> Planned:
            if target is None:
                return None, NotFound()
            refusal = objection(target)
            if refusal is not None:
                return None, refusal
            if given is None:
                return None, ReasonMissing()
            why = _nothing_to_do(type(act), target, now)
            if why is not None:
                return None, NotAllowed(reason=why)
            if not _is_there(act, target, open_ones):
                return None, NotFound()
            latest = now + policy.longest_exemption_seconds
            if isinstance(act, Exempt) and not now < act.until <= latest:
                return None, EndRefused(latest=latest)
            change = _change(act, target, actor, given, now, open_ones=open_ones)
            return change, Done(account=change.account)

        return plan

    def _run(self, account_id: str, plan: Callable[[Account | None], Planned], now: int) -> Done | Refusal:
        return self._committer.run(account_id, plan, now) if is_account_id(account_id) else NotFound()

    def _noted(
        self, me: Visitor, terms: Terms, account_id: str, answer: Done | Refusal, now: int
    ) -> Done | Refusal:
        if isinstance(answer, NotAllowed) and answer.reason in _RECORDED:
            return self._authority.refused(me, terms.name, account_id, answer.reason, now)
        return answer

    def _sessions_of(self, act: Act, account_id: str, now: int) -> tuple[Session, ...]:
        """The sessions that may end by an act which does not end all of them."""
        one = isinstance(act, ForgetBrowser) or (isinstance(act, SignOut) and act.session is not None)
        return self._accounts.sessions(account_id, now) if one and is_account_id(account_id) else ()


def _is_there(act: Act, target: Account, open_ones: tuple[Session, ...]) -> bool:
    """True unless the act is about one session, browser or device, and the person has none of that name."""
    match act:
        case SignOut(session=handle) if handle is not None:
            return any(session.handle == handle for session in open_ones)
        case ForgetBrowser(browser=handle):
            return bool(_meant(target, handle))
        case RemoveDevice(device=device_id):
            return named(target, device_id) is not None
        case _:
            return True


def _meant(target: Account, handle: str | None) -> tuple[RememberedBrowser, ...]:
    return tuple(each for each in target.remembered if handle in {None, each.handle})


def _nothing_to_do(act: type[Act], target: Account, now: int) -> Why | None:
    """Why `act` would change nothing of this person, or could not be meant."""
    if act is Reset and not target.has_factor:
        return "nothing_set_up"
    if act is ForgetBrowser and not target.remembered:
        return "nothing_remembered"
    if act is RemoveDevice and not target.devices:
        return "no_device"
    if act is EndExemption and not is_exempt(target, now):
        return "not_exempt"
    if act is Exempt and target.has_factor:
        return "already_set_up"
    if act is Exempt and not target.active:
        return "inactive"
    return None


def _change(
    act: Act, target: Account, actor: Actor, reason: str, now: int, *, open_ones: tuple[Session, ...]
) -> Change:
    match act:
        case Reset():
            after, events = was_reset(target, actor, reason, now)
            return Change(account=after, events=events, end_sessions="all")
        case SignOut(session=None):
            after, events = was_signed_out(target, actor, reason, now)
            return Change(account=after, events=events, end_sessions="all")
        case SignOut(session=handle):
            ending = tuple(session for session in open_ones if session.handle == handle)
            ids = {session.browser for session in ending}
            browsers = tuple(each for each in target.remembered if each.id in ids)
            after, events = lost_session(target, browsers, actor, reason, now)
            keys = tuple(session.key for session in ending)
            return Change(account=after, events=events, end_sessions=keys)
        case ForgetBrowser(browser=handle):
            browsers = _meant(target, handle)
            after, events = forgotten(target, browsers, actor, now, reason=reason)
            return Change(account=after, events=events, end_sessions=opened_in(browsers, open_ones))
        case RemoveDevice(device=device_id):
            device = named(target, device_id)
            after, events = (
                (target, ()) if device is None else lost_device(target, device, actor, reason, now)
            )
            return Change(account=after, events=events)
        case Exempt(until=until):
            after, events = was_exempted(target, actor, reason, until, now)
            return Change(account=after, events=events)
        case EndExemption():
            after, events = lost_exemption(target, actor, reason, now)
            return Change(account=after, events=events)
