"""Attacks by and on mail (W, and what other rows say of it): floods, links, injected text, notices gone astray."""

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from statistics import median

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from mfa_gate.core.notices import LETTERS
from mfa_gate.core.policy import DAY, HOUR
from mfa_gate.core.throttle import DISABLE_AFTER
from mfa_gate.mailing import notifying, reminding
from mfa_gate.ports import Change
from mfa_gate.wiring import Sources
from tests.attacks.grounds import enroll, wrong
from tests.certificates import certified
from tests.edges.asking import Headers
from tests.edges.fixtures import ASGI, Build
from tests.edges.rig import HOME, Client, Rig
from tests.edges.town import REALM
from tests.mail.servers import MailServer, signs_in
from tests.waiting import until

log = logging.getLogger(__name__)
DOMAIN = "people.example.org"
pytestmark = pytest.mark.sqlite
"""What leaves does not depend on the store; that the queue does not is the contract's to show."""


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    """One mail server for all."""
    with MailServer() as running:
        yield running


@dataclass
class Mail:
    """A gate whose mail goes to a real server, and is carried when the test says so."""

    rig: Rig
    server: MailServer

    def __post_init__(self) -> None:
        store, now = self.rig.town.store, int(self.rig.clock())
        for job in ("notices", "reminders", "deadlines"):
            # So that the gate's own threads leave it to the test.
            assert store.lease(job, "the test", 100 * DAY, now) is not None
        sources = Sources(clock=self.rig.clock, monotonic=lambda: 0.0)
        self._notifying = notifying(self.rig.settings, store, sources)
        self._reminding = reminding(self.rig.settings, store, sources)
        # What the town did before is told first.
        self.carried()
        self.later(2 * HOUR)

    def carried(self) -> list[tuple[str, EmailMessage]]:
        """What leaves now: (account name in the address, message)."""
        self.server.letters.clear()
        self._reminding.turn(int(self.rig.clock()))
        self._notifying.turn(int(self.rig.clock()))
        return [(to.removesuffix(f"@{DOMAIN}"), message) for to, message in self.server.letters]

    def later(self, seconds: int) -> list[tuple[str, EmailMessage]]:
        """What leaves after some time."""
        self.rig.clock.go(seconds)
        return self.carried()


def mail(build: Build, server: MailServer, **settings: object) -> Mail:
    """A gate that requires two-step and has a way for mail."""
    way = {
        "smtp": f"smtp+plain://127.0.0.1:{server.port}",
        "sender": "two-step@example.org",
        "domain": DOMAIN,
    }
    return Mail(build(mail=way, **settings), server)


def parts(message: EmailMessage) -> str:
    """All that somebody reads of a message, markup included."""
    found = [message.get_body((kind,)) for kind in ("plain", "html")]
    return "\n".join(str(part.get_content()) for part in found if part is not None)


def links(message: EmailMessage) -> set[str]:
    return set(re.findall(r"https?://[^\s\"<>]+", parts(message)))


def remind(client: Client, *users: str, headers: Headers = ()) -> int:
    ids = [client.rig.town.account(user).id for user in users]
    return client.api("POST", "admin/reminders", {"users": ids}, *headers).status


def test_W20_of_all_who_remind_somebody_one_mail_a_day_leaves(build: Build, server: MailServer) -> None:
    office = mail(build, server)
    root, desk = (office.rig.client(user, verified=True) for user in ("root", "help"))
    for client in (root, desk, root):
        assert remind(client, "carol") == 200
    assert root.api("POST", "admin/reminders", {"filter": {"status": "missing"}}).status == 200
    assert [to for to, _ in office.carried()].count("carol") == 1
    office.rig.clock.go(DAY - 60)
    root = office.rig.client("root", verified=True)
    assert remind(root, "carol") == 200
    assert office.carried() == []
    assert office.later(60) == []
    assert remind(office.rig.client("root", verified=True), "carol") == 200
    assert [to for to, _ in office.carried()] == ["carol"]


def test_W20_nobody_else_sends_any_and_nobody_without_end(build: Build, server: MailServer) -> None:
    office = mail(build, server)
    for user in ("alice", "carol", None):
        client = office.rig.client(user, verified=user == "alice")
        ids = [office.rig.town.account("carol").id]
        assert client.api("POST", "admin/reminders", {"users": ids}).status in {401, 403}
    root = office.rig.client("root", verified=True)
    answers = [remind(root, "carol") for _ in range(30)]
    assert answers.count(200) == 20
    assert set(answers) == {200, 409}
    assert [to for to, _ in office.carried()] == ["carol"]


