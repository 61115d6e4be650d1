"""What JSON about the policy goes into the API and comes out of it, as typed values; it changes nothing.

All times are UTC seconds.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from mfa_gate.core.accounts import FactorKind
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.impact import ListName
from mfa_gate.core.policy import GraceFrom, GroupFactors, Policy
from mfa_gate.core.policy_changes import (
    LONGEST_GROUP,
    MOST_GROUPS,
    RANGES,
    SETTABLE,
    PolicyChanges,
    PolicyField,
)
from mfa_gate.flows.impact import Preview
from mfa_gate.flows.policy_history import LONGEST_PAGE, PolicyVersion
from mfa_gate.web.api_schema import GiveCode, Position, Reason, Taken, given

Group: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LONGEST_GROUP)]
Groups: TypeAlias = Annotated[list[Group], Meta(max_length=MOST_GROUPS)]
_LEAST: Mapping[PolicyField, int] = {field: least for field, least, _ in RANGES}
_MOST: Mapping[PolicyField, int] = {field: most for field, _, most in RANGES}
Kinds: TypeAlias = Annotated[
    list[FactorKind],
    Meta(
        min_length=1,
        max_length=len(get_args(FactorKind)),
        description=f"With one that people can set up: {', '.join(SETTABLE)}.",
        extra_json_schema={"contains": {"enum": list(SETTABLE)}},
    ),
]


class OfGroup(Taken, frozen=True, kw_only=True):
    """Members of `group` may use these kinds of factor only."""

    group: Group
    factors: Kinds

    def rule(self) -> GroupFactors:
        """The same, as the policy keeps it."""
        return GroupFactors(group=self.group, factors=tuple(self.factors))


class ChangePolicy(Taken, frozen=True, kw_only=True):
    """A change of the policy: the fields that are named. What weakens it, turning off included, carries `confirm`."""

    require_two_step: (
        Annotated[bool, Meta(description="**Require Two-Step Authentication**.")] | UnsetType
    ) = UNSET
    remind_while_off: (
        Annotated[bool, Meta(description="Reminders go out although nothing is required yet.")] | UnsetType
    ) = UNSET
    required_groups: (
        Annotated[Groups, Meta(description="Required of their members only; empty: of everyone.")] | UnsetType
    ) = UNSET
    left_out_groups: (
        Annotated[Groups, Meta(description="Not required of their members, whatever else they are in.")]
        | UnsetType
    ) = UNSET
    allowed_factors: Annotated[Kinds, Meta(description="The kinds of factor that count.")] | UnsetType = UNSET
    group_factors: (
        Annotated[list[OfGroup], Meta(max_length=MOST_GROUPS, description="Fewer kinds for some groups.")]
        | UnsetType
    ) = UNSET
    session_ttl_seconds: (
        Annotated[int, Meta(ge=_LEAST["session_ttl_seconds"], le=_MOST["session_ttl_seconds"])] | UnsetType
    ) = UNSET
    idle_ttl_seconds: (
        Annotated[int, Meta(ge=_LEAST["idle_ttl_seconds"], le=_MOST["idle_ttl_seconds"])] | UnsetType
    ) = UNSET
    remember_seconds: (
        Annotated[
            int,
            Meta(
                ge=_LEAST["remember_seconds"],
                le=_MOST["remember_seconds"],
                description="How long a browser may be remembered after a code; 0: not at all.",
            ),
        ]
        | UnsetType
    ) = UNSET
    mobile_ttl_seconds: (
        Annotated[
            int,
            Meta(
                ge=_LEAST["mobile_ttl_seconds"],
                le=_MOST["mobile_ttl_seconds"],
                description="How long a code counts for the mobile client that was registered with it.",
            ),
        ]
        | UnsetType
    ) = UNSET
    desktop_ttl_seconds: (
        Annotated[
            int,
            Meta(
                ge=_LEAST["desktop_ttl_seconds"],
                le=_MOST["desktop_ttl_seconds"],
                description="How long a code counts for the desktop client that was registered with it.",
            ),
        ]
        | UnsetType
    ) = UNSET
    closed_clients: (
        Annotated[
            list[NativeKind],
            Meta(
                max_length=len(get_args(NativeKind)),
                description="Kinds of client that get nothing, whoever uses them.",
            ),
        ]
        | UnsetType
    ) = UNSET
    grace_seconds: (
        Annotated[
            int,
            Meta(
                ge=_LEAST["grace_seconds"],
                le=_MOST["grace_seconds"],
                description="How long who never had two-step may put it off; 0: not at all.",
            ),
        ]
        | UnsetType
    ) = UNSET
    grace_from: GraceFrom | UnsetType = UNSET
    grace_anew: Annotated[
        bool, Meta(description="Count the grace period from now on, also where it was over.")
    ] = False
    longest_exemption_seconds: (
        Annotated[
            int,
            Meta(
                ge=_LEAST["longest_exemption_seconds"],
                le=_MOST["longest_exemption_seconds"],
                description="How far ahead the end of an exemption may lie.",
            ),
        ]
        | UnsetType
    ) = UNSET
    reason: Annotated[str, Meta(max_length=500, description="Stands in the trail and the history.")] = ""
    version: (
        Annotated[Position, Meta(description="The version that was read; 409 if it is not the newest.")]
        | None
    ) = None
    confirm: (
        Annotated[GiveCode, Meta(description="A fresh code of the authenticator app, spent by this.")] | None
    ) = None

    def changes(self) -> PolicyChanges:
        """What is to be changed, as the flows take it."""
        kinds, of_groups = given(self.allowed_factors), given(self.group_factors)
        closed = given(self.closed_clients)
        return PolicyChanges(
            require_two_step=given(self.require_two_step),
            remind_while_off=given(self.remind_while_off),
            required_groups=_tuple(given(self.required_groups)),
            left_out_groups=_tuple(given(self.left_out_groups)),
            allowed_factors=None if kinds is None else tuple(kinds),
            group_factors=None if of_groups is None else tuple(each.rule() for each in of_groups),
            session_ttl_seconds=given(self.session_ttl_seconds),
            idle_ttl_seconds=given(self.idle_ttl_seconds),
            mobile_ttl_seconds=given(self.mobile_ttl_seconds),
            desktop_ttl_seconds=given(self.desktop_ttl_seconds),
            closed_clients=None if closed is None else tuple(closed),
            remember_seconds=given(self.remember_seconds),
            grace_seconds=given(self.grace_seconds),
            grace_from=given(self.grace_from),
            grace_anew=self.grace_anew,
            longest_exemption_seconds=given(self.longest_exemption_seconds),
        )


class FindVersions(Taken, frozen=True, kw_only=True):
    """Which versions of the policy."""

    before: Annotated[Position, Meta(description="Only versions below this one.")] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=LONGEST_PAGE)] = 20


class PolicyNow(Struct, frozen=True, kw_only=True):
    """The organization's policy."""

    require_two_step: bool
    version: int
    remind_while_off: bool
    required_groups: tuple[str, ...]
    left_out_groups: tuple[str, ...]
    allowed_factors: tuple[FactorKind, ...]
    group_factors: tuple[GroupFactors, ...]
    session_ttl_seconds: int
    idle_ttl_seconds: int
    mobile_ttl_seconds: int
    desktop_ttl_seconds: int
    closed_clients: tuple[NativeKind, ...]
    remember_seconds: int
    grace_seconds: int
    grace_from: GraceFrom
    first_required_at: Annotated[
        int | None, Meta(description="From when the grace period counts, at the earliest.")
    ]
    longest_exemption_seconds: int
    changed_at: int | None
    changed_by: str
    reason: str

    @classmethod
    def of(cls, policy: Policy) -> "PolicyNow":
        """The policy as it is told."""
        return cls(
            require_two_step=policy.require_two_step,
            version=policy.version,
            remind_while_off=policy.remind_while_off,
            required_groups=policy.required_groups,
            left_out_groups=policy.left_out_groups,
            allowed_factors=policy.allowed_factors,
            group_factors=policy.group_factors,
            session_ttl_seconds=policy.session_ttl_seconds,
            idle_ttl_seconds=policy.idle_ttl_seconds,
            mobile_ttl_seconds=policy.mobile_ttl_seconds,
            desktop_ttl_seconds=policy.desktop_ttl_seconds,
            closed_clients=policy.closed_clients,
            remember_seconds=policy.remember_seconds,
            grace_seconds=policy.grace_seconds,
            grace_from=policy.grace_from,
            first_required_at=policy.first_required_at or None,
            longest_exemption_seconds=policy.longest_exemption_seconds,
            changed_at=policy.changed_at or None,
            changed_by=policy.changed_by,
            reason=policy.changed_why,
        )


