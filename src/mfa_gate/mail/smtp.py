"""Decides how letters are handed to a mail server, and what its answers mean; it must not know what is in them."""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from mfa_gate.core.errors import MailUnavailable, OutcomeUnknown
from mfa_gate.core.messages import printable
from mfa_gate.flows.posting import Letter, Refused
from mfa_gate.settings import Mail, MailServer

_DOT: Final = re.compile(rb"^\.", re.MULTILINE)
_CLOSING: Final = 421


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How many seconds a server has to connect, to answer, and to look at a message before it takes it.

    The last is longer: what it takes after we have given up is a letter of which nobody can tell whether it was sent.
    """

    connect: float = 5.0
    answer: float = 10.0
    take: float = 30.0


PATIENCE: Final = Patience()


class SmtpPost:
    """`flows.posting.Post` at one server; `our_name` is what this machine calls itself there."""

    def __init__(self, mail: Mail, server: MailServer, our_name: str, patience: Patience = PATIENCE) -> None:
        self._mail = mail
        self._server = server
        self._our_name = our_name
        self._patience = patience

    @contextmanager
    def line(self) -> Iterator["SmtpLine"]:
        """A connection, protected and signed in as the settings say. Raises `MailUnavailable`."""
        try:
            client = self._connect()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise self._unavailable(error) from error
        try:
            yield SmtpLine(client, self._server, self._mail.sender, self._patience)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                client.quit()
            client.close()

    def _connect(self) -> smtplib.SMTP:
        server, context = self._server, ssl.create_default_context(cafile=self._mail.ca)
        if server.protection == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, self._our_name, timeout=self._patience.connect, context=context
            )
        else:
            client = smtplib.SMTP(server.host, server.port, self._our_name, timeout=self._patience.connect)
        try:
            _wait_at_most(client, self._patience.answer)
            client.ehlo_or_helo_if_needed()
            if server.protection == "starttls":
                _secure(client, context)
            if self._mail.user and self._mail.password is not None:
                client.login(self._mail.user, self._mail.password.reveal().decode("ascii"))
        except BaseException:
            client.close()
            raise
        return client

    def _unavailable(self, error: Exception) -> MailUnavailable:
        match error:
            case smtplib.SMTPAuthenticationError():
                why = f"it does not let {self._mail.user} in ({error.smtp_code}). Correct user or password."
            case smtplib.SMTPNotSupportedError():
                why = "nobody can sign in there. Take user and password out."
            case ssl.SSLCertVerificationError():
                why = (
                    f"its certificate is not good: {error.verify_message}. Correct the host, or name its ca."
                )
            case FileNotFoundError():
                why = f'there is no file "{self._mail.ca}". Correct [mail] ca.'
            case _:
                why = _said(error)
        return MailUnavailable(f"The mail server {self._server} cannot be used: {printable(why)}")


class SmtpLine:
    """`flows.posting.Line` over one connection."""

    def __init__(self, client: smtplib.SMTP, server: MailServer, sender: str, patience: Patience) -> None:
        self._client = client
        self._patience = patience
        self._server = server
        self._sender = sender
        self._offered: Letter | None = None

    def offer(self, letter: Letter) -> Refused | None:
        """Name sender and recipient."""
        code = self._asked("MAIL", f"FROM:<{self._sender}>")
        if code != 250:
            # Nobody's fault but ours: no recipient has been refused.
            raise MailUnavailable(
                f"The mail server {self._server} takes no mail from {self._sender} ({code})."
            )
        code = self._asked("RCPT", f"TO:<{letter.to}>")
        if code in (250, 251):
            self._offered = letter
            return None
        self.withdraw()
        return _refused(code)

    def withdraw(self) -> None:
        """Do not send what was offered."""
        self._offered = None
        self._asked("RSET")

    def send(self) -> Refused | None:
        """Send what was offered."""
        letter, self._offered = self._offered, None
        if letter is None:
            raise ValueError("Offer a letter first.")
        code = self._asked("DATA")
        if code != 354:
            self.withdraw()
            return _refused(code)
        try:
            _wait_at_most(self._client, self._patience.take)
            self._client.send(_stuffed(letter.content))
            code = self._client.getreply()[0]
            _wait_at_most(self._client, self._patience.answer)
        except (OSError, smtplib.SMTPException) as error:
            self._client.close()
            raise OutcomeUnknown(f"The mail server {self._server} went away: {_said(error)}") from error
        return None if code == 250 else _refused(code)

    def _asked(self, command: str, words: str = "") -> int:
        try:
            code = self._client.docmd(command, words)[0]
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._client.close()
            raise MailUnavailable(f"The mail server {self._server} went away: {_said(error)}") from error
        if code == _CLOSING:
            raise MailUnavailable(f"The mail server {self._server} is closing down.")
        return code


def _secure(client: smtplib.SMTP, context: ssl.SSLContext) -> None:
    # Security: a server that offers no STARTTLS is not talked to. Whoever stands in between could take the offer out,
    # and would get mail and password (RFC 8314 §4.1).
    if not client.has_extn("starttls"):
        raise ValueError("it offers no STARTTLS. Write smtps:// if it has TLS from the start.")
    client.starttls(context=context)
    client.ehlo_or_helo_if_needed()


def _refused(code: int) -> Refused:
    return Refused(for_good=not 400 <= code < 500, code=str(code))


def _wait_at_most(client: smtplib.SMTP, seconds: float) -> None:
    if client.sock is not None:
        client.sock.settimeout(seconds)


def _stuffed(content: bytes) -> bytes:
    """A message as DATA wants it (RFC 5321 §4.5.2).

    # Security: every line end is CRLF. Where servers differ in what ends a line, one message could become two
    # (CVE-2023-51764).
    """
    lines = b"\r\n".join(content.splitlines())
    return _DOT.sub(b"..", lines) + b"\r\n.\r\n"


def _said(error: Exception) -> str:
    """An error in words; what the server said itself stays out of it, but for the number."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}."
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)
