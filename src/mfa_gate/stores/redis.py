"""The store for several machines: one Redis or Valkey server, asked once for facts and once for a commit.

It decides what is asked; what the answers mean and what is written stands in the modules beside it.
"""

from contextlib import suppress

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.core.events import ORG, SYSTEM, Actor, Event
from mfa_gate.core.listing import Filter, Place, Sort
from mfa_gate.core.policy import Policy, Status
from mfa_gate.core.reminders import Outcome, ReminderRun, Result
from mfa_gate.core.sessions import Challenge, Session
from mfa_gate.ports import (
    Change,
    Concern,
    Facts,
    Feed,
    Groups,
    Lease,
    Notices,
    Page,
    Recorded,
    Retention,
    Roster,
    Seals,
    Snapshots,
    Stream,
)
from mfa_gate.settings.store_urls import redis_address
from mfa_gate.stores import redis_founding as founding
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import TRAFFIC_CAP, Documents
from mfa_gate.stores.redis_accounts import Accounts
from mfa_gate.stores.redis_commits import Planner, live_value
from mfa_gate.stores.redis_connection import TIMEOUT_SECONDS, Server
from mfa_gate.stores.redis_directory import Directory
from mfa_gate.stores.redis_feed import RedisFeed
from mfa_gate.stores.redis_health import concerns, time_of
from mfa_gate.stores.redis_keys import FIRST, POLICIES, SHARDS, account_keys, key, live_key
from mfa_gate.stores.redis_notices import RedisNotices
from mfa_gate.stores.redis_outbox import Outbox
from mfa_gate.stores.redis_records import Answers, Stand, pairs, roster_in, sealed_in
from mfa_gate.stores.redis_retention import RedisRetention
from mfa_gate.stores.redis_roster import RedisRoster
from mfa_gate.stores.redis_scripts import EXPIRE, LEASE, READ, SWAP, TRAFFIC, Call
from mfa_gate.stores.redis_seals import RedisSeals
from mfa_gate.stores.redis_snapshots import RedisSnapshots
from mfa_gate.stores.redis_stream import RedisStream
from mfa_gate.stores.redis_trail import Trail
from mfa_gate.stores.redis_upgrade import bring_up_to_date
from mfa_gate.stores.retention import archived_before
from mfa_gate.stores.sealing import Sealer


