"""What the flows need from a store, cut by who uses it; every verb is atomic, so no backend can get a race wrong.

Every method may raise `StoreUnavailable`. Times are UTC seconds; `now` is always an argument.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

import msgspec

from mfa_gate.core.accounts import Account, Identity
from mfa_gate.core.checkpoints import Anchor, Entry, Reached, Signed
from mfa_gate.core.events import Event
from mfa_gate.core.grants import Grant
from mfa_gate.core.listing import Filter, Place, Sort
from mfa_gate.core.notices import NoticeQueue
from mfa_gate.core.policy import Policy, Status
from mfa_gate.core.reminders import Outcome, ReminderRun, Result
from mfa_gate.core.roster import RosterHead, RosterRow
from mfa_gate.core.sessions import Challenge, Session


class Attribution(Protocol):
    """What the identity sources read from one request: one person, or nobody."""

    @property
    def identity(self) -> Identity | None:
        """The one person that every source agrees on."""

    @property
    def candidates(self) -> tuple[Identity, ...]:
        """Everybody whom a credential may mean where that is not certain."""

    @property
    def duplicated(self) -> bool:
        """A credential that a source reads came twice."""

    @property
    def conflicting(self) -> bool:
        """Two sources name different people."""

    @property
    def unclaimed(self) -> tuple[str, ...]:
        """Credentials that the naming source does not understand, by kind."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What one round trip tells about a visitor. `account` is None for somebody never seen."""

    account: Account | None
    session: Session | None
    policy_version: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One account commit: document, events, and what is opened, ended or spent with it; all or nothing.

    `account.version` must be the version that was read; the store writes it as version + 1.
    `spend` is a challenge that must still be there, unspent and alive, or the commit is refused with `StaleState`.
    `open_session` drops the oldest sessions above the cap. `end_sessions` lists session keys; "all" ends every one.
    """

    account: Account
    events: tuple[Event, ...] = ()
    open_session: Session | None = None
    end_sessions: tuple[str, ...] | Literal["all"] = ()
    open_challenge: Challenge | None = None
    spend: str | None = None


class FactsReader(Protocol):
    """Used on a cache miss of the request path."""

    def facts(self, account_id: str, session_key: str | None, now: int) -> Facts:
        """Account, session and policy version in one round trip; an expired session is None."""

    def policy(self) -> Policy:
        """The newest policy."""


class Accounts(Protocol):
    """Used by whatever changes one person's record."""

    def account(self, account_id: str) -> Account | None:
        """The account, or None if it was never stored."""

    def challenge(self, challenge_id: str, account_id: str, now: int) -> Challenge | None:
        """A live, unspent challenge of this account."""

    def commit(self, change: Change, now: int) -> Account:
        """Write everything in `change` or nothing; returns the account as stored. Raises `StaleState`."""

    def sessions(self, account_id: str, now: int) -> tuple[Session, ...]:
        """Live sessions of one account, newest first."""


class Sessions(Protocol):
    """Used where a session ends or is seen in use, without touching the account."""

    def end_session(self, session: Session, events: tuple[Event, ...], now: int) -> None:
        """End one session and record why; ending a dead one is no error (and records nothing)."""

    def touch(self, keys: tuple[tuple[str, str], ...], now: int) -> None:
        """Move the idle clock of (account_id, session_key) pairs forward, never back, in one batch."""

    def expire(self, now: int) -> int:
        """Remove sessions and challenges whose time is over; how many. They are dead before that, too."""


class Policies(Protocol):
    """Used by administration."""

    def policy(self) -> Policy:
        """The newest policy."""

    def commit_policy(self, policy: Policy, events: tuple[Event, ...], now: int) -> Policy:
        """Write `policy` (its `version` is the one that was read) as version + 1; events join the chain `ORG`.

        Raises `StaleState`.
        """

    def policy_versions(self, before: int | None, limit: int) -> tuple[Policy, ...]:
        """The policy as it was, newest first, at most `limit` below version `before`, of those that are kept."""

    def record(self, events: tuple[Event, ...], now: int) -> None:
        """Append organization events that change no document."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the Users list, and its account."""

    account: Account
    status: Status


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows in order, the place of the first, and after which the next page begins (None at the end)."""

    rows: tuple[Row, ...]
    first: Place | None
    next: Place | None


class Directory(Protocol):
    """Used by the Users list and the overview; indexes decide nothing but what is shown."""

    def people(
        self, who: Filter, *, sort: Sort = "name", after: Place | None = None, limit: int, now: int
    ) -> Page:
        """One page of the accounts that fit a filter.

        From page to page nobody comes twice and nobody is left out, whoever is added meanwhile; where `sort` is by
        a time or a name that changes for somebody, that person may.
        """

    def counts(self, who: Filter, now: int) -> dict[Status, int] | None:
        """How many people have each status, of those whom a filter is about, whatever statuses it names.

        None for a prefix, or for a group beside `never_seen`: that is not known without looking for them.
        """


class Traffic(Protocol):
    """Used to count requests that nobody can be named for while the policy is off."""

    def count_traffic(self, counts: dict[tuple[str, str], int], now: int) -> None:
        """Add to the counters of (route prefix, kind of credential); at most 500 pairs are ever kept."""

    def traffic(self) -> dict[tuple[str, str], int]:
        """The counters."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the trail, `position` rising over the whole store."""

    position: int
    event: Event
    link: bytes


