"""Making and honoring break-glass grants, and how they stand in the trail; it reads no file and knows no door."""

from collections.abc import Callable

from mfa_gate.core.accounts import Identity, account_id
from mfa_gate.core.events import ORG, Actor, Event, EventKind
from mfa_gate.core.grants import MAX_SECONDS, Grant, SignedGrant, body_of, to_sign
from mfa_gate.core.messages import GateRequest, printable
from mfa_gate.ports import Grants

Sign = Callable[[bytes], tuple[str, bytes]]


class Granted:
    """The grants as the checker asks for them; with None there are none."""

    def __init__(self, grants: Grants | None) -> None:
        self._grants = grants

    def names(self, identity: Identity | None, now: int) -> bool:
        """True if a grant is good for this person now."""
        return (
            identity is not None and self._grants is not None and self._grants.find(identity, now) is not None
        )

    def honored(
        self, request: GateRequest, identity: Identity | None, now: int, *, may_block: bool
    ) -> bool | None:
        """True once it is written down that somebody passes by a grant; None if that takes a moment.

        # Security: no audit, no act. Nobody passes by a grant whose use nobody will hear of.
        """
        grants = self._grants
        grant = None if identity is None or grants is None else grants.find(identity, now)
        if grant is None or grants is None:
            return False
        if grants.is_noted(grant, now):
            return True
        return grants.note(grant, _used(grant, request, now), now) if may_block else None


def made(
    grant_id: str, realm: str, subject: str, public_url: str, *, seconds: int, reason: str, by: str, now: int
) -> Grant:
    """A grant from now on. Raises `ValueError` if it would last longer than an hour, or no time at all."""
    if not 0 < seconds <= MAX_SECONDS:
        message = f"a grant lasts at most {MAX_SECONDS} seconds, not {seconds}"
        raise ValueError(message)
    return Grant(
        id=grant_id,
        realm=realm,
        subject=subject,
        public_url=public_url,
        granted_at=now,
        until=now + seconds,
        reason=reason,
        by=by,
    )


def signed(grant: Grant, sign: Sign) -> SignedGrant:
    """The grant with its signature."""
    body = body_of(grant)
    key, signature = sign(to_sign(body))
    return SignedGrant(body=body, key=key, signature=signature)


def made_event(grant: Grant, actor: Actor) -> Event:
    """How the making of a grant stands in the trail."""
    more = {"until": str(grant.until), "reason": grant.reason, "entry": f"{grant.id}-granted"}
    return _event("break_glass_granted", grant, actor, grant.granted_at, more)


def revoked_event(grant: Grant, actor: Actor, reason: str, now: int) -> Event:
    """How its end before its time stands there."""
    return _event(
        "break_glass_revoked", grant, actor, now, {"reason": reason, "entry": f"{grant.id}-revoked"}
    )


def _used(grant: Grant, request: GateRequest, now: int) -> Event:
    actor = Actor(
        subject=grant.subject,
        realm=grant.realm,
        address=request.client_address or request.peer,
        surface="gate",
    )
    more = {"path": printable(request.path, 200), "reason": grant.reason, "entry": f"{grant.id}-{now}"}
    return _event("break_glass_used", grant, actor, now, more)


def _event(kind: EventKind, grant: Grant, actor: Actor, now: int, more: dict[str, str]) -> Event:
    # In the organization's chain: somebody who was never seen has none of their own.
    details = {"grant": grant.id, "account": account_id(grant.realm, grant.subject), **more}
    return Event(
        kind=kind,
        account_id=ORG,
        subject=grant.subject,
        at=now,
        actor=actor,
        details=details,
        notify=("owner", "admins"),
    )
