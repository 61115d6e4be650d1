"""What the gate does with its keys, kept true to the key file: sealing, signing, hashing, chaining; it decides nothing.

One for each process, and as long as it lives: an exchange of keys reaches stores, flows and pages that are in use.
"""

from collections.abc import Callable

from mfa_gate.core import grants
from mfa_gate.core.checkpoints import Signed, to_sign
from mfa_gate.core.grants import SignedGrant
from mfa_gate.factors.peppers import Peppers
from mfa_gate.keys import KeyRing, LiveKeys, PublicKey
from mfa_gate.keys.rotation import checkpoint_publics
from mfa_gate.keys.signatures import is_signed, public_of, sign
from mfa_gate.signing import SessionCookie, Signer
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.sealing import Sealer


class Keyed:
    """Everything that has a key. `random(n)` gives n unpredictable bytes."""

    def __init__(self, live: LiveKeys, random: Callable[[int], bytes]) -> None:
        self.live = live
        ring = live.ring
        self.sealer = Sealer(*_seals(ring), random, live.look_again)
        self.audit_keys = AuditKeys(*ring.signing_last("audit"))
        self.peppers = Peppers(*ring.signing_last("pepper"))
        cookie_keys = ring.signing_last("cookie")
        self.session = Signer("session", cookie_keys)
        self.pending = Signer("pending", cookie_keys)
        self.csrf = Signer("csrf", cookie_keys)
        self.roster = Signer("roster", cookie_keys)
        self._publics: dict[str, PublicKey] | None = None
        live.serve(self._renew)

    @classmethod
    def of(cls, keys: "KeyRing | Keyed", random: Callable[[int], bytes]) -> "Keyed":
        """Itself, or what a ring that stays as it is gives."""
        return keys if isinstance(keys, Keyed) else cls(LiveKeys.fixed(keys), random)

    def read_session(self, token: str, now: int, max_age: int) -> SessionCookie | None:
        """What a session cookie says; one that may be signed with a key which is not known here yet is read again."""
        found = self.session.read(token, SessionCookie, now, max_age)
        if found is None and self.live.look_again():
            found = self.session.read(token, SessionCookie, now, max_age)
        return found

    def sign_checkpoint(self, message: bytes) -> tuple[str, bytes]:
        """(key id, signature) of the key that signs checkpoints now."""
        key = self.live.ring.writing("checkpoint")
        return key.id, sign(key, message)

    def is_our_checkpoint(self, signed: Signed) -> bool:
        """True if a checkpoint is signed with a key of ours, retired ones included."""
        return self.is_ours(signed.key, to_sign(signed.body), signed.signature)

    def is_ours(self, key: str, message: bytes, signature: bytes) -> bool:
        """True if a key of ours that signs checkpoints and exports, of this id, signed this; retired ones included."""
        publics = self._publics
        if publics is None:
            publics = self._publics = checkpoint_publics(self.live.ring)
        public = publics.get(key)
        return public is not None and is_signed(message, signature, public)

    def sign_grant(self, message: bytes) -> tuple[str, bytes]:
        """(key id, signature) of the key that signs break-glass grants now."""
        key = self.live.ring.writing("break_glass")
        return key.id, sign(key, message)

    def is_our_grant(self, signed: SignedGrant) -> bool:
        """True if a grant is signed with a key of ours."""
        return any(
            key.id == signed.key and is_signed(grants.to_sign(signed.body), signed.signature, public_of(key))
            for key in self.live.ring.reading("break_glass")
        )

    def _renew(self, ring: KeyRing) -> None:
        self.sealer.renew(*_seals(ring))
        self.audit_keys.renew(*ring.signing_last("audit"))
        self.peppers.renew(*ring.signing_last("pepper"))
        for signer in (self.session, self.pending, self.csrf, self.roster):
            signer.renew(ring.signing_last("cookie"))
        self._publics = None


def _seals(ring: KeyRing) -> tuple[dict[str, bytes], str]:
    return {key.id: key.secret for key in ring.reading("seal")}, ring.writing("seal").id
