"""What JSON about mobile and desktop clients goes into the API and comes out of it, as typed values.

All times are UTC seconds.
"""

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from mfa_gate.core.clients import NativeKind
from mfa_gate.core.devices import LONGEST_NAME
from mfa_gate.web.api_schema import Code, DeviceTold, Factor, GiveReason, Taken


class RegisterDevice(Taken, frozen=True, kw_only=True):
    """A client to register. `factor` and `code` go together; without them a code given just before counts.

    A client that registers again sends its old token in `MFA-Gate-Device`: that registration gives way to the new one.
    """

    kind: NativeKind
    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_NAME,
            description="What to call it; shown in Account Settings.",
            examples=["Alice's phone"],
        ),
    ]
    factor: Factor | UnsetType = UNSET
    code: Code | UnsetType = UNSET

    together: ClassVar[tuple[str, ...]] = ("factor", "code")


class DeviceRegistered(Struct, frozen=True, kw_only=True):
    """Registered. `device_token` is told this once: send it in `MFA-Gate-Device`, beside the portal's sign-in."""

    device_id: str
    device_token: str
    expires_at: Annotated[int, Meta(description="When a code is asked for again, whatever it was used for.")]
    pin_required: Annotated[bool, Meta(description="Whether it has to set a PIN before it can go on.")] = (
        False
    )


class DevicesTold(Struct, frozen=True, kw_only=True):
    """The registered clients that count, the newest first."""

    devices: tuple[DeviceTold, ...]


class DropDevice(GiveReason, frozen=True, kw_only=True):
    """Which registered client of somebody to remove, and why."""

    device: Annotated[str, Meta(max_length=64, description="Its `id`.")]
