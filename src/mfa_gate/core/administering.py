"""Every way in which administrators change somebody's account: (account, act, now) → what it becomes, and its events.

Pure. Who may do so, and whether they gave a code for it, is `flows.authority`'s to say.
"""

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Device, Exemption, RememberedBrowser, SetupCode
from mfa_gate.core.devices import removed
from mfa_gate.core.events import Actor, Event
from mfa_gate.core.policy import is_exempt
from mfa_gate.core.remembered import forgotten
from mfa_gate.core.transitions import BOTH, event, without_factors

Administered = tuple[Account, tuple[Event, ...]]


def was_reset(account: Account, actor: Actor, reason: str, now: int) -> Administered:
    """Two-step is reset: factors, codes and counters go, sessions die, the wizard comes next."""
    after = replace(without_factors(account), setup_code=None, reset_at=now)
    return after, (event(after, "reset", actor, now, BOTH, reason=reason),)


def was_signed_out(account: Account, actor: Actor, reason: str, now: int) -> Administered:
    """Every session made so far is dead, and every browser forgotten."""
    after = replace(account, remembered=(), epoch=account.epoch + 1)
    return after, (event(after, "signed_out_everywhere", actor, now, ("owner",), reason=reason),)


def lost_session(
    account: Account, browsers: tuple[RememberedBrowser, ...], actor: Actor, reason: str, now: int
) -> Administered:
    """One session is ended; whoever commits names it. The browser in which it was opened is forgotten."""
    after, events = forgotten(account, browsers, actor, now)
    return after, (event(after, "session_ended", actor, now, ("owner",), reason=reason), *events)


def lost_device(account: Account, device: Device, actor: Actor, reason: str, now: int) -> Administered:
    """One registered client is removed."""
    return removed(account, (device,), actor, now, reason=reason)


def was_exempted(account: Account, actor: Actor, reason: str, until: int, now: int) -> Administered:
    """An exemption from now on, in the place of an earlier one, whose end the trail then names too."""
    exemption = Exemption(reason=reason, approved_by=actor.shown, given_at=now, until=until)
    before = {"before": account.exempt_until} if is_exempt(account, now) else {}
    after = replace(account, exemption=exemption)
    return after, (event(after, "exemption_given", actor, now, BOTH, reason=reason, until=until, **before),)


def lost_exemption(account: Account, actor: Actor, reason: str, now: int) -> Administered:
    """The exemption is over before its end."""
    after = replace(account, exemption=None)
    ended = event(after, "exemption_ended", actor, now, BOTH, reason=reason, before=account.exempt_until)
    return after, (ended,)


def given_setup_code(
    account: Account, code_hash: bytes, expires_at: int, actor: Actor, now: int
) -> Administered:
    """An administrator's one-time setup code was made at the shell; it voids an earlier one."""
    made_at = account.created_at or (0 if account.version else now)
    after = replace(
        account, setup_code=SetupCode(code_hash=code_hash, expires_at=expires_at), created_at=made_at
    )
    return after, (event(after, "admin_code_made", actor, now, ("admins",)),)
