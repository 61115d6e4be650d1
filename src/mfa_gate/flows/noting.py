"""What is written by the way while requests are judged: idle clocks, uses of devices, and refusals.

Nothing of it lets anybody in or keeps anybody out. A store that cannot be written to must not stop those who only read.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mfa_gate.core.accounts import Account
from mfa_gate.core.decision import Allow, Decision, Deny, Known, Visit
from mfa_gate.core.devices import NOTED_EVERY_SECONDS, named, used
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import SYSTEM, Event
from mfa_gate.core.messages import printable
from mfa_gate.core.transitions import NOTE_EVERY_SECONDS, event, same_spelling
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.facts import CachedFacts
from mfa_gate.ports import Change, Sessions

log = logging.getLogger("mfa_gate")

TOUCH_AFTER_SECONDS = 60
REFUSALS_KEPT = 10_000


class Notes:
    """One per process. It may block on the store."""

    def __init__(self, sessions: Sessions, committer: Committer) -> None:
        self._sessions = sessions
        self._committer = committer
        self._refused: dict[str, int] = {}

    def touch(self, decision: Decision, known: Known, cached: CachedFacts | None, now: int) -> None:
        """Move the idle clock of a session that has just counted; never of one that was found dead."""
        session = known.session
        if (
            cached is not None
            and cached.touch_due
            and session is not None
            and isinstance(decision, Allow)
            and now - session.touched_at > TOUCH_AFTER_SECONDS
        ):
            cached.touch_due = False
            with _no_matter("the idle clock of a session"):  # unmoved, the session only ends sooner
                self._sessions.touch(((session.account_id, session.key),), now)

    def used(self, decision: Decision, visit: Visit, known: Known, address: str, now: int) -> None:
        """Note now and then that a device that counts is in use."""
        account = known.account
        device = None if account is None else named(account, visit.device)
        if account is None or device is None or not isinstance(decision, Allow):
            return
        if now - device.used_at <= NOTED_EVERY_SECONDS:
            return
        with _no_matter("the use of a device"):
            self._committer.run(
                account.id,
                lambda found: (
                    None if found is None else Change(account=used(found, device.id, address, now)),
                    None,
                ),
                now,
            )

    def has_to_note_refusal(self, decision: Decision, visit: Visit, known: Known, now: int) -> bool:
        """Whether another spelling, or another account's device, was refused, and the trail does not say so yet.

        # Security: once a minute is enough to be seen, and too little to flood the trail with (B14).
        """
        account, identity = known.account, visit.identity
        if not isinstance(decision, Deny) or account is None or identity is None:
            return False
        noted = self._refused.get(account.id)
        recently = noted is not None and abs(now - noted) < NOTE_EVERY_SECONDS
        return not recently and (visit.foreign_device or not same_spelling(account, identity))

    def note_refusal(self, visit: Visit, known: Known, now: int) -> None:
        """Record it."""
        account, identity = known.account, visit.identity
        if account is None or identity is None:
            return
        if len(self._refused) >= REFUSALS_KEPT:
            self._refused.clear()
        self._refused[account.id] = now
        if same_spelling(account, identity):
            refused = event(account, "device_refused", SYSTEM, now, ("owner",))
        else:
            refused = event(account, "spelling_refused", SYSTEM, now, spelling=printable(identity.subject))
        with _no_matter("a refusal"):
            self._committer.run(account.id, lambda found: _recorded(found, refused), now)


def _recorded(found: Account | None, noted: Event) -> tuple[Change | None, None]:
    return (None if found is None else Change(account=found, events=(noted,))), None


@contextmanager
def _no_matter(what: str) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        log.warning("%s could not be recorded: %s", what, printable(str(error)))
