"""What people do about their own mobile and desktop clients: register one with a code, list them, remove them.

It knows no HTTP. Every method decides inside one commit on the account, and may raise `StoreUnavailable`.
"""

from mfa_gate.core.accounts import Account, Device
from mfa_gate.core.assurance import powers
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.devices import (
    CAP,
    DeviceToken,
    device_name,
    devices_of,
    lives_until,
    named,
    registered,
    removed,
)
from mfa_gate.core.events import Event
from mfa_gate.core.policy import allowed_factors
from mfa_gate.core.transitions import Accepted, Paused, Rejected
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.proving import FACTORS, CodeDesk, as_of, change_of, present
from mfa_gate.flows.results import (
    Confirmation,
    NeedsVerification,
    NotAllowed,
    NotFound,
    Registered,
    Removed,
    Why,
)
from mfa_gate.flows.visitor import FRESH_SECONDS, Visitor
from mfa_gate.ports import Change

Refusal = Rejected | Paused | NotAllowed | NeedsVerification


class Devices:
    """One per process. `desk` judges codes and makes tokens."""

    def __init__(self, committer: Committer, desk: CodeDesk) -> None:
        self._committer = committer
        self._desk = desk

    def register(  # noqa: PLR0917 - each is one field of the request
        self,
        visitor: Visitor,
        kind: NativeKind,
        name: str,
        confirmation: Confirmation | None,
        shown: DeviceToken | None,
        now: int,
    ) -> Registered | Refusal:
        """Register a client of this kind, if a code comes with it or was given in the last five minutes.

        `shown` is the token that came along: the device's own earlier registration, whether that still counts or not,
        gives way to this one. No other ever does: with ten that count it is `NotAllowed("too_many_devices")`, before a
        code is spent.
        """
        token, token_hash = self._desk.new_token(visitor.account.id)

        def plan(found: Account | None) -> tuple[Change | None, Registered | Refusal]:
            me = as_of(visitor, present(found), now)
            own = self._own(me.account, shown)
            why = _why_not(me, kind, own, now)
            if why is not None:
                return None, NotAllowed(reason=why)
            account, told = me.account, tuple[Event, ...]()
            factor = FACTORS.get(me.session.factor) if me.session else None
            if confirmation is not None:
                factor = confirmation.factor
                if factor not in allowed_factors(account, me.policy) or "register_device" not in powers(
                    factor
                ):
                    return None, NotAllowed(reason="no_such_factor")
                step = self._desk.judge(account, factor, confirmation.code, me.attempt(now), me.policy)
                if not isinstance(step.result, Accepted):
                    return change_of(account, step), step.result
                account, told = step.account, step.events
            elif not me.may("register_device", now):
                return None, NeedsVerification(max_age=FRESH_SECONDS)
            if factor is None or not account.has_factor:
                return None, NeedsVerification(max_age=FRESH_SECONDS)
            after, device, events = registered(
                account,
                me.policy,
                token,
                token_hash,
                kind,
                device_name(name),
                factor,
                instead_of=own.id if own else "",
                actor=me.actor,
                now=now,
            )
            done = Registered(device=device, token=token.text, expires_at=lives_until(device, me.policy))
            return Change(account=after, events=(*told, *events)), done

        return self._committer.run(visitor.account.id, plan, now)

    def devices(self, visitor: Visitor, now: int) -> tuple[Device, ...]:
        """One's own that count, the newest first; none are told to a visitor who is not verified."""
        return devices_of(visitor.account, visitor.policy, now)[::-1] if visitor.is_verified else ()

    def remove(self, visitor: Visitor, device_id: str, now: int) -> Removed | NotFound | NeedsVerification:
        """Remove one of one's own. Somebody else's is `NotFound` (E12). A device may remove itself and no other."""
        if not visitor.is_verified:
            return NeedsVerification(max_age=FRESH_SECONDS)

        def plan(found: Account | None) -> tuple[Change | None, Removed | NotFound | NeedsVerification]:
            me = as_of(visitor, present(found), now)
            device = named(me.account, device_id)
            if me.session is None and (me.device is None or me.device.id != device_id):
                return None, NeedsVerification(max_age=FRESH_SECONDS)
            if device is None:
                return None, NotFound()
            after, events = removed(me.account, (device,), me.actor, now)
            return Change(account=after, events=events), Removed(left=devices_of(after, me.policy, now)[::-1])

        return self._committer.run(visitor.account.id, plan, now)

    def _own(self, account: Account, shown: DeviceToken | None) -> Device | None:
        """The device that brings this token."""
        if shown is None or shown.account_id != account.id:
            return None
        device = named(account, shown.id)
        return device if device is not None and self._desk.is_token(device.token_hash, shown) else None


def _why_not(me: Visitor, kind: NativeKind, own: Device | None, now: int) -> Why | None:
    """Why this visitor registers no client of this kind, whatever code they give."""
    if not me.account.active:
        return "inactive"
    if kind in me.policy.closed_clients:
        return "closed_client"
    if (me.client not in {"web", kind}) or (own is not None and own.kind != kind):
        return "other_client"
    others = [each for each in devices_of(me.account, me.policy, now) if own is None or each.id != own.id]
    return "too_many_devices" if len(others) >= CAP else None
