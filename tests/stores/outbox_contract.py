"""What every store does with runs of reminders and what came of them, in sentences of `ports.Outbox`."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import account_id
from mfa_gate.core.errors import MfaGateError, StaleState
from mfa_gate.core.reminders import OUTCOMES, Outcome, ReminderRun, Result
from tests.stores.contract import ADMIN, NOW, Backend, at_once
from tests.stores.files import KEYS, sealer
from tests.stores.kinds import OnAStore

BOTH_KEYS = {**KEYS, "2026-02": b"n" * 32}


def run(name: str = "r1", **fields: object) -> ReminderRun:
    return replace(
        ReminderRun(id=name, made_at=NOW, by=ADMIN, users=(account_id("portal", "alice"),)), **fields
    )


def result(subject: str, outcome: Outcome = "sent", why: str = "") -> Result:
    return Result(account_id=account_id("portal", subject), outcome=outcome, why=why)


class OutboxContract(OnAStore):
    """Subclass it as `Test…`, with a kind of store."""

    def test_a_run_is_kept_as_it_is(self, store: Backend, tmp_path: Path) -> None:
        wanted = run(
            users=(),
            statuses=("missing", "grace"),
            prefix="Élodie ✓",
            total=12,
            counts={"sent": 3, "failed": 1},
            trouble="it answered 421.",
        )
        kept = store.save_run(wanted)
        assert kept == replace(wanted, version=1)
        other = self.reopen(tmp_path, sealer())
        assert other.run("r1") == kept
        other.close()

    def test_what_was_never_there(self, store: Backend) -> None:
        assert store.run("r1") is None
        assert store.runs(open_only=False) == ()
        assert store.results("r1", "sent", 0, 10) == ()
        store.drop_run("r1")

    def test_runs_come_oldest_first_and_finished_ones_only_if_wanted(self, store: Backend) -> None:
        late = store.save_run(run("late", made_at=NOW + 2))
        early = store.save_run(run("early", made_at=NOW + 1))
        assert store.runs(open_only=True) == (early, late)
        early = store.save_run(replace(early, finished_at=NOW + 5))
        assert store.runs(open_only=True) == (late,)
        assert store.runs(open_only=False) == (early, late)
        assert store.run("early") == early

    def test_only_the_newest_can_be_changed(self, store: Backend) -> None:
        first = store.save_run(run())
        second = store.save_run(replace(first, total=7), (result("alice"),))
        for stale in (run(), first, replace(first, version=9)):
            with pytest.raises(StaleState):
                store.save_run(stale, (result("bob"),))
        assert store.run("r1") == second
        assert store.results("r1", "sent", 0, 10) == (result("alice"),)

    def test_of_many_who_change_it_one_does_and_nobody_elses_results_are_there(self, store: Backend) -> None:
        first = store.save_run(run())

        def change(number: int) -> ReminderRun:
            return store.save_run(replace(first, total=number), (result(f"user-{number}"),))

        done = [each for each in at_once(10, change) if not isinstance(each, MfaGateError)]
        assert len(done) == 1
        assert store.run("r1") == done[0]
        assert store.results("r1", "sent", 0, 10) == (result(f"user-{done[0].total}"),)

    def test_results_are_added_and_read_in_order(self, store: Backend) -> None:
        kept = store.save_run(run())
        people = [f"user-{number}" for number in range(25)]
        for at in range(0, 25, 5):
            kept = store.save_run(kept, tuple(result(each) for each in people[at : at + 5]))
        kept = store.save_run(kept, (result("bob", "failed", "550"), result("carol", "no_address")))
        found = [store.results("r1", "sent", after, 10) for after in (0, 10, 20, 30)]
        assert [each for part in found for each in part] == [result(each) for each in people]
        assert [len(part) for part in found] == [10, 10, 5, 0]
        assert store.results("r1", "failed", 0, 10) == (result("bob", "failed", "550"),)
        assert store.results("r1", "no_address", 0, 10) == (result("carol", "no_address"),)
        assert store.results("other", "sent", 0, 10) == ()

    def test_what_is_forgotten_leaves_nothing(self, store: Backend) -> None:
        kept = store.save_run(run(), tuple(result("alice", each) for each in OUTCOMES))
        other = store.save_run(run("other"), (result("bob"),))
        store.drop_run("r1")
        assert store.run("r1") is None
        assert all(store.results("r1", each, 0, 10) == () for each in OUTCOMES)
        assert store.runs(open_only=False) == (other,)
        assert store.results("other", "sent", 0, 10) == (result("bob"),)
        with pytest.raises(StaleState):
            store.save_run(kept)

    def test_it_is_sealed_and_sealed_anew(self, store: Backend, tmp_path: Path) -> None:
        newer = self.reopen(tmp_path, sealer(BOTH_KEYS, "2026-02"))
        kept = store.save_run(run())
        done = store.save_run(run("done", finished_at=NOW))
        after: str | None = None
        while (step := newer.seals.reseal(after, 10)).next is not None:
            assert step.broken == ()
            after = step.next
        after, needed = None, set[str]()
        while True:
            step = newer.seals.survey(after, 10)
            needed |= set(step.needed)
            after = step.next
            if after is None:
                break
        assert needed == {"2026-02"}
        assert newer.runs(open_only=False) == (done, kept)
        newer.close()
