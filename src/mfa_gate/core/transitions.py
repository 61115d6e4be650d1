"""Every way in which people change their own account: (account, what happens, now) → the account after it, its events.

What administrators do to it stands in `administering.py`. Pure. Whoever calls commits both together or neither, and
answers only afterwards: a refused code is a commit too.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import (
    Account,
    FactorKind,
    Identity,
    RecoveryCodes,
    Totp,
    account_id,
)
from mfa_gate.core.events import SYSTEM, Actor, Audience, Event, EventKind
from mfa_gate.core.mailboxes import has_moved, moved
from mfa_gate.core.throttle import (
    FOREVER,
    PAUSE_SECONDS,
    Crossed,
    Free,
    Locked,
    Strikes,
    Throttle,
    Waiting,
    anchored,
    failed,
    succeeded,
    throttle,
)

BOTH: tuple[Audience, ...] = ("owner", "admins")
NOTE_EVERY_SECONDS = 60
_CROSSED: dict[Crossed, tuple[EventKind, tuple[Audience, ...]]] = {
    "noticed": ("guessing_noticed", ("owner",)),
    "paused": ("account_paused", ("owner",)),
    "locked": ("account_locked", BOTH),
    "disabled": ("factor_disabled", BOTH),
}


class Accepted(msgspec.Struct, frozen=True):
    """The code was right, and is spent now. `factor` is None for a setup code, which opens no session."""

    factor: FactorKind | None


class Rejected(msgspec.Struct, frozen=True):
    """Wrong, used, expired or unknown: never told apart."""


class Paused(msgspec.Struct, frozen=True):
    """Nothing was judged. `until` is `FOREVER` where only another factor or a reset helps."""

    until: int


Result = Accepted | Rejected | Paused


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The circumstances of one try. `sign_in` names the portal sign-in; `known`: a live session comes with it."""

    sign_in: str
    known: bool
    actor: Actor
    now: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A transition: what the account becomes, what is recorded, and what came of it."""

    account: Account
    events: tuple[Event, ...]
    result: Result


def event(
    account: Account,
    kind: EventKind,
    actor: Actor,
    now: int,
    notify: tuple[Audience, ...] = (),
    **details: str | int,
) -> Event:
    """An event of this account."""
    return Event(
        kind=kind,
        account_id=account.id,
        subject=account.subject,
        at=now,
        actor=actor,
        details={key: str(value) for key, value in details.items()},
        notify=notify,
    )


def seen(account: Account | None, identity: Identity, now: int) -> tuple[Account, tuple[Event, ...]]:
    """The account as it stands after this identity was read; unchanged and without events if it tells nothing new.

    Security: another spelling tells nothing, or whoever signs up as `Alice` would get the mails meant for `alice`.
    """
    if account is None:
        account = Account(
            id=account_id(identity.realm, identity.subject),
            realm=identity.realm,
            subject=identity.subject,
            name=identity.name,
            email=identity.email,
            groups=identity.groups or (),
            first_seen_at=now,
        )
        return account, (event(account, "account_seen", SYSTEM, now),)
    if not same_spelling(account, identity):
        return account, ()
    listing = account.listing
    # Security: where the roster names an address, the portal's profile, which people edit, moves no mail of ours.
    updated = moved(account, (listing.email if listing else "") or identity.email or account.email, now)
    updated = replace(
        updated,
        first_seen_at=account.first_seen_at or now,
        name=(listing.name if listing else "") or identity.name or account.name,
        groups=account.groups if identity.groups is None else identity.groups,
    )
    if updated == account:
        return account, ()
    told = (
        (event(updated, "address_changed", SYSTEM, now, ("owner",)),) if has_moved(account, updated) else ()
    )
    if not account.first_seen_at:
        return updated, (event(updated, "account_seen", SYSTEM, now), *told)
    changed = [f for f in ("name", "email", "groups") if getattr(updated, f) != getattr(account, f)]
    return updated, (event(updated, "profile_changed", SYSTEM, now, fields=", ".join(changed)), *told)


def same_spelling(account: Account, identity: Identity) -> bool:
    """False if this is another spelling of a pinned subject, where the source tells spellings apart."""
    return identity.case_insensitive or account.subject == identity.subject


def try_totp(account: Account, step_of: Callable[[bytes], int | None], attempt: Attempt) -> Step:
    """Judge one code against every authenticator app that may be tried now. `step_of(secret)` is the step it fits."""
    if not account.totps:
        return Step(account=account, events=(), result=Rejected())
    states = [_throttle(account, totp.strikes, attempt) for totp in account.totps]
    judged = [totp for totp, state in zip(account.totps, states, strict=True) if isinstance(state, Free)]
    if not judged:
        return _while_paused(account, states, attempt)
    steps = [step_of(totp.secret) for totp in judged]
    for totp, step in zip(judged, steps, strict=True):
        # Security: strictly rising, so that a code is accepted once for all workers and surfaces (RFC 6238 §5.2).
        if step is not None and step > totp.last_step:
            return _verified_by(account, totp, step, attempt)
    failures = {totp.id: failed(totp.strikes, attempt.sign_in, attempt.now) for totp in judged}
    events = [
        each
        for strikes, crossed in failures.values()
        for each in _failure_events(account, "totp", strikes, crossed, attempt)
    ]
    totps = tuple(
        replace(totp, strikes=failures[totp.id][0]) if totp.id in failures else totp for totp in account.totps
    )
    return Step(account=replace(account, totps=totps), events=tuple(events), result=Rejected())


def _verified_by(account: Account, used: Totp, step: int, attempt: Attempt) -> Step:
    """A wrong code is counted against every app, so a right one forgives the same sign-in everywhere."""
    totps = tuple(replace(totp, strikes=succeeded(totp.strikes, attempt.sign_in)) for totp in account.totps)
    spent = tuple(
        replace(totp, last_step=step, last_used_at=attempt.now) if totp.id == used.id else totp
        for totp in totps
    )
    after = replace(account, totps=spent, last_verified_at=attempt.now)
    done = event(after, "verified", attempt.actor, attempt.now, factor="totp", name=used.name)
    return Step(account=after, events=(done,), result=Accepted("totp"))


def try_recovery_code(
    account: Account, found: Callable[[tuple[bytes, ...]], bytes | None], attempt: Attempt
) -> Step:
    """Judge one recovery code; `found(hashes)` is the kept hash that it fits. A right one is removed."""
    codes = account.recovery
    if codes is None:
        return Step(account=account, events=(), result=Rejected())
    state = _throttle(account, codes.strikes, attempt)
    if not isinstance(state, Free):
        return _while_paused(account, [state], attempt)
    kept = found(codes.hashes)
    if kept is None:
        strikes, crossed = failed(codes.strikes, attempt.sign_in, attempt.now)
        after = replace(account, recovery=replace(codes, strikes=strikes))
        return Step(
            account=after,
            events=tuple(_failure_events(account, "recovery_code", strikes, crossed, attempt)),
            result=Rejected(),
        )
    left = tuple(each for each in codes.hashes if each != kept)
    strikes = succeeded(codes.strikes, attempt.sign_in)
    after = replace(
        account, recovery=replace(codes, hashes=left, strikes=strikes), last_verified_at=attempt.now
    )
    events = (
        event(after, "verified", attempt.actor, attempt.now, factor="recovery_code"),
        event(after, "recovery_code_used", attempt.actor, attempt.now, ("owner",), left=len(left)),
    )
    return Step(account=after, events=events, result=Accepted("recovery_code"))


def try_setup_code(account: Account, fits: Callable[[bytes], bool], attempt: Attempt) -> Step:
    """Judge an administrator's one-time setup code. It is spent when the enrollment is confirmed, not here."""
    kept = account.setup_code
    if kept is None or kept.expires_at <= attempt.now:
        return Step(account=account, events=(), result=Rejected())
    state = throttle(kept.strikes, attempt.now)
    if not isinstance(state, Free):
        return _while_paused(account, [state], attempt)
    if fits(kept.code_hash):
        return Step(account=account, events=(), result=Accepted(None))
    strikes, crossed = failed(kept.strikes, attempt.sign_in, attempt.now)
    return Step(
        account=replace(account, setup_code=replace(kept, strikes=strikes)),
        events=tuple(_failure_events(account, "setup_code", strikes, crossed, attempt)),
        result=Rejected(),
    )


