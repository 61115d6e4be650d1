"""What the flows need from whatever carries mail: a line that takes letters one by one, and says what came of each.

A letter is offered first and sent afterwards, so that what must be written down before it leaves is written in between,
when the only thing that can still go wrong is the sending itself.
"""

from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.notices import Notice
from mfa_gate.core.policy import Standing


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One message, ready to be sent. `id` names it for ever: whoever gets it twice can tell by that."""

    id: str
    to: str
    """One mailbox, as `core.mailboxes` has judged it."""
    content: bytes


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The server does not take this letter; nothing was sent. `for_good`: trying again later does not help."""

    for_good: bool
    code: str
    """What it answered: a number, and nothing that anybody else wrote."""


class Line(Protocol):
    """An open connection, used by one thread. Every method raises `MailUnavailable` if it is of no more use."""

    def offer(self, letter: Letter) -> Refused | None:
        """Say who it is for; None: it would be taken. Nothing is sent yet."""

    def withdraw(self) -> None:
        """Do not send what was offered."""

    def send(self) -> Refused | None:
        """Send what was offered; None: it is on its way. Raises `OutcomeUnknown` if nobody can tell."""


class Writer(Protocol):
    """Used by background jobs: what the letters say."""

    def reminder(self, account: Account, to: str, standing: Standing, run_id: str, now: int) -> Letter:
        """Asks somebody to set up two-step, by their deadline if there is one."""


class NoticeWriter(Protocol):
    """Used by background jobs: what the notices say."""

    def notice(self, notice: Notice, account: Account | None, to: str) -> Letter:
        """Tells what happened. `account` is whose mailbox it is; None: that of all administrators together."""


class Post(Protocol):
    """Used by background jobs, and by `mfa-gate check`."""

    def line(self) -> AbstractContextManager[Line]:
        """A connection that is ready for letters. Raises `MailUnavailable`."""
