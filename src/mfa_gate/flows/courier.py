"""One connection for many letters, opened with the first and opened anew after it broke; it decides nothing else."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from mfa_gate.core.errors import MailUnavailable, OutcomeUnknown
from mfa_gate.flows.posting import Letter, Line, Post, Refused


class Courier:
    """`flows.posting.Line` for as long as its `with` lasts; used by one thread."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._open = ExitStack()
        self._line: Line | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()

    def offer(self, letter: Letter) -> Refused | None:
        """Say who it is for; None: it would be taken. Raises `MailUnavailable`."""
        if self._line is None:
            self._line = self._open.enter_context(self._post.line())
        try:
            return self._line.offer(letter)
        except MailUnavailable:
            self._hang_up()
            raise

    def withdraw(self) -> None:
        """Do not send what was offered. Raises `MailUnavailable`."""
        try:
            self._there().withdraw()
        except MailUnavailable:
            self._hang_up()
            raise

    def send(self) -> Refused | None:
        """Send what was offered. Raises `MailUnavailable` or `OutcomeUnknown`."""
        try:
            return self._there().send()
        except (MailUnavailable, OutcomeUnknown):
            self._hang_up()
            raise

    def _there(self) -> Line:
        if self._line is None:
            raise ValueError("Offer a letter first.")
        return self._line

    def _hang_up(self) -> None:
        self._line = None
        self._open.close()
