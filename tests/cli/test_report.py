"""`report`: what was true at a date, from what was counted and signed then; and whether a report is as it was made."""

import csv
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Exemption
from mfa_gate.core.attested import read
from mfa_gate.core.policy import DAY
from mfa_gate.keys import KeyRing
from mfa_gate.opening import keyed_of
from mfa_gate.surveys import counting
from tests.cli.shell import NOW, Shell

FORMS = ("html", "csv", "json")


def counts(shell: Shell) -> None:
    with shell.gate() as gate:
        ring = KeyRing.find(gate.settings.keys.file, shell.environ)
        assert counting(gate.settings, keyed_of(ring, shell.sources()), gate.store).turn(shell.now)


def reported(shell: Shell, *words: str) -> dict[str, object]:
    found: dict[str, object] = shell.json("report", *words)["report"]
    return found


def test_before_anything_was_counted(shell: Shell) -> None:
    out = shell("report", "--at", "2027-01-14").output
    assert "not counted yet" in out
    assert "policy                    not kept" in out
    assert "two-step not required" in shell("report").output
    counts(shell)
    assert (
        "the first day on which the gate counted is 2027-01-15"
        in shell("report", "--at", "2027-01-14").output
    )


def test_a_day_that_is_over_stays_as_it_was(shell: Shell) -> None:
    shell.visits("bob", groups=("nurses",))
    counts(shell)
    shell.now += DAY
    shell.enrolls("alice")
    given = Exemption(reason="No phone", approved_by="root", given_at=shell.now, until=shell.now + DAY)
    shell.keep(replace(shell.account("bob"), exemption=given))
    now, then = reported(shell), reported(shell, "--at", "2027-01-15")
    assert (now["at"], now["day"], then["day"]) == (NOW + DAY, None, "2027-01-15")
    coverage = [each["snapshot"]["coverage"] for each in (now, then)]  # type: ignore[index]
    assert [(each["covered"], each["people"]) for each in coverage] == [
        (1, 3),
        (0, 2),
    ]  # with the administrator of the settings
    assert coverage[1]["groups"] == {"nurses": {"covered": 0, "people": 1}}
    out = shell("report").output
    assert "1 of 3 people, 33.3 %" in out
    assert "No phone" in out
    assert "No phone" not in shell("report", "--at", "2027-01-15").output


def test_what_is_no_day_or_to_come(shell: Shell) -> None:
    assert "2026-03-31" in shell("report", "--at", "yesterday", code=2).stderr
    assert "is to come: today is 2027-01-15" in shell("report", "--at", "2027-01-16", code=2).stderr
    assert ".html, .csv or .json" in shell("report", "--out", "report.pdf", code=2).stderr


@pytest.fixture
def files(shell: Shell) -> list[Path]:
    shell.visits("bob", groups=("=cmd",))
    counts(shell)
    shell.now += DAY
    counts(shell)
    paths = [shell.folder / f"report.{form}" for form in FORMS]
    shell("report", "--at", "2027-01-15", *(word for path in paths for word in ("--out", str(path))))
    return paths


def test_each_form_says_the_same_and_is_verified_by_the_public_key_alone(
    shell: Shell, files: list[Path]
) -> None:
    public = shell("keys", "show", "--public").stdout.strip()
    keys = shell.folder / "public"
    keys.write_text(public)
    for path in files:
        assert "as it was made" in shell("report", "verify", str(path)).output
        assert "Name a new file" in shell("report", "--out", str(path), code=1).stderr
    shell.settings.unlink()
    for path in files:
        for given in (public, str(keys)):
            assert "as it was made" in shell("report", "verify", str(path), "--public-key", given).output
    html, table, whole = files
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()[:-1]))
    assert {(row["section"], row["item"], row["value"], row["people"]) for row in rows} >= {
        ("coverage", "everybody", "0", "2"),
        ("group", "'=cmd", "0", "1"),
    }
    said = json.loads(whole.read_bytes())
    assert (said["report"]["snapshot"]["coverage"]["people"], len(said["signature"].split())) == (2, 2)
    text = html.read_text("utf-8")
    assert "0 of 2 people" in text
    assert "15 January 2027" in text
    assert "style=" not in text
    assert "<script" not in text


@pytest.mark.parametrize("form", FORMS)
def test_whatever_is_changed_in_a_file_is_noticed(shell: Shell, files: list[Path], form: str) -> None:
    path = files[FORMS.index(form)]
    whole = path.read_bytes()
    said, last = read(whole), whole.rfind(b"\n", 0, -1) + 1
    assert said is not None
    other = files[FORMS.index(form) - 1].read_bytes()
    theirs = other[other.rfind(b"\n", 0, -1) + 1 :]
    tampered = {
        "a number": whole.replace(b"1", b"2", 1),
        "a byte put in": whole[:20] + b" " + whole[20:],
        "an end cut off": whole[:-1],
        "a line behind": whole + b"\n",
        "its last line twice": whole + whole[last:],
        "its last line gone": whole[:last],
        "the last line of another form": whole[:last] + theirs,
        "the key's name": whole[:last] + whole[last:].replace(said.key.encode(), b"another"),
        "blanks at its end": whole[:-1] + b" \n",
        "nothing": b"",
    }
    for what, content in tampered.items():
        assert content != whole, what
        path.write_bytes(content)
        shell("report", "verify", str(path), code=1)
    path.write_bytes(whole)
    shell("report", "verify", str(path))


def test_a_report_of_another_gate_is_none_of_ours(shell: Shell, files: list[Path]) -> None:
    public = shell("keys", "show", "--public").stdout.split()
    stranger = f"{public[0]} {'A' * 43}="
    for path in files:
        assert "does not fit" in shell("report", "verify", str(path), "--public-key", stranger, code=1).output
