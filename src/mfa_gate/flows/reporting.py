"""What administrators see: the list, coverage, one person's profile, the trail, what the switch would do.

It changes nothing, and it does not ask who looks: `Administration.admits` stands in front of it.
Every method may raise `StoreUnavailable`.
"""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Device, RememberedBrowser
from mfa_gate.core.devices import devices_of
from mfa_gate.core.events import EventKind
from mfa_gate.core.listing import ACTIVE, BACKWARDS, EVERYBODY, Filter, Place, Sort
from mfa_gate.core.policy import DAY, Policy, Standing, Status, standing
from mfa_gate.core.remembered import trusted
from mfa_gate.core.sessions import Session
from mfa_gate.flows.acting import is_account_id
from mfa_gate.flows.finding import LONGEST_PAGE, Sought, Trailing, find
from mfa_gate.flows.proving import still_open
from mfa_gate.flows.results import NotFound
from mfa_gate.flows.surveying import tampered_at, whole_at
from mfa_gate.ports import Accounts, Directory, Leases, Notices, Policies, Recorded, Row, Traffic, Trail

LONGEST_QUERY = 255
HISTORY = 50
SOON_SECONDS = 7 * DAY
EVERYTHING = Sought()


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage now: `covered` of `people` have a factor, paused included; the inactive count in neither."""

    policy: Policy
    counts: dict[Status, int]
    covered: int
    people: int
    exemptions_ending: int = 0
    deadlines_ending: int = 0
    """How many exemptions, and how many times to set up, end within a week, if nobody writes anything until then."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Some people in order, and cursors: the next page is after `next`, the one before it before `previous`."""

    rows: tuple[Row, ...]
    next: str | None
    previous: str | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One person. `browsers` are remembered, the newest first. `history` is newest first, at most 50 events.

    `archived_before`: what was before this time is not in it, since it has left for the archive.
    """

    account: Account
    standing: Standing
    sessions: tuple[Session, ...]
    browsers: tuple[RememberedBrowser, ...]
    devices: tuple[Device, ...]
    history: tuple[Recorded, ...]
    archived_before: int | None = None


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What turning the requirement on now would do.

    `unattributed` is the traffic that nobody can be named for, by (route prefix, kind of credential); it would be
    refused. Whom the portal knows and the gate has never seen is not in any number.
    """

    asked_to_set_up: int
    unattributed: dict[tuple[str, str], int]


class Wholeness(msgspec.Struct, frozen=True, kw_only=True):
    """When the whole trail was last recomputed and found whole, and when tampering was last noticed; None: never."""

    whole_at: int | None
    tampered_at: int | None


class WaitingMail(msgspec.Struct, frozen=True, kw_only=True):
    """How many notices wait for a mail server that takes none, and what it says."""

    count: int
    trouble: str


