"""A running process follows its key file, and is never left without keys."""

import os
from pathlib import Path

import pytest

from mfa_gate.core.errors import KeysError
from mfa_gate.files import replace_file
from mfa_gate.keys import KeyRing, LiveKeys
from mfa_gate.keys import files as key_files
from mfa_gate.keys.rotation import prepared
from tests.keys.test_ring import RING, TEXT
from tests.keys.test_rotation import drawn

NEWER = prepared(RING, ("seal", "cookie"), drawn, 0)[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    RING.write(tmp_path / "ring")
    return tmp_path / "ring"


def test_a_new_file_is_used_at_the_next_look(path: Path) -> None:
    live = LiveKeys(path, {})
    used: list[KeyRing] = []
    live.serve(used.append)
    assert not live.look()
    replace_file(path, NEWER.text())
    assert live.look()
    assert not live.look()
    assert live.ring == NEWER
    assert used == [RING, NEWER]


@pytest.mark.parametrize("fault", ["missing", "wide", "damaged", "another gate's"])
def test_j16_a_file_that_cannot_be_used_is_told_once_and_left_alone(
    path: Path, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    live = LiveKeys(path, {})
    match fault:
        case "missing":
            path.unlink()
        case "wide":
            path.chmod(0o644)
        case "damaged":
            replace_file(path, TEXT[:-5])
        case _:
            replace_file(path, KeyRing.generate(drawn).text())
    assert not live.look()
    assert not live.look()
    assert live.ring == RING
    assert len(caplog.messages) == 1
    assert "goes on with the keys it has" in caplog.text
    if fault == "wide":
        path.chmod(0o600)
    else:
        replace_file(path, NEWER.text())
        assert live.look()
        assert live.ring == NEWER


def test_whoever_meets_an_unknown_key_looks_at_most_once_a_second(path: Path) -> None:
    now = [10.0]
    live = LiveKeys(path, {}, lambda: now[0])
    assert not live.look_again()
    replace_file(path, NEWER.text())
    now[0] = 10.9
    assert not live.look_again()
    now[0] = 11.0
    assert live.look_again()


def test_keys_of_the_environment_stay(path: Path) -> None:
    live = LiveKeys(path, {"MFA_GATE_KEYS": TEXT.decode()})
    replace_file(path, NEWER.text())
    assert not live.look()
    assert live.ring == RING


def test_without_keys_there_is_no_gate(tmp_path: Path) -> None:
    with pytest.raises(KeysError):
        LiveKeys(tmp_path / "none", {})


class TestChange:
    def test_the_file_is_replaced_whole(self, path: Path) -> None:
        inode = path.stat().st_ino
        key_files.change(path, lambda _: NEWER.text())
        assert KeyRing.load(path) == NEWER
        assert path.stat().st_ino != inode
        assert path.stat().st_mode & 0o777 == 0o600
        assert not [each for each in path.parent.iterdir() if each.name.endswith(".new")]

    def test_nothing_is_written_where_nothing_changes(self, path: Path) -> None:
        inode = path.stat().st_ino
        key_files.change(path, lambda before: before)
        assert path.stat().st_ino == inode

    def test_a_full_disk_leaves_the_old_file(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(KeysError, match="No space left"):
            key_files.change(path, lambda _: NEWER.text())
        assert KeyRing.load(path) == RING
        assert not [each for each in path.parent.iterdir() if each.name.endswith(".new")]

    def test_it_keeps_its_owner(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        given: list[tuple[int, int]] = []
        monkeypatch.setattr(os, "fchown", lambda _handle, uid, gid: given.append((uid, gid)))
        replace_file(path, NEWER.text())
        assert given == []
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
        replace_file(path, NEWER.text())
        assert given == [(path.stat().st_uid, path.stat().st_gid)]

    def test_a_link_stays_a_link(self, path: Path) -> None:
        link = path.with_name("link")
        link.symlink_to(path)
        key_files.change(link, lambda _: NEWER.text())
        assert link.is_symlink()
        assert KeyRing.load(path) == NEWER
