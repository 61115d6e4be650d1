"""A key is exchanged in two phases; what is signed with it can be shown to others."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.errors import KeysError
from mfa_gate.keys import Key, KeyRing, PublicKey, Purpose
from mfa_gate.keys.ring import PURPOSES
from mfa_gate.keys.rotation import Rotated, checkpoint_publics, finished, found, prepared, retired
from mfa_gate.keys.signatures import is_signed, public_line, public_lines, public_of, sign
from tests.keys.test_ring import RING, draw

NOW = 1_800_000_000
FRESH = draw()


def drawn(count: int) -> bytes:
    return bytes(255 - each for each in FRESH(count))


def rotated(ring: KeyRing, *purposes: Purpose) -> KeyRing:
    return finished(prepared(ring, purposes, drawn, NOW)[0], purposes, NOW + 5)[0]


@pytest.mark.parametrize("purpose", PURPOSES)
class TestPhases:
    def test_at_first_the_new_key_only_reads(self, purpose: Purpose) -> None:
        ring, done = prepared(RING, (purpose,), drawn, NOW)
        old, new = ring.reading(purpose)
        assert done == (Rotated(purpose=purpose, old=old.id, new=new.id),)
        assert ring.writing(purpose) == old == RING.writing(purpose)
        assert KeyRing.parse(ring.text(), "ring") == ring

    def test_then_it_writes_and_the_old_one_reads(self, purpose: Purpose) -> None:
        ring = rotated(RING, purpose)
        old, new = ring.reading(purpose)
        assert ring.writing(purpose) == new
        assert old == replace(RING.writing(purpose), stopped_at=NOW + 5)
        assert KeyRing.parse(ring.text(), "ring") == ring

    def test_a_second_first_phase_changes_nothing(self, purpose: Purpose) -> None:
        ring, done = prepared(RING, (purpose,), drawn, NOW)
        assert prepared(ring, (purpose,), drawn, NOW + 1) == (ring, done)

    def test_a_second_phase_without_a_first_does_nothing(self, purpose: Purpose) -> None:
        assert finished(RING, (purpose,), NOW) == (RING, ())

    def test_the_key_that_writes_is_not_retired(self, purpose: Purpose) -> None:
        for ring in (RING, prepared(RING, (purpose,), drawn, NOW)[0], rotated(RING, purpose)):
            with pytest.raises(KeysError, match=f"is in use.*--purpose {purpose}"):
                retired(ring, ring.writing(purpose).id)

    def test_another_is(self, purpose: Purpose) -> None:
        ring = rotated(RING, purpose)
        after, of = retired(ring, ring.reading(purpose)[0].id)
        assert of == purpose
        assert after.reading(purpose) == (ring.writing(purpose),)


def test_one_purpose_at_a_time_leaves_the_others() -> None:
    ring = rotated(RING, "seal", "cookie")
    assert [len(ring.reading(purpose)) for purpose in PURPOSES] == [2, 2, 1, 1, 1, 1]


def test_a_key_that_is_not_there_is_named() -> None:
    with pytest.raises(KeysError, match='no key "other"'):
        found(RING, "other")


class TestSignatures:
    KEY = RING.writing("checkpoint")

    def test_only_the_key_signs_and_only_this_message(self) -> None:
        public = public_of(self.KEY)
        signature = sign(self.KEY, b"message")
        assert is_signed(b"message", signature, public)
        assert not is_signed(b"messagf", signature, public)
        assert not is_signed(b"message", signature[:-1], public)
        assert not is_signed(b"message", bytes(64), public)
        assert not is_signed(b"message", signature, public_of(RING.writing("break_glass")))
        assert not is_signed(b"message", signature, PublicKey(id="x", public=b"short"))

    def test_it_is_the_ed25519_of_rfc_8032(self) -> None:
        seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        key = Key(id="rfc", secret=seed)
        public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        assert public_of(key).public.hex() == public
        assert (
            sign(key, b"")
            .hex()
            .startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
        )

    def test_lines_lead_back_to_the_key(self) -> None:
        one, two = public_of(self.KEY), public_of(RING.writing("break_glass"))
        assert public_lines(f"{public_line(one)}\n\n {public_line(two)} \n") == {one.id: one, two.id: two}

    @pytest.mark.parametrize("line", ["id", "id %%%", "id AAAA", "-----BEGIN PUBLIC KEY-----"])
    def test_other_lines_are_refused(self, line: str) -> None:
        with pytest.raises(KeysError, match="keys show --public"):
            public_lines(line)

    def test_a_retired_key_still_shows_that_a_checkpoint_is_ours(self) -> None:
        ring = rotated(RING, "checkpoint")
        old = ring.checkpoint[0]
        after, _ = retired(ring, old.id)
        assert after.past_checkpoint == (public_of(old),)
        assert checkpoint_publics(after) == checkpoint_publics(ring)
        assert old.secret not in after.text()

    def test_one_that_never_signed_leaves_nothing(self) -> None:
        ring, _ = prepared(RING, ("checkpoint",), drawn, NOW)
        assert retired(ring, ring.checkpoint[-1].id)[0] == RING


def test_the_program_is_not_slowed_by_what_signs(tmp_path: Path) -> None:
    code = "import sys, mfa_gate.keys; assert not any('cryptography' in name for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
