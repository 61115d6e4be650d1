"""Compares a roster with what is on record, sets aside what differs, and puts it in force by moving one pointer.

Nothing counts before the pointer moves; what was set aside and not put in force is forgotten by a job. Every method may
raise `StoreUnavailable`.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity
from mfa_gate.core.errors import StaleState
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event
from mfa_gate.core.roster import RosterHead, RosterRow, listed
from mfa_gate.ports import Draft, Roster, Stream

AT_ONCE: Final = 500
SHOWN: Final = 20
"""People of each kind that a preview names."""
MANY_PERCENT: Final = 5
"""Above this share of the people on the roster, whoever deactivates them has to say that it is meant."""
GOOD_SECONDS: Final = 1800
"""How long a preview may be confirmed."""

Kind = Literal["added", "changed", "deactivated", "unchanged"]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would do. `listed` people were on the roster and active before it.

    `administrators` are those among the deactivated who administer.
    """

    import_id: str
    base: RosterHead
    made_at: int
    people: int
    listed: int
    counts: dict[Kind, int]
    shown: dict[Kind, tuple[RosterRow, ...]]
    administrators: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many accounts it would change."""
        return sum(count for kind, count in self.counts.items() if kind != "unchanged")

    @property
    def wants_confirmation(self) -> bool:
        """True if it deactivates so many, or whoever administers, that a file cut short may be the reason."""
        return bool(self.administrators) or 100 * self.counts["deactivated"] > MANY_PERCENT * self.listed


class StillSettling(msgspec.Struct, frozen=True):
    """The import before this one has not reached every account yet."""


class TooLate(msgspec.Struct, frozen=True):
    """Another import was quicker, or the preview is too old."""


class Importing:
    """One per process. `role_of` reads the settings; `random(n)` gives n unpredictable bytes."""

    def __init__(
        self,
        roster: Roster,
        stream: Stream,
        *,
        random: Callable[[int], bytes],
        role_of: Callable[[Identity | Account], object | None],
    ) -> None:
        self._roster = roster
        self._stream = stream
        self._random = random
        self._role_of = role_of

    def compare(
        self, draft: Draft, now: int, *, keep: bool, progress: Callable[[int], None]
    ) -> Preview | StillSettling:
        """What the roster would change; `keep` sets that aside so that it can be confirmed.

        Whoever is on the roster in force and in a realm of this one, but not named by it, is deactivated.
        """
        base = self._roster.head()
        if base.import_id:
            return StillSettling()
        tally = _Tally(self._roster if keep else None, self._random(16).hex(), now)
        for rows in draft.rows(AT_ONCE):
            found = self._roster.accounts(tuple(row.account_id for row in rows))
            for row in rows:
                self._judge(tally, found.get(row.account_id), row)
            tally.flush()
            progress(len(rows))
        if base.number:
            self._look_for_gone(draft, tally)
        return Preview(
            import_id=tally.import_id,
            base=base,
            made_at=now,
            people=draft.people,
            listed=tally.listed,
            counts=tally.counts,
            shown={kind: tuple(rows) for kind, rows in tally.shown.items()},
            administrators=tuple(tally.administrators),
        )

    def confirm(
        self, preview: Preview, actor: Actor, reason: str, now: int, *, digest: str = ""
    ) -> RosterHead | TooLate:
        """Put what was compared in force; or say that it is too late for that."""
        if not 0 <= now - preview.made_at <= GOOD_SECONDS:
            return TooLate()
        details: dict[str, str] = {kind: str(count) for kind, count in preview.counts.items()}
        details |= {name: word for name, word in (("reason", reason), ("sha256", digest)) if word}
        imported = Event(
            kind="roster_imported",
            account_id=ORG,
            subject="",
            at=now,
            actor=actor,
            details=details | {"roster": str(preview.base.number + 1)},
            notify=("admins",) if preview.wants_confirmation else (),
        )
        head = replace(preview.base, import_id=preview.import_id if preview.rows else "", rows=preview.rows)
        try:
            return self._roster.move(head, (imported,), now)
        except StaleState:
            return TooLate()

    def forget(self, preview: Preview) -> None:
        """Drop what was set aside for a preview that nobody confirms."""
        self._roster.drop(preview.import_id)

    def _judge(self, tally: "_Tally", account: Account | None, row: RosterRow) -> None:
        after, events = listed(account, row, 0, SYSTEM, 0)
        kind: Kind = "unchanged" if account is not None and not events else "changed"
        if account is not None and account.active and not after.active:
            kind = "deactivated"
        elif account is None or account.listing is None:
            kind = "added"
        if account is not None and account.listing is not None and account.active:
            tally.listed += not row.gone
        if kind == "deactivated" and self._role_of(after):
            tally.administrators.append(after.subject)
        tally.add(kind, row)

    def _look_for_gone(self, draft: Draft, tally: "_Tally") -> None:
        after: str | None = None
        while True:
            after, ids = self._stream.account_ids(after, AT_ONCE)
            unnamed = tuple(each for each in ids if each != ORG and not draft.names(each))
            for account in self._roster.accounts(unnamed).values():
                if account.listing is None or not account.active:
                    continue
                tally.listed += 1
                if account.realm in draft.realms and account.id not in tally.gone:
                    tally.gone.add(account.id)
                    row = RosterRow(
                        realm=account.realm, subject=account.subject, name=account.name, gone=True
                    )
                    self._judge(tally, account, row)
            tally.flush()
            if after is None:
                return


class _Tally:
    """What a comparison has found so far; what differs is set aside if there is a `roster`."""

    def __init__(self, roster: Roster | None, import_id: str, now: int) -> None:
        self.import_id = import_id
        self.listed = 0
        self.counts: dict[Kind, int] = {"added": 0, "changed": 0, "deactivated": 0, "unchanged": 0}
        self.shown: dict[Kind, list[RosterRow]] = {"added": [], "changed": [], "deactivated": []}
        self.administrators: list[str] = []
        self.gone: set[str] = set()
        """Of whom the store told twice while it was walked through, the second time does not count."""
        self._roster = roster
        self._now = now
        self._waiting: list[RosterRow] = []

    def add(self, kind: Kind, row: RosterRow) -> None:
        """Count a row."""
        self.counts[kind] += 1
        if kind == "unchanged":
            return
        self._waiting.append(row)
        if len(self.shown[kind]) < SHOWN:
            self.shown[kind].append(row)

    def flush(self) -> None:
        """Set aside what waits."""
        if self._roster is not None and self._waiting:
            self._roster.stage(self.import_id, tuple(self._waiting), self._now)
        self._waiting.clear()
