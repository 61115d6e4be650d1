"""Exports of what was chosen: they hold that and nothing else, and can be verified all the same."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.core.accounts import account_id
from tests.cli.shell import REALM, Shell
from tests.cli.test_audit import export, sign


@pytest.fixture
def years(shell: Shell) -> Shell:
    """Three days in which alice, bob and carol come, each day signed twice; the last hour is not."""
    for number in range(3):
        shell.visits("alice", name=f"Alice {number}")
        shell.visits("bob", name=f"Bob {number}")
        sign(shell)
        shell.enrolls("carol")
        sign(shell)
        shell.now += 86_400
    shell.visits("dave")
    return shell


def exported(
    shell: Shell, *words: str, code: int = 0
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """The lines, and what verifying them finds with the keys and without."""
    path = shell.folder / "part"
    path.unlink(missing_ok=True)
    export(shell, path, *words)
    return [json.loads(line) for line in path.read_text().splitlines()], *verified(shell, path, code)


def verified(shell: Shell, path: Path, code: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    public = shell("keys", "show", "--public").output.strip()
    return (
        shell.json("audit", "verify", str(path), code=code),
        shell.json("audit", "verify", str(path), "--public-key", public, code=code),
    )


def events(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(line["record"]) for line in lines if line["is"] == "event"]


def day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_by_person(years: Shell) -> None:
    lines, with_keys, without = exported(years, "--user", "carol")
    assert {event["account_id"] for event in events(lines)} == {account_id(REALM, "carol")}
    assert "bob" not in json.dumps(lines[1:])
    for answer in (with_keys, without):
        assert answer["whole"]
        assert answer["signed"] == len(events(lines))
        assert answer["left_out"] == 0


def test_by_kind(years: Shell) -> None:
    lines, with_keys, without = exported(years, "--kind", "factor_added")
    assert {event["kind"] for event in events(lines)} == {"factor_added"}
    assert with_keys["left_out"] > 0
    assert "that the filter left out" in years("audit", "verify", str(years.folder / "part")).output
    assert with_keys["whole"]
    assert without["whole"]


def test_by_time(years: Shell) -> None:
    begin, end = years.now - 86_400 - 200, years.now - 86_400 + 200
    lines, with_keys, without = exported(years, "--since", day(begin), "--until", day(end))
    assert events(lines)
    assert all(begin <= event["at"] < end for event in events(lines))
    numbers = [line["number"] for line in lines if line["is"] == "checkpoint"]
    assert numbers[0] > 1
    assert with_keys["whole"]
    assert without["whole"]


def test_by_all_three_and_by_what_there_is_not(years: Shell) -> None:
    lines, with_keys, _ = exported(years, "--user", "bob", "--kind", "account_seen", "--since", day(1))
    assert [event["kind"] for event in events(lines)] == ["account_seen"]
    assert with_keys["whole"]
    lines, with_keys, _ = exported(years, "--user", "zoe")
    assert [line["is"] for line in lines] == ["export", "end"]
    assert with_keys["whole"]


@pytest.mark.parametrize(
    "words", [("--user", "carol"), ("--kind", "verified"), ("--since", "2020-01-01"), ()]
)
def test_what_was_tampered_with_is_found(years: Shell, words: tuple[str, ...]) -> None:
    lines, *_ = exported(years, *words)
    path = years.folder / "part"
    shown = [number for number, line in enumerate(lines) if line["is"] == "event"]
    for changed in (
        [line for number, line in enumerate(lines) if number != shown[0]],
        [
            {**line, "record": line["record"] + " "} if number == shown[0] else line
            for number, line in enumerate(lines)
        ],
        [{**lines[0], "since": 5}, *lines[1:]],
    ):
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in changed))
        for answer in verified(years, path, code=1):
            assert not answer["whole"]


def test_a_table_has_no_formulas(shell: Shell) -> None:
    shell.visits("=cmd|' /C calc'!A0")
    path = shell.folder / "table.csv"
    export(shell, path, "--csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    seen = next(row for row in rows if row["event"] == "account_seen")
    assert seen["person"] == "'=cmd|' /C calc'!A0"
    assert seen["at"] == day(shell.now)
    assert rows[-1]["details"] == "form: csv; reason: yearly audit"
    assert "is no export" in shell("audit", "verify", str(path), code=1).output
