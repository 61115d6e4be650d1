"""A process that sends reminders until it is killed: `python worker.py STORE PORT RUN NOW`."""

import os
import sys
from pathlib import Path

from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.mail.office import Office, smtp


def main(path: str, port: str, name: str, now: str) -> None:
    sealer = Sealer({"k1": b"k" * 32}, "k1", os.urandom)
    store = SqliteStore.open(Path(path), sealer=sealer, audit_key=b"a" * 32)
    office = Office(store, smtp(int(port)))
    office.now = int(now)
    while office.run(name).is_open:
        office.turn()


if __name__ == "__main__":
    main(*sys.argv[1:])
