"""The facts cache: what the store said a moment ago, so that a verified request asks it rarely (design §5).

It holds facts, never decisions. An entry is used for one second, or for five while the store's change feed is known
to be alive; it is dropped at once when the feed or this process names its account, and an insert is discarded if that
happened since its read began. Ages are monotonic and count from before the read.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from mfa_gate.core.accounts import Account
from mfa_gate.core.decision import Known
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.policy import Policy
from mfa_gate.core.sessions import Session

SURE_SECONDS = 1.0
"""For how long facts are used when nothing would tell of a change."""
MAX_TTL_SECONDS = 5
"""For how long they are used while the change feed is alive."""
CAPACITY = 50_000

Key = tuple[str, str | None]


class CachedFacts:
    """Facts about one (account, session) pair.

    Used before `sure_until`, and before `good_until` if the feed is alive; both are 0 once they are dropped.
    """

    __slots__ = ("good_until", "key", "known", "sure_until", "touch_due")

    def __init__(self, key: Key, known: Known, read_at: float) -> None:
        self.key = key
        self.known = known
        self.touch_due = True
        self.sure_until = read_at + SURE_SECONDS
        self.good_until = read_at + MAX_TTL_SECONDS

    def drop(self) -> None:
        """Never use them again."""
        self.sure_until = self.good_until = 0.0


class FactsCache:
    """A bounded LRU, safe to share between threads."""

    def __init__(self, monotonic: Callable[[], float], *, capacity: int = CAPACITY) -> None:
        self.alive_until = 0.0
        """The feed is known to be alive before this (monotonic); 0 where there is none."""
        self._monotonic = monotonic
        self._capacity = capacity
        self._entries: OrderedDict[Key, CachedFacts] = OrderedDict()
        self._sessions_of: dict[str, set[Key]] = {}
        self._dropped: OrderedDict[str, int] = OrderedDict()
        self._drops = 0
        self._forgotten = 0
        self._policy: Policy | None = None
        self._policy_read_at = -math.inf
        self._lock = Lock()

    def ticket(self) -> tuple[float, int]:
        """Taken before a read, handed in with what was read."""
        return self._monotonic(), self._drops

    def get(self, account_id: str, session_key: str | None) -> CachedFacts | None:
        """Live facts, or None."""
        entry = self._entries.get((account_id, session_key))
        return entry if entry is not None and self.is_good(entry, self._monotonic()) else None

    def is_good(self, entry: CachedFacts, monotonic: float) -> bool:
        """Whether facts may still be used."""
        return monotonic < entry.good_until and (monotonic < self.alive_until or monotonic < entry.sure_until)

    def policy(self) -> Policy | None:
        """The policy, if it was read a moment ago."""
        now = self._monotonic()
        age = now - self._policy_read_at
        return (
            self._policy if age < SURE_SECONDS or (age < MAX_TTL_SECONDS and now < self.alive_until) else None
        )

    def put_policy(self, policy: Policy, ticket: tuple[float, int]) -> Policy:
        """Keep the newest policy ever seen; a worker never goes back to an older one."""
        if not isinstance(policy, Policy):
            # What is no policy would be kept as the newest, and could not be compared with any later one.
            raise RecordCorrupt("The store answered with something else than the policy.")
        with self._lock:
            if self._policy is None or policy.version >= self._policy.version:
                if self._policy is None or policy.version > self._policy.version:
                    self._policy = policy
                    self._clear()
                if max(self._dropped.get("policy", 0), self._forgotten) <= ticket[1]:
                    self._policy_read_at = ticket[0]
            return self._policy

    def put(
        self,
        account_id: str,
        account: Account | None,
        session: Session | None,
        *,
        session_key: str | None,
        policy: Policy,
        ticket: tuple[float, int],
    ) -> CachedFacts:
        """Keep what was read, unless the account was named since; what comes back serves this one request anyway.

        # Security: an answer that was meant for another question must not make one person another (CVE-2023-28858).
        """
        if account is not None and account.id != account_id:
            raise RecordCorrupt(f"The store answered with another record than that of account {account_id}.")
        if session is not None and (session.account_id != account_id or session.key != session_key):
            raise RecordCorrupt(
                f"The store answered with another session than the one of account {account_id}."
            )
        known = Known(account=account, session=session, policy=policy)
        key = (account_id, session_key)
        entry = CachedFacts(key, known, ticket[0])
        with self._lock:
            if (
                self._forgotten > ticket[1]
                or max(self._dropped.get(account_id, 0), self._dropped.get("policy", 0)) > ticket[1]
                or policy is not self._policy
                or account is None
            ):
                entry.drop()
                return entry
            replaced = self._entries.get(key)
            if replaced is not None:
                replaced.drop()
            self._entries[key] = entry
            self._entries.move_to_end(key)
            self._sessions_of.setdefault(account_id, set()).add(key)
            while len(self._entries) > self._capacity:
                oldest, gone = self._entries.popitem(last=False)
                gone.drop()
                self._unlist(oldest)
        return entry

    def drop(self, account_id: str) -> None:
        """Forget one account (or `policy`) at once."""
        with self._lock:
            self._drops += 1
            self._dropped[account_id] = self._drops
            self._dropped.move_to_end(account_id)
            if len(self._dropped) > self._capacity:
                _, self._forgotten = self._dropped.popitem(last=False)
            if account_id == "policy":
                self._policy_read_at = -math.inf
                self._clear()
            for key in self._sessions_of.pop(account_id, ()):
                self._entries.pop(key).drop()

    def drop_all(self) -> None:
        """Forget everything at once."""
        with self._lock:
            self._drops += 1
            self._forgotten = self._drops
            self._policy_read_at = -math.inf
            self._clear()

    def _clear(self) -> None:
        for entry in self._entries.values():
            entry.drop()
        self._entries.clear()
        self._sessions_of.clear()

    def _unlist(self, key: Key) -> None:
        keys = self._sessions_of.get(key[0])
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._sessions_of[key[0]]
