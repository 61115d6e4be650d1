"""What `audit verify` looks at, from a store or a file, with keys or with a public key; it changes nothing."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from mfa_gate.anchors import AnchorFile
from mfa_gate.anchors.archive import ArchiveFolder
from mfa_gate.cli.exports import opened_lines
from mfa_gate.cli.invocation import Invocation
from mfa_gate.cli.output import moment, plural
from mfa_gate.core.checkpoints import Anchor, Signed, to_sign
from mfa_gate.core.errors import RolledBack
from mfa_gate.flows.anchoring import judge
from mfa_gate.flows.archived import Signs, archived, end_of, not_intact, refuse_gap
from mfa_gate.flows.export_lines import NotAnExport, Reading
from mfa_gate.flows.trails import Item, Trail
from mfa_gate.flows.verifying import Verified, verify, verify_store
from mfa_gate.keyed import Keyed
from mfa_gate.keys import KeyRing, PublicKey
from mfa_gate.keys.signatures import is_signed, public_lines

if TYPE_CHECKING:
    from mfa_gate.ports import Stream
    from mfa_gate.stores.chains import Followed

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
    left_out: int
    unsigned: int
    newest_at: int
    anchor: str
    begins: int = 0
    """The checkpoint after which the trail of a store begins; what was before is archived."""
    archived: int | None = None
    """How many events of its archive match; None: no archive was looked at."""

    def told(self) -> Iterator[str]:
        """The answer in sentences, but for what is broken."""
        if self.whole and self.chains:
            yield "Every chain of the audit trail is whole."
        if self.checkpoints:
            until = f"until {moment(self.newest_at)} UTC"
            word = "match" if self.whole else "are right as far as they go:"
            yield f"{plural(self.checkpoints, 'checkpoint')} {word} {plural(self.signed, 'event')} {until}."
        if self.whole and self.archived is not None:
            yield f"Of the archive, {plural(self.archived, 'event')} match."
        if self.whole and self.begins and self.archived is None:
            yield (
                f"The trail of the store begins after checkpoint {self.begins}. What was before is archived, and was "
                "not looked at: the settings name no archive."
            )
        if self.whole and self.left_out:
            yield f"Not shown, but for their hashes: {plural(self.left_out, 'event')} that the filter left out."
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
    if file is None:
        return verifier.of_store(anchor)
    return verifier.of_archive(file, anchor) if file.is_dir() else verifier.of_file(file, anchor)


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
            is_ours = self._is_ours(keyed)
            checked = verify_store(
                store.stream,
                lambda signed: is_ours(signed.key, to_sign(signed.body), signed.signature),
                store.store_id,
                self._progress,
            )
            behind = None
            if known is not None:
                try:
                    judge(store.stream, known)
                except RolledBack as error:
                    behind = str(error)
            begins, archived = store.stream.beginning().number, None
            if broken is None and checked.broken is None and settings.audit.archive is not None:
                files, _ = self._of_archive(settings.audit.archive, store.store_id, keyed, store.stream)
                broken, archived = files.broken, files.signed
        found = _found(broken, checked, known, behind, chains=self._publics is None)
        return structs.replace(found, begins=begins, archived=archived)

    def of_archive(self, folder: Path, anchor: Path | None) -> Found:
        """What was archived of one store, all files as one trail."""
        keyed = self._keyed() if self._publics is None else None
        known = _known(anchor)
        stores = ArchiveFolder(folder).stores()
        if len(stores) != 1:
            told = f"segments of {len(stores)} stores" if stores else "no segment of a trail"
            raise NotAnExport(f'"{folder}" holds {told}. Name a folder with those of one store, or one file.')
        checked, behind = self._of_archive(folder, stores[0], keyed, None, known)
        return _found(None, checked, known, behind, chains=keyed is not None)

    def _of_archive(
        self,
        folder: Path,
        store_id: str,
        keyed: Keyed | None,
        stream: "Stream | None",
        known: Anchor | None = None,
    ) -> tuple[Verified, str | None]:
        """What is found in an archive, and whether it falls behind an anchor; `stream`: of the store it must fit."""
        archive, is_ours, looked = ArchiveFolder(folder), self._is_ours(keyed), _Looked(known)
        troubles: list[str] = []

        def check(reading: Reading) -> None:
            trouble = not_intact(reading, is_ours)
            if trouble is not None:
                troubles.append(f"In the file that begins after checkpoint {reading.begin.begins}: {trouble}")

        segments = archive.segments(store_id)
        if stream is None:
            end_of(segments)
        else:
            refuse_gap(segments, stream.beginning())
        trail = archived(archive, store_id, check)
        checked = verify(
            replace(trail, items=lambda: looked.through(trail.items())),
            lambda signed: is_ours(signed.key, to_sign(signed.body), signed.signature),
            store_id,
            self._progress,
            None if keyed is None else _chains(keyed, trail),
        )
        newest = checked.newest
        if checked.broken is not None:
            troubles.insert(0, f"In the archive: {checked.broken}")
        elif stream is not None and newest is not None:
            same = stream.checkpoint(newest.number)
            if same is None or same.hash != newest.hash:
                troubles.append(f"Checkpoint {newest.number} of the archive is not that of the store.")
        return structs.replace(checked, broken=troubles[0] if troubles else None), looked.behind(store_id)

    def of_file(self, file: Path, anchor: Path | None) -> Found:
        """An exported trail; with public keys alone, neither settings nor keys are needed."""
        keyed = self._keyed() if self._publics is None else None
        is_ours = self._is_ours(keyed)
        known = _known(anchor)
        with opened_lines(file) as source:
            export = Reading(source)
            looked = _Looked(known)
            checked = verify(
                replace(export.trail, items=lambda: looked.through(export.trail.items())),
                lambda signed: is_ours(signed.key, to_sign(signed.body), signed.signature),
                export.begin.store,
                self._progress,
                None if keyed is None else _chains(keyed, export.trail),
            )
            broken = checked.broken or not_intact(export, is_ours)
        return _found(broken, checked, known, looked.behind(export.begin.store), chains=keyed is not None)

    def _keyed(self) -> Keyed:
        ring = KeyRing.find(self._invocation.settings().keys.file, os.environ)
        return Keyed.of(ring, self._invocation.sources.random)

    def _is_ours(self, keyed: Keyed | None) -> Signs:
        return _signed_by(self._publics or {}) if self._publics or keyed is None else keyed.is_ours


def _found(
    broken: str | None, checked: Verified, known: Anchor | None, behind: str | None, *, chains: bool
) -> Found:
    broken = broken or checked.broken or behind
    newest = checked.newest
    return Found(
        whole=broken is None,
        broken=broken,
        chains=chains,
        checkpoints=checked.checkpoints,
        signed=checked.signed,
        left_out=checked.left_out,
        unsigned=checked.unsigned,
        newest_at=0 if newest is None else newest.read().at,
        anchor="not compared" if known is None else "knows more than this" if behind else "agrees",
    )


class _Looked:
    """Looks, while an export is verified, for the checkpoint that an anchor knows."""

    def __init__(self, known: Anchor | None) -> None:
        self._known = known
        self._is_there = False

    def through(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items."""
        known = self._known
        for item in items:
            if known is not None and isinstance(item, Signed) and item.number == known.number:
                self._is_there = item.hash == known.hash
            yield item

    def behind(self, store_id: str) -> str | None:
        """Why the export is not of the trail that the anchor knows, or of an older one."""
        known = self._known
        if known is None:
            return None
        if known.store != store_id:
            return f"The anchor knows the store {known.store}, and this is {store_id}."
        if known.number and not self._is_there:
            return f"The anchor knows checkpoint {known.number}, which is not in the export, or another."
        return None


def _chains(keyed: Keyed, trail: Trail) -> "Followed":
    from mfa_gate.stores.chains import Followed

    return Followed(keyed.audit_keys, whole=trail.chains_are_whole)


def _known(path: Path | None) -> Anchor | None:
    return None if path is None else AnchorFile(path).read()


def _publics(given: str) -> dict[str, PublicKey]:
    path = Path(given)
    return public_lines(path.read_text("utf-8") if "\n" not in given and path.is_file() else given)


def signing_keys(invocation: Invocation, public_key: str | None) -> Signs:
    """What tells a signature of this gate: by public keys, which need no settings, or by those of the gate."""
    if public_key is not None:
        return _signed_by(_publics(public_key))
    ring = KeyRing.find(invocation.settings().keys.file, os.environ)
    return Keyed.of(ring, invocation.sources.random).is_ours


def _signed_by(publics: dict[str, PublicKey]) -> Signs:
    def is_ours(key: str, message: bytes, signature: bytes) -> bool:
        public = publics.get(key)
        return public is not None and is_signed(message, signature, public)

    return is_ours