class Trail(Protocol):
    """Used by the audit page and `mfa-gate audit`."""

    def events(
        self, *, account_id: str | None, kind: str | None, before: int | None, limit: int, after: int = 0
    ) -> tuple[Recorded, ...]:
        """Newest first, below position `before` and above `after`."""

    def position_at(self, at: int) -> int | None:
        """The position of the first event that was written at `at` or later; None: there is none.

        Found by halving, as if no clock had ever been set back: who must not miss an event looks further around.
        """

    def broken_chain(self) -> str | None:
        """Recompute every chain; None if whole, else a sentence that names the first break."""


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """An account whose record is not the one that the trail speaks of."""

    account_id: str
    text: str


class Stream(Protocol):
    """Used by the checkpointer, and by whoever verifies: the trail in the order in which it was written."""

    shards: tuple[str, ...]
    """The parts of the trail, each in one order; the organization's events are in the first."""

    def entries(self, shard: str, after: int | None, limit: int) -> tuple[Entry, ...]:
        """The oldest events of a shard above position `after` (None: from the very first), in order, at most `limit`.

        What was read once never gets an entry before it.
        """

    def reached(self) -> Reached:
        """How far the store has come."""

    def checkpoint(self, number: int) -> Signed | None:
        """The checkpoint of this number."""

    def checkpoints(self, after: int, limit: int) -> tuple[Signed, ...]:
        """Checkpoints above number `after`, in order, at most `limit`."""

    def add_checkpoint(self, signed: Signed) -> None:
        """Keep the next checkpoint. Raises `StaleState` unless its number is the newest plus one.

        Returns once it, and everything that was written before it, is as durable as this store's records get.
        """

    def misfits(self, seen: Mapping[str, bytes | None]) -> tuple[Misfit, ...]:
        """Of these accounts (and `ORG`), those whose record or chain head is not what their newest event belongs to.

        `seen` holds by account a link that was read in its chain, which must still be there; None if none is known.
        Each is judged at one moment, so that a commit on the way is no misfit.
        """

    def account_ids(self, after: str | None, limit: int) -> tuple[str | None, tuple[str, ...]]:
        """Some ids of accounts that have a chain, about `limit`, and where to go on (None: these were the last)."""


class Grants(Protocol):
    """Used on the request path, from memory: who may pass without the second step, and that it is written down."""

    def find(self, identity: Identity, now: int) -> Grant | None:
        """A break-glass grant that is good for this person now."""

    def is_noted(self, grant: Grant, now: int) -> bool:
        """True if its use was written down within the last minute."""

    def note(self, grant: Grant, used: Event, now: int) -> bool:
        """Write its use down and say it aloud; False: it could not be, and must not be honored. May block."""


class Anchors(Protocol):
    """Used when a store is opened and after each checkpoint: what is kept of it elsewhere."""

    def read(self) -> Anchor | None:
        """What is known; None if nothing was ever written. Raises `StoreUnavailable`: it cannot be read."""

    def move(self, known: Anchor | None, anchor: Anchor) -> bool:
        """Put `anchor` in the place of `known`, durably; False if somebody else has moved it meanwhile."""


