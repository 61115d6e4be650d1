"""Writes the letters of one gate: which words go to whom, under which name; it must not know when and why."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from gettext import NullTranslations

from mfa_gate.core.accounts import Account
from mfa_gate.core.notices import Notice
from mfa_gate.core.policy import Standing
from mfa_gate.flows.posting import Letter
from mfa_gate.mail import notices, words
from mfa_gate.mail.messages import Letterhead, message
from mfa_gate.mail.words import Words


class Letters:
    """`flows.posting.Writer` and `NoticeWriter`.

    In the language of the letterhead, `day(at, now)` says a day, `moment(at)` a day with its time, and `tell(event)`
    what happened, as a name and as a sentence.
    """

    def __init__(
        self,
        head: Letterhead,
        catalog: NullTranslations,
        *,
        day: Callable[[int, int], str],
        moment: notices.Moment,
        tell: notices.Tell,
    ) -> None:
        self._head = head
        self._catalog = catalog
        self._day = day
        self._manner = notices.Manner(
            catalog=catalog, moment=moment, tell=tell, portal=head.portal, home=head.home
        )

    def reminder(self, account: Account, to: str, standing: Standing, run_id: str, now: int) -> Letter:
        """Asks somebody to set up two-step, by their deadline if there is one."""
        said = words.reminder(
            self._catalog,
            portal=self._head.portal,
            name=account.name,
            account=account.subject,
            deadline=None if standing.deadline is None else self._day(standing.deadline, now),
            required=standing.applies,
            url=f"{self._head.home}/setup",
        )
        return self._letter(said, account.name, to, now, "reminder", run_id, account.id)

    def notice(self, notice: Notice, account: Account | None, to: str) -> Letter:
        """Tells what happened. `account` is whose mailbox it is; None: that of all administrators together."""
        if notice.audience == "owner" and account is not None:
            said = notices.to_owner(self._manner, notice, account)
        else:
            said = notices.to_admins(self._manner, notice, account)
        names = ("notice", notice.id, notice.audience, notice.to)
        return self._letter(said, "" if account is None else account.name, to, notice.events[0].at, *names)

    def _letter(self, said: Words, name: str, to: str, at: int, *names: str) -> Letter:
        """A letter whose id follows from what it is about: twice the same letter has twice the same id."""
        digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:24]
        letter_id = f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}-{digest}"
        content = message(self._head, said, letter_id=letter_id, to=to, name=name, at=at)
        return Letter(id=letter_id, to=to, content=content)
