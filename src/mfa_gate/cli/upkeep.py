"""What `check` finds about keys, grants, checkpoints and anchor; it changes nothing."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mfa_gate.cli.output import moment
from mfa_gate.core.errors import KeysError, RecordCorrupt
from mfa_gate.flows.jobs import Standing
from mfa_gate.keys import KeyRing
from mfa_gate.keys.ring import PURPOSES
from mfa_gate.settings import Problem, Settings

if TYPE_CHECKING:
    from mfa_gate.ports import Store

UNSIGNED_SECONDS: Final = 600
"""Ten times as long as an event may wait for its checkpoint."""


def key_problems(settings: Settings, ring: KeyRing) -> Iterator[Problem]:
    """What somebody should know of the key file."""
    waiting = ", ".join(purpose for purpose in PURPOSES if ring.reading(purpose)[-1].standby)
    if waiting:
        text = f"new keys are prepared and do not write yet ({waiting}). Run `mfa-gate keys rotate --finish`."
        yield _warning("keys", text)
    if settings.keys.file is not None and not os.environ.get("MFA_GATE_KEYS"):
        yield from _folder_problems("[keys] file", settings.keys.file)


def grant_problems(settings: Settings, ring: KeyRing, now: int) -> Iterator[Problem]:
    """Who passes without the second step now."""
    from mfa_gate.keyed import Keyed
    from mfa_gate.opening import grant_file

    file = grant_file(settings)
    if file is None:
        return
    keyed = Keyed.of(ring, lambda _: b"")
    try:
        grants = [grant for one in file.read() if keyed.is_our_grant(one) and (grant := one.read())]
    except KeysError as error:
        yield Problem(severity="error", setting="break-glass", text=str(error))
        return
    for grant in grants:
        if now < grant.until:
            yield _warning(
                "break-glass",
                f"{grant.subject} passes without the second step until {moment(grant.until)} UTC "
                f"({grant.by}: {grant.reason}).",
            )


def anchor_problems(settings: Settings, store: "Store", newest_at: int) -> Iterator[Problem]:
    """Whether what proves the store's age is kept, and kept up. `newest_at` is the time of the last event."""
    path = settings.anchor.path
    if path is not None:
        if not path.exists():
            yield _warning("[anchor] path", "nothing has been written there yet: rollback is not detected.")
        elif not os.access(path.parent, os.W_OK):
            yield _warning(
                "[anchor] path",
                f'"{path}" cannot be replaced by this user: rollback is not detected. Let the gate\'s user write '
                "its folder.",
            )
        yield from _folder_problems("[anchor] path", path)
    signed = store.stream.reached().checkpoint
    try:
        signed_at = 0 if signed is None else signed.read().at
    except RecordCorrupt as error:
        yield Problem(severity="error", setting="store", text=f"{error} Run `mfa-gate audit verify`.")
        return
    if (signed_at or _first_at(store)) + UNSIGNED_SECONDS < newest_at:
        since = f"since {moment(signed_at)} UTC" if signed_at else "yet"
        yield _warning(
            "audit",
            f"nothing was signed {since}, though events were recorded until {moment(newest_at)} UTC. Look whether a "
            "gate runs, and at its log.",
        )


def archive_problems(settings: Settings, store: "Store") -> Iterator[Problem]:
    """Why the trail cannot be archived, and whether what has left the store is there."""
    beginning = store.stream.beginning()
    if settings.audit.archive is None:
        if beginning.number:
            yield _warning(
                "[audit] archive",
                f"the trail of the store begins after checkpoint {beginning.number}, and what was before is in an "
                "archive that is not named here. Name its folder.",
            )
        return
    from mfa_gate.anchors.archive import ArchiveFolder
    from mfa_gate.flows.archived import Unfit, refuse_gap

    archive = ArchiveFolder(settings.audit.archive)
    trouble = archive.trouble()
    if trouble is None:
        try:
            refuse_gap(archive.segments(store.store_id), beginning)
        except Unfit as error:
            trouble = str(error)
    if trouble is not None:
        yield Problem(severity="error", setting="[audit] archive", text=trouble)


def admin_mail_problems(settings: Settings, store: "Store", now: int) -> Iterator[Problem]:
    """Whether there is an administrator who can be told."""
    if not settings.mail.leaves or not settings.admin_groups:
        return
    from mfa_gate.mailing import recipients

    if not recipients(settings).told(store, now):
        yield _warning(
            "[mail] admins",
            "[admin] admins names groups, and nobody is known who was in one, so no administrator is told when "
            "somebody is reset or locked. Write an address that they all read, or let one of them sign in.",
        )


def job_problems(jobs: Iterable[Standing]) -> Iterator[Problem]:
    """Which background jobs nobody does."""
    for job in jobs:
        if job.late and job.last_run_at is not None:
            yield _warning(
                "jobs",
                f"{job.name} was last done at {moment(job.last_run_at)} UTC, too long ago. Look whether a gate or "
                "`mfa-gate worker` runs, and at its log.",
            )


def _first_at(store: "Store") -> int:
    from mfa_gate.stores.documents import read_event

    first = store.stream.entries(store.stream.shards[0], None, 1)
    return min((read_event(entry.record).at for entry in first), default=0)


def _folder_problems(setting: str, file: Path) -> Iterator[Problem]:
    try:
        mode = file.parent.stat().st_mode
    except OSError:
        return
    if mode & 0o022 and not mode & stat.S_ISVTX:
        yield _warning(
            setting,
            f'others can write its folder "{file.parent}", and so put another file in its place. '
            f"Run `chmod go-w {file.parent}`.",
        )


def _warning(setting: str, text: str) -> Problem:
    return Problem(severity="warning", setting=setting, text=text)
