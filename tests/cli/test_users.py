"""`users` and `audit`: lists that line up, JSON that holds no secret, a reset with a reason, a trail that is whole."""

import json
import sqlite3

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event
from mfa_gate.core.remembered import Held, remembered
from mfa_gate.ports import Change
from tests.cli.shell import NOW, REALM, Shell


@pytest.fixture
def peopled(shell: Shell) -> Shell:
    shell.visits("bob", name="Bob Okafor", email="bob@example.org")
    shell.visits("carol", name="Carol Jansen")
    shell.enrolls("alice")
    return shell


def names(shell: Shell, *words: str) -> list[str]:
    return [row["user"] for row in shell.json("users", "list", *words)]


def test_everybody_who_was_seen(peopled: Shell) -> None:
    assert names(peopled) == ["admin", "alice", "bob", "carol"]
    row = peopled.json("users", "list", "--q", "bob@")[0]
    assert row == {
        "id": account_id(REALM, "bob"),
        "user": "bob",
        "realm": REALM,
        "name": "Bob Okafor",
        "email": "bob@example.org",
        "groups": [],
        "status": "missing",
        "factors": [],
        "last_verified_at": None,
        "exempt_until": None,
    }


def test_filters(peopled: Shell) -> None:
    assert names(peopled, "--status", "enrolled") == ["alice"]
    assert names(peopled, "--q", "CAROL J") == ["carol"]
    assert names(peopled, "--status", "enrolled", "--q", "carol") == []
    assert "Nobody." in peopled("users", "list", "--q", "zoe").output
    assert "'inactive'" in peopled("users", "list", "--status", "lost", code=2).stderr


def test_columns_stand_under_each_other(peopled: Shell) -> None:
    peopled.visits("東京", name="e\u0301va")
    lines = peopled("users", "list").stdout.splitlines()
    assert lines[0].split() == ["USER", "NAME", "E-MAIL", "REALM", "STATUS", "FACTORS", "LAST", "VERIFIED"]
    at = lines[0].index("STATUS")
    ascii_lines = [line for line in lines[1:] if line.isascii()]
    assert {line[at - 2 : at] for line in ascii_lines} == {"  "}
    assert {line[at:].split()[0] for line in ascii_lines} <= {"missing", "enrolled"}
    wide = next(line for line in lines if line.startswith("東京"))
    assert wide.index("missing") == at - 2 + 1


def test_more_people_than_fit_a_page(shell: Shell) -> None:
    with shell.gate() as gate:
        for number in range(205):
            subject = f"user{number:03}"
            account = Account(id=account_id(REALM, subject), realm=REALM, subject=subject, first_seen_at=NOW)
            gate.store.commit(Change(account=account), NOW)
    assert names(shell) == ["admin", *(f"user{number:03}" for number in range(205))]
    assert len(shell("users", "list").stdout.splitlines()) == 207


def test_a_hostile_name_does_not_reach_the_terminal(peopled: Shell) -> None:
    peopled.keep(replace(peopled.account("bob"), name="\x1b[2J\nroot", email="\u202e"))
    for words in (("users", "list"), ("users", "show", "bob")):
        said = peopled(*words).stdout
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert "\\x1b[2J\\x0aroot" in said


def test_one_person(peopled: Shell) -> None:
    shown = peopled.json("users", "show", "alice")
    assert (shown["status"], shown["because"], shown["recovery_codes_left"]) == ("enrolled", "own_choice", 2)
    assert shown["apps"] == [{"name": "Phone", "added_at": NOW, "last_used_at": None}]
    assert shown["history"][0]["kind"] == "verified"
    said = peopled("users", "show", "alice").output
    assert "status          enrolled (not required)" in said
    assert "factor_added" in said
    assert "role" not in said
    assert peopled.json("users", "show", "admin")["role"] == "admin"


def test_no_answer_holds_a_secret(peopled: Shell) -> None:
    assert peopled.account("alice").totps[0].secret == b"seed" * 5
    for words in (("users", "show", "alice"), ("users", "list"), ("audit", "list")):
        for said in (peopled(*words).stdout, peopled(*words, "--json").stdout):
            assert "seed" not in said
            assert "secret" not in said
            assert "hash" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("show", "zoe"),
        ("reset", "zoe", "--reason", "lost phone"),
        ("sign-out", "zoe", "--reason", "lost phone"),
        ("forget-browsers", "zoe", "--reason", "lost phone"),
        ("exempt", "zoe", "--end", "--reason", "lost phone"),
    ],
)
def test_somebody_never_seen(peopled: Shell, words: tuple[str, ...]) -> None:
    assert 'never seen "zoe"' in peopled("users", *words, code=1).stderr


