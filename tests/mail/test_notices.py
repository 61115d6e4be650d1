"""What a notice says, to owners and administrators, and that nobody can put anything of their own into it."""

from typing import get_args

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event, EventKind
from mfa_gate.core.notices import MAILBOX, Notice, notices_of
from mfa_gate.flows.posting import Letter
from tests.mail.test_letters import ALICE, HEAD, HOME, NOW, letters, part, read

OWN = Actor(subject="alice", realm="portal", surface="web", address="192.0.2.7")
ROOT = Actor(subject="root", realm="portal", surface="web", address="192.0.2.99")
SHELL = Actor(subject="operator", surface="shell")


def notices(kind: EventKind, actor: Actor = OWN, **details: str) -> tuple[Notice, Notice]:
    """To the owner and to the administrators."""
    happened = Event(
        kind=kind,
        account_id=ALICE.id,
        subject="alice",
        at=NOW,
        actor=actor,
        details=details,
        notify=("owner", "admins"),
    )
    owner, admins = notices_of(happened, "e1", (MAILBOX,))
    return owner, admins


def to_owner(
    kind: EventKind, actor: Actor = OWN, *, account: Account = ALICE, language: str = "en", **details: str
) -> Letter:
    return letters(language).notice(notices(kind, actor, **details)[0], account, "alice@example.org")


def to_admins(kind: EventKind, actor: Actor = OWN, language: str = "en", **details: str) -> Letter:
    return letters(language).notice(notices(kind, actor, **details)[1], None, "it@example.org")


def said(letter: Letter) -> str:
    return " ".join(part(read(letter), "plain").split())


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", get_args(EventKind))
def test_every_kind_has_a_letter(kind: EventKind, language: str) -> None:
    for letter in (to_owner(kind, language=language), to_admins(kind, language=language)):
        message = read(letter)
        text, html = part(message, "plain"), part(message, "html")
        assert "Example Files" in message["Subject"]
        assert "{" not in text + html + message["Subject"]
        soup = BeautifulSoup(html, "html.parser")
        shown = " ".join(soup.get_text().split())
        assert all(" ".join(each.split()) in shown for each in text.replace("\r", "").split("\n\n")[:3])
        assert {str(link["href"]) for link in soup.find_all("a")} <= {
            f"{HOME}/account",
            f"{HOME}/setup",
            f"{HOME}/admin/audit?kind={kind}",
            f"{HOME}/admin/report?day=%3F",
            HEAD.help_url,
        }


def test_what_owners_read() -> None:
    message = read(to_owner("factor_replaced"))
    assert message["Subject"] == "A new authenticator app was added to your account at Example Files"
    assert said(to_owner("factor_replaced")) == (
        "Hello Alice Moreau, Your authenticator app was replaced by another one on moment 0. Codes of the old one do "
        "not count. It came from the address 192.0.2.7. If that was you, there is nothing to do. If not, somebody can "
        "sign in as you: change your password at Example Files now, and tell whoever runs it. Look at your account: "
        f"{HOME}/account -- This mail is about your account alice. {HEAD.help_text} {HEAD.help_url}"
    )
    assert "Codes that are left: 4." in said(to_owner("recovery_code_used", left="4"))
    assert "until moment 60." in said(to_owner("exemption_given", ROOT, until=str(NOW + 60)))


def test_who_did_it() -> None:
    by_admin = said(to_owner("reset", ROOT))
    assert "Somebody who administers Example Files did that. If you do not know why, ask" in by_admin
    assert "192.0.2.99" not in by_admin
    assert "It was done on the server itself." in said(to_owner("reset", SHELL))
    assert "did that" not in said(to_owner("tampering_noticed", SYSTEM))
    guessed = said(to_owner("account_locked", replace(OWN, address="2001:db8::1")))
    assert "It came from the address 2001:db8::1." in guessed
    assert "somebody knows your password" in guessed
    # Another realm's `alice`, or a user of the machine who is named so, is somebody else.
    assert "Somebody who administers" in said(to_owner("reset", replace(OWN, realm="other")))
    assert "on the server itself" in said(to_owner("reset", replace(SHELL, subject="alice", realm="portal")))


def test_what_administrators_read() -> None:
    letter = to_admins("reset", ROOT, reason="lost phone")
    assert read(letter)["Subject"] == "Example Files: Reset"
    assert said(letter).startswith("Hello, moment 0: root reset two-step for alice. If you do not know why,")
    assert "lost phone" not in said(letter)
    assert "You get this mail because you administer Example Files." in said(letter)


def test_what_administrators_read_of_coverage() -> None:
    letter = to_admins(
        "coverage_counted", SYSTEM, day="2026-04-01", covered="938", people="1002", sha256="ab"
    )
    assert read(letter)["Subject"] == "Example Files: 938 of 1002 people have two-step"
    assert "On 2026-04-01 938 of 1002 people at Example Files had set up two-step." in said(letter)
    assert f"{HOME}/admin/report?day=2026-04-01" in said(letter)


def test_many_in_one() -> None:
    owner, admins = notices("turned_off")
    (event,) = owner.events
    events = tuple(replace(event, at=NOW + number) for number in range(3))
    text = said(letters().notice(replace(owner, events=events, more=2), ALICE, "alice@example.org"))
    assert "on moment 2." in text
    assert "That happened 5 times within an hour, first on moment 0." in text
    letter = letters().notice(replace(admins, events=events, more=2), None, "it@example.org")
    assert read(letter)["Subject"] == "Example Files: Turned off (5)"
    assert "moment 1: alice turned off two-step." in said(letter)
    assert "… and 2 more of the same kind." in said(letter)


def test_the_same_notice_is_the_same_letter_and_another_is_another() -> None:
    assert to_owner("reset") == to_owner("reset")
    owner, admins = notices("reset")
    made = {
        letters().notice(each, ALICE, "alice@example.org").id
        for each in (owner, admins, replace(owner, id="e2"), replace(owner, to="b" * 32))
    }
    assert len(made) == 4


@pytest.mark.parametrize(
    "evil", ["<img src=x onerror=1>", "Al\r\nBcc: m@example.net", "{portal.__class__}", "\x1b[31m"]
)
def test_w10_names_are_text(evil: str) -> None:
    account = replace(ALICE, name=evil, subject=evil)
    happened = Event(
        kind="reset",
        account_id=ORG,
        subject=evil,
        at=NOW,
        actor=replace(ROOT, subject=evil, address=evil),
        details={"account": ALICE.id, "browser": "", "left": "{0}", "until": "٣"},
        notify=("owner", "admins"),
    )
    for notice in notices_of(happened, "e1", (MAILBOX,)):
        message = read(letters().notice(notice, account, "alice@example.org"))
        assert message["Bcc"] is None
        soup = BeautifulSoup(part(message, "html"), "html.parser")
        assert not soup.find_all(["img", "script"])
        assert "Example Files.__class__" not in soup.get_text()
        assert "\x1b" not in soup.get_text()
        assert "class 'str'" not in soup.get_text()


def test_w06_w14_what_a_client_sends_of_itself_is_nowhere() -> None:
    letter = to_owner("account_paused", replace(OWN, address="evil.example"), name="evil.example")
    assert b"evil.example" not in letter.content
