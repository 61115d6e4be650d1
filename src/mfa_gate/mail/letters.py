"""Writes the letters of one gate: which words go to whom, under which name; it must not know when and why."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from gettext import NullTranslations

from mfa_gate.core.accounts import Account
from mfa_gate.flows.posting import Letter
from mfa_gate.mail import words
from mfa_gate.mail.messages import Letterhead, message
from mfa_gate.mail.words import Words


class Letters:
    """`flows.posting.Writer`. `day(at, now)` says a day in the words of the letterhead's language."""

    def __init__(self, head: Letterhead, catalog: NullTranslations, day: Callable[[int, int], str]) -> None:
        self._head = head
        self._catalog = catalog
        self._day = day

    def reminder(self, account: Account, to: str, deadline: int | None, run_id: str, now: int) -> Letter:
        """Asks somebody to set up two-step, by the deadline if there is one."""
        said = words.reminder(
            self._catalog,
            portal=self._head.portal,
            name=account.name,
            account=account.subject,
            deadline=None if deadline is None else self._day(deadline, now),
            url=f"{self._head.home}/setup",
        )
        return self._letter(said, account, to, now, "reminder", run_id, account.id)

    def _letter(self, said: Words, account: Account, to: str, at: int, *names: str) -> Letter:
        """A letter whose id follows from what it is about: twice the same letter has twice the same id."""
        digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:24]
        letter_id = f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}-{digest}"
        content = message(self._head, said, letter_id=letter_id, to=to, name=account.name, at=at)
        return Letter(id=letter_id, to=to, content=content)
