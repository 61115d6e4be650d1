"""Stands where the settings name no way for mail: nothing can be handed over, and everything waits."""

from contextlib import AbstractContextManager

from mfa_gate.core.errors import MailUnavailable
from mfa_gate.flows.posting import Line


class Nowhere:
    """`flows.posting.Post` without a mail server."""

    def line(self) -> AbstractContextManager[Line]:
        """There is none."""
        raise MailUnavailable("The settings name no way for mail. Write [mail] smtp and sender.")
