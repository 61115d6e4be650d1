"""Guessing limits: from failures and now to free, waiting, locked or disabled; it never sees a code.

Per factor, after NIST SP 800-63B-4 §3.2.2: 5 wrong in 5 minutes bring delays, 10 in 15 minutes a pause of 15;
50 in a row close the account to browsers that are not verified, 100 disable the factor. The count in a row never
decays, since with decay 99 tries a day would open one account in ten within a year.

A failure keeps the name of the portal sign-in in which it happened, and a success forgives those of its own
sign-in only: whoever has the password and guesses gets nothing from the owner's signing in beside them.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

DELAY_AFTER, DELAY_WINDOW, DELAY_CAP = 5, 300, 60
PAUSE_AFTER, PAUSE_WINDOW, PAUSE_SECONDS = 10, 900, 900
_CLOCKS_DIFFER_BY = 60
LOCK_AFTER = 50
DISABLE_AFTER = 100
SHARES_KEPT = 8
OTHERS = ""
"""The share in which the failures of forgotten sign-ins are added up; no success clears it."""
FOREVER = 2**62
"""A time that never comes."""


class Strikes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Failures of one factor.

    `recent` are the wrong tries that throttling looks at, (when, in which sign-in), in the order in which they came.
    `shares` is the consecutive count, kept per portal sign-in in which the failures happened; it never decays.
    """

    recent: tuple[tuple[int, str], ...] = ()
    shares: tuple[tuple[str, int], ...] = ()
    paused_until: int = 0
    disabled: bool = False

    @property
    def consecutive(self) -> int:
        """Wrong tries in a row, over all sign-ins."""
        return sum(count for _, count in self.shares)

    @property
    def is_locked(self) -> bool:
        """True once there were so many in a row that nobody unknown may go on."""
        return self.disabled or self.consecutive >= LOCK_AFTER


class Free(msgspec.Struct, frozen=True):
    """A try may be judged now."""


class Waiting(msgspec.Struct, frozen=True):
    """No try is judged before `until`; whatever is sent meanwhile gets the same answer."""

    until: int


class Locked(msgspec.Struct, frozen=True):
    """Too many wrong tries in a row: only a live session may go on, and only a reset opens this to others."""


class Disabled(msgspec.Struct, frozen=True):
    """The factor is dead until the account is reset."""


Throttle = Free | Waiting | Locked | Disabled
Crossed = Literal["noticed", "paused", "locked", "disabled"]


def throttle(strikes: Strikes, now: int, *, known: bool = False) -> Throttle:
    """May a try be judged now? `known`: it comes with a live session of the same account."""
    if strikes.disabled:
        return Disabled()
    if strikes.is_locked and not known:
        return Locked()
    if now < strikes.paused_until:
        return Waiting(strikes.paused_until)
    return Free()


def failed(strikes: Strikes, sign_in: str, now: int) -> tuple[Strikes, tuple[Crossed, ...]]:
    """Count one wrong try, and which limits it crossed.

    # Security: times that lie in the future (a clock set back) stay in the window, so that nothing is forgotten.
    """
    still = [each for each in strikes.recent if each[0] > now - PAUSE_WINDOW]
    recent = (*still, (now, sign_in))[-PAUSE_AFTER:]
    lately = sum(1 for at, _ in recent if at > now - DELAY_WINDOW)
    before, after = strikes.consecutive, strikes.consecutive + 1
    wait, crossed = 0, list[Crossed]()
    if len(recent) >= PAUSE_AFTER:
        wait = PAUSE_SECONDS
        crossed.append("paused")
    elif lately >= DELAY_AFTER:
        wait = min(2 ** (lately - DELAY_AFTER), DELAY_CAP)
    if before < DELAY_AFTER <= after:
        crossed.append("noticed")
    if before < LOCK_AFTER <= after:
        crossed.append("locked")
    if after >= DISABLE_AFTER:
        crossed.append("disabled")
    counted = Strikes(
        recent=recent,
        shares=_add_share(strikes.shares, sign_in),
        paused_until=max(strikes.paused_until, now + wait) if wait else strikes.paused_until,
        disabled=after >= DISABLE_AFTER,
    )
    return counted, tuple(crossed)


def anchored(strikes: Strikes, now: int) -> Strikes:
    """The same with a pause that ends as late as one that begins now, where it would end later: the clock was set back.

    # Security: it begins anew, so nothing opens sooner than it would have; but it does not last as long as the clock
    was wrong, which would be a lockout (F20, J13).
    """
    if strikes.paused_until <= now + PAUSE_SECONDS + _CLOCKS_DIFFER_BY:
        return strikes
    return replace(strikes, paused_until=now + PAUSE_SECONDS)


def succeeded(strikes: Strikes, sign_in: str) -> Strikes:
    """A right try forgives the wrong ones of its own sign-in, not what others have added.

    # Security: were everything cleared, an attacker's tries would vanish each time the owner signs in.
    """
    if sign_in == OTHERS:
        return strikes
    return replace(
        strikes,
        recent=tuple(each for each in strikes.recent if each[1] != sign_in),
        shares=tuple(each for each in strikes.shares if each[0] != sign_in),
    )


def _add_share(shares: tuple[tuple[str, int], ...], sign_in: str) -> tuple[tuple[str, int], ...]:
    counts = dict(shares)
    counts[sign_in] = counts.pop(sign_in, 0) + 1
    while len(counts) > SHARES_KEPT:
        oldest = next(name for name in counts if name != OTHERS)
        counts[OTHERS] = counts.get(OTHERS, 0) + counts.pop(oldest)
    return tuple(counts.items())
