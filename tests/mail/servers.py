"""A real mail server on a free port of this machine, and what it was given."""

import asyncio
import email
import email.policy
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

TOP = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
USER, PASSWORD = "gate", "swordfish"


class MailServer:
    """Takes every letter, unless it is told otherwise. A context manager; `port` is known from the start."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        from_the_start: bool = False,
        **options: Any,  # noqa: ANN401 - aiosmtpd's own
    ) -> None:
        self.letters: list[tuple[str, EmailMessage]] = []
        """(recipient on the envelope, message)."""
        self.senders: list[str] = []
        self.raw: list[bytes] = []
        self.greeted = 0
        self.refuses: dict[str, str] = {}
        """By recipient, what is answered instead of 250."""
        self.answers_data: str = "250 OK"
        self.on_data: Callable[[str], object] = lambda _: None
        """Called with the recipient once a whole message has come, before it is answered."""
        self.leaves_after_data = False
        """Closes the connection instead of answering a message, which it has taken."""
        self._options = {"tls_context": tls} | options if not from_the_start else options
        self._tls = tls if from_the_start else None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listens.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def messages_to(self, recipient: str) -> list[EmailMessage]:
        return [message for to, message in self.letters if to == recipient]

    def kills_at(self, number: int, words: list[str]) -> None:
        """Run a program, and kill it when its letter of this number has come and before it hears so."""
        with subprocess.Popen(words, cwd=TOP) as process:

            def kill(_: str) -> None:
                if len(self.letters) == number:
                    process.send_signal(signal.SIGKILL)
                    process.wait(PATIENCE_SECONDS)

            self.on_data = kill
            try:
                assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
            finally:
                process.kill()
        self.on_data = lambda _: None

    # What aiosmtpd calls.

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.greeted += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        if self.answers_data.startswith("2"):
            assert isinstance(envelope.content, bytes)
            assert envelope.mail_from is not None
            self.raw.append(envelope.content)
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.letters.append((recipient, message))
            self.senders.append(envelope.mail_from)
        await asyncio.get_running_loop().run_in_executor(None, self.on_data, recipient)
        if self.leaves_after_data:
            assert server.transport is not None
            server.transport.close()
        return self.answers_data

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        options = {"timeout": 60, **self._options}
        self._loop.run_until_complete(
            self._loop.create_server(
                lambda: SMTP(self, loop=self._loop, **options), sock=self._socket, ssl=self._tls
            )
        )
        self._listens.set()
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self._socket.close()


def signs_in(_: SMTP, __: object, ___: object, mechanism: str, found: LoginPassword) -> AuthResult:
    """Lets USER in with PASSWORD."""
    right = (found.login, found.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)
