"""What each page of administration shows, as plain values; the companion of `views.py`, under the same rules."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from mfa_gate.core.reminders import Outcome
from mfa_gate.core.snapshots import Openings
from mfa_gate.web.charts import CoverageChart
from mfa_gate.web.views import (
    BrowserLine,
    ClientLine,
    CodeProblem,
    Followed,
    HistoryLine,
    Pause,
    SessionLine,
    UserStatus,
    Way,
    WayKind,
)

AttentionKind = Literal[
    "missing",
    "never_signed_in",
    "grace",
    "deadlines",
    "paused",
    "reminders_failed",
    "mail_waits",
    "unattributed",
]


class Attention(Struct, frozen=True, kw_only=True):
    """A number on the overview that wants a look, and where to see exactly those."""

    kind: AttentionKind
    count: int
    href: str


class ExemptionShown(Struct, frozen=True, kw_only=True):
    """An exemption that runs."""

    until: int
    reason: str
    approved_by: str
    given_at: int


class ExemptPerson(Struct, frozen=True, kw_only=True):
    """Somebody who is exempt, on the overview."""

    name: str
    href: str
    exemption: ExemptionShown | None
    """`None` once it is over."""


class GroupLine(Struct, frozen=True, kw_only=True):
    """Coverage in one group."""

    name: str
    href: str
    covered: int
    people: int


class RemindersNow(Struct, frozen=True, kw_only=True):
    """How it stands with reminders: whether mail `leaves` at all, and the policy `reminds`; the newest, if any."""

    leaves: bool
    reminds: bool
    last_at: int | None
    sent: int
    is_open: bool
    href: str


class AdminOverview(Struct, frozen=True, kw_only=True):
    """Admin, Overview: where we are and what to do next. Sends no form."""

    enrolled: int
    paused: int = 0
    people: int
    enrolled_href: str
    paused_href: str = ""
    people_href: str
    require: bool
    remember_seconds: int = 0
    """For how long browsers may be remembered."""
    require_since: int | None = None
    by_group: bool = False
    """Whether it is required of some groups only, or some are left out."""
    exemptions: int = 0
    exemptions_href: str | None = None
    exempt: tuple[ExemptPerson, ...] = ()
    """Those whose exemption ends first."""
    exemptions_ending: int = 0
    """How many end within a week."""
    attention: tuple[Attention, ...] = ()
    groups: tuple[GroupLine, ...] = ()
    """The largest, and those that the policy names."""
    more_groups: int = 0
    deadline: int | None = None
    """When everybody's time to set up ends, where that is one and the same."""
    reminders: RemindersNow | None = None
    openings: Openings | None = None
    course: CoverageChart | None = None
    """Coverage over the last months; None while there is nothing to compare."""
    recent: tuple[HistoryLine, ...] = ()

    @property
    def covered(self) -> int:
        """Whoever has two-step; each number beside it leads to a list of exactly so many."""
        return self.enrolled + self.paused


class StatusChip(Struct, frozen=True, kw_only=True):
    """A filter of the users list with its count, if that is known; without a `status` it is everybody."""

    status: UserStatus | None
    never_seen: bool = False
    count: int | None
    href: str
    current: bool = False


class SortLink(Struct, frozen=True, kw_only=True):
    """The head of a column that can be sorted by; `direction` if it is."""

    href: str
    direction: Literal["ascending", "descending"] | None = None


class UserLine(Struct, frozen=True, kw_only=True):
    """One person in the users list."""

    id: str
    href: str
    name: str
    email: str | None = None
    status: UserStatus
    ways: tuple[WayKind, ...] = ()
    last_confirmed_at: int | None = None
    deadline: int | None = None
    groups: tuple[str, ...] = ()
    group_hrefs: tuple[str, ...] = ()
    """For each group the list of those in it."""
    may_remind: bool = False


class RemindBar(Struct, frozen=True, kw_only=True):
    """What can be sent from the list.

    * `POST admin/reminders`: `user-<id>` = `1` of everybody who is ticked; or `all` = `1`, `status`, `q`, `group` and
      `never_seen`
    """

    everybody: int | None
    """How many people the filter fits who have not set up two-step; `None`: not known before they are looked for."""
    no_mail: bool = False
    """The settings name no way for mail, so that nothing can be sent."""


