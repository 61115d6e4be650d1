"""The person in front of one of our own pages or API calls: the verdict's facts in the form that the flows take."""

from typing import Literal

import msgspec

from mfa_gate.core.accounts import Account, Device, Identity
from mfa_gate.core.assurance import Power, is_fresh, powers
from mfa_gate.core.clients import ClientKind
from mfa_gate.core.decision import Allow, Decision, Enroll, Paused, Verify
from mfa_gate.core.devices import counts, named
from mfa_gate.core.events import Actor
from mfa_gate.core.messages import GateRequest, printable
from mfa_gate.core.policy import Policy
from mfa_gate.core.remembered import Held
from mfa_gate.core.sessions import Session, is_live
from mfa_gate.core.transitions import Attempt
from mfa_gate.flows.checking import Verdict

FRESH_SECONDS = 300
"""How old a verification may be for a change of one's own two-step or a reset (design §7)."""
ADMIN_SECONDS = 900
"""How old a verification may be for the pages of administration."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom the first step names. `session` is there only if it is live now.

    `sign_in` names the portal sign-in in which failures are counted: the source's session id, else the pending cookie.
    """

    identity: Identity
    account: Account
    session: Session | None
    policy: Policy
    decision: Decision
    sign_in: str
    actor: Actor
    user_agent: str
    client: ClientKind = "web"
    held: Held | None = None
    """What the cookie of a remembered browser says, whoever's it is."""
    device: Device | None = None
    """The device that it comes from; there only if it counts now."""

    def may(self, power: Power, now: int, max_age: int = FRESH_SECONDS) -> bool:
        """True if the live session has this power, and its verification is at most `max_age` seconds old."""
        session = self.session
        return (
            session is not None
            and power in powers(session.factor)
            and is_fresh(session.verified_at, now, max_age)
        )

    @property
    def is_known(self) -> bool:
        """True if a factor was confirmed in this session or for this device: locks against strangers are not for it.

        # Security: a remembered browser is no such proof, or a stolen cookie would come with tries of its own.
        """
        return self.device is not None or (self.session is not None and bool(powers(self.session.factor)))

    @property
    def is_verified(self) -> bool:
        """True if a code was given for this browser or device."""
        return self.session is not None or self.device is not None

    def attempt(self, now: int) -> Attempt:
        """The circumstances of a try made now."""
        return Attempt(sign_in=self.sign_in, known=self.is_known, actor=self.actor, now=now)


def visitor_of(
    verdict: Verdict, request: GateRequest, pending_id: str, surface: Literal["web", "api"], now: int
) -> Visitor | None:
    """The visitor, or None where the decision is about something else than the second step."""
    decision = verdict.would_have or verdict.decision
    identity, known = verdict.visit.identity, verdict.known
    match decision:
        case Allow() | Enroll() | Verify() | Paused():
            pass
        case _:
            return None
    if identity is None or known is None or known.account is None:
        return None
    session = known.session
    live = session is not None and is_live(session, known.account, identity, known.policy, now)
    device = named(known.account, verdict.visit.device)
    counting = device is not None and counts(device, known.account, known.policy, now)
    return Visitor(
        identity=identity,
        account=known.account,
        session=session if live else None,
        policy=known.policy,
        decision=decision,
        sign_in=identity.session_id or pending_id,
        actor=Actor(
            subject=identity.subject,
            realm=identity.realm,
            address=request.client_address or request.peer,
            surface=surface,
        ),
        user_agent=printable(request.header("user-agent") or "", 200),
        client=device.kind if counting and device is not None else verdict.visit.client,
        device=device if counting else None,
    )