class Changed(Struct, frozen=True, kw_only=True):
    """One field that is not as it was in the version before, in words."""

    field: PolicyField
    before: str
    after: str


class PolicyThen(Struct, frozen=True, kw_only=True):
    """One version of the policy. `changes` is null where the version before is not kept."""

    policy: PolicyNow
    changes: tuple[Changed, ...] | None

    @classmethod
    def of(cls, version: PolicyVersion) -> "PolicyThen":
        """The version as it is told."""
        found = version.changes
        told = None if found is None else tuple(Changed(**asdict(each)) for each in found)
        return cls(policy=PolicyNow.of(version.policy), changes=told)


class PolicyVersions(Struct, frozen=True, kw_only=True):
    """The policy as it was, newest first."""

    versions: tuple[PolicyThen, ...]
    next: Annotated[int | None, Meta(description="`before` of the page after this one.")]


class Unattributed(Struct, frozen=True, kw_only=True):
    """Requests that nobody can be named for."""

    route: Annotated[str, Meta(description="The first segment of the path.")]
    credential: str
    requests: int


class Impact(Struct, frozen=True, kw_only=True):
    """What turning the requirement on would do now to people without two-step and without an exemption."""

    stopped: Annotated[int, Meta(description="At their next request.")]
    has_time: Annotated[int, Meta(description="May choose “later”.")]
    not_asked: Annotated[int, Meta(description="Because of their groups.")]
    never_seen: Annotated[int, Meta(description="Of those who are asked, who never signed in.")]
    without_email: Annotated[int, Meta(description="Of those who are asked, who cannot be reminded.")]
    complete: Annotated[
        bool,
        Meta(description="False: there are more people than were counted, and each number may be larger."),
    ]
    unattributed: tuple[Unattributed, ...]

    @classmethod
    def of(cls, found: Preview) -> "Impact":
        """The preview as it is told."""
        return cls(
            stopped=found.stopped,
            has_time=found.has_time,
            not_asked=found.not_asked,
            never_seen=found.never_seen,
            without_email=found.without_email,
            complete=found.complete,
            unattributed=tuple(
                Unattributed(route=route, credential=credential, requests=count)
                for (route, credential), count in sorted(found.traffic.items())
            ),
        )


class ExportList(Taken, frozen=True, kw_only=True):
    """Which list to export, and why. Administrators are told."""

    list: Annotated[ListName, Meta(description="Who, or which traffic.")]
    form: Annotated[Literal["jsonl", "csv"], Meta(description="`csv` is for spreadsheets.")] = "csv"
    reason: Reason
    confirm: (
        Annotated[GiveCode, Meta(description="A fresh code of the authenticator app, spent by this.")] | None
    ) = None


class ExportedList(Struct, frozen=True, kw_only=True):
    """A table for spreadsheets."""


def _tuple(groups: list[str] | None) -> tuple[str, ...] | None:
    return None if groups is None else tuple(groups)
