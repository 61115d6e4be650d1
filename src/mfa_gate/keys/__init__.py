"""The gate's own keys: what they are, where they are kept, how they are exchanged while everybody goes on."""

from mfa_gate.keys.live import LiveKeys
from mfa_gate.keys.ring import KEY_BYTES, VARIABLE, Key, KeyRing, PublicKey, Purpose

__all__ = ["KEY_BYTES", "VARIABLE", "Key", "KeyRing", "LiveKeys", "PublicKey", "Purpose"]