class AdminUsers(Struct, frozen=True, kw_only=True):
    """Admin, Users: the list with its filter in the address.

    * `GET admin/users`: `q` (prefix of name, e-mail or account name), `group`; `status`, `never_seen` and `sort` (kept
      from the address)
    """

    chips: tuple[StatusChip, ...]
    lines: tuple[UserLine, ...]
    sorts: Mapping[str, SortLink] = MappingProxyType({})
    """By column: `name`, `last_verified`."""
    query: str = ""
    group: str = ""
    status: UserStatus | None = None
    never_seen: bool = False
    sort: str = "name"
    remind: RemindBar | None = None
    nobody_chosen: bool = False
    """Whether reminders were asked for, and for nobody."""
    everybody_href: str = ""
    export_href: str = ""
    """Empty for who may not export."""
    inactive_href: str = ""
    """The same search among those who are not active."""
    first_href: str | None = None
    """The first page, when this is not the first."""
    previous_href: str | None = None
    next_href: str | None = None


StandingReason = Literal[
    "everyone",
    "group",
    "outside_groups",
    "left_out_group",
    "policy_off",
    "own_choice",
    "exempt",
    "inactive",
]
"""Why two-step is or is not required of somebody."""

NoResetReason = Literal["yourself", "administrator", "nothing_set_up", "not_allowed"]

AdminNotice = Literal[
    "reset",
    "signed_out",
    "session_ended",
    "browser_forgotten",
    "client_removed",
    "exempted",
    "exemption_ended",
    "overtaken",
]
"""What was just done; `overtaken`: nothing, since somebody else was quicker."""


class AdminUser(Struct, frozen=True, kw_only=True):
    """Admin, profile of one person. What may be done for them has pages of its own (`AdminAct`)."""

    id: str
    name: str
    email: str | None = None
    subject: str
    """The account name at the portal."""
    groups: tuple[str, ...] = ()
    status: UserStatus
    required: bool
    because: StandingReason
    because_group: str | None = None
    since: int | None = None
    deadline: int | None = None
    paused_until: int | None = None
    """`None` while `status` is `paused`: closed until a reset."""
    exemption: ExemptionShown | None = None
    last_confirmed_at: int | None = None
    ways: tuple[Way, ...] = ()
    recovery_left: int | None = None
    sessions: tuple[SessionLine, ...] = ()
    browsers: tuple[BrowserLine, ...] = ()
    clients: tuple[ClientLine, ...] = ()
    history: tuple[HistoryLine, ...] = ()
    history_href: str | None = None
    archived_before: int | None = None
    """What was before is not in `history`: it has left for the archive."""
    no_reset: NoResetReason | None = None
    may_sign_out: bool = False
    may_remove_client: bool = False
    may_exempt: bool = False
    may_end_exemption: bool = False
    may_remind: bool = False
    """* `POST admin/reminders`: `user-<id>` = `1`"""
    notice: AdminNotice | None = None


AdminActKind = Literal[
    "reset", "sign_out", "end_session", "forget_browser", "remove_client", "exempt", "end_exemption"
]


class AdminAct(Struct, frozen=True, kw_only=True):
    """Admin, one act for one person: what it will do, and the form that does it.

    * `GET admin/users/<id>/<act>` (with `-` for `_`): `session`, `browser` or `client`
    * `POST` to the same: `reason`, `revision`, `until` to exempt, the same as above, `code` if `asks_code`
    """

    act: AdminActKind
    id: str
    name: str
    revision: str
    """The person as they were when this page was made; another by now is a conflict."""
    session: SessionLine | None = None
    browser: BrowserLine | None = None
    client: ClientLine | None = None
    exempt_until: int | None = None
    """Until when an exemption runs already."""
    until: str = ""
    """The last day of an exemption, as `2026-03-14`."""
    first_day: str = ""
    last_day: str = ""
    latest: int = 0
    """A moment of the last day."""
    longest_days: int = 0
    until_wrong: bool = False
    needs_setup_code: bool = False
    """Whether the person will need a setup code from the server's shell to set up two-step again."""
    reason: str = ""
    reason_missing: bool = False
    asks_code: bool = False
    problem: CodeProblem | None = None
    pause: Pause | None = None