class Reporting:
    """One per process."""

    def __init__(
        self,
        directory: Directory,
        trail: Trail,
        accounts: Accounts,
        policies: Policies,
        traffic: Traffic,
        *,
        notices: Notices,
        leases: Leases,
    ) -> None:
        self._directory = directory
        self._trail = trail
        self._accounts = accounts
        self._policies = policies
        self._traffic = traffic
        self._notices = notices
        self._leases = leases

    def wholeness(self) -> Wholeness:
        """How it stands with the trail itself."""
        return Wholeness(whole_at=whole_at(self._leases), tampered_at=tampered_at(self._trail))

    def waiting_mail(self) -> WaitingMail | None:
        """Which notices wait because the mail server took none when it was last asked; None: it takes them."""
        queue = self._notices.queue()
        return WaitingMail(count=len(queue.waiting), trouble=queue.trouble) if queue.trouble else None

    def overview(self, now: int) -> Overview:
        """Policy, counters of every status, and coverage."""
        counts = self._directory.counts(EVERYBODY, now) or {}
        people = sum(counts[status] for status in ACTIVE)
        covered = counts["enrolled"] + counts["paused"]
        soon = counts
        if counts["exempt"] or counts["grace"]:
            soon = self._directory.counts(EVERYBODY, now + SOON_SECONDS) or {}
        return Overview(
            policy=self._policies.policy(),
            counts=counts,
            covered=covered,
            people=people,
            exemptions_ending=counts["exempt"] - soon["exempt"],
            # Whose exemption ends may have time after that.
            deadlines_ending=max(0, counts["grace"] - soon["grace"]),
        )

    def exempt(self, limit: int, now: int) -> tuple[Account, ...]:
        """Those whose exemption runs, the first to end first."""
        return self._directory.exempt(limit, now)

    def counts(self, who: Filter, now: int) -> dict[Status, int] | None:
        """How many people of a filter's group have each status; None: not known without looking for them."""
        return self._directory.counts(_storable(who), now)

    def unattributed(self) -> int:
        """How many kinds of traffic there are that nobody can be named for."""
        return len(self._traffic.traffic())

    def impact(self, now: int) -> Impact:
        """What turning the requirement on now would do."""
        counts = self._directory.counts(EVERYBODY, now) or {}
        return Impact(asked_to_set_up=counts["missing"], unattributed=self._traffic.traffic())

    def people(
        self,
        who: Filter,
        *,
        sort: Sort = "name",
        after: str | None = None,
        before: str | None = None,
        limit: int,
        now: int,
    ) -> Listed | NotFound:
        """One page of the list, of at most 500 rows: after a cursor, or else before one.

        `NotFound`: there is no such cursor, or it is that of a list in another order.
        """
        wanted = max(1, min(limit, LONGEST_PAGE))
        # Going back is going on in the list that begins at the other end.
        back = after is None and before is not None
        cursor = before if back else after
        way = BACKWARDS[sort] if back else sort
        place = None if cursor is None else Place.of(cursor, way)
        if cursor is not None and place is None:
            return NotFound()
        page = self._directory.people(_storable(who), sort=way, after=place, limit=wanted, now=now)
        on = page.next.cursor if page.next else None
        turned = page.first.backwards.cursor if page.first and cursor is not None else None
        if back:
            return Listed(rows=page.rows[::-1], next=turned, previous=on)
        return Listed(rows=page.rows, next=on, previous=turned)

    def everybody(self, who: Filter, *, sort: Sort = "name", now: int) -> Iterator[Row]:
        """Everybody who fits, read page by page."""
        return everybody(self._directory, who, sort=sort, now=now)

    def profile(self, account_id: str, now: int) -> Profile | NotFound:
        """One person with sessions and history."""
        account = self._accounts.account(account_id) if is_account_id(account_id) else None
        if account is None:
            return NotFound()
        policy = self._policies.policy()
        history = self._trail.events(account_id=account_id, kind=None, before=None, limit=HISTORY)
        archived = self._trail.archived_before() if len(history) < HISTORY else None
        return Profile(
            account=account,
            standing=standing(account, policy, now),
            sessions=still_open(self._accounts.sessions(account_id, now), account, policy, now),
            browsers=trusted(account, policy, now)[::-1],
            devices=devices_of(account, policy, now),
            history=history,
            # Whoever came later has nothing there.
            archived_before=archived if archived is not None and _made_at(account) < archived else None,
        )

    def latest(self, kinds: tuple[EventKind, ...], limit: int) -> tuple[Recorded, ...]:
        """The newest events of any of these kinds, newest first."""
        return self._trail.latest(kinds, limit)

    def audit(self, sought: Sought = EVERYTHING, *, before: int | None = None, limit: int) -> Trailing:
        """A page of the trail, newest first; at most 500 events below position `before`."""
        return find(self._trail, sought, before=before, limit=limit)


def _made_at(account: Account) -> int:
    known = [at for at in (account.created_at, account.first_seen_at) if at]
    return min(known, default=0)


def everybody(directory: Directory, who: Filter, *, sort: Sort, now: int) -> Iterator[Row]:
    """Everybody who fits a filter, read page by page."""
    after: Place | None = None
    while True:
        page = directory.people(_storable(who), sort=sort, after=after, limit=LONGEST_PAGE, now=now)
        yield from page.rows
        after = page.next
        if after is None:
            return


def _storable(who: Filter) -> Filter:
    """A filter from an address as a store can take it: no half of a surrogate pair, and not without end."""
    return replace(
        who,
        prefix=_text(who.prefix).strip(),
        group=None if who.group is None else _text(who.group),
    )


def _text(text: str) -> str:
    return text[:LONGEST_QUERY].encode(errors="replace").decode()
