"""What the pages about the policy show, as plain values; the companion of `admin_views.py`, under the same rules."""

from typing import Literal

from msgspec import Struct

from mfa_gate.core.accounts import FactorKind
from mfa_gate.core.clients import NativeKind
from mfa_gate.core.impact import ListName
from mfa_gate.core.policy import GraceFrom
from mfa_gate.core.policy_changes import PolicyField
from mfa_gate.web.views import CodeProblem, Pause


class TrafficLine(Struct, frozen=True, kw_only=True):
    """Requests that nobody can be named for, while the policy is off."""

    place: str
    """The first segment of the path."""
    credentials: str | None
    """What came with them, such as `authorization`; `None` for nothing."""
    count: int


class PolicyEffect(Struct, frozen=True, kw_only=True):
    """What would happen if the switch were turned on now."""

    asked_to_set_up: int
    has_time: int = 0
    not_asked: int = 0
    never_signed_in: int = 0
    without_email: int = 0
    everybody_href: str | None = None
    """Where all are counted; `None` if all were."""
    unattributed: tuple[TrafficLine, ...] = ()
    """Kinds of traffic that nobody can be named for and that would be refused, the most frequent first."""
    asked_href: str | None = None


class WayAllowed(Struct, frozen=True, kw_only=True):
    """A way to confirm, and which groups may not use it (one a line). `needed`: nothing goes without it."""

    kind: FactorKind
    allowed: bool
    needed: bool = False
    without: str = ""


class ChangeLine(Struct, frozen=True, kw_only=True):
    """One field of the policy before and after, as the trail says it: `on`, `off`, `none`, seconds or names."""

    field: PolicyField
    before: str
    after: str


class PolicyFields(Struct, frozen=True, kw_only=True):
    """The fields below the switch, as they are typed. `unusual`: the parts that are not as they come."""

    remind: bool = False
    required_groups: str = ""
    left_out_groups: str = ""
    ways: tuple[WayAllowed, ...] = (
        WayAllowed(kind="totp", allowed=True, needed=True),
        WayAllowed(kind="recovery_code", allowed=True),
    )
    session_hours: str = "12"
    idle_minutes: str = "30"
    closed: tuple[NativeKind, ...] = ()
    remember_days: str = "0"
    mobile_days: str = "30"
    desktop_days: str = "30"
    grace_days: str = "0"
    grace_from: GraceFrom = "policy"
    grace_counts_from: int | None = None
    grace_anew: bool = False
    exemption_days: str = "90"
    reason: str = ""
    unusual: tuple[str, ...] = ()


class AdminPolicies(Struct, frozen=True, kw_only=True):
    """Admin, Settings, Policies, section Security.

    * `POST admin/settings/policies`: `require_two_step` = `1` if ticked, `version`, `code` (may be empty), and with
      `whole` = `1` everything of `PolicyFields`
    """

    require: bool
    """As it is saved."""
    ticked: bool
    """As the checkbox stands: differs from `require` when a save was answered with a question."""
    version: int
    effect: PolicyEffect
    enrolled: int = 0
    """How many people have two-step and keep it when the switch is turned off."""
    missing: int = 0
    """How many people of whom it is required have not set it up."""
    missing_href: str | None = None
    waiting: int = 0
    """How many people still have time to."""
    waiting_href: str | None = None
    exempt: int = 0
    exempt_href: str | None = None
    actor_enrolled: bool = True
    """Whether the acting administrator has two-step; otherwise turning on is refused."""
    fields: PolicyFields = PolicyFields()
    misfit: PolicyField | None = None
    """The field that cannot be like this."""
    theirs: tuple[ChangeLine, ...] = ()
    """What somebody else changed while this form was filled in."""
    asks_code: bool = False
    """Whether what stands in the form asks less of somebody, and so wants a code."""
    refused: Literal["actor_not_enrolled", "stale"] | None = None
    needs_code: bool = True
    """Whether turning off asks for a fresh code."""
    code_problem: CodeProblem | None = None
    pause: Pause | None = None
    saved: Literal["turned_on", "turned_off", "changed", "unchanged"] | None = None
    changed_at: int | None = None
    changed_by: str | None = None


class PolicyVersionLine(Struct, frozen=True, kw_only=True):
    """One version of the policy. `changes` is None where the version before is not kept."""

    version: int
    changed_at: int
    changed_by: str | None
    reason: str
    changes: tuple[ChangeLine, ...] | None


class AdminPolicyHistory(Struct, frozen=True, kw_only=True):
    """Admin, Settings, Policies, History: the policy as it was, newest first. Sends no form."""

    versions: tuple[PolicyVersionLine, ...]
    next_href: str | None = None
    first_href: str | None = None


class AdminImpactExport(Struct, frozen=True, kw_only=True):
    """Settings, Policies, Export: the form that gives one list of whom or what the switch would meet.

    * `GET admin/settings/policies/export?list=`
    * `POST` to the same: `list`, `form`, `reason`, `code`; the answer is the file
    """

    list: ListName = "stopped"
    policies_href: str
    form: Literal["csv", "jsonl"] = "csv"
    reason: str = ""
    reason_missing: bool = False
    problem: CodeProblem | None = None
    pause: Pause | None = None