def _throttle(account: Account, strikes: Strikes, attempt: Attempt) -> Throttle:
    """May this factor be tried? A lock of one factor is one of the account, for everybody but a live session."""
    if account.is_locked and not attempt.known:
        return Locked()
    return throttle(strikes, attempt.now, known=attempt.known)


def _while_paused(account: Account, states: list[Throttle], attempt: Attempt) -> Step:
    """Nothing is judged or counted during a pause; the trail gets one event a minute."""
    until = min(state.until if isinstance(state, Waiting) else FOREVER for state in states)
    anew = _anchored(account, attempt.now)
    if anew != account:
        until = until if until >= FOREVER else min(until, attempt.now + PAUSE_SECONDS)
    elif abs(attempt.now - account.tried_while_paused_at) < NOTE_EVERY_SECONDS:
        return Step(account=account, events=(), result=Paused(until))
    after = replace(anew, tried_while_paused_at=attempt.now)
    noted = event(after, "tried_while_paused", attempt.actor, attempt.now)
    return Step(account=after, events=(noted,), result=Paused(until))


def _anchored(account: Account, now: int) -> Account:
    """The account with its pauses begun anew, where the clock was set back since they began."""
    totps = tuple(replace(totp, strikes=anchored(totp.strikes, now)) for totp in account.totps)
    codes, setup = account.recovery, account.setup_code
    return replace(
        account,
        totps=totps,
        recovery=codes and replace(codes, strikes=anchored(codes.strikes, now)),
        setup_code=setup and replace(setup, strikes=anchored(setup.strikes, now)),
    )


