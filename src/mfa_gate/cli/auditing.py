"""What `audit verify` looks at, from a store or a file, with keys or with a public key; it changes nothing."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mfa_gate.anchors import AnchorFile
from mfa_gate.cli.exports import Export
from mfa_gate.cli.invocation import Invocation
from mfa_gate.cli.output import moment, plural
from mfa_gate.core.checkpoints import Anchor, Signed, to_sign
from mfa_gate.core.errors import RolledBack
from mfa_gate.flows.anchoring import IsOurs, judge
from mfa_gate.flows.verifying import Trail, Verified, live, verify
from mfa_gate.keyed import Keyed
from mfa_gate.keys import KeyRing, PublicKey
from mfa_gate.keys.signatures import is_signed, public_lines

if TYPE_CHECKING:
    from mfa_gate.stores.audit_keys import AuditKeys

Progress = Callable[[int], None]

NO_ANCHOR = (
    "No anchor is compared: a store that was put back whole from an older copy, or a trail whose end was cut off "
    "together with its checkpoints, is not found by this."
)


class Found(msgspec.Struct, frozen=True, kw_only=True, rename={"broken": "break"}):
    """The answer. `chains` tells whether single events could be judged, which takes the gate's keys."""

    whole: bool
    broken: str | None
    chains: bool
    checkpoints: int
    signed: int
    unsigned: int
    newest_at: int
    anchor: str

    def told(self) -> Iterator[str]:
        """The answer in sentences, but for what is broken."""
        if self.whole and self.chains:
            yield "Every chain of the audit trail is whole."
        if self.checkpoints:
            until = f"until {moment(self.newest_at)} UTC"
            word = "match" if self.whole else "are right as far as they go:"
            yield f"{plural(self.checkpoints, 'checkpoint')} {word} {plural(self.signed, 'event')} {until}."
        if self.whole and self.unsigned:
            yield f"Not signed yet: {plural(self.unsigned, 'event')} that came later."
        if not self.checkpoints:
            yield "Nothing is signed yet: there is no checkpoint."
        yield NO_ANCHOR if self.anchor == "not compared" else f"The anchor {self.anchor}."


def verified(
    invocation: Invocation, file: Path | None, public_key: str | None, anchor: Path | None, progress: Progress
) -> Found:
    """Verify a trail. Raises `MfaGateError` if it cannot be read."""
    verifier = _Verifier(invocation, None if public_key is None else _publics(public_key), progress)
    return verifier.of_store(anchor) if file is None else verifier.of_file(Export(file), anchor)


class _Verifier:
    """Verifies with the gate's keys, or with public keys alone."""

    def __init__(
        self, invocation: Invocation, publics: dict[str, PublicKey] | None, progress: Progress
    ) -> None:
        self._invocation = invocation
        self._publics = publics
        self._progress = progress

    def of_store(self, anchor: Path | None) -> Found:
        """The trail in the store that the settings name; not refused for having fallen behind, but told so."""
        from mfa_gate.opening import open_unjudged

        settings = self._invocation.settings()
        known = _known(anchor or settings.anchor.path)
        keyed = self._keyed()
        with closing(open_unjudged(settings, keyed, self._invocation.sources)) as store:
            broken = None if self._publics is not None else store.broken_chain()
            checked = verify(live(store.stream), self._is_ours(keyed), store.store_id, self._progress)
            behind = None
            if known is not None:
                try:
                    judge(store.stream, known)
                except RolledBack as error:
                    behind = str(error)
        return _found(broken, checked, known, behind, chains=self._publics is None)

    def of_file(self, export: Export, anchor: Path | None) -> Found:
        """An exported trail; with public keys alone, neither settings nor keys are needed."""
        keyed = self._keyed() if self._publics is None else None
        broken = None if keyed is None else _broken_chain(export.trail, keyed.audit_keys)
        known = _known(anchor)
        checked = verify(export.trail, self._is_ours(keyed), export.store_id, self._progress)
        return _found(broken, checked, known, _behind(export, known), chains=keyed is not None)

    def _keyed(self) -> Keyed:
        ring = KeyRing.find(self._invocation.settings().keys.file, os.environ)
        return Keyed.of(ring, self._invocation.sources.random)

    def _is_ours(self, keyed: Keyed | None) -> IsOurs:
        return _signed_by(self._publics or {}) if self._publics or keyed is None else keyed.is_our_checkpoint


def _found(
    broken: str | None, checked: Verified, known: Anchor | None, behind: str | None, *, chains: bool
) -> Found:
    broken = broken or checked.broken or behind
    newest = checked.newest
    return Found(
        whole=broken is None,
        broken=broken,
        chains=chains,
        checkpoints=0 if newest is None else newest.number,
        signed=checked.signed,
        unsigned=checked.unsigned,
        newest_at=0 if newest is None else newest.read().at,
        anchor="not compared" if known is None else "knows more than this" if behind else "agrees",
    )


def _broken_chain(trail: Trail, keys: "AuditKeys") -> str | None:
    """The first event that does not follow the one before it in its chain.

    An export has no heads: that a chain ends too early, only the checkpoints tell.
    """
    ends: dict[str, tuple[bytes, bytes]] = {}
    for shard in trail.shards:
        for entry in trail.entries(shard):
            previous, likely = ends.get(entry.account_id, (b"", None))
            key = keys.maker_of(previous, entry.record, entry.link, likely)
            if key is None:
                return (
                    f"The chain of {entry.account_id} breaks at position {entry.position} (shard {shard}): this event "
                    "was edited, or one before it was edited, put in, taken out or moved."
                )
            ends[entry.account_id] = (entry.link, key)
    return None


def _behind(export: Export, known: Anchor | None) -> str | None:
    if known is None:
        return None
    if known.store != export.store_id:
        return f"The anchor knows the store {known.store}, and this is {export.store_id}."
    at_anchor = next((each for each in export.trail.checkpoints() if each.number == known.number), None)
    if known.number and (at_anchor is None or at_anchor.hash != known.hash):
        return f"The anchor knows checkpoint {known.number}, which is not in the export, or another."
    return None


def _known(path: Path | None) -> Anchor | None:
    return None if path is None else AnchorFile(path).read()


def _publics(given: str) -> dict[str, PublicKey]:
    path = Path(given)
    return public_lines(path.read_text("utf-8") if "\n" not in given and path.is_file() else given)


def _signed_by(publics: dict[str, PublicKey]) -> IsOurs:
    def is_ours(signed: Signed) -> bool:
        public = publics.get(signed.key)
        return public is not None and is_signed(to_sign(signed.body), signed.signature, public)

    return is_ours