def test_W20_no_link_in_a_mail_changes_anything_whoever_follows_it(build: Build, server: MailServer) -> None:
    office = mail(build, server)
    rig = office.rig
    root = rig.client("root", verified=True)
    assert remind(root, "carol") == 200
    assert root.api("POST", f"admin/users/{rig.person('bob').id}/reset", {"reason": "lost"}).status == 200
    told = office.carried()
    assert {to for to, _ in told} >= {"carol", "bob"}
    found = {link for _, message in told for link in links(message)}
    assert {link.removeprefix(HOME) for link in found} >= {"/mfa/setup", "/mfa/account"}
    before = [rig.town.account(user) for user in ("carol", "bob", "alice", "root")]
    for link in found:
        for client in (rig.client(None), rig.client("carol"), rig.client("bob"), rig.client("alice")):
            assert client.ask("HEAD", link.removeprefix(HOME)).status < 500
            assert client.visit(link.removeprefix(HOME)).status < 500
    assert [rig.town.account(user) for user in ("carol", "bob", "alice", "root")] == before
    assert all(f"{HOME}/mfa/" in link and "token" not in link for link in found)


def test_W20_D07_who_guesses_fills_no_mailbox_and_is_told_of(build: Build, server: MailServer) -> None:
    office = mail(build, server)
    rig = office.rig
    got: list[tuple[str, EmailMessage]] = []
    tried, began = 0, rig.clock()
    while rig.town.account("bob").totps[0].strikes.consecutive < DISABLE_AFTER // 2:
        tried += rig.client("bob").verify(wrong(rig, "bob", tried)).code == "code_rejected"
        rig.clock.go(61)
        if tried % 5 == 0:
            got += office.carried()
    for _ in range(5):
        rig.client("bob").verify(wrong(rig, "bob"))
    got += office.later(2 * HOUR)
    subjects = [str(message["Subject"]) for to, message in got if to == "bob"]
    hours = (rig.clock() - began) / HOUR
    assert len(subjects) <= (LETTERS + 1) * hours + 3
    assert "Wrong codes were entered for your account at Example Files" in subjects
    assert subjects.count("Your account at Example Files is locked after too many wrong codes") == 1
    assert [str(message["Subject"]) for to, message in got if to == "root"] == ["Example Files: Locked"]


def test_W06_no_request_names_the_host_of_a_link_in_a_mail(build: Build, server: MailServer) -> None:
    office = mail(build, server, trusted_proxies=["192.0.2.7"])
    evil: Headers = (
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Proto", "javascript"),
        ("Forwarded", "host=evil.example;proto=javascript"),
    )
    root = office.rig.client("root", verified=True)
    remind(root, "carol", headers=evil)
    bob = office.rig.person("bob").id
    root.api("POST", f"admin/users/{bob}/reset", {"reason": "http://evil.example/"}, *evil)
    told = office.carried()
    assert {to for to, _ in told} == {"carol", "bob", "root"}
    for _, message in told:
        assert "evil.example" not in message.as_string()
        assert all(link.startswith(f"{HOME}/mfa/") for link in links(message))


def test_W10_W14_nothing_that_somebody_typed_is_more_than_a_name_in_a_mail(
    build: Build, server: MailServer
) -> None:
    office = mail(build, server)
    rig, store = office.rig, office.rig.town.store
    account = rig.town.account("bob")
    name = "<img src=x>\r\nBcc: m@evil.example\r\n\r\nhttps://phish.example"
    apps = tuple(replace(each, name="https://phish.example") for each in account.totps)
    store.commit(Change(account=replace(account, name=name, totps=apps)), int(rig.clock()))
    evil: Headers = (("User-Agent", "https://phish.example"), ("X-Forwarded-For", "phish.example"))
    bob = rig.client("bob")
    rig.clock.go(31)
    assert bob.verify(rig.person("bob").codes[0], "recovery_code", *evil).status == 200
    root = rig.client("root", verified=True)
    root.api("POST", f"admin/users/{account.id}/reset", {"reason": "https://phish.example"})
    told = office.carried()
    # The recovery code, the browser that it came from, and the reset.
    assert [to for to, _ in told].count("bob") == 3
    for to, message in told:
        assert message["Bcc"] is None
        html = message.get_body(("html",))
        assert html is not None
        soup = BeautifulSoup(html.get_content(), "html.parser")
        assert not soup.find_all(["img", "script"])
        # Once in the greeting of each part, as part of the name on one line.
        assert parts(message).count("phish.example") == (2 if to == "bob" else 0)
        assert not [link for link in soup.find_all("a") if "phish" in str(link["href"])]


def test_E01_the_owner_and_the_administrators_hear_who_set_up_two_step(
    build: Build, server: MailServer
) -> None:
    office = mail(build, server)
    enroll(office.rig.client("carol", peer="198.51.100.66"))
    told = office.carried()
    assert {to for to, _ in told} == {"carol", "root"}
    (letter,) = (message for to, message in told if to == "carol")
    assert letter["Subject"] == "Two-step was set up for your account at Example Files"
    assert "It came from the address 198.51.100.66." in parts(letter)
    assert "change your password" in " ".join(parts(letter).split())


def test_E18_who_uses_a_recovery_code_is_told_how_many_are_left(build: Build, server: MailServer) -> None:
    office = mail(build, server)
    codes = office.rig.person("bob").codes
    assert office.rig.client("bob").verify(codes[0], "recovery_code").status == 200
    ((to, message),) = office.carried()
    assert to == "bob"
    assert f"Codes that are left: {len(codes) - 1}." in " ".join(parts(message).split())
    assert not [code for code in codes if code in parts(message)]


