"""Keys of their own for every purpose, in a file that nobody else can read."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from mfa_gate.core.errors import KeysError
from mfa_gate.keys import Key, KeyRing, Purpose

PURPOSES: tuple[Purpose, ...] = ("seal", "cookie", "pepper", "audit", "checkpoint", "break_glass")


def draw() -> Callable[[int], bytes]:
    """Bytes that never come twice, and are the same in every run."""
    block = iter(range(10_000))

    def random(count: int) -> bytes:
        start = next(block)
        return bytes((start * 31 + n * 7 + (start >> 8)) % 256 for n in range(count))

    return random


RING = KeyRing.generate(draw())
TEXT = msgspec.json.encode(RING)


def text(change: Callable[[dict[str, list[dict[str, str]]]], object]) -> bytes:
    data = msgspec.json.decode(TEXT)
    change(data)
    return msgspec.json.encode(data)


def standbys(*places: int) -> bytes:
    keys = (*RING.seal, *(Key(id=str(n), secret=bytes(range(n, n + 32))) for n in (1, 2)))
    changed = tuple(replace(key, standby=at in places) for at, key in enumerate(keys))
    return replace(RING, seal=changed).text()


def key_file(tmp_path: Path, content: bytes = TEXT, mode: int = 0o600) -> Path:
    path = tmp_path / "ring"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_every_purpose_gets_one_key_of_its_own() -> None:
    keys = [RING.reading(purpose) for purpose in PURPOSES]
    assert [len(found) for found in keys] == [1, 1, 1, 1, 1, 1]
    assert len({found[0].secret for found in keys}) == 6
    assert all(len(found[0].secret) == 32 for found in keys)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    old_umask = os.umask(0o777)
    try:
        RING.write(path)
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing.load(path) == RING


def test_an_older_key_stays_before_the_newer() -> None:
    newer = Key(id="newer", secret=bytes(range(32)))
    ring = replace(RING, cookie=(*RING.cookie, newer))
    assert KeyRing.parse(msgspec.json.encode(ring), "ring").cookie == (RING.cookie[0], newer)


def test_a_key_on_standby_reads_and_does_not_write() -> None:
    newer = Key(id="newer", secret=bytes(range(32)), standby=True)
    ring = KeyRing.parse(replace(RING, cookie=(*RING.cookie, newer)).text(), "ring")
    assert ring.reading("cookie") == (RING.cookie[0], newer)
    assert ring.writing("cookie") == RING.cookie[0]
    assert ring.signing_last("cookie") == [newer.secret, RING.cookie[0].secret]


def test_no_key_file_is_ever_written_over(tmp_path: Path) -> None:
    path = key_file(tmp_path, b"precious")
    with pytest.raises(KeysError, match="is there already"):
        RING.write(path)
    assert path.read_bytes() == b"precious"


def test_nor_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeysError, match="is there already"):
        RING.write(tmp_path / "ring")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="Make its folder"):
        RING.write(tmp_path / "none" / "ring")


def test_a_write_that_fails_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeysError, match="No space left"):
        RING.write(tmp_path / "ring")
    assert not list(tmp_path.iterdir())


class TestFile:
    @pytest.mark.parametrize("mode", [0o600, 0o400])
    def test_the_owner_alone_may_read_it(self, tmp_path: Path, mode: int) -> None:
        assert KeyRing.load(key_file(tmp_path, mode=mode)) == RING

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o644, 0o777])
    def test_j16_a_wider_mode_refuses_to_start(self, tmp_path: Path, mode: int) -> None:
        with pytest.raises(KeysError, match=rf"has mode {mode:04o}.*chmod 600"):
            KeyRing.load(key_file(tmp_path, mode=mode))

    def test_j16_so_does_another_owner(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = key_file(tmp_path)
        if os.geteuid() == 0:
            os.chown(path, 12_345, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: 12_345)
        with pytest.raises(KeysError, match=r"belongs to user .*chown"):
            KeyRing.load(path)

    def test_j16_so_does_a_missing_one(self, tmp_path: Path) -> None:
        with pytest.raises(KeysError, match="there is no key file"):
            KeyRing.load(tmp_path / "ring")

    def test_a_link_to_a_sound_file_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(key_file(tmp_path))
        assert KeyRing.load(tmp_path / "link") == RING

    def test_a_link_to_a_wide_file_is_not(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(key_file(tmp_path, mode=0o644))
        with pytest.raises(KeysError, match="has mode 0644"):
            KeyRing.load(tmp_path / "link")

    def test_a_folder_or_a_pipe_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe", 0o600)
        for path in (tmp_path, tmp_path / "pipe"):
            with pytest.raises(KeysError, match="is not a file"):
                KeyRing.load(path)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (TEXT[:-5], "is not JSON"),
        (b"[]", "Expected `object`"),
        (text(lambda data: data.pop("seal")), "missing required field `seal`"),
        (text(lambda data: data.update(seal=[])), "no key for seal"),
        (text(lambda data: data.update(sael=[])), "unknown field `sael`"),
        (text(lambda data: data["seal"].append(data["seal"][0])), "not unique"),
        (text(lambda data: data["seal"][0].update(id="A B")), "not unique names"),
        (text(lambda data: data["seal"][0].update(secret="AAAA")), "is not 32 random bytes"),
        (text(lambda data: data["seal"][0].update(secret="A" * 43 + "=")), "is not 32 random bytes"),
        (text(lambda data: data["seal"][0].update(secret="%%%")), "Invalid base64"),
        (text(lambda data: data.update(seal=[data["cookie"][0] | {"id": "x"}])), "stands there twice"),
        (standbys(0), "on standby"),
        (standbys(1, 2), "on standby"),
        (
            text(
                lambda data: data.update(
                    past_checkpoint=[{"id": data["checkpoint"][0]["id"], "public": "AAAA"}]
                )
            ),
            "not unique",
        ),
    ],
    ids=[
        "empty",
        "no text",
        "cut off",
        "no table",
        "no seal",
        "seal without keys",
        "unknown purpose",
        "id twice",
        "odd id",
        "short key",
        "zero key",
        "no base64",
        "one key for two purposes",
        "nothing writes",
        "two on standby",
        "id of a retired key",
    ],
)
def test_j16_a_damaged_ring_refuses_to_start_and_shows_no_key(damaged: bytes, said: str) -> None:
    with pytest.raises(KeysError, match=r"^the ring") as caught:
        KeyRing.parse(damaged, "the ring")
    assert said in str(caught.value)
    assert not any(
        key["secret"] in str(caught.value) for keys in msgspec.json.decode(TEXT).values() for key in keys
    )


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(RING)
    assert str(RING.seal[0].secret) not in repr(RING)


class TestFind:
    def test_the_environment_goes_before_the_file(self, tmp_path: Path) -> None:
        assert KeyRing.find(tmp_path / "none", {"MFA_GATE_KEYS": TEXT.decode()}) == RING

    def test_the_file_is_next(self, tmp_path: Path) -> None:
        assert KeyRing.find(key_file(tmp_path), {}) == RING

    def test_without_either_there_are_no_keys(self) -> None:
        with pytest.raises(KeysError, match=r"\[keys\] file"):
            KeyRing.find(None, {})

    def test_a_damaged_environment_does_not_fall_back(self, tmp_path: Path) -> None:
        with pytest.raises(KeysError, match="environment variable MFA_GATE_KEYS"):
            KeyRing.find(key_file(tmp_path), {"MFA_GATE_KEYS": "{"})
