"""What the flows answer, as plain values; it knows neither HTTP nor how an answer came about.

`Rejected` and `Paused` come from `core.transitions`. Whatever was counted or recorded with an answer is committed.
"""

from typing import Literal

import msgspec

from mfa_gate.core.accounts import Account, Device, FactorKind
from mfa_gate.core.policy import Policy
from mfa_gate.core.remembered import Held
from mfa_gate.core.sessions import Session
from mfa_gate.core.transitions import Paused, Rejected
from mfa_gate.signing import SessionCookie

__all__ = [
    "Admitted",
    "Busy",
    "Codes",
    "Confirmation",
    "Conflict",
    "Done",
    "EndRefused",
    "Enrolled",
    "Forgotten",
    "Kept",
    "MadeSetupCode",
    "NeedsVerification",
    "NotAllowed",
    "NotFound",
    "Opened",
    "Overtaken",
    "Paused",
    "PolicyChanged",
    "ReasonMissing",
    "Registered",
    "Rejected",
    "SignedOut",
    "Started",
    "TurnedOff",
    "Unconfirmed",
    "Verified",
    "Why",
]

Why = Literal[
    "not_allowed",
    "inactive",
    "no_such_factor",
    "setup_code_required",
    "required",
    "yourself",
    "administrator",
    "nothing_set_up",
    "already_set_up",
    "not_exempt",
    "nothing_remembered",
    "not_listed",
    "no_administrator_enrolled",
    "no_mail",
    "closed_client",
    "other_client",
    "too_many_devices",
    "no_device",
]
"""Why nothing helps. To somebody who gave a code, `no_such_factor` is told as a wrong code."""


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """A code that comes in the same request as the act which it confirms."""

    factor: FactorKind
    code: str


class NeedsVerification(msgspec.Struct, frozen=True, kw_only=True):
    """A verification at most `max_age` seconds old is needed first; 0: a code in this very request (`Confirmation`)."""

    max_age: int


class NotAllowed(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing that this visitor can send now helps."""

    reason: Why


class NotFound(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown, expired, spent, or somebody else's: never told apart."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else changed the policy first; `policy` is the newest."""

    policy: Policy


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """So much of it is under way that more would only wait; later it works."""


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A device is registered until then; its `token` is told this once."""

    device: Device
    token: str
    expires_at: int


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """A device is not registered any more; these are `left`."""

    left: tuple[Device, ...]


class ReasonMissing(msgspec.Struct, frozen=True, kw_only=True):
    """The act wants a reason of 3 to 500 characters."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A new session; only `cookie` holds its id."""

    session: Session
    cookie: SessionCookie


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """An enrollment has begun. `challenge` names it; `secret` is base32, to be typed; `uri` stands in the QR code."""

    challenge: str
    secret: str
    uri: str
    expires_at: int
    replacing: bool


class Unconfirmed(Rejected, frozen=True, kw_only=True):
    """The first code of a new app did not fit. At 0 `tries_left` the enrollment is over; start another.

    `clock_offset`: by how many seconds the phone's clock seems to be ahead (negative: behind), if that is the reason.
    """

    tries_left: int
    clock_offset: int | None = None


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """Two-step is set up. `codes` are shown this once; empty where an app was `replaced`: the old ones still count."""

    codes: tuple[str, ...]
    opened: Opened
    replaced: bool


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The code was right, and is spent. `recovery_left`: how many recovery codes there still are.

    `kept`: this browser is remembered now.
    """

    opened: Opened
    recovery_left: int
    kept: "Kept | None" = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a remembered browser is to hold from now on, and until when it is remembered at most."""

    held: Held
    until: int


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """The browser is remembered: a session without a code, and what it is to hold from now on."""

    opened: Opened
    kept: Kept


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """`browsers` are not remembered any more."""

    browsers: int


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """New recovery codes, shown this once; the old ones are void."""

    codes: tuple[str, ...]


class PutOff(msgspec.Struct, frozen=True, kw_only=True):
    """Two-step is not set up now; while there is time, nobody is asked again for some hours."""


class TurnedOff(msgspec.Struct, frozen=True, kw_only=True):
    """Two-step is off for this person, and all their sessions are ended."""


class SignedOut(msgspec.Struct, frozen=True, kw_only=True):
    """`ended` sessions were ended; 0 if there was none."""

    ended: int


class PolicyChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The policy as it stands, and as it stood `before`; the same value twice if nothing was to change."""

    policy: Policy
    before: Policy


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for somebody is done; `account` is what they became."""

    account: Account


class Overtaken(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was done: the person has changed since they were looked at; `account` is what they are now."""

    account: Account


class EndRefused(msgspec.Struct, frozen=True, kw_only=True):
    """An exemption has to end, in the future and at `latest` then."""

    latest: int


class MadeSetupCode(msgspec.Struct, frozen=True, kw_only=True):
    """A setup code, shown this once; it voids an earlier one."""

    code: str
    expires_at: int
    account: Account
