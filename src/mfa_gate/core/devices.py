"""Registered clients: what their token looks like, when one counts, how they come and go.

Pure. A device was registered with a code and holds a token; that and the portal's own sign-in have to name the same
account. It never attributes a request to anybody, and what it may do is what the policy of now lets its kind do.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Device, FactorKind
from mfa_gate.core.assurance import SKEW_SECONDS
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.events import Actor, Event
from mfa_gate.core.messages import printable
from mfa_gate.core.policy import HOUR, Policy, allowed_factors
from mfa_gate.core.transitions import event

CAP: Final = 10
"""Devices of one account that count. None gives way by itself: whoever wants another removes one first."""
LONGEST_NAME: Final = 60
SECRET_BYTES: Final = 32
ID_BYTES: Final = 16
NOTED_EVERY_SECONDS: Final = HOUR
"""How exactly it is known when a device was used last."""
_SHOWN: Final = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})", re.ASCII)


class DeviceToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a device holds: whose it is, which one, and 256 random bits of which the store has a keyed hash."""

    account_id: str
    id: str
    secret: str

    @property
    def text(self) -> str:
        """The same as the value of a header."""
        return f"{self.account_id}.{self.id}.{self.secret}"

    @property
    def hashed_as(self) -> str:
        """Under which name the secret is hashed: a hash of one device is none of another's."""
        return f"device {self.account_id} {self.id}"

    @classmethod
    def read(cls, text: str) -> "DeviceToken | None":
        """What a header says; None for anything that is not exactly `text` of some token."""
        found = _SHOWN.fullmatch(text)
        return found and cls(account_id=found[1], id=found[2], secret=found[3])

    @classmethod
    def new(cls, account_id: str, random: Callable[[int], bytes]) -> "DeviceToken":
        """A new one. `random(n)` gives n bytes of cryptographic quality."""
        secret = urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()
        return cls(account_id=account_id, id=random(ID_BYTES).hex(), secret=secret)


def lives_until(device: Device, policy: Policy) -> int:
    """When the code that it was registered with is asked for again. Using it does not move this."""
    return min(device.expires_at, device.registered_at + policy.ttl_of(device.kind))


def counts(device: Device, account: Account, policy: Policy, now: int) -> bool:
    """True while a device stands for the code that was given for it.

    # Security: judged against account and policy of now, so that whatever changes either ends it without a write; and a
    clock that is set back lengthens nothing.
    """
    return (
        account.active
        and account.has_factor
        and device.epoch == account.epoch
        and device.kind not in policy.closed_clients
        and device.factor in allowed_factors(account, policy)
        and device.registered_at > policy.fresh_start_at
        and device.registered_at - SKEW_SECONDS <= now < lives_until(device, policy)
    )


def devices_of(account: Account, policy: Policy, now: int) -> tuple[Device, ...]:
    """Those that count, in the order in which they were registered."""
    return tuple(each for each in account.devices if counts(each, account, policy, now))


def named(account: Account, device_id: str) -> Device | None:
    """The device of this account with this id, whether it counts or not."""
    return next((each for each in account.devices if device_id and each.id == device_id), None)


def registered(  # noqa: PLR0917 - each is one field of the device
    account: Account,
    policy: Policy,
    token: DeviceToken,
    token_hash: bytes,
    kind: NativeKind,
    name: str,
    factor: FactorKind,
    *,
    instead_of: str,
    actor: Actor,
    now: int,
) -> tuple[Account, Device, tuple[Event, ...]]:
    """The account with one device more, for which `factor` was confirmed; those that no longer count are gone.

    `instead_of` is the id of the device whose token came along: its own earlier registration, which ends. '' for none.
    """
    device = Device(
        id=token.id,
        kind=kind,
        name=name,
        token_hash=token_hash,
        factor=factor,
        epoch=account.epoch,
        registered_at=now,
        expires_at=now + policy.ttl_of(kind),
        used_at=now,
        address=actor.address,
    )
    kept = tuple(each for each in devices_of(account, policy, now) if each.id != instead_of)
    after = replace(account, devices=(*kept, device))
    details = {"client": kind, "device": name, **({"again": "yes"} if named(account, instead_of) else {})}
    return after, device, (event(after, "device_registered", actor, now, ("owner",), **details),)


def removed(
    account: Account, devices: tuple[Device, ...], actor: Actor, now: int, *, reason: str = ""
) -> tuple[Account, tuple[Event, ...]]:
    """The account without these devices. `reason`: somebody else did it, and says why; the owner is told."""
    ids = {each.id for each in devices}
    after = replace(account, devices=tuple(each for each in account.devices if each.id not in ids))
    told = {"reason": reason} if reason else {}
    return after, tuple(
        event(after, "device_removed", actor, now, ("owner",), client=each.kind, device=each.name, **told)
        for each in devices
    )


def used(account: Account, device_id: str, address: str, now: int) -> Account:
    """The account with the moment noted in which one of its devices was used, and from where."""
    return replace(
        account,
        devices=tuple(
            replace(each, used_at=max(now, each.used_at), address=address) if each.id == device_id else each
            for each in account.devices
        ),
    )


def device_name(text: str) -> str:
    """What a client calls itself, as one harmless line; may be empty."""
    return printable(" ".join(text[: 4 * LONGEST_NAME].split()), LONGEST_NAME)
