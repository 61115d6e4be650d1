"""An export that somebody tampered with by hand, in every way there is: each is found, with and without keys (J19)."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _pytest.tmpdir import TempPathFactory

from tests.cli.shell import Shell
from tests.cli.test_audit import export, sign

Line = dict[str, Any]
Change = Callable[[list[Line]], object]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: TempPathFactory) -> Shell:
    """Three minutes, each signed, in each of which alice and bob came; then a reset that is not signed yet."""
    shell = Shell(tmp_path_factory.mktemp("gate"))
    shell("init", "--public-url", "http://localhost:8000", "--source", "flask_session", "--admin", "root")
    for number in range(3):
        for name in ("alice", "bob"):
            shell.visits(name, name=f"{name} {number}")
        sign(shell)
    shell.visits("carol")
    (shell.folder / "public").write_text(shell("keys", "show", "--public").output)
    (shell.folder / "older").write_bytes((shell.folder / "anchor" / "mfa-gate.anchor").read_bytes())
    export(shell, shell.folder / "trail")
    return shell


def found(gate: Shell, path: Path, code: int) -> tuple[str, str]:
    """What is found with the keys, and with the public key alone."""
    public = str(gate.folder / "public")
    return (
        gate("audit", "verify", str(path), code=code).output,
        gate("audit", "verify", str(path), "--public-key", public, code=code).output,
    )


def events(lines: list[Line]) -> list[int]:
    return [number for number, line in enumerate(lines) if line["is"] == "event"]


def checkpoints(lines: list[Line]) -> list[int]:
    return [number for number, line in enumerate(lines) if line["is"] == "checkpoint"]


def second(lines: list[Line]) -> list[int]:
    """Where the events of the second minute stand: alice's, then bob's."""
    begin, end = checkpoints(lines)[:2]
    return [number for number in events(lines) if begin < number < end]


def swap(lines: list[Line], two: list[int], *names: str) -> None:
    one, other = two
    for name in names:
        lines[one][name], lines[other][name] = lines[other][name], lines[one][name]


def cut(lines: list[Line], begin: int, end: int) -> None:
    del lines[begin:end]


def rewrite(lines: list[Line], number: int, before: str, after: str) -> None:
    assert before in lines[number]["record"]
    lines[number]["record"] = lines[number]["record"].replace(before, after)


def hide(lines: list[Line]) -> None:
    lines[0]["kind"] = "reset"
    cut(lines, checkpoints(lines)[0] + 1, checkpoints(lines)[1])


BETWEEN = "Between checkpoint 1 .* and checkpoint 2 "
TAMPERED: dict[str, tuple[Change, str, str]] = {
    # what was done, what is found with the keys, what with the public key alone
    "an event edited": (
        lambda lines: rewrite(lines, second(lines)[0], "alice", "mallo"),
        "breaks at position",
        BETWEEN,
    ),
    "an event dated back": (
        lambda lines: rewrite(lines, second(lines)[1], '"at":18', '"at":17'),
        "breaks at position",
        BETWEEN,
    ),
    "an event given to somebody else": (
        lambda lines: lines[second(lines)[0]].update(account="0" * 32),
        "breaks at position",
        BETWEEN,
    ),
    "an event removed": (lambda lines: lines.pop(second(lines)[0]), "breaks at position", "1 fewer"),
    "an event put in": (
        lambda lines: lines.insert(second(lines)[1], {**lines[second(lines)[0]], "record": "{}"}),
        "breaks at position",
        "1 more",
    ),
    "an event twice": (
        lambda lines: lines.insert(second(lines)[1], dict(lines[second(lines)[0]])),
        "breaks at position",
        "1 more",
    ),
    "two events of two minutes in another order": (
        lambda lines: swap(lines, [events(lines)[-3], second(lines)[1]], "position", "record", "link"),
        "breaks at position",
        BETWEEN,
    ),
    "two events of one minute in another order": (
        lambda lines: swap(lines, second(lines), "account", "record", "link"),
        BETWEEN,
        BETWEEN,
    ),
    "the accounts of two events exchanged": (
        lambda lines: swap(lines, second(lines), "account"),
        "breaks at position",
        BETWEEN,
    ),
    "the beginning cut off": (
        lambda lines: lines.pop(events(lines)[0]),
        "breaks at position",
        "Between the beginning and checkpoint 1 .* 1 fewer",
    ),
    "the first minute cut off, checkpoint included": (
        lambda lines: cut(lines, 1, checkpoints(lines)[0] + 1),
        "breaks at position",
        "Checkpoint 2 stands where 1 should be",
    ),
    "the end cut off": (
        lambda lines: cut(lines, checkpoints(lines)[-1] + 1, len(lines)),
        "has no end: it was cut off",
        "has no end: it was cut off",
    ),
    "an event at the end removed that nothing signs yet": (
        lambda lines: lines.pop(events(lines)[-2]),
        "not as it was written",
        "not as it was written",
    ),
    "a checkpoint edited": (
        lambda lines: lines[checkpoints(lines)[1]].update(body=lines[checkpoints(lines)[0]]["body"]),
        "Checkpoint 2 is damaged",
        "Checkpoint 2 is damaged",
    ),
    "a checkpoint signed by somebody else": (
        lambda lines: lines[checkpoints(lines)[1]].update(signature="A" * 86 + "=="),
        "Checkpoint 2 is not signed",
        "Checkpoint 2 is not signed",
    ),
    "a checkpoint removed": (
        lambda lines: lines.pop(checkpoints(lines)[1]),
        "Checkpoint 3 stands where 2 should be",
        "Checkpoint 3 stands where 2 should be",
    ),
    "another store's name": (
        lambda lines: lines[0].update(store="another"),
        "Checkpoint 1 is of the store",
        "Checkpoint 1 is of the store",
    ),
    "called a part": (
        lambda lines: lines[0].update(kind="reset"),
        "not as it was written",
        "not as it was written",
    ),
    "a part, without the minute that matters": (
        hide,
        "not as it was written",
        "not as it was written",
    ),
    "events shown as hashes": (
        lambda lines: lines.__setitem__(
            second(lines)[0], {"is": "left_out", "shard": "0", "position": 6, "hashes": "A" * 43 + "="}
        ),
        BETWEEN,
        BETWEEN,
    ),
    "signed anew by somebody else": (
        lambda lines: lines[-1].update(key="c9"),
        "not signed with a key of this gate",
        "not signed with a key of this gate",
    ),
}


def test_one_that_nobody_touched_is_whole(gate: Shell) -> None:
    with_keys, without = found(gate, gate.folder / "trail", 0)
    assert "Every chain of the audit trail is whole." in with_keys
    for said in (with_keys, without):
        assert "3 checkpoints match" in said


@pytest.mark.parametrize("how", TAMPERED)
def test_j19_what_was_done_to_an_export_is_found(gate: Shell, how: str, tmp_path: Path) -> None:
    change, told_with_keys, told = TAMPERED[how]
    lines = [json.loads(line) for line in (gate.folder / "trail").read_text().splitlines()]
    change(lines)
    path = tmp_path / "trail"
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    with_keys, without = found(gate, path, 1)
    assert re.search(told_with_keys, with_keys), with_keys
    assert re.search(told, without), without


def test_j19_an_older_export_is_found_by_an_anchor(gate: Shell, tmp_path: Path) -> None:
    sign(gate)
    export(gate, tmp_path / "newer")
    for name, anchor, code in (
        ("trail", "anchor/mfa-gate.anchor", 1),
        ("trail", "older", 0),
    ):
        gate("audit", "verify", str(gate.folder / name), "--anchor", str(gate.folder / anchor), code=code)
    gate("audit", "verify", str(tmp_path / "newer"), "--anchor", str(gate.folder / "anchor/mfa-gate.anchor"))
