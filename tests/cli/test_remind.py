"""`users remind`: mail to whom it concerns, how far it is, what came of whom, and how it ends."""

import re
from pathlib import Path

import pytest

from tests.cli.shell import NOW, Shell
from tests.mail.servers import MailServer

PEOPLE = ("anna", "anton", "bert")


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """Two-step is required of some people, and mail goes into a folder."""
    shell.environ["MFA_GATE_MAIL__DIR"] = "mail"
    shell.enrolls("admin")
    shell("policy", "set", "require_two_step=true", "--reason", "go live")
    for subject in PEOPLE:
        shell.visits(subject, email=f"{subject}@example.org", name=subject.title())
    return shell


def mails(shell: Shell) -> list[str]:
    """To whom mail went."""
    folder = shell.folder / "mail"
    found = [
        re.search(r"^To: .*<(.*)>", path.read_text("utf-8"), re.MULTILINE) for path in folder.glob("*.eml")
    ]
    return sorted(each[1] for each in found if each)


def test_some_by_name(shell: Shell) -> None:
    said = shell("users", "remind", "anna", "bert").output
    assert "2 sent; of 2 people." in said
    assert mails(shell) == ["anna@example.org", "bert@example.org"]
    with shell.gate() as gate:
        events = gate.store.events(account_id=None, kind="reminders_begun", before=None, limit=5)
    assert events[0].event.actor.surface == "shell"


def test_all_under_a_filter(shell: Shell) -> None:
    answer = shell.json("users", "remind", "--status", "missing", "--q", "an")
    assert (answer["total"], answer["counts"], answer["finished_at"]) == (2, {"sent": 2}, NOW)
    assert mails(shell) == ["anna@example.org", "anton@example.org"]


def test_everybody(shell: Shell) -> None:
    assert shell.json("users", "remind", "--all")["counts"] == {"sent": 3}


def test_a_dry_run_names_them_and_sends_nothing(shell: Shell) -> None:
    shell.visits("carl")
    said = shell("users", "remind", "--all", "--dry-run").output
    assert re.search(r"anna +Anna +anna@example.org +sent", said)
    assert "Would have been: 3 sent, 1 without an address; of 4 people." in said
    assert mails(shell) == []


def test_who_could_not_be_reached_ends_it_with_1(shell: Shell) -> None:
    shell.visits("carl")
    said = shell("users", "remind", "carl", "anna", code=1).output
    assert re.search(r"carl +without an address", said)
    assert "1 sent, 1 without an address; of 2 people." in said


def test_w20_a_second_one_on_the_same_day_is_left_out(shell: Shell) -> None:
    shell("users", "remind", "anna")
    assert "1 left out; of 1 person." in shell("users", "remind", "anna").output
    assert len(mails(shell)) == 1


def test_it_can_be_left_to_a_gate_that_runs_and_be_found_again(shell: Shell) -> None:
    job = shell.json("users", "remind", "--all", "--no-wait")["job"]
    assert mails(shell) == []
    assert "3 sent" in shell("users", "remind", "--job", job).output
    assert shell.json("users", "remind", "--job", job)["done"] == 3
    assert len(mails(shell)) == 3


def test_a_server_that_is_down_is_told_and_nothing_is_lost(shell: Shell) -> None:
    del shell.environ["MFA_GATE_MAIL__DIR"]
    shell.edit("[mail]", '[mail]\nsmtp = "smtp+plain://127.0.0.1:1"\nsender = "two-step@example.org"')
    said = shell("users", "remind", "--all", code=1)
    assert "3 reminders will be tried again at 2027-01-15 08:00:30 UTC" in said.stdout
    assert "Connection refused" in said.stderr
    job = shell.json("users", "remind", "--all", "--no-wait")["job"]
    with MailServer() as server:
        shell.edit(':1"', f':{server.port}"')
        shell.now += 30
        shell("users", "remind", "--job", job)
        assert len(server.letters) == 3


def test_no_way_for_mail(shell: Shell) -> None:
    del shell.environ["MFA_GATE_MAIL__DIR"]
    assert "no way for mail" in shell("users", "remind", "--all", code=1).stderr
    mail = (
        'smtp = "smtps://mail.example.org"\nsender = "a@example.org"\nuser = "gate"\npassword = "env:MAIL_PW"'
    )
    shell.edit("[mail]", f"[mail]\n{mail}")
    assert "[mail] password" in shell("users", "remind", "--all", code=1).stderr


@pytest.mark.parametrize(
    "words",
    [(), ("anna", "--all"), ("--all", "--job", "x"), ("--status", "asleep"), ("anna", "--realm", "other")],
)
def test_whom_it_is_about_has_to_be_said(shell: Shell, words: tuple[str, ...]) -> None:
    shell("users", "remind", *words, code=2)


def test_there_is_no_such_job(shell: Shell) -> None:
    assert 'no reminders "x"' in shell("users", "remind", "--job", "x", code=1).stderr


def test_what_it_took_is_given_back(shell: Shell) -> None:
    shell("users", "remind", "anna")
    with shell.gate() as gate:
        assert gate.store.lease("reminders", "a gate that runs", 90, NOW)


def test_the_settings_folder_is_where_mail_goes(shell: Shell) -> None:
    shell("users", "remind", "anna")
    assert Path(shell.folder, "mail").stat().st_mode & 0o077 == 0


def test_the_same_filters_as_on_the_page(shell: Shell) -> None:
    shell.visits("carl", email="carl@example.org", groups=("clinic",))
    (shell.folder / "people.csv").write_text(
        "realm,subject,name,email,groups,active\n"
        + "".join(
            f"portal,{who},{who},{who}@example.org,,true\n" for who in ("admin", *PEOPLE, "carl", "dora")
        )
    )
    shell("users", "import", str(shell.folder / "people.csv"), "--reason", "go live")
    assert shell.json("users", "remind", "--group", "clinic")["counts"] == {"sent": 1}
    assert mails(shell) == ["carl@example.org"]
    assert shell.json("users", "remind", "--never-seen")["counts"] == {"sent": 1}
    assert mails(shell) == ["carl@example.org", "dora@example.org"]
    assert shell.json("users", "remind", "--group", "clinic", "--never-seen")["total"] == 0