def test_a_reset_takes_everything_and_stands_in_the_trail(peopled: Shell) -> None:
    assert "Two-step of alice is reset" in peopled("users", "reset", "alice", "--reason", "lost phone").output
    assert names(peopled, "--status", "enrolled") == []
    (event,) = peopled.json("audit", "list", "--kind", "reset")
    assert event["details"]["reason"] == "lost phone"
    assert event["actor"]["surface"] == "shell"
    assert "nothing to reset" in peopled("users", "reset", "alice", "--reason", "again", code=1).stderr


@pytest.mark.parametrize(
    "words", [("reset", "alice"), ("sign-out", "alice"), ("exempt", "bob", "--until", "2027-01-20")]
)
def test_an_act_wants_a_reason(peopled: Shell, words: tuple[str, ...]) -> None:
    peopled("users", *words, code=2)
    assert "--reason wants 3 to 500" in peopled("users", *words, "--reason", "x", code=2).stderr
    assert names(peopled, "--status", "enrolled") == ["alice"]
    assert peopled.json("users", "show", "bob")["exemption"] is None


def test_signing_somebody_out(peopled: Shell) -> None:
    said = peopled("users", "sign-out", "alice", "--reason", "stolen laptop").output
    assert said == "All sessions of alice are ended, and no browser of theirs is remembered.\n"
    (event,) = peopled.json("audit", "list", "--kind", "signed_out_everywhere")
    assert (event["details"], event["actor"]["surface"]) == ({"reason": "stolen laptop"}, "shell")
    assert peopled.json("users", "sign-out", "alice", "--reason", "again")["user"] == "alice"


def test_forgetting_browsers(peopled: Shell) -> None:
    forget = ("users", "forget-browsers", "alice", "--reason", "used in a hotel")
    assert "no browser of theirs is remembered" in peopled(*forget, code=1).stderr
    peopled("policy", "set", "remember_seconds=30d", "--reason", "asked for")
    assert (
        "0 to 2592000" in peopled("policy", "set", "remember_seconds=31d", "--reason", "x" * 9, code=2).stderr
    )
    peopled.now += 5
    actor = Actor(subject="alice", realm=REALM, surface="web", address="192.0.2.1")
    account = peopled.account("alice")
    with peopled.gate() as gate:
        policy = gate.store.policy()
    for number in (1, 2):
        account, _ = remembered(
            account,
            policy,
            Held(id=bytes([number]) * 16, token=b"t" * 32),
            "totp",
            instead_of=None,
            actor=actor,
            user_agent="Firefox/140",
            now=peopled.now,
        )
    peopled.keep(account)
    shown = peopled.json("users", "show", "alice")["browsers"]
    assert [(each["name"], each["until"]) for each in shown] == [("Firefox", peopled.now + 30 * 86_400)] * 2
    assert "2 remembered" in peopled("users", "show", "alice").output
    one = peopled(*forget, "--browser", shown[0]["id"]).output
    assert one == "That browser of alice is forgotten.\n"
    assert "no such browser" in peopled(*forget, "--browser", shown[0]["id"], code=1).stderr
    assert peopled.json("users", "show", "alice")["browsers"] == shown[1:]
    assert peopled.json(*forget)["user"] == "alice"
    assert peopled.json("users", "show", "alice")["browsers"] == []
    event = peopled.json("audit", "list", "--kind", "browser_forgotten")[0]
    assert event["details"] == {"number": "1", "reason": "used in a hotel"}


def test_an_exemption_until_the_end_of_a_day(peopled: Shell) -> None:
    exempt = ("users", "exempt", "bob", "--reason", "no phone")
    said = peopled(*exempt, "--until", "2027-01-20").output
    assert said == "bob is exempt until 2027-01-20 23:59:59 UTC.\n"
    shown = peopled.json("users", "show", "bob")
    assert (shown["status"], shown["required"]) == ("exempt", False)
    assert shown["exemption"]["reason"] == "no phone"
    assert shown["exemption"]["approved_by"].endswith(" (shell)")
    assert shown["exemption"]["given_at"] == NOW
    said = peopled("users", "show", "bob").output
    assert "exempt until  2027-01-20 23:59:59 UTC" in said
    assert "no phone" in said
    until = peopled.json(*exempt, "--until", "2027-01-21T18:00")["exempt_until"]
    assert until == shown["exemption"]["until"] + 18 * 3600 + 1
    assert peopled.json(*exempt, "--until", "2027-01-21T18:00+01:00")["exempt_until"] == until - 3600
    peopled("users", "exempt", "bob", "--end", "--reason", "has one")
    assert peopled.json("users", "show", "bob")["exemption"] is None
    kinds = [event["kind"] for event in peopled.json("audit", "list", "--user", "bob")]
    assert kinds == ["exemption_ended", *["exemption_given"] * 3, "account_seen"]
    said = peopled("users", "exempt", "bob", "--end", "--reason", "again", code=1).stderr
    assert "no exemption" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Say --until DAY, or --end."),
        (("--until", "2027-01-20", "--end"), "Say --until DAY, or --end."),
        (("--until", "soon"), '"soon" is no day'),
        (("--until", "2027-13-01"), "is no day"),
        (("--until", "2020-01-01"), "--until wants a day ahead, at the latest"),
        (("--until", "2028-01-01"), "--until wants a day ahead, at the latest"),
        (("--until", "9999-12-31"), "--until"),
    ],
)
def test_an_exemption_without_a_good_end_is_not_understood(
    peopled: Shell, words: tuple[str, ...], said: str
) -> None:
    answer = peopled("users", "exempt", "bob", "--reason", "no phone", *words, code=2)
    assert said in answer.stderr
    assert peopled.json("users", "show", "bob")["exemption"] is None


