"""How much a verification is worth: its amr and acr, how long it is fresh, what a session made by it may do.

Knows no session record and no protocol. The first step is the portal's, and the gate cannot see what it was; so
`amr` never says `pwd`, and `mfa` means: the portal's sign-in, and a factor of another kind on top of it.
"""

from collections.abc import Collection
from typing import Literal

import msgspec

from mfa_gate.core.accounts import Means

Acr = Literal["urn:mfa-gate:aal1", "urn:mfa-gate:aal2"]
"""What `acr_for` answers; the names are ours, after the levels of NIST SP 800-63B-4, and rise in this order."""

Power = Literal[
    "enroll",
    "replace_factor",
    "manage_factors",
    "turn_off",
    "step_up",
    "register_device",
    "remember",
    "administer",
]
"""What a session may be good for, beside passing the gate.

`manage_factors` is adding beside a factor in use, renaming, removing, and making new recovery codes.
"""

SKEW_SECONDS = 60
"""How far the clocks of two servers may differ."""


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of factor is worth. `amr` holds values of RFC 8176 §2 where one fits, sorted."""

    amr: tuple[str, ...]
    powers: frozenset[Power]


# Security: a kind that is not in this table is worth nothing: reading it raises, and the gate answers 503.
_WORTH: dict[Means, Worth] = {
    "totp": Worth(
        amr=("mfa", "otp"),
        powers=frozenset(
            {
                "enroll",
                "replace_factor",
                "manage_factors",
                "turn_off",
                "step_up",
                "register_device",
                "remember",
                "administer",
            }
        ),
    ),
    # Security: neither `mfa` nor `otp`. A found sheet of paper is not an authenticator, and relying parties count
    # `otp` as possession of one. No registered value fits (`kba` is for questions), hence a name of our own.
    "recovery_code": Worth(
        amr=("urn:mfa-gate:recovery_code",),
        powers=frozenset({"enroll", "replace_factor"}),
    ),
    # Security: it passes the gate and opens nothing else. A browser is not a second factor (NIST SP 800-63B-4: never
    # above AAL1), whatever was confirmed in it once.
    "remembered_browser": Worth(
        amr=("urn:mfa-gate:remembered_browser",),
        powers=frozenset(),
    ),
}


def amr_for(kind: Means) -> tuple[str, ...]:
    """The `amr` of a session opened by this."""
    return _WORTH[kind].amr


def acr_for(amr: Collection[str]) -> Acr:
    """The level that these methods reach.

    Security: phishing resistance cannot be read from `amr`: identity providers also say `hwk` and `swk` for pushed
    approvals. A level for it has to come from the kind of factor.
    """
    return "urn:mfa-gate:aal2" if "mfa" in amr else "urn:mfa-gate:aal1"


def powers(kind: Means) -> frozenset[Power]:
    """What a session opened by this may be used for; ask with `in`."""
    return _WORTH[kind].powers


def is_fresh(verified_at: int, now: int, max_age: int) -> bool:
    """True if the verification is at most `max_age` seconds old; 0 stands for never. All are UTC seconds.

    Security: a time in the future comes from a clock that was set back. Beyond the skew between servers it counts as
    stale; else a session would stay fresh for as long as the clock was turned.
    """
    age = now - verified_at
    return verified_at > 0 and age >= -SKEW_SECONDS and max(age, 0) <= max_age
