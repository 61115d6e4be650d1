"""What administrators see: the list, coverage, one person's profile, the trail, what the switch would do.

It changes nothing, and it does not ask who looks: `Administration.admits` stands in front of it.
Every method may raise `StoreUnavailable`.
"""

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.policy import Policy, Standing, Status, standing
from mfa_gate.core.sessions import Session
from mfa_gate.flows.acting import is_account_id
from mfa_gate.flows.finding import LONGEST_PAGE, Sought, Trailing, find
from mfa_gate.flows.proving import still_open
from mfa_gate.flows.results import NotFound
from mfa_gate.ports import Accounts, Directory, Page, Policies, Recorded, Traffic, Trail

LONGEST_QUERY = 200
LONGEST_CURSOR = 10_000
HISTORY = 50
EVERYTHING = Sought()


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage now: `covered` of `people` have a factor, paused included; the inactive count in neither."""

    policy: Policy
    counts: dict[Status, int]
    covered: int
    people: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One person. `history` is newest first, at most 50 events."""

    account: Account
    standing: Standing
    sessions: tuple[Session, ...]
    history: tuple[Recorded, ...]


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What turning the requirement on now would do.

    `unattributed` is the traffic that nobody can be named for, by (route prefix, kind of credential); it would be
    refused. Whom the portal knows and the gate has never seen is not in any number.
    """

    asked_to_set_up: int
    unattributed: dict[tuple[str, str], int]


class Reporting:
    """One per process."""

    def __init__(
        self, directory: Directory, trail: Trail, accounts: Accounts, policies: Policies, traffic: Traffic
    ) -> None:
        self._directory = directory
        self._trail = trail
        self._accounts = accounts
        self._policies = policies
        self._traffic = traffic

    def overview(self, now: int) -> Overview:
        """Policy, counters of every status, and coverage."""
        counts = self._directory.counts(now)
        people = sum(count for status, count in counts.items() if status != "inactive")
        covered = counts.get("enrolled", 0) + counts.get("paused", 0)
        return Overview(policy=self._policies.policy(), counts=counts, covered=covered, people=people)

    def impact(self, now: int) -> Impact:
        """What turning the requirement on now would do."""
        missing = self._directory.counts(now).get("missing", 0)
        return Impact(asked_to_set_up=missing, unattributed=self._traffic.traffic())

    def people(self, *, status: Status | None, prefix: str, after: str | None, limit: int, now: int) -> Page:
        """One page of the list in name order; at most 500 rows, `prefix` of name, e-mail or account name."""
        return self._directory.people(
            status=status,
            prefix=_storable(prefix, LONGEST_QUERY).strip(),
            after=None if after is None else _storable(after, LONGEST_CURSOR),
            limit=max(1, min(limit, LONGEST_PAGE)),
            now=now,
        )

    def profile(self, account_id: str, now: int) -> Profile | NotFound:
        """One person with sessions and history."""
        account = self._accounts.account(account_id) if is_account_id(account_id) else None
        if account is None:
            return NotFound()
        policy = self._policies.policy()
        return Profile(
            account=account,
            standing=standing(account, policy, now),
            sessions=still_open(self._accounts.sessions(account_id, now), account, policy, now),
            history=self._trail.events(account_id=account_id, kind=None, before=None, limit=HISTORY),
        )

    def audit(self, sought: Sought = EVERYTHING, *, before: int | None = None, limit: int) -> Trailing:
        """A page of the trail, newest first; at most 500 events below position `before`."""
        return find(self._trail, sought, before=before, limit=limit)


def _storable(text: str, limit: int) -> str:
    """Text from an address as a store can take it: no half of a surrogate pair, and not without end."""
    return text[:limit].encode(errors="replace").decode()
