"""What leaves a store for the archive, on every store: whole at every step, and found where somebody helped by hand."""

from abc import abstractmethod
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.anchors import AnchorFile
from mfa_gate.anchors.archive import ArchiveFolder
from mfa_gate.core.checkpoints import Signed, to_sign
from mfa_gate.core.errors import RecordCorrupt, StaleState
from mfa_gate.core.events import ORG
from mfa_gate.flows.anchoring import AnchorKeeper
from mfa_gate.flows.archived import Unfit
from mfa_gate.flows.archiving import Archiving
from mfa_gate.flows.checkpoints import Checkpointer
from mfa_gate.flows.export_lines import Begin, Reading, lines
from mfa_gate.flows.rereading import Rereading
from mfa_gate.flows.shortening import Shortening
from mfa_gate.flows.trails import live
from mfa_gate.flows.verifying import verify, verify_store
from mfa_gate.keys import Key
from mfa_gate.keys.signatures import is_signed, public_of, sign
from mfa_gate.ports import Change, Segment
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import Followed
from tests.stores.contract import NOW, Backend, event, person, put
from tests.stores.files import AUDIT_KEY, STORE_ID, sealer
from tests.stores.kinds import OnAStore
from tests.stores.stream_contract import BOTH_KEYS, resealed

KEY = Key(id="c1", secret=bytes(range(32)))
PEOPLE = tuple(f"user-{number}" for number in range(7))
LEFT = 1 + len(PEOPLE) + len(PEOPLE[2:])
"""So many events are in the two old minutes; one made the store."""
OLD, NEW = person(PEOPLE[0]), person(PEOPLE[1])
"""Somebody of whom everything has left, and somebody who came again."""


TAKEN = (
    "the first event",
    "the first events, up to the next checkpoint, with the one before",
    "the checkpoint at which it begins",
    "what a chain goes on from",
    "what everything goes on from",
    "how much has left",
    "everything of somebody whose events have all left",
    "the last event of the first interval",
)


def signs(key: str, message: bytes, signature: bytes) -> bool:
    return key == KEY.id and is_signed(message, signature, public_of(KEY))


def is_ours(signed: Signed) -> bool:
    return signs(signed.key, to_sign(signed.body), signed.signature)


class Bench:
    """A store with an archive: three minutes are signed, of which two are old."""

    def __init__(self, store: Backend, place: Path) -> None:
        self.store = store
        self.folder = place / "archive"
        self.folder.mkdir()
        self.now = NOW
        self.anchors = AnchorFile(place / "anchor")
        keeper = AnchorKeeper(store.stream, self.anchors, is_ours)
        self.job = Checkpointer(store, keeper, self.sign, is_ours)
        self.archive = ArchiveFolder(self.folder)
        self.minute(*PEOPLE)
        self.minute(*PEOPLE[2:])
        self.now += 3600
        self.minute(*PEOPLE[1:])

    @staticmethod
    def sign(message: bytes) -> tuple[str, bytes]:
        return KEY.id, sign(KEY, message)

    def minute(self, *subjects: str) -> None:
        for subject in subjects:
            found = self.store.account(person(subject).id)
            at = self.now
            happened = replace(event("verified", person(subject)), at=at)
            self.store.commit(Change(account=found or person(subject), events=(happened,)), at)
        self.now += 60
        assert self.job.tick(self.now)

    def archiving(self, after: int = 1800) -> Archiving:
        return Archiving(self.store, self.archive, self.sign, signs, after)

    def shortening(self, keep: int = 1800, **more: object) -> Shortening:
        return Shortening(self.store, self.archive, signs, keep, anchors=self.anchors, **more)  # type: ignore[arg-type]

    def archived(self) -> None:
        assert self.archiving().turn(self.now) == 1

    def shortened(self) -> None:
        self.archived()
        assert self.shortening().turn(self.now) == 1

    def broken(self) -> str | None:
        """What `audit verify` says of the store."""
        return self.store.broken_chain() or verify_store(self.store.stream, is_ours, STORE_ID).broken

    def alarms(self) -> list[str]:
        found = self.store.events(account_id=ORG, kind="tampering_noticed", before=None, limit=99)
        return [each.event.details["what"] for each in found]

    def count(self) -> int:
        return sum(len(self.store.stream.entries(shard, None, 10_000)) for shard in self.store.stream.shards)

    def from_the_archive(self) -> list[str]:
        """The links of all events in the archive, in their order."""
        return [
            item[1].link.hex()
            for segment in self.archive.segments(STORE_ID)
            for item in Reading(self.archive.read(segment)).trail.items()
            if isinstance(item, tuple)
        ]