class RedisStore:
    """`ports.Store` on one server; may be used by any number of threads, and on both sides of a fork."""

    store_id: str

    def __init__(
        self, server: Server, *, sealer: Sealer, audit_key: AuditKeys | bytes, store_id: str | None
    ) -> None:
        """Use `create` or `open`."""
        audit_keys = AuditKeys.of(audit_key)
        self._server = server
        self.store_id, proof, layout = founding.identify(server, store_id)
        self._documents = Documents(sealer, self.store_id)
        founding.refuse_foreign_keys(server, self._documents, proof, audit_keys)
        self._answers = Answers(sealer, self._documents, self.store_id, str(server.address))
        bring_up_to_date(server, self._answers, layout)
        self._planner = Planner(self._documents, audit_keys, self.store_id)
        self._accounts = Accounts(server, self._answers, self._planner)
        self._directory = Directory(server, self._answers)
        self._outbox = Outbox(server, self._documents)
        self._trail = Trail(server, self._documents, audit_keys)
        stream = RedisStream(server, self._documents, self._answers, self.store_id)
        self.stream: Stream = stream
        self.seals: Seals = RedisSeals(server, self._documents, stream, audit_keys)
        self.retention: Retention = RedisRetention(
            server, self._documents, self._accounts, self._planner, stream=stream, audit_keys=audit_keys
        )
        self.notices: Notices = RedisNotices(server, self._documents)
        self._roster = RedisRoster(
            server,
            self._documents,
            self._answers,
            self._accounts,
            planner=self._planner,
            tell=self._tell,
        )
        self.roster: Roster = self._roster
        self.snapshots: Snapshots = RedisSnapshots(server)

    @classmethod
    def create(
        cls,
        url: str,
        *,
        sealer: Sealer,
        audit_key: AuditKeys | bytes,
        store_id: str,
        now: int,
        actor: Actor = SYSTEM,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> "RedisStore":
        """Make a new store and open it, as only `init` may. Raises `StoreUnavailable` if there is one already."""
        server, audit_keys = Server(redis_address(url), timeout_seconds), AuditKeys.of(audit_key)
        documents = Documents(sealer, store_id)
        founding.make(
            server,
            Planner(documents, audit_keys, store_id),
            Answers(sealer, documents, store_id, str(server.address)),
            documents.seal_proof(audit_keys.newest),
            now=now,
            actor=actor,
        )
        return cls(server, sealer=sealer, audit_key=audit_key, store_id=store_id)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        sealer: Sealer,
        audit_key: AuditKeys | bytes,
        store_id: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> "RedisStore":
        """Open a store that exists, with this id if one is given; else `StoreUnavailable` says how to cure it."""
        return cls(
            Server(redis_address(url), timeout_seconds), sealer=sealer, audit_key=audit_key, store_id=store_id
        )

    @classmethod
    def exists(cls, url: str) -> bool:
        """True if there is a store, or what is left of one."""
        server = Server(redis_address(url))
        try:
            return founding.is_there(server)
        finally:
            server.close()

    def close(self) -> None:
        """Let go of all connections; the next call opens them again."""
        self._server.close()

    def facts(self, account_id: str, session_key: str | None, now: int, *, to_change: bool = False) -> Facts:
        """Account, session and policy version in one round trip; an expired session is None.

        `to_change`: what a commit needs is read and remembered, too.
        """
        field = "" if session_key is None else f"s:{session_key}"
        if to_change:
            stored = self._accounts.read(account_id, field)
            account, register, value = stored.account, stored.register, stored.live.get(field.encode())
        else:
            found = self._accounts.ask(account_id, "field" if field else "nothing", field)
            register = self._answers.register(account_id, found.register)
            account = self._answers.account(account_id, found.document, register)
            value = found.live[0] if found.live else None
        session = None
        # Security: what the register does not list has ended, also if its field was put back.
        if register is not None and session_key in register.sessions and value:
            session = self._documents.session(account_id, session_key, sealed_in(value))
        # Security: what the roster says of somebody is for now, and no commit may write it down as theirs: what is
        # remembered is without it.
        return Facts(
            account=self._roster.told(account_id, account, now),
            session=session if session is not None and now < session.expires_at else None,
            policy_version=self._answers.policy_version,
        )

    def account(self, account_id: str) -> Account | None:
        """The account, or None if it was never stored."""
        return self._accounts.read(account_id).account

    def recall(self, account_id: str) -> Account | None:
        """The account as it was last read or written here, without asking; None if that is not remembered."""
        return self._accounts.recall(account_id)

    def policy(self) -> Policy:
        """The newest policy."""
        seen = self._answers.policy_version
        found = self._accounts.ask(ORG, "nothing")
        register = self._answers.register(ORG, found.register)
        return self._answers.policy(found.document, register, max(seen, found.policy_version))

    def challenge(self, challenge_id: str, account_id: str, now: int) -> Challenge | None:
        """A live, unspent challenge of this account."""
        found = self._accounts.ask(account_id, "field", f"c:{challenge_id}")
        register = self._answers.register(account_id, found.register)
        if register is None or challenge_id not in register.challenges or not found.live[0]:
            return None
        challenge = self._documents.challenge(account_id, challenge_id, sealed_in(found.live[0]))
        return challenge if now < challenge.expires_at else None

    def sessions(self, account_id: str, now: int) -> tuple[Session, ...]:
        """Live sessions of one account, newest first."""
        found = self._accounts.ask(account_id, "all")
        register = self._answers.register(account_id, found.register)
        values = pairs(found.live)
        opened = [
            self._documents.session(account_id, name, sealed_in(values[field]))
            for name in reversed(register.sessions if register else ())
            if (field := f"s:{name}".encode()) in values
        ]
        return tuple(session for session in opened if now < session.expires_at)

    def commit(self, change: Change, now: int) -> Account:
        """Write everything in `change` or nothing; returns the account as stored. Raises `StaleState`."""
        return self._accounts.write(
            change.account.id, lambda stored: self._planner.commit(stored, change, now)
        )

    def end_session(self, session: Session, events: tuple[Event, ...], now: int) -> None:
        """End one session and record why; ending a dead one is no error (and records nothing)."""
        self._accounts.write(
            session.account_id,
            lambda stored: (self._planner.end_session(stored, session, events, now), None),
        )

    def touch(self, keys: tuple[tuple[str, str], ...], now: int) -> None:
        """Move the idle clock of (account_id, session_key) pairs forward, never back, in one batch.

        # Security: the time lies in the sealed record, and the old record must still be there.
        """
        reads = [Call(READ, account_keys(who), (who, "field", f"s:{name}")) for who, name in keys]
        calls = []
        for (who, name), answer in zip(keys, self._server.read_all(reads), strict=True):
            with suppress(RecordCorrupt):  # a forged field must not keep everybody else's from being touched
                value = self._answers.about(who, answer).live[0]
                session = self._documents.session(who, name, sealed_in(value)) if value else None
                if session is not None and session.touched_at < now < session.expires_at:
                    sealed = self._documents.seal_session(replace(session, touched_at=now))
                    new = live_value(session.expires_at, sealed)
                    calls.append(Call(SWAP, (live_key(who),), (f"s:{name}", value, new)))
        self._server.write_all(calls)

    def policy_versions(self, before: int | None, limit: int) -> tuple[Policy, ...]:
        """The policy as it was, newest first, below version `before`."""
        newest = self.policy()
        last = newest.version if before is None else min(before - 1, newest.version)
        wanted = range(last, max(0, last - limit), -1)
        if not wanted:
            return ()
        found = self._server.ask("HMGET", key(FIRST, POLICIES), *wanted)
        kept = zip(wanted, found, strict=True)
        return tuple(
            self._documents.policy_version(version, sealed_in(value)) for version, value in kept if value
        )

    def commit_policy(self, policy: Policy, events: tuple[Event, ...], now: int) -> Policy:  # noqa: ARG002  # the port's
        """Write `policy` as version + 1 with its events, or raise `StaleState`."""
        written = self._accounts.write(
            ORG,
            lambda stored: self._planner.policy(
                stored,
                policy,
                events,
                self._answers.seal_stand(FIRST, Stand(policy.version + 1, roster_in(stored))),
            ),
        )
        self._tell()
        return written

    def repair(self) -> int:
        """Tell every shard of policy and roster, after these themselves; how many had not heard."""
        keys = [key(shard, "shard") for shard in SHARDS]
        stands = self._server.ask_all([("HGET", name, "stand") for name in keys])
        newest = self._answers.stand(FIRST, stands[0])
        calls = [
            Call(SWAP, (name,), ("stand", sealed, self._answers.seal_stand(shard, newest)))
            for shard, name, sealed in zip(SHARDS, keys, stands, strict=True)
            if self._answers.stand(shard, sealed).is_behind(newest)
        ]
        return sum(self._server.write_all(calls))

    def _tell(self) -> None:
        """What was written is told to every shard. Who reads a laggard still hears of it by the feed's beat."""
        with suppress(StoreUnavailable):
            self.repair()

    def record(self, events: tuple[Event, ...], now: int) -> None:  # noqa: ARG002  # the port's
        """Append events that change no document, each to the chain it names; all of them must exist."""
        chains: dict[str, tuple[Event, ...]] = {}
        for event in events:
            chains[event.account_id] = (*chains.get(event.account_id, ()), event)
        for account_id in chains:
            self._accounts.refuse_unknown(account_id)
        for account_id, chained in chains.items():
            self._accounts.append(account_id, chained)

    def people(
        self, who: Filter, *, sort: Sort = "name", after: Place | None = None, limit: int, now: int
    ) -> Page:
        """One page of the accounts that fit a filter."""
        return self._directory.people(self.policy(), who, sort=sort, after=after, limit=limit, now=now)

    def counts(self, who: Filter, now: int) -> dict[Status, int] | None:
        """How many people of a filter's group have each status; None: not known without looking for them."""
        return self._directory.counts(self.policy(), who, now)

    def exempt(self, limit: int, now: int) -> tuple[Account, ...]:
        """Those whose exemption runs, the first to end first."""
        return self._directory.exempt(self.policy(), limit, now)

    def groups(self, limit: int) -> Groups:
        """Coverage of the groups that have the most people, at most `limit` of them."""
        return self._directory.groups(limit)

    def count_traffic(self, counts: dict[tuple[str, str], int], now: int) -> None:  # noqa: ARG002  # the port's
        """Add to the counters of (route prefix, kind of credential)."""
        words = [word for pair, count in counts.items() for word in (msgspec.json.encode(pair), count)]
        self._server.write(Call(TRAFFIC, (key(FIRST, "traffic"),), (TRAFFIC_CAP, *words)))

    def traffic(self) -> dict[tuple[str, str], int]:
        """The counters."""
        found: dict[bytes, bytes] = self._server.ask("HGETALL", key(FIRST, "traffic"))
        try:
            return {msgspec.json.decode(pair, type=tuple[str, str]): int(found[pair]) for pair in found}
        except ValueError as error:
            raise RecordCorrupt(f"The counters of traffic cannot be read ({error}).") from error

    def events(
        self, *, account_id: str | None, kind: str | None, before: int | None, limit: int, after: int = 0
    ) -> tuple[Recorded, ...]:
        """Newest first, below position `before` and above `after`."""
        return self._trail.events(account_id=account_id, kind=kind, before=before, after=after, limit=limit)

    def latest(self, kinds: tuple[str, ...], limit: int) -> tuple[Recorded, ...]:
        """The newest events of any of these kinds, newest first."""
        return self._trail.latest(kinds, limit)

    def position_at(self, at: int) -> int | None:
        """The position of the first event that was written at `at` or later."""
        return self._trail.position_at(at)

    def archived_before(self) -> int | None:
        """Until when what was written has left for the archive."""
        return archived_before(self.stream)

    def broken_chain(self) -> str | None:
        """Recompute every chain; None if whole, else a sentence that names the first break."""
        return self._trail.broken_chain()

    def expire(self, now: int) -> int:
        """Remove sessions and challenges whose time is over; how many. Redis does so by itself, some time later."""
        gone = 0
        for part in self._server.scan("SCAN", match=key("?", "live", "*")):
            shards: dict[bytes, list[str]] = {}
            for name in part:
                shards.setdefault(name.partition(b"}")[0], []).append(name.decode())
            gone += sum(
                self._server.write_all([Call(EXPIRE, tuple(names), (now,)) for names in shards.values()])
            )
        return gone

    def lease(self, name: str, holder: str, seconds: int, now: int) -> Lease | None:
        """Take or renew a lease; None while somebody else holds it."""
        until = now + seconds
        token = self._server.write(Call(LEASE, (key(FIRST, "lease", name),), (holder, now, until)))
        return Lease(name=name, holder=holder, token=token, until=until) if token else None

    def still_holds(self, lease: Lease, now: int) -> bool:  # noqa: ARG002  # the port's
        """True while nobody else has taken the lease."""
        token: bytes | None = self._server.ask("HGET", key(FIRST, "lease", lease.name), "token")
        return token == str(lease.token).encode()

    def note_run(self, name: str, at: int) -> None:
        """Keep that a job was done well at `at`."""
        self._server.put_all([("HSET", key(FIRST, "jobs"), name, self._documents.seal_job(name, at))])

    def last_runs(self) -> dict[str, int]:
        """When each job was last done well."""
        found: dict[bytes, bytes] = self._server.ask("HGETALL", key(FIRST, "jobs"))
        return self._documents.last_runs(
            (name.decode(errors="replace"), sealed) for name, sealed in found.items()
        )

    def runs(self, *, open_only: bool) -> tuple[ReminderRun, ...]:
        """Runs of reminders that still have something to do, or all; oldest first."""
        return self._outbox.runs(open_only=open_only)

    def run(self, run_id: str) -> ReminderRun | None:
        """The run of this id."""
        return self._outbox.run(run_id)

    def save_run(self, run: ReminderRun, results: tuple[Result, ...] = ()) -> ReminderRun:
        """Write a run as version + 1 and add results, or raise `StaleState`."""
        return self._outbox.save(run, results)

    def results(self, run_id: str, outcome: Outcome, after: int, limit: int) -> tuple[Result, ...]:
        """The results of one outcome in the order in which they were added, but for the first `after`."""
        return self._outbox.results(run_id, outcome, after, limit)

    def drop_run(self, run_id: str) -> None:
        """Forget a run and its results; one that is not there is no error."""
        self._outbox.drop(run_id)

    def feed(self) -> Feed:
        """Begin to listen to what others change."""
        return RedisFeed(self._server, self._answers, self.store_id)

    def health(self, now: float) -> tuple[Concern, ...]:
        """What somebody should mend at the server, or know."""
        return concerns(self._server, now)

    def server_time(self) -> float:
        """UTC seconds by the server's clock."""
        return time_of(self._server)
