"""The trail signed every minute, compared with what is stored, and verified without any secret."""

import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from msgspec.structs import replace

from mfa_gate.anchors import AnchorFile
from mfa_gate.core.checkpoints import Anchor, Checkpoint, Signed, body_of, to_sign
from mfa_gate.core.errors import RolledBack, StoreUnavailable
from mfa_gate.core.events import ORG
from mfa_gate.flows import checkpoints
from mfa_gate.flows.anchoring import AnchorKeeper, first_anchor
from mfa_gate.flows.checkpoints import Checkpointer
from mfa_gate.flows.rereading import Rereading
from mfa_gate.flows.trails import live
from mfa_gate.flows.verifying import Verified, verify
from mfa_gate.keys import Key
from mfa_gate.keys.signatures import is_signed, public_of, sign
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores.contract import NOW, event, person, put
from tests.stores.files import STORE_ID, file_of, make

KEY, STRANGER = Key(id="c1", secret=bytes(range(32))), Key(id="c1", secret=bytes(range(1, 33)))
ALICE, BOB = person("alice").id, person("bob").id


def signer(key: Key) -> Callable[[bytes], tuple[str, bytes]]:
    return lambda message: (key.id, sign(key, message))


def is_ours(signed: Signed) -> bool:
    return signed.key == KEY.id and is_signed(to_sign(signed.body), signed.signature, public_of(KEY))


def _away(*_: object) -> NoReturn:
    raise StoreUnavailable("for a moment")


