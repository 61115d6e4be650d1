"""Decides whether a Redis database holds a store that this version can use; makes one only for `init`.

An empty store would know nobody's factors, so nothing else ever makes one.
"""

from mfa_gate.core.errors import RecordCorrupt, StoreUnavailable
from mfa_gate.core.events import ORG, Actor
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.redis_commits import Planner
from mfa_gate.stores.redis_connection import Server
from mfa_gate.stores.redis_keys import FIRST, SHARDS, key
from mfa_gate.stores.redis_records import Answers, Stand, Stored
from mfa_gate.stores.redis_scripts import COMMIT, RESERVE, Call
from mfa_gate.stores.redis_upgrade import LAYOUT


def make(server: Server, planner: Planner, answers: Answers, proof: bytes, *, now: int, actor: Actor) -> None:
    """Make a store. Raises `StoreUnavailable` if there is one, or what is left of one."""
    store_id = planner.store_id
    reservation = key(FIRST, "founding")
    if is_there(server) or not server.write(Call(RESERVE, (key(FIRST, "shard"), reservation), (store_id,))):
        raise StoreUnavailable(
            f"There is a store at {server.address} already, and it is not overwritten; to forget everybody and begin "
            "anew, use another database, or empty this one."
        )
    marks = {
        shard: (
            "HSET",
            key(shard, "shard"),
            "store",
            store_id,
            "layout",
            LAYOUT,
            "stand",
            answers.seal_stand(shard, Stand(1)),
        )
        for shard in SHARDS
    }
    server.put_all([mark for shard, mark in marks.items() if shard != FIRST])
    # The first shard comes last and as a whole: without it there is no store.
    call = planner.call([(Stored(account_id=ORG), planner.found(now, actor, b""))])
    server.put_together(
        (*marks[FIRST], "proof", proof),
        ("EVAL", COMMIT.text, len(call.keys), *call.keys, *call.args),
        ("DEL", reservation),
    )


def is_there(server: Server) -> bool:
    """True if there is a store, or what is left of one; marks that `make` did not finish are neither."""
    parts = [("accounts", "heads", "events") + (("shard",) if shard == FIRST else ()) for shard in SHARDS]
    commands = [
        ("EXISTS", *(key(shard, part) for part in named)) for shard, named in zip(SHARDS, parts, strict=True)
    ]
    return any(server.ask_all(commands))


def identify(server: Server, store_id: str | None) -> tuple[str, bytes, int]:
    """The store's id, the proof of its keys, its layout. Raises `StoreUnavailable` if it is none, or another."""
    found, layout, proof = server.ask("HMGET", key(FIRST, "shard"), "store", "layout", "proof")
    if found is None or proof is None:
        raise StoreUnavailable(
            f"There is no store at {server.address}; restore it from a backup, correct [store] url or, on a new "
            "server, make it with `mfa-gate init`."
        )
    name = found.decode(errors="replace")
    if store_id not in {None, name}:
        raise StoreUnavailable(
            f"{server.address} is the store {name}, not {store_id}; put the right one back."
        )
    if not (layout or b"").isdigit() or int(layout) > LAYOUT:
        raise StoreUnavailable(
            f"The store {server.address} was written by a newer mfa_gate (it wants layout {layout!r}, this version "
            f"has {LAYOUT}); install that version again."
        )
    return name, proof, int(layout)


def refuse_foreign_keys(server: Server, documents: Documents, proof: bytes, audit_keys: AuditKeys) -> None:
    """Raise `StoreUnavailable` unless the store was made with these keys."""
    try:
        fits = documents.is_proof(proof, audit_keys)
    except RecordCorrupt:
        fits = False
    if not fits:
        raise StoreUnavailable(
            f"The keys of [keys] file are not those that the store {server.address} was made with; put its own key "
            "file back."
        )
