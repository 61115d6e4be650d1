"""Decides what it means that this machine's clock and that of the store's server differ (J13)."""

from typing import Final

ALARM_SECONDS: Final = 10
"""Beyond it, somebody is told."""
REFUSE_SECONDS: Final = 90
"""Beyond it, no code of an authenticator app is judged."""


def alarming(skew: float) -> bool:
    """Whether somebody should mend it. `skew`: seconds by which the server's clock is ahead."""
    return abs(skew) > ALARM_SECONDS


def forbids_codes(skew: float) -> bool:
    """Whether this machine may be so wrong that a code which is over, or is not yet due, would count."""
    return abs(skew) > REFUSE_SECONDS


def in_words(skew: float) -> str:
    """How far they are apart, and the cure."""
    way = "ahead of" if skew > 0 else "behind"
    refused = " Until then codes of authenticator apps are refused." if forbids_codes(skew) else ""
    return f"the store's server is {abs(skew):.0f} s {way} this machine. Let both follow NTP.{refused}"
