"""What every store does with the queue of notices, in sentences of `ports.Notices`."""

import re
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import account_id
from mfa_gate.core.errors import MfaGateError, StaleState
from mfa_gate.core.notices import LETTERS, Notice, NoticeQueue, Told
from mfa_gate.mail.folder import FolderPost
from tests.mail.office import Teller, happened, seen
from tests.stores.contract import ADMIN, NOW, Backend, at_once
from tests.stores.files import KEYS, sealer
from tests.stores.kinds import OnAStore

BOTH_KEYS = {**KEYS, "2026-02": b"n" * 32}
ALICE = account_id("portal", "alice")
TOLD = Told(kind="reset", account_id=ALICE, subject="alice", at=NOW, actor=ADMIN, details={"left": "3"})
QUEUE = NoticeQueue(
    marks={"0": 7, "f": 123},
    waiting=(Notice(id="e1", to=ALICE, audience="owner", kind="reset", events=(TOLD,), tries=2),),
    admins_told={"reset": (NOW, NOW + 1)},
    trouble="Él servidor ✓",
)


class NoticesContract(OnAStore):
    """Subclass it as `Test…`, with a kind of store."""

    def test_a_queue_is_kept_as_it_is(self, store: Backend, tmp_path: Path) -> None:
        assert store.notices.queue() == NoticeQueue()
        kept = store.notices.save(QUEUE)
        assert kept == replace(QUEUE, version=1)
        other = self.reopen(tmp_path, sealer())
        assert other.notices.queue() == kept
        other.close()

    def test_only_the_newest_can_be_changed(self, store: Backend) -> None:
        first = store.notices.save(QUEUE)
        second = store.notices.save(replace(first, tries=1))
        for stale in (QUEUE, first, replace(first, version=9)):
            with pytest.raises(StaleState):
                store.notices.save(stale)
        assert store.notices.queue() == second

    @pytest.mark.parametrize("begun", [False, True])
    def test_of_many_who_change_it_one_does(self, store: Backend, begun: bool) -> None:
        first = store.notices.save(QUEUE) if begun else QUEUE
        found = at_once(10, lambda number: store.notices.save(replace(first, tries=number)))
        (done,) = [each for each in found if not isinstance(each, MfaGateError)]
        assert store.notices.queue() == done

    def test_whatever_is_committed_is_told_once_whoever_it_is_about(
        self, store: Backend, tmp_path: Path
    ) -> None:
        people = [f"user-{number}" for number in range(10)]
        teller = Teller(store, FolderPost(tmp_path / "mail"), admins=("root",))
        for subject in ("root", *people):
            seen(store, subject)
        for half in (people[:5], people[5:]):
            for subject in half:
                happened(store, subject, "reset", notify=("owner", "admins"), at=teller.now)
            teller.turn()
            teller.turn()
            teller.now += 7200
        mails = [path.read_text("utf-8") for path in (tmp_path / "mail").iterdir()]
        told = Counter(re.findall(r"^To: <?(\S+?)@", "\n".join(mails), re.MULTILINE))
        assert told == Counter(people) + Counter(root=2 * LETTERS + 1)
        assert sum(f"Subject: Example Files: Reset ({10 - 2 * LETTERS})" in mail for mail in mails) == 1
        assert store.notices.queue().waiting == ()

    def test_it_is_sealed_and_sealed_anew(self, store: Backend, tmp_path: Path) -> None:
        newer = self.reopen(tmp_path, sealer(BOTH_KEYS, "2026-02"))
        kept = store.notices.save(QUEUE)
        after: str | None = None
        while (step := newer.seals.reseal(after, 10)).next is not None:
            after = step.next
        needed, after = set[str](), None
        while True:
            step = newer.seals.survey(after, 10)
            assert step.broken == ()
            needed |= set(step.needed)
            after = step.next
            if after is None:
                break
        assert needed == {"2026-02"}
        assert newer.notices.queue() == kept
        newer.close()
