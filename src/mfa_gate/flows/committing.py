"""Changing one account: read, let a pure transition decide, commit, and again from the start if somebody was quicker.

It knows nothing of what is changed. A flow answers only what was committed.
"""

from collections.abc import Callable
from typing import TypeVar

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import MfaGateError, RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.ports import Accounts, Change

ATTEMPTS = 5


T = TypeVar("T")


class Committer:
    """Runs transitions on accounts; `changed` is told each account id after its commit, so that caches forget it."""

    def __init__(self, store: Accounts, changed: Callable[[str], None]) -> None:
        self._store = store
        self._changed = changed

    def run(self, account_id: str, plan: Callable[[Account | None], tuple[Change | None, T]], now: int) -> T:
        """Commit what `plan(account)` says and return its answer.

        `plan` may be called several times and must not act on the world. What the store remembers of the account,
        since this very request has just read it, is tried first: the commit tells whether that is still true. Raises
        `StoreUnavailable` if the race was lost five times.
        """
        foreseen = self._foreseen(account_id, plan)
        # Security: what no commit confirms is answered only upon what the store says now (J16).
        if foreseen is not None and foreseen[0] is not None and self._is_committed(foreseen[0], now):
            return foreseen[1]
        for _ in range(ATTEMPTS):
            change, answer = plan(_own(self._store.account(account_id), account_id))
            if change is None or self._is_committed(change, now):
                return answer
        message = "Others changed this account at the same moment, five times in a row."
        raise StoreUnavailable(message)

    def _foreseen(
        self, account_id: str, plan: Callable[[Account | None], tuple[Change | None, T]]
    ) -> tuple[Change | None, T] | None:
        """What the plan makes of the account as it is remembered, if it is."""
        recalled = self._store.recall(account_id)
        if recalled is None:
            return None
        try:
            return plan(_own(recalled, account_id))
        except MfaGateError:
            return None

    def _is_committed(self, change: Change, now: int) -> bool:
        """Commit; False if somebody was quicker."""
        try:
            self._store.commit(change, now)
        except StaleState:
            return False
        finally:
            # Security: also after an error, since its outcome is unknown.
            self._changed(change.account.id)
        return True


def _own(found: Account | None, account_id: str) -> Account | None:
    """The account, if it is the one that was asked for.

    # Security: an answer that was meant for another question must not make one person another.
    """
    if found is not None and found.id != account_id:
        raise RecordCorrupt(f"The store answered with another record than that of account {account_id}.")
    return found
