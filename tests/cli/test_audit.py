"""`audit export` and `audit verify`: with the gate's keys, and by somebody who has only the public one."""

import gzip
import json
import shutil
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.background import background
from mfa_gate.core.accounts import account_id
from mfa_gate.flows.surveying import WHOLE
from mfa_gate.keyed import Keyed
from mfa_gate.keys import KeyRing
from mfa_gate.opening import checkpointer
from tests.cli.shell import REALM, Shell

PUBLIC = "a " + "A" * 43 + "="
BEGIN = '{"is": "export", "format": 2, "store": "a", "shards": ["0"]}'
HASHES = '{"is": "left_out", "shard": "0", "position": 1, "hashes": "AAAA"}'
ALICE = account_id(REALM, "alice")


def sign(shell: Shell) -> None:
    shell.now += 60
    with shell.gate() as gate:
        keyed = Keyed.of(KeyRing.load(shell.folder / "mfa-gate.keys"), lambda _: b"")
        assert checkpointer(gate.settings, keyed, gate.store, shell.sources()).tick(shell.now)


def run(shell: Shell, statement: str) -> None:
    with closing(sqlite3.connect(shell.folder / "store" / "mfa-gate.db", isolation_level=None)) as db:
        db.execute(statement)


@pytest.fixture
def signed(shell: Shell) -> Shell:
    """Three minutes in which something happened, each signed; the last event is not."""
    shell.visits("alice")
    sign(shell)
    shell.visits("bob")
    sign(shell)
    shell.enrolls("carol")
    sign(shell)
    shell.visits("dave")
    return shell


@pytest.fixture
def auditor(signed: Shell, tmp_path: Path) -> Shell:
    """Somebody elsewhere, who was given a public key and an export."""
    elsewhere = Shell(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    (elsewhere.folder / "public").write_text(signed("keys", "show", "--public").output)
    export(signed, elsewhere.folder / "trail")
    return elsewhere


def export(shell: Shell, path: Path, *words: str) -> None:
    shell("audit", "export", str(path), "--reason", "yearly audit", *words)


def verify(auditor: Shell, *words: str, code: int = 0) -> Any:  # noqa: ANN401
    file, public = str(auditor.folder / "trail"), str(auditor.folder / "public")
    return auditor.json("audit", "verify", file, "--public-key", public, *words, code=code)


def edit(auditor: Shell, change: Any) -> None:  # noqa: ANN401
    """`change` gets the lines of the export, and changes them."""
    path = auditor.folder / "trail"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def events_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if "record" in line]