class Bench:
    """A store that is checkpointed, and somebody who can write its file."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.now = NOW
        self.store = make(place)
        (place / "anchor").mkdir()
        self.anchors = AnchorFile(place / "anchor" / "file")
        self.checkpointer = self.another()

    def another(self, *, anchored: bool = True, key: Key = KEY) -> Checkpointer:
        """One more process."""
        keeper = AnchorKeeper(self.store.stream, self.anchors, is_ours) if anchored else None
        return Checkpointer(self.store, keeper, signer(key), is_ours)

    def minute(self, events: int = 1, checkpointer: Checkpointer | None = None) -> Signed | None:
        """A minute goes by in which something happens."""
        for _ in range(events):
            self.store.record((event("act_refused"),), self.now)
        self.now += 60
        return (checkpointer or self.checkpointer).tick(self.now)

    def tick(self) -> Signed | None:
        return self.checkpointer.tick(self.now)

    def alarms(self) -> list[str]:
        found = self.store.events(account_id=ORG, kind="tampering_noticed", before=None, limit=99)
        return [each.event.details["what"] for each in reversed(found)]

    def verified(self) -> Verified:
        return verify(live(self.store.stream), is_ours, STORE_ID)

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(file_of(self.place), isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(file_of(self.place))) as db:
            return db.execute(statement).fetchall()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def said(signed: Signed | None) -> Checkpoint:
    assert signed is not None
    return signed.read()


class TestSigning:
    def test_what_happened_is_signed_when_the_minute_is_over(self, bench: Bench) -> None:
        first = bench.tick()
        assert said(first).marks[0].count == 1  # the store's making, long ago as far as anybody knows
        put(bench.store, person("alice"))
        bench.now += 59
        assert bench.tick() is None
        bench.now += 1
        second = bench.tick()
        assert said(second).number == 2
        assert said(second).marks[0].count == 2
        assert said(second).store == STORE_ID
        assert second is not None
        assert first is not None
        assert said(second).previous == first.hash
        assert is_ours(second)
        assert bench.store.stream.checkpoints(0, 9) == (first, second)

    def test_a_thousand_events_do_not_wait(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        bench.tick()
        monkeypatch.setattr(checkpoints, "EVENTS", 3)
        bench.store.record((event("act_refused"),) * 2, bench.now)
        assert bench.tick() is None
        bench.store.record((event("act_refused"),), bench.now)
        assert said(bench.tick()).number == 2

    def test_where_nothing_happens_nothing_is_signed(self, bench: Bench) -> None:
        bench.tick()
        for _ in range(3):
            assert bench.minute(events=0) is None
        assert len(bench.store.stream.checkpoints(0, 9)) == 1

    def test_a_long_trail_gets_several(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checkpoints, "BATCH", 4)
        monkeypatch.setattr(checkpoints, "AT_ONCE", 2)
        monkeypatch.setattr(checkpoints, "EVENTS", 4)
        bench.store.record((event("act_refused"),) * 9, bench.now)
        counts = [said(bench.tick()).marks[0].count for _ in range(2)]
        assert counts == [4, 8]
        bench.now += 60
        assert said(bench.tick()).marks[0].count == 10
        assert bench.verified().broken is None

    def test_another_process_goes_on_where_the_first_ended(self, bench: Bench) -> None:
        bench.minute()
        other = bench.another()
        assert said(bench.minute(2, other)).number == 2
        assert said(bench.minute(3)).number == 3
        assert said(bench.minute(1, bench.another())).number == 4
        found = bench.verified()
        assert found == Verified(
            broken=None, newest=bench.store.stream.checkpoint(4), checkpoints=4, signed=1 + 1 + 2 + 3 + 1
        )

    def test_of_two_at_once_only_one_signs(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        late = bench.another()
        add = bench.store.stream.add_checkpoint

        def overtaken(signed: Signed) -> None:
            monkeypatch.undo()
            bench.tick()
            add(signed)

        monkeypatch.setattr(bench.store.stream, "add_checkpoint", overtaken)
        assert late.tick(bench.now) is None
        assert len(bench.store.stream.checkpoints(0, 9)) == 1
        assert said(bench.minute(1, late)).number == 2
        assert bench.verified().broken is None

    def test_the_organizations_chain_is_in_it(self, bench: Bench) -> None:
        put(bench.store, person("alice"))
        last = bench.store.events(account_id=ORG, kind=None, before=None, limit=1)[0]
        checkpoint = said(bench.tick())
        assert (checkpoint.org_count, checkpoint.org_link) == (1, last.link)
        assert checkpoint.policy_version == 1

    def test_a_clock_that_was_set_back_stops_nothing(self, bench: Bench) -> None:
        bench.tick()
        bench.store.record((event("act_refused"),), NOW)
        bench.now = NOW - 86_400
        assert said(bench.tick()).number == 2


# Positions: 1 store_created; 2, 3 alice and bob; then the organization's; every two are one interval.
TAMPERINGS: dict[str, tuple[tuple[str, ...], str]] = {
    "edited": (
        ("UPDATE audit SET record = record || ' ' WHERE position = 3",),
        "checkpoint 1 .* checkpoint 2 .*as many",
    ),
    "account edited": (
        (f"UPDATE audit SET account = '{BOB}' WHERE position = 2",),
        "beginning and checkpoint 1",
    ),
    "link edited": (("UPDATE audit SET link = x'00' WHERE position = 4",), "checkpoint 1 .* checkpoint 2 "),
    "removed": (("DELETE FROM audit WHERE position = 5",), "checkpoint 2 .* checkpoint 3 .*1 fewer"),
    "begin cut off": (("DELETE FROM audit WHERE position = 1",), "beginning and checkpoint 1 .*1 fewer"),
    "end cut off": (("DELETE FROM audit WHERE position >= 7",), "checkpoint 3 .* checkpoint 4 .*2 fewer"),
    "put in at the front": (
        ("INSERT INTO audit SELECT -5, account, kind, at, record, link FROM audit WHERE position = 4",),
        "beginning and checkpoint 1 .*1 more",
    ),
    "put in": (
        (
            "DELETE FROM audit WHERE position = 8",
            "UPDATE audit SET position = 8 WHERE position = 7",
            "INSERT INTO audit SELECT 7, account, kind, at, record, link FROM audit WHERE position = 6",
        ),
        "checkpoint 3 .* checkpoint 4 ",
    ),
    "moved": (
        (
            "UPDATE audit SET position = 99 WHERE position = 5",
            "UPDATE audit SET position = 5 WHERE position = 6",
            "UPDATE audit SET position = 6 WHERE position = 99",
        ),
        "checkpoint 2 .* checkpoint 3 .*as many",
    ),
    "moved to another interval": (
        (
            "UPDATE audit SET position = 99 WHERE position = 3",
            "UPDATE audit SET position = 3 WHERE position = 5",
            "UPDATE audit SET position = 5 WHERE position = 99",
        ),
        "checkpoint 1 .* checkpoint 2 ",
    ),
    "emptied": (("DELETE FROM audit",), "beginning and checkpoint 1 .*2 fewer"),
    "a checkpoint taken out": (
        ("DELETE FROM checkpoint WHERE number = 2",),
        "Checkpoint 3 stands where 2 should be",
    ),
    "the first taken out": (
        ("DELETE FROM checkpoint WHERE number = 1",),
        "Checkpoint 2 stands where 1 should be",
    ),
    "two exchanged": (
        (
            "UPDATE checkpoint SET number = 99 WHERE number = 2",
            "UPDATE checkpoint SET number = 2 WHERE number = 3",
            "UPDATE checkpoint SET number = 3 WHERE number = 99",
        ),
        "Checkpoint 2 is damaged",
    ),
    "a checkpoint edited": (
        (
            "UPDATE checkpoint SET body = replace(CAST(body AS TEXT), '\"policy_version\":1', '\"policy_version\":2')",
        ),
        "Checkpoint 1 is not signed",
    ),
    "a checkpoint damaged": (
        ("UPDATE checkpoint SET body = x'00' WHERE number = 3",),
        "Checkpoint 3 is damaged",
    ),
    "a signature exchanged": (
        (
            "UPDATE checkpoint SET signature = (SELECT signature FROM checkpoint WHERE number = 1) WHERE number = 2",
        ),
        "Checkpoint 2 is not signed",
    ),
    "a key that nobody has": (
        ("UPDATE checkpoint SET key = 'x' WHERE number = 1",),
        "Checkpoint 1 is not signed",
    ),
}


class TestVerifying:
    """J19, with the public key alone."""

    @pytest.fixture
    def signed(self, bench: Bench) -> Bench:
        put(bench.store, person("alice"))
        bench.tick()
        put(bench.store, person("bob"))
        bench.minute(1)
        bench.minute(2)
        bench.minute(2)
        assert [said(each).marks[0].position for each in bench.store.stream.checkpoints(0, 9)] == [2, 4, 6, 8]
        assert bench.verified().broken is None
        return bench

    @pytest.mark.parametrize("name", TAMPERINGS)
    def test_j19_a_tampered_trail_is_found_between_two_checkpoints(self, signed: Bench, name: str) -> None:
        statements, sentence = TAMPERINGS[name]
        signed.run(*statements)
        found = signed.verified()
        assert found.broken is not None
        assert re.search(sentence, found.broken), found.broken

    def test_what_came_after_the_last_is_counted_as_not_signed(self, signed: Bench) -> None:
        put(signed.store, person("carol"))
        assert signed.verified().unsigned == 1
        signed.run("DELETE FROM audit WHERE position = 9")
        assert signed.verified().unsigned == 0

    def test_the_end_with_its_checkpoints_is_found_by_the_anchor_only(self, signed: Bench) -> None:
        signed.run("DELETE FROM audit WHERE position > 4", "DELETE FROM checkpoint WHERE number > 2")
        assert signed.verified().broken is None
        with pytest.raises(RolledBack, match="newest checkpoint is 2, and the anchor knows 4"):
            signed.tick()

    def test_another_gates_key_signs_nothing_of_ours(self, bench: Bench) -> None:
        assert bench.minute(1, bench.another(anchored=False, key=STRANGER)) is not None
        assert "not signed" in (bench.verified().broken or "")

    def test_progress_is_told(self, signed: Bench) -> None:
        told: list[int] = []
        verify(live(signed.store.stream), is_ours, None, told.append)
        assert sum(told) == 8

    def test_examining_alarms(self, signed: Bench) -> None:
        assert signed.checkpointer.examine(signed.now) is None
        signed.run("DELETE FROM audit WHERE position = 5")
        assert signed.checkpointer.examine(signed.now)
        assert len(signed.alarms()) == 1


class TestComparing:
    """Design §6: head and document of one account put back together are found within a minute."""

    @pytest.fixture
    def people(self, bench: Bench) -> Bench:
        for subject in ("alice", "bob", "carol"):
            put(bench.store, person(subject))
        bench.tick()
        return bench

    def take(self, bench: Bench, *tables: str) -> Callable[[], None]:
        columns = {"account": "id", "register": "account", "audit": "account"}
        rows = {
            name: bench.rows(f"SELECT * FROM {name} WHERE {columns[name]} = '{ALICE}'") for name in tables
        }

        def put_back() -> None:
            with closing(sqlite3.connect(file_of(bench.place))) as db, db:
                for name, kept in rows.items():
                    db.execute(f"DELETE FROM {name} WHERE {columns[name]} = '{ALICE}'")
                    for row in kept:
                        db.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)

        return put_back

    @pytest.mark.parametrize(
        ("when", "tables"),
        [
            ("at once", ("account", "register")),
            ("before it is signed", ("account", "register")),
            ("before it is signed", ("account", "register", "audit")),
            ("an hour later", ("account", "register")),
        ],
    )
    def test_one_account_put_back_is_alarmed_within_a_minute(
        self, people: Bench, tables: tuple[str, ...], when: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        put_back = self.take(people, *tables)
        put(people.store, put(people.store, person("alice", version=1)))
        if when == "before it is signed":
            people.now += 59
            people.tick()
        elif when == "an hour later":
            people.minute()
            people.now += 3600
            people.tick()
        put_back()
        people.now += 60
        people.tick()
        # That her events are gone shows in what was signed over them, too.
        alarms = 2 if "audit" in tables else 1
        assert ALICE in people.alarms()[0]
        *_, found = people.store.events(account_id=None, kind="tampering_noticed", before=None, limit=9)
        assert found.event.details["account"] == ALICE
        assert found.event.notify == ("admins",)
        assert [record.levelno for record in caplog.records if "tampering" in record.message] == [
            logging.ERROR
        ] * alarms
        people.now += 60
        people.tick()
        assert len(people.alarms()) == alarms

    def test_limit_put_back_with_its_events_before_they_were_looked_at_it_is_found_by_examining(
        self, people: Bench
    ) -> None:
        put_back = self.take(people, "account", "register", "audit")
        put(people.store, put(people.store, person("alice", version=1)))
        put_back()
        people.minute(0)
        assert people.alarms() == []
        assert people.checkpointer.examine(people.now)
        assert len(people.alarms()) == 1

    @pytest.mark.parametrize("tables", [("audit",), ("account", "register", "audit")])
    def test_what_was_signed_is_read_once_more_so_that_old_events_that_are_gone_are_missed_within_a_minute(
        self, people: Bench, tables: tuple[str, ...]
    ) -> None:
        """Of one account, perhaps with its record and register, so that nothing is left that could be compared."""
        people.minute(60)
        columns = {"account": "id", "register": "account", "audit": "account"}
        for name in tables:
            people.run(f"DELETE FROM {name} WHERE {columns[name]} = '{ALICE}'")
        people.now += 60
        people.tick()
        assert any("fewer than were signed" in text for text in people.alarms())

    def test_a_long_trail_is_read_once_more_in_turn(
        self, people: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checkpoints, "REREAD", 3)
        for _ in range(12):
            people.minute(2)
        people.run("UPDATE audit SET record = record || ' ' WHERE position = 20")
        minutes = 0
        while not people.alarms():
            people.minute(0)
            minutes += 1
        assert 1 < minutes < 30
        assert "not the same in the same order" in people.alarms()[0]

    def test_reading_once_more_begins_anew_after_the_store_was_away(self, people: Bench) -> None:
        people.minute(5)
        stream = people.store.stream
        rereading = Rereading(stream, is_ours, people.store.store_id)
        assert rereading.turn(2) is None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(stream), "entries", _away)
            patch.setattr(type(stream), "checkpoints", _away)
            other = Rereading(stream, is_ours, people.store.store_id)
            with pytest.raises(StoreUnavailable):
                other.turn(5)
        assert other.turn(100) is None
        assert rereading.turn(100) is None

    def test_nothing_is_alarmed_where_nobody_tampers(self, people: Bench) -> None:
        for _ in range(3):
            put(people.store, people.store.account(ALICE) or person("alice"))
            people.minute(2)
        assert people.alarms() == []

    def test_every_account_has_its_turn(self, people: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checkpoints, "SWEEP", 2)
        people.run("UPDATE register SET sealed = x'00' WHERE account <> 'org'")
        for _ in range(3):
            people.minute(0)
        assert len(people.alarms()) == 3

    def test_a_trail_cut_off_is_noticed(self, people: Bench) -> None:
        people.run("DELETE FROM audit WHERE position = 4")
        bench = people.another(anchored=False)
        bench.tick(people.now)
        assert any("cut off" in text for text in people.alarms())

    def test_where_nothing_can_be_recorded_the_log_still_says_so(
        self, people: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        people.run("UPDATE register SET sealed = x'00' WHERE account = 'org'")
        people.now += 60
        with pytest.raises(StoreUnavailable):
            people.tick()
        people.run(
            f"UPDATE register SET sealed = x'00' WHERE account = '{ALICE}'", "UPDATE store SET ledger = x''"
        )

    def test_a_checkpoint_of_somebody_else_stops_nothing(self, people: Bench) -> None:
        newest = people.store.stream.checkpoints(0, 9)[-1]
        forged = body_of(replace(newest.read(), number=newest.number + 1, at=people.now))
        people.store.stream.add_checkpoint(
            Signed(number=newest.number + 1, body=forged, key="c1", signature=bytes(64))
        )
        people.store.stream.add_checkpoint(
            Signed(number=newest.number + 2, body=b"junk", key="c1", signature=b"")
        )
        assert said(people.minute()).number == newest.number + 3
        assert len([text for text in people.alarms() if "not signed" in text]) == 2
        assert "Checkpoint 2 " in (people.verified().broken or "")


class TestAnchor:
    def anchor(self, bench: Bench) -> Anchor:
        found = bench.anchors.read()
        assert found
        return found

    def keeper(self, bench: Bench, store: SqliteStore | None = None) -> AnchorKeeper:
        return AnchorKeeper((store or bench.store).stream, bench.anchors, is_ours)

    def test_each_checkpoint_goes_there(self, bench: Bench) -> None:
        bench.anchors.move(None, first_anchor(bench.store.stream.reached(), NOW))
        assert self.anchor(bench).number == 0
        for number in (1, 2):
            signed = bench.minute()
            assert signed is not None
            anchor = self.anchor(bench)
            assert (anchor.number, anchor.hash) == (number, signed.hash)
            assert anchor.positions == {"0": said(signed).marks[0].position}
            assert anchor.store == STORE_ID

    def test_a_missing_one_is_begun_and_said(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        bench.minute()
        assert "there was none" in caplog.text
        assert self.anchor(bench).number == 1

    def test_a_process_that_signs_nothing_waits_until_it_is_durable(self, bench: Bench) -> None:
        bench.minute()
        signer_elsewhere = bench.another(anchored=False)
        bench.minute(1, signer_elsewhere)
        self.keeper(bench).advance(bench.now + 9)
        assert self.anchor(bench).number == 1
        self.keeper(bench).advance(bench.now + 10)
        assert self.anchor(bench).number == 2

    def test_a_forged_checkpoint_moves_it_nowhere(self, bench: Bench) -> None:
        bench.minute()
        bench.minute(1, bench.another(anchored=False, key=STRANGER))
        self.keeper(bench).advance(bench.now + 600)
        assert self.anchor(bench).number == 1

    def test_nor_does_one_of_another_store_with_the_same_keys(self, bench: Bench) -> None:
        bench.minute()
        newest = bench.store.stream.checkpoints(0, 9)[-1]
        body = body_of(replace(newest.read(), number=2, store="another"))
        forged = Signed(number=2, body=body, key=KEY.id, signature=sign(KEY, to_sign(body)))
        bench.store.stream.add_checkpoint(forged)
        self.keeper(bench).advance(bench.now + 600)
        assert self.anchor(bench).number == 1

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"store": "another"}, "knows the store another, and this is store-1"),
            ({"number": 9}, "newest checkpoint is 2, and the anchor knows 9"),
            ({"hash": b"x"}, "checkpoint 2 of the store is not the one"),
            ({"policy_version": 2}, "policy has version 1, and the anchor knows 2"),
            ({"positions": {"0": 9}}, "ends at position 3, and the anchor knows 9"),
            ({"positions": {"0": 3, "1": 1}}, "shard 1"),
        ],
    )
    def test_j16_a_store_behind_its_anchor_is_refused(
        self, bench: Bench, change: dict[str, object], said: str
    ) -> None:
        bench.minute()
        bench.minute()
        self.keeper(bench).refuse_older()
        bench.anchors.accept(msgspec.structs.replace(self.anchor(bench), **change))
        with pytest.raises(RolledBack, match=f"Rollback detected: .*{said}.*restore --accept-loss"):
            self.keeper(bench).refuse_older()
        with pytest.raises(RolledBack):
            bench.minute()

    def test_an_older_copy_with_its_newer_checkpoints_is_refused(self, bench: Bench) -> None:
        """The checkpoints are no secret: whoever puts back the file can put them back beside it."""
        bench.minute()
        bench.minute(3)
        bench.run("DELETE FROM audit WHERE position > 2")
        with pytest.raises(RolledBack, match="ends at position 2"):
            self.keeper(bench).refuse_older()

    def test_a_damaged_anchor_is_not_a_missing_one(self, bench: Bench) -> None:
        bench.minute()
        (bench.place / "anchor" / "file").write_bytes(b"{")
        with pytest.raises(StoreUnavailable, match="is damaged"):
            bench.minute()

    def test_one_that_cannot_be_written_is_told(self, bench: Bench) -> None:
        (bench.place / "anchor").rmdir()
        with pytest.raises(StoreUnavailable, match="Make its folder"):
            bench.minute()
        (bench.place / "anchor").mkdir()
        assert bench.minute() is not None
        assert self.anchor(bench).number == 2

    def test_of_two_that_move_it_one_does(self, bench: Bench) -> None:
        bench.minute()
        known = self.anchor(bench)
        assert bench.anchors.move(known, replace(known, at=1))
        assert not bench.anchors.move(known, replace(known, at=2))
        assert self.anchor(bench).at == 1

    def test_who_listens_hears_each(self, bench: Bench) -> None:
        heard: list[int] = []
        bench.anchors = AnchorFile(
            bench.place / "anchor" / "file", (lambda anchor: heard.append(anchor.number),)
        )
        bench.checkpointer = bench.another()
        bench.minute()
        bench.minute()
        assert heard == [1, 2]

    def test_one_written_by_a_newer_version_is_left_alone(self, bench: Bench) -> None:
        bench.minute()
        bench.anchors.accept(replace(self.anchor(bench), format=2))
        with pytest.raises(StoreUnavailable, match="newer mfa_gate"):
            bench.minute()
