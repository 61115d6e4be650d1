"""A long audit trail, and processes of their own that export and verify it and tell what that took.

`python -m benchmarks.trails STORE WHAT FILE` is such a process.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from mfa_gate.core.checkpoints import Signed, to_sign
from mfa_gate.flows.checkpoints import Checkpointer
from mfa_gate.flows.choosing import chosen
from mfa_gate.flows.export_lines import Begin, Reading, lines
from mfa_gate.flows.finding import Sought
from mfa_gate.flows.trails import live
from mfa_gate.flows.verifying import verify
from mfa_gate.keys import Key
from mfa_gate.keys.signatures import is_signed, public_of, sign
from mfa_gate.ports import Change, Store
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import Followed
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.sqlite import SqliteStore
from tests.stores.contract import NOW, event, person
from tests.stores.files import AUDIT_KEY, STORE_ID, sealer

EVENTS = 500_000
EACH = 100
"""Events of each account."""
KEY = Key(id="c1", secret=bytes(range(32)))
_PUBLIC = public_of(KEY)


class Took(msgspec.Struct, frozen=True):
    """What a process took; seconds of the processor."""

    seconds: float
    events: int
    peak_mib: float


def is_ours(signed: Signed) -> bool:
    """Whether a checkpoint is one of this trail's."""
    return is_signed(to_sign(signed.body), signed.signature, _PUBLIC)


def fill(store: Store, events: int = EVENTS) -> None:
    """A trail in which every thousand events are signed."""
    signer = Checkpointer(store, None, lambda message: (KEY.id, sign(KEY, message)), is_ours)
    for number in range(events // EACH):
        account = person(f"user-{number:06}")
        happened = tuple(
            msgspec.structs.replace(
                event("verified", account, factor="totp", browser="Firefox on Linux"), at=NOW + number
            )
            for _ in range(EACH)
        )
        store.commit(Change(account=account, events=happened), NOW)
        if number % 10 == 9:
            signer.tick(NOW)


def took(store: str, what: str, file: Path) -> Took:
    """What one process takes for it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.trails", store, what, str(file)],
        check=True,
        capture_output=True,
        text=True,
    )
    return msgspec.json.decode(done.stdout, type=Took)


def opened(url: str) -> Store:
    """The store of an address, or of a file."""
    if url.startswith("redis:"):
        return RedisStore.open(url, sealer=sealer(), audit_key=AUDIT_KEY, store_id=STORE_ID)
    return SqliteStore.open(Path(url), sealer=sealer(), audit_key=AUDIT_KEY, store_id=STORE_ID)


def export(store: Store, file: Path, sought: Sought) -> int:
    """Write an export; how many lines."""
    begin = Begin(store=store.store_id, shards=store.stream.shards, kind=sought.kind)
    items = chosen(store.stream, sought, is_ours)
    with file.open("wb") as out:
        count = 0
        for line in lines(begin, items, lambda message: (KEY.id, sign(KEY, message))):
            out.write(line)
            count += 1
    return count


def verify_file(file: Path) -> int:
    """Verify an export with all keys; how many events."""
    with file.open("rb") as source:
        reading = Reading(iter(source))
        found = verify(reading.trail, is_ours, None, chains=Followed(AuditKeys(AUDIT_KEY), whole=True))
    if found.broken is not None or not reading.is_intact:
        raise AssertionError(found.broken)
    return found.signed + found.unsigned


def verify_store(store: Store) -> int:
    """Verify a store with all keys; how many events."""
    broken = store.broken_chain()
    found = verify(live(store.stream), is_ours, store.store_id)
    if broken or found.broken:
        raise AssertionError(broken or found.broken)
    return found.signed + found.unsigned


def main(url: str, what: str, name: str) -> None:
    """Do it, and tell on the standard output."""
    file = Path(name)
    store = opened(url)
    works: dict[str, Callable[[], int]] = {
        "export": lambda: export(store, file, Sought()),
        "a part": lambda: export(store, Path(f"{file}.part"), Sought(kind="reset")),
        "verify": lambda: verify_store(store),
        "verify a file": lambda: verify_file(file),
    }
    begun = time.process_time()
    events = works[what]()
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "events": events, "peak_mib": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
