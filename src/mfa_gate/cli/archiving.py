"""What `audit archive` does and says; what may leave the store is not its to decide."""

import os
from collections.abc import Iterator

import click
import msgspec

from mfa_gate.cli.invocation import Invocation, Opened, os_user
from mfa_gate.cli.output import plural
from mfa_gate.flows.acting import shell
from mfa_gate.flows.archived import Inspected
from mfa_gate.flows.archiving import Archiving
from mfa_gate.flows.shortening import Shortening
from mfa_gate.keys import KeyRing
from mfa_gate.opening import archiving, shortening


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of the archive: the checkpoints whose events it holds, and once it is written what it is."""

    first: int
    last: int
    file: str = ""
    events: int = 0
    sha256: str = ""


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or with `dry_run` what would be. `waits`: why nothing more leaves; null: nothing more has to."""

    dry_run: bool
    archived: tuple[File, ...]
    left: tuple[File, ...]
    waits: str | None

    def told(self) -> Iterator[str]:
        """The same in sentences."""
        would = self.dry_run
        for file in self.archived:
            yield f"{'Would archive' if would else 'Archived'}: {_told(file)}."
        for file in self.left:
            yield f"{'Would leave' if would else 'Left'} the store: {_told(file)}."
        if self.waits is not None:
            yield f"More is old enough to leave the store and stays: {self.waits}."
        elif not self.archived and not self.left:
            yield "Nothing is old enough."


def would_archive(invocation: Invocation, gate: Opened, older_than: int | None, keep: int | None) -> Archived:
    """What `archive_now` would do. What would only then be archived may leave in the same go, and is not named here."""
    copies, lets_go = _flows(invocation, gate, older_than, keep)
    left, waits = lets_go.due(gate.now)
    return Archived(
        dry_run=True,
        archived=tuple(File(first=each.first, last=each.last) for each in copies.due(gate.now)),
        left=tuple(File(first=each.first, last=each.last) for each in left),
        waits=waits,
    )


def archive_now(
    invocation: Invocation, gate: Opened, older_than: int | None, keep: int | None, reason: str | None
) -> Archived:
    """Archive what is old enough, then let leave the store what is older still."""
    copies, lets_go = _flows(invocation, gate, older_than, keep)
    archived: list[Inspected] = []
    left: list[Inspected] = []
    copies.turn(gate.now, shell(os_user()), archived.append)
    lets_go.turn(gate.now, shell(os_user()), reason, left.append)
    return Archived(
        dry_run=False,
        archived=tuple(map(_file, archived)),
        left=tuple(map(_file, left)),
        waits=lets_go.due(gate.now)[1],
    )


def _flows(
    invocation: Invocation, gate: Opened, older_than: int | None, keep: int | None
) -> tuple[Archiving, Shortening]:
    keys = KeyRing.find(gate.settings.keys.file, os.environ)
    copies = archiving(gate.settings, keys, gate.store, invocation.sources, older_than)
    lets_go = shortening(gate.settings, keys, gate.store, invocation.sources, keep)
    if copies is None or lets_go is None:
        raise click.UsageError("The settings name no archive. Write archive = a folder under [audit].")
    return copies, lets_go


def _file(found: Inspected) -> File:
    segment = found.segment
    return File(
        first=segment.first, last=segment.last, file=found.file, events=found.events, sha256=found.sha256
    )


def _told(file: File) -> str:
    which = f"checkpoints {file.first} to {file.last}"
    return f"{which}, {plural(file.events, 'event')} ({file.file})" if file.file else which
