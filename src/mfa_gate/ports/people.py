"""People: who asks, what is on record of them, and how they are found."""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import msgspec

from mfa_gate.core.accounts import Account, Identity
from mfa_gate.core.coverage import GroupCoverage
from mfa_gate.core.events import Event
from mfa_gate.core.listing import Filter, Place, Sort
from mfa_gate.core.policy import Policy, Status
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


Plan = Callable[[str, Account | None], Change | None]
"""(account id, what is stored of it) → what is to be committed; None: nothing."""


class FactsReader(Protocol):
    """Used on a cache miss of the request path."""

    def facts(self, account_id: str, session_key: str | None, now: int, *, to_change: bool = False) -> Facts:
        """Account, session and policy version in one round trip; an expired session is None.

        `to_change`: the account may be about to change, so that what a commit needs is read in the same trip.
        """

    def policy(self) -> Policy:
        """The newest policy."""


class Accounts(Protocol):
    """Used by whatever changes one person's record."""

    def account(self, account_id: str) -> Account | None:
        """The account, or None if it was never stored."""

    def recall(self, account_id: str) -> Account | None:
        """The account as it was last read or written here, without asking; None if that is not remembered.

        # Security: the store may have moved on. Only a commit onto it tells that it has not.
        """

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


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the Users list, and its account."""

    account: Account
    status: Status


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows in order, the place of the first, and after which the next page begins (None at the end)."""

    rows: tuple[Row, ...]
    first: Place | None
    next: Place | None


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage in the groups that have the most people, and how many `more` groups there are."""

    shown: dict[str, GroupCoverage]
    more: int


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

    def exempt(self, limit: int, now: int) -> tuple[Account, ...]:
        """Those whose exemption runs, the first to end first, at most `limit`."""

    def groups(self, limit: int) -> Groups:
        """Coverage now in the groups of those who are active, the largest first, at most `limit`.

        Kept with every write, so that it costs the same among a million people; it grows with the number of groups.
        """


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

    def rewrite_each(self, account_ids: tuple[str, ...], plan: Plan, now: int) -> tuple[str, ...]:
        """Read many accounts and commit what `plan` makes of each, all or nothing of it.

        Ids of those that somebody else changed in between; nothing of these was written.
        """


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

    def close(self) -> None:
        """Let go of what it takes."""
