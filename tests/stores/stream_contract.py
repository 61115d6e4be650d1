"""What every store does with its trail as a whole, in sentences of `ports.Stream` and `ports.Seals`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfa_gate.core.checkpoints import Checkpoint, Entry, Signed, body_of
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.core.events import ORG, canonical
from mfa_gate.ports import Change, Resealed
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.sealing import Sealer
from tests.stores.contract import NOW, Backend, challenge, event, kinds, person, put, session, totp
from tests.stores.files import AUDIT_KEY, KEYS, STORE_ID, sealer

BOTH_KEYS = {**KEYS, "2026-02": b"n" * 32}
NEW_AUDIT_KEY = b"b" * 32


def signed(number: int, text: str = "") -> Signed:
    body = body_of(
        Checkpoint(store=STORE_ID, number=number, at=NOW, marks=(), previous=text.encode(), policy_version=1)
    )
    return Signed(number=number, body=body, key="c1", signature=bytes(64))


def whole(store: Backend, limit: int = 1000) -> dict[str, list[Entry]]:
    """The trail, read shard by shard."""
    found: dict[str, list[Entry]] = {}
    for shard in store.stream.shards:
        entries: list[Entry] = []
        while part := store.stream.entries(shard, entries[-1].position if entries else None, limit):
            entries += part
        found[shard] = entries
    return found


def all_ids(store: Backend, limit: int) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        after, ids = store.stream.account_ids(after, limit)
        found += ids
        if after is None:
            return found


def resealed(store: Backend, limit: int = 2, *, survey: bool = False) -> Resealed:
    """Everything, step by step."""
    steps, after = [], None
    while True:
        step = (store.seals.survey if survey else store.seals.reseal)(after, limit)
        steps.append(step)
        after = step.next
        if after is None:
            break
    needed: dict[str, int] = {}
    for step in steps:
        for key, count in step.needed.items():
            needed[key] = needed.get(key, 0) + count
    return Resealed(
        next=None,
        changed=sum(step.changed for step in steps),
        needed=needed,
        broken=tuple(text for step in steps for text in step.broken),
    )


class StreamContract(ABC):
    """Subclass it as `Test…`, with `make` and `reopen`."""

    @abstractmethod
    def make(self, place: Path) -> Backend:
        """A new store that belongs to this folder."""

    @abstractmethod
    def reopen(self, place: Path, sealer: Sealer, audit_key: AuditKeys | bytes) -> Backend:
        """One more client of the store that `make` has made there."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Backend]:
        made = self.make(tmp_path)
        yield made
        made.close()

    # The trail

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    def test_the_whole_trail_comes_in_order(self, store: Backend, limit: int) -> None:
        for subject in ("alice", "bob", "carol", "dave"):
            put(store, put(store, person(subject)))
        store.record((event("act_refused"),), NOW)
        found = whole(store, limit)
        assert sum(map(len, found.values())) == 10
        for entries in found.values():
            assert [each.position for each in entries] == sorted({each.position for each in entries})
        alice = person("alice").id
        chain = [each for entries in found.values() for each in entries if each.account_id == alice]
        assert [each.record for each in chain] == [
            canonical(event(kind, person("alice"))) for kind in ("account_seen", "verified")
        ]
        recorded = store.events(account_id=alice, kind=None, before=None, limit=9)
        assert [(each.position, each.link) for each in chain] == [
            (each.position, each.link) for each in reversed(recorded)
        ]
        organization = [each for each in found[store.stream.shards[0]] if each.account_id == ORG]
        assert len(organization) == 2

    def test_what_comes_later_stands_behind(self, store: Backend) -> None:
        put(store, person("alice"))
        before = whole(store)
        for subject in ("alice2", "bob2", "carol2"):
            put(store, person(subject))
        for shard, entries in whole(store).items():
            assert entries[: len(before[shard])] == before[shard]

    def test_how_far_it_has_come(self, store: Backend) -> None:
        for subject in ("alice", "bob", "carol"):
            put(store, person(subject))
        store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
        reached = store.stream.reached()
        assert reached.store == STORE_ID
        assert reached.policy_version == 2
        assert reached.checkpoint is None
        ends = {shard: entries[-1].position if entries else 0 for shard, entries in whole(store).items()}
        assert reached.positions == ends

    # Checkpoints

    def test_checkpoints_are_kept_in_order(self, store: Backend, tmp_path: Path) -> None:
        made = [signed(number) for number in range(1, 6)]
        for each in made:
            store.stream.add_checkpoint(each)
        again = self.reopen(tmp_path, sealer(), AUDIT_KEY)
        assert again.stream.reached().checkpoint == made[-1]
        assert again.stream.checkpoints(0, 3) == tuple(made[:3])
        assert again.stream.checkpoints(3, 9) == tuple(made[3:])
        assert again.stream.checkpoints(5, 9) == ()
        assert again.stream.checkpoint(2) == made[1]
        assert again.stream.checkpoint(6) is None
        assert again.stream.checkpoint(0) is None
        again.close()

    @pytest.mark.parametrize("number", [0, 1, 2, 4])
    def test_only_the_next_one_follows(self, store: Backend, number: int) -> None:
        for each in (1, 2):
            store.stream.add_checkpoint(signed(each))
        with pytest.raises(StaleState):
            store.stream.add_checkpoint(signed(number, "another"))
        assert store.stream.checkpoints(0, 9) == (signed(1), signed(2))

    # Misfits

    def test_a_store_that_nobody_touched_has_none(self, store: Backend) -> None:
        alice, bob = put(store, person("alice")), put(store, person("bob"))
        put(store, alice, open_session=session(alice, "s1"))
        store.commit_policy(store.policy(), (event("policy_changed"),), NOW)
        store.end_session(session(alice, "s1"), (event("signed_out", alice),), NOW)
        silent = store.commit(Change(account=bob), NOW)
        seen = {
            account: [
                each.link
                for entries in whole(store).values()
                for each in entries
                if each.account_id == account
            ]
            for account in (alice.id, bob.id, ORG)
        }
        assert silent.version == 2
        assert store.stream.misfits({account: links[-1] for account, links in seen.items()}) == ()
        assert store.stream.misfits({account: links[0] for account, links in seen.items()}) == ()
        assert store.stream.misfits({**dict.fromkeys(seen), "f" * 32: None}) == ()

    def test_a_link_that_was_read_must_be_there(self, store: Backend) -> None:
        alice = put(store, person("alice"))
        (found,) = store.stream.misfits({alice.id: b"x" * 32, ORG: None})
        assert found.account_id == alice.id
        assert "lost an event" in found.text

    @pytest.mark.parametrize("limit", [1, 2, 100])
    def test_every_chain_is_named_once(self, store: Backend, limit: int) -> None:
        people = [person(f"user-{number}") for number in range(12)]
        for each in people:
            put(store, each)
        found = all_ids(store, limit)
        assert sorted(found) == sorted([ORG, *(each.id for each in people)])

    # Seals

    def test_j15_everything_is_sealed_anew_while_it_is_used(self, store: Backend, tmp_path: Path) -> None:
        alice = put(store, person("alice", totps=(totp(),)), open_session=session(person("alice"), "s1"))
        put(store, person("bob"), open_challenge=challenge(person("bob"), "c1"))
        newer = self.reopen(tmp_path, sealer(BOTH_KEYS, "2026-02"), AuditKeys(AUDIT_KEY, NEW_AUDIT_KEY))
        carol = put(newer, person("carol"))
        before = resealed(newer, survey=True)
        assert before.broken == ()
        assert before.changed == 0
        assert before.needed["2026-01"] > before.needed["2026-02"] > 0
        done = resealed(newer)
        assert done.broken == ()
        assert done.changed >= before.needed["2026-01"] - 1  # the proof is written anew at first
        assert resealed(newer, survey=True).needed == {"2026-02": sum(before.needed.values())}
        assert resealed(newer).changed == 0
        alone = self.reopen(tmp_path, sealer({"2026-02": BOTH_KEYS["2026-02"]}, "2026-02"), NEW_AUDIT_KEY)
        assert alone.account(alice.id) == alice
        assert alone.account(carol.id) == carol
        facts = alone.facts(alice.id, "s1", NOW)
        assert facts.session == session(person("alice"), "s1")
        assert alone.challenge("c1", person("bob").id, NOW) == challenge(person("bob"), "c1")
        assert alone.policy() == newer.policy()
        assert put(alone, alice).version == 2
        assert newer.broken_chain() is None
        assert alone.broken_chain() is not None  # what the older audit key has chained needs it for ever
        with pytest.raises(StoreUnavailable):
            self.reopen(tmp_path, sealer(), AUDIT_KEY)
        with pytest.raises(RecordCorrupt):
            store.account(alice.id)
        for each in (newer, alone):
            each.close()

    def test_a_client_that_seals_with_the_older_key_meanwhile_disturbs_nothing(
        self, store: Backend, tmp_path: Path
    ) -> None:
        older = self.reopen(tmp_path, sealer(BOTH_KEYS, "2026-01"), AuditKeys(AUDIT_KEY, NEW_AUDIT_KEY))
        alice = put(older, person("alice"))
        newer = self.reopen(tmp_path, sealer(BOTH_KEYS, "2026-02"), AuditKeys(AUDIT_KEY, NEW_AUDIT_KEY))
        resealed(newer)
        alice = put(older, alice)
        alice = put(newer, alice)
        assert older.account(alice.id) == alice
        assert kinds(older, alice.id) == ["account_seen", "verified", "verified"]
        assert newer.broken_chain() is None
        for each in (newer, older):
            each.close()