class AuditKind(Struct, frozen=True, kw_only=True):
    """One choice in the audit's filter by kind."""

    value: str
    current: bool = False


class AdminAudit(Struct, frozen=True, kw_only=True):
    """Admin, Audit: what happened, in sentences.

    * `GET admin/audit`: `person`, `kind`, `from` and `to` (days, the last one included)
    """

    lines: tuple[HistoryLine, ...]
    kinds: tuple[AuditKind, ...] = ()
    person: str = ""
    kind: str = ""
    since: str = ""
    """First day, as a date field has it."""
    until: str = ""
    """Last day."""
    first_href: str | None = None
    next_href: str | None = None
    export_href: str = ""
    archived_before: int | None = None
    """There may be more of before, which has left for the archive."""
    verified_at: int | None = None
    """Up to when the trail was last found whole."""
    tampered_at: int | None = None
    """When tampering was noticed that no examination has found to be over."""
    tampered_href: str = ""


class AdminExport(Struct, frozen=True, kw_only=True):
    """Admin, Audit, Export: what will be in the file, and the form that gives it.

    * `GET admin/audit/export`: `person`, `kind`, `from` and `to`, as on the page before
    * `POST` to the same: these, `form`, `reason`, `code`; the answer is the file
    """

    person: str = ""
    name: str = ""
    """Whom `person` means."""
    kind: str = ""
    since: str = ""
    until: str = ""
    audit_href: str
    form: Literal["jsonl", "csv"] = "jsonl"
    reason: str = ""
    reason_missing: bool = False
    nobody: bool = False
    """`person` means nobody."""
    problem: CodeProblem | None = None
    pause: Pause | None = None


class AdminPeopleExport(Struct, frozen=True, kw_only=True):
    """Admin, Users, Export: whom the file will name, and the form that gives it.

    * `GET admin/users/export`: the fields of the list's address
    * `POST` to the same: these, `form`, `reason`, `code`; the answer is the file
    """

    fields: tuple[tuple[str, str], ...] = ()
    """What the list's address says, to be sent again."""
    query: str = ""
    group: str = ""
    status: UserStatus | None = None
    never_seen: bool = False
    users_href: str
    form: Literal["csv", "jsonl"] = "csv"
    reason: str = ""
    reason_missing: bool = False
    problem: CodeProblem | None = None
    pause: Pause | None = None


RemindersState = Literal["running", "waiting", "finished", "given_up"]


class RemindersLine(Struct, frozen=True, kw_only=True):
    """One run of reminders in the list."""

    href: str
    made_at: int
    by: str | None
    """`None`: the gate itself."""
    dry: bool
    state: RemindersState
    done: int
    total: int | None
    troubled: int
    """How many could not be reached, or may not have been."""


class AdminReminders(Struct, frozen=True, kw_only=True):
    """Admin, Users, Reminders: what was sent in the last month. Sends no form."""

    lines: tuple[RemindersLine, ...]
    waiting: int = 0
    """How many notices wait for a mail server that takes none."""
    trouble: str = ""
    """Why it does not."""


class OutcomeChip(Struct, frozen=True, kw_only=True):
    """What came of how many; leads to exactly those."""

    outcome: Outcome
    count: int
    href: str
    current: bool = False


class ReachedLine(Struct, frozen=True, kw_only=True):
    """What came of one person."""

    name: str
    href: str | None
    email: str | None = None
    why: str = ""


class AdminReminderRun(Followed, frozen=True, kw_only=True):
    """One run of reminders, while it goes on and afterwards. Sends no form."""

    line: RemindersLine
    chips: tuple[OutcomeChip, ...] = ()
    outcome: Outcome | None = None
    lines: tuple[ReachedLine, ...] = ()
    first_href: str | None = None
    next_href: str | None = None
    seconds_left: int | None = None
    next_try_at: int | None = None
    trouble: str = ""
    """In English: for whoever is asked for help."""
    finished_at: int | None = None
