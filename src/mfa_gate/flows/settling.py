"""Tells every account what the import in force says of it, and forgets the rows of imports that are over.

A job: it may be stopped or done twice at any point. Until it is through, the doors look at the rows themselves, so that
nobody passes whom the roster has deactivated; only lists and counters come to know one after the other.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import StaleState, StoreUnavailable
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.roster import RosterHead, RosterRow, listed
from mfa_gate.ports import Change, Roster

AT_ONCE: Final = 200
"""Accounts that are told together at first."""
FEWEST: Final = 50
MOST: Final = 2000
BUSY_SECONDS: Final = 0.15
"""How long the store may be busy with those that are told together: others want to write, too. More is quicker."""
ATTEMPTS: Final = 5
TURN_SECONDS: Final = 20
"""How long one turn goes on; the next begins where it ended."""
KEPT_SECONDS: Final = 3600
"""How long rows are kept: somebody may still be looking at a preview, or be reading an account and then its row."""


class Settling:
    """One per thread that does the job. `changed` is told the accounts, so that caches of this process forget them."""

    def __init__(
        self,
        roster: Roster,
        *,
        monotonic: Callable[[], float],
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._roster = roster
        self._monotonic = monotonic
        self._changed = changed
        self._head = RosterHead()
        self._after: str | None = None
        self._at_once = AT_ONCE
        self.told = 0
        """Accounts of the import in force that were gone through."""

    def turn(self, now: int) -> bool:
        """Go on for a while; True once every account has been told."""
        head = self._roster.head()
        if head != self._head:
            self._head, self._after, self.told = head, None, 0
        ends_at = self._monotonic() + TURN_SECONDS
        while head.import_id:
            after, rows = self._roster.staged(head.import_id, self._after, self._at_once)
            begun = self._monotonic()
            self._tell(rows, head, now)
            self._at_once = _fitting(len(rows), self._monotonic() - begun)
            # Only now: who fails in between goes through the same ones again.
            self._after = after
            self.told += len(rows)
            if after is None:
                self._finish(head, now)
                return True
            if self._monotonic() > ends_at:
                return False
        self._sweep(head, now)
        return True

    def _tell(self, rows: tuple[RosterRow, ...], head: RosterHead, now: int) -> None:
        waiting = {row.account_id: row for row in rows}
        for _ in range(ATTEMPTS):
            if not waiting:
                return
            told = partial(_told, waiting, head.number, now)
            try:
                refused = self._roster.rewrite_each(tuple(waiting), told, now)
            finally:
                for account_id in waiting:
                    self._changed(account_id)
            waiting = {account_id: waiting[account_id] for account_id in refused}
        if waiting:
            raise StoreUnavailable(
                "Others changed accounts of the roster at the same moment, five times in a row."
            )

    def _finish(self, head: RosterHead, now: int) -> None:
        settled = Event(
            kind="roster_settled",
            account_id=ORG,
            subject="",
            at=now,
            actor=SYSTEM,
            details={"roster": str(head.number)} | self._missing(head),
        )
        try:
            self._roster.move(RosterHead(number=head.number), (settled,), now)
        except StaleState:
            return  # another process was quicker

    def _missing(self, head: RosterHead) -> dict[str, str]:
        """Rows that were set aside and are not there any more: somebody has taken them out of the store."""
        missing = head.rows - self.told
        return {"missing": str(missing)} if missing > 0 else {}

    def _sweep(self, head: RosterHead, now: int) -> None:
        for import_id, begun_at in self._roster.stagings().items():
            if import_id != head.import_id and abs(now - begun_at) > KEPT_SECONDS:
                self._roster.drop(import_id)


def _fitting(number: int, seconds: float) -> int:
    """How many to tell together next, where so many took so long."""
    if seconds <= 0:
        return AT_ONCE
    return max(FEWEST, min(MOST, 2 * number, int(number * BUSY_SECONDS / seconds)))


def _told(
    rows: dict[str, RosterRow], number: int, now: int, account_id: str, account: Account | None
) -> Change | None:
    """What telling an account changes in it."""
    row = rows[account_id]
    after, events = listed(account, row, number, SYSTEM, now)
    return Change(account=after, events=events) if events and not (row.gone and account is None) else None