class RetentionContract(OnAStore):
    """Subclass it with a kind of store, and with what somebody can do who writes there."""

    @abstractmethod
    def take(self, place: Path, what: str) -> object:
        """Somebody without keys takes `what` out of the store, and returns what `put_back` needs."""

    @abstractmethod
    def put_back(self, place: Path, what: str, taken: object) -> None:
        """The same puts it back."""

    @pytest.fixture
    def bench(self, store: Backend, tmp_path: Path) -> Bench:
        return Bench(store, tmp_path)

    # What leaves

    def test_what_is_archived_leaves_and_is_nowhere_twice(self, bench: Bench) -> None:
        before = [
            entry.link.hex()
            for shard in bench.store.stream.shards
            for entry in bench.store.stream.entries(shard, None, 1000)
        ]
        bench.shortened()
        left = [
            entry.link.hex()
            for shard in bench.store.stream.shards
            for entry in bench.store.stream.entries(shard, None, 1000)
        ]
        archived = bench.from_the_archive()
        assert len(archived) == LEFT
        assert not set(archived) & set(left)
        assert set(before) <= {*archived, *left}
        assert bench.broken() is None
        assert bench.store.stream.beginning().number == 2
        assert [each.number for each in bench.store.stream.checkpoints(0, 9)] == [2, 3]
        assert bench.shortening().turn(bench.now) == 0

    def test_one_commit_says_what_left_and_which_file_has_it(self, bench: Bench) -> None:
        bench.shortened()
        (told,) = bench.store.events(account_id=ORG, kind="trail_shortened", before=None, limit=9)
        segment = Segment(first=1, last=2, store=STORE_ID)
        assert told.event.details == {
            "from_checkpoint": "1",
            "to_checkpoint": "2",
            "events": str(LEFT),
            "file": bench.archive.name(segment),
            "sha256": bench.archive.digest(segment),
        }
        (kept,) = bench.store.events(account_id=ORG, kind="trail_archived", before=None, limit=9)
        assert kept.event.details == told.event.details

    def test_it_is_whole_after_each_step(self, bench: Bench) -> None:
        bench.archived()
        signed = bench.store.stream.checkpoint(2)
        assert signed
        whole = bench.count()
        to = bench.store.stream.beginning()
        to = replace(to, number=2, hash=signed.hash)
        bench.store.retention.begin(bench.store.stream.beginning(), to, (), bench.now)
        steps = 0
        while bench.store.retention.let_go(3):
            steps += 1
            assert bench.broken() is None
        assert steps >= LEFT // 3
        assert bench.count() == whole - LEFT

    def test_who_died_in_between_is_followed_by_somebody_who_goes_on(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        bench.archived()
        other = self.reopen(tmp_path, sealer())
        with closing(other), pytest.MonkeyPatch.context() as patch:

            def die(_: int) -> int:
                if bench.store.stream.beginning().number:
                    raise KeyboardInterrupt
                return 0

            patch.setattr(bench.store.retention, "let_go", die)
            with pytest.raises(KeyboardInterrupt):
                bench.shortening().turn(bench.now)
            assert bench.broken() is None
            assert other.stream.beginning().number == 2
            other.retention.let_go(4)
            after = Shortening(other, bench.archive, signs, 1800, anchors=bench.anchors)
            assert after.turn(bench.now) == 0
            assert other.broken_chain() is None
            assert sum(len(other.stream.entries(shard, None, 99)) for shard in other.stream.shards) < LEFT
        assert len(bench.store.events(account_id=ORG, kind="trail_shortened", before=None, limit=9)) == 1

    def test_two_at_once_say_it_once(self, bench: Bench) -> None:
        bench.archived()
        signed = bench.store.stream.checkpoint(2)
        assert signed
        known = bench.store.stream.beginning()
        to = replace(known, number=2, hash=signed.hash)
        bench.store.retention.begin(known, to, (event("trail_shortened"),), bench.now)
        with pytest.raises(StaleState):
            bench.store.retention.begin(known, to, (event("trail_shortened"),), bench.now)
        assert len(bench.store.events(account_id=ORG, kind="trail_shortened", before=None, limit=9)) == 1

    # What stays

    def test_people_go_on_whether_or_not_all_of_theirs_has_left(self, bench: Bench) -> None:
        bench.shortened()
        assert bench.store.events(account_id=OLD.id, kind=None, before=None, limit=9) == ()
        assert len(bench.store.events(account_id=NEW.id, kind=None, before=None, limit=9)) == 1
        bench.minute(*PEOPLE)
        assert len(bench.store.events(account_id=OLD.id, kind=None, before=None, limit=9)) == 1
        assert len(bench.store.events(account_id=None, kind="verified", before=None, limit=99)) == 6 + 7
        assert bench.store.position_at(0) is not None
        assert bench.broken() is None
        assert bench.alarms() == []
        assert bench.job.examine(bench.now) is None

    def test_what_leaves_later_goes_on_where_it_ended(self, bench: Bench) -> None:
        bench.shortened()
        bench.now += 3600
        bench.minute(*PEOPLE[:3])
        bench.archived()
        assert bench.shortening().turn(bench.now) == 1
        assert bench.store.stream.beginning().number == 3
        assert bench.broken() is None
        trail = [item for item in live(bench.store.stream).items() if isinstance(item, Signed)]
        assert [each.number for each in trail] == [3, 4]

    def test_the_anchor_and_whoever_reads_on_notice_nothing(self, bench: Bench) -> None:
        reader = Rereading(bench.store.stream, is_ours, STORE_ID)
        assert reader.turn(5) is None
        bench.archived()
        bench.shortening().turn(bench.now)
        assert [reader.turn(9) for _ in range(9)] == [None] * 9
        AnchorKeeper(bench.store.stream, bench.anchors, is_ours).refuse_older()
        known = bench.anchors.read()
        assert known
        # A host that was off for long: its anchor knows a checkpoint that has left since.
        bench.anchors.accept(replace(known, number=1, hash=b"of the first", policy_version=1, positions={}))
        AnchorKeeper(bench.store.stream, bench.anchors, is_ours).refuse_older()

    def test_an_export_says_where_it_begins_and_verifies(self, bench: Bench) -> None:
        bench.shortened()
        stream = bench.store.stream
        head = Begin(store=STORE_ID, shards=stream.shards, begins=stream.beginning().number)
        written = list(lines(head, live(stream).items(), bench.sign))

        def found(said: list[bytes]) -> str | None:
            reading = Reading(iter(said))
            chains = Followed(AuditKeys.of(AUDIT_KEY), whole=reading.trail.chains_are_whole)
            broken = verify(reading.trail, is_ours, STORE_ID, chains=chains).broken
            return broken or (None if reading.is_intact else "not intact")

        assert found(written) is None
        # Its first checkpoint, or its first interval, taken out; another beginning named.
        assert found([written[0], *written[2:]])
        assert found([written[0], written[1], *written[4:]])
        assert found([written[0].replace(b'"begins":2', b'"begins":1'), *written[1:]])

    def test_it_is_sealed_anew_like_all_else(self, bench: Bench, tmp_path: Path) -> None:
        bench.shortened()
        with closing(self.reopen(tmp_path, sealer(BOTH_KEYS, current="2026-02"))) as other:
            assert resealed(other, 50).broken == ()
            assert set(resealed(other, 50, survey=True).needed) == {"2026-02"}
        with closing(
            self.reopen(tmp_path, sealer({"2026-02": BOTH_KEYS["2026-02"]}, current="2026-02"))
        ) as other:
            assert other.broken_chain() is None

    def test_j19_what_was_changed_in_the_store_does_not_leave(self, bench: Bench, tmp_path: Path) -> None:
        bench.archived()
        self.take(tmp_path, "the first event")
        with pytest.raises(Unfit):
            bench.shortening().turn(bench.now)
        assert bench.broken()

    # What is done by hand

    def test_j19_what_is_taken_out_at_the_front_is_found(self, bench: Bench, tmp_path: Path) -> None:
        bench.shortened()
        for what in TAKEN:
            assert bench.broken() is None
            taken = self.take(tmp_path, what)
            assert bench.broken(), what
            assert bench.job.examine(bench.now)
            self.put_back(tmp_path, what, taken)
        assert bench.broken() is None

    def test_j19_what_is_put_back_from_before_is_found(self, bench: Bench, tmp_path: Path) -> None:
        """An older copy of what is sealed, or an event that had left."""
        bench.shortened()
        bench.now += 3600
        bench.minute(*PEOPLE[:3])
        bench.archived()
        older = {}
        for what in ("what a chain goes on from", "how much has left", "the first event"):
            older[what] = self.take(tmp_path, what)
            self.put_back(tmp_path, what, older[what])
        assert bench.shortening().turn(bench.now) == 1
        for what, copy in older.items():
            assert bench.broken() is None
            now = self.take(tmp_path, what)
            self.put_back(tmp_path, what, copy)
            assert bench.broken(), what
            self.take(tmp_path, what)
            self.put_back(tmp_path, what, now)

    def test_somebody_whose_record_was_deleted_is_nobody_new(self, bench: Bench, tmp_path: Path) -> None:
        """Though no event of theirs is in the store any more: they would come to the wizard."""
        bench.shortened()
        self.take(tmp_path, "the record of somebody whose events have all left")
        with pytest.raises(RecordCorrupt):
            bench.store.facts(OLD.id, None, bench.now)
        with pytest.raises((RecordCorrupt, StaleState)):
            put(bench.store, OLD)