class TestStore:
    def test_a_whole_trail_is_told_in_sentences(self, signed: Shell) -> None:
        said = signed("audit", "verify").output
        assert "Every chain of the audit trail is whole." in said
        assert "3 checkpoints match 8 events until" in said
        assert "Not signed yet: 1 event" in said
        assert "The anchor agrees." in said

    def test_before_the_first_minute_nothing_is_signed(self, shell: Shell) -> None:
        assert "Nothing is signed yet" in shell("audit", "verify").output

    def test_with_keys_the_event_is_named(self, signed: Shell) -> None:
        run(signed, "UPDATE audit SET record = record || ' ' WHERE position = 3")
        assert "position 3" in signed.json("audit", "verify", code=1)["break"]

    def test_with_a_public_key_the_interval_is(self, signed: Shell) -> None:
        public = signed("keys", "show", "--public").output.strip()
        assert signed.json("audit", "verify", "--public-key", public)["whole"]
        run(signed, f"UPDATE audit SET record = record || ' ' WHERE account = '{ALICE}'")
        answer = signed.json("audit", "verify", "--public-key", public, code=1)
        assert "Between the beginning and checkpoint 1" in answer["break"]
        assert answer["chains"] is False

    def test_an_end_cut_off_with_its_checkpoints_is_found_by_the_anchor(self, signed: Shell) -> None:
        """By somebody who has the keys to write heads and ledger as well; without them, the chains tell."""
        run(signed, "DELETE FROM checkpoint WHERE number = 3")
        answer = signed.json("audit", "verify", code=1)
        assert "Rollback detected" in answer["break"]
        assert answer["anchor"] == "knows more than this"
        assert "The anchor knows more than this." in signed("audit", "verify", code=1).stdout
        signed.edit('path = "anchor/mfa-gate.anchor"', "")
        assert "No anchor is compared" in signed("audit", "verify").output

    def test_another_anchor_can_be_named(self, signed: Shell, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        shutil.copy(signed.folder / "anchor" / "mfa-gate.anchor", kept)
        run(signed, "DELETE FROM checkpoint WHERE number = 3")
        signed.edit('path = "anchor/mfa-gate.anchor"', "")
        signed("audit", "verify", "--anchor", str(kept), code=1)


class TestList:
    def test_events_are_found_by_time(self, shell: Shell) -> None:
        begun = shell.now
        shell.visits("alice")
        shell.now += 86_400
        shell.visits("bob")
        day = f"{datetime.fromtimestamp(begun + 86_400, UTC):%Y-%m-%d}"
        assert [each["subject"] for each in shell.json("audit", "list", "--since", day)] == ["bob"]
        until = f"{datetime.fromtimestamp(begun + 1, UTC):%Y-%m-%dT%H:%M:%SZ}"
        assert "bob" not in [each["subject"] for each in shell.json("audit", "list", "--until", until)]
        assert "Write 2026-05-03" in shell("audit", "list", "--since", "soon", code=2).output


class TestExport:
    def test_it_is_for_nobody_else_and_written_over_nothing(self, auditor: Shell, signed: Shell) -> None:
        path = auditor.folder / "trail"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        again = ("audit", "export", str(path), "--reason", "yearly audit")
        assert "Name a new file" in signed(*again, code=1).output
        # Beginning, three checkpoints, nine events, and those of the exports before; and the end.
        new = str(path.with_name("again"))
        assert signed.json(*again[:2], new, *again[3:])["lines"] == 1 + 3 + 9 + 2 + 1

    def test_it_wants_a_reason_and_is_recorded_before_anything_is_written(self, signed: Shell) -> None:
        path = signed.folder / "trail"
        signed("audit", "export", str(path), code=2)
        signed("audit", "export", str(path), "--reason", " ", code=2)
        assert not path.exists()
        export(signed, path, "--user", "alice", "--kind", "account_seen")
        (recorded,) = signed.json("audit", "list", "--kind", "trail_exported")
        assert recorded["details"] == {
            "form": "jsonl",
            "account": ALICE,
            "kind": "account_seen",
            "reason": "yearly audit",
        }
        assert recorded["actor"]["surface"] == "shell"

    def test_it_goes_to_the_terminal(self, signed: Shell, auditor: Shell) -> None:
        lines = signed("audit", "export", "-", "--reason", "yearly audit").stdout.splitlines()
        assert lines[1:-2] == (auditor.folder / "trail").read_text().splitlines()[1:-1]

    def test_whoever_has_the_public_key_verifies_it(self, auditor: Shell) -> None:
        answer = verify(auditor)
        assert (answer["whole"], answer["checkpoints"], answer["signed"], answer["unsigned"]) == (
            True,
            3,
            8,
            2,
        )
        assert answer["anchor"] == "not compared"

    def test_it_can_be_compressed_and_piped_in(self, auditor: Shell) -> None:
        path = auditor.folder / "trail"
        path.write_bytes(gzip.compress(path.read_bytes()))
        assert verify(auditor)["whole"]
        path.write_bytes(path.read_bytes()[:-20])
        public = str(auditor.folder / "public")
        assert "is damaged" in auditor("audit", "verify", str(path), "--public-key", public, code=1).output

    def test_so_does_the_gate_itself(self, signed: Shell, auditor: Shell) -> None:
        assert signed.json("audit", "verify", str(auditor.folder / "trail"))["chains"]

    def test_j19_the_gate_names_the_event(self, signed: Shell, auditor: Shell) -> None:
        edit(auditor, lambda lines: events_of(lines)[2].update(record="{}"))
        event = events_of([json.loads(line) for line in (auditor.folder / "trail").read_text().splitlines()])[
            2
        ]
        answer = signed.json("audit", "verify", str(auditor.folder / "trail"), code=1)
        assert f"breaks at position {event['position']}" in answer["break"]

    def test_j19_that_it_is_not_the_newest_is_found_by_an_anchor(self, signed: Shell, auditor: Shell) -> None:
        anchor = str(signed.folder / "anchor" / "mfa-gate.anchor")
        assert verify(auditor, "--anchor", anchor)["anchor"] == "agrees"
        sign(signed)
        assert "knows checkpoint 4" in verify(auditor, "--anchor", anchor, code=1)["break"]

    @pytest.mark.parametrize("content", ["", "junk", "{}", BEGIN.replace("2", "3"), "[1]"])
    def test_another_file_is_none(self, auditor: Shell, content: str) -> None:
        (auditor.folder / "trail").write_text(content)
        assert (
            "export"
            in auditor(
                "audit",
                "verify",
                str(auditor.folder / "trail"),
                "--public-key",
                PUBLIC,
                code=1,
            ).output
        )

    @pytest.mark.parametrize("line", ["junk", '{"is": "event"}', HASHES, BEGIN, "[]"])
    def test_a_damaged_line_is_told(self, auditor: Shell, line: str) -> None:
        lines = (auditor.folder / "trail").read_text().splitlines(keepends=True)
        for damaged in ([*lines, line + "\n"], [*lines[:-1], line + "\n", lines[-1]]):
            (auditor.folder / "trail").write_text("".join(damaged))
            self.assert_damaged(auditor)

    def assert_damaged(self, auditor: Shell) -> None:
        file_, public = str(auditor.folder / "trail"), str(auditor.folder / "public")
        said = auditor("audit", "verify", file_, "--public-key", public, code=1).output
        assert "is damaged" in said

    def test_what_is_no_text_is_exported_as_it_is(self, signed: Shell, auditor: Shell) -> None:
        run(signed, "UPDATE audit SET record = CAST(x'ff00' AS TEXT) WHERE position = 3")
        export(signed, auditor.folder / "odd")
        answer = signed.json("audit", "verify", str(auditor.folder / "odd"), code=1)
        assert "position 3" in answer["break"]

    def test_a_public_key_that_is_none_is_refused(self, auditor: Shell) -> None:
        auditor("audit", "verify", str(auditor.folder / "trail"), "--public-key", "junk", code=1)


def test_after_an_exchange_everything_can_still_be_verified(signed: Shell, tmp_path: Path) -> None:
    for purpose in ("audit", "checkpoint"):
        for phase in ("--prepare", "--finish"):
            signed("keys", "rotate", phase, "--purpose", purpose, "--reason", "yearly")
    sign(signed)
    signed.now += 60
    old = KeyRing.load(signed.folder / "mfa-gate.keys").checkpoint[0].id
    signed("keys", "retire", old, "--reason", "yearly")
    sign(signed)
    assert signed.json("audit", "verify")["checkpoints"] == 5
    public = signed("keys", "show", "--public").output
    assert signed.json("audit", "verify", "--public-key", public)["whole"]
    assert (
        "not signed"
        in signed.json("audit", "verify", "--public-key", public.splitlines()[1], code=1)["break"]
    )


def test_the_daily_examination_keeps_when_the_trail_was_whole(signed: Shell) -> None:
    with signed.gate() as gate:
        ring = KeyRing.load(signed.folder / "mfa-gate.keys")

        def examined() -> int | None:
            signed.now += 86_400
            slow = background(gate.settings, ring, gate.store, signed.sources())[1]
            slow.turn(signed.now)
            slow.turn(signed.now + 600)
            return gate.store.last_runs().get(WHOLE)

        assert examined() == signed.now + 600
        whole_at = signed.now + 600
        run(signed, "UPDATE audit SET record = record || ' ' WHERE position = 3")
        assert examined() == whole_at
        assert gate.reporting.wholeness().tampered_at == signed.now + 600
