"""How letters are handed to a mail server: protected, as they are, and with no doubt about what came of each."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.errors import MailUnavailable, OutcomeUnknown
from mfa_gate.flows.posting import Letter, Refused
from mfa_gate.mail.smtp import PATIENCE, Patience, SmtpPost
from mfa_gate.settings import Mail, Secret
from mfa_gate.settings import MailServer as Address
from tests.certificates import certified
from tests.mail.servers import PASSWORD, USER, MailServer, signs_in

LETTER = Letter(id="l1", to="alice@example.org", content=b"Subject: Hello\n\nDear Alice,\n.dot\nbye\n")
SENDER = "two-step@example.org"


def post(
    server: MailServer, scheme: str = "smtp+plain", patience: Patience = PATIENCE, **more: object
) -> SmtpPost:
    mail = replace(Mail(smtp=f"{scheme}://127.0.0.1:{server.port}", sender=SENDER), **more)
    assert mail.server is not None
    return SmtpPost(mail, mail.server, "portal.example.org", patience)


def test_a_letter_arrives_as_it_was_written() -> None:
    with MailServer() as server:
        with post(server).line() as line:
            assert line.offer(LETTER) is None
            assert line.send() is None
            assert line.offer(replace(LETTER, to="bob@example.org")) is None
            assert line.send() is None
        assert server.raw == [b"Subject: Hello\r\n\r\nDear Alice,\r\n.dot\r\nbye\r\n"] * 2
        assert [to for to, _ in server.letters] == ["alice@example.org", "bob@example.org"]
        assert set(server.senders) == {SENDER}
        assert server.greeted == 1


def test_what_is_withdrawn_is_not_sent() -> None:
    with MailServer() as server:
        with post(server).line() as line:
            line.offer(LETTER)
            line.withdraw()
            assert line.offer(replace(LETTER, to="bob@example.org")) is None
            line.send()
        assert [to for to, _ in server.letters] == ["bob@example.org"]


def test_one_message_cannot_become_two() -> None:
    smuggled = b"Subject: x\n\na\r\n.\rMAIL FROM:<m@example.org>\n.\nb\r.\r\nc"
    with MailServer() as server:
        with post(server).line() as line:
            line.offer(replace(LETTER, content=smuggled))
            assert line.send() is None
        assert len(server.letters) == 1
        assert b"MAIL FROM" in server.raw[0]
        assert server.raw[0].replace(b"\r\n", b"").count(b"\n") == 0


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("550 no such user", Refused(for_good=True, code="550")),
        ("451 greylisted", Refused(for_good=False, code="451")),
    ],
)
class TestRefused:
    def test_the_recipient(self, answer: str, refused: Refused) -> None:
        with MailServer() as server:
            server.refuses["alice@example.org"] = answer
            with post(server).line() as line:
                assert line.offer(LETTER) == refused
                assert line.offer(replace(LETTER, to="bob@example.org")) is None
                assert line.send() is None
            assert [to for to, _ in server.letters] == ["bob@example.org"]

    def test_the_message(self, answer: str, refused: Refused) -> None:
        with MailServer() as server:
            server.answers_data = answer
            with post(server).line() as line:
                line.offer(LETTER)
                assert line.send() == refused
            assert server.letters == []


def test_who_hangs_up_after_the_message_leaves_a_doubt() -> None:
    with MailServer() as server:
        server.leaves_after_data = True
        with post(server).line() as line:
            line.offer(LETTER)
            with pytest.raises(OutcomeUnknown):
                line.send()
            with pytest.raises(MailUnavailable):
                line.offer(LETTER)
        assert len(server.letters) == 1


def test_who_is_silent_after_the_message_leaves_a_doubt() -> None:
    goes_on = threading.Event()
    with MailServer() as server:
        server.on_data = lambda _: goes_on.wait(20)
        with post(server, patience=Patience(take=0.2)).line() as line:
            line.offer(LETTER)
            with pytest.raises(OutcomeUnknown):
                line.send()
        goes_on.set()


def test_who_closes_down_takes_nothing() -> None:
    with MailServer() as server:
        server.refuses["alice@example.org"] = "421 closing"
        with post(server).line() as line, pytest.raises(MailUnavailable, match="closing down"):
            line.offer(LETTER)


class TestNobodyThere:
    def test_nothing_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        mail = Mail(smtp=f"smtp+plain://127.0.0.1:{port}", sender=SENDER)
        assert mail.server is not None
        with (
            pytest.raises(MailUnavailable, match=f"127.0.0.1:{port} cannot be used: Connection refused"),
            SmtpPost(mail, mail.server, "here").line(),
        ):
            pass

    def test_who_never_greets_is_not_waited_for(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            server = Address(host="127.0.0.1", port=silent.getsockname()[1], protection="none")
            began = time.monotonic()
            with (
                pytest.raises(MailUnavailable, match="timed out"),
                SmtpPost(Mail(), server, "here", Patience(connect=0.2)).line(),
            ):
                pass
            assert time.monotonic() - began < 5

    def test_what_is_no_mail_server(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:

            def answer() -> None:
                connection, _ = other.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            server = Address(host="127.0.0.1", port=other.getsockname()[1], protection="none")
            with pytest.raises(MailUnavailable), SmtpPost(Mail(), server, "here").line():
                pass
            thread.join()


class TestProtection:
    def test_starttls(self, tmp_path: Path) -> None:
        with MailServer(certified(tmp_path), require_starttls=True) as server:
            with post(server, "smtp", ca=tmp_path / "ca.pem").line() as line:
                line.offer(LETTER)
                assert line.send() is None
            assert len(server.letters) == 1

    def test_without_starttls_nothing_is_said(self, tmp_path: Path) -> None:
        with (
            MailServer() as server,
            pytest.raises(MailUnavailable, match="offers no STARTTLS"),
            post(server, "smtp", user=USER, password=Secret(PASSWORD)).line(),
        ):
            pass

    def test_tls_from_the_start(self, tmp_path: Path) -> None:
        with MailServer(certified(tmp_path), from_the_start=True) as server:
            with post(server, "smtps", ca=tmp_path / "ca.pem").line() as line:
                line.offer(LETTER)
                assert line.send() is None
            assert len(server.letters) == 1

    @pytest.mark.parametrize(("scheme", "early"), [("smtp", False), ("smtps", True)])
    def test_a_stranger_with_a_certificate_of_his_own(self, scheme: str, early: bool, tmp_path: Path) -> None:
        with (
            MailServer(certified(tmp_path), from_the_start=early) as server,
            pytest.raises(MailUnavailable, match="certificate is not good"),
            post(server, scheme).line(),
        ):
            pass

    def test_a_ca_that_is_not_there(self, tmp_path: Path) -> None:
        with (
            MailServer() as server,
            pytest.raises(MailUnavailable, match=r"Correct \[mail\] ca"),
            post(server, "smtp", ca=tmp_path / "none.pem").line(),
        ):
            pass


class TestSigningIn:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[MailServer]:
        with MailServer(certified(tmp_path), authenticator=signs_in, auth_required=True) as server:
            yield server

    def test_the_right_password(self, server: MailServer, tmp_path: Path) -> None:
        ca = tmp_path / "ca.pem"
        with post(server, "smtp", ca=ca, user=USER, password=Secret(PASSWORD)).line() as line:
            line.offer(LETTER)
            assert line.send() is None
        assert len(server.letters) == 1

    def test_a_wrong_one_is_said_without_it(self, server: MailServer, tmp_path: Path) -> None:
        ca = tmp_path / "ca.pem"
        with (
            pytest.raises(MailUnavailable, match=r"does not let gate in \(535\)") as caught,
            post(server, "smtp", ca=ca, user=USER, password=Secret("guess")).line(),
        ):
            pass
        assert "guess" not in str(caught.value)

    def test_none_at_all_is_our_fault_and_nobodys_else(self, server: MailServer, tmp_path: Path) -> None:
        with (
            post(server, "smtp", ca=tmp_path / "ca.pem").line() as line,
            pytest.raises(MailUnavailable, match="takes no mail from"),
        ):
            line.offer(LETTER)

    def test_where_nobody_can_sign_in(self) -> None:
        with (
            MailServer() as server,
            pytest.raises(MailUnavailable, match="Take user and password out"),
            post(server, user=USER, password=Secret(PASSWORD)).line(),
        ):
            pass
