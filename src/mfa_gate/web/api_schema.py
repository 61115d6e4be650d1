"""What JSON goes into the API and comes out of it, as typed values; it must not know who sends or answers them.

The OpenAPI document is drawn from these, so a field's meaning stands beside it once. All times are UTC seconds.
"""

from typing import Annotated, ClassVar, Literal, Self, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from mfa_gate.core.accounts import Device, FactorKind, Means
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.devices import lives_until
from mfa_gate.core.events import Actor, EventKind
from mfa_gate.core.listing import Sort
from mfa_gate.core.policy import Because, Policy, Status
from mfa_gate.web.api_browser_schema import BrowserNow

Code: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description="As it is typed: `123456` of an authenticator app, or a recovery code.",
        examples=["123456"],
    ),
]
Reason: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"\S(\S|\s+)\S",
        max_length=500,
        description="3 to 500 characters.",
        examples=["yearly audit"],
    ),
]
Factor = Literal["totp", "recovery_code", "access_pass"]
AccountId: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="The account's id.")]
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=500, description="How many at most.")]
# As far as every JSON reader agrees on integers (RFC 8259 §6), and no further than the store can look.
Position: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Moment: TypeAlias = Annotated[int, Meta(ge=0, le=2**40, description="UTC seconds.")]

T = TypeVar("T")


def given(value: T | UnsetType) -> T | None:
    """A field of an address, or None if it is not there. None itself would also be read from the word `null`."""
    return None if isinstance(value, UnsetType) else value


