"""What JSON about reminders goes into the API and comes out of it, as typed values; it must not know who sends mail.

All times are UTC seconds.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from mfa_gate.core.policy import Status
from mfa_gate.core.reminders import Outcome
from mfa_gate.web.api_schema import AccountId, Doer, Limit, Position, Taken


class ReminderFilter(Taken, frozen=True, kw_only=True):
    """Everybody who is listed under the same filter."""

    status: Annotated[Status, Meta(description="Only people with this status.")] | UnsetType = UNSET
    q: Annotated[str, Meta(max_length=200, description="The start of a name, e-mail or account name.")] = ""
    group: Annotated[str, Meta(max_length=255, description="Only people in this group.")] | UnsetType = UNSET
    never_seen: Annotated[bool, Meta(description="Only people who never signed in.")] = False


class SendReminders(Taken, frozen=True, kw_only=True):
    """Whom to remind: `users` or `filter`. Only those of whom two-step is required and who have not set it up."""

    exactly_one: ClassVar[tuple[str, ...]] = ("users", "filter")
    users: Annotated[list[AccountId], Meta(min_length=1, max_length=500)] | UnsetType = UNSET
    filter: ReminderFilter | UnsetType = UNSET
    dry_run: Annotated[bool, Meta(description="Send nothing, and say who would get mail.")] = False


class FindResults(Taken, frozen=True, kw_only=True):
    """What came of whom."""

    outcome: Outcome
    after: Annotated[Position, Meta(description="`next` of the page before.")] = 0
    limit: Limit = 50


class ReminderJob(Struct, frozen=True, kw_only=True):
    """Reminders under way. Ask again until `state` is `finished`."""

    job: str
    state: Annotated[
        Literal["running", "waiting", "finished"],
        Meta(description="`waiting`: until `next_try_at`, because a mail server takes nothing now."),
    ]
    dry_run: bool
    made_at: int
    made_by: Doer
    total: Annotated[int | None, Meta(description="How many people; null until they are counted.")]
    done: int
    counts: Annotated[
        dict[Outcome, int],
        Meta(description="`unknown`: nobody can tell whether the mail left; it is not sent again."),
    ]
    next_try_at: int | None
    trouble: Annotated[str, Meta(description="What kept mail from being sent.")]
    finished_at: int | None


class ReminderJobs(Struct, frozen=True, kw_only=True):
    """Reminders of the last month, newest first."""

    jobs: tuple[ReminderJob, ...]


class ReminderResult(Struct, frozen=True, kw_only=True):
    """What came of one person."""

    user: str
    subject: str
    name: str
    email: str
    outcome: Outcome
    why: Annotated[str, Meta(description="What a mail server answered, or why somebody was left out.")]


class ReminderResults(Struct, frozen=True, kw_only=True):
    """Some of them."""

    results: tuple[ReminderResult, ...]
    next: int | None