class Segment(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A part of the trail in a file: everything that the checkpoints `first` to `last` sign."""

    first: int
    last: int
    store: str


class Archive(Protocol):
    """Used by whoever archives the trail, and by whoever verifies what was archived: files, one for each segment."""

    def segments(self, store: str) -> tuple[Segment, ...]:
        """What there is of this store, oldest first. Raises `StoreUnavailable`: it cannot be looked at."""

    def keep(self, segment: Segment, lines: Iterator[bytes]) -> bool:
        """Write a segment, durably and whole or not at all; False if it is there. Raises `StoreUnavailable`.

        Whatever reading `lines` raises is raised, and nothing is kept.
        """

    def read(self, segment: Segment) -> Iterator[bytes]:
        """The lines of a segment. Raises `StoreUnavailable`."""


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """One step through everything that is sealed. `next` is where to go on; None at the end."""

    next: str | None
    changed: int = 0
    needed: dict[str, int] = {}
    """Seal keys, by id, and how many of the records that were looked at need each."""
    broken: tuple[str, ...] = ()
    """Records that open with no key of ours; they are left as they are."""


class Seals(Protocol):
    """Used by `mfa-gate keys reseal` and `keys retire`."""

    def reseal(self, after: str | None, limit: int) -> Resealed:
        """Seal what is not sealed with the newest key anew, of at most `limit` accounts; None begins at the first."""

    def survey(self, after: str | None, limit: int) -> Resealed:
        """Look at the same in the same steps, and change nothing."""


class Feed(Protocol):
    """Used by one thread of a process, so that its caches forget what others have changed."""

    def poll(self, timeout_seconds: float) -> tuple[str, ...] | None:
        """Names of accounts (`policy`, `*` for everything) that changed since the last call.

        Waits at most so long. `()` is a sign of life without news, None no sign of life. Raises `StoreUnavailable` if
        the connection was lost; what changed until the next answer is then unknown.
        """

    def wake(self) -> None:
        """Let a call that waits in another thread return soon, as nobody needs the feed any longer."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to run one job until `until`. `token` rises with every new holder, and fences the late ones out."""

    name: str
    holder: str
    token: int
    until: int


class Leases(Protocol):
    """Used by background jobs, of which one process at a time runs each."""

    def lease(self, name: str, holder: str, seconds: int, now: int) -> Lease | None:
        """Take or renew a lease; None while somebody else holds it."""

    def still_holds(self, lease: Lease, now: int) -> bool:
        """True while nobody else has taken the lease."""

    def note_run(self, name: str, at: int) -> None:
        """Keep that a job was done well at `at`."""

    def last_runs(self) -> dict[str, int]:
        """When each job was last done well; sealed, so that nobody without a key can claim that one was."""


class Mending(Protocol):
    """Used by a background job."""

    def repair(self) -> int:
        """Tell the policy's version to every part of the store that has not heard of it; how many had not."""


class Outbox(Protocol):
    """Used by reminders: which mail is to be sent, and what came of it. It holds ids and words of ours only."""

    def runs(self, *, open_only: bool) -> tuple[ReminderRun, ...]:
        """Those that still have something to do, or all that are kept; oldest first."""

    def run(self, run_id: str) -> ReminderRun | None:
        """The run of this id."""

    def save_run(self, run: ReminderRun, results: tuple[Result, ...] = ()) -> ReminderRun:
        """Write a run (its `version` is the one that was read, 0: a new one) as version + 1, and add results.

        Everything or nothing. Raises `StaleState`.
        """

    def results(self, run_id: str, outcome: Outcome, after: int, limit: int) -> tuple[Result, ...]:
        """The results of one outcome in the order in which they were added, but for the first `after`."""

    def drop_run(self, run_id: str) -> None:
        """Forget a run and its results; one that is not there is no error."""


class Notices(Protocol):
    """Used by the job that tells people what happened: which notices have not left, and how far it has read."""

    def queue(self) -> NoticeQueue:
        """The queue; one of version 0 if there never was any."""

    def save(self, queue: NoticeQueue) -> NoticeQueue:
        """Write the queue (its `version` is the one that was read) as version + 1. Raises `StaleState`."""


class Roster(Protocol):
    """Used by imports of a roster, which become true by the move of one pointer, and reach the accounts after that.

    Until every account has been told, `FactsReader.facts` looks at the staged row of the import in force, too.
    """

    def head(self) -> RosterHead:
        """Which import is in force."""

    def stage(self, import_id: str, rows: tuple[RosterRow, ...], now: int) -> None:
        """Add rows to an import that is not in force yet; nothing of them counts before that."""

    def staged(
        self, import_id: str, after: str | None, limit: int
    ) -> tuple[str | None, tuple[RosterRow, ...]]:
        """Some rows of an import, about `limit`, and where to go on (None: these were the last).

        Some may come twice; none is left out.
        """

    def stagings(self) -> dict[str, int]:
        """All imports of which there are rows, and when each was begun."""

    def drop(self, import_id: str) -> None:
        """Forget the rows of an import. Raises `StaleState` if not every account has been told of them."""

    def move(self, head: RosterHead, events: tuple[Event, ...], now: int) -> RosterHead:
        """Write `head` (its `number` is the one that was read) as number + 1; events join the chain `ORG`.

        Raises `StaleState`.
        """

    def accounts(self, account_ids: tuple[str, ...]) -> dict[str, Account]:
        """Those of these accounts that are stored, by id."""

    def commit_each(self, changes: tuple[Change, ...], now: int) -> tuple[str, ...]:
        """Commit many accounts, each by itself; ids of those that somebody else had changed."""


class Draft(Protocol):
    """Used by imports: a roster that was read."""

    people: int
    """How many it names."""
    realms: frozenset[str]
    """Which realms they are of."""

    def rows(self, at_once: int) -> Iterator[tuple[RosterRow, ...]]:
        """All rows, some at a time."""

    def names(self, account_id: str) -> bool:
        """True if there is a row of this account."""


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a store that somebody should mend (`error`) or know, with its cure."""

    severity: Literal["error", "warning"]
    about: str
    text: str


class Health(Protocol):
    """Used by `mfa-gate check`."""

    def health(self, now: float) -> tuple[Concern, ...]:
        """What endangers what is stored: persistence, reach, clocks."""


class Store(
    FactsReader,
    Accounts,
    Sessions,
    Policies,
    Directory,
    Traffic,
    Trail,
    Leases,
    Mending,
    Outbox,
    Health,
    Protocol,
):
    """What a backend offers; wiring hands each user only the part that it needs."""

    store_id: str
    stream: Stream
    seals: Seals
    notices: Notices
    roster: Roster

    def feed(self) -> Feed:
        """Begin to follow what others change. Every call begins anew."""

    def close(self) -> None:
        """Release files and connections; the store can be opened again."""
