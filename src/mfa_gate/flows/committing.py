"""Changing one account: read, let a pure transition decide, commit, and again from the start if somebody was quicker.

It knows nothing of what is changed. A flow answers only what was committed.
"""

from collections.abc import Callable
from typing import TypeVar

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
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

        `plan` may be called several times and must not act on the world. Raises `StoreUnavailable` if the race was
        lost five times.
        """
        for _ in range(ATTEMPTS):
            found = self._store.account(account_id)
            if found is not None and found.id != account_id:
                # Security: an answer that was meant for another question must not make one person another.
                raise RecordCorrupt(
                    f"The store answered with another record than that of account {account_id}."
                )
            change, answer = plan(found)
            if change is None:
                return answer
            try:
                self._store.commit(change, now)
            except StaleState:
                continue
            finally:
                # Security: also after an error, since its outcome is unknown.
                self._changed(account_id)
            return answer
        message = "Others changed this account at the same moment, five times in a row."
        raise StoreUnavailable(message)
