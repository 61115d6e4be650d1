"""Decides what a ring becomes when a key is exchanged; it writes nothing and asks no store.

Two phases, so that nobody is signed out: first every process learns to read the new key, then all begin to write with
it. Between them must lie the time in which the slowest process notices a new key file.
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from mfa_gate.core.errors import KeysError
from mfa_gate.keys.ring import PURPOSES, Key, KeyRing, PublicKey, Purpose, new_key
from mfa_gate.keys.signatures import public_of


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """One purpose whose key is exchanged."""

    purpose: Purpose
    old: str
    new: str


def prepared(
    ring: KeyRing, purposes: Sequence[Purpose], random: Callable[[int], bytes], now: int
) -> tuple[KeyRing, tuple[Rotated, ...]]:
    """Phase one: each purpose has a new key that only reads. One that has it already keeps it."""
    done = []
    for purpose in purposes:
        keys = ring.reading(purpose)
        if not keys[-1].standby:
            keys = (*keys, replace(new_key(random, now), standby=True))
            ring = _with(ring, purpose, keys)
        done.append(Rotated(purpose=purpose, old=ring.writing(purpose).id, new=keys[-1].id))
    return ring, tuple(done)


def finished(ring: KeyRing, purposes: Sequence[Purpose], now: int) -> tuple[KeyRing, tuple[Rotated, ...]]:
    """Phase two: what was on standby writes from now on, and the key before it only reads."""
    done = []
    for purpose in purposes:
        keys = ring.reading(purpose)
        if not keys[-1].standby:
            continue
        old = ring.writing(purpose)
        done.append(Rotated(purpose=purpose, old=old.id, new=keys[-1].id))
        given_way = tuple(replace(key, stopped_at=now) if key is old else key for key in keys[:-1])
        ring = _with(ring, purpose, (*given_way, replace(keys[-1], standby=False)))
    return ring, tuple(done)


def retired(ring: KeyRing, key_id: str) -> tuple[KeyRing, Purpose]:
    """The ring without one key. Raises `KeysError`: there is none of this id, or it writes.

    Of a key that signed checkpoints its public half stays, so that they can be verified as long as they are kept.
    """
    purpose, key = found(ring, key_id)
    if key is ring.writing(purpose):
        raise KeysError(
            f"{purpose} key {key_id} is in use. Run `mfa-gate keys rotate --purpose {purpose}` first."
        )
    ring = _with(ring, purpose, tuple(each for each in ring.reading(purpose) if each is not key))
    if purpose == "checkpoint" and not key.standby:
        ring = replace(ring, past_checkpoint=(*ring.past_checkpoint, public_of(key)))
    return ring, purpose


def found(ring: KeyRing, key_id: str) -> tuple[Purpose, Key]:
    """The key of this id and what it is for. Raises `KeysError`."""
    for purpose in PURPOSES:
        for key in ring.reading(purpose):
            if key.id == key_id:
                return purpose, key
    raise KeysError(f'there is no key "{key_id}". `mfa-gate keys show` lists them.')


def checkpoint_publics(ring: KeyRing) -> dict[str, PublicKey]:
    """What shows, by key id, that a checkpoint is ours; of retired keys, too."""
    publics = [*ring.past_checkpoint, *(public_of(key) for key in ring.checkpoint)]
    return {public.id: public for public in publics}


def _with(ring: KeyRing, purpose: Purpose, keys: tuple[Key, ...]) -> KeyRing:
    return replace(ring, **{purpose: keys})