def test_B14_B16_who_is_spelled_alike_gets_no_mail_of_the_account(build: Build, server: MailServer) -> None:
    identity = {
        "source": "starlette_session",
        "secret": "env:PORTAL_SECRET",
        "field": "user",
        "email_field": "email",
    }
    office = mail(build, server, identity=[identity])
    rig = office.rig
    for alias in ("Bob", " bob", "\N{FULLWIDTH LATIN SMALL LETTER B}ob"):
        thief = rig.client(None)
        thief.sign_in(alias, email="mallory@evil.example")
        assert thief.get("/files").code == "not_allowed"
    root = rig.client("root", verified=True)
    assert root.api("POST", f"admin/users/{rig.person('bob').id}/reset", {"reason": "lost"}).status == 200
    told = office.carried()
    assert {to for to, _ in told} == {"bob", "root"}
    assert rig.town.account("bob").realm == REALM


def test_E20_an_owner_hears_of_every_end_and_no_mail_holds_a_secret(build: Build, server: MailServer) -> None:
    office = mail(build, server)
    rig = office.rig
    secret, codes = rig.person("bob").secret, rig.person("bob").codes
    root, bob = rig.client("root", verified=True), rig.client("bob", verified=True)
    for act in ("sign-out", "reset"):
        answer = root.api("POST", f"admin/users/{rig.person('bob').id}/{act}", {"reason": "lost"})
        assert answer.status == 200, answer.text
    told = office.carried()
    assert sorted(str(message["Subject"]) for to, message in told if to == "bob") == [
        "Two-step was reset for your account at Example Files",
        "Your account at Example Files was signed out",
    ]
    for _, message in told:
        raw = message.as_string() + parts(message)
        assert not [each for each in (secret, *codes, bob.session, root.session) if each and each in raw]


@contextmanager
def hanging() -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that takes every connection and never says anything; its port, and who has called."""
    called: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    called.append(listening.accept()[0])

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1], called
        listening.shutdown(socket.SHUT_RDWR)
    for each in called:
        each.close()


def verified_in(rig: Rig) -> list[float]:
    """How many seconds each of several verifications took."""
    took = []
    for _ in range(6):
        rig.clock.go(30)
        client, code = rig.client("alice"), rig.person("alice").code(rig.clock())
        begun = time.perf_counter()
        assert client.verify(code).status == 200
        took.append(time.perf_counter() - begun)
    return took


@ASGI
def test_W20_whatever_is_wrong_with_the_mail_server_nobody_waits_and_nothing_is_lost(
    build: Build, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    right, stranger = certified(tmp_path), certified(tmp_path / "other")
    (tmp_path / "password").write_text("not the right one")
    sender = {"sender": "two-step@example.org", "domain": DOMAIN}
    signing = {"user": "gate", "password": f"file:{tmp_path / 'password'}"}
    with ExitStack() as open_:
        hangs, called = open_.enter_context(hanging())
        with socket.create_server(("127.0.0.1", 0)) as closed:
            down = closed.getsockname()[1]
        plain, foreign, strict, refusing = (
            open_.enter_context(each)
            for each in (
                MailServer(),
                MailServer(stranger),
                MailServer(right, authenticator=signs_in, auth_required=True),
                MailServer(),
            )
        )
        refusing.refuses[f"bob@{DOMAIN}"] = "451 not now"
        ca = {"ca": str(tmp_path / "ca.pem")}
        ways: dict[str, dict[str, str]] = {
            "hangs": {"smtp": f"smtp+plain://127.0.0.1:{hangs}"},
            "down": {"smtp": f"smtp+plain://127.0.0.1:{down}"},
            "no STARTTLS": {"smtp": f"smtp://127.0.0.1:{plain.port}"},
            "another's certificate": {"smtp": f"smtp://127.0.0.1:{foreign.port}", **ca},
            "wrong password": {"smtp": f"smtp://127.0.0.1:{strict.port}", **ca, **signing},
            "refuses": {"smtp": f"smtp+plain://127.0.0.1:{refusing.port}"},
        }
        rigs = {name: build(mail=sender | way) for name, way in ways.items()}
        alone = median(verified_in(build()))
        for rig in rigs.values():
            bob, root = rig.person("bob").id, rig.client("root", verified=True)
            assert root.api("POST", f"admin/users/{bob}/reset", {"reason": "lost"}).status == 200
        until(lambda: called and all(_is_in_trouble(rig) for name, rig in rigs.items() if name != "hangs"))
        for name, rig in rigs.items():
            took = verified_in(rig)
            log.info("%s: a verification takes %.1f ms, alone %.1f", name, median(took) * 1e3, alone * 1e3)
            assert max(took) < 1.0, (name, took, alone)
            waiting = rig.town.store.notices.queue().waiting
            assert rig.person("bob").id in {each.to for each in waiting}, name
        assert not plain.letters
        assert not foreign.letters
        assert not strict.letters


def _is_in_trouble(rig: Rig) -> bool:
    queue = rig.town.store.notices.queue()
    return bool(queue.trouble) or any(each.tries for each in queue.waiting)
