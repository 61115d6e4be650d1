"""What every store does with the daily snapshots, in sentences of `ports.Snapshots`."""

from pathlib import Path

from mfa_gate.core.snapshots import SignedSnapshot
from tests.stores.contract import Backend, at_once
from tests.stores.files import sealer
from tests.stores.kinds import OnAStore


def made(day: int, body: bytes = b"{}") -> SignedSnapshot:
    return SignedSnapshot(day=day, body=body, key="2026-01", signature=b"\0\xff" * 32)


class SnapshotsContract(OnAStore):
    """Subclass it as `Test…`, with a kind of store."""

    def test_each_day_has_one_which_stays(self, store: Backend, tmp_path: Path) -> None:
        kept = store.snapshots
        assert (kept.days(), kept.of(()), kept.of((739_999,))) == ((), (), ())
        later, first = made(740_000), made(739_000, '"Ärzte"'.encode())
        assert (kept.add(later), kept.add(first), kept.add(made(740_000, b"another"))) == (True, True, False)
        other = self.reopen(tmp_path, sealer())
        assert other.snapshots.days() == (739_000, 740_000)
        assert other.snapshots.of((740_000, 739_500, 739_000)) == (later, first)
        other.close()

    def test_of_many_who_add_that_of_a_day_one_does(self, store: Backend) -> None:
        done = at_once(8, lambda number: store.snapshots.add(made(740_000, b"%d" % number)))
        assert sorted(map(str, done)) == ["False"] * 7 + ["True"]
        assert store.snapshots.of((740_000,)) == (made(740_000, b"%d" % done.index(True)),)
