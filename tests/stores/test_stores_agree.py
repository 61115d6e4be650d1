"""Two stores of different kinds, asked the same things in the same order, say the same."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.errors import MfaGateError, RecordCorrupt
from mfa_gate.core.events import ORG
from mfa_gate.core.listing import ACTIVE, SORTS, STATUSES, Filter, Place, Sort
from mfa_gate.core.policy import GraceFrom
from mfa_gate.ports import Change
from tests.stores import files
from tests.stores.contract import NOW, Backend, challenge, event, person, session, totp
from tests.stores.directory_contract import exempt_until
from tests.stores.redis_servers import Kind, Servers, make, reopen

SUBJECTS = ("alice", "bob", "carol", "Élodie ✓", "dave\0", "zoë")
KEYS = st.sampled_from(["k1", "k2", "k3", "k4"])
CHALLENGES = st.sampled_from(["c1", "c2", "c3"])
MOMENTS = st.integers(-100, 1000)
NAMES = st.sampled_from(["", "Alice", "al", "Bob", "ZOË", "a\0b", "\U0010ffff", "é"])
EMAILS = st.sampled_from(["", "alice@example.org", "bob@example.org", "Al", "élodie@example.org"])
PREFIXES = st.sampled_from(["", "a", "al", "alice@", "b", "z", "É", "\0", "x", "\U0010ffff"])
GROUPS = st.lists(st.sampled_from(["g", "h", "\0"]), max_size=2).map(tuple)
FILTERS = st.builds(
    Filter,
    statuses=st.sampled_from([STATUSES, ACTIVE, *((status,) for status in STATUSES)]),
    prefix=PREFIXES,
    group=st.sampled_from([None, None, "g", "h", "\0"]),
    never_seen=st.sampled_from([False, False, True]),
)


class Agreement(RuleBasedStateMachine):
    """Whatever one of them answers or refuses, the other does, too."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = NOW
        self.sqlite: Backend = files.make(Path(self.folder.name))
        self.workers: list[Backend] = [
            make(self.url, timeout_seconds=10),
            reopen(self.url, timeout_seconds=10),
        ]
        self.cursors: dict[str, Place | None] = {}

    def teardown(self) -> None:
        assert self.sqlite.broken_chain() is None
        for worker in self.workers:
            assert worker.broken_chain() is None
            worker.close()
        self.sqlite.close()
        self.folder.cleanup()

    def both(self, worker: int, act: Callable[[Backend], Any]) -> Any:  # noqa: ANN401
        """What both say; an error, if it is of ours, by its kind."""
        said = [_said(act, store) for store in (self.sqlite, self.workers[worker])]
        assert said[0] == said[1]
        return said[0]

    @initialize()
    def alike(self) -> None:
        self.both(0, lambda store: store.policy())

    @rule(seconds=st.integers(-300, 2000))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(
        worker=st.integers(0, 1),
        subject=st.sampled_from(SUBJECTS),
        off=st.sampled_from([0, 0, 0, 0, 0, 1, -1]),
        fields=st.fixed_dictionaries(
            {},
            optional={
                "name": NAMES,
                "email": EMAILS,
                "active": st.booleans(),
                "groups": GROUPS,
                "first_seen_at": st.sampled_from([0, NOW]),
                "last_verified_at": st.sampled_from([0, NOW, NOW + 1]),
                "exemption": st.none() | st.builds(exempt_until, st.integers(NOW, NOW + 2000)),
                "epoch": st.integers(1, 3),
                "totps": st.one_of(
                    st.just(()),
                    st.builds(lambda until: (totp(paused_until=NOW + until),), st.integers(0, 2000)),
                    st.just((totp(),)),
                ),
            },
        ),
        opened=st.none() | st.tuples(KEYS, st.integers(1, 3000)),
        ended=st.sampled_from([(), (), ("k1",), ("k2", "k3"), "all"]),
        begun=st.none() | st.tuples(CHALLENGES, st.integers(1, 900)),
        spent=st.none() | CHALLENGES,
        events=st.integers(0, 2),
    )
    def commit(
        self,
        worker: int,
        subject: str,
        *,
        off: int,
        fields: dict[str, object],
        opened: tuple[str, int] | None,
        ended: tuple[str, ...] | Literal["all"],
        begun: tuple[str, int] | None,
        spent: str | None,
        events: int,
    ) -> None:
        known = self.sqlite.account(person(subject).id) or person(subject)
        account: Account = replace(known, version=max(0, known.version + off), **fields)
        change = Change(
            account=account,
            events=(event("verified", account), event("code_rejected", account))[:events],
            open_session=None
            if opened is None
            else session(account, opened[0], created_at=self.now, expires_at=self.now + opened[1]),
            end_sessions=ended,
            open_challenge=None
            if begun is None
            else challenge(account, begun[0], expires_at=self.now + begun[1]),
            spend=spent,
        )
        self.both(worker, lambda store: store.commit(change, self.now))

    @rule(worker=st.integers(0, 1), subject=st.sampled_from(SUBJECTS), key=st.none() | KEYS, at=MOMENTS)
    def facts(self, worker: int, subject: str, key: str | None, at: int) -> None:
        self.both(worker, lambda store: store.facts(person(subject).id, key, self.now + at))

    @rule(worker=st.integers(0, 1), subject=st.sampled_from(SUBJECTS), name=CHALLENGES, at=MOMENTS)
    def alive(self, worker: int, subject: str, name: str, at: int) -> None:
        who = person(subject).id
        self.both(worker, lambda store: store.challenge(name, who, self.now + at))
        self.both(worker, lambda store: store.sessions(who, self.now + at))
        self.both(worker, lambda store: store.account(who))

    @rule(worker=st.integers(0, 1), subject=st.sampled_from(SUBJECTS), key=KEYS)
    def end_session(self, worker: int, subject: str, key: str) -> None:
        owner = person(subject)
        self.both(
            worker,
            lambda store: store.end_session(session(owner, key), (event("signed_out", owner),), self.now),
        )

    @rule(worker=st.integers(0, 1), pairs=st.lists(st.tuples(st.sampled_from(SUBJECTS), KEYS), max_size=4))
    def touch(self, worker: int, pairs: list[tuple[str, str]]) -> None:
        keys = tuple((person(subject).id, key) for subject, key in pairs)
        self.both(worker, lambda store: store.touch(keys, self.now))

    @rule(
        worker=st.integers(0, 1),
        off=st.sampled_from([0, 0, 1, -1]),
        on=st.booleans(),
        grace=st.tuples(
            st.sampled_from(get_args(GraceFrom)), st.sampled_from([0, 900]), st.integers(NOW - 900, NOW)
        ),
        told=st.booleans(),
    )
    def commit_policy(
        self, worker: int, off: int, grace: tuple[str, int, int], *, on: bool, told: bool
    ) -> None:
        known = self.sqlite.policy()
        given = dict(zip(("grace_from", "grace_seconds", "first_required_at"), grace, strict=True))
        policy = replace(known, version=known.version + off, require_two_step=on, **given)
        events = (event("policy_changed"),) if told else ()
        self.both(worker, lambda store: store.commit_policy(policy, events, self.now))
        self.both(1 - worker, lambda store: store.policy())

    @rule(worker=st.integers(0, 1), subjects=st.lists(st.sampled_from((*SUBJECTS, "")), max_size=4))
    def record(self, worker: int, subjects: list[str]) -> None:
        events = tuple(
            event("spelling_refused", person(subject)) if subject else event("act_refused")
            for subject in subjects
        )
        self.both(worker, lambda store: store.record(events, self.now))

    @rule(
        worker=st.integers(0, 1),
        who=FILTERS,
        sort=st.sampled_from(SORTS),
        limit=st.integers(1, 4),
        on=st.booleans(),
        at=MOMENTS,
    )
    def people(self, worker: int, who: Filter, sort: Sort, limit: int, *, on: bool, at: int) -> None:
        after = self.cursors.get(sort) if on else None

        def page(store: Backend) -> tuple[object, object]:
            found = store.people(who, sort=sort, after=after, limit=limit, now=self.now + at)
            self.cursors[sort] = found.next  # any place is some place in any list of this order
            return found.rows, found.next

        self.both(worker, page)
        self.both(worker, lambda store: store.counts(who, self.now + at))

    @rule(
        worker=st.integers(0, 1),
        whose=st.sampled_from([None, ORG, "nobody", *(account_id("portal", each) for each in SUBJECTS)]),
        kind=st.sampled_from([None, "verified", "policy_changed", "reset"]),
        skip=st.integers(0, 3),
        limit=st.integers(1, 5),
    )
    def trail(self, worker: int, whose: str | None, kind: str | None, skip: int, limit: int) -> None:
        def page(store: Backend) -> list[object]:
            before = None
            if skip:
                first = store.events(account_id=whose, kind=kind, before=None, limit=skip)
                before = first[-1].position if first else None
            found = store.events(account_id=whose, kind=kind, before=before, limit=limit)
            assert sorted((each.position for each in found), reverse=True) == [
                each.position for each in found
            ]
            return [(each.event, each.link) for each in found]

        self.both(worker, page)

    @rule(
        worker=st.integers(0, 1),
        counts=st.dictionaries(
            st.tuples(PREFIXES, st.sampled_from(["a", "b"])), st.integers(1, 9), max_size=3
        ),
    )
    def traffic(self, worker: int, counts: dict[tuple[str, str], int]) -> None:
        self.both(worker, lambda store: store.count_traffic(counts, self.now))
        self.both(worker, lambda store: store.traffic())

    @rule(worker=st.integers(0, 1), holder=st.sampled_from(["me", "you"]), seconds=st.integers(1, 100))
    def lease(self, worker: int, holder: str, seconds: int) -> None:
        taken = self.both(worker, lambda store: store.lease("job", holder, seconds, self.now))
        if taken is not None:
            self.both(worker, lambda store: store.still_holds(taken, self.now))
            self.both(worker, lambda store: store.note_run("job", self.now))
        self.both(worker, lambda store: store.last_runs())

    @rule(worker=st.integers(0, 1))
    def expire(self, worker: int) -> None:
        """How many go differs: only one of them keeps what a commit has made of no use. Nobody can see it go."""
        self.sqlite.expire(self.now)
        self.workers[worker].expire(self.now)


def _said(act: Callable[[Backend], Any], store: Backend) -> object:
    try:
        return act(store)
    except (MfaGateError, ValueError) as error:
        return RecordCorrupt if isinstance(error, RecordCorrupt) else type(error)


@pytest.mark.parametrize("kind", ["redis-7", "valkey-9"])
def test_sqlite_and_redis_agree(servers: Servers, kind: Kind, scale: str) -> None:
    class Here(Agreement):
        def __init__(self) -> None:
            Here.url = servers.emptied(kind).url
            super().__init__()

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=30 if scale == "small" else 1000,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
