"""Guessing limits: from failures and now to free, waiting, locked or disabled; it never sees a code.

Per factor, after NIST SP 800-63B-4 §3.2.2: 5 wrong in 5 minutes bring delays, 10 in 15 minutes a pause of 15;
50 in a row close the account to browsers that are not verified, 100 disable the factor. The count in a row never
decays, since with decay 99 tries a day would open one account in ten within a year.
"""

from typing import Literal

import msgspec

DELAY_AFTER, DELAY_WINDOW, DELAY_CAP = 5, 300, 60
PAUSE_AFTER, PAUSE_WINDOW, PAUSE_SECONDS = 10, 900, 900
LOCK_AFTER = 50
DISABLE_AFTER = 100
SHARES_KEPT = 8
OTHERS = ""
"""The share in which the failures of forgotten sign-ins are added up."""


FOREVER = 2**62
"""A time that never comes."""


class Strikes(msgspec.Struct, frozen=True, kw_only=True):
    """Failures of one factor.

    `recent` are the times of wrong tries inside the window that throttling looks at, oldest first.
    `shares` is the consecutive count, kept per portal sign-in in which the failures happened; it never decays.
    """

    recent: tuple[int, ...] = ()
    shares: tuple[tuple[str, int], ...] = ()
    paused_until: int = 0
    disabled: bool = False
    noted_at: int = 0

    @property
    def consecutive(self) -> int:
        """Wrong tries in a row, over all sign-ins."""
        return sum(count for _, count in self.shares)

    @property
    def opens_at(self) -> int:
        """When a try by somebody unknown may be judged; `FOREVER` if only a reset opens it."""
        return FOREVER if self.disabled or self.consecutive >= LOCK_AFTER else self.paused_until


class Free(msgspec.Struct, frozen=True):
    """A try may be judged now."""


class Waiting(msgspec.Struct, frozen=True):
    """No try is judged before `until`; whatever is sent meanwhile gets the same answer."""

    until: int


class Locked(msgspec.Struct, frozen=True):
    """Too many wrong tries in a row: only a live session, another kind of factor or a reset opens this."""


class Disabled(msgspec.Struct, frozen=True):
    """The factor is dead until the account is reset."""


Throttle = Free | Waiting | Locked | Disabled
Crossed = Literal["noticed", "paused", "locked", "disabled"]


def throttle(strikes: Strikes, now: int, *, known: bool = False) -> Throttle:
    """May a try be judged now? `known`: it comes with a live session of the same account."""
    if strikes.disabled:
        return Disabled()
    if strikes.consecutive >= LOCK_AFTER and not known:
        return Locked()
    if now < strikes.paused_until:
        return Waiting(strikes.paused_until)
    return Free()


def failed(strikes: Strikes, sign_in: str, now: int) -> tuple[Strikes, tuple[Crossed, ...]]:
    """Count one wrong try, and which limits it crossed.

    # Security: times that lie in the future (a clock set back) stay in the window, so that nothing is forgotten.
    """
    recent = (*(at for at in strikes.recent if at > now - PAUSE_WINDOW), now)[-PAUSE_AFTER:]
    shares = _add_share(strikes.shares, sign_in)
    in_delay_window = sum(1 for at in recent if at > now - DELAY_WINDOW)
    paused_until = strikes.paused_until
    crossed: list[Crossed] = []
    if len(recent) >= PAUSE_AFTER:
        paused_until, recent = max(paused_until, now + PAUSE_SECONDS), ()
        crossed.append("paused")
    elif in_delay_window >= DELAY_AFTER:
        paused_until = max(paused_until, now + min(2 ** (in_delay_window - DELAY_AFTER), DELAY_CAP))
    after = Strikes(recent=recent, shares=shares, paused_until=paused_until, noted_at=strikes.noted_at)
    before = strikes.consecutive
    if before < DELAY_AFTER <= after.consecutive:
        crossed.append("noticed")
    if before < LOCK_AFTER <= after.consecutive:
        crossed.append("locked")
    if after.consecutive >= DISABLE_AFTER:
        after = msgspec.structs.replace(after, disabled=True)
        crossed.append("disabled")
    return after, tuple(crossed)


def succeeded(strikes: Strikes, sign_in: str) -> Strikes:
    """A right try clears the share of its own sign-in and the delays, not what others have added.

    # Security: were everything cleared, an attacker's tries would vanish each time the owner signs in.
    """
    return Strikes(
        shares=tuple((name, count) for name, count in strikes.shares if name != sign_in or name == OTHERS),
        noted_at=strikes.noted_at,
    )


def _add_share(shares: tuple[tuple[str, int], ...], sign_in: str) -> tuple[tuple[str, int], ...]:
    counts = dict(shares)
    counts[sign_in] = counts.pop(sign_in, 0) + 1
    while len(counts) > SHARES_KEPT:
        oldest = next(name for name in counts if name != OTHERS)
        counts[OTHERS] = counts.get(OTHERS, 0) + counts.pop(oldest)
    return tuple(counts.items())
