"""Decides in which steps everything in a Redis store is sealed anew; what a record says stays as it is."""

from collections.abc import Callable, Iterator
from typing import Final

from mfa_gate.core.events import ORG
from mfa_gate.ports import Resealed
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import (
    Documents,
    Place,
    Reseal,
    base_place,
    notices_place,
    removed_place,
    run_place,
    staged_place,
)
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import FIRST, POLICIES, SHARDS, key, live_key
from mfa_gate.stores.redis_notices import NOTICES
from mfa_gate.stores.redis_outbox import FINISHED, OPEN
from mfa_gate.stores.redis_records import pairs
from mfa_gate.stores.redis_scripts import SWAP, Call
from mfa_gate.stores.redis_stream import RedisStream

_KINDS: Final = {b"s": "session", b"c": "challenge"}

_VERSIONED: Final[dict[str, Callable[[str, int], Place]]] = {
    OPEN: run_place,
    FINISHED: run_place,
    NOTICES: lambda _, version: notices_place(version),
    key(FIRST, POLICIES): lambda _, version: ("policy", ORG, version),
}
"""Hash of what is kept as `version:record` → the place of a record, by its field and version."""

Field = tuple[str, str | bytes, bytes, bytes, Place]
"""(hash, field, what stands before the record there, the record, its place)."""


class RedisSeals:
    """`ports.Seals` on one server. What changes meanwhile is sealed with the newest key by whoever changes it."""

    def __init__(
        self, server: Server, documents: Documents, stream: RedisStream, audit_keys: AuditKeys
    ) -> None:
        self._server = server
        self._documents = documents
        self._stream = stream
        self._audit_keys = audit_keys

    def reseal(self, after: str | None, limit: int) -> Resealed:
        """Seal what is not sealed with the newest key anew, of about `limit` accounts."""
        if after is None:
            self._prove_anew()
        step = Reseal(self._documents)
        following, accounts = self._stream.account_ids(after, limit)
        calls = []
        for name, field, head, sealed, place in self._fields(after, accounts):
            fresh = step.fresh(sealed, place)
            if fresh is not None:
                calls.append(Call(SWAP, (name,), (field, head + sealed, head + fresh)))
        self._server.write_all(calls)
        return step.done(following)

    def survey(self, after: str | None, limit: int) -> Resealed:
        """Look at the same in the same steps, and change nothing."""
        step = Reseal(self._documents)
        following, accounts = self._stream.account_ids(after, limit)
        for _, _, _, sealed, place in self._fields(after, accounts):
            step.look(sealed, place)
        return step.done(following)

    def _prove_anew(self) -> None:
        name = key(FIRST, "shard")
        proof: bytes | None = self._server.ask("HGET", name, "proof")
        if proof is not None and self._documents.is_proof(proof, self._audit_keys):
            fresh = self._documents.seal_proof(self._audit_keys.newest)
            self._server.write(Call(SWAP, (name,), ("proof", proof, fresh)))

    def _fields(self, after: str | None, accounts: tuple[str, ...]) -> Iterator[Field]:
        if after is None:
            yield from self._of_the_store()
        asked = []
        for account in accounts:
            shard = account[:1] if account != ORG else FIRST
            asked += [
                ("HGET", key(shard, "accounts"), account),
                ("HGET", key(shard, "heads"), account),
                ("HGETALL", live_key(account)),
                ("HGET", key(shard, "bases"), account),
            ]
        answers = self._server.ask_all(asked)
        for at, account in enumerate(accounts):
            document, register, live, base = answers[4 * at : 4 * at + 4]
            shard = account[:1] if account != ORG else FIRST
            kind = "policy" if account == ORG else "account"
            if document is not None:
                version, _, sealed = document.partition(b":")
                number = int(version) if version.isdigit() else 0
                yield key(shard, "accounts"), account, version + b":", sealed, (kind, account, number)
            if register is not None:
                yield key(shard, "heads"), account, b"", register, ("register", account)
            if base is not None:
                yield key(shard, "bases"), account, b"", base, base_place(account)
            for field, value in (live if isinstance(live, dict) else pairs(live)).items():
                expires, _, sealed = value.partition(b":")
                kept = (_KINDS.get(field[:1], ""), account, field[2:].decode(errors="replace"))
                yield live_key(account), field, expires + b":", sealed, kept

    def _of_the_store(self) -> Iterator[Field]:
        names = [key(shard, "shard") for shard in SHARDS]
        found = self._server.ask_all([("HMGET", name, "stand", "removed") for name in names])
        for shard, name, (stand, removed) in zip(SHARDS, names, found, strict=True):
            yield name, "stand", b"", stand or b"", ("stand", shard)
            if removed is not None:
                yield name, "removed", b"", removed, removed_place(shard)
        for name, place_of in _VERSIONED.items():
            found = self._server.ask("HGETALL", name)
            for field, value in (found if isinstance(found, dict) else pairs(found)).items():
                version, _, sealed = value.partition(b":")
                number = int(version) if version.isdigit() else 0
                yield name, field, version + b":", sealed, place_of(field.decode(errors="replace"), number)
        for import_id in self._server.ask("HKEYS", key(FIRST, "imports")):
            yield from self._of_the_import(import_id.decode(errors="replace"))
        yield names[0], "proof", b"", self._server.ask("HGET", names[0], "proof") or b"", ("proof",)

    def _of_the_import(self, import_id: str) -> Iterator[Field]:
        for shard in SHARDS:
            name = key(shard, "staged", import_id)
            for part in self._server.scan("HSCAN", name):
                for field, sealed in (part if isinstance(part, dict) else pairs(part)).items():
                    place = staged_place(import_id, field.decode(errors="replace"))
                    yield name, field, b"", sealed, place