def _failure_events(
    account: Account, factor: str, strikes: Strikes, crossed: tuple[Crossed, ...], attempt: Attempt
) -> list[Event]:
    events = [
        event(
            account, "code_rejected", attempt.actor, attempt.now, factor=factor, in_a_row=strikes.consecutive
        )
    ]
    for limit in crossed:
        kind, told = _CROSSED[limit]
        events.append(event(account, kind, attempt.actor, attempt.now, told, factor=factor))
    return events


def enrolled(
    account: Account, totp: Totp, code_hashes: tuple[bytes, ...], actor: Actor, now: int
) -> tuple[Account, tuple[Event, ...]]:
    """The first factor is added with its recovery codes: older sessions die with the epoch (design §6)."""
    after = replace(
        account,
        totps=(totp,),
        recovery=RecoveryCodes(made_at=now, hashes=code_hashes, total=len(code_hashes)),
        setup_code=None,
        exemption=None,
        epoch=account.epoch + 1,
        remembered=(),
        two_step_since=now,
        last_verified_at=now,
    )
    spent = (event(after, "admin_code_spent", actor, now),) if account.setup_code else ()
    # Security: it was for somebody who had nothing; kept, it would open again once their two-step is reset.
    over = (event(after, "exemption_ended", actor, now),) if now < account.exempt_until else ()
    return after, (
        *spent,
        *over,
        event(after, "factor_added", actor, now, BOTH, factor="totp", name=totp.name),
        event(after, "recovery_codes_made", actor, now, number=len(code_hashes)),
        event(after, "verified", actor, now, factor="totp", name=totp.name),
    )


def replaced_totp(account: Account, totp: Totp, actor: Actor, now: int) -> tuple[Account, tuple[Event, ...]]:
    """Another authenticator app takes the place of every earlier one; older sessions die with the epoch."""
    after = replace(account, totps=(totp,), remembered=(), epoch=account.epoch + 1, last_verified_at=now)
    return after, (event(after, "factor_replaced", actor, now, BOTH, factor="totp", name=totp.name),)


def renewed_codes(
    account: Account, code_hashes: tuple[bytes, ...], actor: Actor, now: int
) -> tuple[Account, tuple[Event, ...]]:
    """A new set of recovery codes voids the old one at once; what was counted against it stays counted."""
    strikes = account.recovery.strikes if account.recovery else Strikes()
    codes = RecoveryCodes(made_at=now, hashes=code_hashes, total=len(code_hashes), strikes=strikes)
    after = replace(account, recovery=codes)
    return after, (event(after, "recovery_codes_made", actor, now, ("owner",), number=len(code_hashes)),)


def put_off(account: Account, actor: Actor, now: int) -> tuple[Account, tuple[Event, ...]]:
    """Somebody who still has time was asked to set up two-step, and does so later."""
    after = replace(account, put_off_at=now)
    return after, (event(after, "setup_put_off", actor, now),)


def turned_off(account: Account, actor: Actor, now: int) -> tuple[Account, tuple[Event, ...]]:
    """Two-step is off for this person, by themselves."""
    after = without_factors(account)
    return after, (event(after, "turned_off", actor, now, BOTH),)


def signed_out_everywhere(account: Account, actor: Actor, now: int) -> tuple[Account, tuple[Event, ...]]:
    """Every session made so far is dead, and every browser forgotten."""
    after = replace(account, remembered=(), epoch=account.epoch + 1)
    return after, (event(after, "signed_out_everywhere", actor, now, ("owner",)),)


def without_factors(account: Account) -> Account:
    """The account with nothing set up; older sessions die with the epoch."""
    return replace(
        account,
        totps=(),
        recovery=None,
        remembered=(),
        devices=(),
        epoch=account.epoch + 1,
        two_step_since=0,
    )