def test_who_has_two_step_is_not_exempt(peopled: Shell) -> None:
    words = ("users", "exempt", "alice", "--reason", "no phone", "--until", "2027-01-20")
    assert "Reset it first" in peopled(*words, code=1).stderr


def test_the_trail_newest_first(peopled: Shell) -> None:
    positions = [event["position"] for event in peopled.json("audit", "list")]
    assert positions == sorted(positions, reverse=True)
    assert len(peopled.json("audit", "list", "--limit", "2")) == 2
    kinds = [event["kind"] for event in peopled.json("audit", "list", "--user", "bob")]
    assert kinds == ["account_seen"]
    said = peopled("audit", "list", "--user", "alice", "--kind", "factor_added").stdout.splitlines()
    assert said[0].startswith("AT (UTC)")
    assert "alice from 192.0.2.1" in said[1]
    assert "No events." in peopled("audit", "list", "--user", "zoe").output
    peopled("audit", "list", "--kind", "nonsense", code=2)
    peopled("audit", "list", "--limit", "0", code=2)


def test_more_events_than_fit_a_page(shell: Shell) -> None:
    with shell.gate() as gate:
        event = Event(kind="act_refused", account_id=ORG, subject="", at=NOW, actor=SYSTEM)
        gate.store.record((event,) * 450, NOW)
    assert len(shell.json("audit", "list", "--kind", "act_refused", "--limit", "420")) == 420
    assert len(shell.json("audit", "list", "--kind", "act_refused", "--limit", "5000")) == 450


def test_a_whole_trail_is_whole_and_says_what_it_cannot_see(peopled: Shell) -> None:
    said = peopled("audit", "verify").output
    assert "Every chain of the audit trail is whole." in said
    assert "The anchor agrees." in said
    answer = peopled.json("audit", "verify")
    assert (answer["whole"], answer["break"], answer["anchor"]) == (True, None, "agrees")
    peopled.edit('path = "anchor/mfa-gate.anchor"', "")
    assert "No anchor is compared" in peopled("audit", "verify").output
    assert peopled.json("audit", "verify")["anchor"] == "not compared"


def test_an_event_that_was_edited_is_found(peopled: Shell) -> None:
    with sqlite3.connect(peopled.folder / "store" / "mfa-gate.db") as db:
        db.execute("UPDATE audit SET record = replace(record, 'bob', 'rob') WHERE kind = 'account_seen'")
    db.close()
    assert "The audit trail is broken." in peopled("audit", "verify", code=1).stderr
    broken = json.loads(peopled("audit", "verify", "--json", code=1).stdout)
    assert broken["whole"] is False
    assert broken["break"]


def test_people_are_chosen_and_exported_as_they_are_listed(shell: Shell) -> None:
    for user in ("brigitte", "bruno", "otto"):
        shell.visits(user)
    chosen = ("--q", "br", "--status", "missing", "--sort", "-name")
    listed = [each["user"] for each in shell.json("users", "list", *chosen)]
    assert listed == ["bruno", "brigitte"]
    assert shell.json("users", "list", "--group", "nobody's") == []
    assert [each["user"] for each in shell.json("users", "list", "--never-seen")] == ["admin"]
    path = shell.folder / "people"
    shell("users", "export", str(path), code=2)
    assert not path.exists()
    reason = ("--reason", "for the wards")
    assert shell.json("users", "export", str(path), *chosen, *reason) == {"path": str(path), "people": 2}
    assert [json.loads(line)["user"] for line in path.read_text().splitlines()] == listed
    table = shell("users", "export", "-", "--csv", *chosen, *reason).stdout.splitlines()
    assert [line.split(",")[1] for line in table] == ["user", *listed]
    recorded = shell.json("audit", "list", "--kind", "people_exported")
    assert [each["details"]["form"] for each in recorded] == ["csv", "jsonl"]
    assert recorded[0]["details"]["status"] == "missing"