class Taken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may send. A field that is not named here is refused, never ignored (security.md W19)."""

    exactly_one: ClassVar[tuple[str, ...]] = ()
    """Fields of which one has to be there, and one alone."""
    together: ClassVar[tuple[str, ...]] = ()
    """Fields of which each needs the others beside it."""


class Nothing(Taken, frozen=True, kw_only=True):
    """No fields."""


class StartTotp(Taken, frozen=True, kw_only=True):
    """Begins to set up an authenticator app, or to replace it."""

    setup_code: Annotated[
        str,
        Meta(
            max_length=256,
            description="Only for an administrator's first set-up: the one-time code that `mfa-gate init` or "
            "`mfa-gate admin-code` printed.",
            examples=["k3v9-0qhm-x72c-tdwe"],
        ),
    ] = ""


class ConfirmTotp(Taken, frozen=True, kw_only=True):
    """The first code of the new app."""

    enrollment: Annotated[
        str,
        Meta(min_length=1, max_length=256, description="As `POST totp` answered it. Keep it to yourself."),
    ]
    code: Code
    name: Annotated[
        str, Meta(max_length=200, description="What to call the app; shown in Account Settings.")
    ] = ""


class GiveCode(Taken, frozen=True, kw_only=True):
    """One code of one factor."""

    factor: Factor
    code: Code


class GiveReason(Taken, frozen=True, kw_only=True):
    """Why something is done for somebody; stands in the audit trail."""

    reason: Annotated[
        str, Meta(max_length=2_000, description="3 to 500 characters.", examples=["lost the phone"])
    ]
    revision: (
        Annotated[
            str, Meta(max_length=64, description="The `revision` that was read; 409 if it is another by now.")
        ]
        | None
    ) = None


class EndSessions(GiveReason, frozen=True, kw_only=True):
    """Which sessions of somebody to end, and why."""

    session: (
        Annotated[str, Meta(max_length=64, description="The `id` of one session; without it, all.")] | None
    ) = None


class GiveExemption(GiveReason, frozen=True, kw_only=True):
    """Until when somebody is exempt, and why; takes the place of an exemption that runs."""

    until: Annotated[
        Position,
        Meta(
            description="UTC seconds; ahead, and by no more than `longest_exemption_seconds` of the policy."
        ),
    ]
    confirm: (
        Annotated[GiveCode, Meta(description="A fresh code of the authenticator app, spent by this.")] | None
    ) = None


class FindUsers(Taken, frozen=True, kw_only=True):
    """Which people to list."""

    status: Annotated[Status, Meta(description="Only people with this status.")] | UnsetType = UNSET
    q: Annotated[str, Meta(max_length=200, description="The start of a name, e-mail or account name.")] = ""
    group: (
        Annotated[
            str, Meta(max_length=255, description="Only people in this group, as the portal spells it.")
        ]
        | UnsetType
    ) = UNSET
    never_seen: Annotated[bool, Meta(description="Only people who never signed in.")] = False
    sort: Annotated[Sort, Meta(description="In which order; with `-` from the last to the first.")] = "name"
    after: Annotated[str, Meta(max_length=2_000, description="`next` of the page before.")] | UnsetType = (
        UNSET
    )
    limit: Limit = 50


class ExportPeople(Taken, frozen=True, kw_only=True):
    """Which people to export, in which form, and why. Administrators are told."""

    reason: Reason
    status: Annotated[Status, Meta(description="Only people with this status.")] | UnsetType = UNSET
    q: Annotated[str, Meta(max_length=200, description="The start of a name, e-mail or account name.")] = ""
    group: Annotated[str, Meta(max_length=255, description="Only people in this group.")] | UnsetType = UNSET
    never_seen: Annotated[bool, Meta(description="Only people who never signed in.")] = False
    sort: Annotated[Sort, Meta(description="In which order; with `-` from the last to the first.")] = "name"
    form: Annotated[Literal["jsonl", "csv"], Meta(description="`csv` is for spreadsheets.")] = "jsonl"
    confirm: (
        Annotated[GiveCode, Meta(description="A fresh code of the authenticator app, spent by this.")] | None
    ) = None


class ExportedPeople(Struct, frozen=True, kw_only=True):
    """A file, one person a line."""


class FindEvents(Taken, frozen=True, kw_only=True):
    """Which events to list."""

    user: AccountId | UnsetType = UNSET
    kind: Annotated[EventKind, Meta(description="Only events of this kind.")] | UnsetType = UNSET
    since: Annotated[Moment, Meta(description="Only events of this time or later.")] | UnsetType = UNSET
    until: Annotated[Moment, Meta(description="Only events before this time.")] | UnsetType = UNSET
    before: Annotated[Position, Meta(description="`next` of the page before.")] | UnsetType = UNSET
    limit: Limit = 50


class ExportTrail(Taken, frozen=True, kw_only=True):
    """Which events to export, in which form, and why. Administrators are told."""

    reason: Reason
    user: AccountId | UnsetType = UNSET
    kind: Annotated[EventKind, Meta(description="Only events of this kind.")] | UnsetType = UNSET
    since: Annotated[Moment, Meta(description="Only events of this time or later.")] | UnsetType = UNSET
    until: Annotated[Moment, Meta(description="Only events before this time.")] | UnsetType = UNSET
    form: Annotated[
        Literal["jsonl", "csv"], Meta(description="`csv` is for spreadsheets, and cannot be verified.")
    ] = "jsonl"
    confirm: (
        Annotated[GiveCode, Meta(description="A fresh code of the authenticator app, spent by this.")] | None
    ) = None


class ExportedTrail(Struct, frozen=True, kw_only=True):
    """A file, one event a line. Without its last line, `end`, it was cut off."""


Stage = Literal[
    "setup_required", "code_required", "pin_setup_required", "pin_required", "verified", "not_required"
]


class Asked(Struct, frozen=True, kw_only=True):
    """What the policy asks of this person."""

    required: bool
    deadline: int | None = None
    remember_seconds: (
        Annotated[int, Meta(description="For how long a browser may be remembered, if it may be.")]
        | UnsetType
    ) = UNSET


class DeviceNow(Struct, frozen=True, kw_only=True):
    """The registered client that asks."""

    id: str
    name: str
    expires_at: Annotated[int, Meta(description="When a code is asked for again.")]


class State(Struct, frozen=True, kw_only=True):
    """Where somebody stands, and what helps. `retry_after` seconds while no code is taken."""

    subject: str
    client: Literal["web", "mobile", "desktop", "service"]
    state: Stage
    factors: tuple[FactorKind, ...]
    policy: Asked
    device: DeviceNow | None = None
    retry_after: int | None = None


class Proof(Struct, frozen=True, kw_only=True):
    """A session: until when it lasts at most, and how it was verified. Its cookie comes with the answer."""

    expires_at: int
    amr: tuple[str, ...]
    acr: str


class TotpStarted(Struct, frozen=True, kw_only=True):
    """A secret for an authenticator app, shown this once; it counts when its first code is confirmed."""

    enrollment: str
    secret: Annotated[str, Meta(description="Base32, to be typed.")]
    otpauth_uri: str
    qr_svg: Annotated[str, Meta(description="The same address as a QR code: an SVG element.")]
    expires_at: int


class TotpConfirmed(Struct, frozen=True, kw_only=True):
    """Two-step is set up. The codes are shown this once; none where an app was replaced: the old ones still count."""

    recovery_codes: tuple[str, ...]
    session: Proof


class Verification(Struct, frozen=True, kw_only=True):
    """There is a session: the code was right, and is spent, or the browser is remembered."""

    session: Proof
    remembered_until: (
        Annotated[int, Meta(description="Until when this browser is remembered, if it is.")] | UnsetType
    ) = UNSET


class ExemptionNow(Struct, frozen=True, kw_only=True):
    """An exemption that runs: who gave it when and why, and until when."""

    reason: str
    approved_by: str
    given_at: int
    until: int


class User(Struct, frozen=True, kw_only=True):
    """One person in the list."""

    id: str
    subject: Annotated[str, Meta(description="The account name at the portal.")]
    realm: str
    name: str
    email: str
    groups: tuple[str, ...]
    status: Status
    factors: tuple[FactorKind, ...]
    deadline: int | None
    exemption: ExemptionNow | None
    first_seen_at: int | None
    last_verified_at: int | None
    revision: Annotated[
        str,
        Meta(description="Changes whenever two-step is set up or reset, sessions end, or an exemption does."),
    ]


class Users(Struct, frozen=True, kw_only=True):
    """One page of people in the order of their names, and how many have each status."""

    users: tuple[User, ...]
    next: str | None
    counts: dict[Status, int]


class SessionNow(Struct, frozen=True, kw_only=True):
    """One live session of somebody. `id` names it, and opens nothing."""

    id: str
    client: str
    factor: Means
    created_at: int
    expires_at: int
    verified_at: int
    address: str
    user_agent: str


class Doer(Struct, frozen=True, kw_only=True):
    """Who did it, where, and from which address."""

    subject: str
    realm: str
    surface: Literal["web", "api", "shell", "gate"]
    address: str

    @classmethod
    def of(cls, actor: Actor) -> Self:
        """What the trail keeps of who did it."""
        return cls(subject=actor.subject, realm=actor.realm, surface=actor.surface, address=actor.address)


class AuditEvent(Struct, frozen=True, kw_only=True):
    """One record of the audit trail. `account` is `org` for what concerns the organization."""

    position: int
    kind: EventKind
    at: int
    account: str
    subject: str
    actor: Doer
    details: dict[str, str]


class AuditPage(Struct, frozen=True, kw_only=True):
    """Some events, newest first."""

    events: tuple[AuditEvent, ...]
    next: int | None
    archived_before: Annotated[
        int | None,
        Meta(
            description="On the last page: there may be more of before this time, which has left for the archive."
        ),
    ]


class DeviceTold(Struct, frozen=True, kw_only=True):
    """One registered client."""

    id: str
    kind: NativeKind
    name: str
    registered_at: int
    used_at: Annotated[int, Meta(description="When it was used last, to the hour.")]
    address: str
    expires_at: int
    current: Annotated[bool, Meta(description="Whether it is the one that asks.")] = False

    @classmethod
    def of(cls, device: Device, policy: Policy, current: Device | None = None) -> "DeviceTold":
        """A device as it is told."""
        return cls(
            id=device.id,
            kind=device.kind,
            name=device.name,
            registered_at=device.registered_at,
            used_at=device.used_at,
            address=device.address,
            expires_at=lives_until(device, policy),
            current=current is not None and current.id == device.id,
        )


class UserProfile(Struct, frozen=True, kw_only=True):
    """One person, with sessions and history."""

    user: User
    required: bool
    because: Because
    recovery_codes_left: int
    two_step_since: int | None
    reset_at: int | None
    sessions: tuple[SessionNow, ...]
    browsers: tuple[BrowserNow, ...]
    devices: tuple[DeviceTold, ...]
    history: tuple[AuditEvent, ...]
    archived_before: Annotated[
        int | None,
        Meta(description="What was before this time is not in `history`: it has left for the archive."),
    ]


class Problem(Struct, frozen=True, kw_only=True):
    """What is wrong (RFC 9457). Go by `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: Literal[
        "invalid",
        "sign_in_required",
        "two_step_setup_required",
        "two_step_code_required",
        "code_rejected",
        "not_allowed",
        "not_found",
        "conflict",
        "paused",
        "unavailable",
    ]
    errors: dict[str, str] = {}
    setup_url: str = ""
    factors: tuple[FactorKind, ...] = ()
    max_age: int = 0
    retry_after: int = 0
